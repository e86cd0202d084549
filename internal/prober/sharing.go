package prober

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"pharos/internal/clock"
	"pharos/internal/config"
	"pharos/internal/pharos"
)

const (
	// joinWait is how long a prober that joins listens for the others, who answer it
	// at once.
	joinWait = 300 * time.Millisecond
	// heardWithin is how old this prober's own heartbeat may be, as NATS brings it
	// back, for it to know that it would hear the others.
	heardWithin = 2 * pharos.HeartbeatInterval
	maxPeers    = 250 // that are heard; a site has no more on a board
)

// sharing is what this prober knows of the others of its site. All of them compute
// from it, in the same way, who runs which watcher.
type sharing struct {
	clock *clock.Clock
	self  string        // token
	wake  chan struct{} // holds one signal: somebody came, went or joins

	mu      sync.Mutex // guards all below
	roster  uint64     // of Share; 0: this prober runs all that its file says
	weight  int
	strain  strain
	joining bool
	peers   map[string]peer // by token, this prober among them
	members []pharos.Member // among whom it shares; nil: not yet with anybody
}

// peer is a prober of the site, by its last heartbeat.
type peer struct {
	share       pharos.Share
	incarnation int64
	heard       time.Duration
}

func newSharing(c *clock.Clock, self string) *sharing {
	return &sharing{clock: c, self: self, wake: make(chan struct{}, 1), joining: true, peers: map[string]peer{}}
}

// adopt takes what a file says of sharing.
func (s *sharing) adopt(c *config.Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.weight, s.roster = max(1, c.Weight)*pharos.WeightUnit, 0
	if c.Share {
		s.roster = rosterHash(c.Watchers)
	}
	s.signal()
}

// rosterHash sums up what a file says of its watchers, but for the keys that a
// kind has for itself. Their order does not matter.
func rosterHash(watchers []pharos.Watcher) uint64 {
	sum := uint64(len(watchers))
	for _, w := range watchers {
		w.Spec, w.Where = nil, ""
		sum += pharos.WatcherID(fmt.Sprintf("%+v", w)).Hash()
	}
	return max(sum, 1)
}

func (s *sharing) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// on reports whether the file says that this prober shares.
func (s *sharing) on() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roster != 0
}

// hear takes the heartbeat of a prober of the site, this one included.
func (s *sharing) hear(prober string, b *pharos.Heartbeat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.peers[prober]
	switch {
	case known && b.Incarnation < old.incarnation && s.clock.Now()-old.heard < pharos.HeartbeatTimeout:
		return // of a process that another one took the place of
	case b.Leaving || b.Share == nil:
		delete(s.peers, prober)
	case known || len(s.peers) < maxPeers:
		s.peers[prober] = peer{*b.Share, b.Incarnation, s.clock.Now()}
	}
	if now, there := s.peers[prober]; there != known || now.share != old.share {
		s.signal()
	}
}

// said returns what the heartbeat says of sharing; nil: nothing is shared.
func (s *sharing) said() *pharos.Share {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.roster == 0 {
		return nil
	}
	return &pharos.Share{Roster: s.roster, Weight: s.takes(), Joining: s.joining, Members: pharos.MembersHash(s.members)}
}

// strain is whether this prober starts its runs in time.
type strain struct {
	halved uint          // how often its weight was
	at     time.Duration // of the last second
	missed uint64        // ticks, until then
	busy   int           // seconds in a row in which runs were late
	calm   int           // and in which none was
}

const (
	lateRuns  = 500 * time.Millisecond // runs that start so late are late
	busyFor   = 10                     // seconds, until work is given away
	calmFor   = 60                     // seconds, until some of it is taken back
	maxHalved = 3
)

// takes returns the weight less what is given away. s.mu is held.
func (s *sharing) takes() int { return max(1, s.weight>>s.strain.halved) }

// load takes what the schedule said of the last second. A prober whose runs start late
// for ten seconds gives half of its work away, and takes it back after a calm minute.
func (s *sharing) load(lag time.Duration, missed uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, now := &s.strain, s.clock.Now()
	if now-x.at < pharos.HeartbeatInterval/2 { // a heartbeat between two seconds
		return
	}
	x.at = now
	if lag < lateRuns && missed <= x.missed {
		x.busy, x.calm = 0, x.calm+1
	} else {
		x.busy, x.calm = x.busy+1, 0
	}
	x.missed = missed
	switch {
	case x.busy >= busyFor && x.halved < maxHalved && len(s.members) > 1:
		x.halved, x.busy = x.halved+1, 0
		s.signal()
	case x.calm >= calmFor && x.halved > 0:
		x.halved, x.calm = x.halved-1, 0
		s.signal()
	}
}

// join makes this prober one that takes nothing yet.
func (s *sharing) join() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joining = true
}

// newcomers reports whether somebody joins who is not heard of yet, or was not long
// ago: it waits for the others' heartbeats.
func (s *sharing) newcomers() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, p := range s.peers {
		if token != s.self && p.share.Joining && s.clock.Now()-p.heard < joinWait {
			return true
		}
	}
	return false
}

// settle decides among whom this prober shares from now on, and reports whether
// that differs from before. A prober that does not hear its own heartbeats does
// not know who is there, and keeps its share.
func (s *sharing) settle() (before, now []pharos.Member, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.members
	at := s.clock.Now()
	if own, ok := s.peers[s.self]; s.members != nil && !s.joining && (!ok || at-own.heard > heardWithin) {
		return before, before, false
	}
	now = []pharos.Member{{Prober: s.self, Weight: s.takes()}}
	for token, p := range s.peers {
		switch {
		case at-p.heard >= pharos.HeartbeatTimeout:
			delete(s.peers, token)
		case token != s.self && s.roster != 0 && p.share.Roster == s.roster && !p.share.Joining:
			now = append(now, pharos.Member{Prober: token, Weight: p.share.Weight})
		}
	}
	slices.SortFunc(now, func(a, b pharos.Member) int { return cmp.Compare(a.Prober, b.Prober) })
	changed = s.joining || !slices.Equal(before, now)
	s.members, s.joining = now, false
	return before, now, changed
}

// owner returns who of those that share runs a watcher; empty: it is not known yet.
func (s *sharing) owner(id pharos.WatcherID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return owner(id, s.members)
}

// owner returns who of the members runs a watcher; empty: there are none.
func owner(id pharos.WatcherID, members []pharos.Member) string {
	if i := pharos.Owner(id, members); i >= 0 {
		return members[i].Prober
	}
	return ""
}
