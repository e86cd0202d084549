package probe

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"pharos/internal/field"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
)

// broker runs a NATS server.
func broker(t testing.TB, o natsserver.Options) string {
	t.Helper()
	o.ServerName = "broker"
	return pharostest.PlainBroker(t, &o).Addr().String()
}

func TestNATS(t *testing.T) {
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, func(*x509.Certificate) {})}}
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, _ := pair.PublicKey()
	seed, _ := pair.Seed()
	file := filepath.Join(t.TempDir(), "seed")
	if err := os.WriteFile(file, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	open, streams := broker(t, natsserver.Options{}), broker(t, natsserver.Options{JetStream: true})
	users := broker(t, natsserver.Options{Users: []*natsserver.User{{Username: "anna", Password: "passport"}}, Nkeys: []*natsserver.NkeyUser{{Nkey: public}}})
	token := broker(t, natsserver.Options{Authorization: "tokens"})
	secured := broker(t, natsserver.Options{TLSConfig: config, TLSTimeout: 10})
	trust := func(s *natsSpec) { s.TLS.CAFile = field.Text(ca.file) }
	js := func(s *natsSpec) { s.JetStream = true }
	const soon = 300 * time.Millisecond
	for name, test := range map[string]struct {
		address string
		edit    func(*natsSpec)
		timeout time.Duration
		why     string
		fact    string
		phases  string
	}{
		"open":                    {"nats://" + open, nil, long, "", "server=broker", "connect sign_in rtt"},
		"with JetStream":          {"nats://" + streams, js, long, "", "jetstream=0 streams, 0 consumers, 0 B on disk", "connect sign_in rtt jetstream"},
		"without JetStream":       {"nats://" + open, js, long, "JetStream is not enabled for this account", "", ""},
		"a user":                  {"nats://" + users, func(s *natsSpec) { s.User, s.Password = "anna", "passport" }, long, "", "", ""},
		"a user of the address":   {"nats://anna:passport@" + users, nil, long, "", "", ""},
		"a wrong password":        {"nats://" + users, func(s *natsSpec) { s.User, s.Password = "anna", "passp0rt" }, long, "Authorization Violation", "", ""},
		"nobody":                  {"nats://" + users, nil, long, "Authorization Violation", "", ""},
		"a token":                 {"nats://" + token, func(s *natsSpec) { s.Token = "tokens" }, long, "", "", ""},
		"an nkey":                 {"nats://" + users, func(s *natsSpec) { s.NKey = field.Text(file) }, long, "", "", ""},
		"TLS":                     {"tls://" + secured, trust, long, "", "certificate=", "connect sign_in rtt"},
		"TLS, by the server":      {"nats://" + secured, trust, long, "", "certificate=", ""},
		"TLS of nobody":           {"nats://" + secured, nil, long, `certificate is signed by an unknown authority, "Test Authority"`, "", ""},
		"TLS where there is none": {"tls://" + open, nil, long, "secure connection not available", "", ""},
		"refused":                 {"nats://" + unused(t), nil, long, "connection refused", "", ""},
		"closed":                  {"nats://" + listen(t, func(net.Conn) {}), nil, long, "connection closed", "", ""},
		"silence":                 {"nats://" + listen(t, greets("")), nil, soon, "timed out after 300 ms in sign in", "", ""},
		"no NATS":                 {"nats://" + listen(t, greets("220 hello\r\n")), nil, long, "protocol exception, INFO not received", "", ""},
		"no answer to the ping": {"nats://" + listen(t, func(c net.Conn) {
			io.WriteString(c, "INFO {}\r\n")
			c.Read(make([]byte, 4096))
			io.WriteString(c, "PONG\r\n")
			io.Copy(io.Discard, c)
		}), nil, soon, "timed out after 300 ms in rtt", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			spec := nats.New().(*natsSpec)
			spec.NATS.URL = address2url(test.address)
			if test.edit != nil {
				test.edit(spec)
			}
			m := measure(t, spec, test.timeout)
			if m.Reason != test.why || (m.Outcome == pharos.Failed) != (test.why != "") {
				t.Errorf("got %v %q (%v), want %q", m.Outcome, m.Reason, m.Cause, test.why)
			}
			if key, value, ok := strings.Cut(test.fact, "="); ok && !strings.HasPrefix(factOf(m, key), value) || ok && factOf(m, key) == "" {
				t.Errorf("got facts %v, want %s", m.Facts, test.fact)
			}
			var phases []string
			for _, p := range m.Phases {
				phases = append(phases, p.Name)
			}
			if got := strings.Join(phases, " "); test.phases != "" && got != test.phases {
				t.Errorf("got phases %s, want %s", got, test.phases)
			}
		})
	}
	t.Run("a seed that is none", func(t *testing.T) {
		spec := nats.New().(*natsSpec)
		spec.NATS.URL, spec.NKey = address2url("nats://"+open), field.Text(ca.file)
		e := New(Options{})
		defer e.Close()
		if _, err := e.Prepare(of(spec), nil); err == nil || !strings.Contains(err.Error(), "nkey: reading the seed in") {
			t.Errorf("got %v", err)
		}
	})
}
