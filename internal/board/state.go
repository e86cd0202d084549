package board

import (
	"context"
	"time"

	"pharos/internal/pharos"
)

// stateFor is how long a State is handed out before it is made anew.
const stateFor = 100 * time.Millisecond

// State is all that the board knows at one moment. It is shared and never
// changes.
type State struct {
	Title, Tagline string
	Sets           []Section
	Link           Link
	Probers        []Prober
	Notices        []string
	made           time.Duration
}

// Section is a set's name and its tiles, in order.
type Section struct {
	Name  string
	Tiles []Tile
}

// Tile is one watcher as the board knows it. The durations of Result are true
// now.
type Tile struct {
	ID              pharos.WatcherID
	Site, Set, Name string // human names
	Kind, Address   string
	Description     string // for people, as is Link, which is an http or https address
	Link            string
	Command         bool           // Address is a command line
	Listed          bool           // a prober has it in its file
	Pushed          bool           // others push how it is
	Interval        pharos.Seconds // 0: unknown
	Known           bool           // there was a result
	Stale           bool           // Result is not to be believed any more
	Age             time.Duration
	Result          pharos.Result
	Display, Unit   string // the value as it is shown
	Own             string // what of the summary the board itself says, and no prober
}

// Prober is one prober as the board knows it.
type Prober struct {
	ID, Site, Name string
	Version        string
	Up, Left       bool
	Silent         time.Duration  // since its last heartbeat
	Watchers       int            // tiles whose last result is its
	Missed         uint64         // ticks
	Lag            pharos.Seconds // its worst start delay of the last second
	Offset         time.Duration  // of its wall clock from ours, where over 2 s
}

// State returns all that the board knows, at most 100 ms old; a tile that is new
// may take as long as on the screens, up to 2 s. It is nil when ctx is done or
// the board has ended.
func (b *Board) State(ctx context.Context) *State {
	var s *State
	b.ask(ctx, func() {
		if b.state == nil || b.now-b.state.made >= stateFor {
			b.state = b.copyState()
		}
		s = b.state
	})
	return s
}

// Tile returns one watcher; false when there is none of that id, or the board
// has ended.
func (b *Board) Tile(ctx context.Context, id pharos.WatcherID) (Tile, bool) {
	var out Tile
	found := false
	b.ask(ctx, func() {
		if t := b.tiles[id]; t != nil {
			out, found = b.copyTile(t), true
		}
	})
	return out, found
}

func (b *Board) copyState() *State {
	if b.unsorted && b.now >= b.structureDue() {
		b.structure()
	}
	s := &State{Title: b.o.Title, Tagline: b.o.Tagline, Link: b.link, Notices: b.notices(), made: b.now}
	for _, set := range b.sets {
		section := Section{Name: set.name, Tiles: make([]Tile, 0, len(set.tiles))}
		for _, t := range set.tiles {
			if t.i >= 0 { // else removed since
				section.Tiles = append(section.Tiles, b.copyTile(t))
			}
		}
		if len(section.Tiles) > 0 {
			s.Sets = append(s.Sets, section)
		}
	}
	for _, p := range b.sortedProbers() {
		s.Probers = append(s.Probers, Prober{
			ID: p.id, Site: p.site, Name: p.name, Version: p.heartbeat.Version, Up: p.up, Left: p.left, Silent: b.now - p.heard,
			Watchers: len(p.owns), Missed: p.heartbeat.Missed, Lag: p.heartbeat.Lag, Offset: p.offset,
		})
	}
	return s
}

func (b *Board) copyTile(t *tile) Tile {
	out := Tile{
		ID: t.id, Site: t.siteName, Set: t.setName, Name: t.name, Kind: t.kind, Address: t.address, Command: t.command, Listed: t.isListed(), Pushed: t.pushed, Interval: t.interval,
		Description: t.description, Link: t.link,
		Known: t.known, Stale: b.stale(t), Age: b.now - t.heard, Display: t.shown.value, Unit: t.shown.unit,
	}
	within := t.result.TTL
	out.Result = t.result.Aged(b.now - t.heard)
	out.Result.Status, out.Result.Summary, out.Own = b.verdict(t)
	out.Result.TTL = within
	out.Result.For = pharos.Seconds(b.now - t.since)
	return out
}
