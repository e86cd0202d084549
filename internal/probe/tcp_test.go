package probe

import (
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

func TestTCP(t *testing.T) {
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, func(*x509.Certificate) {})}}
	at := func(handle func(net.Conn)) string { return listen(t, handle) }
	expect := func(p string) field.Pattern { return field.Pattern{Regexp: patternsOf(p)[0]} }
	ask := func(send, want string) func(*tcpSpec) {
		return func(s *tcpSpec) {
			s.Send = field.Text(send)
			if want != "" {
				s.Expect = expect(want)
			}
		}
	}
	steps := func(pairs ...string) func(*tcpSpec) {
		return func(s *tcpSpec) {
			for i := 0; i < len(pairs); i += 2 {
				step := tcpStep{Send: field.Text(pairs[i])}
				if pairs[i+1] != "" {
					step.Expect = expect(pairs[i+1])
				}
				s.Steps = append(s.Steps, step)
			}
		}
	}
	bySlices := func(parts ...string) func(net.Conn) {
		return func(c net.Conn) {
			for _, p := range parts {
				io.WriteString(c, p)
				time.Sleep(10 * time.Millisecond)
			}
			io.Copy(io.Discard, c)
		}
	}
	full := full(t)
	const soon = 300 * time.Millisecond
	for name, test := range map[string]struct {
		server  string
		edit    func(*tcpSpec)
		timeout time.Duration
		why     string
		detail  string
	}{
		"open":                        {at(greets("")), nil, long, "", ""},
		"closed at once":              {at(func(net.Conn) {}), nil, long, "", ""},
		"refused":                     {unused(t), nil, long, "connection refused", "refused"},
		"filtered":                    {full, nil, soon, "timed out after 300 ms in connect", ""},
		"an answer":                   {at(dialogue("> PING", "< +PONG")), ask("PING\r\n", `^\+PONG$`), long, "", ""},
		"a greeting":                  {at(greets("220 x\r\n")), ask("", "^220 "), long, "", ""},
		"said, and no matter":         {at(dialogue("> PING")), ask("PING\r\n", ""), long, "", ""},
		"an answer in slices":         {at(bySlices("+P", "O", "NG\r\n")), ask("", `^\+PONG`), long, "", ""},
		"another answer":              {at(dialogue("> PING", "< -NOAUTH no", "> wait")), ask("PING\r\n", `^\+PONG`), soon, `no match for "^\\+PONG" within 300 ms, it says "-NOAUTH no"`, "-NOAUTH no"},
		"another answer, and closed":  {at(dialogue("> PING", "< -NOAUTH no")), ask("PING\r\n", `^\+PONG`), long, `no match for "^\\+PONG" until the connection was closed, it says "-NOAUTH no"`, "-NOAUTH no"},
		"no answer":                   {at(greets("")), ask("PING\r\n", `^\+PONG`), soon, "timed out after 300 ms in reply", ""},
		"no answer, and closed":       {at(func(c net.Conn) { c.Read(make([]byte, 100)) }), ask("PING\r\n", `^\+PONG`), long, `no match for "^\\+PONG" until the connection was closed`, ""},
		"reset":                       {at(func(c net.Conn) { c.Read(make([]byte, 100)); c.(*net.TCPConn).SetLinger(0) }), ask("PING\r\n", `^\+PONG`), long, "connection reset", ""},
		"huge":                        {at(greets(strings.Repeat("x", 1<<20))), ask("", "y"), long, `no match for "y" in the first 16 KiB, it says "` + strings.Repeat("x", 120) + `"`, "x"},
		"huge, and a match in it":     {at(greets(strings.Repeat("x", 15<<10) + "y" + strings.Repeat("x", 1<<20))), ask("", "y"), long, "", ""},
		"steps":                       {at(dialogue("< 220 x", "> NOOP", "< 250 ok", "> QUIT", "< 221 bye")), steps("", "^220", "NOOP\r\n", "^250", "QUIT\r\n", "^221"), long, "", ""},
		"steps, answered at once":     {at(greets("220 x\r\n250 ok\r\n221 bye\r\n")), steps("", "^220.*\n", "NOOP\r\n", "^250.*\n", "QUIT\r\n", "^221"), long, "", ""},
		"the second step":             {at(dialogue("< 220 x", "> NOOP", "< 500 no")), steps("", "^220.*\n", "NOOP\r\n", "^250"), long, `no match for "^250" until the connection was closed, it says "500 no"`, "500 no"},
		"a step does not match twice": {at(greets("220 x\r\n")), steps("", "^220", "", "^220"), soon, `no match for "^220" within 300 ms, it says "x"`, ""},
		"TLS":                         {string(speaksTLS(t, config, nil)), func(s *tcpSpec) { s.TLS.on, s.TLS.CAFile = true, field.Text(ca.file) }, long, "", ""},
		"TLS of nobody":               {string(speaksTLS(t, config, nil)), func(s *tcpSpec) { s.TLS.on = true }, long, `certificate is signed by an unknown authority, "Test Authority"`, ""},
		"TLS, slow":                   {at(greets("")), func(s *tcpSpec) { s.TLS.on = true }, soon, "timed out after 300 ms in tls", ""},
		"TLS, and an answer": {at(func(raw net.Conn) {
			if c := tls.Server(raw, config); c.Handshake() == nil {
				dialogue("> PING", "< +PONG")(c)
			}
		}), func(s *tcpSpec) {
			s.TLS.on, s.TLS.CAFile = true, field.Text(ca.file)
			ask("PING\r\n", `^\+PONG`)(s)
		}, long, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			spec := tcp.New().(*tcpSpec)
			spec.TCP = field.Endpoint(test.server)
			if test.edit != nil {
				test.edit(spec)
			}
			m := measure(t, spec, test.timeout)
			if m.Reason != test.why || (m.Outcome == pharos.Failed) != (test.why != "") {
				t.Errorf("got %v %q, want %q", m.Outcome, m.Reason, test.why)
			}
			if !strings.Contains(m.Detail, test.detail) {
				t.Errorf("got detail %q, want %q in it", m.Detail, test.detail)
			}
			if test.why == "" && (!m.Value.OK || factOf(m, "address") == "") {
				t.Errorf("got %+v", m)
			}
		})
	}
}
