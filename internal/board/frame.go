package board

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// maxBehind is how many frames a screen may be behind before it skips to a
// snapshot.
const maxBehind = 64

// snapshotFor is for how long a snapshot's time is the screens' now.
const snapshotFor = 50 * time.Millisecond

// The bounds of filters.
const (
	maxViews        = 64
	maxFilterValues = 32
)

// Errors of Join.
var (
	ErrEnded        = errors.New("joining the board: it has ended")
	ErrTooManyViews = errors.New("joining the board: 64 different filters are in use, it has no room for another")
	ErrFilter       = errors.New("joining the board: a filter takes at most 32 sets and 32 sites, each a name of at most 240 bytes")
	errFull         = errors.New("the board is full, max_watchers allows no more")
	errTooMany      = errors.New("more than 1,000 probers")
	errListed       = errors.New("a push for a watcher that a prober lists")
	errTooLarge     = fmt.Errorf("more than %d bytes", pharos.MaxMessage)
	errBehind       = errors.New("more waits than the board has room for")
	errAlive        = errors.New("it is alive")
	errWrongPart    = errors.New("a part of a roster on another part's subject")
)

// Frame is all that changed since the frame before it, encoded once for all
// screens of a view. It never changes.
type Frame struct {
	Bytes []byte // one Server-Sent Event
	seq   uint64
	next  *Frame // set before ready is closed
	ready chan struct{}
}

// Ready is closed when the next frame is there.
func (f *Frame) Ready() <-chan struct{} { return f.ready }

// Next returns the next frame. It is called after Ready was closed.
func (f *Frame) Next() *Frame { return f.next }

// Filter chooses the tiles of some sets and some sites, by name or token; an
// empty list chooses all.
type Filter struct{ Sets, Sites []string }

func (f Filter) clean() (Filter, string, error) {
	tidy := func(names []string) ([]string, error) {
		if len(names) > maxFilterValues {
			return nil, ErrFilter
		}
		tokens := make([]string, 0, len(names))
		for _, name := range names {
			if len(name) == 0 || len(name) > pharos.MaxName {
				return nil, ErrFilter
			}
			if !pharos.ValidToken(name) {
				name = pharos.Token(name)
			}
			tokens = append(tokens, name)
		}
		slices.Sort(tokens)
		return slices.Compact(tokens), nil
	}
	sets, err := tidy(f.Sets)
	if err != nil {
		return f, "", err
	}
	sites, err := tidy(f.Sites)
	if err != nil {
		return f, "", err
	}
	return Filter{sets, sites}, strings.Join(sets, ",") + "/" + strings.Join(sites, ","), nil
}

func (f Filter) match(t *tile) bool {
	return (len(f.Sets) == 0 || slices.Contains(f.Sets, t.setToken())) && (len(f.Sites) == 0 || slices.Contains(f.Sites, t.site))
}

// view is the frames of one filter.
type view struct {
	filter   Filter
	all      bool
	head     *Frame // the newest; owned by the board's goroutine
	seq      atomic.Uint64
	screens  atomic.Int64
	used     time.Duration
	last     time.Duration // of the newest frame
	snapshot []byte
	of       uint64        // the board's n at the snapshot
	made     time.Duration // the snapshot
}

// Screen is one reader of a view's frames. It belongs to one goroutine.
type Screen struct {
	b    *Board
	v    *view
	at   *Frame
	skip []byte
}

// Join lets a screen in, in one step with its snapshot: the frames that follow
// go on from there. The error is ErrEnded, ErrTooManyViews, ErrFilter or the
// context's.
func (b *Board) Join(ctx context.Context, filter Filter) (*Screen, error) {
	filter, key, err := filter.clean()
	if err != nil {
		return nil, err
	}
	s := &Screen{b: b}
	ok := b.ask(ctx, func() {
		v := b.views[key]
		if v == nil {
			if len(b.views) >= maxViews && !b.dropView() {
				return
			}
			v = &view{filter: filter, all: key == "/", head: newFrame(nil, 0), last: b.now}
			b.views[key] = v
		}
		v.screens.Add(1)
		v.used = b.now
		b.screens.Add(1)
		s.v, s.at, s.skip = v, v.head, b.snapshotNow(v)
	})
	switch {
	case !ok && ctx.Err() != nil:
		return nil, ctx.Err()
	case !ok:
		return nil, ErrEnded
	case s.v == nil:
		return nil, ErrTooManyViews
	}
	return s, nil
}

// Snapshot returns what a screen of this filter is told first: the data of the
// event "board", JSON without a line break, and the board's time at this
// moment; the data may be of an earlier one, if nothing has changed since. The
// bytes are shared: do not change them. The error is ErrEnded, ErrFilter or the
// context's.
func (b *Board) Snapshot(ctx context.Context, filter Filter) (data []byte, now time.Duration, err error) {
	filter, key, err := filter.clean()
	if err != nil {
		return nil, 0, err
	}
	ok := b.ask(ctx, func() {
		v := b.views[key]
		if v == nil { // nobody watches it, and who only looks takes no room
			v = &view{filter: filter, all: key == "/"}
		}
		data, now = b.snapshotOf(v), b.now
	})
	switch {
	case !ok && ctx.Err() != nil:
		return nil, 0, ctx.Err()
	case !ok:
		return nil, 0, ErrEnded
	}
	_, data, _ = bytes.Cut(data, []byte(dataLine))
	return bytes.TrimSuffix(data, []byte("\n\n")), now, nil
}

// dropView makes room for a view at the cost of one that nobody watches.
func (b *Board) dropView() bool {
	for key, v := range b.views {
		if v.screens.Load() == 0 {
			delete(b.views, key)
			return true
		}
	}
	return false
}

// Leave lets the screen go. It is called once.
func (s *Screen) Leave() {
	s.v.screens.Add(-1)
	s.b.screens.Add(-1)
}

// Next returns the bytes that the screen needs next: the snapshot first, then
// every frame; when it is too far behind, a snapshot again. It waits until
// there are any, and returns nil when ctx is done or the board has ended.
func (s *Screen) Next(ctx context.Context) []byte {
	if out := s.skip; out != nil {
		s.skip = nil
		return out
	}
	select {
	case <-s.at.ready:
	default:
		select {
		case <-s.at.ready:
		case <-ctx.Done():
			return nil
		case <-s.b.ended:
			return nil
		}
	}
	if s.v.seq.Load()-s.at.seq > maxBehind {
		if !s.b.ask(ctx, func() { s.at, s.skip = s.v.head, s.b.snapshotNow(s.v) }) {
			return nil
		}
		out := s.skip
		s.skip = nil
		return out
	}
	s.at = s.at.next
	return s.at.Bytes
}

// Screens returns how many screens are watching.
func (b *Board) Screens() int { return int(b.screens.Load()) }

func newFrame(bytes []byte, seq uint64) *Frame {
	return &Frame{Bytes: bytes, seq: seq, ready: make(chan struct{})}
}

func (v *view) publish(bytes []byte, now time.Duration) {
	f := newFrame(bytes, v.head.seq+1)
	old := v.head
	old.next = f
	v.head, v.last = f, now
	v.seq.Store(f.seq)
	close(old.ready)
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
	changed := len(b.dirty) > 0 || b.hopsDirty || b.urgent
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
	var beat []byte
	idle := true
	for _, v := range b.views {
		if v.screens.Load() == 0 {
			continue
		}
		idle = false
		if !later(v.last + beatGap) {
			if beat == nil {
				beat = b.beat()
			}
			v.publish(beat, b.now)
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
	b.urgent, b.hopsDirty = false, false
	b.hops = b.appendHops(b.hops[:0])
	for _, v := range b.views {
		if v.screens.Load() > 0 {
			v.publish(b.snapshotOf(v), b.now)
		}
	}
}

// frame sends what has changed.
func (b *Board) frame() {
	b.n++
	b.pace.frame, b.urgent = b.now, false
	var hops []byte
	if b.hopsDirty {
		b.hopsDirty = false
		old := string(b.hops)
		b.hops = b.appendHops(b.hops[:0])
		if string(b.hops) != old {
			hops = b.hops
		}
	}
	// Each tile's update is encoded once; the views take those that are theirs.
	updates := b.scratch[:0]
	ends := make([]int, len(b.dirty))
	for i, t := range b.dirty {
		if t.i >= 0 {
			updates = t.appendUpdate(updates, t.changed)
		}
		ends[i] = len(updates)
	}
	for _, v := range b.views {
		if v.screens.Load() == 0 {
			continue
		}
		if bytes := b.appendFrame(v, updates, ends, hops); bytes != nil {
			v.publish(bytes, b.now)
		}
	}
	sent := b.clock()
	for _, t := range b.dirty {
		if t.changed&(fieldStatus|fieldFlicker) != 0 && t.arrived > 0 {
			b.delay.observe(sent - t.arrived)
		}
		t.changed = 0
	}
	b.dirty = b.dirty[:0]
	b.scratch = updates
}

func (b *Board) snapshotOf(v *view) []byte {
	if v.snapshot == nil || v.of != b.n {
		v.snapshot, v.of, v.made = b.appendSnapshot(v), b.n, b.now
	}
	return v.snapshot
}

// snapshotNow returns one whose time is now: a screen sets its clock by it.
func (b *Board) snapshotNow(v *view) []byte {
	if b.now-v.made > snapshotFor {
		v.snapshot = nil
	}
	return b.snapshotOf(v)
}
