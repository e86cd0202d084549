//go:build chaos

package chaos

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"pharos/internal/pharostest"
)

const (
	sharedEvery = time.Second // the interval of what is shared
	// barTakenOver is what one watcher may wait beyond its interval for its next run
	// after its prober was killed: 3.5 s, and half a second for a busy machine.
	barTakenOver = 4 * time.Second
	barHandedOn  = time.Second // after a clean stop, or when others join
)

// worstGap returns the longest time between two visits of one target since a moment,
// less the interval.
func worstGap(targets []*pharostest.Target, since time.Time) time.Duration {
	worst := time.Duration(0)
	for _, g := range targets {
		last := since
		for _, at := range append(g.Visits(since), time.Now()) {
			worst, last = max(worst, at.Sub(last)-sharedEvery), at
		}
	}
	return worst
}

// doubleRuns returns how many visits came more than the interval allows since a
// moment, and how many did not come.
func doubleRuns(targets []*pharostest.Target, since time.Time) (more, fewer int) {
	want := int(time.Since(since) / sharedEvery)
	for _, g := range targets {
		n := len(g.Visits(since))
		more += max(0, n-want-1)
		fewer += max(0, want-1-n)
	}
	return more, fewer
}

// sharing has probers of one site come and go in every way; the targets' own logs say
// what that cost.
func sharing(w *world, l *ledger) {
	s := newSite(w, 24, sharedEvery, 0)
	probers := map[string]*process{"p1": s.prober}
	join := func(name string) { probers[name] = w.startProber("berlin", name, s.watchers) }
	steady := func(after string) {
		w.Helper()
		w.pause(2 * time.Second)
		since := time.Now()
		w.pause(6 * time.Second)
		more, fewer := doubleRuns(s.targets, since)
		l.lost("in steady state "+after, fmt.Sprintf("%d double runs, %d gaps", more, fewer), more+fewer > 0)
		s.screen.Await(w, "a green board", s.green)
	}
	began := time.Now()
	join("p2")
	join("p3")
	w.pause(3 * time.Second)
	l.took("two more probers join", "nothing", worstGap(s.targets, began), barHandedOn)
	steady("with three probers")

	for range 3 {
		began = time.Now()
		probers["p2"].stop(w.T)
		w.pause(4 * time.Second)
		l.took("one of three stopped", "it left; all green", worstGap(s.targets, began), barHandedOn)
		join("p2")
		w.pause(3 * time.Second)
		began = time.Now()
		probers["p3"].kill()
		w.pause(6 * time.Second)
		l.took("one of three killed", "berlin/p3 down", worstGap(s.targets, began), barTakenOver)
		join("p3")
		w.pause(3 * time.Second)
		began = time.Now()
		probers["p2"].signal(w.T, syscall.SIGSTOP)
		w.pause(6 * time.Second)
		l.took("one of three SIGSTOP", "berlin/p2 down", worstGap(s.targets, began), barTakenOver)
		began = time.Now()
		probers["p2"].signal(w.T, syscall.SIGCONT)
		w.pause(3 * time.Second)
		l.took("SIGCONT", "nothing", worstGap(s.targets, began), barHandedOn)
	}
	steady("after all that")

	began = time.Now()
	for i := range 10 {
		join(fmt.Sprint("q", i))
	}
	w.pause(5 * time.Second)
	l.took("ten more join at once", "nothing", worstGap(s.targets, began), barHandedOn)
	steady("with thirteen probers")

	began = time.Now()
	for range 20 { // in any order
		name := fmt.Sprint("q", rand.N(10))
		p := probers[name]
		switch {
		case p == nil:
			join(name)
		case rand.N(2) == 0:
			p.stop(w.T)
			delete(probers, name)
		default:
			p.kill()
			delete(probers, name)
		}
		w.pause(rand.N(time.Second))
	}
	w.pause(5 * time.Second)
	l.took("any of thirteen stopped, killed, started", "who is there", worstGap(s.targets, began), 2*barTakenOver)
	steady("at the end")
	l.lost("any of thirteen stopped, killed, started", fmt.Sprintf("%d tiles red for nothing", s.untrueReds()), s.untrueReds() > 0)
}
