package schedule

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

func newWaker(coarse bool) (waker, error) {
	if coarse {
		return newTimerWaker(), nil
	}
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("creating a timerfd: %w", err)
	}
	return &fdWaker{fd: fd, file: os.NewFile(uintptr(fd), "timerfd")}, nil
}

// fdWaker reads a timerfd through the runtime's poller.
type fdWaker struct {
	mu   sync.Mutex // guards fd against being armed after it is closed
	fd   int        // -1: closed
	file *os.File
}

func (w *fdWaker) Arm(in time.Duration) {
	in = max(in, time.Nanosecond) // zero would disarm it
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(in))}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd < 0 {
		return
	}
	if err := unix.TimerfdSettime(w.fd, 0, &spec, nil); err != nil {
		panic(fmt.Sprintf("arming a timerfd for %v: %v", in, err)) // only a closed or foreign descriptor can refuse
	}
}

func (w *fdWaker) Wait() bool {
	var expirations [8]byte
	_, err := w.file.Read(expirations[:])
	return err == nil
}

func (w *fdWaker) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd < 0 {
		return nil
	}
	w.fd = -1
	return w.file.Close()
}
