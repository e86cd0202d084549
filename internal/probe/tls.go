package probe

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"strings"
	"time"

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

// maxPEM is the longest file of certificates, in bytes.
const maxPEM = 4 << 20

// tlsConfig reads the files that t names.
func tlsConfig(t pharos.TLS) (*tls.Config, error) {
	c := visitorTLS()
	c.ServerName, c.InsecureSkipVerify = t.ServerName, t.Insecure
	if t.CAFile != "" {
		pem, err := pharos.ReadFile(t.CAFile, maxPEM)
		if err != nil {
			return nil, fmt.Errorf("reading the authorities of %q: %w", t.CAFile, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the authorities of %q: no certificate in PEM", t.CAFile)
		}
	}
	if (t.ClientCert == "") != (t.ClientKey == "") {
		return nil, fmt.Errorf("reading the client certificate: want both a certificate and a key")
	}
	if t.ClientCert != "" {
		var files [2][]byte
		for i, path := range []string{t.ClientCert, t.ClientKey} {
			var err error
			if files[i], err = pharos.ReadFile(path, maxPEM); err != nil {
				return nil, fmt.Errorf("reading the client certificate %q and key %q: %q: %w", t.ClientCert, t.ClientKey, path, err)
			}
		}
		pair, err := tls.X509KeyPair(files[0], files[1])
		if err != nil {
			return nil, fmt.Errorf("reading the client certificate %q and key %q: %w", t.ClientCert, t.ClientKey, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// certificate is what a fact says of a server's certificate.
type certificate struct {
	ends   time.Time
	issuer string
}

func certificateOf(chain []*x509.Certificate) *certificate {
	if len(chain) == 0 {
		return nil
	}
	return &certificate{chain[0].NotAfter, sayName(chain[0].Issuer)}
}

func (c *certificate) say(now time.Time) string {
	left := c.ends.Sub(now)
	if left < 0 {
		return "expired " + sayLong(-left) + " ago, by " + c.issuer
	}
	return sayLong(left) + " left, by " + c.issuer
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
