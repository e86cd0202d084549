package chaos

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// mode is what a target does with those who look at it.
type mode string

const (
	good    mode = "answers"
	hangs   mode = "hangs"
	refuses mode = "refuses"
	resets  mode = "resets"
	errors5 mode = "answers 500"
	stalls  mode = "stalls in the body"
)

// spell is a time during which the target was not good: the truth.
type spell struct{ began, ended time.Time }

// target is a page whose truth is known. It listens at an address of its own.
type target struct {
	address string
	listen  func(address string) (net.Listener, error)

	mu       sync.Mutex // guards what follows
	mode     mode
	since    time.Time
	first    time.Time // the first visit in this mode
	visited  chan struct{}
	listener net.Listener
	held     []net.Conn // of visits that wait
	spells   []spell
	serving  sync.WaitGroup
}

func listenHere(address string) (net.Listener, error) { return net.Listen("tcp", address) }

// newTarget returns one that is good.
func newTarget(t *testing.T, listen func(string) (net.Listener, error)) *target {
	t.Helper()
	l, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &target{address: l.Addr().String(), listen: listen, mode: good, visited: make(chan struct{})}
	g.serve(l)
	t.Cleanup(func() {
		g.mu.Lock()
		g.silence()
		g.mu.Unlock()
		g.serving.Wait()
	})
	return g
}

func newTargets(t *testing.T, n int) []*target {
	t.Helper()
	all := make([]*target, n)
	for i := range all {
		all[i] = newTarget(t, listenHere)
	}
	return all
}

func (g *target) url() string { return "http://" + g.address + "/" }

// serve is called with mu held, or before anybody else knows of g.
func (g *target) serve(l net.Listener) {
	g.listener = l
	g.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			g.serving.Go(func() { g.visit(conn) })
		}
	})
}

// silence closes all that is open; mu is held.
func (g *target) silence() {
	g.listener.Close()
	g.release()
}

// release ends the visits that wait; mu is held.
func (g *target) release() {
	for _, conn := range g.held {
		conn.Close()
	}
	g.held = nil
}

// turn changes the mode, and returns when it did.
func (g *target) turn(t testing.TB, m mode) time.Time {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.mode
	g.mode, g.since, g.first = m, time.Now(), time.Time{}
	g.visited = make(chan struct{})
	switch {
	case was == good && m != good:
		g.spells = append(g.spells, spell{began: g.since})
	case was != good && m == good:
		g.spells[len(g.spells)-1].ended = g.since
	}
	g.release()
	if m == refuses {
		g.listener.Close()
	} else if was == refuses {
		l, err := g.listen(g.address)
		if err != nil {
			t.Fatalf("listening again: %v", err)
		}
		g.serve(l)
	}
	return g.since
}

// firstVisit waits for the first visit in the present mode.
func (g *target) firstVisit(w *world) time.Time {
	w.Helper()
	g.mu.Lock()
	visited := g.visited
	g.mu.Unlock()
	select {
	case <-visited:
	case <-w.ctx.Done():
		w.Fatal("nobody has looked at the target")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.first
}

// truth returns the spells that are over.
func (g *target) truth() []spell {
	g.mu.Lock()
	defer g.mu.Unlock()
	var over []spell
	for _, s := range g.spells {
		if !s.ended.IsZero() {
			over = append(over, s)
		}
	}
	return over
}

func (g *target) visit(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second)) // a dead connection shows at the read
	arrived := time.Now()
	buf := make([]byte, 4096)
	if _, err := conn.Read(buf); err != nil {
		return
	}
	g.mu.Lock()
	m := g.mode
	if g.first.IsZero() {
		g.first = arrived
		close(g.visited)
	}
	if m == hangs || m == stalls {
		g.held = append(g.held, conn)
	}
	g.mu.Unlock()
	switch m {
	case good:
		answer(conn, "200 OK", "fine\n")
	case errors5:
		answer(conn, "500 Internal Server Error", "no\n")
	case resets:
		_ = conn.(*net.TCPConn).SetLinger(0) // what is left is a reset, or nothing
	case stalls:
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome") // the prober may be gone
		fallthrough
	case hangs:
		_, _ = io.Copy(io.Discard, conn) // until the prober gives up or the target does
	}
}

func answer(conn net.Conn, status, body string) {
	r := "HTTP/1.1 " + status + "\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n" + body
	_, _ = io.WriteString(conn, r) // the prober may be gone
}
