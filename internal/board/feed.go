package board

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"pharos/internal/pharos"
)

// The bounds of filters.
const (
	maxFilters      = 64
	maxFilterValues = 32
)

// Errors of Join.
var (
	ErrEnded          = errors.New("joining the board: it has ended")
	ErrTooManyFilters = errors.New("joining the board: 64 different filters are in use, it has no room for another; a view that the file names always has room")
	ErrFilter         = errors.New("joining the board: a filter takes at most 32 sets and 32 sites, each a name of at most 240 bytes")
)

// snapshotFor is for how long a snapshot's time is the screens' now.
const snapshotFor = 50 * time.Millisecond

// Filter chooses the tiles of some sets and some sites, by name or token; an
// empty list chooses all.
type Filter struct{ Sets, Sites []string }

// Key returns what is equal for filters that choose the same; empty for the one
// that chooses all. The error is ErrFilter.
func (f Filter) Key() (string, error) {
	c, err := f.choice()
	return c.key, err
}

// choice is a filter as the board compares it.
type choice struct {
	sets, sites []string          // tokens, in order
	names       map[string]string // of the tokens, as they were asked for
	key         string
}

func (f Filter) choice() (choice, error) {
	c := choice{names: map[string]string{}}
	tidy := func(names []string) ([]string, error) {
		if len(names) > maxFilterValues {
			return nil, ErrFilter
		}
		tokens := make([]string, 0, len(names))
		for _, name := range names {
			if len(name) == 0 || len(name) > pharos.MaxName {
				return nil, ErrFilter
			}
			token := name
			if !pharos.ValidToken(name) {
				token = pharos.Token(name)
			}
			c.names[token] = name
			tokens = append(tokens, token)
		}
		slices.Sort(tokens)
		return slices.Compact(tokens), nil
	}
	var err error
	if c.sets, err = tidy(f.Sets); err != nil {
		return c, err
	}
	if c.sites, err = tidy(f.Sites); err != nil {
		return c, err
	}
	if len(c.sets)+len(c.sites) > 0 {
		c.key = strings.Join(c.sets, ",") + "/" + strings.Join(c.sites, ",")
	}
	return c, nil
}

func (c *choice) all() bool { return c.key == "" }

func (c *choice) match(set, site string) bool {
	return (len(c.sets) == 0 || slices.Contains(c.sets, set)) && (len(c.sites) == 0 || slices.Contains(c.sites, site))
}

// feed is the frames of one filter.
type feed struct {
	frames
	choice  choice
	used    time.Duration
	missing []string // of what the filter asks for; as of the last structure
	cache   snapshotCache
}

// snapshotCache is the newest snapshot of a feed.
type snapshotCache struct {
	mu    sync.Mutex // guards what follows
	event *Event
	of    *picture
	at    time.Duration
}

// snapshot returns all that a screen of the feed shows, as an event whose time
// is now or a moment before: a screen sets its clock by it.
func (f *feed) snapshot(p *picture, now time.Duration) *Event {
	c := &f.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of != p || now-c.at > snapshotFor {
		c.event, c.of, c.at = p.event(&f.choice, now), p, now
	}
	return c.event
}

// Name gives these filters room for ever, whatever others are in use. So has the
// one that chooses all.
func (b *Board) Name(filters []Filter) {
	named := map[string]bool{"": true}
	for _, f := range filters {
		if key, err := f.Key(); err == nil {
			named[key] = true
		}
	}
	b.named.Store(&named)
}

// Named reports whether a filter, by its key, has room for ever.
func (b *Board) Named(key string) bool { return (*b.named.Load())[key] }

// feed returns that of a filter, nil where there is no room for it.
func (b *Board) feed(c choice) *feed {
	if f := b.feeds[c.key]; f != nil {
		return f
	}
	if !b.Named(c.key) && !b.roomForFilter() {
		return nil
	}
	first := newFrame(&Event{}, b.now)
	f := &feed{choice: c, frames: frames{newest: first, oldest: first, kept: 1}, missing: b.picture().missing(&c)}
	b.feeds[c.key] = f
	return f
}

// roomForFilter makes room for one more at the cost of one that nobody watches.
func (b *Board) roomForFilter() bool {
	others, spare := 0, ""
	for key, f := range b.feeds {
		if b.Named(key) {
			continue
		}
		others++
		if f.screens.Load() == 0 {
			spare = key
		}
	}
	if others < maxFilters {
		return true
	}
	delete(b.feeds, spare)
	return spare != ""
}

// dropFeeds forgets those that nobody has watched for a minute.
func (b *Board) dropFeeds() {
	for key, f := range b.feeds {
		if f.screens.Load() > 0 {
			f.used = b.now
		} else if b.now-f.used > time.Minute {
			delete(b.feeds, key)
		}
	}
}

// Screen is one reader of a feed's frames. It belongs to one goroutine, but for
// Leave.
type Screen struct {
	b    *Board
	f    *feed
	at   *frame
	skip *Event
	left sync.Once
}

// Join lets a screen in, in one step with its snapshot: the frames that follow
// go on from there. The error is ErrEnded, ErrTooManyFilters, ErrFilter or the
// context's.
func (b *Board) Join(ctx context.Context, filter Filter) (*Screen, error) {
	choice, err := filter.choice()
	if err != nil {
		return nil, err
	}
	var p *picture
	var now time.Duration
	s := &Screen{b: b}
	ok := b.ask(ctx, func() {
		if s.f = b.feed(choice); s.f == nil {
			return
		}
		s.f.screens.Add(1)
		s.f.used = b.now
		b.screens.Add(1)
		s.at, p, now = s.f.newest, b.picture(), b.now
	})
	switch {
	case !ok && ctx.Err() != nil:
		return nil, ctx.Err()
	case !ok:
		return nil, ErrEnded
	case s.f == nil:
		return nil, ErrTooManyFilters
	}
	s.skip = s.f.snapshot(p, now)
	return s, nil
}

// Leave lets the screen go. Leaving twice is fine.
func (s *Screen) Leave() {
	s.left.Do(func() {
		s.f.screens.Add(-1)
		s.b.screens.Add(-1)
	})
}

// Next returns the event that the screen needs next: the snapshot first, then
// every frame; when it is too far behind, a snapshot again. It waits until
// there is one, and returns nil when ctx is done or the board has ended.
func (s *Screen) Next(ctx context.Context) *Event {
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
	if next := s.at.next.Load(); next != nil {
		s.at = next
		return next.Event
	}
	var p *picture
	var now time.Duration
	if !s.b.ask(ctx, func() { s.at, p, now = s.f.newest, s.b.picture(), s.b.now }) {
		return nil
	}
	return s.f.snapshot(p, now)
}

// Snapshot returns what a screen of this filter is told first: the data of the
// event "board", JSON without a line break, and the board's time at this
// moment. The bytes are shared: do not change them. The error is ErrEnded,
// ErrFilter or the context's.
func (b *Board) Snapshot(ctx context.Context, filter Filter) (data []byte, now time.Duration, err error) {
	choice, err := filter.choice()
	if err != nil {
		return nil, 0, err
	}
	var p *picture
	var f *feed
	ok := b.ask(ctx, func() { p, f, now = b.picture(), b.feeds[choice.key], b.now })
	switch {
	case !ok && ctx.Err() != nil:
		return nil, 0, ctx.Err()
	case !ok:
		return nil, 0, ErrEnded
	case f == nil: // nobody watches it, and who only looks takes no room
		f = &feed{choice: choice}
	}
	return eventData(f.snapshot(p, now)), now, nil
}

// Screens returns how many screens are watching.
func (b *Board) Screens() int { return int(b.screens.Load()) }
