package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"
)

// far is a connection from an address.
type far struct {
	net.Conn
	from   string
	closed bool
}

func (f *far) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(f.from)) }
func (f *far) Close() error         { f.closed = true; return nil }

func TestConnectionsGiveWay(t *testing.T) {
	k := connections{max: 600, trusts: func(a netip.Addr) bool { return a == netip.MustParseAddr("10.0.0.1") }}
	open := func(from string) *far {
		f := &far{from: from}
		k.add(t.Context(), f)
		return f
	}
	busy := open("192.0.2.1:1")
	r, err := http.NewRequestWithContext(k.add(t.Context(), &far{from: "192.0.2.1:2"}), http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	done := k.answering(r)
	idle := open("192.0.2.1:3")
	var more []*far
	for i := range 2 * maxOfAddress {
		more = append(more, open(fmt.Sprintf("192.0.2.1:%d", i+10)))
	}
	if n := k.of[netip.MustParsePrefix("192.0.2.1/32")]; n != maxOfAddress || !busy.closed || !idle.closed || more[len(more)-1].closed {
		t.Errorf("%d connections of one address; the oldest: %v, %v, the newest closed: %v", n, busy.closed, idle.closed, more[len(more)-1].closed)
	}
	done()
	for i := range 500 { // of a proxy
		open(fmt.Sprintf("10.0.0.1:%d", i+10))
	}
	if len(k.open) != 600 || k.of[netip.MustParsePrefix("10.0.0.1/32")] != 500 {
		t.Errorf("%d connections, %d of the proxy", len(k.open), k.of[netip.MustParsePrefix("10.0.0.1/32")])
	}
	for range 200 {
		open("10.0.0.1:9")
	}
	if n := k.of[netip.MustParsePrefix("10.0.0.1/32")]; len(k.open) != 600 || n != 600 {
		t.Errorf("%d connections, %d of the proxy", len(k.open), n)
	}
	for c := range k.open {
		k.state(c, http.StateClosed)
		k.state(c, http.StateClosed) // twice is fine
	}
	if len(k.open)+len(k.of) != 0 {
		t.Errorf("left: %v %v", k.open, k.of)
	}
}

func TestRoom(t *testing.T) {
	for _, tt := range []struct{ files, screens, connections, streams int }{
		{1 << 20, 5000, 1024, 5000}, {1024, 5000, 256, 512}, {1024, 100, 256, 100}, {256, 5000, 64, 128}, {1 << 30, 1_000_000, 1024, 1_000_000},
	} {
		if c, s := room(tt.files, tt.screens); c != tt.connections || s != tt.streams {
			t.Errorf("%d files, %d screens: got %d and %d, wanted %d and %d", tt.files, tt.screens, c, s, tt.connections, tt.streams)
		}
	}
}

// TestHealthIsAlwaysAnswered: whoever holds all connections it can, with
// requests or without, keeps nobody out.
func TestHealthIsAlwaysAnswered(t *testing.T) {
	w, address, _ := served(t, Options{})
	w.s.connections.mu.Lock()
	w.s.connections.max = 300
	w.s.connections.mu.Unlock()
	var held []*screen
	for i := range 400 {
		held = append(held, dial(t, address, []string{"", "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}[i%3]))
	}
	for _, target := range []string{"/healthz", "/", "/api/v1/board", "/events"} {
		begin := time.Now()
		if got := dial(t, address, "GET "+target+" HTTP/1.1\r\nHost: a\r\n\r\n").answer(http.MethodGet); got.StatusCode != http.StatusOK {
			t.Errorf("GET %s: %s", target, got.Status)
		}
		t.Logf("GET %s took %v", target, time.Since(begin))
	}
	w.s.connections.mu.Lock()
	defer w.s.connections.mu.Unlock()
	if n := len(w.s.connections.open); n > 300 {
		t.Errorf("%d of %d connections are open", n, len(held))
	}
}
