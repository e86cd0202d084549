package probe

import (
	"fmt"
	"net"
	"strings"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

var imap = Kind{
	Key: "imap", Doc: imapDoc, Phases: []string{"lookup", "connect", "tls", "banner", "starttls"}, Through: true,
	New: func() Spec { return new(imapSpec) },
}

const imapDoc = `Meets a server of mailboxes: connects, reads its greeting, with ${starttls} turns to TLS, and takes its leave. Its value is the time that all this takes.

${{name: Mailboxes, imap: "mail.example:993", tls: true}} is enough, or ${{imap: mail.example, starttls: true}}. Nobody signs in.`

type imapSpec struct {
	field.Section
	IMAP     field.Endpoint `yaml:"imap" port:"143" also:"mailbox" doc:"A host, and a port if it is not 143." required:"true"`
	Greeting field.Patterns `yaml:"greeting" also:"banner match expect" doc:"Regular expressions (RE2) that the greeting must match, each of them."`
	StartTLS field.YesNo    `yaml:"starttls" doc:"Turn to TLS in the conversation; a server that does not offer it is critical." default:"false"`
	TLS      optionalTLS    `yaml:"tls" doc:"How the certificate is checked; without starttls, TLS from the first byte." default:"false"`
	IP       field.Word     `yaml:"ip" words:"4 6" doc:"4 or 6: this version of IP alone." default:"either"`
}

func (s *imapSpec) greeter() *greeter {
	return &greeter{
		address: s.IMAP, ip: s.IP, greeting: s.Greeting, tls: &s.TLS, starttls: bool(s.StartTLS), bye: "a2 LOGOUT\r\n", upgrade: startIMAP,
		read: func(c net.Conn) (string, error) {
			line, err := readLine(c)
			if err == nil && !strings.HasPrefix(line, "* OK") && !strings.HasPrefix(line, "* PREAUTH") {
				err = fmt.Errorf("the server says %.120q, wanted %q", line, "* OK")
			}
			return line, err
		},
	}
}

// Check implements Spec.
func (s *imapSpec) Check(c *field.Checker) { s.greeter().check(c, &s.Section) }

// Target implements Spec.
func (s *imapSpec) Target() string { return string(s.IMAP) }

// Traits implements Spec.
func (s *imapSpec) Traits() pharos.Traits { return s.greeter().traits() }

// Prepare implements Spec.
func (s *imapSpec) Prepare(e *Engine, _ pharos.Watcher) (Run, error) { return s.greeter().prepare(e) }
