package config

import (
	"crypto/sha256"
	"errors"
	"math"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/pharos"
)

var none = pharos.NoThresholds()

var noPhases = [...]pharos.Thresholds{none, none, none, none, none}

func bounds(tooFast, warning, critical float64) pharos.Thresholds {
	return pharos.Thresholds{TooFast: tooFast, Warning: warning, Critical: critical}
}

var nan = math.NaN()

func TestGoodFiles(t *testing.T) {
	ok2xx := []pharos.StatusRange{{Low: 200, High: 299}}
	tests := []struct {
		file string
		want Config
	}{
		{"design.yaml", Config{
			Title: "Pharos", Tagline: "Watching so you don't have to", Site: "berlin", Prober: "wall",
			NATS:      NATS{URL: "nats://broker:4222", Credentials: "/etc/pharos/prober.creds"},
			Dashboard: Dashboard{Listen: ":8811", Limits: Limits{10000, 5000, 1000}, Views: map[string]url.Values{"": {}}},
			Watchers: []pharos.Watcher{
				{
					Set: "Shop", Name: "Home page",
					Interval: 2 * time.Second, Timeout: 10 * time.Second, Fall: 1, Rise: 1,
					Thresholds: bounds(0.001, 0.1, 1), PhaseThresholds: noPhases,
					Page: &pharos.Page{URL: "https://shop.example/", Method: "GET", Status: ok2xx, FollowRedirects: true, MaxBody: 1 << 20},
				},
				{
					Set: "Shop", Name: "Home page from slw", SSHHost: "slw",
					Interval: 2 * time.Second, Timeout: 10 * time.Second, Fall: 1, Rise: 1,
					Thresholds: bounds(0.001, 0.1, 1), PhaseThresholds: noPhases,
					Page: &pharos.Page{URL: "https://shop.example/", Method: "GET", Status: ok2xx, FollowRedirects: true, MaxBody: 1 << 20},
				},
				{
					Set: "Shop", Name: "Is True?",
					Interval: 2 * time.Second, Timeout: 10 * time.Second, Fall: 1, Rise: 1,
					Thresholds: none, PhaseThresholds: noPhases,
					Command: &pharos.Command{Shell: "true"},
				},
				{
					Set: "Shop", Name: "Replica lag",
					Interval: 2 * time.Second, Timeout: 10 * time.Second, Fall: 1, Rise: 1,
					Thresholds: bounds(nan, 5, 30), PhaseThresholds: noPhases,
					Command: &pharos.Command{Shell: "psql -Atc 'select lag()'", Number: true, Unit: "s"},
				},
			},
		}},
		{"everything.yaml", Config{
			Title: "Every key", Site: "local", Prober: "wall",
			NATS: NATS{
				URL: "nats://a:4222, tls://b:4222", User: "prober", Password: "0123",
				CAFile: "/ca.pem", CertFile: "/c.pem", KeyFile: "/k.pem",
				Listen: "0.0.0.0:4222", StoreDir: "testdata/good/data", Users: []User{{"anna", "anna's"}},
			},
			Dashboard: Dashboard{Listen: "127.0.0.1:0", Admin: "localhost:8812", Limits: Limits{7, 8, 3}, Guard: Guard{
				Hosts: []string{"wall.example.com", "*.office.example", "bücher"}, FrameAncestors: []string{"'self'", "https://*.intranet.example:8443"},
				TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32")},
			}, Views: map[string]url.Values{
				"":      {"merge": {"majority"}},
				"plain": {"merge": {"majority"}},
				"lobby": {
					"set": {"Pages"}, "site": {"local", "Zürich & Oslo"}, "theme": {"light"}, "palette": {"blue"}, "zoom": {"1.25"},
					"rotate": {"90s"}, "shift": {"1"}, "merge": {"none"}, "collapse": {"Commands", "Elsewhere"},
				},
				"2nd-floor": {"set": {"Pages", "Commands"}, "theme": {"contrast"}, "zoom": {"2"}, "merge": {"worst"}},
			}},
			Watchers: []pharos.Watcher{
				{
					Set: "Pages", Name: "Login", Interval: 5 * time.Second, Timeout: 4 * time.Second, Fall: 2, Rise: 3, Reference: true,
					Thresholds:      bounds(0.001, nan, 1),
					PhaseThresholds: [...]pharos.Thresholds{bounds(nan, 0.01, 0.02), none, none, none, none},
					Page: &pharos.Page{
						URL: "https://shop.example/login?next=/", Method: "POST", User: "anna", Password: "s ecret",
						Headers: []pharos.Header{{Name: "X-Request", Value: "5"}, {Name: "Accept", Value: "text/html"}}, Body: "a=b",
						Status:   []pharos.StatusRange{{Low: 200, High: 200}, {Low: 301, High: 303}},
						Match:    []*regexp.Regexp{regexp.MustCompile("welcome")},
						NotMatch: []*regexp.Regexp{regexp.MustCompile("(?i)error"), regexp.MustCompile(`5\d\d`)},
						TLS:      pharos.TLS{Insecure: true, CAFile: "testdata/good/ca.pem", ServerName: "shop", ClientCert: "/etc/c.pem", ClientKey: "/etc/k.pem"},
						IP:       6, KeepAlive: true, MaxBody: 64000,
					},
				},
				{
					Set: "Pages", Name: "Inherits", Interval: 5 * time.Second, Timeout: 4 * time.Second, Fall: 2, Rise: 3,
					Thresholds:      bounds(nan, 1, 2),
					PhaseThresholds: [...]pharos.Thresholds{none, bounds(nan, 0.5, nan), none, none, none},
					Page:            &pharos.Page{URL: "http://shop.example/", Method: "GET", User: "berta", Password: "pass word", Status: ok2xx, FollowRedirects: true, MaxBody: 3 << 19},
				},
				{
					Set: "Pages", Name: "None", Interval: 5 * time.Second, Timeout: 4 * time.Second, Fall: 2, Rise: 3,
					Thresholds: none, PhaseThresholds: noPhases,
					Page: &pharos.Page{URL: "http://shop.example/", Method: "GET", Bearer: "abc123", Status: ok2xx, FollowRedirects: true, MaxBody: 1 << 20},
				},
				{
					Set: "Commands", Name: "Merged", Interval: time.Minute, Timeout: 30 * time.Second, Fall: 3, Rise: 1,
					Thresholds: none, PhaseThresholds: noPhases,
					Command: &pharos.Command{
						Args: []string{"ls", "-l", "$HOME ${x} $$ $(id) ${HOME}"},
						Env:  []string{"PORT=5432", "NAME=a b", "EMPTY="}, Dir: "testdata/good/sub",
					},
				},
				{
					Set: "Commands", Name: "Free space", Interval: 5 * time.Second, Timeout: 4 * time.Second, Fall: 2, Rise: 3,
					Thresholds: bounds(nan, 20, 5), PhaseThresholds: noPhases,
					Command: &pharos.Command{Shell: "df | awk '{print $5}'", Pattern: regexp.MustCompile(`(\d+)%`), Unit: "%"},
				},
			},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			path := filepath.Join("testdata/good", tt.file)
			got, err := Load(path, env())
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Hash = sha256.Sum256(data)
			for i := range tt.want.Watchers {
				w := &tt.want.Watchers[i]
				w.ID = pharos.MakeID(pharos.Token(tt.want.Site), pharos.Token(w.Set), pharos.Token(w.Name))
			}
			if diff := cmp.Diff(&tt.want, got, compare); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func parse(t *testing.T, text string, getenv func(string) (string, bool)) *Config {
	t.Helper()
	c, err := Parse("pharos.yaml", []byte(text), getenv)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestVariables(t *testing.T) {
	c := parse(t, `
title: ${TITLE}
tagline: "${A}-${B:-b}-${EMPTY:-full}-${EMPTY}-$${A}-$A-${a}"
sets:
  - name: ${NUMBER}
    watchers:
      - {name: A, command: "echo ${EVIL}", interval: "${EVERY}", fall: "${FALL:-3}", reference: "${YES}"}
`, env("TITLE", "true", "A", "a", "EMPTY", "", "NUMBER", "42", "EVIL", "}\nsite: elsewhere # \"", "EVERY", "150ms", "YES", "true"))
	type row struct{ Title, Tagline, Site, Set, Command string }
	got := row{c.Title, c.Tagline, c.Site, c.Watchers[0].Set, c.Watchers[0].Command.Shell}
	want := row{"true", "a-b-full--${A}-$A-${a}", "local", "42", "echo }\nsite: elsewhere # \""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if w := c.Watchers[0]; w.Interval != 150*time.Millisecond || w.Fall != 3 || !w.Reference {
		t.Errorf("got %+v", w)
	}
}

func TestPathsWithAnSSHHostStayAsTheyAre(t *testing.T) {
	c, err := Parse("etc/pharos.yaml", []byte(`
sets:
  - name: Shop
    watchers:
      - {name: A, command: "true", dir: d}
      - {name: B, command: "true", dir: d, ssh_host: slw}
      - {name: C, page: "https://a/", tls: {ca_file: ca.pem}}
      - {name: D, page: "https://a/", tls: {ca_file: ca.pem}, ssh_host: slw}
`), env())
	if err != nil {
		t.Fatal(err)
	}
	w := c.Watchers
	got := []string{w[0].Command.Dir, w[1].Command.Dir, w[2].Page.TLS.CAFile, w[3].Page.TLS.CAFile}
	if diff := cmp.Diff([]string{"etc/d", "d", "etc/ca.pem", "ca.pem"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestPlaceGoesBeforeTheFile(t *testing.T) {
	c := parse(t, `{site: berlin, prober: wall, sets: [{name: a, watchers: [{name: b, command: "true"}]}]}`, env())
	if err := c.Place("", ""); err != nil || c.Site != "berlin" || c.Prober != "wall" || c.Watchers[0].ID != "berlin.a.b" {
		t.Fatalf("got %+v, %v", c, err)
	}
	if err := c.Place("oslo", "mast"); err != nil || c.Site != "oslo" || c.Prober != "mast" || c.Watchers[0].ID != "oslo.a.b" {
		t.Fatalf("got %+v, %v", c, err)
	}
	if err := c.Place("a\nb", ""); err == nil || c.Site != "oslo" {
		t.Errorf("got %v, %q", err, c.Site)
	}
	if err := c.Place("", strings.Repeat("x", 81)); err == nil || c.Prober != "mast" {
		t.Errorf("got %v, %q", err, c.Prober)
	}
}

func TestProberDefaultsToTheHost(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if c := parse(t, "title: x", env()); c.Prober != host {
		t.Errorf("got %q, wanted %q", c.Prober, host)
	}
}

func TestCheckListen(t *testing.T) {
	tests := []struct {
		name  string
		nats  NATS
		wants string // of the error; empty: none
	}{
		{"nowhere", NATS{}, ""},
		{"loopback", NATS{Listen: "127.0.0.1:4222"}, ""},
		{"loopback of version 6", NATS{Listen: "[::1]:4222"}, ""},
		{"mapped loopback", NATS{Listen: "[::ffff:127.0.0.1]:0"}, ""},
		{"localhost", NATS{Listen: "localhost:4222"}, ""},
		{"localhost in capitals", parse(t, "nats: {listen: 'LOCALHOST:4222'}", env()).NATS, ""},
		{"loopback with a zone", NATS{Listen: "[::1%lo]:4222"}, "without users"},
		{"everywhere with users", NATS{Listen: ":4222", Users: []User{{"a", "b"}}}, "without a certificate"},
		{"everywhere with users and a certificate", NATS{Listen: ":4222", Users: []User{{"a", "b"}}, CertFile: "c", KeyFile: "k"}, ""},
		{"loopback with users", NATS{Listen: "127.0.0.1:4222", Users: []User{{"a", "b"}}}, ""},
		{"everywhere", NATS{Listen: ":4222"}, "without users"},
		{"all of version 4", NATS{Listen: "0.0.0.0:4222"}, "without users"},
		{"all of version 6", NATS{Listen: "[::]:4222"}, "without users"},
		{"a name", NATS{Listen: "broker:4222"}, "without users"},
		{"no port", NATS{Listen: "127.0.0.1"}, "want an address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.nats.CheckListen()
			if tt.wants == "" && err != nil || tt.wants != "" && (err == nil || !strings.Contains(err.Error(), tt.wants)) {
				t.Errorf("got %v, wanted %q", err, tt.wants)
			}
		})
	}
}

const withSecrets = `
sets:
  - name: Shop
    watchers:
      - {name: A, page: "http://anna:p%40ssw0rd@a/?token=querytoken&q=visible"}
      - {name: B, page: "http://a/", basic_auth: {user: anna, password: letmein}}
      - {name: C, page: "http://a/", bearer: bearer-token}
      - {name: C2, page: "http://a/", bearer: bearer}
      - {name: D, page: "http://a/", headers: {Authorization: Basic Zm9v, Cookie: "session=1234", X-Api-Key: apikey, X-Other: other}}
      - {name: E, command: "psql ${PG_PASSWORD} ${PG_HOST}", env: {PGPASSWORD: in-env, PGHOST: elsewhere}}
nats: {url: "nats://user:natspass@b:4222", token: nats-token, listen: "127.0.0.1:0", users: [{name: u, password: userpass}]}
`

func TestRedactHidesEverySecret(t *testing.T) {
	c := parse(t, withSecrets, env("PG_PASSWORD", "pgpass", "PG_HOST", "pghost"))
	for _, secret := range []string{
		"p@ssw0rd", "p%40ssw0rd", "querytoken", "letmein", "YW5uYTpsZXRtZWlu", "bearer-token", "Zm9v", "Basic Zm9v",
		"session=1234", "apikey", "pgpass", "in-env", "natspass", "nats-token", "userpass",
	} {
		if got := c.Redactor.Text("before " + secret + " after"); got != "before ••• after" {
			t.Errorf("%q: got %q", secret, got)
		}
	}
	for _, plain := range []string{"visible", "other", "pghost", "elsewhere", "", "anna"} {
		if got := c.Redactor.Text(plain); got != plain {
			t.Errorf("got %q, wanted %q", got, plain)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if got := c.Redactor.Text("a letmein b"); got != "a ••• b" {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	wg.Wait()
}

func TestRedactCostsNothingWithoutSecrets(t *testing.T) {
	c := parse(t, "title: x", env())
	if n := testing.AllocsPerRun(100, func() { c.Redactor.Text("some text") }); n != 0 {
		t.Errorf("got %v allocations", n)
	}
}

func TestLoadSaysWhatItCouldNotRead(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "gone.yaml"), env())
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "reading \"") {
		t.Errorf("got %v", err)
	}
	big := filepath.Join(t.TempDir(), "big.yaml")
	if err := os.WriteFile(big, make([]byte, MaxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(big, env()); err == nil || !strings.Contains(err.Error(), "more than 8 MiB") {
		t.Errorf("got %v", err)
	}
}

func TestMeant(t *testing.T) {
	known := []string{"thresholds", "interval", "match", "not_match"}
	tests := []struct{ word, want string }{
		{"thresold", "thresholds"}, {"Interval", "interval"}, {"intervall", "interval"}, {"mathc", "match"},
		{"notmatch", "not_match"}, {"colour", ""}, {"", ""}, {strings.Repeat("x", 1000), ""},
	}
	for _, tt := range tests {
		if got := meant(tt.word, known); got != tt.want {
			t.Errorf("%q: got %q, wanted %q", tt.word, got, tt.want)
		}
	}
}

func TestManyWatchersAreReadQuickly(t *testing.T) {
	var b strings.Builder
	b.WriteString("sets:\n- name: All\n  watchers:\n")
	for i := range 10_000 {
		b.WriteString("  - {name: \"w " + time.Duration(i).String() + "\", page: \"http://a/\", thresholds: {warning: 1s, critical: 2s}}\n")
	}
	start := time.Now()
	if c := parse(t, b.String(), env()); len(c.Watchers) != 10_000 {
		t.Errorf("got %d watchers", len(c.Watchers))
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	t.Log(time.Since(start))
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			if strings.Contains(file, "bomb") { // seconds under the fuzzer's eyes
				continue
			}
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("pharos.yaml", data, env("API_TOKEN", "hunter2"))
		if (c == nil) == (err == nil) {
			t.Fatalf("got %v and %v", c, err)
		}
		if err != nil {
			var all Errors
			if !errors.As(err, &all) || len(all) == 0 || len(all) > MaxErrors+1 {
				t.Fatalf("got %v, wanted Errors", err)
			}
			return
		}
		ids := make(map[pharos.WatcherID]bool)
		for _, w := range c.Watchers {
			if ids[w.ID] || (w.Page == nil) == (w.Command == nil) || w.Interval < pharos.MinInterval || w.Timeout <= 0 || w.Fall < 1 || w.Rise < 1 || w.Name == "" || w.Set == "" {
				t.Fatalf("got %+v", w)
			}
			ids[w.ID] = true
			if _, err := pharos.ParseSubject(pharos.ResultSubject("p1", w.ID)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
