package prober

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"pharos/internal/bus"
	"pharos/internal/clock"
	"pharos/internal/config"
	"pharos/internal/pharos"
	"pharos/internal/probe"
)

// unheard is how long what another prober runs may be unheard of before nothing is
// known of it.
const unheard = 10 * time.Second

// ears hear what watchers need to know and is not seen from here: what others push,
// and how those do that another prober of the site runs and that groups are made of.
type ears struct {
	clock   *clock.Clock
	self    identity
	sharing *sharing
	log     *slog.Logger
	wake    chan struct{} // holds one signal: the file is another, or a connection was made
	// pushed and changed are told of a push, and of another status of what another
	// prober runs.
	pushed, changed func(pharos.WatcherID)

	mu      sync.Mutex // guards all below
	conn    Conn       // nil: none was made yet
	deaf    bool       // something may have come that was not heard
	pushes  map[pharos.WatcherID]*word
	members map[pharos.WatcherID]*word
}

// word is what was heard last of a watcher.
type word struct {
	since  time.Duration // it is listened
	came   bool
	result pharos.Result // as it was then
	at     time.Duration
}

func newEars(c *clock.Clock, self identity, s *sharing, log *slog.Logger) *ears {
	return &ears{clock: c, self: self, sharing: s, log: log, wake: make(chan struct{}, 1), deaf: true}
}

// adopt takes from a file what is to be heard.
func (e *ears) adopt(c *config.Config) {
	e.mu.Lock()
	defer e.mu.Unlock()
	pushes, members := map[pharos.WatcherID]*word{}, map[pharos.WatcherID]*word{}
	keep := func(from, into map[pharos.WatcherID]*word, id pharos.WatcherID) {
		if into[id] = from[id]; into[id] == nil {
			into[id] = &word{since: e.clock.Now()}
		}
	}
	for i := range c.Watchers {
		w := &c.Watchers[i]
		if w.Traits.Pushed {
			keep(e.pushes, pushes, w.ID)
		}
		if c.Share {
			for _, m := range w.Traits.Of {
				keep(e.members, members, m.ID)
			}
		}
	}
	e.pushes, e.members = pushes, members
	e.signal()
}

// connected has what was pushed while there was no connection read from the store.
func (e *ears) connected() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deaf = true
	e.signal()
}

func (e *ears) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// subjects returns what is to be listened to, and of that what is stored for whom
// comes late.
func (e *ears) subjects() (all, stored []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id := range e.pushes {
		stored = append(stored, pharos.PushSubject(id))
	}
	all = slices.Clone(stored)
	for id := range e.members {
		all = append(all, pharos.ResultSubject("*", id))
	}
	slices.Sort(all)
	return all, stored
}

// run listens until ctx is done. mark returns what bus.Conn.Last publishes.
func (e *ears) run(ctx context.Context, conn Conn, mark func() bus.Message) error {
	e.mu.Lock()
	e.conn = conn
	e.mu.Unlock()
	var listening sync.WaitGroup
	defer listening.Wait()
	failed := make(chan error, 1)
	var heard []string
	stop := func() {}
	defer func() { stop() }()
	for {
		all, stored := e.subjects()
		if !slices.Equal(all, heard) {
			before := stop
			listen, end := context.WithCancel(ctx)
			stop, heard = end, all
			if len(all) > 0 {
				listening.Go(func() {
					if err := conn.Listen(listen, e.hear, all...); err != nil && listen.Err() == nil {
						select {
						case failed <- err:
						default:
						}
					}
				})
			}
			before() // what comes to both meanwhile is heard once
		}
		if conn.Link().Up {
			e.read(ctx, conn, mark, stored)
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-e.wake:
		}
	}
}

// read takes what is stored of pushes.
func (e *ears) read(ctx context.Context, conn Conn, mark func() bus.Message, subjects []string) {
	ctx, cancel := context.WithTimeout(ctx, restoreLimit)
	defer cancel()
	if len(subjects) > 0 {
		messages, err := conn.Last(ctx, mark(), subjects...)
		if err != nil && !errors.Is(err, bus.ErrNoStore) {
			e.log.Warn("reading what was pushed", "error", err)
		}
		for _, m := range messages {
			e.hear(m)
		}
	}
	e.mu.Lock()
	e.deaf = false
	e.mu.Unlock()
}

// hear takes a message that arrived, or was stored.
func (e *ears) hear(m bus.Message) {
	s, err := pharos.ParseSubject(m.Subject)
	if err != nil {
		return
	}
	r, err := pharos.ParseResult(m.Data)
	if err != nil {
		return
	}
	id := s.ID()
	switch {
	case s.Type == pharos.MessagePush && e.take(true, id, r, m.Age):
		e.pushed(id)
	case s.Type == pharos.MessageResult && s.Prober == e.sharing.owner(id) && e.take(false, id, r, m.Age):
		e.changed(id)
	}
}

// take keeps what was heard, unless something newer was, and reports whether it
// tells anything new.
func (e *ears) take(push bool, id pharos.WatcherID, r pharos.Result, age time.Duration) (news bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.members[id]
	if push {
		w = e.pushes[id]
	}
	at := e.clock.Now() - age
	if w == nil || w.came && at < w.at {
		return false
	}
	news = push || !w.came || r.Status != w.result.Status
	w.came, w.result, w.at = true, r, at
	return news
}

// push returns what was pushed for a watcher.
func (e *ears) push(id pharos.WatcherID) probe.Push {
	e.mu.Lock()
	defer e.mu.Unlock()
	w, now := e.pushes[id], e.clock.Now()
	if w == nil {
		return probe.Push{}
	}
	if e.conn == nil || !e.conn.Link().Up {
		e.deaf = true
	}
	return probe.Push{Came: w.came, Result: w.result, Age: now - w.at, For: now - w.since, Deaf: e.deaf}
}

// member returns what another prober says of a watcher; false: nothing yet.
func (e *ears) member(id pharos.WatcherID) (pharos.Result, bool) {
	owner := e.sharing.owner(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	w, now := e.members[id], e.clock.Now()
	switch {
	case w == nil || owner == "" || owner == e.self.proberToken: // it is run here, or will be
		return pharos.Result{}, false
	case w.came && now-w.at <= w.result.TTLOrDefault():
		return w.result, true
	case now-max(w.since, w.at) <= unheard:
		return pharos.Result{}, false
	}
	return pharos.Result{Status: pharos.Unknown, Summary: "prober " + owner + ", which runs it, is not heard"}, true
}
