package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"pharos/internal/bus"
	"pharos/internal/bus/embedded"
	"pharos/internal/config"
	"pharos/internal/pharos"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// hall is a NATS server, and someone who publishes on it.
type hall struct {
	*testing.T
	server *embedded.Server
	nc     *nats.Conn
}

func newHall(t *testing.T) *hall {
	t.Helper()
	s, err := embedded.Start(embedded.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nc.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &hall{t, s, nc}
}

func (h *hall) publish(subject, data string) {
	h.Helper()
	if err := h.nc.Publish(subject, []byte(data)); err != nil {
		h.Fatal(err)
	}
	if err := h.nc.Flush(); err != nil {
		h.Fatal(err)
	}
}

// store publishes and waits until the store has it, which runs behind whoever
// listens. There is one once a dashboard says so.
func (h *hall) store(subject, data string) {
	h.Helper()
	js, err := jetstream.New(h.nc)
	if err != nil {
		h.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := js.Publish(ctx, subject, []byte(data)); err != nil {
		h.Fatal(err)
	}
}

// lives lets a prober beat until stop is called.
func (h *hall) lives(site, prober string) (stop func()) {
	h.Helper()
	h.store(pharos.HeartbeatSubject(site, prober), beat(1, 1))
	ctx, cancel := context.WithCancel(context.Background())
	var beating sync.WaitGroup
	beating.Go(func() {
		for n := 2; ; n++ {
			select {
			case <-time.After(pharos.HeartbeatInterval):
				h.publish(pharos.HeartbeatSubject(site, prober), beat(1, n))
			case <-ctx.Done():
				return
			}
		}
	})
	stop = func() {
		cancel()
		beating.Wait()
	}
	h.Cleanup(stop)
	return stop
}

// dashboard runs one and returns its address.
func (h *hall) dashboard() (url string, d *Dashboard, stop func()) {
	h.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.Fatal(err)
	}
	c, err := config.Parse("test.yaml", []byte("title: Test\n"), func(string) (string, bool) { return "", false })
	if err != nil {
		h.Fatal(err)
	}
	d = New(Options{Config: c, Name: "test", Version: "test", Bus: bus.Options{InProcess: h.server}, Memory: true, Listener: l, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			h.Error(err)
		}
	})
	h.Cleanup(func() { stop(); http.DefaultClient.CloseIdleConnections() })
	return "http://" + l.Addr().String(), d, stop
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
	limit := time.Now().Add(patience)
	var s seen
	for time.Now().Before(limit) {
		answer, err := http.Get(url + "/api/v1/board")
		if err != nil {
			h.Fatal(err)
		}
		s = seen{}
		err = json.NewDecoder(answer.Body).Decode(&s)
		answer.Body.Close()
		if err != nil {
			h.Fatal(err)
		}
		if is(s) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	h.Fatalf("waited %v for %s; the board is %+v", patience, what, s)
}

func beat(epoch, n int) string { return fmt.Sprintf(`{"incarnation":%d,"seq":%d}`, epoch, n) }

func TestSeveralDashboardsShowTheSameAlsoOneThatComesLate(t *testing.T) {
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

	forget := func(f pharos.Forget) (int, error) {
		return Forget(t.Context(), bus.Options{InProcess: h.server, Log: slog.New(slog.DiscardHandler)}, f)
	}
	for name, c := range map[string]struct {
		f    pharos.Forget
		want string
	}{
		"a prober without a site":      {pharos.Forget{Prober: "p"}, "want SITE/PROBER"},
		"a watcher that is none":       {pharos.Forget{Watcher: "a.b"}, "want SITE.SET.WATCHER"},
		"a prober that is alive":       {pharos.Forget{Prober: "a/p"}, "a/p is alive"},
		"a watcher of one that is so ": {pharos.Forget{Watcher: "a.b.c"}, "a/p is alive"},
	} {
		if _, err := forget(c.f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", name, err, c.want)
		}
	}
	if n, err := forget(pharos.Forget{Watcher: "a.jobs.nightly"}); n != 1 || err != nil {
		t.Errorf("forgetting a watcher: %d deleted, %v", n, err)
	}
	h.until(url, "the prober's tile alone", func(s seen) bool { return s.Counts["ok"] == 1 })
	dies()
	h.store("pharos.heartbeat.a.p", `{"incarnation":1,"seq":1000,"leaving":true}`)
	h.until(url, "the prober's goodbye", func(s seen) bool { return s.Counts["stale"] == 1 })
	if n, err := forget(pharos.Forget{Prober: "a/p"}); n != 3 || err != nil {
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
			if _, err := forget(f); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("what is not there: error %v, want %s", err, want)
			}
		})
	}
	looking.Wait()
	h.store("pharos.heartbeat.a.q", `{"incarnation":1,"seq":1000,"leaving":true}`)
	if _, err := forget(pharos.Forget{Prober: "a/p"}); err == nil || !strings.Contains(err.Error(), "known probers are a/q") {
		t.Errorf("what is not there: error %v, want one that lists who is", err)
	}
}

// What is stored of a living prober can be old, or be on its way.
func TestForgetListensBeforeItDecides(t *testing.T) {
	h := newHall(t)
	url, _, _ := h.dashboard()
	h.until(url, "the store", func(s seen) bool { return s.NATS.Store })
	h.store("pharos.result.a.p.b.c", `{"status":"ok","prober":"p","incarnation":1,"seq":1}`)
	ended := make(chan error, 1)
	time.AfterFunc(pharos.HeartbeatInterval, func() { ended <- h.nc.Publish("pharos.heartbeat.a.p", []byte(beat(1, 1))) })
	n, err := Forget(t.Context(), bus.Options{InProcess: h.server, Log: slog.New(slog.DiscardHandler)}, pharos.Forget{Prober: "a/p"})
	if err == nil || !strings.Contains(err.Error(), "a/p is alive") {
		t.Errorf("%d deleted, error %v", n, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestForgetSaysThatThereIsNoNATS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for name, url := range map[string]string{"nobody": "nats://" + l.Addr().String(), "one that says nothing": silent(t)} {
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
	h := newHall(t)
	url, d, _ := h.dashboard()
	d.Reject(fmt.Errorf("pharos.yaml: line 14: unknown key"))
	h.until(url, "the reason", func(s seen) bool { return fmt.Sprint(s.Notices) == "[pharos.yaml: line 14: unknown key]" })
	c, err := config.Parse("test.yaml", []byte("title: Another\n"), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	d.Apply(c)
	h.until(url, "the new title and no reason", func(s seen) bool { return s.Title == "Another" && len(s.Notices) == 0 })
}

func TestAReloadPutsViewsInForce(t *testing.T) {
	h := newHall(t)
	address, d, _ := h.dashboard()
	page := func(name string) (int, string) {
		t.Helper()
		answer, err := http.Get(address + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	if code, _ := page("lobby"); code != http.StatusNotFound {
		t.Errorf("before: got %d", code)
	}
	_, first := page("")
	c, err := config.Parse("test.yaml", []byte("dashboard: {merge: worst, views: {lobby: {set: Shop & more}}}\n"), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	d.Apply(c)
	known := regexp.MustCompile(`"build":"([0-9a-f]{12}-[0-9a-f]{8})"`)
	before := known.FindStringSubmatch(first)
	for name, want := range map[string]string{"": "merge=worst", "lobby": "merge=worst&amp;set=Shop+%26+more"} {
		code, body := page(name)
		if want = `<meta name="pharos-view" content="` + want + `">`; code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("/%s: got %d, wanted a page with %s", name, code, want)
		}
		if now := known.FindStringSubmatch(body); before == nil || now == nil || now[1] == before[1] {
			t.Errorf("/%s: the build was %q and is %q, wanted another, so that the page loads itself anew", name, before, now)
		}
	}
}

// silent accepts connections and never says a word.
func silent(t *testing.T) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		var all []net.Conn
		for {
			conn, err := l.Accept()
			if err != nil {
				break
			}
			all = append(all, conn)
		}
		for _, conn := range all {
			conn.Close()
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return "nats://" + l.Addr().String()
}

func TestANATSThatIsSilentHoldsUpNeitherTheScreensNorTheEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("test.yaml", []byte("title: Test\n"), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	broker := silent(t)
	d := New(Options{Config: c, Name: "test", Version: "test", Bus: bus.Options{URL: broker + "," + silent(t) + "," + silent(t)}, Listener: l, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- d.Run(ctx) }()
	answer, err := http.Get("http://" + l.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	// Each server is waited for two seconds, if one waits.
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("a page and the end took %v", took)
	}
}
