package board

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	Interval        pharos.Seconds // 0: unknown
	Known           bool           // there was a result
	Stale           bool           // Result is not to be believed any more
	Age             time.Duration
	Result          pharos.Result
	Display, Unit   string // the value as it is shown
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
		ID: t.id, Site: t.siteName, Set: t.setName, Name: t.name, Kind: t.kind, Address: t.address, Interval: t.interval,
		Known: t.known, Stale: b.stale(t), Age: b.now - t.heard, Display: t.shown.value, Unit: t.shown.unit,
	}
	within := t.result.TTL
	out.Result = t.result.Aged(b.now - t.heard)
	out.Result.Status, out.Result.Summary = b.verdict(t)
	out.Result.TTL = within
	out.Result.For = pharos.Seconds(b.now - t.since)
	return out
}

// notices are the lines that name what is wrong with the works themselves.
func (b *Board) notices() []string {
	var out []string
	if b.notice != "" {
		out = append(out, b.notice)
	}
	if b.behind > 0 {
		out = append(out, "this dashboard is behind: more arrives than it can read; of each watcher it takes the newest")
	}
	if b.isolation.here {
		out = append(out, "NATS is there, and no prober is heard through it: is this server cut off from its cluster?")
	}
	if more := len(b.probers) - maxListed; more > 0 {
		out = append(out, fmt.Sprintf("%d more probers are not listed here", more))
	}
	for _, p := range b.sortedProbers() {
		if p.up && p.late {
			out = append(out, fmt.Sprintf("%s: its list of %d watchers does not arrive here; may NATS pass on pharos.roster.%s.> and pharos.refresh?", p.place(), p.heartbeat.Watchers, strings.ReplaceAll(p.id, "/", ".")))
		}
		if p.up && p.agreement.lost(b.now) {
			out = append(out, p.place()+": its messages do not all arrive here: "+p.agreement.text)
		}
		if p.backwards > 0 && !p.isDuplicated() {
			out = append(out, p.place()+": its numbers ran backwards; was its machine set back, or does somebody else send in its name?")
		}
		if p.isDuplicated() {
			out = append(out, p.place()+" runs twice: give one of them another name")
		}
		if p.heartbeat.Rejected != "" && p.up {
			out = append(out, p.site+" "+p.name+": "+p.heartbeat.Rejected)
		}
		if p.heartbeat.Unable != "" && p.up {
			out = append(out, p.place()+": "+p.heartbeat.Unable)
		}
		if p.heartbeat.Denied != "" && p.up {
			out = append(out, p.site+" "+p.name+", NATS: "+p.heartbeat.Denied)
		}
	}
	for _, p := range b.sortedProbers() {
		if n := len(p.listed) - len(p.watches); n > 0 && p.up && b.full() {
			are := "are"
			if n == 1 {
				are = "is"
			}
			out = append(out, fmt.Sprintf("%d of %s's %d watchers %s not shown: max_watchers is %d", n, p.place(), len(p.listed), are, b.o.MaxWatchers))
		}
	}
	if b.refused.text != "" {
		out = append(out, b.refused.text)
	}
	for _, p := range b.sortedProbers() {
		if p.trouble.text != "" {
			out = append(out, p.trouble.text)
		}
	}
	if n := len(b.conflicts); n > 0 {
		ids := slices.Sorted(maps.Keys(b.conflicts))
		d := b.conflicts[ids[0]]
		more := ""
		if n > 1 {
			more = fmt.Sprintf(" and %d more", n-1)
		}
		name := string(ids[0])
		if t := b.tiles[ids[0]]; t != nil {
			name = t.name
		}
		other := cmp.Or(d.other, "a sender without a name")
		out = append(out, fmt.Sprintf("published twice: %q%s, by %s and by %s; shown is %s", name, more, d.owner, other, d.owner))
	}
	return out
}
