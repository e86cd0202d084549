package board

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestALeanScreenIsToldAllButValues(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.live("pharos.push.x.y.a", `{"status":"ok","value":1,"unit":"ms","running":true}`)
		w.live("pharos.push.x.y.b", `{"status":"critical","value":2,"unit":"s","summary":"down"}`)
		w.pass(time.Second)
		join, err := w.b.Join(w.ctx, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		defer join.Leave()
		s := &screen{t: t}
		s.read(join.Next(w.ctx).Bytes)
		if a := s.Tile("a"); a["v"] != "1" || a["u"] != "ms" || a["r"] != true {
			t.Errorf("the whole snapshot has %v", a)
		}
		if !join.Skip(w.ctx, true) {
			t.Fatal("not let in")
		}
		s.read(join.Next(w.ctx).Bytes)
		for _, tile := range s.Tiles {
			if tile["v"] != nil || tile["u"] != nil || tile["r"] != nil || tile["s"] == nil || tile["f"] == nil || tile["name"] == nil || tile["id"] == nil {
				t.Errorf("the lean snapshot has %v", tile)
			}
		}
		if b := s.Tile("b"); b["s"] != "critical" || b["m"] != "down" {
			t.Errorf("the lean snapshot has %v", b)
		}
		next := func() string {
			s.Events = nil
			e := join.Next(w.ctx)
			s.read(e.Bytes)
			return s.Events[0]
		}
		for i := range 20 { // values alone are no news
			w.live("pharos.push.x.y.a", fmt.Sprintf(`{"status":"ok","value":%d,"unit":"ms"}`, i))
		}
		w.pass(valueGap)
		for join.Behind() > 0 {
			if kind := next(); kind != "beat" {
				t.Fatalf("values bring a %s", kind)
			}
		}
		w.live("pharos.push.x.y.a", `{"status":"warning","value":300,"unit":"ms","summary":"slow"}`)
		if kind := next(); kind != "frame" {
			t.Fatalf("a change of status brings a %s", kind)
		}
		if a := s.Tile("a"); a["s"] != "warning" || a["m"] != "slow" || a["v"] != nil {
			t.Errorf("after a change of status: %v", a)
		}
		if !join.Skip(w.ctx, false) {
			t.Fatal("not let in")
		}
		s.read(join.Next(w.ctx).Bytes)
		if diff := cmp.Diff(w.join(Filter{}).Tiles, s.Tiles); diff != "" {
			t.Errorf("with values again: others -, it +\n%s", diff)
		}
		if f := w.b.feeds[""]; f.lean.screens.Load() != 0 || f.whole.screens.Load() != 3 || w.b.Screens() != 3 {
			t.Errorf("%d lean, %d whole, %d in all", f.lean.screens.Load(), f.whole.screens.Load(), w.b.Screens())
		}
	})
}

func TestBehind(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.live("pharos.push.x.y.a", `{"status":"ok"}`)
		w.pass(time.Second)
		s, err := w.b.Join(w.ctx, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Behind(); got != 0 {
			t.Errorf("with a snapshot to read: %v", got)
		}
		s.Next(w.ctx)
		if got := s.Behind(); got != 0 {
			t.Errorf("with nothing to read: %v", got)
		}
		w.live("pharos.push.x.y.a", `{"status":"critical"}`)
		w.pass(700 * time.Millisecond)
		if got := s.Behind(); got < 700*time.Millisecond || got > 720*time.Millisecond {
			t.Errorf("0.7 s after a red: %v", got)
		}
		w.pass(2 * maxKept * time.Second) // its frame is kept no more
		if got := s.Behind(); got < maxKept*time.Second {
			t.Errorf("after %v: %v", 2*maxKept*time.Second, got)
		}
		s.Leave()
		s.Leave()
		if got := w.b.Screens(); got != 1 {
			t.Errorf("%d screens, want 1", got)
		}
		if s.Skip(w.ctx, true) || s.Next(w.ctx) != nil {
			t.Error("a screen that has left is let in again")
		}
		gone, cancel := context.WithCancel(w.ctx)
		cancel()
		other, err := w.b.Join(w.ctx, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Leave()
		other.Next(w.ctx)
		if other.Next(gone) != nil {
			t.Error("an event for who is gone")
		}
	})
}

// TestPackedEventsStandAlone: whichever of them a screen is sent, it can read.
func TestPackedEventsStandAlone(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var events []*Event
	for i := range 100 {
		size := []int{0, 1, minPacked - 1, minPacked, 3000, 200_000}[i%6]
		var b strings.Builder
		for b.Len() < size {
			fmt.Fprintf(&b, `{"i":%d,"v":"%d"},`, random.IntN(1000), random.IntN(100))
		}
		events = append(events, &Event{Bytes: []byte(b.String()[:size])})
	}
	var stream, want bytes.Buffer
	stream.WriteString(PackedHead)
	for range 1000 {
		e := events[random.IntN(len(events))]
		stream.Write(e.Packed())
		want.Write(e.Bytes)
	}
	if stream.Len() > want.Len()/2 {
		t.Errorf("%d of %d bytes", stream.Len(), want.Len())
	}
	r, err := gzip.NewReader(&stream)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.Equal(got, want.Bytes()) { // a stream never ends
		t.Errorf("%v, %d bytes, wanted %d", err, len(got), want.Len())
	}
}
