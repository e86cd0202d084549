package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	defaultPending = 1 << 16          // messages that may wait for Handle
	checkEvery     = time.Second      // how often a listener looks for messages that were dropped
	askRightsEvery = 30 * time.Second // how often what was denied is tried again
)

// Message is one message that arrived. Data is its own and may be kept; it is
// not checked in any way.
type Message struct {
	Subject  string
	Data     []byte
	Age      time.Duration // since it was stored, by the broker's clock; 0 when it is live
	Snapshot bool          // it was stored; a live one may have come before it
}

// Listen calls handle with each message on the subjects (patterns, too), one
// at a time, from this goroutine, until ctx ends. It lives through
// reconnects. The error says what is wrong with a subject, or is ErrClosed.
func (c *Conn) Listen(ctx context.Context, handle func(Message), subjects ...string) error {
	l, err := c.listen(subjects, defaultPending)
	if err != nil {
		return err
	}
	defer l.stop()
	return l.run(ctx, handle, nil, nil)
}

// listener is a set of subscriptions that share one queue, so that their
// messages stay in order.
type listener struct {
	c     *Conn
	queue chan *nats.Msg
	// gaps hold a signal, for the follower of each store, when messages may have been
	// lost.
	gaps [len(stores)]chan struct{}

	mu      sync.Mutex // guards what follows
	subs    []*nats.Subscription
	dropped int // messages that subs dropped
}

func (c *Conn) listen(subjects []string, pending int) (*listener, error) {
	l := &listener{c: c, queue: make(chan *nats.Msg, pending)}
	for i := range l.gaps {
		l.gaps[i] = make(chan struct{}, 1)
	}
	for _, subject := range subjects {
		sub, err := c.nc.ChanSubscribe(subject, l.queue)
		if err != nil {
			l.stop()
			if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrConnectionDraining) {
				err = ErrClosed
			}
			return nil, fmt.Errorf("listening to %q: %w", subject, err)
		}
		l.subs = append(l.subs, sub)
	}
	return l, nil
}

func (l *listener) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, sub := range l.subs {
		_ = sub.Unsubscribe() // its only errors say that it is not subscribed
	}
}

// run handles what arrives, and what a snapshot brings on stored, until ctx
// ends.
func (l *listener) run(ctx context.Context, handle func(Message), stored <-chan stored, snapshotDone func()) error {
	check := time.NewTicker(checkEvery)
	defer check.Stop()
	renewed := time.Now()
	// heard are the subjects of the live messages since the last gap of their
	// store, until it is closed: what the store has of them is no newer.
	var heard [len(stores)]map[string]struct{}
	if stored != nil {
		for i := range heard {
			heard[i] = make(map[string]struct{})
		}
	}
	var done [len(stores)]bool // their snapshots have come
	live := func(m *nats.Msg) {
		if diverted(m.Reply, m.Header) {
			l.c.counters.diverted.Add(1)
			return
		}
		l.c.counters.received.Add(1)
		if h := heard[storeOf(m.Subject)]; h != nil {
			h[m.Subject] = struct{}{}
		}
		handle(Message{Subject: m.Subject, Data: m.Data})
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.c.closed:
			return ErrClosed
		case m := <-l.queue:
			live(m)
		case s := <-stored:
			// What arrived before the stored message is handled before it.
			for n := len(l.queue); n > 0; n-- {
				live(<-l.queue)
			}
			switch s.kind {
			case gapOpens:
				heard[s.which] = make(map[string]struct{})
			case storedOne:
				if _, ok := heard[s.which][s.message.Subject]; !ok {
					handle(s.message)
				}
			case snapshotEnds:
				done[s.which] = true
				if snapshotDone != nil && !slices.Contains(done[:], false) {
					snapshotDone()
				}
			case gapCloses:
				heard[s.which] = nil
			}
		case now := <-check.C:
			renew := now.Sub(renewed) >= askRightsEvery
			if renew {
				renewed = now
			}
			l.check(renew)
		}
	}
}

// diverted reports whether a message is an answer of JetStream. Who asks for a
// stored message says where the answer goes, and no server asks whether that is a
// subject on which he may publish. A stored message has no reply any more.
func diverted(reply string, h nats.Header) bool {
	return strings.HasPrefix(reply, "$JS.ACK.") || h.Get(jetstream.StreamHeader) != "" || h.Get("Status") != ""
}

// check counts what was dropped and, with renew, subscribes again where the
// server refused: it does not tell when a right is given.
func (l *listener) check(renew bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	dropped := 0
	for i, sub := range l.subs {
		if renew && l.c.takeRefused(sub.Subject) {
			if again, err := l.c.nc.ChanSubscribe(sub.Subject, l.queue); err == nil {
				_ = sub.Unsubscribe()
				l.subs[i] = again
				l.signalGap()
			}
			continue
		}
		if n, err := sub.Dropped(); err == nil {
			dropped += n
		}
	}
	if dropped > l.dropped {
		l.c.counters.dropped.Add(uint64(dropped - l.dropped))
		l.c.log.Warn("dropping messages: they arrive faster than they are handled", "dropped", dropped-l.dropped)
		l.signalGap()
	}
	l.dropped = dropped
}

func (l *listener) signalGap() {
	for _, gap := range l.gaps {
		signal(gap)
	}
}
