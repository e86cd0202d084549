package board

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pharos/internal/pharos"
)

func TestAFullBoardSaysSo(t *testing.T) {
	in(t, Options{MaxWatchers: 2}, func(w *world) {
		w.beat("berlin", "p1", 1)
		w.roster("berlin", "p1", 1, 1, set("s", "x", "y", "z"))
		w.pass(time.Second)
		w.wantNotices("1 of berlin p1's 3 watchers is not shown: max_watchers is 2")
		w.roster("berlin", "p1", 1, 2, set("s", "x", "y", "z", "z2"))
		w.pass(time.Second)
		w.wantNotices("2 of berlin p1's 4 watchers are not shown: max_watchers is 2")
		w.live("pharos.push.ci.jobs.backup", `{"status":"ok"}`)
		w.pass(time.Second)
		w.wantNotices("2 of berlin p1's 4 watchers are not shown: max_watchers is 2", `"ci.jobs.backup" is not shown: max_watchers is 2`)
		w.pass(refusedFor)
		w.roster("berlin", "p1", 1, 3, set("s", "x", "y"))
		w.pass(time.Second)
		w.wantNotices()
	})
}

// TestRostersAreBoundedTogether: of any number of probers, also where a part
// never comes.
func TestRostersAreBoundedTogether(t *testing.T) {
	const most, senders, names = 10, 20, 15
	in(t, Options{MaxWatchers: most}, func(w *world) {
		var list []string
		for i := range names {
			list = append(list, fmt.Sprint("w", i))
		}
		for p := range senders {
			half, _ := json.Marshal(pharos.Roster{Incarnation: 1, Seq: 1, Parts: 2, Sets: []pharos.RosterSet{set("s", list...)}})
			w.apply(pharos.RosterSubject("a", fmt.Sprint("p", p), 0), string(half), 0, true)
		}
		if got := w.b.names(); got > rostersOf*most || got == 0 {
			t.Errorf("%d names are kept, want at most %d", got, rostersOf*most)
		}
		if got := w.b.Drops()["full"]; got < senders-rostersOf*most/names-1 {
			t.Errorf("%d parts were counted as dropped", got)
		}
		w.pass(time.Second)
		w.wantNotices(`not all that prober "a/p2" watches is shown: its roster is too long for max_watchers 10`)
	})
}

func TestWatchersComeWhenThereIsRoom(t *testing.T) {
	var asked atomic.Int64
	in(t, Options{MaxWatchers: 2, Refresh: func(string) { asked.Add(1) }}, func(w *world) {
		w.beat("a", "p", 1)
		w.beat("b", "p", 1)
		w.roster("a", "p", 1, 1, set("s", "x", "y"))
		w.roster("b", "p", 1, 1, set("s", "z"))
		w.pass(10 * time.Second)
		before := asked.Load()
		w.roster("a", "p", 1, 2, set("s", "x"))
		w.pass(time.Second)
		w.wantStatus("z", "waiting")
		w.wantNotices()
		if asked.Load() != before+1 {
			t.Errorf("asked %d times for its result, want once", asked.Load()-before)
		}
	})
}

func TestTooManyProbersAreNamed(t *testing.T) {
	in(t, Options{}, func(w *world) {
		for i := range maxProbers {
			w.b.Apply(fmt.Sprintf("pharos.heartbeat.s%d.p%d", i/maxSiteProbers, i), []byte(`{"incarnation":1,"seq":1}`), 0, true)
		}
		w.live("pharos.result.a.q.s.x", result("ok", "q", 1, 1, ""))
		w.live("pharos.heartbeat.a.r", `{"incarnation":1,"seq":1}`)
		w.pass(time.Second)
		if w.s.Tile("x") != nil {
			t.Error("the tile of a prober that has no place is shown: nothing would say when it dies")
		}
		if n := w.b.Drops()[pharos.ReasonFull]; n != 2 {
			t.Errorf("%d dropped as full, want 2", n)
		}
		w.wantNotices("800 more probers are not listed here", `prober "a/q" and its watchers are not shown: a board has room for 1000`)
		w.pass(refusedFor)
		w.wantNotices("800 more probers are not listed here")
	})
}
