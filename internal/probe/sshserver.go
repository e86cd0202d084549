package probe

import (
	"fmt"
	"net"
	"strings"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

var sshServer = Kind{
	Key: "ssh", Doc: sshDoc, Phases: []string{"lookup", "connect", "banner"}, Through: true,
	New: func() Spec { return new(sshSpec) },
}

const sshDoc = `Meets a server of SSH: connects, and reads its greeting. Its value is the time that this takes.

${{name: Login, ssh: shell.example, interval: 10s}} is enough. OpenSSH from 9.8 on shuts out for a while who comes often and never signs in: list the prober's address in its
${PerSourcePenaltyExemptList}, or let it come seldom.`

type sshSpec struct {
	field.Section
	SSH      field.Endpoint `yaml:"ssh" port:"22" doc:"A host, and a port if it is not 22." required:"true"`
	Greeting field.Patterns `yaml:"greeting" also:"banner match expect" doc:"Regular expressions (RE2) that the greeting must match, each of them."`
	IP       field.Word     `yaml:"ip" words:"4 6" doc:"4 or 6: this version of IP alone." default:"either"`
}

// maxPreface is how many lines a server may say before its greeting (RFC 4253, 4.2).
const maxPreface = 50

func (s *sshSpec) greeter() *greeter {
	return &greeter{address: s.SSH, ip: s.IP, greeting: s.Greeting, tls: new(optionalTLS), bye: "SSH-2.0-Pharos\r\n", read: readSSH}
}

func readSSH(c net.Conn) (string, error) {
	first := ""
	for range maxPreface {
		line, err := readLine(c)
		switch {
		case err != nil && first != "": // it says why it does not let us in, and hangs up
			return "", fmt.Errorf("the server says %.120q, wanted %q", first, "SSH-2.0")
		case err != nil:
			return "", err
		case strings.HasPrefix(line, "SSH-2.0-"), strings.HasPrefix(line, "SSH-1.99-"):
			return line, nil
		case strings.HasPrefix(line, "SSH-"):
			return "", fmt.Errorf("the server says %.120q, wanted %q", line, "SSH-2.0")
		case first == "":
			first = line
		}
	}
	return "", fmt.Errorf("the server says %.120q, wanted %q", first, "SSH-2.0")
}

// Check implements Spec.
func (s *sshSpec) Check(c *field.Checker) { s.greeter().check(c, &s.Section) }

// Target implements Spec.
func (s *sshSpec) Target() string { return string(s.SSH) }

// Traits implements Spec.
func (s *sshSpec) Traits() pharos.Traits { return s.greeter().traits() }

// Prepare implements Spec.
func (s *sshSpec) Prepare(e *Engine, _ pharos.Watcher) (Run, error) { return s.greeter().prepare(e) }
