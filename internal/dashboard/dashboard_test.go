package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"pharos/internal/bus"
	"pharos/internal/bus/embedded"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
)

// Tests that run beside each other wait for most of their time.
func TestMain(m *testing.M) { os.Exit(pharostest.Main(m, 16)) }

// hall is a NATS server, and someone who publishes on it.
type hall struct {
	*testing.T
	server *embedded.Server
	nc     *nats.Conn
}

func newHall(t *testing.T) *hall {
	t.Helper()
	s := pharostest.Broker(t, embedded.Options{})
	return &hall{t, s, pharostest.Connect(t, "", nats.InProcessServer(s))}
}

func (h *hall) publish(subject, data string) {
	h.Helper()
	pharostest.Say(h, h.nc, subject, data)
}

// store publishes and waits until the store has it, which runs behind whoever
// listens. There is one once a dashboard says so.
func (h *hall) store(subject, data string) {
	h.Helper()
	js, err := jetstream.New(h.nc)
	if err != nil {
		h.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), pharostest.Patience)
	defer cancel()
	for { // whoever listens keeps a message without a stream waiting for its answer
		if _, err = js.StreamNameBySubject(ctx, subject); !errors.Is(err, jetstream.ErrStreamNotFound) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		h.Fatal(err)
	}
	if _, err := js.Publish(ctx, subject, []byte(data)); err != nil {
		h.Fatal(err)
	}
}

// lives lets a prober beat until stop is called.
func (h *hall) lives(site, prober string) (stop func()) {
	h.Helper()
	h.store(pharos.HeartbeatSubject(site, prober), beat(1, 1))
	return pharostest.Run(h, func(ctx context.Context) error {
		for n := 2; ; n++ {
			select {
			case <-time.After(pharos.HeartbeatInterval):
				h.publish(pharos.HeartbeatSubject(site, prober), beat(1, n))
			case <-ctx.Done():
				return nil
			}
		}
	})
}

func (h *hall) forget(f pharos.Forget) (int, error) {
	return Forget(h.Context(), bus.Options{InProcess: h.server, Log: slog.New(slog.DiscardHandler)}, f)
}

// dashboard runs one and returns its address.
func (h *hall) dashboard() (url string, d *Dashboard, stop func()) {
	h.Helper()
	return h.with("title: Test\n")
}

// with runs a dashboard with a file.
func (h *hall) with(file string) (url string, d *Dashboard, stop func()) {
	h.Helper()
	l, c := pharostest.Listen(h), pharostest.Config(h, file)
	d = New(Options{Config: c, Name: "test", Version: "test", Bus: bus.Options{InProcess: h.server}, Memory: true, Listener: l, Log: slog.New(slog.DiscardHandler)})
	h.Cleanup(http.DefaultClient.CloseIdleConnections)
	return URL(l, c), d, pharostest.Run(h, d.Run)
}

type seen struct {
	Title   string
	Counts  map[string]int
	Notices []string
	NATS    struct{ Up, Store bool }
}

// until waits until the board is as the test wants it.
func (h *hall) until(url, what string, is func(seen) bool) {
	h.Helper()
	pharostest.Eventually(h, func() error {
		if s := pharostest.GetJSON[seen](h, url+"/api/v1/board"); !is(s) {
			return fmt.Errorf("waiting for %s: the board is %+v", what, s)
		}
		return nil
	})
}

func beat(epoch, n int) string { return fmt.Sprintf(`{"incarnation":%d,"seq":%d}`, epoch, n) }

func TestSeveralDashboardsShowTheSameAlsoOneThatComesLate(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	first, _, _ := h.dashboard()
	h.until(first, "the store", func(s seen) bool { return s.NATS.Up && s.NATS.Store })
	h.publish("pharos.push.a.b.c", `{"status":"critical"}`)
	h.publish("pharos.push.a.b.d", `{"status":"ok"}`)
	late, _, stop := h.dashboard()
	is := func(s seen) bool { return s.Counts["critical"] == 1 && s.Counts["ok"] == 1 }
	h.until(first, "both tiles", is)
	h.until(late, "both tiles", is)
	stop()
	again, _, _ := h.dashboard()
	h.until(again, "both tiles after a restart", is)
}

func TestForget(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	url, _, _ := h.dashboard()
	h.until(url, "the store", func(s seen) bool { return s.NATS.Store })
	roster, err := pharos.Roster{Site: "a", Prober: "p", Incarnation: 1, Seq: 1, Sets: []pharos.RosterSet{{Name: "b", Watchers: []pharos.RosterWatcher{{Name: "c"}}}}}.Split(pharos.MaxMessage)
	if err != nil {
		t.Fatal(err)
	}
	h.store("pharos.roster.a.p.0", string(roster[0]))
	dies := h.lives("a", "p")
	h.store("pharos.result.a.p.b.c", `{"status":"ok","prober":"p","incarnation":1,"seq":1}`)
	h.store("pharos.push.a.jobs.nightly", `{"status":"ok"}`)
	h.until(url, "two tiles", func(s seen) bool { return s.Counts["ok"] == 2 })

	for name, c := range map[string]struct {
		f    pharos.Forget
		want string
	}{
		"a prober without a site":      {pharos.Forget{Prober: "p"}, "want SITE/PROBER"},
		"a watcher that is none":       {pharos.Forget{Watcher: "a.b"}, "want SITE.SET.WATCHER"},
		"a prober that is alive":       {pharos.Forget{Prober: "a/p"}, "a/p is alive"},
		"a watcher of one that is so ": {pharos.Forget{Watcher: "a.b.c"}, "a/p is alive"},
	} {
		if _, err := h.forget(c.f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", name, err, c.want)
		}
	}
	if n, err := h.forget(pharos.Forget{Watcher: "a.jobs.nightly"}); n != 1 || err != nil {
		t.Errorf("forgetting a watcher: %d deleted, %v", n, err)
	}
	h.until(url, "the prober's tile alone", func(s seen) bool { return s.Counts["ok"] == 1 })
	dies()
	h.store("pharos.heartbeat.a.p", `{"incarnation":1,"seq":1000,"leaving":true}`)
	h.until(url, "the prober's goodbye", func(s seen) bool { return s.Counts["stale"] == 1 })
	if n, err := h.forget(pharos.Forget{Prober: "a/p"}); n != 3 || err != nil {
		t.Errorf("forgetting a prober: %d deleted, %v; want its result, roster and beat", n, err)
	}
	none := func(s seen) bool {
		total := 0
		for _, n := range s.Counts {
			total += n
		}
		return total == 0 && s.NATS.Store
	}
	h.until(url, "an empty board", none)
	late, _, _ := h.dashboard()
	h.until(late, "an empty board, also of a dashboard that comes late", none)

	var looking sync.WaitGroup
	for f, want := range map[pharos.Forget]string{
		{Prober: "a/p"}:             `nothing is stored of prober "a/p"; no prober is known`,
		{Watcher: "a.jobs.nightly"}: `nothing is stored of watcher "a.jobs.nightly"; no prober is known`,
	} {
		looking.Go(func() {
			if _, err := h.forget(f); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("what is not there: error %v, want %s", err, want)
			}
		})
	}
	looking.Wait()
}

func TestForgetListsWhoIsThere(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	url, _, _ := h.dashboard()
	h.until(url, "the store", func(s seen) bool { return s.NATS.Store })
	h.store("pharos.heartbeat.a.q", `{"incarnation":1,"seq":1000,"leaving":true}`)
	if _, err := h.forget(pharos.Forget{Prober: "a/p"}); err == nil || !strings.Contains(err.Error(), "known probers are a/q") {
		t.Errorf("what is not there: error %v, want one that lists who is", err)
	}
}

// What is stored of a living prober can be old, or be on its way.
func TestForgetListensBeforeItDecides(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	url, _, _ := h.dashboard()
	h.until(url, "the store", func(s seen) bool { return s.NATS.Store })
	h.store("pharos.result.a.p.b.c", `{"status":"ok","prober":"p","incarnation":1,"seq":1}`)
	ended := make(chan error, 1)
	time.AfterFunc(pharos.HeartbeatInterval, func() { ended <- h.nc.Publish("pharos.heartbeat.a.p", []byte(beat(1, 1))) })
	n, err := h.forget(pharos.Forget{Prober: "a/p"})
	if err == nil || !strings.Contains(err.Error(), "a/p is alive") {
		t.Errorf("%d deleted, error %v", n, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestForgetSaysThatThereIsNoNATS(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"nobody": "nats://" + pharostest.Unused(t), "one that says nothing": silent(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Forget(t.Context(), bus.Options{URL: url, Log: slog.New(slog.DiscardHandler)}, pharos.Forget{Prober: "a/p"})
			if err == nil || !strings.Contains(err.Error(), "no contact with NATS at "+url+" within 3s: ") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestReloadsAreTold(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	url, d, _ := h.dashboard()
	d.Reject(fmt.Errorf("pharos.yaml: line 14: unknown key"))
	h.until(url, "the reason", func(s seen) bool { return fmt.Sprint(s.Notices) == "[pharos.yaml: line 14: unknown key]" })
	d.Apply(pharostest.Config(t, "title: Another\n"))
	h.until(url, "the new title and no reason", func(s seen) bool { return s.Title == "Another" && len(s.Notices) == 0 })
}

func TestAReloadPutsViewsInForce(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	address, d, _ := h.dashboard()
	page := func(name string) (int, string) { t.Helper(); return pharostest.Get(t, address+"/"+name) }
	if code, _ := page("lobby"); code != http.StatusNotFound {
		t.Errorf("before: got %d", code)
	}
	_, first := page("")
	d.Apply(pharostest.Config(t, "dashboard: {merge: worst, views: {lobby: {set: Shop & more}}}\n"))
	known := regexp.MustCompile(`"build":"([0-9a-f]{12}-[0-9a-f]{8})"`)
	before := known.FindStringSubmatch(first)
	for name, want := range map[string]string{"": "merge=worst", "lobby": "merge=worst&amp;set=Shop+%26+more"} {
		code, body := page(name)
		if want = `<meta name="pharos-view" content="` + want + `">`; code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("/%s: got %d, wanted a page with %s", name, code, want)
		}
		pharostest.Eventually(t, func() error {
			_, body := page(name)
			if now := known.FindStringSubmatch(body); before == nil || now == nil || now[1] == before[1] {
				return fmt.Errorf("/%s: the build was %q and is %q, wanted another, so that the page loads itself anew", name, before, now)
			}
			return nil
		})
	}
}

// silent returns an address that accepts connections and never says a word.
func silent(t *testing.T) (url string) { return "nats://" + pharostest.Listen(t).Addr().String() }

func TestANATSThatIsSilentHoldsUpNeitherTheScreensNorTheEnd(t *testing.T) {
	t.Parallel()
	l := pharostest.Listen(t)
	brokers := silent(t)
	for range 15 {
		brokers += "," + silent(t)
	}
	d := New(Options{Config: pharostest.Config(t, "title: Test\n"), Name: "test", Version: "test", Bus: bus.Options{URL: brokers}, Listener: l, Log: slog.New(slog.DiscardHandler)})
	began := time.Now()
	stop := pharostest.Run(t, d.Run)
	if code, _ := pharostest.Get(t, "http://"+l.Addr().String()+"/healthz"); code != http.StatusOK {
		t.Errorf("got %d", code)
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	// Each server is waited for two seconds, if one waits.
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("a page and the end took %v", took)
	}
}
