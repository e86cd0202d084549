package web

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// The connections that are open at once besides the streams.
const (
	maxConnections = 1024
	maxOfAddress   = 256
)

// room divides the files that a process may have open: a quarter is left to all
// else that it does.
func room(files, screens int) (connections, streams int) {
	files -= files / 4
	connections = min(maxConnections, files/3)
	return connections, min(screens, files-connections)
}

// connections bounds what is open besides the streams, in all and from one
// address. A connection more is let in, and one gives way that waits for nothing
// or has waited for longest: whoever holds many loses them first.
type connections struct {
	max    int
	trusts func(netip.Addr) bool

	mu   sync.Mutex // guards what follows
	open map[net.Conn]*connection
	of   map[netip.Prefix]int
}

type connection struct {
	net.Conn
	of      netip.Prefix
	trusted bool      // a proxy's: of many clients
	busy    int       // requests that are being answered
	since   time.Time // of the last change
}

type connectionKey struct{}

// add is a server's ConnContext.
func (k *connections) add(ctx context.Context, conn net.Conn) context.Context {
	a := remote(conn.RemoteAddr().String())
	c := &connection{Conn: conn, of: neighbourhood(a), trusted: k.trusts(a), since: time.Now()}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open == nil {
		k.open, k.of = map[net.Conn]*connection{}, map[netip.Prefix]int{}
	}
	switch {
	case k.of[c.of] >= maxOfAddress && !c.trusted:
		k.evict(c.of)
	case len(k.open) >= k.max:
		k.evict(k.heaviest())
	}
	k.open[conn] = c
	k.of[c.of]++
	return context.WithValue(ctx, connectionKey{}, c)
}

// state is a server's ConnState.
func (k *connections) state(conn net.Conn, state http.ConnState) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.open[conn]
	if c == nil {
		return
	}
	c.since = time.Now()
	if state == http.StateHijacked || state == http.StateClosed {
		k.remove(c)
	}
}

// answering counts a request that is being answered, until done is called.
func (k *connections) answering(r *http.Request) (done func()) {
	c, ok := r.Context().Value(connectionKey{}).(*connection)
	if !ok {
		return func() {}
	}
	count := func(n int) {
		k.mu.Lock()
		defer k.mu.Unlock()
		c.busy += n
		c.since = time.Now()
	}
	count(1)
	return func() { count(-1) }
}

// heaviest returns the address with the most connections; a proxy's only where
// there is no other.
func (k *connections) heaviest() (most netip.Prefix) {
	n, proxy := 0, true
	for _, c := range k.open {
		if better := k.of[c.of] > n; proxy && !c.trusted || better && proxy == c.trusted {
			most, n, proxy = c.of, k.of[c.of], c.trusted
		}
	}
	return most
}

// evict closes one connection of an address: one that waits for a request before
// one that is being answered, and the oldest of them.
func (k *connections) evict(of netip.Prefix) {
	var worst *connection
	for _, c := range k.open {
		if c.of != of {
			continue
		}
		if idle := c.busy == 0; worst == nil || idle && worst.busy > 0 || idle == (worst.busy == 0) && c.since.Before(worst.since) {
			worst = c
		}
	}
	if worst != nil {
		k.remove(worst)
		cut(worst.Conn)
	}
}

func (k *connections) remove(c *connection) {
	delete(k.open, c.Conn)
	if k.of[c.of]--; k.of[c.of] == 0 {
		delete(k.of, c.of)
	}
}

// cut closes a connection without a word: TLS would wait to say goodbye.
func cut(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	_ = conn.Close() // its reader finds out
}
