package board

import (
	"fmt"
	"slices"

	"pharos/internal/pharos"
)

// applyForget takes away what is gone for good. What is alive is not forgotten.
// What a living prober lists as well comes back, without what the forgotten one
// said of it.
func (b *Board) applyForget(in *input) {
	f := in.forget
	if f.Watcher != "" {
		t := b.tiles[f.Watcher]
		switch {
		case t == nil:
		case slices.ContainsFunc(t.announcers, func(p *prober) bool { return p.up }) || t.owner != nil && t.owner.up:
			b.refuseForget(string(f.Watcher))
		default:
			b.remove(t)
		}
		return
	}
	p := b.probers[f.Prober]
	switch {
	case p == nil:
		return
	case p.up:
		b.refuseForget(p.id)
		return
	}
	tiles := p.tiles()
	for t := range p.owns {
		b.disown(t)
	}
	b.drop(p)
	for _, t := range tiles {
		if t.owner == nil && len(t.announcers) == 0 {
			b.remove(t)
		}
	}
}

// disown makes a tile one of which nothing is known.
func (b *Board) disown(t *tile) {
	b.setOwner(t, nil)
	t.result, t.known, t.since, t.heard, t.outage = pharos.Result{}, false, b.now, b.now, outage{}
	b.show(t)
	for _, p := range t.announcers {
		b.askFor(p)
	}
}

// refuseForget counts and says that something alive was to be forgotten.
func (b *Board) refuseForget(id string) {
	b.drops.count(pharos.ReasonAlive, id, errAlive)
	b.refuse(fmt.Sprintf("%q is alive and was not forgotten", id))
}
