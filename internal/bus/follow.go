package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"pharos/internal/pharos"
)

const (
	lookEvery     = 2 * time.Second        // how often the store is looked at
	requestWait   = 2 * time.Second        // how long an answer may take
	refreshJitter = 250 * time.Millisecond // so that not all dashboards ask at once
)

// Follow says how to follow, and who handles what comes.
type Follow struct {
	Create   bool // make the store where there is none
	Memory   bool // one in memory; otherwise in files
	Replicas int  // of the store; 0: 1
	Pending  int  // messages that may wait for Handle before some are dropped; 0: 65,536

	// Handle and SnapshotDone are called one at a time, from Follow's own
	// goroutine. A live message comes before or after the stored one of its
	// subject; the newest wins, and that is Handle's to judge.
	Handle func(Message)
	// SnapshotDone is called when all that was stored has been handled or, without
	// a store, when the probers have been asked to publish again. It may be nil.
	SnapshotDone func()
}

// Follow brings the results, rosters and beats of all sites, those that are
// stored and those that arrive, and pharos.forget, until ctx ends. It subscribes
// first and takes the snapshot second; it takes it again after each reconnect,
// when messages were dropped, and when the store was made anew, which it notices
// within two seconds. One that was purged fills up with what comes. Without a
// store it asks the probers to publish again. A Conn can be followed once at a
// time. The error is nil or ErrClosed.
func (c *Conn) Follow(ctx context.Context, f Follow) error {
	if f.Pending == 0 {
		f.Pending = defaultPending
	}
	subjects := []string{pharos.SubjectForget}
	for i := range stores {
		subjects = append(subjects, stores[i].subjects...)
	}
	l, err := c.listen(subjects, f.Pending)
	if err != nil {
		return err
	}
	defer l.stop()
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan stored)
	var wg sync.WaitGroup
	// The probers' store is made first: it takes of the server's room what it needs.
	first := make(chan struct{})
	for i := range stores {
		k := &follower{c: c, f: f, store: &stores[i], which: i, gap: l.gaps[i], out: out}
		if i == probersStore {
			k.looked = sync.OnceFunc(func() { close(first) })
			wg.Go(func() { k.run(ctx) })
			continue
		}
		wg.Go(func() {
			select {
			case <-first:
				k.run(ctx)
			case <-ctx.Done():
			}
		})
	}
	defer wg.Wait()
	defer cancel()
	return l.run(ctx, f.Handle, out, f.SnapshotDone)
}

// stored is what a snapshot hands to the listener's goroutine.
type stored struct {
	which   int // of the stores
	kind    storedKind
	message Message
}

type storedKind uint8

const (
	gapOpens     storedKind = iota // live messages may have been missed until now
	storedOne                      // one message
	snapshotEnds                   // all that was stored has come
	gapCloses                      // and what was still on its way into the store, too
)

// follower reads one store for one call of Follow.
type follower struct {
	c      *Conn
	f      Follow
	store  *store
	which  int
	gap    <-chan struct{}
	out    chan stored
	looked func() // is called when the store has been looked at, or made; nil: nobody waits for it
}

func (k *follower) run(ctx context.Context) {
	for {
		session, end, err := k.c.awaitSession(ctx)
		if err != nil {
			return
		}
		k.session(session)
		end()
		if !k.send(ctx, gapOpens) {
			return
		}
	}
}

// progress is how far a follower is with its store in one session.
type progress struct {
	phase     phase
	asked     bool      // the probers were asked about what may have been missed
	mayCreate bool      // a store where there is none
	read      storeInfo // the store when it was read last
}

type phase uint8

const (
	behind   phase = iota // messages may have been missed: the store is to be read whole
	settling              // it was; messages that were on their way into it then are to be read
	settled               // nothing was missed
)

// session looks after the store while there is a connection.
func (k *follower) session(ctx context.Context) {
	s := progress{mayCreate: k.f.Create}
	for {
		wait, ok := k.turn(ctx, &s)
		if !ok {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-k.gap:
			s.phase, s.asked = behind, false
			k.send(ctx, gapOpens)
			// Whoever is too slow is not to be kept busy with snapshots alone.
			if !sleep(ctx, checkEvery) {
				return
			}
		case <-time.After(wait):
		}
	}
}

// turn looks at the store once and reads what is owed. It returns how long to wait
// for the next turn; false when ctx has ended.
func (k *follower) turn(ctx context.Context, s *progress) (time.Duration, bool) {
	denied := k.c.counters.denied.Load()
	info, made, err := k.inspect(ctx, s.mayCreate)
	if k.looked != nil {
		k.looked()
	}
	if err == nil {
		err = k.read(ctx, s, info)
	}
	if ctx.Err() != nil {
		return 0, false
	}
	wait := lookEvery
	if errors.Is(err, context.DeadlineExceeded) && k.c.counters.denied.Load() != denied {
		// What is refused shows here only as silence. It is not to be asked
		// for all the time, and live messages come all the same.
		if made {
			s.mayCreate = false
		} else {
			wait = askRightsEvery
		}
	}
	k.c.setStore(k.which, err, info.odd)
	if made && err == nil || err != nil && s.phase == behind && !s.asked {
		if !k.askAgain(ctx, err != nil) {
			return 0, false
		}
		s.asked = true
	}
	return wait, true
}

// read reads from the store what is owed.
func (k *follower) read(ctx context.Context, s *progress, info storeInfo) error {
	anew := !info.created.Equal(s.read.created) || info.last < s.read.last
	switch {
	case s.phase == behind || anew:
		if err := k.snapshot(ctx, info, s.phase != behind); err != nil {
			return err
		}
		s.phase, s.asked = settling, false
	case s.phase == settling:
		// Messages are stored a moment after they were sent to whoever
		// listens: one can have been too early to be heard, and too late to
		// be read.
		if err := k.readStore(ctx, info, s.read.last+1); err != nil {
			return err
		}
		s.phase = settled
		k.send(ctx, gapCloses)
	}
	s.read = info
	return nil
}

// askAgain asks the probers to publish again, and says so where no snapshot
// did. It reports false when ctx has ended.
func (k *follower) askAgain(ctx context.Context, tell bool) bool {
	if !sleep(ctx, rand.N(refreshJitter)) {
		return false
	}
	if k.which == probersStore { // nobody can be asked for pushes
		if err := k.c.Publish(pharos.SubjectRefresh, nil); err != nil {
			k.c.log.Warn("asking for a refresh", "error", err)
		} else {
			k.c.counters.refreshes.Add(1)
		}
	}
	return !tell || k.send(ctx, gapCloses) && k.send(ctx, snapshotEnds)
}

func (k *follower) send(ctx context.Context, kind storedKind) bool {
	return k.hand(ctx, stored{which: k.which, kind: kind})
}

func (k *follower) hand(ctx context.Context, s stored) bool {
	select {
	case k.out <- s:
		return true
	case <-ctx.Done():
		return false
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// setStore tells whether there is a store, or why not, and which of its settings is
// not ours.
func (c *Conn) setStore(which int, err error, odd string) {
	why := odd
	if err != nil {
		why = plain(err)
	}
	var before linkState
	c.change(func(s *linkState) {
		before = *s
		if s.up {
			s.stores[which] = storeState{err == nil, why}
		}
	})
	switch {
	case err == nil && !before.stores[which].there:
		c.log.Info("NATS keeps last values", "stream", stores[which].stream)
	case err == nil && odd != "" && before.stores[which].err != odd:
		c.log.Warn("a stream has settings of its own, which are left as they are", "stream", stores[which].stream, "setting", odd)
	case err != nil && before.stores[which].err != why:
		c.log.Warn("NATS keeps no last values, or they cannot be read", "stream", stores[which].stream, "error", why)
	}
}

// inspect returns what the store says of itself. It makes one, or tries to, where
// there is none and mayCreate allows it.
func (k *follower) inspect(ctx context.Context, mayCreate bool) (info storeInfo, made bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestWait)
	defer cancel()
	if v := k.c.nc.ConnectedServerVersion(); tooOld(v) {
		return info, made, fmt.Errorf("%w: nats-server %s is too old, want %s or newer", ErrNoStore, v, leastServer)
	}
	asked := time.Now()
	stream, err := k.c.js.Stream(ctx, k.store.stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) && mayCreate {
		made = true
		asked = time.Now()
		stream, err = k.c.create(ctx, k.store, k.f)
	}
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return info, made, fmt.Errorf("%w: there is no stream %s", ErrNoStore, k.store.stream)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return info, made, fmt.Errorf("%w: no JetStream here", ErrNoStore)
	case err != nil:
		return info, made, fmt.Errorf("looking at stream %s: %w", k.store.stream, err)
	}
	si := stream.CachedInfo()
	odd := k.store.oddSettings(si.Config)
	if odd != "" {
		odd = fmt.Sprintf("stream %s has settings of its own: %s", k.store.stream, odd)
	}
	return storeInfo{created: si.Created, last: si.State.LastSeq, clock: newClock(si.TimeStamp, asked), odd: odd}, made, nil
}
