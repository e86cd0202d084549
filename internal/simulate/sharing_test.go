package simulate

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pharos/internal/pharos"
	"pharos/internal/probe"
)

func TestMain(m *testing.M) {
	probe.New(probe.Options{}) // its reaper waits for the process's children, outside of all bubbles
	m.Run()
}

// in plays a simulation of some targets.
func in(t *testing.T, targets int, play func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, targets)
		play(w)
		w.close()
	})
}

// wantShared checks that each target is run once an interval, by one prober, and
// that every prober has some.
func (w *world) wantShared(what string, probers int) {
	w.t.Helper()
	since := time.Now()
	w.pass(10 * interval)
	busy := map[string]bool{}
	for target, by := range w.runs(since) {
		total := 0
		for prober, n := range by {
			busy[prober] = true
			total += n
		}
		if len(by) != 1 || total < 9 || total > 11 {
			w.t.Errorf("%s: target %s was run %v, want 10 times by one prober", what, target, by)
		}
	}
	if len(busy) != probers {
		w.t.Errorf("%s: %d probers run targets, want %d", what, len(busy), probers)
	}
}

// wantTrue checks that every dashboard shows all targets as they are, and nothing
// beside.
func (w *world) wantTrue(what string) {
	w.t.Helper()
	for i, d := range w.dashboards {
		tiles := d.tiles()
		for _, name := range w.names {
			want := pharos.OK
			if w.down[name] {
				want = pharos.Critical
			}
			if tile, ok := tiles[name]; !ok || tile.Stale || tile.Result.Status != want {
				w.t.Errorf("%s: dashboard %d shows %s as %v, stale %v, want %v", what, i, name, tile.Result.Status, tile.Stale, want)
			}
		}
		if said := d.notices(); len(said) > 0 {
			w.t.Errorf("%s: dashboard %d says %q", what, i, said)
		}
	}
}

func TestProbersShareAndTakeOver(t *testing.T) {
	in(t, 40, func(w *world) {
		w.startDashboard()
		w.startProber("p1", "")
		w.pass(5 * time.Second)
		w.wantTrue("one")
		w.wantShared("one", 1)
		w.startProber("p2", "")
		w.startProber("p3", "")
		began := time.Now()
		w.pass(5 * time.Second)
		w.wantTrue("three")
		w.wantShared("three", 3)
		if gap, of := w.gap(began); gap > interval+500*time.Millisecond {
			t.Errorf("joining left %s without a run for %v", of, gap)
		}

		began = time.Now()
		w.stop("p2", true)
		w.pass(5 * time.Second)
		w.wantTrue("after a clean stop")
		w.wantShared("after a clean stop", 2)
		if gap, of := w.gap(began); gap > interval+500*time.Millisecond {
			t.Errorf("a clean stop left %s without a run for %v", of, gap)
		}

		began = time.Now()
		w.stop("p3", false)
		w.pass(6 * time.Second)
		w.wantTrue("after a kill")
		w.wantShared("after a kill", 1)
		if gap, of := w.gap(began); gap > interval+3500*time.Millisecond {
			t.Errorf("a kill left %s without a run for %v", of, gap)
		}
	})
}

func TestTenThatJoinAtOnceShare(t *testing.T) {
	in(t, 100, func(w *world) {
		w.startDashboard()
		for i := range 10 {
			w.startProber(fmt.Sprint("p", i), "")
		}
		w.pass(10 * time.Second)
		w.wantTrue("ten")
		w.wantShared("ten", 10)
	})
}

func TestATakeOverIsNoFlickerAndForgetsNone(t *testing.T) {
	in(t, 20, func(w *world) {
		d := w.startDashboard()
		w.startProber("p1", "")
		w.startProber("p2", "")
		w.pass(10 * time.Second)
		for _, name := range w.names {
			w.set(name, true)
		}
		w.pass(5 * time.Second)
		for _, name := range w.names {
			w.set(name, false)
		}
		w.pass(20 * time.Second)
		w.stop("p2", false)
		w.pass(10 * time.Second)
		w.wantTrue("after it")
		for name, tile := range d.tiles() {
			if n := len(tile.Result.Flickers); n != 1 || tile.Result.Flickers[0].Status != pharos.Critical {
				t.Errorf("%s remembers %+v, want the one outage", name, tile.Result.Flickers)
			}
			if got := tile.Result.For.Duration(); got < 25*time.Second {
				t.Errorf("%s is ok for %v, want since the outage ended 30 s ago", name, got)
			}
		}
	})
}

func TestWhoIsCutOffKeepsItsShareAndYieldsWhenItIsBack(t *testing.T) {
	in(t, 30, func(w *world) {
		w.startDashboard()
		p1 := w.startProber("p1", "")
		w.startProber("p2", "")
		w.pass(10 * time.Second)
		began := time.Now()
		p1.conn.change(func() { p1.conn.cut = true })
		w.pass(20 * time.Second)
		by := map[string]int{}
		for _, runs := range w.runs(began.Add(6 * time.Second)) {
			for prober := range runs {
				by[prober]++
			}
		}
		if by["p2"] != 30 || by["p1"] == 0 || by["p1"] == 30 {
			t.Errorf("while p1 is cut off p2 runs %d and p1 %d of 30, want all and its share", by["p2"], by["p1"])
		}
		p1.conn.change(func() { p1.conn.cut = false })
		w.pass(6 * time.Second)
		w.wantTrue("back")
		w.wantShared("back", 2)
	})
}

func TestWhatIsNotSharedIsRunByAllAndWhoeverHearsNobodyIsNamed(t *testing.T) {
	in(t, 10, func(w *world) {
		d := w.startDashboard()
		w.startProber("p1", "share: false\n")
		w.startProber("p2", "share: false\n")
		w.pass(5 * time.Second)
		since := time.Now()
		w.pass(10 * interval)
		for target, by := range w.runs(since) {
			if len(by) != 2 {
				t.Errorf("%s was run %v, want by both", target, by)
			}
		}
		if got := fmt.Sprint(d.notices()); !strings.Contains(got, "published twice") {
			t.Errorf("the notices are %s", got)
		}
	})
	in(t, 10, func(w *world) {
		d := w.startDashboard()
		w.startProber("p1", "")
		p2 := w.startProber("p2", "")
		w.pass(5 * time.Second)
		p2.conn.change(func() { // it may not hear the others
			for i := range p2.conn.subs {
				if strings.HasPrefix(p2.conn.subs[i].pattern, "pharos.heartbeat.") {
					p2.conn.subs[i].pattern = "pharos.heartbeat.berlin.p2"
				}
			}
		})
		w.pass(15 * time.Second)
		if got := fmt.Sprint(d.notices()); !strings.Contains(got, "berlin p2 does not hear the other probers") {
			t.Errorf("the notices are %s", got)
		}
		for name, tile := range d.tiles() {
			if tile.Stale || tile.Result.Status != pharos.OK {
				t.Errorf("%s is %v, stale %v", name, tile.Result.Status, tile.Stale)
			}
		}
	})
}

func TestWeightsDecideHowMuchEachTakes(t *testing.T) {
	in(t, 200, func(w *world) {
		w.startProber("p1", "")
		w.startProber("p2", "weight: 3\n")
		w.pass(5 * time.Second)
		since := time.Now()
		w.pass(2 * interval)
		by := map[string]int{}
		for _, runs := range w.runs(since) {
			for prober := range runs {
				by[prober]++
			}
		}
		if by["p1"] < 30 || by["p1"] > 70 || by["p1"]+by["p2"] != 200 {
			t.Errorf("they run %v of 200, want about 50 and 150", by)
		}
	})
}

func TestWithoutNATSEachKeepsItsShare(t *testing.T) {
	in(t, 30, func(w *world) {
		w.startDashboard()
		w.startProber("p1", "")
		w.startProber("p2", "")
		w.pass(10 * time.Second)
		w.server.setDown(true)
		w.wantShared("while NATS is away", 2)
		w.server.setDown(false)
		w.pass(5 * time.Second)
		w.wantTrue("NATS is back, and has forgotten all")
		w.wantShared("NATS is back", 2)
	})
}

func TestAGroupFollowsWhatOthersRun(t *testing.T) {
	in(t, 12, func(w *world) {
		w.more = "      - {name: All, group: {set: S}, interval: 1m}\n"
		d := w.startDashboard()
		w.startProber("p1", "")
		w.startProber("p2", "")
		w.startProber("p3", "")
		want := func(what string, status pharos.Status) {
			t.Helper()
			if all := d.tiles()["All"]; all.Stale || all.Result.Status != status {
				t.Errorf("%s: the group is %v %q, stale %v, want %v", what, all.Result.Status, all.Result.Summary, all.Stale, status)
			}
		}
		w.pass(10 * time.Second)
		want("at first", pharos.OK)
		for _, name := range w.names {
			w.set(name, true)
			w.pass(interval + 100*time.Millisecond)
			want(name+" is down", pharos.Critical)
			w.set(name, false)
			w.pass(interval + 100*time.Millisecond)
			want(name+" is up", pharos.OK)
		}
		w.set(w.names[0], true)
		for name := range w.probers { // whoever runs what
			w.stop(name, true)
			w.pass(2*interval + time.Second)
			if len(w.probers) > 0 {
				want("without "+name, pharos.Critical)
			}
			if len(w.probers) == 1 {
				break
			}
		}
		w.set(w.names[0], false)
		w.pass(interval + 100*time.Millisecond)
		want("one prober is left", pharos.OK)
	})
}
