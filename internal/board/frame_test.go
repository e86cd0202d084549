package board

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRedDoesNotWaitForNewcomers(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.live("pharos.push.x.y.a", `{"status":"ok"}`)
		w.pass(time.Second)
		for i := range 100 { // a trickle
			w.live(fmt.Sprintf("pharos.push.x.y.w%d", i), `{"status":"ok"}`)
			status := []string{"critical", "ok"}[i%2]
			w.live("pharos.push.x.y.a", fmt.Sprintf(`{"status":%q}`, status))
			if got := w.s.status("a"); got != status {
				t.Fatalf("after newcomer %d and %v a is %v, want %s", i, urgentGap, got, status)
			}
		}
		w.pass(time.Second)
		if len(w.s.Tiles) != 101 {
			t.Errorf("%d tiles, want 101", len(w.s.Tiles))
		}
	})
}

func TestStructuresAreRareWhereTheyCostMuch(t *testing.T) {
	in(t, Options{}, func(w *world) {
		boards := func() (n int) {
			for _, name := range w.s.Events {
				if name == "board" {
					n++
				}
			}
			return n
		}
		var names []string
		for i := range 1000 {
			names = append(names, fmt.Sprint("w", i))
		}
		w.beat("a", "p", 1)
		w.roster("a", "p", 1, 1, set("s", names...))
		w.pass(5 * time.Second)
		before := boards()
		for i := range 40 {
			w.apply(fmt.Sprintf("pharos.push.x.y.w%d", i), `{"status":"ok"}`, 0, true)
			w.b.State(w.ctx)
			w.pass(100 * time.Millisecond)
		}
		if n := boards() - before; n < 8 || n > 11 {
			t.Errorf("%d structures of 1,000 tiles within 4 s, want one in about 0.43 s", n)
		}
	})
}

func TestAScreenThatJoinsAQuietBoardIsToldTheTime(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.join(Filter{})
		w.pass(2*time.Second + 500*time.Millisecond) // nothing but heartbeats
		s, err := w.b.Join(w.ctx, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Leave()
		if got := string(s.Next(w.ctx).Bytes); !strings.Contains(got, `,"t":2.5,`) {
			t.Errorf("2.5 s after the start: got %s", got)
		}
	})
}

// TestAScreenThatStopsReadingHoldsOneFrame: the frames that it has not read are
// kept for all, within bounds, and not for it.
func TestAScreenThatStopsReadingHoldsOneFrame(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.live("pharos.push.x.y.a", `{"status":"ok"}`)
		w.pass(structureGap)
		slow, err := w.b.Join(w.ctx, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Leave()
		slow.Next(w.ctx)
		for i := range 3 * maxKept {
			w.live("pharos.push.x.y.a", fmt.Sprintf(`{"status":%q,"summary":%q}`, []string{"ok", "warning"}[i%2], strings.Repeat("x", i)))
		}
		f := &slow.f.whole
		if slow.at.next.Load() != nil || f.kept > maxKept {
			t.Errorf("%d frames are kept, wanted %d; the screen's own has a next one: %v", f.kept, maxKept, slow.at.next.Load() != nil)
		}
		n, size := 0, 0
		for at := f.oldest; at != nil; at = at.next.Load() {
			n, size = n+1, size+len(at.Bytes)
		}
		if n != f.kept || size != f.size {
			t.Errorf("%d frames of %d bytes, counted as %d of %d", n, size, f.kept, f.size)
		}
		f.publish(&Event{Bytes: make([]byte, maxKeptBytes+1)}, 0)
		if f.oldest != f.newest {
			t.Errorf("beside one frame of more than the bound %d are kept", f.kept-1)
		}
	})
}

func TestNamedFiltersAlwaysHaveRoom(t *testing.T) {
	in(t, Options{}, func(w *world) {
		lobby := Filter{Sets: []string{"Shop"}, Sites: []string{"Oslo"}}
		w.b.Name([]Filter{lobby, {Sets: []string{""}}}) // a bad one does no harm
		plain := w.join(Filter{})
		for i := range maxFilters {
			w.join(Filter{Sets: []string{fmt.Sprint("s", i)}})
		}
		if _, err := w.b.Join(w.ctx, Filter{Sets: []string{"one-more"}}); err != ErrTooManyFilters {
			t.Errorf("one filter more: got %v, wanted %v", err, ErrTooManyFilters)
		}
		w.live("pharos.push.oslo.shop.later", `{"status":"critical","ttl":600}`)
		w.pass(3 * time.Second)
		if len(plain.Tiles) != 1 { // it goes on
			t.Errorf("the plain board shows %v", plain.Tiles)
		}
		w.join(lobby)
		w.join(Filter{Sites: []string{"Oslo", "Oslo"}, Sets: []string{"Shop"}}) // the same
		w.join(Filter{})
		w.b.Name(nil)
		w.join(lobby) // is watched already
	})
}

// TestInventedProbersCostAScreenLittle: a thousand that come and go do not fill the
// lines to the screens.
func TestInventedProbersCostAScreenLittle(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.live("pharos.push.a.b.c", `{"status":"ok","ttl":600}`)
		w.pass(time.Second)
		s := w.screens[0]
		bytes := 0
		for n := range 100 { // ten seconds
			for i := range 100 {
				id := (n*100 + i) % 1000
				w.b.Apply(fmt.Sprintf("pharos.heartbeat.s%d.p%d", id/100, id), fmt.Appendf(nil, `{"incarnation":1,"seq":%d,"missed":%d,"leaving":%v}`, n+1, n, n%20 > 9), 0, true)
			}
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			s.mu.Lock()
			for _, event := range s.inbox {
				bytes += len(event)
			}
			s.mu.Unlock()
			w.settle()
		}
		if bytes > 2<<20 {
			t.Errorf("%d bytes a second for one screen", bytes/10)
		}
	})
}
