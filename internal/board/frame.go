package board

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"pharos/internal/pharos"
)

// The pace of frames. A change of status goes out at once, but frames of that
// kind are urgentGap apart; mere values wait until the screens can have cost
// frameShare of a core, at most valueGap.
const (
	urgentGap    = 10 * time.Millisecond
	valueGap     = 250 * time.Millisecond
	structureGap = 250 * time.Millisecond
	structureMax = 2 * time.Second // instead, at structureMany tiles
	beatGap      = time.Second
	screenCost   = 10 * time.Microsecond // of one frame to one screen: about one write
	frameShare   = 0.2
)

// structureMany is how many tiles it takes for the gap between structures to be
// the longest.
const structureMany = 10_000

// What is kept of the frames for screens that are behind. One that is further
// behind skips to a snapshot.
const (
	maxKept      = 64
	maxKeptBytes = 4 << 20
)

var (
	errFull      = errors.New("the board is full, max_watchers allows no more")
	errTooMany   = errors.New("more than 1,000 probers")
	errListed    = errors.New("a push for a watcher that a prober lists")
	errTooLarge  = fmt.Errorf("more than %d bytes", pharos.MaxMessage)
	errBehind    = errors.New("more waits than the board has room for")
	errAlive     = errors.New("it is alive")
	errWrongPart = errors.New("a part of a roster on another part's subject")
)

// frame is an event and its place among those of one feed.
type frame struct {
	*Event
	at    time.Duration         // when it was published
	next  atomic.Pointer[frame] // set before ready is closed; nil after that: the frame was too old to be kept
	ready chan struct{}         // closed when there is a next frame
}

func newFrame(e *Event, at time.Duration) *frame {
	return &frame{Event: e, at: at, ready: make(chan struct{})}
}

// frames are a list that all screens of a feed read, and no queue for each: those
// that are kept. A screen that stops reading holds no more than one of them.
type frames struct {
	lean           bool // without values
	newest, oldest *frame
	kept, size     int
	screens        atomic.Int64
	cache          snapshotCache
}

func newFrames(lean bool, now time.Duration) frames {
	first := newFrame(&Event{}, now)
	return frames{lean: lean, newest: first, oldest: first, kept: 1}
}

func (f *frames) publish(e *Event, now time.Duration) {
	made := newFrame(e, now)
	last := f.newest
	f.newest = made
	f.kept++
	f.size += len(e.Bytes)
	last.next.Store(made)
	close(last.ready)
	for f.oldest != f.newest && (f.kept > maxKept || f.size > maxKeptBytes) {
		cut := f.oldest
		f.oldest = cut.next.Load()
		cut.next.Store(nil)
		f.kept--
		f.size -= len(cut.Bytes)
	}
}

// sending is what goes out to screens.
type sending struct {
	dirty    []*tile          // that have changed since the last frame
	urgent   bool             // what has changed is not to wait
	n        uint64           // of the last frame
	feeds    map[string]*feed // by the key of their filter
	pictured *picture
	pace     pace
	scratch  []byte
	named    atomic.Pointer[map[string]bool] // keys of filters that always have room
	screens  atomic.Int64
}

// pace remembers when frames went out last.
type pace struct {
	frame, urgent, structure time.Duration
}

// flush sends the frame that is due, and returns when to look again at the
// latest; 0: when something happens.
func (b *Board) flush() time.Duration {
	wait := beatGap
	later := func(at time.Duration) bool {
		if b.now >= at {
			return false
		}
		wait = min(wait, at-b.now)
		return true
	}
	if !later(b.footer.due()) {
		b.deriveFooter()
	}
	changed := len(b.dirty) > 0 || b.footer.news || b.urgent
	switch {
	case b.unsorted && !later(b.structureDue()): // what is urgent does not wait for it
		b.structure()
	case b.urgent:
		if !later(b.pace.urgent + urgentGap) {
			b.pace.urgent = b.now
			b.frame()
		}
	case changed:
		gap := min(valueGap, max(urgentGap, time.Duration(float64(b.screens.Load())*float64(screenCost)/frameShare)))
		if !later(b.pace.frame + gap) {
			b.frame()
		}
	}
	var beat *Event
	idle := true
	for f := range b.watched() {
		idle = false
		if !later(f.newest.at + beatGap) {
			if beat == nil {
				beat = &Event{Bytes: b.beat()}
			}
			f.publish(beat, b.now)
		}
	}
	if idle && wait == beatGap {
		return 0
	}
	return wait
}

// structureDue is when the structure may be sent again: the more tiles it had,
// the more it cost.
func (b *Board) structureDue() time.Duration {
	return b.pace.structure + structureGap + (structureMax-structureGap)*time.Duration(min(len(b.order), structureMany))/structureMany
}

// structure sends the whole board anew, after tiles came or went or moved.
func (b *Board) structure() {
	b.sort()
	b.n++
	b.pace.structure, b.pace.frame, b.pace.urgent = b.now, b.now, b.now
	b.deriveFooter()
	b.urgent, b.footer.news = false, false
	for _, f := range b.feeds {
		f.missing = b.picture().missing(&f.choice)
	}
	for f, of := range b.watched() {
		f.publish(f.snapshot(b.picture(), &of.choice, b.now), b.now)
	}
}

// frame sends what has changed.
func (b *Board) frame() {
	b.n++
	b.pace.frame, b.urgent = b.now, false
	if b.footer.soon && b.now >= b.footer.due() {
		b.deriveFooter()
	}
	news := b.footer.news
	b.footer.news = false
	type told struct{ lean, bare bool }
	all := map[told]*updates{{}: {bytes: b.scratch[:0]}}
	for f, of := range b.watched() {
		to := told{f.lean, of.choice.bare}
		u := all[to]
		if u == nil {
			u = &updates{}
			all[to] = u
		}
		if u.ends == nil {
			b.encodeUpdates(u, to.lean, to.bare)
		}
		if bytes := b.appendFrame(of, u, news); bytes != nil {
			f.publish(&Event{Bytes: bytes}, b.now)
		}
	}
	b.scratch = all[told{}].bytes
	sent := b.clock.Now()
	for _, t := range b.dirty {
		if t.changed&(fieldStatus|fieldFlicker) != 0 && t.arrived > 0 {
			b.delay.observe(sent - t.arrived)
		}
		t.changed = 0
	}
	b.dirty = b.dirty[:0]
}

// updates are those of the dirty tiles, each encoded once; the feeds take those
// that are theirs. That of b.dirty[i] ends at bytes[ends[i]].
type updates struct {
	bytes []byte
	ends  []int
}

func (b *Board) encodeUpdates(u *updates, lean, bare bool) {
	u.ends = make([]int, len(b.dirty))
	for i, t := range b.dirty {
		changed := t.changed
		if lean {
			changed = changed.lean()
		}
		if t.i >= 0 && changed != 0 {
			u.bytes = t.appendUpdate(u.bytes, changed, bare)
		}
		u.ends[i] = len(u.bytes)
	}
}
