package dashboard

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pharos/internal/bus"
	"pharos/internal/config"
)

// pair makes a certificate of its own for 127.0.0.1.
func pair(t *testing.T, serial int64) (cert, key []byte, parsed *x509.Certificate) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "wall"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs}), parsed
}

// syncBuffer is a log that several write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestTLS(t *testing.T) {
	h := newHall(t)
	folder := t.TempDir()
	put := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := config.Default()
	c.Dashboard.TLS = config.TLS{CertFile: filepath.Join(folder, "cert.pem"), KeyFile: filepath.Join(folder, "key.pem")}
	check := func(want string) {
		t.Helper()
		if err := Check(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("checking says %v, want %q", err, want)
		}
	}
	check(`dashboard.tls: reading "` + folder + `/cert.pem": no such file`)
	cert, key, first := pair(t, 1)
	put("cert.pem", cert)
	put("key.pem", []byte("no key"))
	check(`key.pem": tls: failed to find any PEM data in key input`)
	put("key.pem", key)
	if err := Check(c); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := &syncBuffer{}
	d := New(Options{Config: c, Name: "test", Version: "test", Bus: bus.Options{InProcess: h.server}, Memory: true, Listener: l, Log: slog.New(slog.NewTextHandler(log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	url := URL(l, c)
	if !strings.HasPrefix(url, "https://127.0.0.1:") {
		t.Errorf("its address is %s", url)
	}
	_, _, second := pair(t, 0)
	client := func() *http.Client {
		roots := x509.NewCertPool()
		roots.AddCert(first)
		roots.AddCert(second)
		return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	}
	serial := func() int64 {
		t.Helper()
		answer, err := client().Get(url + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.Proto != "HTTP/1.1" || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s %s", answer.Proto, answer.Status)
		}
		return answer.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("the certificate is number %d", got)
	}
	if err := d.Alive(t.Context()); err != nil {
		t.Error(err)
	}
	if answer, err := http.Get(strings.Replace(url, "https", "http", 1) + "/"); err != nil || answer.StatusCode != http.StatusBadRequest {
		t.Errorf("without TLS: %v, %v", answer, err)
	} else {
		answer.Body.Close()
	}
	answer, err := client().Get(url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	events := bufio.NewReader(answer.Body)
	heard := func() {
		t.Helper()
		for line := ""; !strings.HasPrefix(line, "event: "); {
			if line, err = events.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
	}
	heard()
	var another, its []byte
	another, its, second = pair(t, 2)
	put("cert.pem", another) // and for a while the key of the one before
	eventually(t, func() bool { serial(); return strings.Contains(log.String(), "the certificate stays as it was") })
	if got := serial(); got != 1 {
		t.Errorf("while one file is new the certificate is number %d", got)
	}
	put("key.pem", its)
	eventually(t, func() bool { return serial() == 2 })
	heard() // what is open goes on
	if n := strings.Count(log.String(), "the certificate stays as it was"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log)
	}
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within a minute")
		}
	}
}
