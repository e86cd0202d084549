package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// greeter is a server that speaks first, and how it is met.
type greeter struct {
	address  field.Endpoint
	ip       field.Word
	greeting field.Patterns
	tls      *optionalTLS
	starttls bool
	read     func(net.Conn) (string, error) // reads the greeting
	upgrade  func(net.Conn) error           // asks for TLS
	bye      string
}

// check complains about what one key alone cannot say.
func (g *greeter) check(c *field.Checker, s *field.Section) {
	checkIP(c, s, g.address.Host(), g.ip)
	g.tls.check(c)
}

func (g *greeter) traits() pharos.Traits {
	t := pharos.Traits{Timed: true, Network: true, Files: g.tls.files()}
	if g.tls.on || g.starttls {
		t.Class = pharos.Handshake
	} else {
		t.Phases = []string{"lookup", "connect", "banner"}
	}
	return t
}

// prepare returns what meets the server.
func (g *greeter) prepare(e *Engine) (Run, error) {
	config, err := g.tls.config()
	if err != nil {
		return nil, err
	}
	config.NextProtos = nil
	return func(ctx context.Context, t *Trace) (m Measurement) {
		if err := g.meet(ctx, e, t, config, &m); err != nil {
			m.Outcome, m.Cause = pharos.Failed, err
		}
		return m
	}, nil
}

func (g *greeter) meet(ctx context.Context, e *Engine, t *Trace, config *tls.Config, m *Measurement) error {
	raw, err := e.connect(ctx, t, g.ip.Int(), string(g.address))
	if err != nil {
		return err
	}
	defer raw.Close()
	m.AddFact("address", raw.RemoteAddr().String())
	c := net.Conn(raw)
	handshake := func() error {
		secured, err := secure(ctx, t, raw, config, g.address.Host())
		if err != nil {
			return err
		}
		c = secured
		m.AddFact("certificate", certificateOf(secured.ConnectionState()).say(time.Now()))
		return nil
	}
	if g.tls.on && !g.starttls {
		if err := handshake(); err != nil {
			return err
		}
	}
	t.Enter("banner")
	var said string
	if err := within(ctx, raw, func() (err error) { said, err = g.read(c); return err }); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the connection was closed without a greeting")
		}
		return err
	}
	said = pharos.CleanLine(said, 200)
	m.AddFact("greeting", said)
	for _, want := range g.greeting {
		if !want.MatchString(said) {
			m.Fail("no match for " + quotePattern(want) + " in the greeting: " + said)
			return nil
		}
	}
	if g.starttls {
		t.Enter("starttls")
		if err := within(ctx, raw, func() error { return g.upgrade(raw) }); err != nil {
			return err
		}
		if err := handshake(); err != nil {
			return err
		}
	}
	t.CountTo(time.Now())
	t.Stop() // what is said in parting is no part of it
	return within(ctx, raw, func() error {
		io.WriteString(c, g.bye)
		return nil
	})
}
