package prober

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"pharos/internal/bus"
	"pharos/internal/bus/embedded"
	"pharos/internal/clock"
	"pharos/internal/config"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
	"pharos/internal/schedule"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	return pharostest.Config(t, text, Kinds()...)
}

// ear hears everything on a server.
type ear struct {
	*pharostest.Ear
	t *testing.T
}

func listen(t *testing.T, s *embedded.Server) *ear {
	t.Helper()
	return &ear{pharostest.Hear(t, "", nats.InProcessServer(s), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond)), t}
}

func (e *ear) result(name string, is func(r pharos.Result) bool) pharos.Result {
	e.t.Helper()
	var out pharos.Result
	e.Until("a result of "+name, func(s pharos.Subject, data []byte) bool {
		if s.Type != pharos.MessageResult || s.Watcher != pharos.Token(name) {
			return false
		}
		r, err := pharos.ParseResult(data)
		if err != nil {
			e.t.Fatalf("a prober sent %s: %v", data, err)
		}
		out = r
		return !r.Running && is(r) // a busy machine can make a command last longer than its interval
	})
	return out
}

func any1(pharos.Result) bool { return true }

func run(t *testing.T, c *config.Config, o bus.Options) (p *Prober, stop func()) {
	t.Helper()
	p, err := New(Options{Config: c, Version: "test", Bus: o, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return p, pharostest.Run(t, p.Run)
}

const two = `
site: Berlin City
prober: p1
sets:
  - name: Set
    watchers:
      - {name: Quick, command: "true", interval: 100ms}
      - {name: Seldom, command: "true", interval: 1h}
`

func TestItSaysWhoItIsWhatItWatchesAndGoodbye(t *testing.T) {
	s := pharostest.Broker(t, embedded.Options{})
	e := listen(t, s)
	_, stop := run(t, parse(t, two), bus.Options{InProcess: s})
	var roster pharos.Roster
	e.Until("the roster", func(s pharos.Subject, data []byte) bool {
		if s.Type != pharos.MessageRoster {
			return false
		}
		var err error
		roster, err = pharos.ParseRoster(data)
		return err == nil
	})
	if roster.Site != "Berlin City" || roster.Prober != "p1" || len(roster.Sets) != 1 || len(roster.Sets[0].Watchers) != 2 {
		t.Errorf("the roster is %+v", roster)
	}
	r := e.result("Quick", any1)
	if r.Status != pharos.OK || r.Incarnation == 0 || r.Seq == 0 || r.TTL <= 0 {
		t.Errorf("the result is %+v", r)
	}
	e.Until("a beat that knows the roster", func(s pharos.Subject, data []byte) bool {
		b, err := pharos.ParseHeartbeat(data)
		return s.Type == pharos.MessageHeartbeat && err == nil && b.Watchers == 2 && b.Roster == roster.Seq && b.Version == "test"
	})
	stop()
	e.Until("a goodbye", func(s pharos.Subject, data []byte) bool {
		b, err := pharos.ParseHeartbeat(data)
		return s.Type == pharos.MessageHeartbeat && err == nil && b.Leaving
	})
}

func TestARefreshBringsAllAgain(t *testing.T) {
	s := pharostest.Broker(t, embedded.Options{})
	e := listen(t, s)
	run(t, parse(t, two), bus.Options{InProcess: s})
	first := e.result("Seldom", any1)
	e.Say(pharos.SubjectRefresh, "")
	again := e.result("Seldom", any1) // it does not run for an hour
	if again.Seq <= first.Seq || again.For <= first.For || again.TTL >= first.TTL {
		t.Errorf("sent again as %+v, was %+v: want a later number, a longer time in the status, an earlier deadline", again, first)
	}
	beats := 0
	e.Until("what was asked for before", func(s pharos.Subject, _ []byte) bool {
		if s.Type == pharos.MessageHeartbeat {
			beats++
		}
		return beats > 5
	})
	// A board that comes now learns the names at once, and has heartbeats to count by
	// until the next round.
	e.Say(pharos.SubjectRefresh, "")
	e.Until("the roster", func(s pharos.Subject, _ []byte) bool { return s.Type == pharos.MessageRoster })
	heartbeats := 0
	e.Until("the result that does not run for an hour", func(s pharos.Subject, _ []byte) bool {
		if s.Type == pharos.MessageHeartbeat {
			heartbeats++
		}
		return s.Type == pharos.MessageResult && s.Watcher == pharos.Token("Seldom")
	})
	if heartbeats == 0 {
		t.Error("the roster waited for the round of the results")
	}
}

// TestBeatsTellTheirOwnTime: boards tell by it which heartbeats have waited somewhere.
func TestBeatsTellTheirOwnTime(t *testing.T) {
	s := pharostest.Broker(t, embedded.Options{})
	e := listen(t, s)
	run(t, parse(t, two), bus.Options{InProcess: s})
	var uptimes []pharos.Seconds
	e.Until("five heartbeats", func(s pharos.Subject, data []byte) bool {
		if s.Type == pharos.MessageHeartbeat {
			b, err := pharos.ParseHeartbeat(data)
			if err != nil {
				t.Fatal(err)
			}
			uptimes = append(uptimes, b.Uptime)
		}
		return len(uptimes) == 5
	})
	if !slices.IsSorted(uptimes) || uptimes[4] < pharos.Seconds(time.Second/2) {
		t.Errorf("uptimes of five heartbeats: %v", uptimes)
	}
}

func TestAfterAnOutageAllIsSentAgainWithWhatFlickeredMeanwhile(t *testing.T) {
	dir := t.TempDir()
	s := pharostest.Broker(t, embedded.Options{Listen: "127.0.0.1:0"})
	address := s.Addr()
	file := dir + "/broken"
	c := parse(t, fmt.Sprintf(`
prober: p1
sets:
  - name: Set
    watchers:
      - {name: Flickers, command: "test ! -e %s", interval: 100ms}
      - {name: Seldom, command: "true", interval: 1h}`, file))
	e := listen(t, s)
	p, _ := run(t, c, bus.Options{URL: "nats://" + address})
	e.result("Seldom", any1)
	e.result("Flickers", func(r pharos.Result) bool { return r.Status == pharos.OK })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The target flickers while nobody hears of it.
	id := c.Watchers[0].ID
	status := func(want pharos.Status) {
		t.Helper()
		pharostest.Eventually(t, func() error {
			p.outbox.mu.Lock()
			defer p.outbox.mu.Unlock()
			if got := p.outbox.items[id].report.Result.Status; got != want {
				return fmt.Errorf("the watcher is %v, want %v", got, want)
			}
			return nil
		})
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	status(pharos.Critical)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	status(pharos.OK)

	// The prober may be back before an ear is, which then asks for all.
	s = pharostest.Broker(t, embedded.Options{Listen: address})
	e = listen(t, s)
	e.Say(pharos.SubjectRefresh, "")
	var r pharos.Result
	seldom := false // it does not run for an hour
	e.Until("both results again", func(s pharos.Subject, data []byte) bool {
		if s.Type != pharos.MessageResult {
			return false
		}
		got, err := pharos.ParseResult(data)
		if err != nil {
			t.Fatal(err)
		}
		if s.Watcher == pharos.Token("Seldom") {
			seldom = true
		} else if r.Status == pharos.Waiting {
			r = got
		}
		return seldom && r.Status != pharos.Waiting
	})
	if r.Status != pharos.OK || len(r.Flickers) != 1 || r.Flickers[0].Status != pharos.Critical {
		t.Errorf("after the outage came %+v, want ok with the flicker inside it", r)
	}
}

func TestItGoesOnWhereAnEarlierProcessStopped(t *testing.T) {
	s := pharostest.Broker(t, embedded.Options{})
	nc := pharostest.Connect(t, "", nats.InProcessServer(s))
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "PHAROS", Subjects: []string{"pharos.result.>", "pharos.roster.>", "pharos.heartbeat.>"}, MaxMsgsPerSubject: 1, AllowDirect: true, Storage: nats.MemoryStorage}); err != nil {
		t.Fatal(err)
	}
	c := parse(t, two)
	future := time.Now().Add(time.Hour).UnixMilli() // the clock was turned back since
	earlier := fmt.Sprintf(`{"status":"ok","for":3600,"prober":"p1","incarnation":%d,"seq":5,"flickers":[{"status":"critical","lasted":3,"ago":60}]}`, future)
	if _, err := js.Publish(pharos.ResultSubject(pharos.Token(c.Prober), c.Watchers[0].ID), []byte(earlier)); err != nil {
		t.Fatal(err)
	}
	e := listen(t, s)
	run(t, c, bus.Options{InProcess: s})
	r := e.result("Quick", any1)
	if r.For.Duration() < time.Hour || len(r.Flickers) != 1 || r.Flickers[0].Lasted.Duration() != 3*time.Second {
		t.Errorf("the first result is %+v, want it to go on from the hour and the flicker before", r)
	}
	if r.Incarnation <= future {
		t.Errorf("epoch %d is not after %d: boards would take this process for the older", r.Incarnation, future)
	}
}

func TestARejectedFileIsToldInTheBeat(t *testing.T) {
	s := pharostest.Broker(t, embedded.Options{})
	e := listen(t, s)
	p, _ := run(t, parse(t, two), bus.Options{InProcess: s})
	p.Reject(errors.New("pharos.yaml: line 3: bad\npharos.yaml: line 4: worse"))
	e.Until("the reason", func(s pharos.Subject, data []byte) bool {
		b, err := pharos.ParseHeartbeat(data)
		return s.Type == pharos.MessageHeartbeat && err == nil && b.Rejected == "pharos.yaml: line 3: bad (and 1 more)"
	})
	if err := p.Apply(parse(t, two)); err != nil {
		t.Error(err)
	}
	e.Until("no reason any more", func(s pharos.Subject, data []byte) bool {
		b, err := pharos.ParseHeartbeat(data)
		return s.Type == pharos.MessageHeartbeat && err == nil && b.Rejected == ""
	})
}

func TestSecretsDoNotLeave(t *testing.T) {
	s := pharostest.Broker(t, embedded.Options{})
	e := listen(t, s)
	c, err := config.Parse("test.yaml", []byte(`
sets: [{name: Set, watchers: [{name: Leaky, command: "echo the word is ${THE_SECRET}; exit 1", interval: 100ms}]}]`),
		func(name string) (string, bool) { return "xyzzy-plugh", name == "THE_SECRET" }, Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	run(t, c, bus.Options{InProcess: s})
	r := e.result("Leaky", any1)
	if !strings.Contains(r.Detail, "the word is") {
		t.Errorf("the detail is %q, want the output", r.Detail)
	}
	n := 0
	e.Until("twenty messages", func(_ pharos.Subject, data []byte) bool {
		if n++; strings.Contains(string(data), "xyzzy") {
			t.Errorf("got %s", data)
		}
		return n == 20
	})
}

func TestTheOutboxHoldsTheNewestOfEachWatcherOnce(t *testing.T) {
	s := pharostest.Broker(t, embedded.Options{})
	e := listen(t, s)
	conn, err := bus.Connect(t.Context(), bus.Options{InProcess: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	<-conn.Connected()
	o := newOutbox(clock.New(nil), 1)
	out := &publisher{self: identity{siteToken: "local", proberToken: "p1"}, outbox: o, conn: conn, sharing: newSharing(o.clock, "p1"), log: slog.New(slog.DiscardHandler)}
	sendNews := func() {
		for _, it := range o.takeNews() {
			out.send(it)
		}
	}
	for _, status := range []pharos.Status{pharos.OK, pharos.Warning, pharos.Critical} {
		o.put(schedule.Report{ID: "local.set.a", Result: pharos.Result{Status: status}})
		o.put(schedule.Report{ID: "local.set.gone", Result: pharos.Result{Status: status}})
	}
	o.adopt(nil, []pharos.WatcherID{"local.set.gone"})
	sendNews()
	o.put(schedule.Report{ID: "local.set.last", Result: pharos.Result{Status: pharos.OK}})
	sendNews()
	var got []string
	e.Until("the last", func(s pharos.Subject, data []byte) bool {
		r, err := pharos.ParseResult(data)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(s.Watcher, " ", r.Status, " ", r.Seq))
		return s.Watcher == "last"
	})
	if want := "[a critical 1 last ok 2]"; fmt.Sprint(got) != want {
		t.Errorf("sent %v, want %s", got, want)
	}
}

func TestAFileAppliedBeforeThereIsAConnectionIsTheOneThatRuns(t *testing.T) {
	silent := pharostest.Listen(t) // the first attempt takes its time
	dir := t.TempDir()
	file := func(name string) *config.Config {
		return parse(t, fmt.Sprintf(`
prober: p1
sets: [{name: Set, watchers: [{name: %s, command: "touch %s/%s", interval: 100ms}]}]`, name, dir, name))
	}
	p, stop := run(t, file("old"), bus.Options{URL: "nats://" + silent.Addr().String()})
	if err := p.Apply(file("new")); err != nil {
		t.Fatal(err)
	}
	there := func(name string) bool { _, err := os.Stat(dir + "/" + name); return err == nil }
	pharostest.Eventually(t, func() error {
		if !there("new") {
			return errors.New("the new file's watcher does not run")
		}
		return nil
	})
	if err := os.RemoveAll(dir + "/old"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // five intervals
	if there("old") {
		t.Error("the old file's watcher runs")
	}
	stop() // who says nothing is not waited for
}

const pushed = `
site: Berlin City
prober: p1
sets:
  - name: Set
    watchers:
      - {name: Backup, push: 3s, interval: 100ms}
      - {name: Unheard, push: 1h, interval: 100ms}
      - {name: Both, group: [Backup], interval: 1h}
`

func TestAPushIsTakenAndMissed(t *testing.T) {
	s := pharostest.Broker(t, embedded.Options{StoreDir: t.TempDir()})
	o := bus.Options{InProcess: s}
	// A dashboard makes the store.
	c, err := bus.Connect(t.Context(), bus.Options{InProcess: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	made := make(chan struct{})
	pharostest.Run(t, func(ctx context.Context) error {
		defer c.Close(context.WithoutCancel(ctx))
		return c.Follow(ctx, bus.Follow{Create: true, Handle: func(bus.Message) {}, SnapshotDone: sync.OnceFunc(func() { close(made) })})
	})
	<-made
	hear := listen(t, s)
	_, stop := run(t, parse(t, pushed), o)
	backup := pharos.MakeID(pharos.Token("Berlin City"), pharos.Token("Set"), pharos.Token("Backup"))
	push := func(text string) { hear.Say(pharos.PushSubject(backup), text) }
	is := func(status pharos.Status, summary string) func(pharos.Result) bool {
		return func(r pharos.Result) bool { return r.Status == status && strings.HasPrefix(r.Summary, summary) }
	}
	push(`{"status":"warning","summary":"slow","value":7,"unit":"min"}`)
	if r := hear.result("Backup", is(pharos.Warning, "slow")); r.Value.V != 7 || r.Unit != "min" {
		t.Errorf("got %+v", r)
	}
	hear.result("Both", is(pharos.Warning, "Backup: slow"))
	push(`{"status":"ok"}`)
	hear.result("Backup", is(pharos.OK, ""))
	hear.result("Both", is(pharos.OK, ""))
	push(`no JSON`)
	hear.result("Backup", is(pharos.Critical, "nothing for 3 s, wanted every 3 s"))
	hear.result("Both", is(pharos.Critical, "Backup: nothing for"))
	push(`{"status":"critical","summary":"disk full","ttl":1}`)
	hear.result("Backup", is(pharos.Critical, "disk full"))

	// Another process knows what was pushed before it began.
	stop()
	push(`{"status":"warning","summary":"between"}`)
	hear.Forget()
	run(t, parse(t, strings.Replace(pushed, "push: 3s", "push: 1h", 1)), o)
	hear.result("Backup", is(pharos.Warning, "between"))
}
