package board

import (
	"sync"
	"time"

	"pharos/internal/pharos"
)

const (
	inboxBytes = 64 << 20 // that may wait
	// Reading messages costs about a second for 50 MB: more than these bytes a
	// second wait, newest per subject, and the board says so.
	readPerSecond, readBurst = 16 << 20, 16 << 20
	behindFrom               = time.Second // a message that waits longer is told
	behindFor                = 10 * time.Second
	firstEach                = 1000 // messages of the first lane that wait one by one: two processes may send on one subject
	entryBytes               = 200  // that a message needs beside its data
)

// message is one message from NATS that waits to be read.
type message struct {
	subject pharos.Subject
	name    string // the subject as it came
	data    []byte
	age     time.Duration
	live    bool
	at      time.Duration // when it arrived
}

// inbox holds the messages that wait for the board. Of each subject it keeps the
// newest, and it has a bound in bytes. Heartbeats, rosters and requests to forget
// come first, then results, then pushes: who is there is known however much waits,
// and no flood of pushes delays a prober.
type inbox struct {
	wake chan struct{} // holds one signal

	mu      sync.Mutex // guards all below
	lanes   [lanes][]*message
	waiting map[string]*message // by subject
	bytes   int
}

const (
	laneFirst = iota // heartbeats, rosters, requests to forget
	laneResults
	lanePushes
	lanes
)

func laneOf(t pharos.MessageType) int {
	switch t {
	case pharos.MessageResult:
		return laneResults
	case pharos.MessagePush:
		return lanePushes
	}
	return laneFirst
}

func newInbox() inbox {
	return inbox{wake: make(chan struct{}, 1), waiting: map[string]*message{}}
}

// put takes a message; false: there is no room for it.
func (x *inbox) put(m *message) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	size := len(m.data) + len(m.name) + entryBytes
	lane := &x.lanes[laneOf(m.subject.Type)]
	if old := x.waiting[m.name]; old != nil && (lane != &x.lanes[laneFirst] || len(*lane) > firstEach) {
		if old.live && !m.live { // out of the store: it is older
			return true
		}
		x.bytes += len(m.data) - len(old.data)
		old.data, old.age, old.live, old.at = m.data, m.age, m.live, m.at
		return true
	}
	if x.bytes+size > inboxBytes {
		return false
	}
	x.bytes += size
	x.waiting[m.name] = m
	*lane = append(*lane, m)
	x.signal()
	return true
}

func (x *inbox) signal() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// take returns the next message, or nil. Those of the first lane come first; more
// is false when only they may be taken.
func (x *inbox) take(more bool) *message {
	x.mu.Lock()
	defer x.mu.Unlock()
	i := laneFirst
	for i < lanes && len(x.lanes[i]) == 0 {
		i++
	}
	if i == lanes || i != laneFirst && !more {
		return nil
	}
	lane := &x.lanes[i]
	m := (*lane)[0]
	(*lane)[0] = nil
	if *lane = (*lane)[1:]; len(*lane) == 0 {
		*lane = nil // lets go of what has been taken
	}
	x.bytes -= len(m.data) + len(m.name) + entryBytes
	if x.waiting[m.name] == m {
		delete(x.waiting, m.name)
	}
	return m
}

// empty reports whether no result waits.
func (x *inbox) empty() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.lanes[laneResults]) == 0
}

// takeMessages reads some of what waits, within the budget of bytes.
func (b *Board) takeMessages() {
	for range batch {
		b.now = b.clock.Now()
		m := b.inbox.take(b.budget.has(b.now))
		if m == nil {
			return // the sweep goes on once there is a budget again
		}
		b.budget.spend(len(m.data))
		if b.now-m.at > behindFrom {
			b.behind = b.now
		}
		b.read(m)
	}
	b.inbox.signal()
}

// budget is how many bytes may be read.
type budget struct {
	left float64
	at   time.Duration
}

func (u *budget) has(now time.Duration) bool {
	u.left = min(readBurst, u.left+(now-u.at).Seconds()*readPerSecond)
	u.at = now
	return u.left > 0
}

func (u *budget) spend(bytes int) { u.left -= float64(bytes) }

// read reads a message and applies it. What cannot be understood is dropped and
// counted.
func (b *Board) read(m *message) {
	in := input{subject: m.subject, age: m.age, live: m.live, at: m.at}
	var err error
	switch m.subject.Type {
	case pharos.MessageResult:
		var r pharos.Result
		r, err = pharos.ParseResult(m.data)
		r.Prober = m.subject.Prober
		in.result = &r
	case pharos.MessagePush:
		var r pharos.Result
		r, err = pharos.ParseResult(m.data)
		r.Incarnation, r.Seq, r.Change = 0, 0, 0 // numbers are a prober's
		in.result = &r
	case pharos.MessageRoster:
		var r pharos.Roster
		r, err = pharos.ParseRoster(m.data)
		in.roster = &r
	case pharos.MessageHeartbeat:
		var beat pharos.Heartbeat
		beat, err = pharos.ParseHeartbeat(m.data)
		in.heartbeat = &beat
	case pharos.MessageForget:
		var f pharos.Forget
		f, err = pharos.ParseForget(m.data)
		in.forget = &f
	}
	if err != nil {
		b.drops.count(reasonOf(err), m.name, err)
		return
	}
	b.take(in)
}
