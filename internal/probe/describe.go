package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"pharos/internal/pharos"
)

// ownFault says what the prober or its machine lacks, where that is why a run
// failed: it is no news of what is watched. Empty: nothing is known to be lacking.
func ownFault(err error) string {
	var dns *net.DNSError
	text := err.Error()
	switch {
	case errors.Is(err, syscall.EMFILE), strings.Contains(text, syscall.EMFILE.Error()):
		return "the prober has too many files open: raise its limit (ulimit -n)"
	case errors.Is(err, syscall.ENFILE), strings.Contains(text, syscall.ENFILE.Error()):
		return "the prober's machine has too many files open"
	case errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.ENOBUFS):
		return "the prober's machine is out of memory"
	case errors.Is(err, syscall.EAGAIN):
		return "the prober's machine has too many processes"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "the prober has no local address or port left to connect from"
	case errors.Is(err, syscall.EPERM):
		return "the prober's machine does not allow it: operation not permitted"
	case errors.As(err, &dns): // without files, the resolver asks where no server is
		f, err := os.Open(os.DevNull)
		if err != nil {
			return ownFault(err)
		}
		f.Close()
	}
	return ""
}

// describe says in a few words why a run failed.
func describe(err error, phase string) string {
	if there, ok := errors.AsType[*curlError](err); ok {
		return there.describe()
	}
	if way, ok := errors.AsType[*proxyError](err); ok {
		return "proxy " + way.proxy.Host + ": " + describe(way.err, phase)
	}
	var (
		dns      *net.DNSError
		invalid  x509.CertificateInvalidError
		hostname x509.HostnameError
		unknown  x509.UnknownAuthorityError
		record   tls.RecordHeaderError
		op       *net.OpError
	)
	switch {
	case errors.As(err, &dns):
		switch {
		case dns.IsNotFound:
			return "name not found"
		case dns.IsTimeout:
			return "the name servers did not answer"
		}
		return "looking up the name: " + dns.Err
	case errors.As(err, &invalid):
		return describeInvalid(invalid, leafOf(err))
	case errors.As(err, &hostname):
		c := hostname.Certificate
		if len(c.DNSNames)+len(c.IPAddresses)+len(c.URIs)+len(c.EmailAddresses) == 0 {
			return fmt.Sprintf("certificate has no alternative names, and browsers ignore its common name %q", c.Subject.CommonName)
		}
		return "certificate is for " + sayNames(c) + ", not " + hostname.Host
	case errors.As(err, &unknown):
		if leaf := leafOf(err); leaf != nil && leaf.Issuer.String() == leaf.Subject.String() {
			return "certificate is signed by itself"
		}
		if unknown.Cert != nil {
			return fmt.Sprintf("certificate is signed by an unknown authority, %q", sayName(unknown.Cert.Issuer))
		}
		return "certificate is signed by an unknown authority"
	case errors.As(err, &record):
		return "TLS handshake: the server does not speak TLS"
	case strings.Contains(err.Error(), "unsupported protocol version"), strings.Contains(err.Error(), "protocol version not supported"):
		return "TLS handshake: the server knows no version that browsers take, TLS 1.2 or later"
	case errors.As(err, &op) && op.Op == "remote error": // an alert of TLS
		alert := strings.TrimPrefix(op.Err.Error(), "tls: ")
		if strings.HasSuffix(alert, "handshake failure") {
			alert += ": it has no cipher or curve that browsers take"
		}
		return "TLS handshake: the server says " + alert
	}
	what := plainReason(err)
	if phase == "tls" {
		return "TLS handshake: " + what
	}
	return what
}

func plainReason(err error) string {
	var number syscall.Errno
	if errors.As(err, &number) {
		switch number {
		case syscall.ECONNREFUSED:
			return "connection refused"
		case syscall.ECONNRESET, syscall.EPIPE:
			return "connection reset"
		}
		return number.Error()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "connection closed"
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return strings.TrimPrefix(err.Error(), "tls: ")
}

// leafOf returns the server's own certificate, of an error about it or about one
// that it came with.
func leafOf(err error) *x509.Certificate {
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(e.UnverifiedCertificates) > 0 {
		return e.UnverifiedCertificates[0]
	}
	return nil
}

func describeInvalid(e x509.CertificateInvalidError, leaf *x509.Certificate) string {
	what := "certificate"
	if e.Cert != nil && leaf != nil && !e.Cert.Equal(leaf) {
		what = fmt.Sprintf("certificate of the authority %q, on which the server's depends,", sayName(e.Cert.Subject))
	}
	if e.Reason != x509.Expired || e.Cert == nil {
		return what + ": " + strings.TrimPrefix(e.Error(), "x509: ")
	}
	now := time.Now()
	if now.Before(e.Cert.NotBefore) {
		return what + " is not valid for another " + pharos.HumanDuration(e.Cert.NotBefore.Sub(now))
	}
	return what + " expired " + pharos.HumanDuration(now.Sub(e.Cert.NotAfter)) + " ago"
}
