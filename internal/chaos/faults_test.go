//go:build chaos

package chaos

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pharos/internal/pharostest"
)

// TestFaults causes every fault many times and prints the table. One case
// alone: -run TestFaults/flickers.
func TestFaults(t *testing.T) {
	bin := build(t)
	l := &ledger{}
	t.Cleanup(func() {
		table := l.String()
		fmt.Printf("\n%s\n", table)
		if path := os.Getenv("CHAOS_TABLE"); path != "" {
			if err := os.WriteFile(path, []byte(table), 0o644); err != nil {
				t.Error(err)
			}
		}
	})
	for _, c := range []struct {
		name  string
		limit time.Duration
		cause func(*world, *ledger)
	}{
		{"target", 2 * time.Minute, targetFaults},
		{"flickers", 2 * time.Minute, flickers},
		{"prober killed", 2 * time.Minute, proberKilled},
		{"prober suspended", 2 * time.Minute, proberSuspended},
		{"prober stopped", 2 * time.Minute, proberStopped},
		{"NATS killed, file store", 3 * time.Minute, natsKilledFiles},
		{"NATS killed, memory store", 3 * time.Minute, natsKilledMemory},
		{"dashboard killed", 2 * time.Minute, dashboardKilled},
		{"dashboard suspended", 4 * time.Minute, dashboardSuspended},
		{"everything killed", 6 * time.Minute, everythingKilled},
		{"stream deleted", time.Minute, streamDeleted},
		{"store wiped", time.Minute, storeWiped},
		{"JetStream off", time.Minute, jetStreamOff},
		{"permission missing", 3 * time.Minute, permissionMissing},
		{"clock turned", 3 * time.Minute, clockTurned},
		{"network cut", 8 * time.Minute, networkCut},
		{"several dashboards", time.Minute, severalDashboards},
		{"published twice", 2 * time.Minute, publishedTwice},
		{"sharing", 4 * time.Minute, sharing},
		{"all-in-one killed", 2 * time.Minute, allInOneKilled},
		{"Chromium", 4 * time.Minute, inChromium},
		{"slow screens", 4 * time.Minute, slowScreens},
		{"flood", 2 * time.Minute, flood},
	} {
		t.Run(c.name, func(t *testing.T) {
			mine := &ledger{}
			c.cause(newWorld(t, bin, c.limit), mine)
			mine.judge(t)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.rows = append(l.rows, mine.rows...)
		})
	}
}

// site is a world with one dashboard, a prober for each site, and a screen.
type site struct {
	*world
	address   string // of the dashboard
	natsd     *process
	dashboard *process
	prober    *process
	screen    *pharostest.Screen
	targets   []*pharostest.Target
	watchers  []watched
	slow      []*pharostest.Target // their watchers look so rarely that no outage makes them overdue
}

// newSite starts one that has n watchers named w0, w1... of the site berlin,
// and waits until all are green.
func newSite(w *world, n int, interval, critical time.Duration) *site {
	w.Helper()
	s := siteToBe(w, n, interval, critical)
	s.begin()
	return s
}

// siteToBe is newSite that starts nothing yet.
func siteToBe(w *world, n int, interval, critical time.Duration) *site {
	w.Helper()
	s := &site{world: w, address: pharostest.FreeAddress(w.T), targets: newTargets(w.T, n)}
	for i, g := range s.targets {
		s.watchers = append(s.watchers, watched{fmt.Sprintf("w%d", i), g, interval, critical})
	}
	return s
}

// begin starts the processes and waits for green.
func (s *site) begin() {
	s.Helper()
	w := s.world
	s.natsd, _ = w.startNATS()
	s.dashboard, _ = w.startDashboard(s.address)
	s.screen = pharostest.NewScreen(w, s.address, pharostest.DialHere)
	s.prober = w.startProber("berlin", "p1", s.watchers)
	s.screen.Await(w, "a green board", s.green)
}

func id(i int) string { return fmt.Sprintf("berlin.shop.w%d", i) }

// green speaks of all but the slow watchers.
func (s *site) green(v *pharostest.View) bool {
	for i := range s.targets {
		if !v.Shows(id(i), "ok") {
			return false
		}
	}
	return !v.Covered && len(v.Tiles) >= len(s.watchers) && v.Hops.NATS.Up && v.Hops.NATS.Store && len(v.Hops.Notices) == 0
}

func (s *site) stale(v *pharostest.View) bool {
	known, up := v.Prober("berlin/p1")
	return v.All(len(s.watchers), "stale") && known && !up
}

// in returns the site as seen by a subtest.
func (s *site) in(t *testing.T) *site {
	sub := *s
	sub.world = s.world.in(t)
	return &sub
}

// anyMoment waits for a part of the span that nobody knows before.
func (w *world) anyMoment(span time.Duration) {
	w.Helper()
	w.pause(rand.N(span))
}

// oneRed is the board while the first target is bad.
func (s *site) oneRed(v *pharostest.View) bool {
	for i := range s.targets {
		if want := map[bool]string{true: "critical", false: "ok"}[i == 0]; !v.Shows(id(i), want) {
			return false
		}
	}
	return true
}

// untrueReds counts how often a tile of a target that was always good turned
// red: all but the first are.
func (s *site) untrueReds() (n int) {
	s.screen.Look(func(v *pharostest.View) {
		for _, m := range v.Moments {
			if m.Status == "critical" && m.ID != id(0) {
				n++
			}
		}
	})
	return n
}

// greens counts how often the tile said between two moments that all is well.
func greens(s *pharostest.Screen, id string, from, to time.Time) int {
	n := 0
	s.Look(func(v *pharostest.View) {
		for _, m := range v.Moments {
			if m.ID == id && m.Status == "ok" && m.At.After(from) && m.At.Before(to) {
				n++
			}
		}
	})
	return n
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("sending %v to %s: %v", s, p.name, err)
	}
}

// stop asks the process to end, and waits for that.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s did not end within 10 s of SIGTERM", p.name)
	}
}

// notice returns the first notice that has the text.
func notice(v *pharostest.View, text string) string {
	for _, n := range v.Hops.Notices {
		if strings.Contains(n, text) {
			return n
		}
	}
	return ""
}

// sawRed reports whether the tile was red on the screen for a spell of its
// target, and how long after its beginning.
func sawRed(s *pharostest.Screen, id string, truth pharostest.Outage, late time.Duration) (after time.Duration, ok bool) {
	s.Look(func(v *pharostest.View) {
		for _, m := range v.Moments {
			if m.ID == id && m.Status == "critical" && !ok && m.At.After(truth.Began) && m.At.Before(truth.Ended.Add(late)) {
				after, ok = m.At.Sub(truth.Began), true
			}
		}
	})
	return after, ok
}

func targetFaults(w *world, l *ledger) {
	const (
		rounds    = 8
		interval  = time.Second
		threshold = 400 * time.Millisecond
	)
	modes := []pharostest.Mode{pharostest.Hangs, pharostest.Stalls, pharostest.Refuses, pharostest.Resets, pharostest.Fails}
	s := newSite(w, len(modes)+1, interval, threshold)
	green := func(i int) func(*pharostest.View) bool {
		return func(v *pharostest.View) bool { return v.Shows(id(i), "ok") }
	}
	w.Run("all", func(t *testing.T) {
		for i, m := range modes {
			t.Run(string(m), func(t *testing.T) {
				t.Parallel()
				s := s.in(t)
				fault, bar, untrue := "target "+string(m), interval+aMoment, 0
				if m == pharostest.Hangs || m == pharostest.Stalls {
					bar = threshold + aMoment
				}
				for range rounds {
					s.anyMoment(interval)
					began := s.targets[i].Turn(t, m)
					if m == pharostest.Hangs || m == pharostest.Stalls { // it shows only in the visit
						began = s.targets[i].FirstVisit(s.world)
					}
					red := s.screen.Await(s.world, "red", func(v *pharostest.View) bool { return v.Shows(id(i), "critical") })
					said := ""
					s.screen.Look(func(v *pharostest.View) { said = v.Tile(id(i)).Text("m") })
					l.took(fault, "red: "+said, red.Sub(began), bar)
					s.pause(interval + rand.N(3*interval))
					untrue += greens(s.screen, id(i), red, s.targets[i].Turn(t, pharostest.Answers))
					s.screen.Await(s.world, "green", green(i))
				}
				l.lost(fault, fmt.Sprintf("%d times green meanwhile", untrue), untrue > 0)
			})
		}
	})
	s.screen.Look(func(v *pharostest.View) {
		for _, m := range v.Moments {
			if m.ID == id(len(modes)) && m.Status != "ok" && m.Status != "waiting" {
				w.Errorf("the watcher of a good target was %s", m.Status)
			}
		}
	})
}

func flickers(w *world, l *ledger) {
	const (
		rounds   = 5
		interval = time.Second
		lasting  = interval * 12 / 10
	)
	s := newSite(w, 20, interval, 0)
	missed := make([]int, len(s.targets))
	w.Run("all", func(t *testing.T) {
		for i, g := range s.targets {
			t.Run(id(i), func(t *testing.T) {
				t.Parallel()
				s := s.in(t)
				for range rounds {
					s.anyMoment(2 * interval)
					g.Turn(t, pharostest.Fails)
					s.pause(lasting)
					g.Turn(t, pharostest.Answers)
					s.pause(2 * interval)
				}
				for _, outage := range g.Truth() {
					if after, ok := sawRed(s.screen, id(i), outage, interval+aMoment); ok {
						l.took("flicker of 1.2 intervals", "red, then green", after, interval+aMoment)
					} else {
						missed[i]++
					}
				}
				missed[i] += remembers(t, afterglowOf(s.world, s.screen, id(i)), g.Truth(), interval)
			})
		}
	})
	total := 0
	for _, n := range missed {
		total += n
	}
	l.lost("flicker of 1.2 intervals", fmt.Sprintf("%d of %d", total, rounds*len(s.targets)), total > 0)
}

const (
	probed     = 2 * time.Second // interval of the cases that are about probers
	barAgain   = 2 * probed      // until all is there again
	barGoodbye = 500 * time.Millisecond
	atRest     = 3 * time.Second
)

func proberKilled(w *world, l *ledger) {
	s := newSite(w, 8, probed, 0)
	untrue := 0
	for range 6 {
		s.anyMoment(time.Second)
		killed := time.Now()
		s.prober.kill()
		l.took("prober kill -9", "its tiles stale, berlin/p1 down", s.screen.Await(w, "stale tiles", s.stale).Sub(killed), barStale)
		s.anyMoment(atRest)
		s.targets[0].Turn(w, pharostest.Fails) // nobody looks
		back := time.Now()
		s.prober = w.startProber("berlin", "p1", s.watchers)
		right := s.screen.Await(w, "the right board", s.oneRed)
		l.took("prober started again", "red what turned red meanwhile, the rest green", right.Sub(back), barAgain)
		untrue += greens(s.screen, id(0), back, right)
		s.targets[0].Turn(w, pharostest.Answers)
		s.screen.Await(w, "a green board", s.green)
	}
	l.lost("prober kill -9", fmt.Sprintf("%d tiles red for nothing", s.untrueReds()), s.untrueReds() > 0)
	l.lost("prober started again", fmt.Sprintf("%d times green before somebody had looked", untrue), untrue > 0)
}

func proberSuspended(w *world, l *ledger) {
	s := newSite(w, 8, probed, 0)
	untrue := 0
	for range 6 {
		s.anyMoment(time.Second)
		stopped := time.Now()
		s.prober.signal(w.T, syscall.SIGSTOP)
		l.took("prober SIGSTOP", "its tiles stale, berlin/p1 down", s.screen.Await(w, "stale tiles", s.stale).Sub(stopped), barStale)
		s.anyMoment(2 * atRest)
		s.targets[0].Turn(w, pharostest.Fails) // nobody looks
		back := time.Now()
		s.prober.signal(w.T, syscall.SIGCONT)
		right := s.screen.Await(w, "the right board", s.oneRed)
		l.took("prober SIGCONT", "red what turned red meanwhile, the rest green", right.Sub(back), barAgain)
		untrue += greens(s.screen, id(0), back, right)
		s.targets[0].Turn(w, pharostest.Answers)
		s.screen.Await(w, "a green board", s.green)
	}
	l.lost("prober SIGSTOP", fmt.Sprintf("%d tiles red for nothing", s.untrueReds()), s.untrueReds() > 0)
	l.lost("prober SIGCONT", fmt.Sprintf("%d times green before somebody had looked", untrue), untrue > 0)
}

func proberStopped(w *world, l *ledger) {
	s := newSite(w, 8, probed, 0)
	for range 6 {
		s.anyMoment(time.Second)
		stopped := time.Now()
		s.prober.signal(w.T, syscall.SIGTERM)
		l.took("prober stopped cleanly", "its tiles stale, berlin/p1 left", s.screen.Await(w, "stale tiles", func(v *pharostest.View) bool {
			return s.stale(v) && v.Hops.Probers[0].Left
		}).Sub(stopped), barGoodbye)
		<-s.prober.ended
		back := time.Now()
		s.prober = w.startProber("berlin", "p1", s.watchers)
		l.took("prober started again after a goodbye", "all green", s.screen.Await(w, "a green board", s.green).Sub(back), barAgain)
	}
}

func natsKilledFiles(w *world, l *ledger) { natsKilled(w, l, "file store", nil) }

func natsKilledMemory(w *world, l *ledger) { natsKilled(w, l, "memory store", makeMemoryStream) }

func natsKilled(w *world, l *ledger, store string, prepare func(*world)) {
	const (
		interval = time.Second
		outage   = 20 * time.Second
		rounds   = 3
	)
	if prepare != nil {
		natsd, _ := w.startNATS()
		prepare(w)
		natsd.signal(w.T, syscall.SIGTERM)
		<-natsd.ended
	}
	s := siteToBe(w, 8, interval, 0)
	s.addSlow(rounds, nil)
	s.begin()
	gone, back := "NATS kill -9, "+store, "NATS back after 20 s, "+store
	missing, caused := 0, 0
	var red slowReds
	for round := range rounds {
		if prepare != nil {
			prepare(w)
		}
		s.slowGreen(s.screen, round)
		s.anyMoment(time.Second)
		killed := time.Now()
		s.natsd.kill()
		named := s.screen.Await(w, "NATS named as gone", func(v *pharostest.View) bool { return !v.Hops.NATS.Up })
		said := ""
		s.screen.Look(func(v *pharostest.View) { said = v.Hops.NATS.Error })
		l.took(gone, "NATS: "+said, named.Sub(killed), barNATS)
		s.screen.Await(w, "stale tiles", s.stale)
		s.turnSlow(round, pharostest.Fails)
		dark := time.Now()
		before := make([]int, len(s.targets))
		w.Run("flickering", func(t *testing.T) {
			for i, g := range s.targets {
				before[i] = len(g.Truth())
				t.Run(id(i), func(t *testing.T) {
					t.Parallel()
					s := s.in(t)
					for range 2 {
						s.anyMoment(4 * interval)
						g.Turn(t, pharostest.Fails)
						s.pause(interval*12/10 + rand.N(interval))
						g.Turn(t, pharostest.Answers)
						s.pause(2 * interval)
					}
				})
			}
		})
		if !s.stillStale() {
			w.Error("not every tile was stale after seconds without NATS")
		}
		w.pause(time.Until(killed.Add(outage)))
		var up time.Time
		s.natsd, up = w.startNATS()
		l.took(back, "red what turned red meanwhile, the rest green", s.healed(s.screen, round, dark, up, &red).Sub(up), barLive)
		s.turnSlow(round, pharostest.Answers)
		for i, g := range s.targets {
			missing += remembers(w, afterglowOf(w, s.screen, id(i)), g.Truth()[before[i]:], interval)
			caused += len(g.Truth()[before[i]:])
		}
	}
	l.lost(back, fmt.Sprintf("%d of %d flickers inside the outage; %s", missing, caused, red), missing > 0 || red.bad())
}

func (s *site) stillStale() (ok bool) {
	s.screen.Look(func(v *pharostest.View) { ok = s.stale(v) })
	return ok
}

func dashboardKilled(w *world, l *ledger) {
	const screens = 500
	s := newSite(w, 8, probed, 0)
	s.targets[0].Turn(w, pharostest.Fails)
	w.pause(probed * 12 / 10)
	s.targets[0].Turn(w, pharostest.Answers)
	all := []*pharostest.Screen{s.screen}
	for len(all) < screens {
		all = append(all, pharostest.NewScreen(w, s.address, pharostest.DialHere))
	}
	missing, encoded, boards := 0, 0, 0
	busy, spread := time.Duration(0), time.Hour
	for range 3 {
		for _, one := range all {
			one.Await(w, "a green board", s.green)
		}
		s.anyMoment(time.Second)
		killed := time.Now()
		s.dashboard.kill()
		for _, one := range all {
			l.took("dashboard kill -9, 500 screens", "the overlay", one.Await(w, "the veil", func(v *pharostest.View) bool { return v.Covered }).Sub(killed), 4*time.Second)
		}
		s.anyMoment(atRest)
		var back time.Time
		s.dashboard, back = w.startDashboard(s.address)
		for _, one := range all {
			l.took("dashboard started again, 500 screens", "all green", one.Await(w, "a green board", s.green).Sub(back), barBack)
		}
		missing += remembers(w, afterglowOf(w, s.screen, id(0)), s.targets[0].Truth(), probed)
		n, different, over := returned(all, back)
		boards, encoded, spread = max(boards, n), max(encoded, different), min(spread, over)
		busy = max(busy, cpuOf(w.T, s.dashboard))
	}
	// A board is encoded anew with each frame, and where it is 50 ms old: a few
	// times ten in five seconds, however many come.
	l.lost("dashboard started again, 500 screens", fmt.Sprintf("%d flickers; at most %d snapshots of %d encodings; eight of ten within %s s at the closest; %.1f s of CPU",
		missing, boards, encoded, short(spread), busy.Seconds()), missing > 0 || boards > 2*screens || encoded > screens/2 || spread < time.Second)
}

// returned counts the snapshots that the screens have had since a moment, how
// many of them differ, and over how long the screens saw again, without the first
// tenth of them and the last.
func returned(all []*pharostest.Screen, since time.Time) (boards, different int, over time.Duration) {
	seen := map[[sha256.Size]byte]bool{}
	var came []time.Time
	for _, s := range all {
		s.Look(func(v *pharostest.View) {
			for _, b := range v.Boards {
				if b.At.After(since) {
					boards++
					seen[b.Sum] = true
				}
			}
			for _, m := range v.Moments {
				if m.Status == "clear" && m.At.After(since) {
					came = append(came, m.At)
				}
			}
		})
	}
	slices.SortFunc(came, time.Time.Compare)
	return boards, len(seen), came[len(came)*9/10].Sub(came[len(came)/10])
}

// cpuOf returns the processor time that the process has used.
func cpuOf(t testing.TB, p *process) time.Duration {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var user, system int64
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	return time.Duration(user+system) * 10 * time.Millisecond // of 100 a second
}

// memoryOf returns the memory that the process has resident, in bytes.
func memoryOf(t testing.TB, p *process) int64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int64
	fmt.Sscan(string(data), &size, &resident)
	return resident * int64(os.Getpagesize())
}

func everythingKilled(w *world, l *ledger) {
	const (
		rounds   = 20
		interval = time.Second
		fault    = "everything killed, started in random order"
	)
	s := newSite(w, 6, interval, 0)
	oslo := []watched{{"w0", s.targets[0], interval, 0}, {"w1", s.targets[1], interval, 0}}
	// At the other site, the first two watchers stand again.
	truth := map[string]string{"oslo.shop.w0": "ok", "oslo.shop.w1": "ok"}
	for i := range s.targets {
		truth[id(i)] = "ok"
	}
	right := func(v *pharostest.View) bool {
		for id, status := range truth {
			if !v.Shows(id, status) {
				return false
			}
		}
		_, p1 := v.Prober("berlin/p1")
		_, p2 := v.Prober("oslo/p2")
		return p1 && p2 && !v.Covered && v.Hops.NATS.Up && v.Hops.NATS.Store && len(v.Tiles) == len(truth)
	}
	p2 := w.startProber("oslo", "p2", oslo)
	s.screen.Await(w, "a green board of two sites", right)
	const flickering = 5
	missing := 0
	for range rounds {
		g := s.targets[flickering]
		g.Turn(w, pharostest.Fails)
		w.pause(interval * 12 / 10)
		g.Turn(w, pharostest.Answers)
		s.screen.Await(w, "the right board", right)
		for _, kill := range shuffled(s.natsd.kill, s.dashboard.kill, s.prober.kill, p2.kill) {
			kill()
			s.anyMoment(500 * time.Millisecond)
		}
		for i := range flickering {
			want, m := "ok", pharostest.Answers
			if rand.IntN(2) == 0 {
				want, m = "critical", pharostest.Fails
			}
			s.targets[i].Turn(w, m)
			truth[id(i)] = want
			if i < len(oslo) {
				truth[fmt.Sprintf("oslo.shop.w%d", i)] = want
			}
		}
		// NATS and the dashboard are not waited for: the others find nobody.
		begin := shuffled(
			func() { s.natsd = w.launchNATS() },
			func() { s.dashboard = w.launchDashboard(s.address, "") },
			func() { s.prober = w.startProber("berlin", "p1", s.watchers) },
			func() { p2 = w.startProber("oslo", "p2", oslo) },
		)
		for i, f := range begin {
			if i > 0 {
				s.anyMoment(time.Second)
			}
			f()
		}
		started := time.Now()
		l.took(fault, "the right board", s.screen.Await(w, "the right board", right).Sub(started), barBack)
		missing += remembers(w, afterglowOf(w, s.screen, id(flickering)), g.Truth(), interval)
	}
	l.lost(fault, fmt.Sprintf("%d of %d flickers before it", missing, rounds), missing > 0)
}

func shuffled(all ...func()) []func() {
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}
