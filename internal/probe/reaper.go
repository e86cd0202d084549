package probe

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"pharos/internal/redact"
)

// markName is the environment variable by which the descendants of a run are
// known.
const markName = "PHAROS_RUN"

const (
	// killPatience is how long processes that were killed may take to be gone.
	killPatience = 300 * time.Millisecond
	// busyPatience is the same of those that would die, if the machine let them: one
	// that is busy takes its time.
	busyPatience = 10 * time.Second
)

// patienceWith returns how long a process that was killed is waited for.
func patienceWith(pid int) time.Duration {
	if anothers(pid) || asleepForGood(pid) {
		return killPatience
	}
	return busyPatience
}

// reaper starts processes and sees to it that none of them, nor any of their
// descendants, outlives its run.
//
// On Linux this process is the subreaper of all that it started: an orphan,
// whatever it did to its session, its pipes and its environment, becomes a child
// of this process, and is killed when its run is over. An orphan that wiped its
// environment is killed when all runs that were under way when it was first seen
// are over. (As PID 1 it is let be: it may be nobody's of ours.) What is in this
// process's own group was not started by a reaper, and is left alone.
type reaper struct {
	mark string
	runs atomic.Uint64

	guarding sync.Mutex // guards alive
	alive    *os.File   // ends when this process does, which the guard waits for; nil: there is no guard

	mu      sync.RWMutex            // held for writing while orphans are looked at: no process is born meanwhile
	guard   sync.Mutex              // guards what follows
	leaders map[int]bool            // by process id
	active  map[string]bool         // by mark; true: a run, which is over some time
	strays  map[int]map[string]bool // orphans without a mark, and the runs that may have left them
}

// theReaper is that of this process: it has one set of children, however many
// engines it has.
var theReaper = sync.OnceValue(func() *reaper {
	becomeSubreaper()
	return &reaper{mark: rand.Text(), leaders: map[int]bool{}, active: map[string]bool{}, strays: map[int]map[string]bool{}}
})

// process is a started process, the leader of its own group.
type process struct {
	cmd   *exec.Cmd
	mark  string        // "PHAROS_RUN=..."
	ended chan struct{} // closed when it was reaped
	err   error         // of waiting for it; valid after ended

	mu     sync.Mutex
	reaped bool // guarded by mu: the group's number may be another's by now
}

// start starts cmd in a process group of its own. cmd must have been made with
// the context that bounds its run, and have no Stdin, Stdout or Stderr but
// files. A run is one that ends by itself or by its timeout. Whoever starts a
// process calls wait.
func (r *reaper) start(cmd *exec.Cmd, run bool) (*process, error) {
	p := &process{cmd: cmd, mark: markName + "=" + r.mark + "-" + strconv.FormatUint(r.runs.Add(1), 10), ended: make(chan struct{})}
	if cmd.Env == nil {
		cmd.Env = (*redact.Redactor)(nil).Environ(os.Environ())
	}
	cmd.Env = append(cmd.Env, p.mark)
	cmd.SysProcAttr = groupOfItsOwn()
	cmd.Cancel = func() error {
		p.killGroup()
		return nil
	}
	r.setGuard()
	r.mu.RLock()
	defer r.mu.RUnlock()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r.guard.Lock()
	r.leaders[cmd.Process.Pid], r.active[p.mark] = true, run
	r.guard.Unlock()
	go func() {
		defer close(p.ended)
		if awaitExit(cmd.Process.Pid) {
			p.killGroup()
			p.mu.Lock()
			p.reaped = true
			p.mu.Unlock()
		}
		p.err = cmd.Wait()
		r.guard.Lock()
		delete(r.leaders, cmd.Process.Pid)
		r.guard.Unlock()
	}()
	return p, nil
}

// setGuard sees to it that there is a guard: a process that outlives this one, and then kills what is left
// of the runs: somebody who kills a prober with SIGKILL leaves it no time to do
// so itself. Without a shell there is no guard.
func (r *reaper) setGuard() {
	r.guarding.Lock()
	defer r.guarding.Unlock()
	if r.alive != nil || os.Getpid() == 1 { // with which all others of its container end
		return
	}
	wait, alive, err := os.Pipe()
	if err != nil {
		return
	}
	defer wait.Close()
	cmd := exec.Command("sh", "-c", `trap "" HUP INT TERM; read -r x
for i in 1 2; do for p in /proc/[0-9]*; do if grep -qs "$0" $p/environ; then kill -9 ${p#/proc/}; fi; done; done`, markName+"="+r.mark+"-")
	cmd.Dir, cmd.Stdin, cmd.SysProcAttr = "/", wait, sessionOfItsOwn()
	r.mu.RLock()
	defer r.mu.RUnlock()
	if cmd.Start() != nil {
		alive.Close()
		return
	}
	r.guard.Lock()
	r.leaders[cmd.Process.Pid] = true
	r.guard.Unlock()
	r.alive = alive
}

// killGroup kills the group, unless its leader has been reaped.
func (p *process) killGroup() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		killGroup(p.cmd.Process.Pid)
	}
}

// wait waits until a process has ended and all its descendants are gone, and
// returns how it ended. When ctx is done they are killed, and waited for no
// longer than patienceWith: then the error is a *stuckError. Any other error
// means that nothing is known of the process.
func (r *reaper) wait(ctx context.Context, p *process) (*os.ProcessState, error) {
	select {
	case <-p.ended:
	case <-ctx.Done():
		p.killGroup()
		gone := time.NewTicker(killPatience)
		defer gone.Stop()
		for began, ended := time.Now(), false; !ended; {
			select {
			case <-p.ended:
				ended = true
			case <-gone.C:
				if pid := p.cmd.Process.Pid; time.Since(began) > patienceWith(pid) {
					return nil, &stuckError{pid: pid, name: nameOf(pid), ended: p.ended}
				}
			}
		}
	}
	stuck := r.sweep(p.mark)
	if stuck != nil {
		return p.cmd.ProcessState, stuck
	}
	if p.cmd.ProcessState != nil {
		return p.cmd.ProcessState, nil
	}
	return nil, p.err
}

// sweep ends a run: it kills the orphans that the run left, and what they leave,
// round by round. It returns an error if one does not die.
func (r *reaper) sweep(mark string) error {
	r.guard.Lock()
	delete(r.active, mark)
	r.guard.Unlock()
	for began := time.Now(); ; <-time.After(time.Millisecond) { // to die
		killed := r.killOrphans()
		switch {
		case killed == 0:
			return nil
		case time.Since(began) > patienceWith(killed):
			return &stuckError{pid: killed, name: nameOf(killed)}
		}
	}
}

// killOrphans reaps the orphans that are dead, and kills those whose runs are
// over. It returns one that it had to kill, or 0.
func (r *reaper) killOrphans() (killed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.guard.Lock()
	defer r.guard.Unlock()
	seen := map[int]bool{}
	for _, pid := range orphans() {
		if seen[pid] = true; r.leaders[pid] || groupOf(pid) == ownGroup() {
			continue
		}
		if reap(pid) {
			continue
		}
		if r.over(pid) {
			kill(pid)
			killed = pid
		}
	}
	for pid := range r.strays {
		if !seen[pid] {
			delete(r.strays, pid)
		}
	}
	return killed
}

// over reports whether the run that an orphan belongs to is over.
func (r *reaper) over(pid int) bool {
	mark, known := markOf(pid, markName+"="+r.mark+"-")
	if known && mark != "" {
		_, active := r.active[mark]
		return !active
	}
	if os.Getpid() == 1 || known { // of another reaper, or nobody's
		return false
	}
	runs, ok := r.strays[pid]
	if !ok {
		runs = make(map[string]bool, len(r.active))
		for mark, run := range r.active {
			if run {
				runs[mark] = true
			}
		}
		r.strays[pid] = runs
	}
	for run := range runs {
		if !r.active[run] {
			delete(runs, run)
		}
	}
	return len(runs) == 0
}

// stuckError is a run that left a process that could not be killed.
type stuckError struct {
	pid   int
	name  string
	ended chan struct{} // closed when the process has ended; nil: it is no child that is waited for
}

// Error names the process.
func (e *stuckError) Error() string {
	return fmt.Sprintf("process %d (%s) cannot be killed", e.pid, e.name)
}

// lives reports whether the process is still there.
func (e *stuckError) lives() bool {
	if e.ended != nil {
		return !isClosed(e.ended)
	}
	return exists(e.pid)
}
