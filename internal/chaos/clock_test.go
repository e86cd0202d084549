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

	"pharos/internal/pharostest"
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
			s.screen.Look(func(v *pharostest.View) { ages = agesOf(v) })
			turned := time.Now()
			s.prober.signal(w.T, c.turn)
			named := s.screen.Await(w, "the clock's offset", func(v *pharostest.View) bool {
				return len(v.Hops.Probers) == 1 && math.Abs(v.Hops.Probers[0].Offset-c.wantSeconds) < 2
			})
			l.took(c.fault, "green throughout, durations right; offset named", named.Sub(turned), barStale)
			g := s.targets[0]
			g.Turn(w, pharostest.Fails)
			w.pause(interval * 12 / 10)
			g.Turn(w, pharostest.Answers)
			w.pause(3 * interval)
			wrong := remembers(w, afterglowOf(w, s.screen, id(0)), g.Truth(), interval)
			passed := time.Since(turned).Seconds()
			s.screen.Look(func(v *pharostest.View) {
				for name, age := range agesOf(v) {
					if name != id(0) && math.Abs(age-ages[name]-passed) > 0.5 {
						w.Errorf("%s: green for %.1f s, was %.1f s %.1f s before", name, age, ages[name], passed)
						wrong++
					}
				}
				for _, m := range v.Moments {
					if m.At.After(turned) && m.ID != id(0) && m.ID != "" {
						w.Errorf("%s turned %s", m.ID, m.Status)
						wrong++
					}
				}
			})
			l.lost(c.fault, fmt.Sprintf("%d differences", wrong), wrong > 0)
			s.prober.signal(w.T, c.back)
			s.screen.Await(w, "no offset", func(v *pharostest.View) bool { return v.Hops.Probers[0].Offset == 0 })
		}
	}
	// Started again with the clock an hour back: the process is younger than the
	// one before it, and says that it is older.
	const again = "prober started again with its clock 1 h back"
	untrue := 0
	for range 2 {
		s.prober.signal(w.T, syscall.SIGUSR1)
		s.screen.Await(w, "the clock's offset", func(v *pharostest.View) bool { return v.Hops.Probers[0].Offset != 0 })
		s.prober.kill()
		s.prober = w.startProber("berlin", "p1", s.watchers) // an hour before the one that was killed
		s.screen.Await(w, "a green board", s.green)
		s.prober.kill()
		s.screen.Await(w, "stale tiles", s.stale)
		s.targets[0].Turn(w, pharostest.Fails) // nobody looks
		began := time.Now()
		s.prober = w.startProber("berlin", "p1", s.watchers)
		right := s.screen.Await(w, "the right board", s.oneRed)
		l.took(again, "red what turned red meanwhile, the rest green", right.Sub(began), 2*interval)
		untrue += greens(s.screen, id(0), began, right)
		s.targets[0].Turn(w, pharostest.Answers)
		s.screen.Await(w, "a green board", s.green)
	}
	l.lost(again, fmt.Sprintf("%d times green before somebody had looked", untrue), untrue > 0)
}

// agesOf returns for how long each tile has had its status, in seconds.
func agesOf(v *pharostest.View) map[string]float64 {
	ages := map[string]float64{}
	for _, t := range v.Tiles {
		ages[t.Text("id")] = v.Age(t.Number("f"))
	}
	return ages
}
