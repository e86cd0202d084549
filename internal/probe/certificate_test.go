package probe

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// measure returns what one run of a spec measures.
func measure(t testing.TB, spec Spec, timeout time.Duration) Measurement {
	t.Helper()
	return measureOf(t, of(spec), timeout)
}

func measureOf(t testing.TB, w pharos.Watcher, timeout time.Duration) Measurement {
	t.Helper()
	e := New(Options{Version: "test"})
	t.Cleanup(func() { e.Close() })
	w.Timeout = timeout
	p, err := e.Prepare(w, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return p.Run(ctx, pharos.NewTrace(nil))
}

const long = 30 * time.Second // a timeout that is not met

func factOf(m Measurement, name string) string { return fact(pharos.Result{Facts: m.Facts}, name) }

// speaksTLS listens, lets say have its say on each connection, and speaks TLS then.
func speaksTLS(t testing.TB, c *tls.Config, say func(net.Conn)) field.Endpoint {
	return field.Endpoint(listen(t, func(raw net.Conn) {
		if say != nil {
			say(raw)
		}
		s := tls.Server(raw, c)
		s.SetDeadline(time.Now().Add(long))
		if s.Handshake() == nil {
			io.Copy(io.Discard, s)
		}
	}))
}

// dialogue says lines and waits for those of the other side, in turn: "< x" is
// said, "> x" is waited for.
func dialogue(lines ...string) func(net.Conn) {
	return func(c net.Conn) {
		in := bufio.NewReaderSize(onlyRead{c}, 1)
		for _, line := range lines {
			if said, ok := strings.CutPrefix(line, "< "); ok {
				io.WriteString(c, said+"\r\n")
				continue
			}
			got, err := in.ReadString('\n')
			if err != nil || strings.TrimSpace(got) != strings.TrimPrefix(line, "> ") {
				io.WriteString(c, "500 what?\r\n")
				c.Close()
				return
			}
		}
	}
}

// greets says something at once, and is silent then.
func greets(text string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, text)
		io.Copy(io.Discard, c)
	}
}

// onlyRead reads byte by byte, so that nothing of a handshake is taken.
type onlyRead struct{ net.Conn }

func (o onlyRead) Read(b []byte) (int, error) { return o.Conn.Read(b[:1]) }

func bytesDialogue(pairs ...string) func(net.Conn) {
	return func(c net.Conn) {
		for i, p := range pairs {
			if i%2 == 0 {
				io.ReadFull(c, make([]byte, len(p)))
			} else {
				io.WriteString(c, p)
			}
		}
	}
}

func TestCertificate(t *testing.T) {
	ca := newAuthority(t)
	const day = 24 * time.Hour
	life := func(before, after time.Duration) *tls.Config {
		cert := ca.issue(t, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-before), time.Now().Add(after+time.Minute)
		})
		return &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	links := func(leaf, middle time.Duration) *tls.Config {
		own := ca.issue(t, func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.Subject.CommonName = true, true, x509.KeyUsageCertSign, "Test Intermediate"
			c.NotAfter = time.Now().Add(middle + time.Minute)
		})
		cert, _ := x509.ParseCertificate(own.Certificate[0])
		end := authority{key: own.PrivateKey.(*ecdsa.PrivateKey), cert: cert}.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(leaf + time.Minute) })
		end.Certificate = append(end.Certificate, own.Certificate[0])
		return &tls.Config{Certificates: []tls.Certificate{end}}
	}
	elsewhere := ca.issue(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.example"} })
	other := &tls.Config{Certificates: []tls.Certificate{elsewhere}}
	mysql := "\x4a\x00\x00\x00\x0a8.0.36\x00\x01\x02\x03\x04abcdefgh\x00\xff\xff\x2d\x02\x00\xff\xdf\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00ijklmnopqrst\x00caching_sha2_password\x00"
	mysqlPlain := strings.Replace(mysql, "\x00\xff\xff\x2d", "\x00\x00\x00\x2d", 1)
	for name, test := range map[string]struct {
		server   field.Endpoint
		starttls field.Word
		edit     func(*certificateSpec)
		days     float64 // whole ones; 0: no matter
		why      string
		bounds   [2]float64
	}{
		"ninety days":          {server: speaksTLS(t, life(30*day, 60*day), nil), days: 60, bounds: [2]float64{14, 3}},
		"six days":             {server: speaksTLS(t, life(2*day, 4*day), nil), days: 4, bounds: [2]float64{1.2, 0.3}},
		"the chain ends first": {server: speaksTLS(t, links(50*day, 5*day), nil), days: 5},
		"the leaf ends first":  {server: speaksTLS(t, links(5*day, 50*day), nil), days: 5},
		"expired":              {server: speaksTLS(t, life(90*day, -3*day), nil), days: -3, why: "certificate expired 2 days ago"},
		"another's":            {server: speaksTLS(t, other, nil), days: 10, why: "certificate is for other.example, not 127.0.0.1"},
		"another's, wanted":    {server: speaksTLS(t, other, nil), edit: func(s *certificateSpec) { s.TLS.ServerName = "other.example" }, days: 10},
		"nobody's":             {server: speaksTLS(t, life(day, 10*day), nil), edit: func(s *certificateSpec) { s.TLS.CAFile = "" }, days: 10, why: `certificate is signed by an unknown authority, "Test Authority"`},
		"any will do":          {server: speaksTLS(t, life(90*day, -3*day), nil), edit: func(s *certificateSpec) { s.TLS.Insecure = true }, days: -3},
		"refused":              {server: field.Endpoint(unused(t)), why: "connection refused"},
		"no TLS":               {server: field.Endpoint(listen(t, says("HTTP/1.0 400 No\r\n\r\n"))), why: "TLS handshake: the server does not speak TLS"},
		"hangs up":             {server: field.Endpoint(listen(t, func(c net.Conn) { c.Read(make([]byte, 4096)) })), why: "TLS handshake: connection closed"},

		"smtp":          {server: speaksTLS(t, life(day, 10*day), dialogue("< 220-mail", "< 220 ready", "> EHLO pharos", "< 250-mail", "< 250-STARTTLS", "< 250 HELP", "> STARTTLS", "< 220 go")), starttls: "smtp", days: 10},
		"smtp without":  {server: field.Endpoint(listen(t, dialogue("< 220 ready", "> EHLO pharos", "< 250-mail", "< 250 HELP"))), starttls: "smtp", why: "the server does not offer STARTTLS"},
		"smtp, refused": {server: field.Endpoint(listen(t, dialogue("< 554 go away"))), starttls: "smtp", why: `the server says "554 go away", wanted "220"`},
		"imap":          {server: speaksTLS(t, life(day, 10*day), dialogue("< * OK ready", "> a1 STARTTLS", "< * CAPABILITY x", "< a1 OK go")), starttls: "imap", days: 10},
		"imap without":  {server: field.Endpoint(listen(t, dialogue("< * OK ready", "> a1 STARTTLS", "< a1 BAD no"))), starttls: "imap", why: `the server says "a1 BAD no", wanted "a1 OK"`},
		"pop3":          {server: speaksTLS(t, life(day, 10*day), dialogue("< +OK ready", "> STLS", "< +OK go")), starttls: "pop3", days: 10},
		"ftp":           {server: speaksTLS(t, life(day, 10*day), dialogue("< 220 ready", "> AUTH TLS", "< 234 go")), starttls: "ftp", days: 10},
		"ldap":          {server: speaksTLS(t, life(day, 10*day), bytesDialogue(strings.Repeat("x", 31), "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00")), starttls: "ldap", days: 10},
		"ldap without":  {server: field.Endpoint(listen(t, bytesDialogue(strings.Repeat("x", 31), "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00"))), starttls: "ldap", why: "the server does not offer STARTTLS"},
		"postgres":      {server: speaksTLS(t, life(day, 10*day), bytesDialogue("12345678", "S")), starttls: "postgres", days: 10},
		"postgres, no":  {server: field.Endpoint(listen(t, bytesDialogue("12345678", "N"))), starttls: "postgres", why: "the server does not offer TLS"},
		"mysql":         {server: speaksTLS(t, life(day, 10*day), bytesDialogue("", mysql, strings.Repeat("x", 36))), starttls: "mysql", days: 10},
		"mysql, no":     {server: field.Endpoint(listen(t, bytesDialogue("", mysqlPlain))), starttls: "mysql", why: "the server does not offer TLS"},
		"huge":          {server: field.Endpoint(listen(t, greets(strings.Repeat("x", 1<<20)))), starttls: "smtp", why: "the server says more than 16 KiB at once"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := certificate.New().(*certificateSpec)
			spec.Certificate, spec.StartTLS, spec.TLS.CAFile = test.server, test.starttls, ca.file
			if test.edit != nil {
				test.edit(spec)
			}
			m := measure(t, spec, long)
			if m.Reason != test.why || (m.Outcome == pharos.Failed) != (test.why != "") {
				t.Errorf("got %v %q, want %q", m.Outcome, m.Reason, test.why)
			}
			if test.days != 0 && (!m.Value.OK || m.Value.V < test.days || m.Value.V > test.days+0.1) {
				t.Errorf("got %v days, want %v", m.Value, test.days)
			}
			if want := test.bounds; want[0] > 0 && (m.Bounds.Warning.V < want[0] || m.Bounds.Warning.V > want[0]*1.01 || m.Bounds.Critical.V < want[1] || m.Bounds.Critical.V > want[1]*1.01) {
				t.Errorf("got bounds %v, want %v", m.Bounds, want)
			}
			if name == "the chain ends first" && factOf(m, "ends first") != "Test Intermediate, on which it depends" {
				t.Errorf("got facts %v", m.Facts)
			}
		})
	}
}

func TestACertificateThatDoesNotComeInTime(t *testing.T) {
	for name, test := range map[string]struct {
		serve    func(net.Conn)
		starttls field.Word
		want     string
	}{
		"in the handshake": {hangs(""), "", "timed out after 100 ms in tls"},
		"before STARTTLS":  {greets("220-wait\r\n"), "smtp", "timed out after 100 ms in starttls"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := certificate.New().(*certificateSpec)
			spec.Certificate, spec.StartTLS = field.Endpoint(listen(t, test.serve)), test.starttls
			if m := measure(t, spec, 100*time.Millisecond); m.Outcome != pharos.Failed || m.Reason != test.want {
				t.Errorf("got %v %q, want %q", m.Outcome, m.Reason, test.want)
			}
		})
	}
}
