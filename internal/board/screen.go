package board

import (
	"context"
	"sync"
	"time"
)

// Screen is one reader of a feed. It belongs to one goroutine, but for Leave.
type Screen struct {
	b    *Board
	f    *feed
	at   *frame
	skip *Event // comes before what follows at

	mu   sync.Mutex // guards what follows
	list *frames    // nil once it has left
}

// Join lets a screen in, in one step with its snapshot: the frames that follow
// go on from there. The error is ErrEnded, ErrTooManyFilters, ErrFilter or the
// context's.
func (b *Board) Join(ctx context.Context, filter Filter) (*Screen, error) {
	choice, err := filter.choice()
	if err != nil {
		return nil, err
	}
	s := &Screen{b: b}
	full := false
	ok := s.snapshot(ctx, func() *frames {
		if s.f = b.feed(choice); s.f == nil {
			full = true
			return nil
		}
		s.f.used = b.now
		b.screens.Add(1)
		s.f.whole.screens.Add(1)
		s.list = &s.f.whole
		return s.list
	})
	switch {
	case ok:
		return s, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case full:
		return nil, ErrTooManyFilters
	}
	return nil, ErrEnded
}

// snapshot lets the next event be a snapshot of some frames, and what follows
// those that come after it. choose is called on the board's goroutine.
func (s *Screen) snapshot(ctx context.Context, choose func() *frames) bool {
	var p *picture
	var now time.Duration
	var of *frames
	if !s.b.ask(ctx, func() {
		if of = choose(); of != nil {
			s.at, p, now = of.newest, s.b.picture(), s.b.now
		}
	}) || of == nil {
		return false
	}
	s.skip = of.snapshot(p, &s.f.choice, now)
	return true
}

// Skip lets the screen's next event be a snapshot, whatever it has not read yet:
// a lean one without values, after which come changes without values, or a whole
// one. It reports false when ctx is done, the board has ended or the screen has
// left.
func (s *Screen) Skip(ctx context.Context, lean bool) bool {
	return s.snapshot(ctx, func() *frames {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.list == nil {
			return nil
		}
		s.list.screens.Add(-1)
		s.list = &s.f.whole
		if lean {
			s.list = &s.f.lean
		}
		s.list.screens.Add(1)
		return s.list
	})
}

// Leave lets the screen go. Leaving twice is fine.
func (s *Screen) Leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.list == nil {
		return
	}
	s.list.screens.Add(-1)
	s.list = nil
	s.b.screens.Add(-1)
}

// Behind returns how old the event is that the screen needs next; 0 where there
// is none yet.
func (s *Screen) Behind() time.Duration {
	if s.skip != nil {
		return 0
	}
	select {
	case <-s.at.ready:
	default:
		return 0
	}
	at := s.at.at
	if next := s.at.next.Load(); next != nil {
		at = next.at
	}
	return max(1, s.b.clock.Now()-at)
}

// Backlog returns how many bytes of events, as they are, wait for the screen. It
// reports false when some of them are kept no more: the next is a snapshot.
func (s *Screen) Backlog() (bytes int, kept bool) {
	if s.skip != nil {
		return len(s.skip.Bytes), true
	}
	for at := s.at; ; {
		select {
		case <-at.ready:
		default:
			return bytes, true
		}
		if at = at.next.Load(); at == nil {
			return bytes, false
		}
		bytes += len(at.Bytes)
	}
}

// Next returns the event that the screen needs next: the snapshot first, then
// every frame; when it is too far behind, a snapshot again. It waits until
// there is one, and returns nil when ctx is done, the board has ended or the
// screen has left.
func (s *Screen) Next(ctx context.Context) *Event {
	if s.skip == nil {
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
		if !s.Skip(ctx, s.lean()) {
			return nil
		}
	}
	out := s.skip
	s.skip = nil
	return out
}

func (s *Screen) lean() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list == &s.f.lean
}
