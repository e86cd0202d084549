package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// lookupPatience is how long a name is looked up before each family is looked up
// alone, too: some name servers answer for one and drop the other.
const lookupPatience = 300 * time.Millisecond

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// connect looks a host up and connects to it, as a visitor does: names through
// the resolver that Go chooses, the families raced. family is 4, 6 or 0 for
// either. Its phases are lookup, which an address does not have, and connect.
func (e *Engine) connect(ctx context.Context, t *Trace, family int, address string) (*conn, error) {
	if e.through != "" {
		t.Enter("connect")
		c, err := e.ssh.dial(ctx, e.through, address)
		if err != nil {
			return nil, err
		}
		return newConn(c), nil
	}
	network := map[int]string{4: "tcp4", 6: "tcp6", 0: "tcp"}[family]
	// A resolver of its own: lookups that share one would share their waiting.
	d := &net.Dialer{KeepAlive: -1, Resolver: &net.Resolver{Dial: e.nameServer}}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var c net.Conn
	switch _, err := netip.ParseAddr(host); {
	case err == nil:
		t.Enter("connect")
		c, err = d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
	case isLocalhost(host):
		t.Enter("connect")
		if c, err = dialLoopback(ctx, d, network, port); err != nil {
			return nil, err
		}
	default:
		t.Enter("lookup")
		if c, err = dialName(ctx, t, d, network, address); err != nil {
			return nil, err
		}
	}
	return newConn(c), nil
}

// isLocalhost reports whether a name stands for this machine and needs no server
// (RFC 6761).
func isLocalhost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func dialLoopback(ctx context.Context, d *net.Dialer, network, port string) (c net.Conn, err error) {
	var first error
	for _, ip := range []string{"::1", "127.0.0.1"} {
		if network == "tcp4" && ip == "::1" || network == "tcp6" && ip != "::1" {
			continue
		}
		if c, err = d.DialContext(ctx, network, net.JoinHostPort(ip, port)); err == nil {
			return c, nil
		}
		if first == nil || !wayless(err) && wayless(first) {
			first = err
		}
	}
	return nil, first
}

// wayless reports whether an attempt ended for lack of a way to the address, as
// that to ::1 does where there is no IPv6: it says nothing of the page.
func wayless(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) ||
		errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH)
}

// dialName looks a name up and connects to it. When the lookup takes long, one
// for each family is made beside it, and the first connection wins.
func dialName(ctx context.Context, t *Trace, d *net.Dialer, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{DNSDone: func(i httptrace.DNSDoneInfo) {
		if i.Err == nil {
			t.Advance("lookup", "connect")
		}
	}})
	if network != "tcp" {
		return d.DialContext(ctx, network, address)
	}
	both, stop := context.WithCancel(ctx)
	defer stop()
	var (
		mu     sync.Mutex // guards won
		won    net.Conn
		others sync.WaitGroup
	)
	others.Add(1)
	slow := time.AfterFunc(lookupPatience, func() {
		defer others.Done()
		if t.Under() != "lookup" {
			return
		}
		for _, family := range []string{"tcp4", "tcp6"} {
			others.Go(func() {
				c, err := d.DialContext(ctx, family, address)
				if err != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if won != nil {
					c.Close()
					return
				}
				won = c
				stop()
			})
		}
	})
	c, err := d.DialContext(both, network, address)
	if slow.Stop() {
		others.Done()
	}
	cancel()
	others.Wait()
	switch {
	case won == nil:
		return c, err
	case err == nil:
		won.Close()
		return c, nil
	}
	return won, nil
}

// dialNameServer connects to a name server. net.Resolver lets a question that
// nobody waits for any more run into its own timeout of seconds; ending the
// connection with its context ends it at once.
func dialNameServer(ctx context.Context, network, server string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { c.SetDeadline(longAgo) })
	return c, nil
}

// secure makes a TLS handshake. Its phase is tls.
func secure(ctx context.Context, t *Trace, c *conn, config *tls.Config, server string) (*tls.Conn, error) {
	t.Enter("tls")
	config = config.Clone()
	if config.ServerName == "" {
		config.ServerName = strings.TrimSuffix(server, ".")
	}
	s := tls.Client(c, config)
	if err := s.HandshakeContext(ctx); err != nil {
		c.Conn.Close()
		return nil, err
	}
	return s, nil
}

// conn is a connection that knows when it was last read from, and that takes no
// byte more once its run is over: TLS would wait to say goodbye.
type conn struct {
	net.Conn
	born time.Time
	last atomic.Int64                    // nanoseconds since born
	over atomic.Bool                     // takes no byte more
	run  atomic.Pointer[context.Context] // when it is done, no byte more is taken; nil: there is none
	left atomic.Bool                     // the other side has closed it
}

func newConn(c net.Conn) *conn { return &conn{Conn: c, born: time.Now()} }

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.last.Store(int64(time.Since(c.born)))
	if err == io.EOF {
		c.left.Store(true)
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	if run := c.run.Load(); c.over.Load() || run != nil && (*run).Err() != nil {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// within lets something be said on a connection until ctx is done.
func within(ctx context.Context, c net.Conn, say func() error) error {
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(longAgo) })
	defer stop()
	return say()
}

// lastRead returns when the last read ended.
func (c *conn) lastRead() time.Time { return c.born.Add(time.Duration(c.last.Load())) }

// abandon ends whatever waits for the connection.
func (c *conn) abandon() {
	c.over.Store(true)
	c.SetDeadline(longAgo)
}
