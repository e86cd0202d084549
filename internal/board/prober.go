package board

import (
	"cmp"
	"maps"
	"slices"

	"pharos/internal/pharos"
)

// prober is one prober as this board knows it.
type prober struct {
	id         string // "<site>/<prober>", tokens
	token      string // the site's
	site, name string // human
	presence
	doubt
	rosters
	assignment
	record
	agreement agreement
	asks      asks
	trouble   trouble
}

// record is what a prober said of its watchers.
type record struct {
	owns map[*tile]bool            // tiles whose last result is its
	said map[pharos.WatcherID]said // the last of each watcher
}

// prober returns the prober of a subject, a new one if need be; nil when there
// are too many. A new one is taken to be there until it has been silent for too
// long: its heartbeat may be on its way.
func (b *Board) prober(in *input) *prober {
	s, id := in.subject, in.subject.ProberID()
	p := b.probers[id]
	if p == nil {
		if !b.roomForProber(s.Site, in.result == nil) {
			return nil
		}
		p = &prober{id: id, site: s.Site, name: s.Prober, token: s.Site, presence: presence{heard: b.now - in.age, up: in.age < pharos.HeartbeatTimeout}, record: record{map[*tile]bool{}, map[pharos.WatcherID]said{}}}
		b.probers[id] = p
	}
	return p
}

func (p *prober) tokenOfName() string { return p.id[len(p.token)+1:] }

// takeNames takes human names that belong to the tokens of the subject.
func (p *prober) takeNames(site, name string) {
	if pharos.Token(site) == p.token {
		p.site = site
	}
	if pharos.Token(name) == p.tokenOfName() {
		p.name = name
	}
}

// showAll brings all tiles of a prober up to date.
func (b *Board) showAll(p *prober) {
	for _, t := range p.tiles() {
		b.show(t)
	}
}

// takeOver asks for what others see of a tile that its prober has left.
func (b *Board) takeOver(t *tile) {
	if t.owner == nil || t.owner.watching(t, t.owner.heartbeat.Incarnation) {
		return
	}
	for _, p := range t.announcers {
		if p.up && p.runs(t.id) {
			b.askFor(p)
		}
	}
}

// tiles returns those that are its by its roster or by its results.
func (p *prober) tiles() []*tile {
	out := slices.AppendSeq(make([]*tile, 0, len(p.watches)), maps.Values(p.watches))
	for t := range p.owns {
		if p.watches[t.id] == nil {
			out = append(out, t)
		}
	}
	return out
}

// needed reports whether there is a tile that nobody else speaks for.
func (p *prober) needed() bool {
	for _, t := range p.watches {
		if t.owner == nil {
			return true
		}
	}
	return len(p.owns) > 0
}

// watching reports whether the prober's process of an incarnation is there and runs a
// tile's watcher. A newer process has not run it yet.
func (p *prober) watching(t *tile, incarnation int64) bool {
	return p.up && (p.roster == nil || p.watches[t.id] != nil) && incarnation >= p.heartbeat.Incarnation
}

// setOwner makes a tile the prober's, or that of a sender without a name.
func (b *Board) setOwner(t *tile, p *prober) {
	if t.owner == p {
		return
	}
	if t.owner != nil {
		delete(t.owner.owns, t)
	}
	if t.owner = p; p != nil {
		p.owns[t] = true
	}
}

// drop forgets a prober that owns nothing.
func (b *Board) drop(p *prober) {
	delete(b.probers, p.id)
	for _, t := range p.watches {
		b.withdraw(t, p)
	}
	b.unsorted = true
}

// sortedProbers returns the probers by site and name.
func (b *Board) sortedProbers() []*prober {
	return slices.SortedFunc(maps.Values(b.probers), func(x, y *prober) int {
		return cmp.Or(cmp.Compare(x.site, y.site), cmp.Compare(x.name, y.name), cmp.Compare(x.id, y.id))
	})
}
