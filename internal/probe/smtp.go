package probe

import (
	"net"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

var smtp = Kind{
	Key: "smtp", Doc: smtpDoc, Phases: []string{"lookup", "connect", "tls", "banner", "starttls"}, Through: true,
	New: func() Spec { return new(smtpSpec) },
}

const smtpDoc = `Meets a mail server: connects, reads its greeting, with ${starttls} turns to TLS, and takes its leave. Its value is the time that all this takes.

${{name: Mail in, smtp: mail.example, starttls: true}} is enough; for a port that speaks TLS at once it is ${{smtp: "mail.example:465", tls: true}}. No mail is sent.`

type smtpSpec struct {
	field.Section
	SMTP     field.Endpoint `yaml:"smtp" port:"25" also:"mail" doc:"A host, and a port if it is not 25." required:"true"`
	Greeting field.Patterns `yaml:"greeting" also:"banner match expect" doc:"Regular expressions (RE2) that the greeting must match, each of them."`
	StartTLS field.YesNo    `yaml:"starttls" doc:"Turn to TLS in the conversation; a server that does not offer it is critical." default:"false"`
	TLS      optionalTLS    `yaml:"tls" doc:"How the certificate is checked; without starttls, TLS from the first byte." default:"false"`
	IP       field.Word     `yaml:"ip" words:"4 6" doc:"4 or 6: this version of IP alone." default:"either"`
}

func (s *smtpSpec) greeter() *greeter {
	return &greeter{
		address: s.SMTP, ip: s.IP, greeting: s.Greeting, tls: &s.TLS, starttls: bool(s.StartTLS), bye: "QUIT\r\n", upgrade: startSMTP,
		read: func(c net.Conn) (string, error) { return reply(c, "", "220") },
	}
}

// Check implements Spec.
func (s *smtpSpec) Check(c *field.Checker) { s.greeter().check(c, &s.Section) }

// Target implements Spec.
func (s *smtpSpec) Target() string { return string(s.SMTP) }

// Traits implements Spec.
func (s *smtpSpec) Traits() pharos.Traits { return s.greeter().traits() }

// Prepare implements Spec.
func (s *smtpSpec) Prepare(e *Engine, _ pharos.Watcher) (Run, error) { return s.greeter().prepare(e) }
