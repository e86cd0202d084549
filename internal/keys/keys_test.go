package keys

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nkeys"
)

func role(t testing.TB, text string) Role {
	t.Helper()
	kind, name, _ := strings.Cut(text, " ")
	r, err := ParseRole(kind, name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParseRole(t *testing.T) {
	for text, want := range map[string]string{ // the inbox, or the error
		"prober oslo/p1":         "prober.oslo.p1",
		"prober oslo/*":          "prober.oslo.*",
		"prober Oslo HQ/Röhre":   "prober.oslo-hq--4elypaan.r-hre--hj4r37dj",
		"prober a/b/p1":          "prober.a-b--",
		"dashboard hq":           "dashboard.hq",
		"admin hq":               "admin.hq",
		"push ci.jobs.backup":    "push.ci.jobs.backup",
		"push ci.jobs.*":         "push.ci.jobs.*",
		"push ci.*.*":            "push.ci.*.*",
		"prober oslo":            "want SITE/PROBER",
		"prober /p1":             "want SITE/PROBER",
		"prober oslo/":           "want SITE/PROBER",
		"prober ":                "want SITE/PROBER",
		"dashboard ":             "want a name",
		"push ci.jobs":           "want SITE.SET.WATCHER",
		"push *.jobs.a":          `"*" is not a token`,
		"push ci.jobs.>":         `">" is not a token`,
		"push ci.jobs.Backup":    `"Backup" is not a token`,
		"push ci.jobs.a.b":       "want SITE.SET.WATCHER",
		"boss a":                 "want prober, dashboard, admin or push",
		"prober a/b\nnkey: evil": "in one line",
	} {
		kind, name, _ := strings.Cut(text, " ")
		r, err := ParseRole(kind, name)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = Inbox(r)
			if r.String() != text {
				t.Errorf("%q is shown as %q", text, r)
			}
		}
		if !strings.HasPrefix(got, want) && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		key, who string
		want     bool
	}{
		{"prober oslo/p1", "prober oslo/p1", true},
		{"prober oslo/*", "prober oslo/p1", true},
		{"prober oslo/*", "prober oslo2/p1", false},
		{"prober oslo/p1", "prober oslo/p12", false},
		{"prober oslo/p1", "prober berlin/p1", false},
		{"prober a_b/c", "prober a/b_c", false},
	} {
		if got := role(t, tt.key).Covers(role(t, tt.who)); got != tt.want {
			t.Errorf("a key of %s for %s: %v", tt.key, tt.who, got)
		}
	}
}

func made(t testing.TB, roles ...string) (*Folder, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	var all []Role
	for _, r := range roles {
		all = append(all, role(t, r))
	}
	f, err := Make(dir, []string{"127.0.0.1:4222"}, nil, all...)
	if err != nil {
		t.Fatal(err)
	}
	return f, dir
}

func read(t testing.TB, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAKeyFileIsReadAsItWasWritten(t *testing.T) {
	f, dir := made(t)
	want, err := f.Add(role(t, "prober Oslo HQ/p1"), []string{"hq.example:4222", "[2001:db8::7]:4222"}, false)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "a.key")
	if err := os.WriteFile(path, want.Format(), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.URL() != "tls://hq.example:4222,tls://[2001:db8::7]:4222" {
		t.Errorf("URL %q", got.URL())
	}
	// Other tools take the file for an NKey's, and for a CA's.
	if _, err := nkeys.ParseDecoratedUserNKey(want.Format()); err != nil {
		t.Error(err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(want.Format()) {
		t.Error("no certificate is found in it")
	}
	without, err := f.Add(role(t, "prober oslo/p2"), nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, without.Format(), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Load(path); err != nil || got.CA != nil {
		t.Errorf("one that trusts who the system trusts: %v, CA %q", err, got.CA)
	}
}

func TestAKeyFileThatIsNoneIsRefusedAndNotShown(t *testing.T) {
	seed, _, err := newSeed()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.key")
	for content, want := range map[string]string{
		"":                                   "whose it is",
		"secret":                             "neither a role",
		"role: prober a/b\nnats: a:1\n":      "no NKey",
		"role: prober a/b\n" + seed:          "no address",
		"nats: a:1\n" + seed:                 "whose it is",
		"role: prober a/b\nnats: a\n" + seed: `address "a"`,
		"role: prober a/b\nnats: tls://a:1\n" + seed:                             `address "tls://a:1"`,
		"role: prober a\nnats: a:1\n" + seed:                                     "want SITE/PROBER",
		"role: prober a/b\nnats: a:1\n" + seed + "\n-----BEGIN CERTIFICATE-----": "no certificate",
		"role: prober a/b\nnats: a:1\n" + seed[:20] + "\n":                       "neither a role",
		"role: prober a/b\nnats: a:1\n" + "SA" + seed[2:]:                        "neither a role",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: error %v, want %q", content, err, want)
		} else if strings.Contains(err.Error(), seed[:20]) {
			t.Errorf("%q: the error shows the secret: %v", content, err)
		}
	}
}

func names(t testing.TB, f *Folder) (all []string) {
	t.Helper()
	members, err := f.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		all = append(all, m.Role.String())
	}
	return all
}

func TestFolder(t *testing.T) {
	f, dir := made(t, "admin hq")
	for name, mode := range map[string]os.FileMode{"ca.key": 0o600, "server/server.key": 0o600, "admin/admin.key": 0o600, "ca.pem": 0o644, "server/server.pem": 0o644, "server/auth.conf": 0o644, "admin.hq.pub": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, want mode %v", name, err, mode)
		}
	}
	if _, err := Load(f.OwnKey(Role{Kind: Admin})); err != nil {
		t.Error(err)
	}
	before := read(t, dir, "server", "server.pem") + read(t, dir, "ca.pem") + read(t, dir, "admin", "admin.key") + read(t, dir, "server", "auth.conf")
	if _, err := Make(dir, nil, nil, role(t, "admin hq")); err != nil {
		t.Fatal(err)
	}
	if after := read(t, dir, "server", "server.pem") + read(t, dir, "ca.pem") + read(t, dir, "admin", "admin.key") + read(t, dir, "server", "auth.conf"); after != before {
		t.Error("making again what is there changes it")
	}
	if _, err := f.Add(role(t, "prober oslo/*"), nil, false); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Add(role(t, "prober oslo/*"), nil, false); err == nil || !strings.Contains(err.Error(), "revoke that one first") {
		t.Errorf("a second key: %v", err)
	}
	if err := f.Revoke(role(t, "prober oslo/p1")); err == nil || !strings.Contains(err.Error(), "these have: admin hq, prober oslo/*") {
		t.Errorf("revoking what is not there: %v", err)
	}
	if diff := cmp.Diff([]string{"admin hq", "prober oslo/*"}, names(t, f)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := f.Revoke(role(t, "prober oslo/*")); err != nil {
		t.Fatal(err)
	}
	if conf := read(t, dir, "server", "auth.conf"); strings.Contains(conf, "oslo") || !strings.Contains(conf, "# admin hq") {
		t.Errorf("after a key was revoked:\n%s", conf)
	}
	// Who has lost the CA's key does not get another CA by surprise.
	if err := os.Remove(filepath.Join(dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(dir, nil, nil); err == nil || !strings.Contains(err.Error(), "its key is not") {
		t.Errorf("without the CA's key: %v", err)
	}
}

func TestKeysThatAreAddedAtOnceAreAllThere(t *testing.T) {
	f, dir := made(t)
	var adding sync.WaitGroup
	for i := range 20 {
		adding.Go(func() {
			if _, err := f.Add(Role{Kind: Prober, Site: "a", Name: fmt.Sprint("p", i)}, nil, false); err != nil {
				t.Error(err)
			}
		})
	}
	adding.Wait()
	if n := strings.Count(read(t, dir, "server", "auth.conf"), "nkey:"); n != 20 || len(names(t, f)) != 20 {
		t.Errorf("%d keys in auth.conf, %d in the list, want 20", n, len(names(t, f)))
	}
}

func TestTheServersCertificate(t *testing.T) {
	f, dir := made(t)
	certificate := func() *x509.Certificate {
		t.Helper()
		block, _ := pem.Decode([]byte(read(t, dir, "server", "server.pem")))
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := certificate()
	if _, err := Make(dir, []string{"nats.example:4222", "[2001:db8::7]:4222"}, nil); err != nil {
		t.Fatal(err)
	}
	second := certificate()
	if first.Equal(second) {
		t.Error("it is not made anew for other addresses")
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(read(t, dir, "ca.pem")))
	for _, host := range []string{"nats.example", "2001:db8::7", "localhost", "127.0.0.1"} {
		if _, err := second.Verify(x509.VerifyOptions{Roots: pool, DNSName: host}); err != nil {
			t.Error(err)
		}
	}
	if addresses, err := f.addresses(); err != nil || !slices.Equal(addresses, []string{"nats.example:4222", "[2001:db8::7]:4222"}) {
		t.Errorf("addresses %q, %v", addresses, err)
	}
	if _, err := Make(dir, []string{"nats.example"}, nil); err == nil || !strings.Contains(err.Error(), "want one such as") {
		t.Errorf("an address without a port: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "server", "server.key"), []byte(read(t, dir, "ca.key")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(dir, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := tls.LoadX509KeyPair(f.ServerFiles()); err != nil {
		t.Error("a certificate with another's key is left as it is")
	}
}

func TestAFileOfARoleThatIsNoneOpensNothing(t *testing.T) {
	f, dir := made(t, "admin hq")
	good := read(t, dir, "admin.hq.pub")
	for content, want := range map[string]string{
		"": "want a role and a public NKey",
		"role: admin hq\nnkey: SUAOTAOXBDYXSUPIDE2ZJTFTQNRCNSUAFZXIQYWYM7JWCIVXQDTLVH6CLQ\n": "want a role and a public NKey",
		strings.Replace(good, "admin hq", "admin other", 1):                                  `has the name "admin.other.pub"`,
		strings.Replace(good, "admin hq", "boss hq", 1):                                      "want prober",
	} {
		if err := os.WriteFile(filepath.Join(dir, "admin.hq.pub"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := f.List(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", content, err, want)
		}
	}
}
