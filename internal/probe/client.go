package probe

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"strings"
	"time"
)

// client is a connection to a page's host.
type client struct {
	*http.ClientConn
	conn    *conn
	origin  string
	address string
	proxy   string
	cert    *leaf
}

// close ends the connection.
func (c *client) close() {
	c.conn.abandon()
	c.ClientConn.Close()
}

type connKey struct{}

// newTransport returns what speaks HTTP on connections that are made already:
// the dialed connection is in the context of NewClientConn. With http2 it speaks
// nothing else, also where there is no TLS.
func newTransport(http2 bool) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(http2)
	dialed := func(ctx context.Context, _, _ string) (net.Conn, error) { return ctx.Value(connKey{}).(net.Conn), nil }
	return &http.Transport{
		DialContext: dialed, DialTLSContext: dialed, DisableCompression: true, MaxResponseHeaderBytes: maxHead, Protocols: &protocols,
		ReadBufferSize: 1 << 10, WriteBufferSize: 512, // a connection is for one request
	}
}

// fetchHere makes one request from here, on the kept connection if there is
// one. A kept connection that turns out to be dead before a byte of the answer
// came, or on which the server had said that it waited too long, is no news of
// the page: it is asked again on a fresh one. (Whatever the method: a watcher's
// request is made to be repeated.)
func (p *pager) fetchHere(ctx context.Context, v *visit, h *hop) error {
	if c := p.take(h.origin); c != nil {
		v.seen = answer{address: c.address, proxy: c.proxy, reused: true, cert: c.cert}
		heard, err := p.exchange(ctx, v, h, c)
		late := err == nil && v.seen.StatusCode == http.StatusRequestTimeout
		if (err == nil || heard || ctx.Err() != nil) && !late {
			return err
		}
		v.seen = answer{}
	}
	c, err := p.dial(ctx, v, h)
	if err != nil {
		v.CountTo(time.Now())
		return err
	}
	_, err = p.exchange(ctx, v, h, c)
	return err
}

// dial connects to a hop's host, and makes a TLS handshake where it has one.
func (p *pager) dial(ctx context.Context, v *visit, h *hop) (*client, error) {
	address := h.address
	if v.seen.proxy = h.through; h.proxy != nil {
		address = proxyAddress(h.proxy)
	}
	raw, err := p.engine.connect(ctx, v.Trace, p.spec.IP.Int(), address)
	if err == nil && h.proxy != nil {
		v.seen.address = raw.RemoteAddr().String()
		raw, err = p.through(ctx, v, h, raw)
	}
	if err != nil {
		var at *net.OpError
		if errors.As(err, &at) && at.Op == "dial" && at.Addr != nil {
			v.seen.address = at.Addr.String()
		}
		if h.proxy != nil {
			err = &proxyError{h.proxy, err}
		}
		return nil, err
	}
	c := &client{conn: raw, origin: h.origin, address: raw.RemoteAddr().String(), proxy: h.through}
	v.seen.address = c.address
	speaker := net.Conn(raw)
	if h.tls != nil {
		s, err := secure(ctx, v.Trace, raw, h.tls, h.url.Hostname())
		if err != nil {
			return nil, err
		}
		speaker, c.cert = s, certificateOf(s.ConnectionState())
		v.seen.cert = c.cert
	}
	speaks := p.engine.http
	if h.tls == nil && p.spec.Version == "2" {
		speaks = p.engine.http2
	}
	c.ClientConn, err = speaks.NewClientConn(context.WithValue(ctx, connKey{}, speaker), h.url.Scheme, h.address)
	if err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

// exchange sends the request, reads the answer, and closes or keeps c. It reports
// whether a byte of the answer came.
func (p *pager) exchange(ctx context.Context, v *visit, h *hop, c *client) (heard bool, err error) {
	keep := false
	c.conn.run.Store(&ctx)
	defer func() {
		if keep && ctx.Err() == nil {
			c.conn.run.Store(nil)
			p.keep(c)
			return
		}
		if err != nil {
			c.conn.abandon()
		}
		c.ClientConn.Close()
	}()
	interim, began := 0, time.Now()
	v.EnterAt("first_byte", began)
	number := v.request()
	hooks := httptrace.ClientTrace{
		GotFirstResponseByte: func() {
			now := time.Now()
			v.hear(number, func() {
				heard = true
				v.EnterAt("transfer", now)
			})
		},
		Got1xxResponse: func(int, textproto.MIMEHeader) error {
			var err error
			v.hear(number, func() { // it ends no wait
				if interim++; interim > maxInterim {
					err = errInterim
				}
				v.EnterAt("first_byte", time.Time{})
			})
			return err
		},
	}
	request := h.request.WithContext(httptrace.WithClientTrace(ctx, &hooks))
	if h.body != "" {
		request.Body = io.NopCloser(strings.NewReader(h.body))
	}
	response, err := c.RoundTrip(request)
	v.hear(number, func() {
		v.attempt++ // no hook changes anything any more
		if interim > 0 && err == nil {
			v.Enter("transfer")
		}
	})
	if err != nil {
		v.CountTo(time.Now())
		return heard, explain(err, heard, c.conn.left.Load())
	}
	v.seen.Response = response
	response.Request = request
	err = p.readBody(v, response.Body)
	// In TLS, a goodbye tells the end from a cut; many servers do not say it.
	v.seen.unclosed = err == nil && h.tls != nil && c.conn.left.Load() && response.ProtoMajor == 1 && response.ContentLength < 0 && response.TransferEncoding == nil
	end := time.Now()
	if last := c.conn.lastRead(); err == nil && last.After(began) && last.Before(end) {
		end = last // what came after it is our own doing
	}
	v.CountTo(end)
	keep = err == nil && bool(p.spec.KeepAlive) && !response.Close && !v.seen.truncated
	if !keep {
		c.conn.over.Store(true)
	}
	response.Body.Close()
	return true, err
}

var errInterim = fmt.Errorf("more than %d answers of 1xx, and no other", maxInterim)

// explain says in our words why no answer came: heard of a part of one, left by
// the other side.
func explain(err error, heard, left bool) error {
	text := err.Error()
	switch {
	case errors.Is(err, errInterim):
		return errInterim
	case strings.Contains(text, "response headers exceeded"), strings.Contains(text, "header list larger"):
		return errLongHead
	case left, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(text, "server closed"):
		if heard {
			return errors.New("the connection was closed within the answer's header")
		}
		return errors.New("the connection was closed without an answer")
	case errors.As(err, new(net.Error)), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	for _, prefix := range []string{"net/http: HTTP/1.x transport connection broken: ", "net/http: ", "http2: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	if strings.Contains(text, "looked like an HTTP/1.1 header") {
		return reworded{err, "the server speaks HTTP/1, and not HTTP/2"}
	}
	if what, ok := strings.CutPrefix(text, "malformed HTTP "); ok {
		return reworded{err, "the answer is no HTTP: malformed " + what}
	}
	return fmt.Errorf("reading the answer: %w", reworded{err, text})
}

// reworded is an error in other words.
type reworded struct {
	error
	text string
}

// Error returns the other words.
func (r reworded) Error() string { return r.text }

// Unwrap returns the error.
func (r reworded) Unwrap() error { return r.error }

var errLongHead = fmt.Errorf("the answer's header is longer than %s", sayBytes(maxHead))

// readBody reads the body up to the limit. All of it is kept where it is
// looked at, else only what a detail would show.
func (p *pager) readBody(v *visit, body io.Reader) error {
	a := &v.seen
	limit, kept := p.maxBody(), int64(keptBody+slack)
	if p.wantsBody() {
		kept = limit
	}
	v.body = v.body[:0]
	for {
		n, err := body.Read(v.chunk[:min(int64(len(v.chunk)), limit-a.size+1)])
		if room := kept - int64(len(v.body)); room > 0 {
			v.body = append(v.body, v.chunk[:min(int64(n), room)]...)
		}
		a.size += int64(n)
		switch {
		case a.size > limit:
			a.size, a.truncated = limit, true
			return nil
		case err == io.EOF:
			return nil
		case err == nil:
		case !errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("reading the body: %w", err)
		case a.ContentLength > 0:
			return fmt.Errorf("the answer was cut short after %d of %d bytes", a.size, a.ContentLength)
		default:
			return fmt.Errorf("the answer was cut short after %d bytes", a.size)
		}
	}
}

func (p *pager) maxBody() int64 { return int64(p.spec.MaxBody) }

// take hands out the kept connection, if it can still stand for what a new
// visitor meets until the next run; one that cannot, or to another origin, is
// closed.
func (p *pager) take(origin string) *client {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.kept
	p.kept = nil
	if c == nil {
		return nil
	}
	now := time.Now()
	if c.origin != origin || c.Err() != nil || now.Sub(c.conn.born)+p.watcher.Interval > p.maxKept || c.cert != nil && now.After(c.cert.ends) {
		c.close()
		return nil
	}
	return c
}

func (p *pager) keep(c *client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		c.close()
		return
	}
	if p.kept != nil {
		p.kept.close()
	}
	p.kept = c
}

// readAnswer reads an answer as it was on the wire; the body is left to be read.
func readAnswer(v *visit, wire []byte, h *hop) (io.Reader, error) {
	reader := bufio.NewReader(bytes.NewReader(wire))
	for {
		response, err := http.ReadResponse(reader, &http.Request{Method: h.method})
		if err != nil {
			return nil, explain(err, len(wire) > 0, false)
		}
		if response.StatusCode/100 == 1 && response.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		v.seen.Response = response
		return response.Body, nil
	}
}
