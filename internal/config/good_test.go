package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// TestGoodFiles reads each file of testdata/good and compares what it comes to with
// the golden file beside it.
func TestGoodFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("got %q, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := Load(file, env(), kinds...)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if c.Hash != sha256.Sum256(data) {
				t.Error("the hash is not that of the file")
			}
			var b strings.Builder
			c.Hash, c.Redactor = [32]byte{}, nil
			dump(&b, "", "config", reflect.ValueOf(*c))
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			upToDate(t, golden, []byte(b.String()))
		})
	}
}

// dump writes all that is in a value and not zero, one line each.
func dump(b *strings.Builder, indent, name string, v reflect.Value) {
	if !v.IsValid() || v.IsZero() {
		return
	}
	if v.Type() == reflect.TypeFor[*regexp.Regexp]() {
		fmt.Fprintf(b, "%s%s: %q\n", indent, name, strings.TrimPrefix(v.Elem().FieldByName("expr").String(), "(?m)"))
		return
	}
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case fmt.Stringer:
			if v.Kind() != reflect.Interface {
				fmt.Fprintf(b, "%s%s: %v\n", indent, name, x)
				return
			}
		case pharos.Number:
			fmt.Fprintf(b, "%s%s: %v\n", indent, name, x.V)
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		dump(b, indent, name, v.Elem())
	case reflect.Struct:
		fmt.Fprintf(b, "%s%s: %s\n", indent, name, strings.TrimPrefix(v.Type().String(), "config."))
		for f, value := range v.Fields() {
			dump(b, indent+"  ", f.Name, value)
		}
	case reflect.Slice:
		for i := range v.Len() {
			dump(b, indent, fmt.Sprintf("%s[%d]", name, i), v.Index(i))
		}
	case reflect.Map:
		for _, key := range slices.SortedFunc(slices.Values(v.MapKeys()), func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) }) {
			dump(b, indent, name+"."+key.String(), v.MapIndex(key))
		}
	case reflect.String:
		fmt.Fprintf(b, "%s%s: %q\n", indent, name, v.String())
	default:
		fmt.Fprintf(b, "%s%s: %v\n", indent, name, v)
	}
}

func parse(t *testing.T, text string, getenv func(string) (string, bool)) *Config {
	t.Helper()
	c, err := Parse("pharos.yaml", []byte(text), getenv, kinds...)
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
	got := row{c.Title, c.Tagline, c.Site, c.Watchers[0].Set, c.Watchers[0].Target}
	want := row{"true", "a-b-full--${A}-$A-${a}", "local", "42", "echo }\nsite: elsewhere # \""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if w := c.Watchers[0]; w.Interval != 150*time.Millisecond || w.Bounds.Fall != 3 || !w.Reference {
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
`), env(), kinds...)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	dump(&b, "", "watchers", reflect.ValueOf(c.Watchers))
	for what, want := range map[string]int{`"etc/d"`: 1, `"d"`: 1, `CAFile: "etc/ca.pem"`: 1, `CAFile: "ca.pem"`: 1} {
		if got := strings.Count(b.String(), what); got != want {
			t.Errorf("%s is there %d times, want %d:\n%s", what, got, want, b.String())
		}
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
	if err := errors.Join(c.SetWeight(3), c.SetWeight(0)); err != nil || c.Weight != 3 {
		t.Errorf("got %v, weight %d", err, c.Weight)
	}
	if err := c.SetWeight(101); err == nil || c.Weight != 3 {
		t.Errorf("got %v, weight %d", err, c.Weight)
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

func TestWhoCanReachTheServer(t *testing.T) {
	for name, tt := range map[string]struct {
		listen string
		beyond bool
	}{
		"nowhere":               {"", false},
		"loopback":              {"127.0.0.1:4222", false},
		"loopback of version 6": {"[::1]:4222", false},
		"mapped loopback":       {"[::ffff:127.0.0.1]:0", false},
		"localhost":             {"localhost:4222", false},
		"localhost in capitals": {parse(t, "nats: {listen: 'LOCALHOST:4222'}", env()).NATS.Listen, false},
		"loopback with a zone":  {"[::1%lo]:4222", true},
		"everywhere":            {":4222", true},
		"all of version 4":      {"0.0.0.0:4222", true},
		"all of version 6":      {"[::]:4222", true},
		"a name":                {"broker:4222", true},
	} {
		t.Run(name, func(t *testing.T) {
			n := NATS{Listen: tt.listen}
			if err := n.CheckListen(); err != nil || n.Beyond() != tt.beyond {
				t.Errorf("beyond %v, error %v; want %v", n.Beyond(), err, tt.beyond)
			}
		})
	}
	if err := (NATS{Listen: "127.0.0.1"}).CheckListen(); err == nil || !strings.Contains(err.Error(), "want an address") {
		t.Errorf("without a port: %v", err)
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
	if err := os.WriteFile(big, make([]byte, field.MaxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(big, env()); err == nil || !strings.Contains(err.Error(), "more than 8 MiB") {
		t.Errorf("got %v", err)
	}
}

// TestManyWatchersAreReadInProportion: ten times as many watchers take about ten times as
// long, and not a hundred times.
func TestManyWatchersAreReadInProportion(t *testing.T) {
	read := func(n int) time.Duration {
		var b strings.Builder
		b.WriteString("sets:\n- name: All\n  watchers:\n")
		for i := range n {
			b.WriteString("  - {name: \"w " + time.Duration(i).String() + "\", page: \"http://a/\", thresholds: {warning: 1s, critical: 2s}}\n")
		}
		start := time.Now()
		if c := parse(t, b.String(), env()); len(c.Watchers) != n {
			t.Errorf("got %d watchers, want %d", len(c.Watchers), n)
		}
		return time.Since(start)
	}
	few, many := max(read(1000), read(1000)), min(read(10_000), read(10_000))
	if many > 50*few {
		t.Errorf("1,000 watchers took %v, 10,000 took %v", few, many)
	}
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
		c, err := Parse("pharos.yaml", data, env("API_TOKEN", "hunter2"), kinds...)
		if (c == nil) == (err == nil) {
			t.Fatalf("got %v and %v", c, err)
		}
		if err != nil {
			var all field.Errors
			if !errors.As(err, &all) || len(all) == 0 || len(all) > field.MaxErrors+1 {
				t.Fatalf("got %v, wanted Errors", err)
			}
			return
		}
		ids := make(map[pharos.WatcherID]bool)
		for _, w := range c.Watchers {
			if ids[w.ID] || w.Kind == "" || w.Spec == nil || w.Interval < pharos.MinInterval || w.Timeout <= 0 || w.Bounds.Fall < 1 || w.Bounds.Rise < 1 || w.Name == "" || w.Set == "" {
				t.Fatalf("got %+v", w)
			}
			ids[w.ID] = true
			if _, err := pharos.ParseSubject(pharos.ResultSubject("p1", w.ID)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
