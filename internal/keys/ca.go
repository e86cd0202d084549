package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// How long certificates last. Nobody but the programs of one installation
// believes them.
const (
	caYears     = 30
	serverYears = 10
)

// authority signs the certificates of servers.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte // of the certificate
}

// newAuthority makes one, and the PEM of its key.
func newAuthority() (*authority, []byte, error) {
	key, secret, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	certificate, err := sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Pharos " + rand.Text()[:8]}, NotAfter: time.Now().AddDate(caYears, 0, 0),
		IsCA: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, key, key)
	if err != nil {
		return nil, nil, err
	}
	a, err := readAuthority(certificate, secret)
	return a, secret, err
}

func readAuthority(certificate, secret []byte) (*authority, error) {
	der, err := decode(certificate, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if der, err = decode(secret, "PRIVATE KEY"); err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	own, ok := key.(*ecdsa.PrivateKey)
	if !ok || !own.PublicKey.Equal(c.PublicKey) {
		return nil, fmt.Errorf("the CA's key is not that of its certificate")
	}
	return &authority{c, own, certificate}, nil
}

// server returns a certificate for a server, and its key, as PEM.
func (a *authority) server(hosts []string) (certificate, secret []byte, err error) {
	key, secret, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Pharos NATS"}, NotAfter: time.Now().AddDate(serverYears, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, // of each other, in a cluster
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, host)
		}
	}
	certificate, err = sign(c, a.certificate, key, a.key)
	return certificate, secret, err
}

// sign returns the PEM of a certificate of key; parent is nil for one that signs
// itself.
func sign(c, parent *x509.Certificate, key, by *ecdsa.PrivateKey) ([]byte, error) {
	c.NotBefore = time.Now().Add(-24 * time.Hour) // clocks differ
	c.BasicConstraintsValid = true
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	c.SerialNumber = serial
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
