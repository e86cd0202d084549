package board

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pharos/internal/pharos"
)

// wantTies checks that tiles and probers know of each other.
func wantTies(t *testing.T, b *Board) {
	t.Helper()
	for id, tile := range b.tiles {
		if tile.id != id || b.unlisted[tile] != (len(tile.announcers) == 0) {
			t.Errorf("%s has %d announcers, a unheard: %v", id, len(tile.announcers), b.unlisted[tile])
		}
		for _, p := range tile.announcers {
			if b.probers[p.id] != p || p.watches[id] != tile {
				t.Errorf("%s is announced by %s, which does not know", id, p.id)
			}
		}
		if p := tile.owner; p != nil && (b.probers[p.id] != p || !p.owns[tile]) {
			t.Errorf("%s is owned by %s, which does not know", id, p.id)
		}
	}
	for tile := range b.unlisted {
		if b.tiles[tile.id] != tile {
			t.Errorf("%s is a unheard that is not there", tile.id)
		}
	}
	for _, p := range b.probers {
		for id, tile := range p.watches {
			n := 0
			for _, q := range tile.announcers {
				if q == p {
					n++
				}
			}
			if b.tiles[id] != tile || n != 1 {
				t.Errorf("%s watches %s, which names it %d times", p.id, id, n)
			}
		}
		for tile := range p.owns {
			if b.tiles[tile.id] != tile || tile.owner != p {
				t.Errorf("%s owns %s, which does not know", p.id, tile.id)
			}
		}
	}
	if len(b.tiles) > b.o.MaxWatchers {
		t.Errorf("%d tiles, max_watchers is %d", len(b.tiles), b.o.MaxWatchers)
	}
}

func TestTilesAndProbersKnowOfEachOtherWhateverComes(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		b := New(Options{MaxWatchers: 6})
		prober := func() string { return fmt.Sprint("p", r.IntN(3)) }
		watcher := func() string { return fmt.Sprint("w", r.IntN(8)) }
		var now time.Duration
		for n := range uint64(3000) {
			now += time.Duration(r.IntN(1500)) * time.Millisecond
			in := input{at: now, live: r.IntN(8) > 0, subject: pharos.Subject{Type: pharos.MessageResult, Site: "a", Set: "s", Watcher: watcher(), Prober: prober()}}
			epoch := int64(1 + n/1000)
			switch r.IntN(12) {
			case 0:
				in.roster = &pharos.Roster{Incarnation: epoch, Seq: n, Parts: 1, Sets: []pharos.RosterSet{{Name: "s"}}}
				for range r.IntN(5) {
					in.roster.Sets[0].Watchers = append(in.roster.Sets[0].Watchers, pharos.RosterWatcher{Name: watcher()})
				}
			case 1:
				in.forget = &pharos.Forget{Watcher: in.subject.ID()}
			case 2:
				in.forget = &pharos.Forget{Prober: in.subject.ProberID()}
			case 3:
				now += time.Duration(r.IntN(1000)) * time.Second
				b.now = now
				b.sweep()
				wantTies(t, b)
				continue
			case 4, 5, 6:
				in.heartbeat = &pharos.Heartbeat{Incarnation: epoch, Seq: n, Leaving: r.IntN(4) == 0}
			default:
				in.result = &pharos.Result{Status: pharos.Status(r.IntN(5)), Incarnation: epoch, Seq: n}
				if r.IntN(4) > 0 {
					in.result.Prober = in.subject.Prober
				}
			}
			b.take(in)
			b.flush()
			if wantTies(t, b); t.Failed() {
				t.Fatalf("seed %d, message %d: %+v", seed, n, in)
			}
		}
	}
}
