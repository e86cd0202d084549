package simulate

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"pharos/internal/bus"
	"pharos/internal/pharos"
)

// The times of internal/bus, which a simulated connection keeps to.
const (
	cutNoticed = 3 * time.Second        // a cut cable is noticed
	reconnects = 500 * time.Millisecond // between two attempts to connect
)

// server is a simulated NATS: it passes on what is published, in the order of each
// connection, and keeps the last value of each subject.
type server struct {
	mu    sync.Mutex // guards all below
	down  bool
	store bool
	last  map[string]kept
	conns []*conn
}

type kept struct {
	data []byte
	at   time.Time
}

// conn is a connection to a simulated NATS, as a *bus.Conn is one to a real one.
type conn struct {
	s         *server
	onLink    func(bus.Link)
	connected chan struct{}
	queue     chan delivery
	ended     chan struct{}

	// Guarded by the server's lock.
	up       bool
	cut      bool          // nothing passes; it is not noticed at once
	deaf     bool          // nothing arrives, and nobody notices
	delay    time.Duration // of what it sends and of what it is sent
	connects uint64
	subs     []subscription
}

type subscription struct {
	pattern string
	handle  func(bus.Message)
}

type delivery struct {
	at      time.Time
	message bus.Message
}

func newServer() *server { return &server{store: true, last: map[string]kept{}} }

// connect returns a connection that is made, and made again, until end is called.
func (s *server) connect(onLink func(bus.Link)) *conn {
	c := &conn{s: s, onLink: onLink, connected: make(chan struct{}, 1), queue: make(chan delivery, 100_000), ended: make(chan struct{})}
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	go c.keep()
	go c.deliver()
	return c
}

// keep connects while that is possible, and notices a connection that is cut.
func (c *conn) keep() {
	ticks := time.NewTicker(reconnects)
	defer ticks.Stop()
	var broken time.Time
	for {
		c.s.mu.Lock()
		possible := !c.s.down && !c.cut
		was := c.up
		switch {
		case !c.up && possible:
			c.up, broken = true, time.Time{}
			c.connects++
			select {
			case c.connected <- struct{}{}:
			default:
			}
		case c.up && c.s.down: // the server's end of it is heard
			c.up = false
		case c.up && !possible && broken.IsZero():
			broken = time.Now()
		case c.up && !possible && time.Since(broken) >= cutNoticed:
			c.up, broken = false, time.Time{}
		case possible:
			broken = time.Time{}
		}
		now, changed := c.link(), was != c.up
		c.s.mu.Unlock()
		if changed && c.onLink != nil {
			c.onLink(now)
		}
		select {
		case <-ticks.C:
		case <-c.ended:
			return
		}
	}
}

func (c *conn) deliver() {
	for {
		select {
		case d := <-c.queue:
			time.Sleep(time.Until(d.at))
			c.s.mu.Lock()
			var handlers []func(bus.Message)
			if c.up && !c.cut && !c.deaf {
				for _, sub := range c.subs {
					if matches(sub.pattern, d.message.Subject) {
						handlers = append(handlers, sub.handle)
					}
				}
			}
			c.s.mu.Unlock()
			for _, handle := range handlers {
				handle(d.message)
			}
		case <-c.ended:
			return
		}
	}
}

func matches(pattern, subject string) bool {
	if rest, ok := strings.CutSuffix(pattern, ">"); ok {
		return strings.HasPrefix(subject, rest)
	}
	p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
	if len(p) != len(s) {
		return false
	}
	for i := range p {
		if p[i] != "*" && p[i] != s[i] {
			return false
		}
	}
	return true
}

func (c *conn) link() bus.Link {
	return bus.Link{Up: c.up, Store: c.up && c.s.store, Connects: c.connects}
}

func (c *conn) Connected() <-chan struct{} { return c.connected }
func (c *conn) MaxPayload() int            { return 1 << 20 }

func (c *conn) Link() bus.Link {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.link()
}

func (c *conn) Publish(subject string, data []byte) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if !c.up {
		return bus.ErrNotConnected
	}
	if c.cut || c.s.down {
		return nil // it is lost in the cable
	}
	if c.s.store && subject != pharos.SubjectRefresh {
		c.s.last[subject] = kept{data, time.Now()}
	}
	for _, to := range c.s.conns {
		if to.up && !to.cut {
			to.queue <- delivery{time.Now().Add(c.delay + to.delay), bus.Message{Subject: subject, Data: data}}
		}
	}
	return nil
}

func (c *conn) Last(ctx context.Context, mark bus.Message, subjects ...string) ([]bus.Message, error) {
	if err := c.Publish(mark.Subject, mark.Data); err != nil {
		return nil, err
	}
	select {
	case <-time.After(2 * c.delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	switch {
	case !c.s.store:
		return nil, bus.ErrNoStore
	case c.cut || c.s.down:
		return nil, context.DeadlineExceeded
	}
	var found []bus.Message
	for _, subject := range subjects {
		if k, ok := c.s.last[subject]; ok {
			found = append(found, bus.Message{Subject: subject, Data: k.data, Age: time.Since(k.at), Snapshot: true})
		}
	}
	return found, nil
}

// stored returns all that is stored, as a dashboard that begins to follow reads it.
func (c *conn) stored() []bus.Message {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.cut || c.s.down || !c.s.store {
		return nil
	}
	var all []bus.Message
	for subject, k := range c.s.last {
		all = append(all, bus.Message{Subject: subject, Data: k.data, Age: time.Since(k.at), Snapshot: true})
	}
	return all
}

func (c *conn) Listen(ctx context.Context, handle func(bus.Message), subjects ...string) error {
	c.s.mu.Lock()
	for _, pattern := range subjects {
		c.subs = append(c.subs, subscription{pattern, handle})
	}
	c.s.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil
	case <-c.ended:
		return bus.ErrClosed
	}
}

func (c *conn) Close(context.Context) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for i, other := range c.s.conns {
		if other == c {
			c.s.conns = append(c.s.conns[:i:i], c.s.conns[i+1:]...)
			close(c.ended)
			return nil
		}
	}
	return errors.New("closed twice")
}

// setDown stops the server or starts it again; what it kept in memory is gone.
func (s *server) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down = down; down {
		s.last = map[string]kept{}
	}
}

// change changes a connection.
func (c *conn) change(f func()) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	f()
}

// setStore takes the store away with all that is in it, or makes a new one.
func (s *server) setStore(there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store, s.last = there, map[string]kept{}
}
