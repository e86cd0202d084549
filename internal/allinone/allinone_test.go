package allinone_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pharos/internal/allinone"
	"pharos/internal/bus"
	"pharos/internal/cli"
	"pharos/internal/config"
	"pharos/internal/dashboard"
	"pharos/internal/keys"
	"pharos/internal/pharos"
	"pharos/internal/prober"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	stopBrowser := startBrowser()
	code := m.Run()
	stopBrowser()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// patience bounds every wait for something that is to happen; nothing waits
// that long unless it is broken.
const patience = 20 * time.Second

// target is a system that is watched: a page and a file that a command looks
// for. What happens to it is the test's to say.
type target struct {
	*httptest.Server
	status atomic.Int64
	hang   atomic.Bool
}

func newTarget(t *testing.T) *target {
	x := &target{}
	x.status.Store(http.StatusOK)
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x.hang.Load() {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(int(x.status.Load()))
		fmt.Fprintln(w, "hello")
	}))
	t.Cleanup(x.Close)
	return x
}

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("test.yaml", []byte(text), func(string) (string, bool) { return "", false }, allinone.Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pharosOf is a whole Pharos that runs.
type pharosOf struct {
	*allinone.AllInOne
	t    *testing.T
	url  string
	stop func()
}

func start(t *testing.T, c *config.Config) *pharosOf {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a, err := allinone.New(allinone.Options{Config: c, Version: "test", Listener: l, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		l.Close()
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	p := &pharosOf{AllInOne: a, t: t, url: "http://" + l.Addr().String()}
	p.stop = sync.OnceFunc(func() {
		cancel()
		began := time.Now()
		if err := <-ended; err != nil {
			t.Errorf("stopping: %v", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("stopping took %v", took)
		}
	})
	t.Cleanup(p.stop)
	return p
}

// screen reads /events as a browser would, and keeps what it is told.
type screen struct {
	t      *testing.T
	events chan map[string]any
	tiles  map[int]map[string]any
	hops   map[string]any
}

func (p *pharosOf) screen(query string) *screen {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/events"+query, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	s := &screen{t: p.t, events: make(chan map[string]any, 1000), tiles: map[int]map[string]any{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer answer.Body.Close()
		defer close(s.events)
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, 1<<20)
		name := ""
		for lines.Scan() {
			if event, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				name = event
			}
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			event := map[string]any{}
			if err := json.Unmarshal([]byte(data), &event); err != nil {
				p.t.Errorf("reading %s: %v", data, err)
			}
			event["event"] = name
			select {
			case s.events <- event:
			case <-ctx.Done():
				return
			}
		}
	})
	p.t.Cleanup(func() { cancel(); wg.Wait() })
	return s
}

// until reads events until the condition holds.
func (s *screen) until(what string, holds func() bool) {
	s.t.Helper()
	limit := time.After(patience)
	for !holds() {
		select {
		case event, ok := <-s.events:
			if !ok {
				s.t.Fatalf("the stream ended before %s", what)
			}
			s.apply(event)
		case <-limit:
			s.t.Fatalf("waited %v for %s; the board has %v and %v", patience, what, s.tiles, s.hops)
		}
	}
}

func (s *screen) apply(event map[string]any) {
	updates, _ := event["u"].([]any)
	if event["event"] == "board" {
		s.tiles = map[int]map[string]any{}
		updates, _ = event["tiles"].([]any)
	}
	if hops, ok := event["hops"].(map[string]any); ok {
		s.hops = hops
	}
	for _, u := range updates {
		u := u.(map[string]any)
		i := int(u["i"].(float64))
		if s.tiles[i] == nil {
			s.tiles[i] = map[string]any{}
		}
		for k, v := range u {
			s.tiles[i][k] = v
		}
	}
}

func (s *screen) tile(name string) map[string]any {
	for _, tile := range s.tiles {
		if tile["name"] == name {
			return tile
		}
	}
	return nil
}

func (s *screen) untilStatus(name, status string) map[string]any {
	s.t.Helper()
	s.until(name+" is "+status, func() bool { return s.tile(name)["s"] == status })
	return s.tile(name)
}

func TestFromACheckToTheGlass(t *testing.T) {
	x := newTarget(t)
	file := filepath.Join(t.TempDir(), "there")
	p := start(t, parse(t, fmt.Sprintf(`
title: End to end
sets:
  - name: Shop
    watchers:
      - {name: Page, page: %q, interval: 100ms, timeout: 2s, thresholds: {warning: 300ms, critical: 600ms}}
      - {name: File, command: "test -e %s", interval: 100ms}
`, x.URL, file)))
	s := p.screen("")
	page := s.untilStatus("Page", "ok")
	if page["u"] != "ms" {
		t.Errorf("a quick page is shown in %v, want ms", page["u"])
	}
	if broken := s.untilStatus("File", "critical"); broken["m"] != "exit code 1" {
		t.Errorf("the command's summary is %v, want its exit code", broken["m"])
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if k, _ := s.untilStatus("File", "ok")["k"].(map[string]any); k["s"] != "critical" {
		t.Errorf("no afterglow after the command healed: %v", k)
	}

	x.status.Store(503)
	if red := s.untilStatus("Page", "critical"); !strings.Contains(fmt.Sprint(red["m"]), "503") {
		t.Errorf("the page's summary is %q, want the status in it", red["m"])
	}
	x.status.Store(200)
	s.untilStatus("Page", "ok")

	x.hang.Store(true)
	s.untilStatus("Page", "warning") // at its threshold, while it still runs
	if red := s.untilStatus("Page", "critical"); red["r"] != true {
		t.Errorf("red, but not early: %v", red)
	}
	x.hang.Store(false)
	s.untilStatus("Page", "ok")

	// A machine that is busy for a moment turns the page yellow again.
	eventually(t, func() error {
		var one struct {
			Detail string
			Phases []pharos.Phase
			Facts  []pharos.Fact
		}
		get(t, p.url+"/api/v1/watchers/"+page["id"].(string), &one)
		if len(one.Phases) == 0 || one.Detail == "" || len(one.Facts) == 0 {
			return fmt.Errorf("the detail is thin: %+v", one)
		}
		return nil
	})
	eventually(t, func() error {
		var poll struct {
			Watchers []map[string]any `json:"metric_watchers"`
		}
		get(t, p.url+"/poll/json", &poll)
		if len(poll.Watchers) != 2 || poll.Watchers[0]["id"] != "page" || poll.Watchers[0]["status_ok"] != true {
			return fmt.Errorf("the original's page would see %v", poll.Watchers)
		}
		return nil
	})
	eventually(t, func() error {
		if got := text(t, p.url+"/metrics"); !strings.Contains(got, `name="Page",set="Shop",site="local"} 1`) {
			return fmt.Errorf("no line of the page in /metrics:\n%s", got)
		}
		return nil
	})
}

// eventually fails the test if an error stays for as long as the patience.
func eventually(t *testing.T, wrong func() error) {
	t.Helper()
	limit := time.Now().Add(patience)
	for {
		err := wrong()
		if err == nil {
			return
		}
		if time.Now().After(limit) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func get(t *testing.T, url string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text(t, url)), into); err != nil {
		t.Fatalf("reading %s: %v", url, err)
	}
}

func text(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s\n%s", url, answer.Status, body)
	}
	return string(body)
}

const one = `
sets:
  - name: Set
    watchers:
      - {name: Stays, command: "true", interval: 100ms}
      - {name: %s, command: %q, interval: 100ms}
`

func TestReload(t *testing.T) {
	first := parse(t, fmt.Sprintf(one, "Goes", "true"))
	p := start(t, first)
	s := p.screen("")
	since := s.untilStatus("Stays", "ok")["f"]
	s.untilStatus("Goes", "ok")
	if err := p.Apply(parse(t, fmt.Sprintf(one, "Comes", "false"))); err != nil {
		t.Fatal(err)
	}
	s.untilStatus("Comes", "critical")
	if s.tile("Goes") != nil {
		t.Error("the watcher that was removed is still on the board")
	}
	if now := s.untilStatus("Stays", "ok")["f"]; now != since {
		t.Errorf("ok since %v, was since %v: a reload took the memory of a watcher that stayed", now, since)
	}
	changed := parse(t, strings.Replace(fmt.Sprintf(one, "Comes", "false"), `command: "true"`, `command: "exit 0"`, 1))
	if err := p.Apply(changed); err != nil {
		t.Fatal(err)
	}
	bad := parse(t, `sets: [{name: Set, watchers: [{name: TLS, page: "https://127.0.0.1/", tls: {ca_file: /no/such/file}}]}]`)
	err := p.Apply(bad)
	if err == nil || !strings.Contains(err.Error(), `"TLS"`) || !strings.Contains(err.Error(), "/no/such/file") {
		t.Fatalf("a file that cannot be put in force: error %v, want one that names the watcher and the file", err)
	}
	p.Reject(err)
	s.until("the board says why the file is not in force", func() bool { return strings.Contains(fmt.Sprint(s.hops["notices"]), "/no/such/file") })
	if now := s.untilStatus("Stays", "ok")["f"]; now != since {
		t.Errorf("ok since %v, was since %v: a change of the command took the memory", now, since)
	}
	if s.tile("TLS") != nil {
		t.Error("half of a bad file is in force")
	}
}

func TestAfterARestartTheAfterglowIsStillThere(t *testing.T) {
	x := newTarget(t)
	c := fmt.Sprintf("nats: {store_dir: %q}\nsets: [{name: Set, watchers: [{name: Page, page: %q, interval: 100ms}]}]", t.TempDir(), x.URL)
	p := start(t, parse(t, c))
	s := p.screen("")
	s.untilStatus("Page", "ok")
	x.status.Store(500)
	s.untilStatus("Page", "critical")
	x.status.Store(200)
	s.untilStatus("Page", "ok")
	p.stop()

	p = start(t, parse(t, c))
	s = p.screen("")
	if k, _ := s.untilStatus("Page", "ok")["k"].(map[string]any); k["s"] != "critical" {
		t.Errorf("after the restart the afterglow is %v", k)
	}
	// From the new process, too, not from the store alone.
	s.until("the new process has spoken", func() bool {
		probers, _ := s.hops["probers"].([]any)
		return len(probers) == 1 && probers[0].(map[string]any)["up"] == true
	})
	old := s.tile("Page")["v"]
	s.until("a new value", func() bool { return s.tile("Page")["v"] != old })
	if k, _ := s.tile("Page")["k"].(map[string]any); k["s"] != "critical" {
		t.Errorf("the new process does not remember: %v", k)
	}
}

func TestRemoteProbers(t *testing.T) {
	c := parse(t, `nats: {listen: "127.0.0.1:0", users: [{name: far, password: secret-word}]}`)
	p := start(t, c)
	s := p.screen("")
	far := parse(t, `
site: oslo
prober: p1
sets: [{name: Set, watchers: [{name: Far, command: "true", interval: 100ms}]}]`)
	r, err := prober.New(prober.Options{
		Config: far, Version: "test", Log: slog.New(slog.DiscardHandler),
		Bus: bus.Options{URL: "nats://" + p.NATS(), User: "far", Password: "secret-word"},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	s.untilStatus("Far", "ok")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	s.untilStatus("Far", "stale") // at once: it said goodbye
}

// certify writes a certificate of its own making for 127.0.0.1, and its key.
func certify(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestItsOwnFileIsEnoughToForget(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certify(t, certFile, keyFile)
	for name, more := range map[string]string{
		"open":             "",
		"with users":       "users: [{name: far, password: secret-word}]",
		"with certificate": fmt.Sprintf("cert_file: %q, key_file: %q, users: [{name: far, password: secret-word}]", certFile, keyFile),
	} {
		t.Run(name, func(t *testing.T) {
			c := parse(t, fmt.Sprintf("site: a\nprober: p\nnats: {listen: %q, %s}\nsets: [{name: Set, watchers: [{name: One, command: 'true', interval: 100ms}]}]", freeAddress(t), more))
			p := start(t, c)
			s := p.screen("")
			s.untilStatus("One", "ok")
			o, err := cli.BusOfAllInOne(c, "", keys.Role{Kind: keys.Admin, Name: "test"})
			if err != nil {
				t.Fatal(err)
			}
			o.Log = slog.New(slog.DiscardHandler)
			conn, err := bus.Connect(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			<-conn.Connected()
			if err := errors.Join(conn.Publish("pharos.push.a.jobs.backup", []byte(`{"status":"ok","name":"Backup"}`)), conn.Close(t.Context())); err != nil {
				t.Fatal(err)
			}
			s.untilStatus("Backup", "ok")
			if n, err := dashboard.Forget(t.Context(), o, pharos.Forget{Watcher: "a.jobs.backup"}); n != 1 || err != nil {
				t.Errorf("forgetting: %d deleted, %v", n, err)
			}
			s.until("the tile is gone", func() bool { return s.tile("Backup") == nil })
			if _, err := dashboard.Forget(t.Context(), o, pharos.Forget{Prober: "a/p"}); err == nil || !strings.Contains(err.Error(), "a/p is alive") {
				t.Errorf("forgetting who is alive: error %v", err)
			}
		})
	}
}

func TestAProberThatIsCalledOtherwiseNowLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	file := func(site string) *config.Config {
		return parse(t, fmt.Sprintf("site: %s\nnats: {store_dir: %q}\nsets: [{name: Set, watchers: [{name: One, command: 'true', interval: 100ms}]}]", site, dir))
	}
	p := start(t, file("before"))
	p.screen("").untilStatus("One", "ok")
	p.stop()
	p = start(t, file("after"))
	s := p.screen("")
	s.untilStatus("One", "ok")
	s.until("the old name is gone", func() bool {
		probers, _ := s.hops["probers"].([]any)
		return len(probers) == 1 && len(s.tiles) == 1
	})
	if id := fmt.Sprint(s.tile("One")["id"]); !strings.HasPrefix(id, "after.") {
		t.Errorf("what is left is %s", id)
	}
}

// TestTheServerHasACertificate wants what a prober far away wants.
func TestTheServerHasACertificate(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	c := parse(t, fmt.Sprintf(`nats: {listen: "127.0.0.1:0", cert_file: %q, key_file: %q, users: [{name: far, password: secret-word}]}`, certFile, keyFile))
	if _, err := allinone.New(allinone.Options{Config: c, Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "nats.cert_file") {
		t.Fatalf("without the file: error %v, want one that names the key", err)
	}
	if err := allinone.Check(c); err == nil || !strings.Contains(err.Error(), "nats.cert_file") {
		t.Errorf("checking: error %v, want one that names the key", err)
	}
	certify(t, certFile, keyFile)
	p := start(t, c)
	s := p.screen("")
	link := func(ca string) *bus.Conn {
		t.Helper()
		conn, err := bus.Connect(t.Context(), bus.Options{
			URL: "nats://" + p.NATS(), CAFile: ca, User: "far", Password: "secret-word", Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := conn.Close(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
		return conn
	}
	up := func(conn *bus.Conn) {
		t.Helper()
		eventually(t, func() error {
			if l := conn.Link(); !l.Up {
				return fmt.Errorf("no connection: %s", l.Error)
			}
			return nil
		})
	}
	far := link(certFile)
	up(far)
	if err := far.Publish("pharos.push.far.jobs.backup", []byte(`{"status":"ok","name":"Backup"}`)); err != nil {
		t.Fatal(err)
	}
	s.untilStatus("Backup", "ok")
	stranger := link("") // who does not know who made the certificate
	eventually(t, func() error {
		if l := stranger.Link(); l.Up || !strings.Contains(l.Error, "certificate") {
			return fmt.Errorf("a server that nobody vouches for: %+v, want an error that speaks of the certificate", l)
		}
		return nil
	})
	if conn, err := net.Dial("tcp", p.NATS()); err != nil {
		t.Error(err)
	} else {
		fmt.Fprint(conn, "CONNECT {\"user\":\"far\",\"pass\":\"secret-word\",\"verbose\":true}\r\nPING\r\n")
		if answer, _ := io.ReadAll(conn); strings.Contains(string(answer), "PONG") {
			t.Errorf("without TLS it answers %q", answer)
		}
		conn.Close()
	}
	// A certificate that was renewed is shown to who comes next.
	certify(t, certFile, keyFile)
	up(link(certFile))
}

func TestNothingListensBeyondLoopbackWithoutKeys(t *testing.T) {
	c := parse(t, `nats: {listen: "127.0.0.1:0"}`)
	c.NATS.Listen = "0.0.0.0:0" // as a flag could
	_, err := allinone.New(allinone.Options{Config: c, Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "nats.keys") {
		t.Errorf("error %v, want one that says to name a folder", err)
	}
}
