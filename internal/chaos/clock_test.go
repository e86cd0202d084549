//go:build chaos

package chaos

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The wall clock of one process cannot be turned from outside, and a test does
// not turn the machine's. So this prober is built with a standard library whose
// time.Now is off by whole hours: forward with each SIGUSR1, back with each
// SIGUSR2. Its monotonic clock goes on, as that of a machine does whose clock
// is set.
const (
	nowBefore = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	nowAfter  = nowBefore + "\tsec += turned.Load()\n"
	turning   = `package time

import "sync/atomic"

var turned atomic.Int64

// Turn turns the wall clock by so many seconds.
func Turn(seconds int64) { turned.Add(seconds) }
`
	turnOnSignal = `package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

func init() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for s := range signals {
			time.Turn(map[os.Signal]int64{syscall.SIGUSR1: 3600, syscall.SIGUSR2: -3600}[s])
		}
	}()
}
`
)

// buildTurning builds a prober whose wall clock turns by signal.
func buildTurning(w *world) string {
	w.Helper()
	goroot, err := exec.CommandContext(w.ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		w.Fatal(err)
	}
	library := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time")
	source, err := os.ReadFile(filepath.Join(library, "time.go"))
	if err != nil {
		w.Fatal(err)
	}
	if strings.Count(string(source), nowBefore) != 1 {
		w.Fatalf("time.Now of this Go is not the one that this test knows how to turn")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		w.Fatal(err)
	}
	overlay := map[string]map[string]string{"Replace": {
		filepath.Join(library, "time.go"):               w.write(strings.Replace(string(source), nowBefore, nowAfter, 1)),
		filepath.Join(library, "turned.go"):             w.write(turning),
		filepath.Join(root, "cmd", "prober", "turn.go"): w.write(turnOnSignal),
	}}
	data, err := json.Marshal(overlay)
	if err != nil {
		w.Fatal(err)
	}
	out := filepath.Join(w.dir, "turning-prober")
	goBuild(w.T, out, "-overlay", w.write(string(data)), "pharos/cmd/prober")
	return out
}

func clockTurned(w *world, l *ledger) {
	const interval = time.Second
	w.bin.prober = buildTurning(w)
	s := newSite(w, 6, interval, 0)
	for range 3 {
		for _, c := range []struct {
			fault       string
			turn, back  syscall.Signal
			wantSeconds float64
		}{
			{"clock of the prober + 1 h while it runs", syscall.SIGUSR1, syscall.SIGUSR2, 3600},
			{"clock of the prober - 1 h while it runs", syscall.SIGUSR2, syscall.SIGUSR1, -3600},
		} {
			var ages map[string]float64
			s.screen.look(func(v *view) { ages = agesOf(v) })
			turned := time.Now()
			s.prober.signal(w.T, c.turn)
			named := s.screen.await(w, "the clock's offset", func(v *view) bool {
				return len(v.hops.Probers) == 1 && math.Abs(v.hops.Probers[0].Offset-c.wantSeconds) < 2
			})
			l.took(c.fault, "green throughout, durations right; offset named", named.Sub(turned), barStale)
			g := s.targets[0]
			g.turn(w, errors5)
			w.pause(interval * 12 / 10)
			g.turn(w, good)
			w.pause(3 * interval)
			wrong := remembers(w, afterglowOf(w, s.screen, id(0)), g.truth(), interval)
			passed := time.Since(turned).Seconds()
			s.screen.look(func(v *view) {
				for name, age := range agesOf(v) {
					if name != id(0) && math.Abs(age-ages[name]-passed) > 0.5 {
						w.Errorf("%s: green for %.1f s, was %.1f s %.1f s before", name, age, ages[name], passed)
						wrong++
					}
				}
				for _, m := range v.moments {
					if m.at.After(turned) && m.id != id(0) && m.id != "" {
						w.Errorf("%s turned %s", m.id, m.status)
						wrong++
					}
				}
			})
			l.lost(c.fault, fmt.Sprintf("%d differences", wrong), wrong > 0)
			s.prober.signal(w.T, c.back)
			s.screen.await(w, "no offset", func(v *view) bool { return v.hops.Probers[0].Offset == 0 })
		}
	}
	// Started again with the clock an hour back: the process is younger than the
	// one before it, and says that it is older.
	const again = "prober started again with its clock 1 h back"
	untrue := 0
	for range 2 {
		s.prober.signal(w.T, syscall.SIGUSR1)
		s.screen.await(w, "the clock's offset", func(v *view) bool { return v.hops.Probers[0].Offset != 0 })
		s.prober.kill()
		s.prober = w.startProber("berlin", "p1", s.watchers) // an hour before the one that was killed
		s.screen.await(w, "a green board", s.green)
		s.prober.kill()
		s.screen.await(w, "stale tiles", s.stale)
		s.targets[0].turn(w, errors5) // nobody looks
		began := time.Now()
		s.prober = w.startProber("berlin", "p1", s.watchers)
		right := s.screen.await(w, "the right board", s.oneRed)
		l.took(again, "red what turned red meanwhile, the rest green", right.Sub(began), 2*interval)
		untrue += s.screen.greens(id(0), began, right)
		s.targets[0].turn(w, good)
		s.screen.await(w, "a green board", s.green)
	}
	l.lost(again, fmt.Sprintf("%d times green before somebody had looked", untrue), untrue > 0)
}

// agesOf returns for how long each tile has had its status, in seconds.
func agesOf(v *view) map[string]float64 {
	ages := map[string]float64{}
	for id, t := range v.tiles {
		ages[id] = v.t + time.Since(v.at).Seconds() - t.From
	}
	return ages
}
