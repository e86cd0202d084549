package chaos

import (
	"slices"
	"testing"
	"time"

	"pharos/internal/pharostest"
)

// The bars. A status is on the glass within aMoment of when it was to be.
const (
	aMoment  = 200 * time.Millisecond
	barStale = 4 * time.Second
	barNATS  = time.Second     // until the board says that NATS is gone
	barLive  = 2 * time.Second // after its return, until all is live
	barBack  = 6 * time.Second // after a dashboard's return, until all screens have it
)

// shared is by how much a bar may be passed here: all other tests run on the same
// machine at the same time. make chaos knows no such allowance.
const shared = time.Second

// TestEveryday causes the faults that any change may break.
func TestEveryday(t *testing.T) {
	bin := build(t)
	w := newWorld(t, bin, time.Minute)
	targets := newTargets(t, 2)
	watchers := []watched{
		{"slow", targets[0], time.Second, 400 * time.Millisecond},
		{"flicker", targets[1], 500 * time.Millisecond, 0},
	}
	const slow, flicker = "berlin.shop.slow", "berlin.shop.flicker"
	address := pharostest.FreeAddress(t)
	nats, _ := w.startNATS()
	dashboard, _ := w.startDashboard(address)
	s := pharostest.NewScreen(w, address, pharostest.DialHere)
	prober := w.startProber("berlin", "p1", watchers)
	green := func(v *pharostest.View) bool { return v.All(2, "ok") && v.Hops.NATS.Up && v.Hops.NATS.Store }
	s.Await(w, "a green board", green)
	within := func(t *testing.T, what string, took, bar time.Duration) {
		t.Helper()
		if took > bar+shared {
			t.Errorf("%s took %.2f s, want at most %.2f s", what, took.Seconds(), (bar + shared).Seconds())
		}
	}

	ok := t.Run("a page that hangs is red at its threshold", func(t *testing.T) {
		var took []time.Duration
		for range 3 {
			targets[0].Turn(t, pharostest.Hangs)
			began := targets[0].FirstVisit(w.in(t))
			red := s.Await(w.in(t), "red", func(v *pharostest.View) bool { return v.Shows(slow, "critical") })
			took = append(took, red.Sub(began))
			targets[0].Turn(t, pharostest.Answers)
			s.Await(w.in(t), "green again", green)
		}
		slices.Sort(took)
		within(t, "red", took[1], 400*time.Millisecond+aMoment)
	})
	ok = ok && t.Run("a killed prober is named and its tiles are stale", func(t *testing.T) {
		killed := time.Now()
		prober.kill()
		stale := s.Await(w.in(t), "stale tiles", func(v *pharostest.View) bool {
			known, up := v.Prober("berlin/p1")
			return v.All(2, "stale") && known && !up
		})
		within(t, "stale", stale.Sub(killed), barStale)
		prober = w.startProber("berlin", "p1", watchers)
		s.Await(w.in(t), "a green board", green)
	})
	ok = ok && t.Run("NATS comes back and what flickered meanwhile is remembered", func(t *testing.T) {
		killed := time.Now()
		nats.kill()
		named := s.Await(w.in(t), "NATS named as gone", func(v *pharostest.View) bool { return !v.Hops.NATS.Up })
		within(t, "naming NATS", named.Sub(killed), barNATS)
		targets[1].Turn(t, pharostest.Fails)
		w.pause(600 * time.Millisecond)
		targets[1].Turn(t, pharostest.Answers)
		w.pause(2 * time.Second)
		_, back := w.startNATS()
		live := s.Await(w.in(t), "a green board", green)
		within(t, "coming back", live.Sub(back), barLive)
		if n := remembers(t, afterglowOf(w.in(t), s, flicker), targets[1].Truth(), 500*time.Millisecond); n > 0 {
			t.Errorf("%d flickers are not remembered", n)
		}
	})
	_ = ok && t.Run("a killed dashboard comes back with its afterglow", func(t *testing.T) {
		dashboard.kill()
		s.Await(w.in(t), "the overlay", func(v *pharostest.View) bool { return v.Covered })
		_, back := w.startDashboard(address)
		sees := s.Await(w.in(t), "a green board", func(v *pharostest.View) bool { return !v.Covered && green(v) })
		within(t, "coming back", sees.Sub(back), barBack)
		if n := remembers(t, afterglowOf(w.in(t), s, flicker), targets[1].Truth(), 500*time.Millisecond); n > 0 {
			t.Errorf("%d flickers are not remembered", n)
		}
	})
}
