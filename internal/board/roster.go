package board

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"pharos/internal/pharos"
)

// rosters is what a prober says that it watches.
type rosters struct {
	roster  *pharos.Roster             // in force, complete; nil: none yet
	parts   []*pharos.Roster           // of one that is not complete
	pending *pharos.Roster             // complete, but no heartbeat names it
	listed  map[pharos.WatcherID]bool  // the watchers of the one in force
	watches map[pharos.WatcherID]*tile // those of them that are on the board
	missing time.Duration              // since when the newest one has not arrived; 0: it has
	late    bool                       // it has been missing for too long
}

// rosterLate is how long the newest roster may be on its way before the board
// says that it does not arrive.
const rosterLate = 3 * time.Second

// rosterIsNewest reports whether the roster in force is the one that the
// heartbeat speaks of. A sender whose heartbeats do not say has the newest.
func (p *prober) rosterIsNewest() bool {
	return p.roster != nil && p.roster.Incarnation == p.heartbeat.Incarnation && (p.roster.Seq == p.heartbeat.Roster || p.heartbeat.Roster == 0)
}

// judgeRoster asks for a roster that has not arrived.
func (b *Board) judgeRoster(p *prober) {
	switch {
	case p.rosterIsNewest() || p.heartbeat.Roster == 0: // what has no roster need not send it
		p.missing = 0
	default:
		if p.missing == 0 {
			p.missing = b.now
		}
		b.askFor(p)
	}
	p.late = p.missing > 0 && b.now-p.missing >= rosterLate
}

func (b *Board) applyRoster(in *input) {
	p := b.prober(in)
	if p == nil {
		b.refuseProber(in.subject.ProberID())
		return
	}
	r := in.roster
	if r.Part != in.subject.Part {
		b.drops.count(pharos.ReasonInvalid, in.subject.ProberID(), errWrongPart)
		return
	}
	if old := p.roster; old != nil && r.Incarnation == old.Incarnation && r.Seq == old.Seq {
		return
	}
	if len(p.parts) == 0 || p.parts[0] == nil && !slices.ContainsFunc(p.parts, func(q *pharos.Roster) bool { return q != nil }) || !samePieces(p.parts, r) {
		p.parts = make([]*pharos.Roster, r.Parts)
	}
	if n := countNames(r); n > 0 && b.names()+n > rostersOf*b.o.MaxWatchers {
		b.drops.count(pharos.ReasonFull, in.subject.ProberID(), errFull)
		b.refuse(fmt.Sprintf("not all that prober %q watches is shown: its roster is too long for max_watchers %d", p.id, b.o.MaxWatchers))
		r.Sets = nil
	}
	p.parts[r.Part] = r
	if slices.Contains(p.parts, nil) {
		return
	}
	whole := *r
	whole.Sets = nil
	for _, part := range p.parts {
		whole.Sets = append(whole.Sets, part.Sets...)
	}
	p.parts = nil
	old := p.roster
	named := whole.Incarnation == p.heartbeat.Incarnation && whole.Seq == p.heartbeat.Roster
	newer := old == nil || whole.Incarnation > old.Incarnation || whole.Incarnation == old.Incarnation && whole.Seq > old.Seq
	switch {
	case named || newer && p.heartbeat.Roster == 0:
		p.pending = nil
		b.adopt(p, &whole)
	default: // the newest is the one that the heartbeat names
		p.pending = &whole
	}
}

// rostersOf is how many names the rosters may have together for each tile that
// the board may hold: several probers may name the same watchers, and one that
// restarts names them twice for a moment.
const rostersOf = 4

// names is how many watchers the rosters name, those that are not complete yet
// included.
func (b *Board) names() int {
	n := 0
	for _, p := range b.probers {
		n += len(p.listed) + countNames(p.pending)
		for _, part := range p.parts {
			n += countNames(part)
		}
	}
	return n
}

func countNames(r *pharos.Roster) int {
	n := 0
	if r != nil {
		for _, set := range r.Sets {
			n += 1 + len(set.Watchers)
		}
	}
	return n
}

// samePieces reports whether r belongs to the roster that parts were collected
// of; one part at least is there.
func samePieces(parts []*pharos.Roster, r *pharos.Roster) bool {
	for _, q := range parts {
		if q != nil {
			return q.Incarnation == r.Incarnation && q.Seq == r.Seq && q.Parts == r.Parts
		}
	}
	return false
}

// adopt puts a complete roster in force: what it names gets a tile, what only
// the one before it named goes.
func (b *Board) adopt(p *prober, r *pharos.Roster) {
	old, seen := p.watches, map[pharos.WatcherID]bool{}
	p.roster, p.watches, p.listed = r, map[pharos.WatcherID]*tile{}, seen
	p.takeNames(r.Site, r.Prober)
	for _, set := range r.Sets {
		for _, w := range set.Watchers {
			s := pharos.Subject{Type: pharos.MessageResult, Site: p.token, Set: pharos.Token(set.Name), Watcher: pharos.Token(w.Name)}
			id := s.ID()
			if seen[id] {
				continue
			}
			seen[id] = true
			t := b.tiles[id]
			if t == nil {
				if b.full() && !b.evict(p) {
					b.drops.count(pharos.ReasonFull, string(id), errFull)
					continue
				}
				t = b.newTile(id, s)
			}
			p.watches[id] = t
			if old[id] == nil {
				b.announce(t, p)
			}
			t.setName, t.name, t.siteName = set.Name, w.Name, p.site
			t.kind, t.address, t.interval = w.Kind, w.Target, w.Interval
			t.description, t.link = w.Description, w.Link
			t.command, t.pushed, t.network, t.reference = w.Command, w.Pushed, w.Network, w.Reference
			t.bound = 0
			if w.Interval > 0 && w.Timeout > 0 {
				t.bound = (w.Interval + w.Timeout).Duration() + ttlMargin
			}
			b.show(t)
		}
	}
	maps.DeleteFunc(p.said, func(id pharos.WatcherID, _ said) bool { return !seen[id] })
	for id, t := range old {
		if p.watches[id] == nil {
			b.withdraw(t, p)
		}
	}
	for _, t := range slices.AppendSeq(slices.Collect(maps.Values(old)), maps.Keys(p.owns)) {
		switch {
		case p.watches[t.id] != nil || b.tiles[t.id] != t:
		case len(t.announcers) == 0 && (t.owner == p || t.owner == nil):
			b.remove(t)
		default:
			b.show(t)
			b.takeOver(t)
		}
	}
	b.noticeSharing(p)
	b.unsorted = true
}

// restore gives the watchers of a prober's roster that are not on the board
// their tiles, once there is room.
func (b *Board) restore(p *prober) {
	if p.up && len(p.watches) < len(p.listed) && (!b.full() || len(b.unlisted) > 0) {
		b.adopt(p, p.roster)
		b.askFor(p)
	}
}

func (b *Board) announce(t *tile, p *prober) {
	t.announcers = append(t.announcers, p)
	delete(b.unlisted, t)
}

// withdraw is the contrary of announce.
func (b *Board) withdraw(t *tile, p *prober) {
	t.announcers = slices.DeleteFunc(t.announcers, func(q *prober) bool { return q == p })
	if len(t.announcers) == 0 {
		b.unlisted[t] = true
	}
}
