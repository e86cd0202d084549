package probe

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"reflect"
	"strings"
	"time"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// visitorTLS is how a new visitor comes: curves and versions are Go's own, as
// browsers have them, and no session is resumed.
func visitorTLS() *tls.Config {
	c := &tls.Config{NextProtos: []string{"h2", "http/1.1"}, SessionTicketsDisabled: true}
	for _, suite := range tls.CipherSuites() {
		c.CipherSuites = append(c.CipherSuites, suite.ID)
	}
	// Old devices know no other; browsers still take them.
	c.CipherSuites = append(c.CipherSuites, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA)
	return c
}

// tlsKeys say how a server's certificate is checked. With an ssh host the files
// are over there.
type tlsKeys struct {
	field.Section
	Insecure   field.YesNo `yaml:"insecure" also:"insecure_skip_verify skip_verify" doc:"Any certificate will do." default:"false"`
	CAFile     field.Text  `yaml:"ca_file" also:"ca cacert" doc:"Trust these certificates (PEM) instead of the system's."`
	ServerName field.Text  `yaml:"server_name" also:"sni" doc:"The name that the certificate must have." default:"the address's host"`
	ClientCert field.Text  `yaml:"client_cert" also:"cert cert_file" doc:"Our certificate (PEM); goes with client_key."`
	ClientKey  field.Text  `yaml:"client_key" also:"key key_file" doc:"Its key (PEM)."`
}

func (k *tlsKeys) check(c *field.Checker) {
	c.Path(&k.Section, "tls.", "ca_file", &k.CAFile)
	c.Path(&k.Section, "tls.", "client_cert", &k.ClientCert)
	c.Path(&k.Section, "tls.", "client_key", &k.ClientKey)
	c.Together(&k.Section, "tls.", "client_cert", "client_key")
}

// files returns those that config reads.
func (k *tlsKeys) files() (names []string) {
	for _, name := range []field.Text{k.CAFile, k.ClientCert, k.ClientKey} {
		if name != "" {
			names = append(names, string(name))
		}
	}
	return names
}

// optionalTLS is true, or how a certificate is checked: either wants TLS.
type optionalTLS struct {
	tlsKeys
	on bool
}

// Read implements field.Value.
func (o *optionalTLS) Read(r *field.Reader, n *field.Node, key string) {
	if field.IsMapping(n) || field.IsNull(n) {
		o.on = true
		r.Read(n, key, &o.tlsKeys)
		return
	}
	var yes field.YesNo
	yes.Read(r, n, key)
	o.on = bool(yes)
}

// Nested implements the field's schema: there is a section within.
func (o optionalTLS) Nested(s *field.Schemas) field.Shape {
	return field.Shape{Word: "true, section", Schema: field.AnyOf(field.YesNo(false).Shape().Schema, s.Section(o.Keys()))}
}

// Keys is the type of the section, for the document.
func (optionalTLS) Keys() reflect.Type { return reflect.TypeFor[tlsKeys]() }

// Shape implements field.Value.
func (o optionalTLS) Shape() field.Shape { return o.Nested(&field.Schemas{Defs: field.Object{}}) }

// maxPEM is the longest file of certificates, in bytes.
const maxPEM = 4 << 20

// config reads the files.
func (k *tlsKeys) config() (*tls.Config, error) {
	c := visitorTLS()
	c.ServerName, c.InsecureSkipVerify = string(k.ServerName), bool(k.Insecure)
	if k.CAFile != "" {
		pem, err := pharos.ReadFile(string(k.CAFile), maxPEM)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: reading the authorities of %q: %w", k.CAFile, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file: reading the authorities of %q: no certificate in PEM", k.CAFile)
		}
	}
	if k.ClientCert != "" {
		var files [2][]byte
		for i, path := range []field.Text{k.ClientCert, k.ClientKey} {
			var err error
			if files[i], err = pharos.ReadFile(string(path), maxPEM); err != nil {
				return nil, fmt.Errorf("tls: reading the client certificate %q and key %q: %q: %w", k.ClientCert, k.ClientKey, path, err)
			}
		}
		pair, err := tls.X509KeyPair(files[0], files[1])
		if err != nil {
			return nil, fmt.Errorf("tls: reading the client certificate %q and key %q: %w", k.ClientCert, k.ClientKey, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// leaf is what a fact says of a server's certificate.
type leaf struct {
	ends   time.Time
	issuer string
	first  time.Time // when the first link of its chain ends
}

func certificateOf(state tls.ConnectionState) *leaf {
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	own := state.PeerCertificates[0]
	return &leaf{own.NotAfter, sayName(own.Issuer), endsFirst(chainOf(state)).NotAfter}
}

// chainOf returns the certificates on which a server's depends.
func chainOf(state tls.ConnectionState) []*x509.Certificate {
	if len(state.VerifiedChains) > 0 {
		return longestLived(state.VerifiedChains)
	}
	return state.PeerCertificates
}

// days returns for how many days the whole chain is still valid.
func (c *leaf) days(now time.Time) float64 { return inDays(c.first.Sub(now)) }

func inDays(d time.Duration) float64 { return d.Hours() / 24 }

func (c *leaf) say(now time.Time) string {
	left := c.ends.Sub(now)
	if left < 0 {
		return "expired " + pharos.HumanDuration(-left) + " ago, by " + c.issuer
	}
	return pharos.HumanDuration(left) + " left, by " + c.issuer
}

func sayName(n pkix.Name) string {
	switch {
	case n.CommonName != "":
		return n.CommonName
	case len(n.Organization) > 0:
		return n.Organization[0]
	}
	return n.String()
}

// sayNames returns the hosts that a certificate is for, the first few.
func sayNames(c *x509.Certificate) string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	switch {
	case len(names) == 0 && c.Subject.CommonName != "":
		return c.Subject.CommonName
	case len(names) == 0:
		return "no host"
	case len(names) > 3:
		return strings.Join(names[:3], ", ") + " and others"
	}
	return strings.Join(names, ", ")
}
