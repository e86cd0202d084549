package board

import (
	"context"
	"errors"
	"iter"
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
type Filter struct {
	Sets, Sites []string
	// Bare leaves out what probers say of a tile besides its status and value: a
	// summary may be the first line of a command's output.
	Bare bool
}

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
	bare        bool
	key         string
}

func (f Filter) choice() (choice, error) {
	c := choice{names: map[string]string{}, bare: f.Bare}
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
	if !c.all() {
		c.key = strings.Join(c.sets, ",") + "/" + strings.Join(c.sites, ",")
	}
	if c.bare {
		c.key = "bare " + c.key
	}
	return c, nil
}

func (c *choice) all() bool { return len(c.sets)+len(c.sites) == 0 }

func (c *choice) match(set, site string) bool {
	return (len(c.sets) == 0 || slices.Contains(c.sets, set)) && (len(c.sites) == 0 || slices.Contains(c.sites, site))
}

// feed is what the screens of one filter are told: all of it, or on a slow line
// all but values.
type feed struct {
	whole, lean frames
	choice      choice
	used        time.Duration
	missing     []string // of what the filter asks for; as of the last structure
}

func newFeed(c choice, now time.Duration) *feed {
	return &feed{choice: c, whole: newFrames(false, now), lean: newFrames(true, now)}
}

// screens returns how many watch it.
func (f *feed) screens() int64 { return f.whole.screens.Load() + f.lean.screens.Load() }

// watched returns the frames that somebody reads, with their feeds.
func (b *Board) watched() iter.Seq2[*frames, *feed] {
	return func(yield func(*frames, *feed) bool) {
		for _, f := range b.feeds {
			for _, list := range []*frames{&f.whole, &f.lean} {
				if list.screens.Load() > 0 && !yield(list, f) {
					return
				}
			}
		}
	}
}

// snapshotCache is the newest snapshot of a list of frames.
type snapshotCache struct {
	mu    sync.Mutex // guards what follows
	event *Event
	of    *picture
	at    time.Duration
}

// snapshot returns all that a screen of the feed shows, as an event whose time
// is now or a moment before: a screen sets its clock by it.
func (f *frames) snapshot(p *picture, of *choice, now time.Duration) *Event {
	c := &f.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of != p || now-c.at > snapshotFor {
		c.event, c.of, c.at = p.event(of, f.lean, now), p, now
	}
	return c.event
}

// Name gives these filters room for ever, bare or not, whatever others are in
// use. So has the one that chooses all.
func (b *Board) Name(filters []Filter) {
	named := map[string]bool{}
	for _, f := range append(filters, Filter{}) {
		for _, f.Bare = range []bool{false, true} {
			if key, err := f.Key(); err == nil {
				named[key] = true
			}
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
	f := newFeed(c, b.now)
	f.missing = b.picture().missing(&c)
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
		if f.screens() == 0 {
			spare = key
		}
	}
	switch {
	case others < maxFilters:
		return true
	case spare == "": // which is the key of the plain board, too
		return false
	}
	delete(b.feeds, spare)
	return true
}

// dropFeeds forgets those that nobody has watched for a minute.
func (b *Board) dropFeeds() {
	for key, f := range b.feeds {
		if f.screens() > 0 {
			f.used = b.now
		} else if b.now-f.used > time.Minute {
			delete(b.feeds, key)
		}
	}
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
		f = newFeed(choice, now)
	}
	return eventData(f.whole.snapshot(p, &choice, now)), now, nil
}

// Screens returns how many screens are watching.
func (b *Board) Screens() int { return int(b.screens.Load()) }
