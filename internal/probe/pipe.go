package probe

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

// pipe is the reading end of a child's output.
type pipe struct {
	r    *os.File
	sink func([]byte)
	done chan struct{} // closed at the end of copy
	held bool          // a process still has the other end; valid after done
	once sync.Once     // of finish
}

// newPipe returns a pipe whose output goes to sink, and the end that the child
// gets. The caller closes that end after the start, and calls finish.
func newPipe(sink func([]byte)) (*pipe, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	p := &pipe{r: r, sink: sink, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.copy()
	}()
	return p, w, nil
}

// copy reads until the end, or until the deadline that finish sets.
func (p *pipe) copy() {
	buf := make([]byte, 4<<10)
	for {
		n, err := p.r.Read(buf)
		p.sink(buf[:n])
		if err != nil {
			p.held = errors.Is(err, os.ErrDeadlineExceeded)
			return
		}
	}
}

// finish takes what has been written up to now, closes the pipe, and reports
// whether a process still holds the other end. It does not wait for that one.
// Finishing twice is fine.
func (p *pipe) finish() (held bool) {
	p.once.Do(func() {
		p.r.SetReadDeadline(longAgo)
		<-p.done
		if p.held {
			p.r.SetReadDeadline(time.Time{})
			p.held = p.drain()
		}
		p.r.Close()
	})
	return p.held
}

// drain reads what is there without waiting, at most as much as a pipe can
// hold, and reports whether the other end is still held.
func (p *pipe) drain() (held bool) {
	raw, err := p.r.SyscallConn()
	if err != nil {
		return true
	}
	buf := make([]byte, 4<<10)
	held = true
	raw.Read(func(fd uintptr) bool {
		for range 1 << 20 / len(buf) {
			n, err := readNow(fd, buf)
			if n > 0 {
				p.sink(buf[:n])
				continue
			}
			if err == syscall.EINTR {
				continue
			}
			held = n != 0
			return true
		}
		return true
	})
	return held
}
