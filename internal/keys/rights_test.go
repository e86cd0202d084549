package keys

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"pharos/internal/bus/embedded"
	"pharos/internal/pharostest"
)

// everybody is one of each role.
var everybody = []string{"prober oslo/p1", "prober berlin/*", "dashboard hq", "dashboard oslo", "admin hq", "push ci.jobs.backup", "push ci.jobs.*"}

// Who may publish what, and nobody else may.
var mayPublish = map[string][]string{
	"pharos.result.oslo.p1.shop.home":                             {"prober oslo/p1"},
	"pharos.result.oslo.p1":                                       nil,
	"pharos.result.oslo.p2.shop.home":                             nil,
	"pharos.result.oslo.p1-2.shop.home":                           nil,
	"pharos.result.berlin.any.shop.home":                          {"prober berlin/*"},
	"pharos.roster.oslo.p1.0":                                     {"prober oslo/p1"},
	"pharos.roster.oslo.p2.0":                                     nil,
	"pharos.roster.berlin.any.0":                                  {"prober berlin/*"},
	"pharos.heartbeat.oslo.p1":                                    {"prober oslo/p1"},
	"pharos.heartbeat.oslo.p2":                                    nil,
	"pharos.heartbeat.berlin.any":                                 {"prober berlin/*"},
	"pharos.push.ci.jobs.backup":                                  {"dashboard hq", "dashboard oslo", "push ci.jobs.backup", "push ci.jobs.*"},
	"pharos.push.ci.jobs.other":                                   {"dashboard hq", "dashboard oslo", "push ci.jobs.*"},
	"pharos.push.ci.other.backup":                                 {"dashboard hq", "dashboard oslo"},
	"pharos.push.oslo.shop.home":                                  {"dashboard hq", "dashboard oslo"},
	"pharos.refresh":                                              {"dashboard hq", "dashboard oslo", "admin hq"},
	"pharos.forget":                                               {"admin hq"},
	"pharos.other":                                                nil,
	"other":                                                       nil,
	"_INBOX.a":                                                    nil,
	"_INBOX_dashboard.hq.a":                                       nil,
	"_INBOX_prober.oslo.p1.a":                                     nil,
	"_INBOX_prober.berlin.any.a":                                  nil,
	"$JS.API.INFO":                                                nil,
	"$JS.API.STREAM.NAMES":                                        nil,
	"$JS.API.STREAM.LIST":                                         nil,
	"$JS.API.STREAM.INFO.PHAROS":                                  {"dashboard hq", "dashboard oslo", "admin hq"},
	"$JS.API.STREAM.INFO.PHAROS_PUSH":                             {"dashboard hq", "dashboard oslo", "admin hq"},
	"$JS.API.STREAM.CREATE.PHAROS":                                {"dashboard hq", "dashboard oslo"},
	"$JS.API.STREAM.CREATE.PHAROS_PUSH":                           {"dashboard hq", "dashboard oslo"},
	"$JS.API.STREAM.CREATE.OTHER":                                 nil,
	"$JS.API.STREAM.UPDATE.PHAROS":                                nil,
	"$JS.API.STREAM.DELETE.PHAROS":                                nil,
	"$JS.API.STREAM.PURGE.PHAROS":                                 {"admin hq"},
	"$JS.API.STREAM.PURGE.PHAROS_PUSH":                            {"admin hq"},
	"$JS.API.STREAM.MSG.GET.PHAROS":                               nil,
	"$JS.API.STREAM.MSG.DELETE.PHAROS":                            nil,
	"$JS.API.STREAM.SNAPSHOT.PHAROS":                              nil,
	"$JS.API.STREAM.RESTORE.PHAROS":                               nil,
	"$JS.API.CONSUMER.CREATE.PHAROS":                              nil,
	"$JS.API.CONSUMER.CREATE.PHAROS.a":                            {"dashboard hq", "dashboard oslo", "admin hq"},
	"$JS.API.CONSUMER.CREATE.PHAROS.a.pharos.result.>":            nil,
	"$JS.API.CONSUMER.DURABLE.CREATE.PHAROS.a":                    nil,
	"$JS.API.CONSUMER.MSG.NEXT.PHAROS.a":                          {"dashboard hq", "dashboard oslo", "admin hq"},
	"$JS.API.CONSUMER.DELETE.PHAROS.a":                            nil,
	"$JS.API.CONSUMER.NAMES.PHAROS":                               nil,
	"$JS.API.DIRECT.GET.PHAROS":                                   nil,
	"$JS.API.DIRECT.GET.PHAROS.pharos.heartbeat.oslo.p1":          {"prober oslo/p1"},
	"$JS.API.DIRECT.GET.PHAROS.pharos.result.oslo.p2.shop.home":   {"prober oslo/p1"}, // its site's
	"$JS.API.DIRECT.GET.PHAROS.pharos.result.berlin.a.shop.home":  {"prober berlin/*"},
	"$JS.API.DIRECT.GET.PHAROS_PUSH.pharos.push.ci.jobs.backup":   nil,
	"$JS.API.DIRECT.GET.PHAROS_PUSH.pharos.push.oslo.jobs.backup": {"prober oslo/p1"},
	"$JS.ACK.PHAROS.a.1.1.1.1.1":                                  nil,
	"$JS.FC.PHAROS.a.b":                                           nil,
	"$SYS.REQ.SERVER.PING":                                        nil,
	"$SYS.REQ.USER.INFO":                                          nil,
}

// Who may hear what.
var mayHear = map[string][]string{
	">":                         nil,
	"*.>":                       nil,
	"pharos.>":                  nil,
	"pharos.*":                  nil,
	"pharos.result.>":           {"dashboard hq", "dashboard oslo", "admin hq"},
	"pharos.result.oslo.>":      {"prober oslo/p1", "dashboard hq", "dashboard oslo", "admin hq"},
	"pharos.roster.>":           {"dashboard hq", "dashboard oslo", "admin hq"},
	"pharos.heartbeat.>":        {"dashboard hq", "dashboard oslo", "admin hq"},
	"pharos.heartbeat.oslo.*":   {"prober oslo/p1", "dashboard hq", "dashboard oslo", "admin hq"},
	"pharos.heartbeat.berlin.*": {"prober berlin/*", "dashboard hq", "dashboard oslo", "admin hq"},
	"pharos.heartbeat.*.*":      {"dashboard hq", "dashboard oslo", "admin hq"},
	"pharos.push.>":             {"dashboard hq", "dashboard oslo", "admin hq"},
	"pharos.push.oslo.>":        {"prober oslo/p1", "dashboard hq", "dashboard oslo", "admin hq"},
	"pharos.push.ci.>":          {"dashboard hq", "dashboard oslo", "admin hq"},
	"pharos.refresh":            {"prober oslo/p1", "prober berlin/*"},
	"pharos.forget":             {"dashboard hq", "dashboard oslo", "admin hq"},
	"_INBOX.>":                  nil,
	"_INBOX_>":                  nil,
	"*.*.*.*":                   nil,
	"_INBOX_prober.>":           nil,
	"_INBOX_prober.oslo.>":      nil,
	"_INBOX_prober.oslo.p1.>":   {"prober oslo/p1"},
	"_INBOX_prober.oslo.p2.>":   nil,
	"_INBOX_prober.berlin.p1.>": {"prober berlin/*"},
	"_INBOX_dashboard.hq.>":     {"dashboard hq"},
	"_INBOX_dashboard.oslo.>":   {"dashboard oslo"},
	"_INBOX_admin.hq.>":         {"admin hq"},
	"$JS.API.>":                 nil,
	"$JS.EVENT.>":               nil,
	"$SYS.>":                    nil,
}

// place is a NATS server that knows the keys of a folder.
type place struct {
	folder *Folder
	addr   string
	reload func()
}

// places are the two ways in which a server learns of keys.
var places = map[string]func(t *testing.T, f *Folder, dir string) place{
	"nats-server": func(t *testing.T, f *Folder, dir string) place {
		conf := filepath.Join(dir, "nats.conf")
		text := fmt.Sprintf("listen: 127.0.0.1:-1\ninclude \"server/auth.conf\"\njetstream {store_dir: %q}\ntls {cert_file: %q, key_file: %q}\n", t.TempDir(), filepath.Join(dir, "server", "server.pem"), filepath.Join(dir, "server", "server.key"))
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := server.ProcessConfigFile(conf)
		if err != nil {
			t.Fatal(err)
		}
		o.NoSigs, o.NoLog = true, true
		s, err := server.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		if !s.ReadyForConnections(pharostest.Patience) {
			t.Fatal("not ready")
		}
		return place{f, s.Addr().String(), func() {
			if err := s.Reload(); err != nil {
				t.Fatal(err)
			}
		}}
	},
	"embedded": func(t *testing.T, f *Folder, dir string) place {
		members := func() []embedded.Member {
			list, err := f.List()
			if err != nil {
				t.Fatal(err)
			}
			all := make([]embedded.Member, len(list))
			for i, m := range list {
				r := m.Role.Rights()
				all[i] = embedded.Member{NKey: m.NKey, Publish: r.Publish, Subscribe: r.Subscribe}
			}
			return all
		}
		s := pharostest.Broker(t, embedded.Options{
			StoreDir: t.TempDir(), Listen: "127.0.0.1:0", Members: members(),
			Certificate: func() (*tls.Certificate, error) {
				c, err := tls.LoadX509KeyPair(f.ServerFiles())
				return &c, err
			},
		})
		return place{f, s.Addr(), func() {
			if err := s.SetMembers(members()); err != nil {
				t.Fatal(err)
			}
		}}
	},
}

// connect connects as a tool does that is handed a key file, and to which the
// server's name matters.
func (p place) connect(path string, more ...nats.Option) (*nats.Conn, error) {
	key, err := nats.NkeyOptionFromSeed(path)
	if err != nil {
		return nil, err
	}
	return nats.Connect("tls://"+p.addr, append([]nats.Option{key, nats.RootCAs(path), nats.Timeout(pharostest.Patience), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})}, more...)...)
}

// TestEveryRoleTriesEverything has each role publish and subscribe to what it may
// and what it may not.
func TestEveryRoleTriesEverything(t *testing.T) {
	for name, start := range places {
		t.Run(name, func(t *testing.T) {
			f, dir := made(t)
			files := map[string]string{}
			for _, who := range everybody {
				k, err := f.Add(role(t, who), nil, false)
				if err != nil {
					t.Fatal(err)
				}
				files[who] = filepath.Join(t.TempDir(), "key")
				if err := os.WriteFile(files[who], k.Format(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p := start(t, f, dir)
			for _, who := range everybody {
				nc, err := p.connect(files[who])
				if err != nil {
					t.Fatal(err)
				}
				for doing, table := range map[string]map[string][]string{"Publish": mayPublish, "Subscription": mayHear} {
					for subject, allowed := range table {
						if doing == "Publish" {
							err = nc.Publish(subject, nil)
						} else {
							_, err = nc.SubscribeSync(subject)
						}
						if err == nil {
							err = nc.FlushTimeout(pharostest.Patience)
						}
						if err != nil {
							t.Fatal(err)
						}
						refused := nc.LastError() != nil && strings.Contains(nc.LastError().Error(), fmt.Sprintf("for %s to %q", doing, subject))
						if refused == slices.Contains(allowed, who) {
							t.Errorf("%s: %s to %s: refused %v", who, doing, subject, refused)
						}
					}
				}
				nc.Close()
			}
		})
	}
}

// TestWhoHasNoKeyDoesNotComeIn tries to connect without one, with wrong ones, and
// with one that is revoked.
func TestWhoHasNoKeyDoesNotComeIn(t *testing.T) {
	for name, start := range places {
		t.Run(name, func(t *testing.T) {
			f, dir := made(t)
			other, _ := made(t)
			write := func(k File) string {
				t.Helper()
				path := filepath.Join(t.TempDir(), "key")
				if err := os.WriteFile(path, k.Format(), 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			stranger, err := other.Add(role(t, "admin hq"), nil, false)
			if err != nil {
				t.Fatal(err)
			}
			p := start(t, f, dir) // nobody has a key yet: it is not open to everybody
			k := stranger
			ca := write(File{Role: k.Role, Addresses: k.Addresses, Seed: k.Seed, CA: []byte(read(t, dir, "ca.pem"))})
			refused := func(what string, nc *nats.Conn, err error, want string) {
				t.Helper()
				if err == nil {
					nc.Close()
				}
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: error %v, want %q", what, err, want)
				}
			}
			nc, err := nats.Connect("tls://"+p.addr, nats.RootCAs(ca), nats.Timeout(pharostest.Patience))
			refused("nobody", nc, err, "Authorization Violation")
			nc, err = nats.Connect("tls://"+p.addr, nats.RootCAs(ca), nats.UserInfo("admin", "admin"), nats.Timeout(pharostest.Patience))
			refused("a password", nc, err, "Authorization Violation")

			good, err := f.Add(role(t, "prober oslo/p1"), nil, false)
			if err != nil {
				t.Fatal(err)
			}
			p.reload()
			cut := make(chan struct{})
			path := write(good)
			nc, err = p.connect(path, nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(cut) }))
			if err != nil {
				t.Fatalf("a key that was added while the server runs: %v", err)
			}
			defer nc.Close()
			nc, err = p.connect(ca)
			refused("another installation's key", nc, err, "Authorization Violation")
			nc, err = p.connect(write(stranger))
			refused("a server of another installation", nc, err, "certificate")
			members, err := f.List()
			if err != nil {
				t.Fatal(err)
			}
			nc, err = nats.Connect("tls://"+p.addr, nats.RootCAs(ca), nats.Nkey(members[0].NKey, func(nonce []byte) ([]byte, error) { return make([]byte, 64), nil }), nats.Timeout(pharostest.Patience))
			refused("the public part alone", nc, err, "Authorization Violation")
			if err := f.Revoke(role(t, "prober oslo/p1")); err != nil {
				t.Fatal(err)
			}
			p.reload()
			pharostest.Await(t, "the end of who is connected with a revoked key", cut)
			if nc, err = p.connect(path); err == nil {
				nc.Close()
				t.Error("a revoked key is good")
			}
		})
	}
}
