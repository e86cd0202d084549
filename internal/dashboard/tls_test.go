package dashboard

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pharos/internal/bus"
	"pharos/internal/config"
	"pharos/internal/pharostest"
)

func TestTLS(t *testing.T) {
	t.Parallel()
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
	cert, key, first := pharostest.Certify(t, 1)
	put("cert.pem", cert)
	put("key.pem", []byte("no key"))
	check(`key.pem": tls: failed to find any PEM data in key input`)
	put("key.pem", key)
	if err := Check(c); err != nil {
		t.Fatal(err)
	}
	l := pharostest.Listen(t)
	var log pharostest.Log
	d := New(Options{Config: c, Name: "test", Version: "test", Bus: bus.Options{InProcess: h.server}, Memory: true, Listener: l, Log: slog.New(slog.NewTextHandler(&log, nil))})
	pharostest.Run(t, d.Run)
	url := URL(l, c)
	if !strings.HasPrefix(url, "https://127.0.0.1:") {
		t.Errorf("its address is %s", url)
	}
	_, _, second := pharostest.Certify(t, 0)
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
	another, its, second = pharostest.Certify(t, 2)
	put("cert.pem", another) // and for a while the key of the one before
	pharostest.Eventually(t, func() error {
		if serial(); !strings.Contains(log.String(), "the certificate stays as it was") {
			return errors.New("nothing is said of the certificate")
		}
		return nil
	})
	if got := serial(); got != 1 {
		t.Errorf("while one file is new the certificate is number %d", got)
	}
	put("key.pem", its)
	pharostest.Eventually(t, func() error {
		if n := serial(); n != 2 {
			return fmt.Errorf("the certificate is number %d", n)
		}
		return nil
	})
	heard() // what is open goes on
	if n := strings.Count(log.String(), "the certificate stays as it was"); n != 1 {
		t.Errorf("said %d times:\n%s", n, &log)
	}
}
