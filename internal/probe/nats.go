package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

var nats = Kind{
	Key: "nats", Doc: natsDoc, Phases: []string{"lookup", "connect", "sign_in", "rtt", "jetstream"}, Through: true,
	New: func() Spec { return new(natsSpec) },
}

const natsDoc = `Connects to a NATS server, signs in, and has it answer a ping; with ${jetstream} it must also say how its JetStream does. Its value is the time that all this takes.

${{name: Broker, nats: "nats://broker.example:4222"}} is enough; for more it is ${{nats: "tls://broker.example", credentials: /etc/watch.creds, jetstream: true}}. A server that wants TLS gets it
also of a ${nats://} address.`

type natsSpec struct {
	field.Section
	NATS        field.Address `yaml:"nats" schemes:"nats tls" doc:"The nats or tls address of a server." required:"true"`
	JetStream   field.YesNo   `yaml:"jetstream" doc:"Ask for the account's JetStream, too." default:"false"`
	Credentials field.Text    `yaml:"credentials" also:"creds" doc:"File with a user's JWT and seed (.creds)."`
	NKey        field.Text    `yaml:"nkey" doc:"File with an NKey's seed."`
	User        field.Text    `yaml:"user" also:"username" doc:"User name; goes with password."`
	Password    field.Secret  `yaml:"password" also:"pass" doc:"The user's password."`
	Token       field.Secret  `yaml:"token" doc:"A token, where the server wants one."`
	TLS         tlsKeys       `yaml:"tls" doc:"How the certificate is checked."`
	IP          field.Word    `yaml:"ip" words:"4 6" doc:"4 or 6: this version of IP alone." default:"either"`
}

// Check implements Spec.
func (s *natsSpec) Check(c *field.Checker) {
	s.TLS.check(c)
	c.Path(&s.Section, "", "credentials", &s.Credentials)
	c.Path(&s.Section, "", "nkey", &s.NKey)
	c.Together(&s.Section, "", "user", "password")
	var ways []string
	for _, key := range []string{"credentials", "nkey", "user", "token"} {
		if s.Has(key) {
			ways = append(ways, key)
		}
	}
	if u := s.NATS.URL; u != nil {
		checkIP(c, &s.Section, u.Hostname(), s.IP)
		if u.User != nil {
			ways = append(ways, "a user in the address")
			if password, ok := u.User.Password(); ok {
				c.Secrets.AddLogin(u.User.Username(), password)
			} else { // nats://token@host
				c.Secrets.Add(u.User.Username())
			}
		}
	}
	if len(ways) > 1 {
		c.Fail(s.At("nats"), "%s beside %s: one way to sign in is enough", ways[1], ways[0])
	}
}

// Target implements Spec.
func (s *natsSpec) Target() string {
	if s.NATS.URL == nil {
		return ""
	}
	u := *s.NATS.URL
	u.User = nil
	return u.String()
}

// Traits implements Spec.
func (s *natsSpec) Traits() pharos.Traits {
	t := pharos.Traits{Class: pharos.Handshake, Timed: true, Network: true, Files: s.TLS.files()}
	for _, name := range []field.Text{s.Credentials, s.NKey} {
		if name != "" {
			t.Files = append(t.Files, string(name))
		}
	}
	if !s.JetStream {
		t.Phases = []string{"lookup", "connect", "sign_in", "rtt"}
	}
	return t
}

// Prepare implements Spec.
func (s *natsSpec) Prepare(e *Engine, _ pharos.Watcher) (Run, error) {
	config, err := s.TLS.config()
	if err != nil {
		return nil, err
	}
	config.NextProtos = nil
	options := natsgo.GetDefaultOptions()
	options.Url, options.Name, options.AllowReconnect, options.SkipHostLookup, options.TLSConfig = s.NATS.String(), e.agent, false, true, config
	options.User, options.Password, options.Token = string(s.User), string(s.Password), string(s.Token)
	if s.Credentials != "" {
		if err := natsgo.UserCredentials(string(s.Credentials))(&options); err != nil {
			return nil, fmt.Errorf("credentials: %w", err)
		}
	}
	if s.NKey != "" {
		nkey, err := natsgo.NkeyOptionFromSeed(string(s.NKey))
		if err != nil {
			return nil, fmt.Errorf("nkey: reading the seed in %q: %w", s.NKey, err)
		}
		if err := nkey(&options); err != nil {
			return nil, fmt.Errorf("nkey: %w", err)
		}
	}
	return func(ctx context.Context, t *Trace) (m Measurement) {
		if err := s.run(ctx, e, t, &m, options); err != nil {
			t.CountTo(time.Now())
			m.Outcome, m.Cause = pharos.Failed, err
		}
		return m
	}, nil
}

// dialer connects to the server for the library.
type dialer func(address string) (net.Conn, error)

// Dial implements natsgo.CustomDialer.
func (d dialer) Dial(_, address string) (net.Conn, error) { return d(address) }

func (s *natsSpec) run(ctx context.Context, e *Engine, t *Trace, m *Measurement, options natsgo.Options) error {
	var raw *conn
	var missed error // why there is no connection: the library has few words for it
	options.CustomDialer = dialer(func(address string) (net.Conn, error) {
		raw, missed = e.connect(ctx, t, s.IP.Int(), address)
		if missed != nil {
			return nil, missed
		}
		context.AfterFunc(ctx, raw.abandon)
		m.AddFact("address", raw.RemoteAddr().String())
		t.Enter("sign_in")
		return raw, nil
	})
	if deadline, ok := ctx.Deadline(); ok {
		options.Timeout = time.Until(deadline) + time.Second // the context's is the one that counts
	}
	c, err := options.Connect()
	if err != nil {
		if missed != nil {
			return missed
		}
		return natsError(err)
	}
	defer c.Close()
	m.AddFact("server", strings.TrimSpace(c.ConnectedServerName()+" "+c.ConnectedServerVersion()))
	m.AddFact("cluster", c.ConnectedClusterName())
	if state, err := c.TLSConnectionState(); err == nil {
		m.AddFact("certificate", certificateOf(state).say(time.Now()))
	}
	t.Enter("rtt")
	if err := c.FlushWithContext(ctx); err != nil {
		return natsError(err)
	}
	t.CountTo(time.Now())
	if !s.JetStream {
		return nil
	}
	t.Enter("jetstream")
	js, err := jetstream.New(c)
	if err != nil {
		return natsError(err)
	}
	account, err := js.AccountInfo(ctx)
	if err != nil {
		return natsError(err)
	}
	t.CountTo(time.Now())
	m.AddFact("jetstream", fmt.Sprintf("%d streams, %d consumers, %s on disk", account.Streams, account.Consumers, pharos.Say(float64(account.Store), "B")))
	return nil
}

// natsError says in our words what the library says in its own.
func natsError(err error) error {
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return errors.New("JetStream is not enabled for this account")
	case errors.Is(err, natsgo.ErrNoResponders):
		return errors.New("JetStream does not answer")
	case strings.HasPrefix(err.Error(), "nats: "):
		return reworded{err, strings.TrimPrefix(err.Error(), "nats: ")}
	}
	return err
}
