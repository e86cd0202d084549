package board

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// snapshot reads one as the page does.
func (w *world) snapshot(f Filter) (names []string, t, now float64) {
	w.Helper()
	data, at, err := w.b.Snapshot(w.ctx, f)
	if err != nil {
		w.Fatal(err)
	}
	var d struct {
		T     float64
		Tiles []struct{ Name string }
	}
	if err := json.Unmarshal(data, &d); err != nil {
		w.Fatalf("reading %q: %v", data, err)
	}
	for _, tile := range d.Tiles {
		names = append(names, tile.Name)
	}
	return names, d.T, at.Seconds()
}

func TestSnapshot(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.live("pharos.push.a.shop.page", `{"status":"ok"}`)
		w.live("pharos.push.b.jobs.backup", `{"status":"ok"}`)
		w.pass(time.Second)
		names, _, now := w.snapshot(Filter{})
		if got := strings.Join(names, " "); got != "backup page" {
			t.Errorf("tiles: got %q", got)
		}
		if names, _, _ := w.snapshot(Filter{Sets: []string{"shop"}}); len(names) != 1 || names[0] != "page" {
			t.Errorf("tiles of shop: got %q", names)
		}
		if got := w.b.Screens(); got != 1 {
			t.Errorf("screens: got %d, wanted the one that joined", got)
		}
		w.pass(10 * time.Second) // and nothing else
		if _, at, later := w.snapshot(Filter{}); later != now+10 || at != later {
			t.Errorf("ten seconds after %v: got the time %v and a snapshot of %v", now, later, at)
		}
		if _, _, err := w.b.Snapshot(w.ctx, Filter{Sites: []string{""}}); !errors.Is(err, ErrFilter) {
			t.Errorf("an empty name: got %v", err)
		}
		gone, cancel := context.WithCancel(w.ctx)
		cancel()
		for range 10 { // it may still be answered: then it is whole
			if data, _, err := w.b.Snapshot(gone, Filter{}); !errors.Is(err, context.Canceled) && !json.Valid(data) {
				t.Errorf("a caller that is gone: got %q, %v", data, err)
			}
		}
	})
}

func TestSnapshotOfABoardThatHasEnded(t *testing.T) {
	b := New(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Snapshot(t.Context(), Filter{}); !errors.Is(err, ErrEnded) {
		t.Errorf("got %v", err)
	}
}
