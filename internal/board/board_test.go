package board

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"pharos/internal/clock"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// screen plays the page: it applies events as they come.
type screen struct {
	t     testing.TB
	mu    sync.Mutex // guards inbox
	inbox [][]byte
	pharostest.Board
}

func (s *screen) read(event []byte) {
	s.t.Helper()
	e, ok := pharostest.ParseEvent(event)
	if !ok || bytes.Count(event, []byte("\n\n")) != 1 {
		s.t.Fatalf("not one event: %q", event)
	}
	if err := s.Hear(e); err != nil {
		s.t.Fatal(err)
	}
}

// frames returns how many frames have come.
func (s *screen) frames() (n int) {
	for _, name := range s.Events {
		if name == "frame" {
			n++
		}
	}
	return n
}

// subjectOf returns the subject of a message about a watcher: a result where it
// names a prober, else a push.
func subjectOf(id pharos.WatcherID, message string) string {
	var m struct{ Prober string }
	if err := json.Unmarshal([]byte(message), &m); err != nil || m.Prober == "" {
		return pharos.PushSubject(id)
	}
	return pharos.ResultSubject(m.Prober, id)
}

func (s *screen) status(name string) any { return s.Tile(name)["s"] }

// world is a board that runs on a fake clock, and one screen.
type world struct {
	*testing.T
	b         *Board
	ctx       context.Context
	s         *screen
	screens   []*screen
	suspended atomic.Int64 // for how long the machine was, nanoseconds
}

// settle waits until nothing moves, and lets the screens read what came.
func (w *world) settle() {
	w.Helper()
	synctest.Wait()
	for _, s := range w.screens {
		s.mu.Lock()
		for _, event := range s.inbox {
			s.read(event)
		}
		s.inbox = nil
		s.mu.Unlock()
	}
}

func in(t *testing.T, o Options, play func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := &world{T: t, ctx: ctx}
		o.Clock = clock.New(func() time.Duration { return time.Duration(w.suspended.Load()) })
		w.b = New(o)
		ended := make(chan error, 1)
		go func() { ended <- w.b.Run(ctx) }()
		w.s = w.join(Filter{})
		play(w)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

func (w *world) join(f Filter) *screen {
	w.Helper()
	join, err := w.b.Join(w.ctx, f)
	if err != nil {
		w.Fatal(err)
	}
	s := &screen{t: w.T}
	go func() {
		defer join.Leave()
		for {
			event := join.Next(w.ctx)
			if event == nil {
				return
			}
			s.mu.Lock()
			s.inbox = append(s.inbox, event.Bytes)
			s.mu.Unlock()
		}
	}()
	w.screens = append(w.screens, s)
	w.settle()
	return s
}

func (w *world) apply(subject, data string, age time.Duration, live bool) {
	w.b.Apply(subject, []byte(data), age, live)
	w.settle()
}

// live sends a message and waits until its frame may go out.
func (w *world) live(subject, data string) {
	w.Helper()
	w.apply(subject, data, 0, true)
	w.pass(urgentGap)
}

func (w *world) pass(d time.Duration) { time.Sleep(d); w.settle() }

// beat makes a prober send a heartbeat each second for as long as the returned function is
// not called.
func (w *world) beat(site, name string, epoch int64) (stop func()) {
	ctx, cancel := context.WithCancel(w.ctx)
	send := func(n int) {
		at := time.Now().UTC().Format(time.RFC3339Nano)
		w.b.Apply(pharos.HeartbeatSubject(site, name), fmt.Appendf(nil, `{"incarnation":%d,"seq":%d,"site":%q,"prober":%q,"version":"1","at":%q}`, epoch, n, site, name, at), 0, true)
	}
	send(1)
	go func() {
		for n := 2; ; n++ {
			select {
			case <-time.After(time.Second):
				send(n)
			case <-ctx.Done():
				return
			}
		}
	}()
	w.settle()
	return func() { cancel(); w.settle() }
}

func (w *world) roster(site, name string, epoch int64, n uint64, sets ...pharos.RosterSet) {
	w.Helper()
	parts, err := pharos.Roster{Site: site, Prober: name, Incarnation: epoch, Seq: n, Sets: sets}.Split(pharos.MaxMessage)
	if err != nil {
		w.Fatal(err)
	}
	for i, p := range parts {
		w.live(pharos.RosterSubject(pharos.Token(site), pharos.Token(name), i), string(p))
	}
}

func set(name string, watchers ...string) pharos.RosterSet {
	s := pharos.RosterSet{Name: name}
	for _, w := range watchers {
		s.Watchers = append(s.Watchers, pharos.RosterWatcher{Name: w, Kind: "page", Interval: pharos.Seconds(2 * time.Second)})
	}
	return s
}

func (w *world) wantStatus(name, want string) {
	w.Helper()
	if got := w.s.status(name); got != want {
		w.Errorf("%s is %v, want %s", name, got, want)
	}
}

func TestOneLineFromAnywhereIsATile(t *testing.T) {
	in(t, Options{Title: "Pharos"}, func(w *world) {
		w.live("pharos.push.ci.jobs.backup", `{"status":"ok"}`)
		w.pass(structureGap)
		w.wantStatus("backup", "ok")
		w.pass(pharos.DefaultTTL + sweepEvery)
		w.wantStatus("backup", "stale")
		w.live("pharos.push.ci.jobs.backup", `{"status":"critical","value":3,"summary":"disk <b>full</b>"}`)
		want := pharostest.Tile{"i": 0., "id": "ci.jobs.backup", "name": "backup", "s": "critical", "v": "3", "m": "disk <b>full</b>", "f": w.s.Tile("backup")["f"]}
		if diff := cmp.Diff(want, w.s.Tile("backup")); diff != "" {
			t.Error(diff)
		}
		w.pass(3 * time.Second)
		w.live("pharos.push.ci.jobs.backup", `{"status":"ok"}`)
		k, _ := w.s.Tile("backup")["k"].(map[string]any)
		if k["s"] != "critical" || k["l"] != 3.01 {
			t.Errorf("the board did not remember the outage of a sender without memory: %v", k)
		}
	})
}

func TestFreshness(t *testing.T) {
	const result = `{"status":"ok","ttl":6,"prober":"p1","incarnation":1,"seq":%d}`
	ok := func(n int) string { return fmt.Sprintf(result, n) }
	in(t, Options{}, func(w *world) {
		w.roster("berlin", "p1", 1, 1, set("Shop", "home", "cart"))
		stop := w.beat("berlin", "p1", 1)
		w.pass(structureGap)
		w.wantStatus("home", "waiting")
		w.live("pharos.result.berlin.p1.shop--4qmurh6c.home", ok(1)) // another set's
		shop := pharos.Token("Shop")
		w.live("pharos.result.berlin.p1."+shop+".home", ok(1))
		w.wantStatus("home", "ok")
		w.pass(5900 * time.Millisecond)
		w.wantStatus("home", "ok")
		w.pass(400 * time.Millisecond)
		w.wantStatus("home", "stale")
		w.live("pharos.result.berlin.p1."+shop+".home", ok(2))
		w.wantStatus("home", "ok")

		stop() // the prober falls silent
		w.pass(2 * time.Second)
		w.wantStatus("home", "ok")
		w.pass(1300 * time.Millisecond)
		w.wantStatus("home", "stale")
		w.wantStatus("cart", "stale")
		p := w.s.Hops.Probers[0]
		if p.Up || p.From == 0 {
			t.Errorf("the silent prober is not named: %v", p)
		}
		w.live("pharos.heartbeat.berlin.p1", `{"incarnation":1,"seq":50}`) // it is back, and says what it has seen meanwhile
		w.wantStatus("home", "stale")
		w.wantStatus("cart", "waiting")
		w.live("pharos.result.berlin.p1."+shop+".home", ok(3))
		w.wantStatus("home", "ok")
		stop = w.beat("berlin", "p1", 2) // another process, which has not looked yet
		w.pass(sweepEvery)
		w.wantStatus("home", "stale")
		w.live("pharos.result.berlin.p1."+shop+".home", `{"status":"ok","ttl":6,"prober":"p1","incarnation":2,"seq":1}`)
		w.wantStatus("home", "ok")
		stop()
		w.live("pharos.heartbeat.berlin.p1", `{"incarnation":2,"seq":100,"leaving":true}`)
		w.wantStatus("home", "stale")
		if p := w.s.Hops.Probers[0]; !p.Left {
			t.Errorf("the goodbye is not told: %v", p)
		}
	})
}

func TestNewestWins(t *testing.T) {
	for name, c := range map[string]struct {
		results []string
		want    string
	}{
		"a later number":                           {[]string{`{"status":"ok","prober":"p","incarnation":5,"seq":1}`, `{"status":"critical","prober":"p","incarnation":5,"seq":2}`}, "critical"},
		"not a duplicate":                          {[]string{`{"status":"ok","prober":"p","incarnation":5,"seq":2}`, `{"status":"critical","prober":"p","incarnation":5,"seq":2}`}, "ok"},
		"not an older one":                         {[]string{`{"status":"ok","prober":"p","incarnation":5,"seq":2}`, `{"status":"critical","prober":"p","incarnation":5,"seq":1}`}, "ok"},
		"a later process":                          {[]string{`{"status":"ok","prober":"p","incarnation":5,"seq":9}`, `{"status":"critical","prober":"p","incarnation":6,"seq":1}`}, "critical"},
		"not an older one'":                        {[]string{`{"status":"ok","prober":"p","incarnation":5,"seq":9}`, `{"status":"critical","prober":"p","incarnation":4,"seq":10}`}, "ok"},
		"not another prober while the first lives": {[]string{`{"status":"ok","prober":"p","incarnation":5,"seq":9}`, `{"status":"critical","prober":"q","incarnation":6,"seq":10}`}, "ok"},
		"any without numbers":                      {[]string{`{"status":"ok"}`, `{"status":"critical"}`}, "critical"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Options{}, func(w *world) {
				for _, r := range c.results {
					w.live(subjectOf("a.b.c", r), r)
				}
				w.pass(structureGap)
				w.wantStatus("c", c.want)
			})
		})
	}
}

func TestAProberWhoseClockWasTurnedBackIsBelieved(t *testing.T) {
	in(t, Options{}, func(w *world) {
		stop := w.beat("a", "p", 5000)
		w.live("pharos.result.a.p.b.c", `{"status":"ok","prober":"p","incarnation":5000,"seq":9,"ttl":600}`)
		stop()
		w.pass(4 * time.Second)
		w.beat("a", "p", 1000)
		w.live("pharos.result.a.p.b.c", `{"status":"critical","prober":"p","incarnation":1000,"seq":1,"ttl":600}`)
		w.wantStatus("c", "critical")
	})
}

func TestTwoProbersOfOneWatcherAreNamed(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.beat("a", "p", 1)
		w.beat("a", "q", 1)
		w.live("pharos.result.a.p.b.c", `{"status":"ok","prober":"p","incarnation":1,"seq":1}`)
		w.live("pharos.result.a.q.b.c", `{"status":"critical","prober":"q","incarnation":1,"seq":1}`)
		w.pass(time.Second)
		notices := fmt.Sprint(w.s.Hops.Notices)
		if want := `published twice: "c", by a/p and by a/q; shown is a/p`; !strings.Contains(notices, want) {
			t.Errorf("notices %s, want %s", notices, want)
		}
		w.pass(pharos.DefaultTTL + time.Second)
		if notices := fmt.Sprint(w.s.Hops.Notices); notices != "[]" {
			t.Errorf("after the second is gone the notices are %s", notices)
		}
	})
}

func TestSnapshotsAreAsOldAsTheyAre(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.apply("pharos.push.a.b.old", `{"status":"ok","ttl":6,"for":100}`, 7*time.Second, false)
		w.apply("pharos.push.a.b.new", `{"status":"ok","ttl":6,"for":100,"flickers":[{"status":"critical","lasted":3,"ago":10}]}`, time.Second, false)
		w.live("pharos.push.a.b.live", `{"status":"ok"}`)
		w.apply("pharos.push.a.b.live", `{"status":"critical"}`, time.Minute, false)
		w.pass(structureGap)
		w.wantStatus("old", "stale")
		w.wantStatus("new", "ok")
		w.wantStatus("live", "ok")
		if f := w.s.Tile("new")["f"]; f != -101. {
			t.Errorf("ok since %v, want 101 s before the start", f)
		}
		if k := w.s.Tile("new")["k"].(map[string]any); k["e"] != -11. {
			t.Errorf("flicker %v, want its end 11 s before the start", k)
		}
	})
}

func TestRosters(t *testing.T) {
	names := func(s *screen) string {
		var out []string
		for _, set := range s.Sets {
			var tiles []string
			for _, i := range set.Tiles {
				tile := s.Tiles[i]
				name := tile["name"].(string)
				if site, ok := tile["site"]; ok {
					name += "@" + site.(string)
				}
				tiles = append(tiles, name)
			}
			out = append(out, fmt.Sprintf("%s: %s", set.Name, strings.Join(tiles, " ")))
		}
		return strings.Join(out, "; ")
	}
	in(t, Options{}, func(w *world) {
		check := func(want string) {
			t.Helper()
			w.pass(structureGap)
			if got := names(w.s); got != want {
				t.Errorf("the board has %q, want %q", got, want)
			}
		}
		w.beat("oslo", "p2", 1)
		w.beat("berlin", "p1", 1)
		w.roster("oslo", "p2", 1, 1, set("Shop", "home"), set("Mail", "smtp"))
		w.live("pharos.push.ci.jobs.a-job", `{"status":"ok","name":"A job","set":"Jobs"}`)
		w.roster("berlin", "p1", 1, 1, set("Zebra", "z"), set("Shop", "cart", "home"))
		check("Zebra: z; Shop: cart home@berlin home@oslo; Mail: smtp; Jobs: A job")
		w.roster("berlin", "p1", 1, 2, set("Shop", "home"))
		check("Shop: home@berlin home@oslo; Mail: smtp; Jobs: A job")
		w.roster("berlin", "p1", 1, 1, set("Old", "old")) // an older one changes nothing
		check("Shop: home@berlin home@oslo; Mail: smtp; Jobs: A job")
		w.live("pharos.result.berlin."+pharos.Token("Zebra")+".z", `{"status":"ok","prober":"p1","incarnation":1,"seq":99}`) // of a watcher that is no more
		check("Shop: home@berlin home@oslo; Mail: smtp; Jobs: A job")
		w.live("pharos.forget", `{"watcher":"ci.jobs.a-job"}`)
		check("Shop: home@berlin home@oslo; Mail: smtp")
	})
}

func TestALargeRosterComesInParts(t *testing.T) {
	in(t, Options{}, func(w *world) {
		var names []string
		for i := range 1000 {
			names = append(names, fmt.Sprintf("Watcher number %d", i))
		}
		w.roster("berlin", "p1", 1, 1, set("A", names[:10]...), set("B", names[10:]...))
		w.pass(structureGap)
		if len(w.s.Tiles) != 1000 || len(w.s.Sets) != 2 {
			t.Errorf("%d tiles in %d sets", len(w.s.Tiles), len(w.s.Sets))
		}
		if got := w.s.Tiles[999]["name"]; got != "Watcher number 999" {
			t.Errorf("the last tile is %v", got)
		}
	})
}

func TestMissedTicksAreToldForTenMinutes(t *testing.T) {
	in(t, Options{}, func(w *world) {
		missed := func(want uint64) {
			t.Helper()
			if got := uint64(w.s.Hops.Probers[0].Missed); got != want {
				t.Errorf("missed %v lately, want %v", got, want)
			}
		}
		n := 0
		beat := func(count, times int) {
			for range times {
				n++
				w.live("pharos.heartbeat.a.p", fmt.Sprintf(`{"incarnation":1,"seq":%d,"missed":%d}`, n, count))
				w.pass(time.Second - urgentGap)
			}
		}
		beat(0, 2)
		beat(5, 300)
		missed(5)
		beat(7, 280)
		missed(7)
		beat(7, 100)
		missed(2) // the first five are too long ago
		beat(7, 400)
		missed(0)
		beat(9, 2)
		missed(2)
		if s := w.b.State(w.ctx); s.Probers[0].Missed != 9 {
			t.Errorf("missed %d in all, want 9", s.Probers[0].Missed)
		}
	})
}

// TestMissedTicksOfLongAgo: of a process that this board has just met, nobody knows when they were.
func TestMissedTicksOfLongAgo(t *testing.T) {
	in(t, Options{}, func(w *world) {
		for n, row := range []struct{ count, want int }{{500, 0}, {503, 3}} {
			w.live("pharos.heartbeat.a.p", fmt.Sprintf(`{"incarnation":1,"seq":%d,"uptime":%d,"missed":%d}`, n+1, 3600+n, row.count))
			w.pass(time.Second)
			if got := w.s.Hops.Probers[0].Missed; int(got) != row.want {
				t.Errorf("of %d in all: missed %v lately, want %d", row.count, got, row.want)
			}
		}
	})
}

func TestForgetAProber(t *testing.T) {
	in(t, Options{}, func(w *world) {
		stop := w.beat("berlin", "p1", 1)
		w.roster("berlin", "p1", 1, 1, set("Shop", "home"))
		w.live("pharos.result.berlin."+pharos.Token("Shop")+".home", `{"status":"ok","prober":"p1","incarnation":1,"seq":1}`)
		stop()
		w.pass(time.Hour)
		w.wantStatus("home", "stale") // absence never removes
		w.live("pharos.forget", `{"prober":"berlin/p1"}`)
		w.pass(time.Second)
		if len(w.s.Tiles) != 0 || len(w.s.Hops.Probers) != 0 {
			t.Errorf("still there: %v %v", w.s.Tiles, w.s.Hops)
		}
	})
}

func TestFramesHoldWhatChangedAndKeepTheirPace(t *testing.T) {
	in(t, Options{}, func(w *world) {
		for _, n := range []string{"a", "b"} {
			w.live("pharos.push.x.y."+n, `{"status":"ok","value":0.1,"unit":"s"}`)
		}
		w.pass(structureGap)
		before := w.s.frames()
		w.live("pharos.push.x.y.a", `{"status":"ok","value":0.1001,"unit":"s"}`)
		if w.s.frames() != before {
			t.Error("a frame, although what is shown is the same")
		}
		for i := range 100 { // values wait for each other, within 10 ms for one screen
			w.b.Apply("pharos.push.x.y.a", fmt.Appendf(nil, `{"status":"ok","value":%d}`, i), 0, true)
			time.Sleep(100 * time.Microsecond)
		}
		w.pass(urgentGap)
		if n := w.s.frames() - before; n < 1 || n > 3 {
			t.Errorf("%d frames for 100 values within 10 ms", n)
		}
		if v := w.s.Tile("a")["v"]; v != "99" {
			t.Errorf("the last value is %v", v)
		}
		before = w.s.frames()
		w.apply("pharos.push.x.y.b", `{"status":"critical"}`, 0, true) // no time passes
		if n := w.s.frames() - before; n != 1 {
			t.Errorf("a change of status: %d frames at once, want 1", n)
		}
		events := len(w.s.Events)
		w.pass(3500 * time.Millisecond)
		if got := strings.Join(w.s.Events[events:], " "); got != "beat beat beat" {
			t.Errorf("in silence came %q", got)
		}
	})
}

func TestAScreenFarBehindSkipsToASnapshot(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.live("pharos.push.x.y.a", `{"status":"ok"}`)
		w.pass(structureGap)
		slow, err := w.b.Join(w.ctx, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Leave()
		s := &screen{t: t}
		s.read(slow.Next(w.ctx).Bytes)
		for i := range 200 {
			w.live("pharos.push.x.y.a", fmt.Sprintf(`{"status":%q,"value":%d}`, []string{"ok", "warning"}[i%2], i))
			w.pass(urgentGap)
		}
		s.Events = nil
		s.read(slow.Next(w.ctx).Bytes)
		if got := strings.Join(s.Events, " "); got != "board" {
			t.Errorf("the next event is %q, want a snapshot", got)
		}
		if diff := cmp.Diff(w.s.Tiles, s.Tiles); diff != "" {
			t.Error("the snapshot is not what the others see:\n" + diff)
		}
	})
}

func TestSnapshotsAreSharedByAllWhoComeAtOnce(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.live("pharos.push.x.y.a", `{"status":"ok"}`)
		w.pass(structureGap)
		var first *Event
		for range 10 {
			s, err := w.b.Join(w.ctx, Filter{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Leave()
			snapshot := s.Next(w.ctx)
			if first == nil {
				first = snapshot
			}
			if snapshot != first {
				t.Fatal("encoded again for a screen that came at the same time")
			}
		}
	})
}

func TestFilters(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.live("pharos.push.oslo.shop.a", `{"status":"ok"}`)
		w.live("pharos.push.oslo.mail.b", `{"status":"ok"}`)
		w.live("pharos.push.berlin.shop.c", `{"status":"ok","site":"Berlin"}`)
		w.pass(structureGap)
		shop, oslo, none := w.join(Filter{Sets: []string{"shop"}}), w.join(Filter{Sites: []string{"oslo"}}), w.join(Filter{Sets: []string{"no such set"}})
		for name, c := range map[string]struct {
			s    *screen
			want int
		}{"set": {shop, 2}, "site": {oslo, 2}, "unknown": {none, 0}} {
			if len(c.s.Tiles) != c.want {
				t.Errorf("%s: %d tiles, want %d", name, len(c.s.Tiles), c.want)
			}
		}
		w.live("pharos.push.berlin.shop.c", `{"status":"critical"}`)
		if shop.status("c") != "critical" || oslo.frames() != 0 || none.frames() != 0 {
			t.Errorf("shop sees c %v; oslo got %d frames, none %d", shop.status("c"), oslo.frames(), none.frames())
		}
	})
	in(t, Options{}, func(w *world) {
		for i := range maxFilters {
			w.join(Filter{Sets: []string{fmt.Sprint("s", i)}})
		}
		if _, err := w.b.Join(w.ctx, Filter{Sets: []string{"one-more"}}); err != ErrTooManyFilters {
			t.Errorf("one filter more: %v, want %v", err, ErrTooManyFilters)
		}
		if _, err := w.b.Join(w.ctx, Filter{Sets: make([]string, 33)}); err != ErrFilter {
			t.Errorf("33 sets: %v, want %v", err, ErrFilter)
		}
		w.join(Filter{})
	})
}

func TestFloods(t *testing.T) {
	in(t, Options{MaxWatchers: 1500}, func(w *world) {
		w.live("pharos.push.x.y.real", `{"status":"ok","ttl":2}`)
		for i := range 5000 {
			w.b.Apply(fmt.Sprintf("pharos.push.x.y.w%d", i), []byte(`{"status":"ok"}`), 0, true)
		}
		w.b.Apply("pharos.push.x.*.w", []byte(`{"status":"ok"}`), 0, true)
		w.b.Apply("pharos.push.x.y.z", []byte(`{"status":"ok","value":NaN}`), 0, true)
		w.b.Apply("pharos.push.x.y.fine", []byte(`{"status":"fine"}`), 0, true)
		w.b.Apply("pharos.push.x.y.z", bytes.Repeat([]byte("x"), pharos.MaxMessage+1), 0, true)
		w.b.Apply("pharos.push.x.y.none", []byte(`{}`), 0, true)
		w.pass(100 * time.Millisecond)
		drops := w.b.Drops()
		want := map[string]uint64{"flood": 4000, "subject": 1, "not_json": 2, "too_large": 1, "invalid": 1}
		if diff := cmp.Diff(want, drops); diff != "" {
			t.Error("drops, want -, got +\n" + diff)
		}
		for i := range 1000 {
			w.live(fmt.Sprintf("pharos.push.x.y.later%d", i), `{"status":"ok"}`)
			w.pass(10 * time.Millisecond)
		}
		if n := w.b.Drops()["full"]; n != 501 {
			t.Errorf("%d dropped since the board is full, want 501", n)
		}
		w.live("pharos.push.x.y.real", `{"status":"ok","ttl":2}`)
		w.wantStatus("real", "ok")
		w.beat("s", "p", 1)
		w.roster("s", "p", 1, 1, set("Set", "announced"))
		w.pass(structureGap)
		w.wantStatus("announced", "waiting") // it has the place of one that nobody announced
	})
}

func TestARosterThatDoesNotArriveIsAskedForAndNamed(t *testing.T) {
	var asked []time.Duration
	in(t, Options{}, func(w *world) {
		w.pass(time.Second)
		began := time.Now()
		w.b.o.Refresh = func(prober string) {
			if prober != "a/p" {
				t.Errorf("asked %q", prober)
			}
			asked = append(asked, time.Since(began).Round(time.Second))
		}
		beat := func(n int) {
			w.live("pharos.heartbeat.a.p", fmt.Sprintf(`{"incarnation":1,"seq":%d,"roster":1,"watchers":2}`, n))
			w.pass(time.Second - urgentGap)
		}
		for n := range 4 {
			beat(n + 1)
		}
		w.wantNotices("a p: its list of 2 watchers does not arrive here; may NATS pass on pharos.roster.a.p.> and pharos.refresh?")
		for n := range 146 {
			beat(n + 5)
		}
		want := []time.Duration{0, 4 * time.Second, 12 * time.Second, 28 * time.Second, 60 * time.Second, 120 * time.Second}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Error("asked at, want -, got +\n" + diff)
		}
		w.roster("a", "p", 1, 1, set("S", "w", "x"))
		for n := range 60 {
			beat(n + 151)
		}
		if len(asked) > len(want)+1 { // one was owed already
			t.Errorf("asked %d times more although the roster is there", len(asked)-len(want))
		}
		w.wantNotices()
	})
}

func TestStateIsWhatTheScreensSee(t *testing.T) {
	in(t, Options{Title: "T"}, func(w *world) {
		w.live("pharos.push.a.b.c", `{"status":"warning","value":1.5,"unit":"s","for":10,"detail":"d","ttl":5}`)
		w.pass(2*time.Second - urgentGap)
		s := w.b.State(w.ctx)
		tile := s.Sets[0].Tiles[0]
		if tile.Display != "1.50" || tile.Unit != "s" || tile.Result.For.Duration() != 12*time.Second || tile.Stale || tile.Result.Detail != "d" {
			t.Errorf("%+v", tile)
		}
		w.pass(4 * time.Second)
		if tile, ok := w.b.Tile(w.ctx, "a.b.c"); !ok || !tile.Stale {
			t.Errorf("%+v, %v: want it stale", tile, ok)
		}
		if _, ok := w.b.Tile(w.ctx, "a.b.d"); ok {
			t.Error("a tile that is not there")
		}
	})
}

func TestSleepCounts(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.live("pharos.push.a.b.c", `{"status":"ok","ttl":60}`)
		w.pass(time.Second)
		w.wantStatus("c", "ok")
		w.suspended.Store(int64(time.Hour))
		w.pass(2 * sweepEvery)
		w.wantStatus("c", "stale")
	})
}

// town is a prober with pages, and references if any are named; it returns a
// function that publishes a status of one of them.
func (w *world) town(site string, pages int, references ...string) (say func(name, status string)) {
	s := pharos.RosterSet{Name: "set"}
	for i := range pages {
		s.Watchers = append(s.Watchers, pharos.RosterWatcher{Name: fmt.Sprint("p", i), Kind: "page", Network: true, Interval: pharos.Seconds(2 * time.Second)})
	}
	for _, name := range references {
		s.Watchers = append(s.Watchers, pharos.RosterWatcher{Name: name, Kind: "command", Reference: true, Interval: pharos.Seconds(2 * time.Second)})
	}
	w.beat(site, site, 1)
	w.roster(site, site, 1, 1, s)
	n := 0
	say = func(name, status string) {
		w.Helper()
		n++
		w.live("pharos.result."+site+"."+site+".set."+name, fmt.Sprintf(`{"status":%q,"summary":"connection refused","prober":%q,"incarnation":1,"seq":%d,"ttl":600}`, status, site, n))
	}
	for _, watcher := range s.Watchers {
		say(watcher.Name, "ok")
	}
	w.pass(structureGap)
	return say
}

func TestCommonCause(t *testing.T) {
	notices := func(w *world) string { w.pass(time.Second); return fmt.Sprint(w.s.Hops.Notices) }
	in(t, Options{}, func(w *world) { // without references: said, and nothing hidden
		say := w.town("berlin", 4)
		say("p0", "critical")
		say("p1", "critical")
		if got := notices(w); got != "[]" {
			t.Errorf("two of four are no common cause: %s", got)
		}
		say("p2", "critical")
		if got, want := notices(w), "[3 of 4 turned critical at once: is it berlin's own network?]"; got != want {
			t.Errorf("notices %s, want %s", got, want)
		}
		w.wantStatus("p2", "critical")
		say("p1", "ok")
		if got := notices(w); got != "[]" {
			t.Errorf("after one healed: %s", got)
		}
	})
	in(t, Options{}, func(w *world) { // one by one
		say := w.town("berlin", 4)
		for i := range 4 {
			say(fmt.Sprint("p", i), "critical")
			w.pass(5 * time.Second)
		}
		if got := notices(w); got != "[]" {
			t.Errorf("one every five seconds: %s", got)
		}
	})
	in(t, Options{}, func(w *world) { // others see the same
		berlin, oslo := w.town("berlin", 3), w.town("oslo", 3)
		for i := range 3 {
			berlin(fmt.Sprint("p", i), "critical")
			oslo(fmt.Sprint("p", i), "critical")
		}
		if got := notices(w); got != "[]" {
			t.Errorf("both probers see it: %s", got)
		}
	})
	in(t, Options{}, func(w *world) { // another's trouble of long ago hides nothing, nor does a later one
		paris, berlin, oslo := w.town("paris", 3), w.town("berlin", 3, "gateway"), w.town("oslo", 3)
		const ofParis, ofBerlin = "3 of 3 turned critical at once: is it paris's own network?", `berlin is cut off: its reference "gateway" fails, and 3 of 3 turned critical at once`
		red := func(say func(name, status string)) {
			for i := range 3 {
				say(fmt.Sprint("p", i), "critical")
			}
			w.pass(5 * time.Second)
		}
		red(paris)
		w.wantNotices(ofParis)
		w.pass(5 * time.Minute)
		berlin("gateway", "critical")
		red(berlin)
		w.wantNotices(ofBerlin, ofParis)
		if tile, _ := w.b.Tile(w.ctx, "berlin.set.p0"); tile.Result.Status != pharos.Unknown {
			t.Errorf("berlin's p0 is %v, want unknown", tile.Result.Status)
		}
		red(oslo)
		w.wantNotices(ofBerlin, "3 of 3 turned critical at once: is it oslo's own network?", ofParis)
	})
	in(t, Options{}, func(w *world) { // with a reference that fails as well
		say := w.town("berlin", 3, "gateway")
		for i := range 3 {
			say(fmt.Sprint("p", i), "critical")
		}
		w.pass(time.Second)
		w.wantStatus("p0", "critical")
		say("gateway", "critical")
		if got, want := notices(w), `[berlin is cut off: its reference "gateway" fails, and 3 of 3 turned critical at once]`; got != want {
			t.Errorf("notices %s, want %s", got, want)
		}
		w.wantStatus("gateway", "critical")
		w.wantStatus("p0", "unknown")
		if m := w.s.Tile("p0")["m"]; m != `berlin is cut off, its reference "gateway" fails; it says: connection refused` {
			t.Errorf("the tile says %v", m)
		}
		if tile, _ := w.b.Tile(w.ctx, "berlin.set.p0"); tile.Result.Status != pharos.Unknown {
			t.Errorf("the API says %v", tile.Result.Status)
		}
		say("gateway", "ok")
		w.pass(time.Second)
		w.wantStatus("p0", "critical")
	})
	in(t, Options{}, func(w *world) { // a reference that has long been red proves nothing, another does
		say := w.town("berlin", 3, "gateway", "resolver")
		say("gateway", "critical")
		w.pass(2 * time.Minute)
		for i := range 3 {
			say(fmt.Sprint("p", i), "critical")
		}
		if got, want := notices(w), "[3 of 3 turned critical at once: is it berlin's own network?]"; got != want {
			t.Errorf("notices %s, want %s", got, want)
		}
		w.wantStatus("p0", "critical")
		say("resolver", "critical")
		w.pass(time.Second)
		w.wantStatus("p0", "unknown")
	})
	in(t, Options{}, func(w *world) { // nor does one that is alone
		say := w.town("berlin", 3, "gateway")
		say("gateway", "critical")
		w.pass(2 * time.Minute)
		for i := range 3 {
			say(fmt.Sprint("p", i), "critical")
		}
		w.pass(time.Second)
		w.wantStatus("p0", "critical")
	})
}

func TestARightThatNATSRefusesAProberIsNamed(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.live("pharos.heartbeat.berlin.p1", `{"incarnation":1,"seq":1,"denied":"not allowed to publish on \"pharos.result.berlin.p1.shop.home\""}`)
		w.pass(structureGap)
		want := []string{`berlin p1, NATS: not allowed to publish on "pharos.result.berlin.p1.shop.home"`}
		if diff := cmp.Diff(want, w.s.Hops.Notices); diff != "" {
			t.Error(diff)
		}
		w.live("pharos.heartbeat.berlin.p1", `{"incarnation":1,"seq":2}`)
		w.pass(structureGap)
		if diff := cmp.Diff([]string{}, w.s.Hops.Notices); diff != "" {
			t.Errorf("it is named although it was given: %s", diff)
		}
	})
}
