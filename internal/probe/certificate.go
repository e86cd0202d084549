package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

var certificate = Kind{
	Key: "certificate", Doc: certificateDoc, Phases: []string{"lookup", "connect", "starttls", "tls"}, Through: true,
	New: func() Spec { return new(certificateSpec) },
}

const certificateDoc = `Looks for how many days the certificate of a server is still valid; less is worse. Its value is that of the link of the chain which ends first.

Without ${thresholds} it is a warning from 14 days on, and critical from 3; of certificates that live shorter, from a fifth of their life on, and from a twentieth. A certificate that is not valid
for the name, that nobody trusts or that has expired is critical. ${{name: Shop's certificate, certificate: shop.example, interval: 1h}} is enough; for a database it is
${{certificate: "db.example:5432", starttls: postgres}}.`

type certificateSpec struct {
	field.Section
	Certificate field.Endpoint `yaml:"certificate" port:"443" also:"cert ssl ssl_certificate" doc:"A host, and a port if it is not 443." required:"true"`
	StartTLS    field.Word     `yaml:"starttls" words:"smtp imap pop3 ftp ldap postgres mysql" doc:"The protocol in which the server is asked for TLS." default:"TLS from the first byte"`
	ServerName  field.Text     `yaml:"server_name" also:"sni" doc:"The name that the certificate must have." default:"the host"`
	TLS         tlsKeys        `yaml:"tls" doc:"How the certificate is checked."`
	IP          field.Word     `yaml:"ip" words:"4 6" doc:"4 or 6: this version of IP alone." default:"either"`
}

// Check implements Spec.
func (s *certificateSpec) Check(c *field.Checker) {
	s.TLS.check(c)
	checkIP(c, &s.Section, s.Certificate.Host(), s.IP)
	if s.ServerName != "" && s.TLS.ServerName != "" {
		c.Fail(s.At("server_name"), "server_name beside tls.server_name: one of them is enough")
	}
	if s.ServerName != "" {
		s.TLS.ServerName = s.ServerName
	}
}

// Target implements Spec.
func (s *certificateSpec) Target() string { return string(s.Certificate) }

// Traits implements Spec.
func (s *certificateSpec) Traits() pharos.Traits {
	return pharos.Traits{Class: pharos.Handshake, Unit: "days", Less: true, Network: true, Files: s.TLS.files()}
}

// Prepare implements Spec.
func (s *certificateSpec) Prepare(e *Engine, _ pharos.Watcher) (Run, error) {
	config, err := s.TLS.config()
	if err != nil {
		return nil, err
	}
	config.NextProtos = nil // what is spoken over it is no matter
	return func(ctx context.Context, t *Trace) (m Measurement) {
		c, err := e.connect(ctx, t, s.IP.Int(), string(s.Certificate))
		if err != nil {
			return pharos.Failure(err)
		}
		defer c.Close()
		m.AddFact("address", c.RemoteAddr().String())
		if s.StartTLS != "" {
			t.Enter("starttls")
			if err := within(ctx, c, func() error { return startTLS(c, string(s.StartTLS)) }); err != nil {
				m.Outcome, m.Cause = pharos.Failed, err
				return m
			}
		}
		secured, err := secure(ctx, t, c, config, s.Certificate.Host())
		if err != nil {
			m.Outcome, m.Cause = pharos.Failed, err
			if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
				addChain(&m, bad.UnverifiedCertificates)
			}
			return m
		}
		state := secured.ConnectionState()
		m.AddFact("protocol", tls.VersionName(state.Version))
		addChain(&m, chainOf(state))
		return m
	}, nil
}

// longestLived returns the chain whose first end is latest: one way to trust a
// certificate is enough.
func longestLived(chains [][]*x509.Certificate) (best []*x509.Certificate) {
	for _, chain := range chains {
		if best == nil || endsFirst(chain).NotAfter.After(endsFirst(best).NotAfter) {
			best = chain
		}
	}
	return best
}

func endsFirst(chain []*x509.Certificate) *x509.Certificate {
	first := chain[0]
	for _, c := range chain {
		if c.NotAfter.Before(first.NotAfter) {
			first = c
		}
	}
	return first
}

// addChain adds what is known of a chain: the days of the link that ends first, and
// a fact for each.
func addChain(m *Measurement, chain []*x509.Certificate) {
	if len(chain) == 0 {
		return
	}
	now, first := time.Now(), endsFirst(chain)
	left, life := inDays(first.NotAfter.Sub(now)), inDays(first.NotAfter.Sub(first.NotBefore))
	m.Value = pharos.Num(left)
	m.Bounds = pharos.Thresholds{Warning: pharos.Num(min(14, life/5)), Critical: pharos.Num(min(3, life/20)), Less: true}
	m.AddFact("certificate", (&leaf{ends: chain[0].NotAfter, issuer: sayName(chain[0].Issuer)}).say(now))
	m.AddFact("names", sayNames(chain[0]))
	m.AddFact("ends", first.NotAfter.UTC().Format("2006-01-02 15:04 MST"))
	if first != chain[0] {
		m.AddFact("ends first", sayName(first.Subject)+", on which it depends")
	}
}
