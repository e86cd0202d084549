package allinone_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pharos/internal/allinone"
	"pharos/internal/bus"
	"pharos/internal/cli"
	"pharos/internal/config"
	"pharos/internal/dashboard"
	"pharos/internal/keys"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
	"pharos/internal/prober"
)

// Tests that run beside each other wait for most of their time.
func TestMain(m *testing.M) { os.Exit(pharostest.Main(m, 8)) }

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	return pharostest.Config(t, text, allinone.Kinds()...)
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
	l := pharostest.Listen(t)
	a, err := allinone.New(allinone.Options{Config: c, Version: "test", Listener: l, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return &pharosOf{a, t, "http://" + l.Addr().String(), pharostest.Run(t, a.Run)}
}

func (p *pharosOf) screen() *pharostest.Screen {
	return pharostest.NewScreen(p.t, strings.TrimPrefix(p.url, "http://"), pharostest.DialHere)
}

func TestFromACheckToTheGlass(t *testing.T) {
	t.Parallel()
	x := pharostest.NewTarget(t)
	file := filepath.Join(t.TempDir(), "there")
	p := start(t, parse(t, fmt.Sprintf(`
title: End to end
sets:
  - name: Shop
    watchers:
      - {name: Page, page: %q, interval: 100ms, timeout: 20s, thresholds: {warning: 2s, critical: 4s}}
      - {name: File, command: "test -e %s", interval: 100ms}
`, x.URL(), file)))
	s := p.screen()
	page := s.AwaitStatus(t, "Page", "ok")
	if page["u"] != "ms" {
		t.Errorf("a quick page is shown in %v, want ms", page["u"])
	}
	if broken := s.AwaitStatus(t, "File", "critical"); broken["m"] != "exit code 1" {
		t.Errorf("the command's summary is %v, want its exit code", broken["m"])
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if k := s.AwaitStatus(t, "File", "ok").Part("k"); k.Status() != "critical" {
		t.Errorf("no afterglow after the command healed: %v", k)
	}

	x.Turn(t, pharostest.Fails)
	if red := s.AwaitStatus(t, "Page", "critical"); !strings.Contains(fmt.Sprint(red["m"]), "500") {
		t.Errorf("the page's summary is %q, want the status in it", red["m"])
	}
	x.Turn(t, pharostest.Answers)
	s.AwaitStatus(t, "Page", "ok")

	x.Turn(t, pharostest.Hangs)
	s.AwaitStatus(t, "Page", "warning") // at its threshold, while it still runs
	if red := s.AwaitStatus(t, "Page", "critical"); red["r"] != true {
		t.Errorf("red, but not early: %v", red)
	}
	x.Turn(t, pharostest.Answers)
	s.AwaitStatus(t, "Page", "ok")

	// A machine that is busy for a moment turns the page yellow again.
	pharostest.Eventually(t, func() error {
		one := pharostest.GetJSON[struct {
			Detail string
			Phases []pharos.Phase
			Facts  []pharos.Fact
		}](t, p.url+"/api/v1/watchers/"+page.Text("id"))
		if len(one.Phases) == 0 || one.Detail == "" || len(one.Facts) == 0 {
			return fmt.Errorf("the detail is thin: %+v", one)
		}
		return nil
	})
	pharostest.Eventually(t, func() error {
		poll := pharostest.GetJSON[struct {
			Watchers []map[string]any `json:"metric_watchers"`
		}](t, p.url+"/poll/json")
		if len(poll.Watchers) != 2 || poll.Watchers[0]["id"] != "page" || poll.Watchers[0]["status_ok"] != true {
			return fmt.Errorf("the original's page would see %v", poll.Watchers)
		}
		return nil
	})
	pharostest.Eventually(t, func() error {
		if _, got := pharostest.Get(t, p.url+"/metrics"); !strings.Contains(got, `name="Page",set="Shop",site="local"} 1`) {
			return fmt.Errorf("no line of the page in /metrics:\n%s", got)
		}
		return nil
	})
}

const one = `
sets:
  - name: Set
    watchers:
      - {name: Stays, command: "true", interval: 100ms}
      - {name: %s, command: %q, interval: 100ms}
`

func TestReload(t *testing.T) {
	t.Parallel()
	first := parse(t, fmt.Sprintf(one, "Goes", "true"))
	p := start(t, first)
	s := p.screen()
	since := s.AwaitStatus(t, "Stays", "ok")["f"]
	s.AwaitStatus(t, "Goes", "ok")
	if err := p.Apply(parse(t, fmt.Sprintf(one, "Comes", "false"))); err != nil {
		t.Fatal(err)
	}
	s.AwaitStatus(t, "Comes", "critical")
	if s.Tile("Goes") != nil {
		t.Error("the watcher that was removed is still on the board")
	}
	if now := s.AwaitStatus(t, "Stays", "ok")["f"]; now != since {
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
	s.Await(t, "the board says why the file is not in force", func(v *pharostest.View) bool { return strings.Contains(fmt.Sprint(v.Hops.Notices), "/no/such/file") })
	if now := s.AwaitStatus(t, "Stays", "ok")["f"]; now != since {
		t.Errorf("ok since %v, was since %v: a change of the command took the memory", now, since)
	}
	if s.Tile("TLS") != nil {
		t.Error("half of a bad file is in force")
	}
}

func TestAfterARestartTheAfterglowIsStillThere(t *testing.T) { // not beside others: a child of theirs that is just begun holds the lock, too
	x := pharostest.NewTarget(t)
	c := fmt.Sprintf("nats: {store_dir: %q}\nsets: [{name: Set, watchers: [{name: Page, page: %q, interval: 100ms}]}]", t.TempDir(), x.URL())
	p := start(t, parse(t, c))
	s := p.screen()
	s.AwaitStatus(t, "Page", "ok")
	x.Turn(t, pharostest.Fails)
	s.AwaitStatus(t, "Page", "critical")
	x.Turn(t, pharostest.Answers)
	s.AwaitStatus(t, "Page", "ok")
	p.stop()

	p = start(t, parse(t, c))
	s = p.screen()
	if k := s.AwaitStatus(t, "Page", "ok").Part("k"); k.Status() != "critical" {
		t.Errorf("after the restart the afterglow is %v", k)
	}
	// From the new process, too, not from the store alone.
	s.Await(t, "the new process has spoken", func(v *pharostest.View) bool {
		return len(v.Hops.Probers) == 1 && v.Hops.Probers[0].Up
	})
	old := s.Tile("Page")["v"]
	s.Await(t, "a new value", func(v *pharostest.View) bool { return v.Tile("Page")["v"] != old })
	if k := s.Tile("Page").Part("k"); k.Status() != "critical" {
		t.Errorf("the new process does not remember: %v", k)
	}
}

func TestRemoteProbers(t *testing.T) {
	t.Parallel()
	c := parse(t, `nats: {listen: "127.0.0.1:0", users: [{name: far, password: secret-word}]}`)
	p := start(t, c)
	s := p.screen()
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
	stop := pharostest.Run(t, r.Run)
	s.AwaitStatus(t, "Far", "ok")
	stop()
	s.AwaitStatus(t, "Far", "stale") // at once: it said goodbye
}

// certify writes a certificate of its own making, and its key.
func certify(t *testing.T, certFile, keyFile string) {
	t.Helper()
	cert, key, _ := pharostest.Certify(t, time.Now().UnixNano())
	for file, data := range map[string][]byte{certFile: cert, keyFile: key} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestItsOwnFileIsEnoughToForget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certify(t, certFile, keyFile)
	for name, more := range map[string]string{
		"open":             "",
		"with users":       "users: [{name: far, password: secret-word}]",
		"with certificate": fmt.Sprintf("cert_file: %q, key_file: %q, users: [{name: far, password: secret-word}]", certFile, keyFile),
	} {
		t.Run(name, func(t *testing.T) {
			c := parse(t, fmt.Sprintf("site: a\nprober: p\nnats: {listen: %q, %s}\nsets: [{name: Set, watchers: [{name: One, command: 'true', interval: 100ms}]}]", pharostest.FreeAddress(t), more))
			p := start(t, c)
			s := p.screen()
			s.AwaitStatus(t, "One", "ok")
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
			s.AwaitStatus(t, "Backup", "ok")
			if n, err := dashboard.Forget(t.Context(), o, pharos.Forget{Watcher: "a.jobs.backup"}); n != 1 || err != nil {
				t.Errorf("forgetting: %d deleted, %v", n, err)
			}
			s.Await(t, "the tile is gone", func(v *pharostest.View) bool { return v.Tile("Backup") == nil })
			if _, err := dashboard.Forget(t.Context(), o, pharos.Forget{Prober: "a/p"}); err == nil || !strings.Contains(err.Error(), "a/p is alive") {
				t.Errorf("forgetting who is alive: error %v", err)
			}
		})
	}
}

func TestAProberThatIsCalledOtherwiseNowLeavesNothingBehind(t *testing.T) { // not beside others: a child of theirs that is just begun holds the lock, too
	dir := t.TempDir()
	file := func(site string) *config.Config {
		return parse(t, fmt.Sprintf("site: %s\nnats: {store_dir: %q}\nsets: [{name: Set, watchers: [{name: One, command: 'true', interval: 100ms}]}]", site, dir))
	}
	p := start(t, file("before"))
	p.screen().AwaitStatus(t, "One", "ok")
	p.stop()
	p = start(t, file("after"))
	s := p.screen()
	s.Await(t, "the new name alone", func(v *pharostest.View) bool {
		for _, tile := range v.Tiles {
			if !strings.HasPrefix(fmt.Sprint(tile["id"]), "after.") {
				return false
			}
		}
		return len(v.Hops.Probers) == 1 && len(v.Tiles) == 1
	})
	s.AwaitStatus(t, "One", "ok")
}

// TestTheServerHasACertificate wants what a prober far away wants.
func TestTheServerHasACertificate(t *testing.T) {
	t.Parallel()
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
	s := p.screen()
	s.Await(t, "a store, which misses no push", func(v *pharostest.View) bool { return v.Hops.NATS.Store })
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
		pharostest.Eventually(t, func() error {
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
	s.AwaitStatus(t, "Backup", "ok")
	stranger := link("") // who does not know who made the certificate
	pharostest.Eventually(t, func() error {
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
