package schedule

import (
	"sync"
	"time"
)

// waker says when a moment has come: on Linux by a timerfd, which is about four
// times more exact than Go's timers, elsewhere and under a fake clock by a
// time.Timer.
type waker interface {
	Arm(in time.Duration) // replaces the moment armed before
	Wait() bool           // waits for that moment; false: the waker is closed
	Close() error         // closing twice is fine
}

type timerWaker struct {
	timer  *time.Timer
	c      chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newTimerWaker() *timerWaker {
	w := &timerWaker{c: make(chan struct{}, 1), closed: make(chan struct{})}
	w.timer = time.AfterFunc(time.Hour, func() {
		select {
		case w.c <- struct{}{}:
		default:
		}
	})
	return w
}

func (w *timerWaker) Arm(in time.Duration) { w.timer.Reset(in) }

func (w *timerWaker) Wait() bool {
	select {
	case <-w.c:
		return true
	case <-w.closed:
		return false
	}
}

func (w *timerWaker) Close() error {
	w.once.Do(func() {
		w.timer.Stop()
		close(w.closed)
	})
	return nil
}
