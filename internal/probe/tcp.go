package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

var tcp = Kind{
	Key: "tcp", Doc: tcpDoc, Phases: []string{"lookup", "connect", "tls", "reply"}, Through: true,
	New: func() Spec { return new(tcpSpec) },
}

const tcpDoc = `Connects to a port, says something and waits for an answer where the file has them, and closes the connection. Its value is the time that all this takes.

${expect} is looked for in all that has come since the step before, up to 16 KiB, with ${\n} at the ends of lines. Where it does not come, what came instead is told. Texts in double quotes may have ${\r\n} in them.

${{name: Database, tcp: "db.example:5432"}} is enough; for more it is ${{tcp: "cache.example:6379", tls: true, send: "PING\r\n", expect: "^\\+PONG"}}, or, in several steps,
${steps: [{expect: "^220"}, {send: "NOOP\r\n", expect: "^250"}]}.`

type tcpSpec struct {
	field.Section
	TCP    field.Endpoint `yaml:"tcp" also:"port socket" doc:"A host and a port to connect to, such as db.example:5432." required:"true"`
	Send   field.Text     `yaml:"send" also:"request query" doc:"What to say."`
	Expect field.Pattern  `yaml:"expect" also:"match reply response" doc:"A regular expression (RE2) that the answer must match; ^ and $ are the ends of a line."`
	Steps  []tcpStep      `yaml:"steps" also:"query_response" doc:"Several such steps, in their order."`
	TLS    optionalTLS    `yaml:"tls" doc:"Speak TLS, and how the certificate is checked." default:"false"`
	IP     field.Word     `yaml:"ip" words:"4 6" doc:"4 or 6: this version of IP alone." default:"either"`
}

// tcpStep says something, and waits for an answer. Either may be missing.
type tcpStep struct {
	field.Section
	Send   field.Text    `yaml:"send" doc:"What to say."`
	Expect field.Pattern `yaml:"expect" doc:"A regular expression (RE2) that the answer must match."`
}

// Check implements Spec.
func (s *tcpSpec) Check(c *field.Checker) {
	checkIP(c, &s.Section, s.TCP.Host(), s.IP)
	s.TLS.check(c)
	if s.Has("steps") && (s.Has("send") || s.Has("expect")) {
		c.Fail(s.At("steps"), "steps beside send or expect: write them all as steps")
	}
}

// Target implements Spec.
func (s *tcpSpec) Target() string { return string(s.TCP) }

// steps returns all there are.
func (s *tcpSpec) steps() []tcpStep {
	if s.Send != "" || s.Expect.Regexp != nil {
		return []tcpStep{{Send: s.Send, Expect: s.Expect}}
	}
	return s.Steps
}

// Traits implements Spec.
func (s *tcpSpec) Traits() pharos.Traits {
	t := pharos.Traits{Timed: true, Network: true, Files: s.TLS.files(), Phases: []string{"lookup", "connect"}}
	if s.TLS.on {
		t.Class, t.Phases = pharos.Handshake, append(t.Phases, "tls")
	}
	if len(s.steps()) > 0 {
		t.Phases = append(t.Phases, "reply")
	}
	return t
}

// Prepare implements Spec.
func (s *tcpSpec) Prepare(e *Engine, w pharos.Watcher) (Run, error) {
	config, err := s.TLS.config()
	if err != nil {
		return nil, err
	}
	config.NextProtos = nil
	steps := s.steps()
	return func(ctx context.Context, t *Trace) (m Measurement) {
		raw, err := e.connect(ctx, t, s.IP.Int(), string(s.TCP))
		if err != nil {
			return pharos.Failure(err)
		}
		defer raw.Close()
		m.AddFact("address", raw.RemoteAddr().String())
		c := net.Conn(raw)
		if s.TLS.on {
			secured, err := secure(ctx, t, raw, config, s.TCP.Host())
			if err != nil {
				m.Outcome, m.Cause = pharos.Failed, err
				return m
			}
			c = secured
			m.AddFact("certificate", certificateOf(secured.ConnectionState()).say(time.Now()))
		}
		var heard []byte
		for _, step := range steps {
			t.Enter("reply")
			err := within(ctx, raw, func() (err error) { heard, err = step.take(c, heard); return err })
			if err != nil {
				t.CountTo(time.Now())
				s.explain(ctx, e, t, w, &m, step, heard, err)
				break
			}
		}
		return m
	}, nil
}

var errTooMuch = errors.New("too much")

// take says what a step has to say, and waits for its answer in what was heard and
// what is heard yet. It returns what was heard behind it or, where it did not come,
// all of it.
func (s *tcpStep) take(c net.Conn, heard []byte) ([]byte, error) {
	if _, err := io.WriteString(c, string(s.Send)); err != nil {
		return nil, err
	}
	if s.Expect.Regexp == nil {
		return nil, nil
	}
	chunk := make([]byte, 4<<10)
	for {
		if at := s.Expect.FindIndex(heard); at != nil {
			return heard[at[1]:], nil
		}
		if len(heard) >= maxReply {
			return heard, errTooMuch
		}
		n, err := c.Read(chunk[:min(len(chunk), maxReply-len(heard))])
		heard = bytes.ReplaceAll(append(heard, chunk[:n]...), []byte("\r\n"), []byte("\n"))
		if err != nil && n == 0 {
			return heard, err
		}
	}
}

// explain says why the answer to a step did not come.
func (s *tcpSpec) explain(ctx context.Context, e *Engine, t *Trace, w pharos.Watcher, m *Measurement, step tcpStep, heard []byte, err error) {
	said := capture{head: heard}
	m.Detail = said.text(e.Redactor)
	instead := ""
	if line := said.firstLine(e.Redactor); line != "" {
		instead = fmt.Sprintf(", it says %.120q", line)
	}
	missing := func(why string) string { return "no match for " + quotePattern(step.Expect.Regexp) + why + instead }
	switch {
	case step.Expect.Regexp == nil:
		m.Outcome, m.Cause = pharos.Failed, err
	case errors.Is(err, errTooMuch):
		m.Fail(missing(" in the first " + sayBytes(maxReply)))
	case errors.Is(err, io.EOF):
		m.Fail(missing(" until the connection was closed"))
	case ctx.Err() == context.DeadlineExceeded && instead != "":
		m.Fail(missing(" within " + pharos.SayTime(waited(ctx, t.Start(), w.Timeout))))
	default:
		m.Outcome, m.Cause = pharos.Failed, err
	}
}
