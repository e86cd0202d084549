package probe

import (
	"context"
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
)

// timedOut says how long was waited and for what, where the deadline of ctx is
// what ended a visit.
func timedOut(ctx context.Context, err error, v *visit, timeout time.Duration) (string, bool) {
	if _, ok := ctx.Deadline(); !ok || ctx.Err() == context.Canceled {
		return "", false
	}
	if ctx.Err() == nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		return "", false
	}
	where := " in " + v.under()
	if v.via != "" {
		where = " through ssh to " + v.via
	}
	return sayTimeout(ctx, v.start, timeout) + where, true
}

// describe says in a few words why a page did not answer.
func describe(err error, phase string) string {
	if there, ok := errors.AsType[*curlError](err); ok {
		return there.describe()
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
		return describeInvalid(invalid)
	case errors.As(err, &hostname):
		return "certificate is for " + sayNames(hostname.Certificate) + ", not " + hostname.Host
	case errors.As(err, &unknown):
		if unknown.Cert != nil {
			return fmt.Sprintf("certificate is signed by an unknown authority, %q", sayName(unknown.Cert.Issuer))
		}
		return "certificate is signed by an unknown authority"
	case errors.As(err, &record):
		return "TLS handshake: the server does not speak TLS"
	case errors.As(err, &op) && op.Op == "remote error": // an alert of TLS
		return "TLS handshake: the server says " + strings.TrimPrefix(op.Err.Error(), "tls: ")
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
		case syscall.EADDRNOTAVAIL:
			return "no local address or port to connect from"
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

func describeInvalid(e x509.CertificateInvalidError) string {
	if e.Reason != x509.Expired || e.Cert == nil {
		return "certificate: " + strings.TrimPrefix(e.Error(), "x509: ")
	}
	now := time.Now()
	if now.Before(e.Cert.NotBefore) {
		return "certificate is not valid for another " + sayLong(e.Cert.NotBefore.Sub(now))
	}
	return "certificate expired " + sayLong(now.Sub(e.Cert.NotAfter)) + " ago"
}

// sayLong says a long time in its largest unit: "3 days".
func sayLong(d time.Duration) string {
	n, unit := int(d/time.Second), "second"
	switch {
	case d >= 24*time.Hour:
		n, unit = int(d/(24*time.Hour)), "day"
	case d >= time.Hour:
		n, unit = int(d/time.Hour), "hour"
	case d >= time.Minute:
		n, unit = int(d/time.Minute), "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}
