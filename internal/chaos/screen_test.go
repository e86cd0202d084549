package chaos

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// The page's own patience (internal/ui): from when on it is blind, throws its
// connection away, and how long it waits between two attempts.
const (
	silence = 3 * time.Second
	giveUp  = 6 * time.Second
	longest = 5 * time.Second
)

// view is what a person sees on a screen at one moment.
type view struct {
	at       time.Time // of the newest event
	t        float64   // the same on the board's clock
	tiles    map[string]*seen
	numbers  map[int]*seen
	hops     hops
	blind    bool // the page shows the veil
	boards   []snapshot
	moments  []moment
	problems []string // what the page could not make sense of
}

// snapshot is one that came, and a sum over its bytes.
type snapshot struct {
	at  time.Time
	sum [sha256.Size]byte
}

// seen is a tile.
type seen struct {
	I       int            `json:"i"`
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	Status  string         `json:"s"`
	Value   string         `json:"v"`
	Summary string         `json:"m"`
	From    float64        `json:"f"`
	Flicker *seenAfterglow `json:"k"`
	Running bool           `json:"r"`
}

type seenAfterglow struct {
	Status string  `json:"s"`
	Lasted float64 `json:"l"`
	Ended  float64 `json:"e"`
}

type hops struct {
	NATS struct {
		Up    bool   `json:"up"`
		Store bool   `json:"store"`
		Error string `json:"error"`
	} `json:"nats"`
	Probers []struct {
		ID     string  `json:"id"`
		Up     bool    `json:"up"`
		Left   bool    `json:"left"`
		From   float64 `json:"f"` // when it was heard last, where it is not up
		Offset float64 `json:"offset"`
	} `json:"probers"`
	Notices []string `json:"notices"`
}

// moment is a change that a person would notice: of a tile's status, or of the
// veil, where id is empty.
type moment struct {
	at     time.Time
	id     string
	status string // "blind" and "sees" of the veil
}

// prober returns whether the prober is known, and whether it is up.
func (v *view) prober(id string) (known, up bool) {
	for _, p := range v.hops.Probers {
		if p.ID == id {
			return true, p.Up
		}
	}
	return false, false
}

// all reports whether there are n tiles at least and each has the status.
func (v *view) all(n int, status string) bool {
	if len(v.tiles) < n {
		return false
	}
	for _, t := range v.tiles {
		if t.Status != status {
			return false
		}
	}
	return true
}

// is reports whether the tile has the status.
func (v *view) is(id, status string) bool {
	t := v.tiles[id]
	return t != nil && t.Status == status
}

// String tells what is on the screen, for the log of a test that fails.
func (v *view) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "blind %v, hops %+v\n", v.blind, v.hops)
	for id, t := range v.tiles {
		fmt.Fprintf(&b, "  %s %s %q for %.1f s, afterglow %+v\n", id, t.Status, t.Summary, v.t-t.From, t.Flicker)
	}
	return b.String()
}

// screen is one that plays the page.
type screen struct {
	address string
	dial    dialFunc

	mu      sync.Mutex // guards what follows
	view    view
	heard   time.Time
	changed chan struct{} // closed at the next change
}

// newScreen opens one that looks at a dashboard until the test ends.
func newScreen(w *world, address string, dial dialFunc) *screen {
	s := &screen{address: address, dial: dial, heard: time.Now(), changed: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.run(ctx) })
	running.Go(func() { s.watch(ctx) })
	w.Cleanup(func() { cancel(); running.Wait() })
	return s
}

// run keeps the line to the dashboard, as the page does.
func (s *screen) run(ctx context.Context) {
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
func (s *screen) connect(ctx context.Context) (heard bool) {
	dialing, cancel := context.WithTimeout(ctx, giveUp)
	defer cancel()
	conn, err := s.dial(dialing, s.address)
	if err != nil {
		return false
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if deadline, ok := dialing.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // a dead connection shows at the read
	}
	if _, err := fmt.Fprintf(conn, "GET /events HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n", s.address); err != nil {
		return false
	}
	r := bufio.NewReaderSize(conn, 64<<10)
	name := ""
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return heard
		}
		line = bytes.TrimRight(line, "\r\n")
		if word, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
			name = string(word)
		}
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			heard = true
			_ = conn.SetDeadline(time.Now().Add(giveUp)) // likewise
			if !s.hear(name, data) {
				return heard
			}
		}
	}
}

// watch looks once a second whether the board is still to be believed.
func (s *screen) watch(ctx context.Context) {
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
			if now.Sub(s.heard) > silence {
				s.veil(true, now)
			}
			s.mu.Unlock()
		}
	}
}

// veil is called with mu held.
func (s *screen) veil(blind bool, now time.Time) {
	if s.view.blind == blind {
		return
	}
	s.view.blind = blind
	s.view.moments = append(s.view.moments, moment{at: now, status: map[bool]string{true: "blind", false: "sees"}[blind]})
	s.view.at = now
	s.tell()
}

func (s *screen) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// hear takes one event; false when the page would connect anew.
func (s *screen) hear(name string, data []byte) bool {
	now := time.Now()
	var e struct {
		T     float64           `json:"t"`
		Tiles []json.RawMessage `json:"tiles"`
		U     []json.RawMessage `json:"u"`
		Hops  *hops             `json:"hops"`
	}
	err := json.Unmarshal(data, &e)
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &s.view
	if err != nil {
		v.problems = append(v.problems, err.Error())
		return false
	}
	s.heard = now
	s.veil(false, now)
	v.at, v.t = now, e.T
	before := v.tiles
	updates := e.U
	if name == "board" {
		v.boards = append(v.boards, snapshot{now, sha256.Sum256(data)})
		v.tiles, v.numbers = map[string]*seen{}, map[int]*seen{}
		updates = e.Tiles
	}
	if e.Hops != nil {
		v.hops = *e.Hops
	}
	for _, u := range updates {
		var t *seen
		if name == "board" {
			t = &seen{}
		} else {
			var number struct{ I int }
			if json.Unmarshal(u, &number) == nil {
				t = v.numbers[number.I]
			}
		}
		if t == nil {
			v.problems = append(v.problems, "no such tile: "+string(u))
			return false
		}
		was := t.Status
		if err := json.Unmarshal(u, t); err != nil {
			v.problems = append(v.problems, err.Error())
			return false
		}
		if name == "board" {
			v.tiles[t.ID], v.numbers[t.I] = t, t
			if old := before[t.ID]; old != nil {
				was = old.Status
			}
		}
		if t.Status != was {
			v.moments = append(v.moments, moment{now, t.ID, t.Status})
		}
	}
	s.tell()
	return true
}

// await waits until the screen shows what is wanted, and returns when it did.
func (s *screen) await(w *world, what string, want func(*view) bool) time.Time {
	w.Helper()
	at, ok := s.within(w.ctx, want)
	if !ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.Fatalf("waiting for %s: the screen shows\n%s", what, &s.view)
	}
	return at
}

// within is await that does not insist.
func (s *screen) within(ctx context.Context, want func(*view) bool) (time.Time, bool) {
	for {
		s.mu.Lock()
		ok, at, changed := want(&s.view), s.view.at, s.changed
		s.mu.Unlock()
		if ok {
			return at, true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return time.Time{}, false
		}
	}
}

// afterglow is what the dashboard remembers of one watcher.
type afterglow struct {
	status      string
	lasted, ago time.Duration
}

// afterglowOf asks the dashboard for all flickers of a watcher.
func afterglowOf(w *world, s *screen, id string) []afterglow {
	w.Helper()
	body := get(w, s, "/api/v1/watchers/"+id)
	var answer struct {
		Flickers []struct {
			Status      string
			Lasted, Ago float64
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		w.Fatalf("reading %s: %v", body, err)
	}
	var all []afterglow
	for _, f := range answer.Flickers {
		all = append(all, afterglow{f.Status, time.Duration(f.Lasted * 1e9), time.Duration(f.Ago * 1e9)})
	}
	return all
}

// get fetches a path from the screen's dashboard.
func get(w *world, s *screen, path string) []byte {
	w.Helper()
	conn, err := s.dial(w.ctx, s.address)
	if err != nil {
		w.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second)) // a dead connection shows at the read
	fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", path)
	data, err := io.ReadAll(conn)
	if err != nil {
		w.Fatalf("getting %s: %v", path, err)
	}
	_, body, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	return body
}

// remembers returns how many of the spells, those that the bounds of a memory
// leave out, are in the afterglow with their age and length, give or take one
// interval.
func remembers(t testing.TB, all []afterglow, truth []spell, interval time.Duration) (missing int) {
	t.Helper()
	now := time.Now()
	const most = 5
	for _, s := range truth[max(0, len(truth)-most):] {
		found := false
		for _, f := range all {
			off := (now.Sub(s.ended) - f.ago).Abs()
			found = found || off <= interval+200*time.Millisecond && (s.ended.Sub(s.began)-f.lasted).Abs() <= interval+200*time.Millisecond
		}
		if !found {
			missing++
			t.Logf("not remembered: a spell of %.2f s that ended %.2f s ago; remembered: %v", s.ended.Sub(s.began).Seconds(), now.Sub(s.ended).Seconds(), all)
		}
	}
	return missing
}
