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

func TestGreetings(t *testing.T) {
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, func(*x509.Certificate) {})}}
	expired := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-25*time.Hour)
	})}}
	at := func(handle func(net.Conn)) field.Endpoint { return field.Endpoint(listen(t, handle)) }
	overTLS := func(say func(net.Conn)) field.Endpoint {
		return at(func(raw net.Conn) {
			c := tls.Server(raw, config)
			if c.Handshake() == nil {
				say(c)
			}
		})
	}
	mail := func(server field.Endpoint, edit func(*smtpSpec)) Spec {
		s := smtp.New().(*smtpSpec)
		s.SMTP, s.TLS.CAFile = server, field.Text(ca.file)
		if edit != nil {
			edit(s)
		}
		return s
	}
	boxes := func(server field.Endpoint, edit func(*imapSpec)) Spec {
		s := imap.New().(*imapSpec)
		s.IMAP, s.TLS.CAFile = server, field.Text(ca.file)
		if edit != nil {
			edit(s)
		}
		return s
	}
	shell := func(server field.Endpoint, greeting ...string) Spec {
		s := sshServer.New().(*sshSpec)
		s.SSH, s.Greeting = server, patternsOf(greeting...)
		return s
	}
	turns := func(s *smtpSpec) { s.StartTLS = true }
	secured := func(s *imapSpec) { s.TLS.on = true }
	offers := []string{"< 220-mail.example", "< 220 ready", "> EHLO pharos", "< 250-mail", "< 250 STARTTLS", "> STARTTLS", "< 220 go"}
	for name, test := range map[string]struct {
		spec   Spec
		why    string
		fact   string
		phases string
	}{
		"smtp":                       {mail(at(dialogue("< 220-mail.example", "< 220 ready", "> QUIT")), nil), "", "greeting=220-mail.example 220 ready", "connect banner"},
		"smtp with TLS":              {mail(speaksTLS(t, config, dialogue(offers...)), turns), "", "certificate=", "connect banner starttls tls"},
		"smtp with TLS at once":      {mail(overTLS(dialogue("< 220 ready", "> QUIT")), func(s *smtpSpec) { s.TLS.on = true }), "", "greeting=220 ready", "connect tls banner"},
		"smtp without TLS":           {mail(at(dialogue("< 220 ready", "> EHLO pharos", "< 250 mail")), turns), "the server does not offer STARTTLS", "", ""},
		"smtp, expired":              {mail(speaksTLS(t, expired, dialogue(offers...)), turns), "certificate expired 1 day ago", "", ""},
		"smtp, going down":           {mail(at(greets("421 shutting down\r\n")), nil), `the server says "421 shutting down", wanted "220"`, "", ""},
		"smtp, another":              {mail(at(greets("220 postfix\r\n")), func(s *smtpSpec) { s.Greeting = patternsOf("220", "exim") }), `no match for "exim" in the greeting: 220 postfix`, "", ""},
		"smtp, huge":                 {mail(at(greets(strings.Repeat("x", 1<<20))), nil), "the server says more than 16 KiB at once", "", ""},
		"smtp, huge in lines":        {mail(at(greets(strings.Repeat("220-x\r\n", 1<<14))), nil), "the server says more than 16 KiB at once", "", ""},
		"smtp, closed":               {mail(at(func(net.Conn) {}), nil), "the connection was closed without a greeting", "", ""},
		"smtp, closed within":        {mail(at(func(c net.Conn) { io.WriteString(c, "220 rea") }), nil), `the connection was closed within a line: "220 rea"`, "", ""},
		"smtp, TLS where none is":    {mail(at(greets("220 ready\r\n")), func(s *smtpSpec) { s.TLS.on = true }), "TLS handshake: the server does not speak TLS", "", ""},
		"smtp, refused":              {mail(field.Endpoint(unused(t)), nil), "connection refused", "", ""},
		"imap":                       {boxes(at(dialogue("< * OK ready", "> a2 LOGOUT")), nil), "", "greeting=* OK ready", "connect banner"},
		"imap, signed in":            {boxes(at(greets("* PREAUTH hello\r\n")), nil), "", "", "connect banner"},
		"imap with TLS":              {boxes(speaksTLS(t, config, dialogue("< * OK ready", "> a1 STARTTLS", "< a1 OK go")), func(s *imapSpec) { s.StartTLS = true }), "", "", "connect banner starttls tls"},
		"imap with TLS at once":      {boxes(overTLS(dialogue("< * OK ready", "> a2 LOGOUT")), secured), "", "", "connect tls banner"},
		"imap, going down":           {boxes(at(greets("* BYE down\r\n")), nil), `the server says "* BYE down", wanted "* OK"`, "", ""},
		"ssh":                        {shell(at(dialogue("< SSH-2.0-OpenSSH_9.9", "> SSH-2.0-Pharos"))), "", "greeting=SSH-2.0-OpenSSH_9.9", "connect banner"},
		"ssh with a word before":     {shell(at(greets("Authorised users only\r\n\r\nSSH-2.0-OpenSSH_9.9\r\n")), "OpenSSH_9"), "", "greeting=SSH-2.0-OpenSSH_9.9", ""},
		"ssh, old":                   {shell(at(greets("SSH-1.5-x\r\n"))), `the server says "SSH-1.5-x", wanted "SSH-2.0"`, "", ""},
		"ssh, full":                  {shell(at(func(c net.Conn) { io.WriteString(c, "Exceeded MaxStartups\r\n") })), `the server says "Exceeded MaxStartups", wanted "SSH-2.0"`, "", ""},
		"ssh, and it speaks of HTTP": {shell(at(greets(strings.Repeat("x\r\n", 60)))), `the server says "x", wanted "SSH-2.0"`, "", ""},
		"ssh, another":               {shell(at(greets("SSH-2.0-dropbear\r\n")), "OpenSSH"), `no match for "OpenSSH" in the greeting: SSH-2.0-dropbear`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := measure(t, test.spec, long)
			if m.Reason != test.why || (m.Outcome == pharos.Failed) != (test.why != "") {
				t.Errorf("got %v %q, want %q", m.Outcome, m.Reason, test.why)
			}
			if key, value, ok := strings.Cut(test.fact, "="); ok && (factOf(m, key) != value && value != "" || factOf(m, key) == "") {
				t.Errorf("got facts %v, want %s", m.Facts, test.fact)
			}
			var phases []string
			for _, p := range m.Phases {
				phases = append(phases, p.Name)
			}
			if test.phases != "" && strings.Join(phases, " ") != test.phases {
				t.Errorf("got phases %v, want %s", phases, test.phases)
			}
		})
	}
	for want, spec := range map[string]func(field.Endpoint) Spec{
		"QUIT":           func(e field.Endpoint) Spec { return mail(e, nil) },
		"a2 LOGOUT":      func(e field.Endpoint) Spec { return boxes(e, nil) },
		"SSH-2.0-Pharos": func(e field.Endpoint) Spec { return shell(e) },
	} {
		heard := make(chan string, 1)
		measure(t, spec(at(func(c net.Conn) {
			io.WriteString(c, map[string]string{"QUIT": "220 x", "a2 LOGOUT": "* OK x", "SSH-2.0-Pharos": "SSH-2.0-x"}[want]+"\r\n")
			line, _ := readLine(c)
			heard <- line
		})), long)
		if got := <-heard; got != want {
			t.Errorf("it takes its leave with %q, want %q", got, want)
		}
	}
	slow := func(spec Spec, want string) {
		if m := measure(t, spec, 100*time.Millisecond); m.Reason != want {
			t.Errorf("got %q, want %q", m.Reason, want)
		}
	}
	slow(mail(at(greets("")), nil), "timed out after 100 ms in banner")
	slow(mail(at(greets("220 ready\r\n")), turns), "timed out after 100 ms in starttls")
	slow(mail(at(greets("")), func(s *smtpSpec) { s.TLS.on = true }), "timed out after 100 ms in tls")
}
