package pharostest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// The page's own patience (internal/ui): from when on it is not to be believed,
// throws its connection away, and how long it waits between two attempts.
const (
	silence = 3 * time.Second
	giveUp  = 6 * time.Second
	longest = 5 * time.Second
)

// View is what a person sees on a screen at one moment.
type View struct {
	Board
	At       time.Time // of the newest event
	Covered  bool      // the page shows the overlay
	Boards   []Snapshot
	Moments  []Moment
	Problems []string // what the page could not make sense of
}

// Snapshot is one that came, and a sum over its bytes.
type Snapshot struct {
	At  time.Time
	Sum [sha256.Size]byte
}

// Moment is a change that a person would notice: of a tile's status, or of the
// overlay, where ID is empty.
type Moment struct {
	At     time.Time
	ID     string
	Status string // "covered" and "clear" of the overlay
}

// Age returns for how many seconds what began at a time of the board's clock has
// lasted.
func (v *View) Age(from float64) float64 { return v.T + time.Since(v.At).Seconds() - from }

// All reports whether there are n tiles at least and each has the status.
func (v *View) All(n int, status string) bool {
	for _, t := range v.Tiles {
		if t.Status() != status {
			return false
		}
	}
	return len(v.Tiles) >= n
}

// String tells what is on the screen, for the log of a test that fails.
func (v *View) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "covered %v, hops %+v\n", v.Covered, v.Hops)
	for _, t := range v.Tiles {
		fmt.Fprintf(&b, "  %s\n", t)
	}
	return b.String()
}

// Dial connects to an address.
type Dial func(ctx context.Context, address string) (net.Conn, error)

// DialHere is the ordinary way.
func DialHere(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// Screen is a client that plays the page.
type Screen struct {
	Address string
	Dial    Dial

	mu    sync.Mutex // guards what follows
	view  View
	heard time.Time
	waits map[*wait]struct{}
}

// wait is for what a screen is to show.
type wait struct {
	want func(*View) bool
	met  chan time.Time
}

// NewScreen opens one that looks at a dashboard until the test ends.
func NewScreen(t testing.TB, address string, dial Dial) *Screen {
	s := &Screen{Address: address, Dial: dial, heard: time.Now(), waits: map[*wait]struct{}{}}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.run(ctx) })
	running.Go(func() { s.watch(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return s
}

// run keeps the line to the dashboard, as the page does.
func (s *Screen) run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		if s.connect(ctx) {
			failures = 0
		}
		wait := time.Duration(float64(250*time.Millisecond) * math.Pow(2, float64(min(failures, 8))))
		wait = time.Duration(float64(min(wait, longest)) * (0.5 + rand.Float64()/2))
		failures++
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// connect reads one stream to its end, and reports whether there was an event.
func (s *Screen) connect(ctx context.Context) (heard bool) {
	dialing, cancel := context.WithTimeout(ctx, giveUp)
	defer cancel()
	conn, err := s.Dial(dialing, s.Address)
	if err != nil {
		return false
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if deadline, ok := dialing.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // a dead connection shows at the read
	}
	if _, err := fmt.Fprintf(conn, "GET /events HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n", s.Address); err != nil {
		return false
	}
	for e := range Events(conn) {
		heard = true
		_ = conn.SetDeadline(time.Now().Add(giveUp)) // likewise
		if !s.hear(e) {
			break
		}
	}
	return heard
}

// watch looks once a second whether the board is still to be believed.
func (s *Screen) watch(ctx context.Context) {
	select { // not all at once
	case <-time.After(rand.N(time.Second)):
	case <-ctx.Done():
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.mu.Lock()
			if now.Sub(s.heard) > silence && s.cover(true, now) {
				s.tell(now)
			}
			s.mu.Unlock()
		}
	}
}

// cover is called with mu held; it reports whether that is news.
func (s *Screen) cover(covered bool, now time.Time) bool {
	if s.view.Covered == covered {
		return false
	}
	s.view.Covered = covered
	s.view.Moments = append(s.view.Moments, Moment{At: now, Status: map[bool]string{true: "covered", false: "clear"}[covered]})
	return true
}

// tell is called with mu held: what is waited for misses no view.
func (s *Screen) tell(now time.Time) {
	s.view.At = now
	for w := range s.waits {
		if w.want(&s.view) {
			w.met <- now
			delete(s.waits, w)
		}
	}
}

// hear takes one event; false when the page would connect anew.
func (s *Screen) hear(e Event) bool {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &s.view
	if err := v.Hear(e); err != nil {
		v.Problems = append(v.Problems, err.Error())
		return false
	}
	s.heard = now
	s.cover(false, now)
	if e.Name == "board" {
		v.Boards = append(v.Boards, Snapshot{now, sha256.Sum256(e.Data)})
	}
	for _, t := range v.turned {
		v.Moments = append(v.Moments, Moment{now, t.Text("id"), t.Status()})
	}
	s.tell(now)
	return true
}

// Await waits until the screen shows what is wanted, and returns when it did.
func (s *Screen) Await(t testing.TB, what string, want func(*View) bool) time.Time {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	at, ok := s.Within(ctx, want)
	if !ok {
		s.Look(func(v *View) { t.Fatalf("waiting for %s: the screen shows\n%s", what, v) })
	}
	return at
}

// AwaitStatus waits until a tile, by its id or name, has a status, and returns
// what the tile shows then.
func (s *Screen) AwaitStatus(t testing.TB, key, status string) (shown Tile) {
	t.Helper()
	s.Await(t, key+" "+status, func(v *View) bool {
		if v.Shows(key, status) {
			shown = maps.Clone(v.Tile(key))
		}
		return shown != nil
	})
	return shown
}

// Within is Await that does not insist.
func (s *Screen) Within(ctx context.Context, want func(*View) bool) (time.Time, bool) {
	s.mu.Lock()
	if want(&s.view) {
		defer s.mu.Unlock()
		return s.view.At, true
	}
	w := &wait{want, make(chan time.Time, 1)}
	s.waits[w] = struct{}{}
	s.mu.Unlock()
	select {
	case at := <-w.met:
		return at, true
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waits, w)
		return time.Time{}, false
	}
}

// For hands over all that the screen shows in a time, also in between.
func (s *Screen) For(lasting time.Duration, f func(*View)) {
	ctx, cancel := context.WithTimeout(context.Background(), lasting)
	defer cancel()
	s.Within(ctx, func(v *View) bool { f(v); return false })
}

// Tile returns what the tile of an id or name shows now.
func (s *Screen) Tile(key string) (shown Tile) {
	s.Look(func(v *View) { shown = maps.Clone(v.Tile(key)) })
	return shown
}

// Look hands over what the screen shows now.
func (s *Screen) Look(f func(*View)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.view)
}
