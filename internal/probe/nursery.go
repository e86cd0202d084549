package probe

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// markName is the environment variable by which the descendants of a run are
// known, wherever they have gone.
const markName = "PHAROS_RUN"

// nursery starts processes and sees to it that none of them, nor any of their
// children, outlives its run.
//
// A run's processes are found by their process group and, as long as they did
// not wipe their environment, by a mark in it. One that left the group AND
// wiped its environment AND let go of the run's output escapes; only a
// container could hold it.
type nursery struct {
	mark string
	runs atomic.Uint64

	mu       sync.RWMutex // held for writing while reaping: no child is born meanwhile
	children map[int]struct{}
	childMu  sync.Mutex // guards children

	stop chan struct{} // nil unless PID 1
	done chan struct{}
	once sync.Once
}

func newNursery(mark string) *nursery {
	n := &nursery{mark: mark, children: make(map[int]struct{})}
	if os.Getpid() == 1 {
		n.stop, n.done = make(chan struct{}), make(chan struct{})
		died := make(chan os.Signal, 1)
		signal.Notify(died, syscall.SIGCHLD)
		go func() {
			defer close(n.done)
			defer signal.Stop(died)
			for {
				select {
				case <-n.stop:
					return
				case <-died:
					n.reap()
				}
			}
		}()
	}
	return n
}

func (n *nursery) close() {
	if n.stop != nil {
		n.once.Do(func() { close(n.stop) })
		<-n.done
	}
}

// child is a started process, the leader of its own group.
type child struct {
	cmd  *exec.Cmd
	mark string // "PHAROS_RUN=..."

	mu     sync.Mutex
	reaped bool // guarded by mu: the group's number may be another's by now
}

// start starts cmd in a process group of its own. cmd must have been made with
// the context that bounds its run, and have no Stdin, Stdout or Stderr but
// files. Whoever starts a child calls its wait.
func (n *nursery) start(cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, mark: markName + "=" + n.mark + "-" + strconv.FormatUint(n.runs.Add(1), 10)}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, c.mark)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		c.killGroup()
		return nil
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	n.childMu.Lock()
	defer n.childMu.Unlock()
	n.children[cmd.Process.Pid] = struct{}{}
	return c, nil
}

// killGroup kills the group, unless its leader has been reaped.
func (c *child) killGroup() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reaped {
		syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// wait waits for the leader, kills what is left of its group, and returns how
// the leader ended. An error means that nothing is known of it.
func (n *nursery) wait(c *child) (*os.ProcessState, error) {
	if awaitExit(c.cmd.Process.Pid) {
		c.killGroup()
		c.mu.Lock()
		c.reaped = true
		c.mu.Unlock()
	}
	err := c.cmd.Wait()
	n.childMu.Lock()
	delete(n.children, c.cmd.Process.Pid)
	n.childMu.Unlock()
	if c.cmd.ProcessState != nil {
		return c.cmd.ProcessState, nil
	}
	return nil, err
}

// hunt kills the processes that carry the mark, round by round until none is
// left: what was born during one round is found by the next.
func (c *child) hunt() {
	const rounds = 200
	pause := time.NewTimer(0)
	defer pause.Stop()
	for range rounds {
		<-pause.C
		if killMarked(c.mark) == 0 {
			return
		}
		pause.Reset(time.Millisecond) // to die
	}
}

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
			n, err := syscall.Read(int(fd), buf)
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
