//go:build chaos

package chaos

import (
	"fmt"
	"math"
	"syscall"
	"time"
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
	suspended := func(meanwhile func(stopped time.Time)) (back time.Time, screens []*screen) {
		s.screen.await(w, "a green board", s.green)
		s.anyMoment(interval)
		stopped := time.Now()
		s.dashboard.signal(w.T, syscall.SIGSTOP)
		meanwhile(stopped)
		w.pause(time.Until(stopped.Add(lasting)))
		for range came {
			screens = append(screens, newScreen(w, s.address, dialHere))
		}
		back = time.Now()
		s.dashboard.signal(w.T, syscall.SIGCONT)
		return back, screens
	}

	untrue, wrong := 0, 0
	for range 3 {
		var killed time.Time
		shown := map[*screen]time.Time{}
		back, screens := suspended(func(stopped time.Time) {
			w.pause(time.Until(stopped.Add(dying)))
			killed = time.Now()
			s.prober.kill()
		})
		for _, one := range append(screens, s.screen) {
			said := one.await(w, "stale tiles", func(v *view) bool { return !v.blind && s.stale(v) })
			since := back
			one.look(func(v *view) {
				for _, m := range v.moments { // one that was there before comes back later
					if m.status == "sees" && m.at.After(back) {
						since = m.at
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
				untrue += one.greens(id(i), said, time.Now())
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
			g.turn(w, errors5)
			w.pause(interval * 12 / 10)
			g.turn(w, good)
		})
		for _, one := range screens {
			l.took(lived, "all green", one.await(w, "a green board", s.green).Sub(back), barHealed)
		}
		missing += remembers(w, afterglowOf(w, s.screen, id(0)), g.truth(), interval)
	}
	reds := s.untrueReds()
	l.lost(lived, fmt.Sprintf("%d flickers inside it, %d tiles red for nothing", missing, reds), missing+reds > 0)
}

// wrongAges counts what a screen says of when its tiles and their prober were
// heard last, where that is not when the prober was killed.
func wrongAges(w *world, s *screen, killed time.Time) (wrong int) {
	w.Helper()
	s.look(func(v *view) {
		silent := map[string]float64{}
		for name, t := range v.tiles {
			silent[name] = t.From
		}
		for _, p := range v.hops.Probers {
			silent[p.ID] = p.From
		}
		now, truth := v.t+time.Since(v.at).Seconds(), time.Since(killed).Seconds()
		for name, from := range silent {
			if math.Abs(now-from-truth) > 2 {
				wrong++
				w.Logf("%s is silent for %.1f s, its prober was killed %.1f s ago", name, now-from, truth)
			}
		}
	})
	return wrong
}
