package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"time"
)

// scratch is the memory of one visit, used again by the next.
type scratch struct {
	intake   intake
	reader   *bufio.Reader // of intake
	request  http.Request  // what http.ReadResponse must know: the method
	chunk    []byte
	body     []byte // what is kept of the body
	text     []byte
	finalURL *url.URL
}

func (e *Engine) scratch() *scratch {
	s, ok := e.scratches.Get().(*scratch)
	if !ok {
		s = &scratch{chunk: make([]byte, 16<<10)}
		s.reader = bufio.NewReader(&s.intake)
	}
	s.body, s.finalURL = s.body[:0], nil
	return s
}

// intake reads from a connection, up to a limit, and notes when the first byte
// came.
type intake struct {
	source io.Reader
	left   int64
	first  time.Time
	err    error                         // the last one
	told   func(phase int, at time.Time) // of the first byte, at once; may be nil
}

var errLongHead = errors.New("the answer's header is longer than 64 KiB")

func (in *intake) Read(b []byte) (int, error) {
	if in.left <= 0 {
		in.err = errLongHead
		return 0, errLongHead
	}
	n, err := in.source.Read(b[:min(int64(len(b)), in.left)])
	if n > 0 && in.first.IsZero() {
		in.first = time.Now()
		if in.told != nil { // the rest of the header may take its time
			in.told(phaseTransfer, in.first)
		}
	}
	in.left -= int64(n)
	in.err = err
	return n, err
}

// conn is a connection to a page's host.
type conn struct {
	net.Conn          // tcp, or TLS upon it
	tcp      net.Conn // what is closed when there is nobody to say goodbye to
	origin   string
	address  string
	cert     *certificate
	reused   bool
}

var longAgo = time.Unix(1, 0)

// fetchHere makes one request from here, on the kept connection if there is
// one. A kept connection that turns out to be dead before a byte of the answer
// came is no news of the page: it is asked again on a fresh one. (Whatever the
// method: a watcher's request is made to be repeated.)
func (p *page) fetchHere(ctx context.Context, v *visit, h *hop) error {
	if c := p.take(h.origin); c != nil {
		err := p.exchange(ctx, v, h, c)
		if err == nil || !v.intake.first.IsZero() || ctx.Err() != nil {
			return err
		}
		v.seen = answer{}
	}
	c, err := p.dial(ctx, v, h)
	if err != nil {
		return err
	}
	return p.exchange(ctx, v, h, c)
}

// exchange sends the request, reads the answer, and closes or keeps c.
func (p *page) exchange(ctx context.Context, v *visit, h *hop, c *conn) (err error) {
	keep := false
	stop := context.AfterFunc(ctx, func() { c.tcp.SetDeadline(longAgo) })
	defer func() {
		switch untouched := stop(); {
		case keep && untouched:
			p.keep(c)
		case err != nil:
			c.tcp.Close() // TLS would wait to say goodbye
		default:
			c.Close()
		}
	}()
	v.seen.address, v.seen.reused = c.address, c.reused
	if h.tls != nil && !c.reused {
		v.enter(phaseTLS)
		secure := tls.Client(c.tcp, h.tls)
		c.Conn = secure
		if err := secure.Handshake(); err != nil {
			return err
		}
		c.cert = certificateOf(secure.ConnectionState().PeerCertificates)
	}
	v.seen.cert = c.cert
	v.intake = intake{source: c.Conn, left: maxHead, told: v.entered}
	v.reader.Reset(&v.intake)
	v.enter(phaseFirstByte)
	// A server may answer and close before it has read all; what it said
	// matters more than that writing broke.
	_, writing := c.Conn.Write(h.wire)
	if err := v.readAnswer(h); err != nil {
		if writing != nil && v.intake.first.IsZero() && ctx.Err() == nil {
			return writing
		}
		return err
	}
	if err := p.readBody(v); err != nil {
		return err
	}
	keep = p.watcher.Page.KeepAlive && writing == nil && !v.seen.Close && !v.seen.truncated && v.reader.Buffered() == 0
	return nil
}

// readAnswer reads the header lines of the final answer.
func (v *visit) readAnswer(h *hop) error {
	v.request.Method = h.method
	for {
		response, err := http.ReadResponse(v.reader, &v.request)
		if !v.intake.first.IsZero() && v.phase == phaseFirstByte {
			v.enterAt(phaseTransfer, v.intake.first)
		}
		switch {
		case err == nil:
		case v.intake.err == errLongHead:
			return errLongHead
		case v.intake.err == io.EOF && v.intake.first.IsZero():
			return errors.New("the connection was closed without an answer")
		case v.intake.err == io.EOF:
			return errors.New("the connection was closed within the answer's header")
		default:
			return fmt.Errorf("reading the answer: %w", err)
		}
		// 1xx precede the answer; their bytes count against the same limit.
		if response.StatusCode/100 == 1 && response.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		v.seen.Response = response
		v.intake.left = math.MaxInt64
		return nil
	}
}

// readBody reads the body up to the limit. All of it is kept where it is
// looked at, else only what a detail would show.
func (p *page) readBody(v *visit) error {
	a := &v.seen
	limit, kept := p.maxBody(), int64(keptBody+slack)
	if p.wantsBody() {
		kept = limit
	}
	v.body = v.body[:0]
	for {
		n, err := a.Body.Read(v.chunk[:min(int64(len(v.chunk)), limit-a.size+1)])
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
		case err == io.ErrUnexpectedEOF && a.ContentLength > 0:
			return fmt.Errorf("the answer was cut short after %d of %d bytes", a.size, a.ContentLength)
		case err == io.ErrUnexpectedEOF:
			return fmt.Errorf("the answer was cut short after %d bytes", a.size)
		case err != nil:
			return fmt.Errorf("reading the body: %w", err)
		}
	}
}

func (p *page) maxBody() int64 {
	if p.watcher.Page.MaxBody > 0 {
		return p.watcher.Page.MaxBody
	}
	return 1 << 20
}

// take hands out the kept connection; one to another origin is closed.
func (p *page) take(origin string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.kept
	p.kept = nil
	if c != nil && c.origin != origin {
		c.Close()
		return nil
	}
	return c
}

func (p *page) keep(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		c.Close()
		return
	}
	if p.kept != nil {
		p.kept.Close()
	}
	c.reused = true
	p.kept = c
}
