package board

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pharos/internal/pharos"
)

func TestWhatIsAliveIsNotForgotten(t *testing.T) {
	var asked atomic.Int64
	in(t, Options{Refresh: func(string) { asked.Add(1) }}, func(w *world) {
		const name = "Is Google Up?"
		id := "a.s." + pharos.Token(name)
		stop := w.beat("a", "p", 1)
		w.roster("a", "p", 1, 1, set("s", name, "y"))
		w.live(pharos.ResultSubject("p", pharos.WatcherID(id)), result("ok", "p", 1, 1, ""))
		w.pass(10 * time.Second)
		before := asked.Load()
		w.live("pharos.forget", `{"watcher":"`+id+`"}`)
		w.live("pharos.forget", `{"prober":"a/p"}`)
		w.pass(time.Second)
		w.wantStatus(name, "ok")
		w.wantNotices(fmt.Sprintf("%q is alive and was not forgotten", id))
		if n := w.b.Drops()[pharos.ReasonAlive]; n != 2 || asked.Load() != before {
			t.Errorf("%d requests refused, want 2; asked %d times", n, asked.Load()-before)
		}
		w.live(pharos.ResultSubject("p", pharos.WatcherID(id)), result("ok", "p", 1, 3, ""))
		w.wantStatus(name, "ok")
		stop()
		w.pass(10 * time.Second)
		w.live("pharos.forget", `{"watcher":"`+id+`"}`)
		w.pass(time.Second)
		if w.s.Tile(name) != nil {
			t.Error("a watcher of a prober that is gone cannot be forgotten")
		}
		stop = w.beat("a", "p", 2)
		defer stop()
		w.pass(time.Second)
		w.wantStatus(name, "waiting")
		w.roster("a", "p", 2, 1, set("s", "y"))
		w.pass(time.Second)
		if len(w.s.Tiles) != 1 {
			t.Errorf("what no roster names any more is still there: %v", w.s.Tiles)
		}
	})
}

func TestAWatcherOutlivesAForgottenProberWhereAnotherWatchesIt(t *testing.T) {
	var asked atomic.Int64
	in(t, Options{Refresh: func(string) { asked.Add(1) }}, func(w *world) {
		stop := w.beat("a", "p1", 1)
		w.beat("a", "p2", 1)
		w.roster("a", "p1", 1, 1, set("s", "x", "y"))
		w.roster("a", "p2", 1, 1, set("s", "x"))
		w.live("pharos.result.a.p1.s.x", result("ok", "p1", 1, 1, ""))
		stop()
		w.pass(10 * time.Second)
		before := asked.Load()
		w.live("pharos.forget", `{"prober":"a/p1"}`)
		w.pass(time.Second)
		w.wantStatus("x", "waiting")
		if w.s.Tile("y") != nil || len(w.s.Hops.Probers) != 1 {
			t.Errorf("what was forgotten is still there: %v, %v", w.s.Tile("y"), w.s.Hops.Probers)
		}
		if asked.Load() != before+1 {
			t.Errorf("asked %d times for the other's result, want once", asked.Load()-before)
		}
		w.live("pharos.result.a.p2.s.x", result("warning", "p2", 1, 1, ""))
		w.wantStatus("x", "warning")
		w.roster("a", "p2", 1, 2, set("s", "z"))
		w.pass(time.Second)
		if w.s.Tile("x") != nil {
			t.Error("the last roster names it no more, and it is still there")
		}
	})
}

// TestWhatTheStoreStillHadOfAForgottenProberIsIgnored: a dashboard that starts while a
// prober is forgotten reads the store before it is purged.
func TestWhatTheStoreStillHadOfAForgottenProberIsIgnored(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.apply("pharos.roster.a.p.0", `{"site":"a","prober":"p","incarnation":1,"seq":1,"part":0,"parts":1,"sets":[{"name":"s","watchers":[{"name":"x"}]}]}`, time.Second, false)
		w.live("pharos.forget", `{"prober":"a/p"}`)
		w.apply("pharos.heartbeat.a.p", `{"site":"a","prober":"p","incarnation":1,"seq":9,"leaving":true}`, time.Second, false)
		w.apply("pharos.result.a.p.s.x", result("ok", "p", 1, 1, ""), time.Second, false)
		w.pass(3 * time.Second)
		if len(w.s.Tiles) != 0 || len(w.s.Hops.Probers) != 0 || len(w.s.Hops.Notices) != 0 {
			t.Errorf("what was forgotten is still there: %v, %v, %v", w.s.Tiles, w.s.Hops.Probers, w.s.Hops.Notices)
		}
		w.beat("a", "p", 2)
		w.roster("a", "p", 2, 1, set("s", "x"))
		w.pass(time.Second)
		w.wantStatus("x", "waiting")
	})
}
