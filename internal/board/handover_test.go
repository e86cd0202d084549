package board

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/pharos"
	"pharos/internal/pharostest"
)

// result returns one as a prober sends it, with more of its fields.
func result(status, prober string, epoch, n int, more string) string {
	return fmt.Sprintf(`{"status":%q,"prober":%q,"incarnation":%d,"seq":%d,"ttl":1800%s}`, status, prober, epoch, n, more)
}

func TestAWatcherHandedToAnotherProberIsTheOthers(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.beat("a", "p1", 1)
		w.beat("a", "p2", 1)
		w.roster("a", "p1", 1, 1, set("s", "x", "y"))
		w.roster("a", "p2", 1, 1, set("s", "x"))
		w.live("pharos.result.a.p1.s.x", result("ok", "p1", 1, 1, ""))
		w.pass(structureGap)
		w.wantStatus("x", "ok")
		w.roster("a", "p1", 1, 2, set("s", "y"))
		w.pass(structureGap)
		w.wantStatus("x", "stale")
		w.live("pharos.result.a.p1.s.x", result("ok", "p1", 1, 2, "")) // was on its way
		w.wantStatus("x", "stale")
		w.live("pharos.result.a.p2.s.x", result("critical", "p2", 1, 1, ""))
		w.wantStatus("x", "critical")
	})
}

func TestAnAfterglowOutlivesWhoSawIt(t *testing.T) {
	const seen = `,"flickers":[{"status":"warning","lasted":2,"ago":10}]`
	for name, c := range map[string]struct {
		first  string
		second string // of the process that takes over
		third  string // of the same process, a second later
		want   string
	}{
		"of an earlier process that saw it end":     {result("ok", "p", 1, 1, seen), result("ok", "p", 2, 1, ""), result("ok", "p", 2, 2, ""), "warning 2s 12s"},
		"of a outage that the new process saw over": {result("critical", "p", 1, 1, `,"for":5`), result("ok", "p", 2, 1, ""), result("ok", "p", 2, 2, ""), "critical 6s 1s"},
		"of both, each once":                        {result("critical", "p", 1, 1, `,"for":5`+seen), result("ok", "p", 2, 1, ""), result("ok", "p", 2, 2, ""), "critical 6s 1s, warning 2s 12s"},
		"that the new process remembers as well": {result("critical", "p", 1, 1, `,"for":5`+seen),
			result("ok", "p", 2, 1, `,"flickers":[{"status":"critical","lasted":5.8,"ago":0.1},{"status":"warning","lasted":2,"ago":11}]`),
			result("ok", "p", 2, 2, `,"flickers":[{"status":"critical","lasted":5.8,"ago":1.1},{"status":"warning","lasted":2,"ago":12}]`), "critical 5.8s 1.1s, warning 2s 12s"},
		"and the new process's own beside it":            {result("ok", "p", 1, 1, seen), result("critical", "p", 2, 1, ""), result("ok", "p", 2, 2, `,"flickers":[{"status":"critical","lasted":1,"ago":0}]`), "critical 1s 0s, warning 2s 12s"},
		"of the worst that a sender without a name said": {`{"status":"critical","for":10}`, `{"status":"warning"}`, `{"status":"ok"}`, "critical 12s 0s"},
		"of the worst that an earlier process said": {result("critical", "p", 1, 1, `,"for":5`), result("warning", "p", 2, 1, ""),
			result("ok", "p", 2, 2, `,"flickers":[{"status":"warning","lasted":1,"ago":0}]`), "critical 7s 0s"},
		"of the whole outage that the sender tells":                     {result("warning", "p", 1, 1, `,"for":5,"outage":{"status":"critical","lasted":30}`), result("ok", "p", 2, 1, ""), result("ok", "p", 2, 2, ""), "critical 31s 1s"},
		"of a outage that goes on while the new process has not looked": {result("critical", "p", 1, 1, `,"for":5`), result("waiting", "p", 2, 1, ""), result("ok", "p", 2, 2, ""), "critical 7s 0s"},
		"of a sender without a name":                                    {`{"status":"critical","for":5}`, `{"status":"ok"}`, `{"status":"ok"}`, "critical 6s 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Options{}, func(w *world) {
				for _, r := range []string{c.first, c.second, c.third} {
					w.apply(subjectOf("a.s.x", r), r, 0, true)
					w.pass(time.Second)
				}
				tile, _ := w.b.Tile(w.ctx, "a.s.x")
				var got []string
				for _, f := range tile.Result.Flickers {
					got = append(got, fmt.Sprint(f.Status, " ", f.Lasted.Duration(), " ", f.Ago.Duration()-time.Second))
				}
				if got := strings.Join(got, ", "); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestASpellIsToldWholeWhileItLasts: a page that opens in its yellow end shows
// what it was.
func TestASpellIsToldWholeWhileItLasts(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.apply("pharos.push.a.s.x", `{"status":"critical","for":10}`, 0, true)
		w.pass(2 * time.Second)
		w.apply("pharos.push.a.s.x", `{"status":"warning"}`, 0, true)
		w.pass(time.Second)
		tile, _ := w.b.Tile(w.ctx, "a.s.x")
		if want := (pharos.Outage{Status: pharos.Critical, Lasted: pharos.Seconds(13 * time.Second)}); tile.Result.Outage != want {
			t.Errorf("the outage under way is %v, want %v", tile.Result.Outage, want)
		}
	})
}

func (w *world) wantNotices(want ...string) {
	w.Helper()
	if diff := cmp.Diff(append([]string{}, want...), w.s.Hops.Notices); diff != "" {
		w.Errorf("notices, want -, got +\n%s", diff)
	}
}

func TestASenderWithoutANameCoversNoProber(t *testing.T) {
	in(t, Options{}, func(w *world) {
		stop := w.beat("a", "p", 1)
		w.live("pharos.result.a.p.s.x", result("critical", "p", 1, 1, ""))
		w.live("pharos.push.a.s.x", `{"status":"ok"}`)
		w.pass(time.Second)
		w.wantStatus("x", "critical")
		w.wantNotices(`published twice: "x", by a/p and by a sender without a name; shown is a/p`)
		stop()
		w.pass(pharos.HeartbeatTimeout)
		w.live("pharos.push.a.s.x", `{"status":"ok"}`)
		w.wantStatus("x", "ok") // somebody saw it, and the prober is gone
		w.beat("a", "p", 2)
		w.live("pharos.result.a.p.s.x", result("critical", "p", 2, 1, ""))
		w.wantStatus("x", "critical")
	})
}

func TestOfTwoProbersTheFirstByNameIsShown(t *testing.T) {
	p, q := result("ok", "p", 1, 1, ""), result("critical", "q", 1, 1, "")
	for name, order := range map[string][]string{"it comes first": {p, q}, "it comes second": {q, p}} {
		t.Run(name, func(t *testing.T) {
			in(t, Options{}, func(w *world) {
				stop := w.beat("a", "p", 1)
				w.beat("a", "q", 1)
				for _, r := range order {
					w.live(subjectOf("a.s.x", r), r)
				}
				w.pass(10 * time.Minute) // q publishes every half an hour
				w.wantStatus("x", "ok")
				w.wantNotices(`published twice: "x", by a/p and by a/q; shown is a/p`)
				stop()
				w.pass(pharos.HeartbeatTimeout)
				w.live("pharos.result.a.q.s.x", result("critical", "q", 1, 2, ""))
				w.wantStatus("x", "critical")
				w.live("pharos.result.a.p.s.x", result("ok", "p", 1, 2, "")) // without heartbeats it is not believed
				w.wantStatus("x", "critical")
			})
		})
	}
	t.Run("until one of them watches it no more", func(t *testing.T) {
		in(t, Options{}, func(w *world) {
			w.beat("a", "p", 1)
			w.beat("a", "q", 1)
			w.live("pharos.result.a.p.s.x", p)
			w.live("pharos.result.a.q.s.x", q)
			w.roster("a", "p", 1, 1, set("s", "x"))
			w.roster("a", "q", 1, 1, set("s", "y"))
			w.pass(time.Second)
			w.wantNotices()
		})
	})
}

func TestAProberWithoutBeats(t *testing.T) {
	prober := func(w *world) pharostest.Prober { return w.s.Hops.Probers[0] }
	in(t, Options{}, func(w *world) {
		w.live("pharos.result.a.p.s.x", result("ok", "p", 1, 1, ""))
		w.pass(structureGap)
		w.wantStatus("x", "ok") // its heartbeat may be on its way
		w.pass(pharos.HeartbeatTimeout)
		w.live("pharos.result.a.p.s.x", result("ok", "p", 1, 2, ""))
		w.wantStatus("x", "stale")
		if p := prober(w); p.ID != "a/p" || p.Up || p.Watchers != 1 {
			t.Errorf("the footer says %v", p)
		}
		w.beat("a", "p", 1)
		w.pass(urgentGap)
		w.wantStatus("x", "ok")
	})
	in(t, Options{}, func(w *world) { // what a dashboard that starts hears first
		events := len(w.s.Events)
		w.apply("pharos.result.a.p.s.x", result("ok", "p", 1, 1, ""), time.Minute, false)
		w.apply("pharos.roster.a.p.0", `{"incarnation":1,"seq":1,"parts":1,"sets":[{"name":"s","watchers":[{"name":"x"},{"name":"y"}]}]}`, time.Hour, false)
		w.pass(900 * time.Millisecond)
		w.beat("a", "p", 1)
		for range 20 {
			w.pass(sweepEvery)
			if x, y := w.s.status("x"), w.s.status("y"); x != "ok" || y != "waiting" {
				t.Fatalf("x is %v, y is %v; events %v", x, y, w.s.Events[events:])
			}
		}
	})
	in(t, Options{}, func(w *world) { // of a prober that is long gone
		w.apply("pharos.result.a.p.s.x", result("ok", "p", 1, 1, ""), time.Minute, false)
		w.apply("pharos.heartbeat.a.p", `{"incarnation":1,"seq":1}`, 50*time.Second, false)
		w.pass(structureGap)
		w.wantStatus("x", "stale")
	})
}

func TestTwoProcessesOfOneNameAreTold(t *testing.T) {
	in(t, Options{}, func(w *world) {
		older := w.beat("berlin", "p1", 1)
		w.pass(time.Second)
		w.beat("berlin", "p1", 2)
		w.pass(2 * time.Second)
		w.wantNotices() // the older may be on its way out
		w.pass(3*time.Second + footerEvery)
		w.wantNotices("berlin p1 runs twice: give one of them another name")
		older()
		w.pass(9 * time.Second)
		w.wantNotices("berlin p1 runs twice: give one of them another name")
		w.pass(3 * time.Second)
		w.wantNotices()
	})
	in(t, Options{}, func(w *world) { // a clock that was turned back before the restart
		stop := w.beat("berlin", "p1", 5)
		w.pass(time.Second)
		stop()
		w.beat("berlin", "p1", 1)
		for range 20 {
			w.pass(time.Second)
			w.wantNotices()
		}
	})
}

func TestWhatAProberLeavesIsAskedOfTheOthers(t *testing.T) {
	for name, leave := range map[string]func(w *world){
		"by a goodbye": func(w *world) {
			w.live("pharos.heartbeat.a.p", `{"incarnation":1,"seq":1000,"roster":1,"leaving":true}`)
		},
		"by a roster": func(w *world) { w.roster("a", "p", 1, 2, set("s", "y")) },
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			in(t, Options{Refresh: func(string) { asked.Add(1) }}, func(w *world) {
				stop := w.beat("a", "p", 1)
				w.beat("a", "q", 1)
				w.roster("a", "p", 1, 1, set("s", "x", "y"))
				w.roster("a", "q", 1, 1, set("s", "x"))
				w.live("pharos.result.a.p.s.x", result("ok", "p", 1, 1, ""))
				w.pass(askFirst)
				before := asked.Load()
				if name == "by a goodbye" {
					stop()
				}
				leave(w)
				if asked.Load() != before+1 {
					t.Errorf("asked %d times, want once", asked.Load()-before)
				}
				w.pass(30 * time.Second)
				if asked.Load() != before+1 {
					t.Errorf("asked %d times in the end, want once", asked.Load()-before)
				}
			})
		})
	}
}
