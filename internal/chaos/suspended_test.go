//go:build chaos

package chaos

import (
	"fmt"
	"math"
	"syscall"
	"time"

	"pharos/internal/pharostest"
)

// dashboardSuspended stops a dashboard for 20 s, with and without its prober
// dying meanwhile. What NATS had sent before waits for it in its sockets, and is
// old when it is read.
func dashboardSuspended(w *world, l *ledger) {
	const (
		interval = time.Second
		lasting  = 20 * time.Second
		dying    = 4 * time.Second
		came     = 5 // screens that come at that moment: the others wait for seconds before they try again
		died     = "dashboard SIGSTOP, its prober killed after 4 s, SIGCONT after 20 s"
		lived    = "dashboard SIGCONT after 20 s"
	)
	s := newSite(w, 8, interval, 0)
	suspended := func(meanwhile func(stopped time.Time)) (back time.Time, screens []*pharostest.Screen) {
		s.screen.Await(w, "a green board", s.green)
		s.anyMoment(interval)
		stopped := time.Now()
		s.dashboard.signal(w.T, syscall.SIGSTOP)
		meanwhile(stopped)
		w.pause(time.Until(stopped.Add(lasting)))
		for range came {
			screens = append(screens, pharostest.NewScreen(w, s.address, pharostest.DialHere))
		}
		back = time.Now()
		s.dashboard.signal(w.T, syscall.SIGCONT)
		return back, screens
	}

	untrue, wrong := 0, 0
	for range 3 {
		var killed time.Time
		shown := map[*pharostest.Screen]time.Time{}
		back, screens := suspended(func(stopped time.Time) {
			w.pause(time.Until(stopped.Add(dying)))
			killed = time.Now()
			s.prober.kill()
		})
		for _, one := range append(screens, s.screen) {
			said := one.Await(w, "stale tiles", func(v *pharostest.View) bool { return !v.Covered && s.stale(v) })
			since := back
			one.Look(func(v *pharostest.View) {
				for _, m := range v.Moments { // one that was there before comes back later
					if m.Status == "clear" && m.At.After(back) {
						since = m.At
					}
				}
			})
			l.took(died, "its tiles stale, berlin/p1 down", said.Sub(since), time.Second)
			shown[one] = said
		}
		w.pause(2 * time.Second)
		for one, said := range shown {
			wrong += wrongAges(w, one, killed)
			for i := range s.targets {
				untrue += greens(one, id(i), said, time.Now())
			}
		}
		s.prober = w.startProber("berlin", "p1", s.watchers)
	}
	l.lost(died, fmt.Sprintf("%d tiles green again; %d ages off by over 2 s", untrue, wrong), untrue+wrong > 0)

	missing := 0
	for range 3 {
		g := s.targets[0]
		back, screens := suspended(func(time.Time) {
			w.anyMoment(lasting / 2)
			g.Turn(w, pharostest.Fails)
			w.pause(interval * 12 / 10)
			g.Turn(w, pharostest.Answers)
		})
		for _, one := range screens {
			l.took(lived, "all green", one.Await(w, "a green board", s.green).Sub(back), barHealed)
		}
		missing += remembers(w, afterglowOf(w, s.screen, id(0)), g.Truth(), interval)
	}
	reds := s.untrueReds()
	l.lost(lived, fmt.Sprintf("%d flickers inside it, %d tiles red for nothing", missing, reds), missing+reds > 0)
}

// wrongAges counts what a screen says of when its tiles and their prober were
// heard last, where that is not when the prober was killed.
func wrongAges(w *world, s *pharostest.Screen, killed time.Time) (wrong int) {
	w.Helper()
	s.Look(func(v *pharostest.View) {
		silent := map[string]float64{}
		for _, t := range v.Tiles {
			silent[t.Text("id")] = t.Number("f")
		}
		for _, p := range v.Hops.Probers {
			silent[p.ID] = p.From
		}
		truth := time.Since(killed).Seconds()
		for name, from := range silent {
			if age := v.Age(from); math.Abs(age-truth) > 2 {
				wrong++
				w.Logf("%s is silent for %.1f s, its prober was killed %.1f s ago", name, age, truth)
			}
		}
	})
	return wrong
}
