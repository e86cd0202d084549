package pharostest

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Mode is what a target does with those who look at it.
type Mode string

// What targets do.
const (
	Answers Mode = "answers"
	Hangs   Mode = "hangs"
	Refuses Mode = "refuses"
	Resets  Mode = "resets"
	Fails   Mode = "answers 500"
	Stalls  Mode = "stalls in the body"
)

// Outage is a time in which a target did not answer: the truth.
type Outage struct{ Began, Ended time.Time }

// Target is a page whose truth is known. It listens at an address of its own.
type Target struct {
	Address string
	listen  func(address string) (net.Listener, error)

	mu       sync.Mutex // guards what follows
	mode     Mode
	since    time.Time
	first    time.Time // the first visit in this mode
	visited  chan struct{}
	listener net.Listener
	held     []net.Conn // of visits that wait
	outages  []Outage
	visits   []time.Time
	serving  sync.WaitGroup
}

// NewTarget returns one that answers.
func NewTarget(t testing.TB) *Target {
	t.Helper()
	return NewTargetAt(t, nil)
}

// NewTargetAt is NewTarget with a way of its own to listen; nil is the ordinary one.
func NewTargetAt(t testing.TB, listen func(address string) (net.Listener, error)) *Target {
	t.Helper()
	if listen == nil {
		listen = func(address string) (net.Listener, error) { return net.Listen("tcp", address) }
	}
	l, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &Target{Address: l.Addr().String(), listen: listen, mode: Answers, visited: make(chan struct{})}
	g.serve(l)
	t.Cleanup(func() {
		g.mu.Lock()
		g.listener.Close()
		g.release()
		g.mu.Unlock()
		g.serving.Wait()
	})
	return g
}

// URL is the page's address.
func (g *Target) URL() string { return "http://" + g.Address + "/" }

// serve is called with mu held, or before anybody else knows of g.
func (g *Target) serve(l net.Listener) {
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

// release ends the visits that wait; mu is held.
func (g *Target) release() {
	for _, conn := range g.held {
		conn.Close()
	}
	g.held = nil
}

// Turn changes the mode, and returns when it did.
func (g *Target) Turn(t testing.TB, m Mode) time.Time {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.mode
	g.mode, g.since, g.first = m, time.Now(), time.Time{}
	g.visited = make(chan struct{})
	switch {
	case was == Answers && m != Answers:
		g.outages = append(g.outages, Outage{Began: g.since})
	case was != Answers && m == Answers:
		g.outages[len(g.outages)-1].Ended = g.since
	}
	g.release()
	if m == Refuses {
		g.listener.Close()
	} else if was == Refuses {
		l, err := g.listen(g.Address)
		if err != nil {
			t.Fatalf("listening again: %v", err)
		}
		g.serve(l)
	}
	return g.since
}

// FirstVisit waits for the first visit in the present mode.
func (g *Target) FirstVisit(t testing.TB) time.Time {
	t.Helper()
	g.mu.Lock()
	visited := g.visited
	g.mu.Unlock()
	Await(t, "a visit of the target", visited)
	return g.Visited()
}

// Visited returns when the first visit in the present mode was; never, where
// nobody came.
func (g *Target) Visited() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.first
}

// Truth returns the outages that are over.
func (g *Target) Truth() []Outage {
	g.mu.Lock()
	defer g.mu.Unlock()
	var over []Outage
	for _, o := range g.outages {
		if !o.Ended.IsZero() {
			over = append(over, o)
		}
	}
	return over
}

// Visits returns when somebody looked since a moment.
func (g *Target) Visits(since time.Time) []time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []time.Time
	for _, at := range g.visits {
		if at.After(since) {
			all = append(all, at)
		}
	}
	return all
}

func (g *Target) visit(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second)) // a dead connection shows at the read
	arrived := time.Now()
	buf := make([]byte, 4096)
	if _, err := conn.Read(buf); err != nil {
		return
	}
	g.mu.Lock()
	m := g.mode
	g.visits = append(g.visits, arrived)
	if g.first.IsZero() {
		g.first = arrived
		close(g.visited)
	}
	if m == Hangs || m == Stalls {
		g.held = append(g.held, conn)
	}
	g.mu.Unlock()
	answer := func(text string) { _, _ = io.WriteString(conn, "HTTP/1.1 "+text) } // the prober may be gone
	switch m {
	case Answers:
		answer("200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\nfine\n")
	case Fails:
		answer("500 Internal Server Error\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\nno\n")
	case Resets:
		_ = conn.(*net.TCPConn).SetLinger(0) // what is left is a reset, or nothing
	case Stalls:
		answer("200 OK\r\nContent-Length: 1000\r\n\r\nsome")
		fallthrough
	case Hangs:
		_, _ = io.Copy(io.Discard, conn) // until the prober gives up or the target does
	}
}
