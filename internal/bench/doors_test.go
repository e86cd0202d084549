//go:build bench && linux

package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Doors is where the target can be met but for its page: an address for each watcher
// or, of the server of names, a name.
type Doors struct {
	Greets  []string // says "ready" after 20 ms
	Secures []string // speaks TLS after 20 ms, as bench
	CA      string   // which has signed that, as PEM
	Names   string   // has w7.bench, after 20 ms
}

const service = 20 * time.Millisecond

// Open opens doors for so many watchers.
func (t *Target) Open(count int, doors *Doors) error {
	config, ca, err := identity()
	if err != nil {
		return err
	}
	doors.CA = ca
	for i := range count {
		greets, err := t.door(i, func(c net.Conn) {
			time.Sleep(service)
			c.Write([]byte("ready\n"))
		})
		if err != nil {
			return err
		}
		secures, err := t.door(i, func(c net.Conn) {
			time.Sleep(service)
			s := tls.Server(c, config)
			s.Handshake()
			s.Close()
		})
		if err != nil {
			return err
		}
		doors.Greets, doors.Secures = append(doors.Greets, greets), append(doors.Secures, secures)
	}
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	doors.Names = c.LocalAddr().String()
	go dns.ActivateAndServe(nil, c, dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		came := time.Now()
		time.Sleep(service)
		name := q.Question[0].Name
		a := new(dns.Msg).SetReply(q)
		a.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(192, 0, 2, 1)}}
		done := time.Now()
		w.WriteMsg(a)
		watcher, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(name, "w"), ".bench."))
		t.visited(Visit{watcher, came.UnixNano(), done.Sub(came), done.UnixNano(), 0})
	}))
	return nil
}

// door serves one watcher's connections. They are served as long as serve takes.
func (t *Target) door(watcher int, serve func(net.Conn)) (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { // ends with the process
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				came := time.Now()
				serve(c)
				done := time.Now()
				t.visited(Visit{watcher, came.UnixNano(), done.Sub(came), done.UnixNano(), 0})
			}()
		}
	}()
	return l.Addr().String(), nil
}

func (t *Target) visited(v Visit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.visits = append(t.visits, v)
}

// identity returns the target's certificate, and who has signed it.
func identity() (config *tls.Config, ca string, err error) {
	signer, own := template("Bench CA"), template("bench")
	signer.IsCA, signer.BasicConstraintsValid, signer.KeyUsage = true, true, x509.KeyUsageCertSign
	own.DNSNames = []string{"bench"}
	signerKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	ownKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	signed, err := x509.CreateCertificate(rand.Reader, signer, signer, signerKey.Public(), signerKey)
	if err != nil {
		return nil, "", err
	}
	leaf, err := x509.CreateCertificate(rand.Reader, own, signer, ownKey.Public(), signerKey)
	if err != nil {
		return nil, "", err
	}
	config = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf}, PrivateKey: ownKey}}}
	return config, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})), nil
}

func template(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}
