//go:build chaos

package chaos

import (
	"fmt"
	"net"
	"time"

	"pharos/internal/pharostest"
)

// Slow watchers look every half minute: after an outage of 20 s no tile of
// theirs is overdue. What one of them saw inside the outage comes some time after
// the word that its prober is there again, and until it has come the tile may not
// be green. Each round of a case turns some of them red.
const (
	slowInterval = 30 * time.Second
	slowEach     = 4 // of a round
)

func slowID(i int) string { return fmt.Sprintf("berlin.shop.slow%d", i) }

// addSlow adds the slow watchers of so many rounds.
func (s *site) addSlow(rounds int, listen func(string) (net.Listener, error)) {
	s.Helper()
	for i := range rounds * slowEach {
		g := pharostest.NewTargetAt(s, listen)
		s.slow = append(s.slow, g)
		s.watchers = append(s.watchers, watched{fmt.Sprintf("slow%d", i), g, slowInterval, 0})
	}
}

// slowGreen waits until all of the site is green, with the slow watchers of the
// round.
func (s *site) slowGreen(screen *pharostest.Screen, round int) {
	s.Helper()
	screen.Await(s.world, "a green board", func(v *pharostest.View) bool {
		for i := range slowEach {
			if !v.Shows(slowID(round*slowEach+i), "ok") {
				return false
			}
		}
		return s.green(v)
	})
}

func (s *site) turnSlow(round int, m pharostest.Mode) {
	s.Helper()
	for _, g := range s.slow[round*slowEach:][:slowEach] {
		g.Turn(s.T, m)
	}
}

// slowReds counts the slow watchers that turned red inside outages, and how
// often their tiles were green before they were red.
type slowReds struct{ turned, green int }

func (r slowReds) String() string {
	return fmt.Sprintf("%d times green before one of %d reds", r.green, r.turned)
}

func (r slowReds) bad() bool { return r.green > 0 || r.turned == 0 }

// healed waits until the screen shows what is true after an outage: red the slow
// watchers of the round that somebody looked at while it was dark, green all that
// are not slow. It returns when it did.
func (s *site) healed(screen *pharostest.Screen, round int, dark, back time.Time, red *slowReds) time.Time {
	s.Helper()
	var turned []string
	for i, g := range s.slow[round*slowEach:][:slowEach] {
		// What was seen at the very end may come with the next word.
		if first := g.Visited(); !first.IsZero() && first.Before(back.Add(-time.Second)) {
			turned = append(turned, slowID(round*slowEach+i))
		}
	}
	right := screen.Await(s.world, "red what turned red, and the rest green", func(v *pharostest.View) bool {
		for _, id := range turned {
			if !v.Shows(id, "critical") {
				return false
			}
		}
		return s.green(v)
	})
	for _, id := range turned {
		red.turned++
		red.green += greens(screen, id, dark, right)
	}
	return right
}
