package board

import (
	"fmt"
	"slices"
	"time"

	"pharos/internal/pharos"
)

// alive reports whether a prober's heartbeat was heard within the time that it may be
// silent. One of which there are only stored results may be gone.
func (p *prober) alive() bool { return p.up && p.heartbeat.Incarnation != 0 }

// forgottenFor is how long what the store still had of a prober is ignored after the
// prober was forgotten: it may have been read before it was deleted.
const forgottenFor = 10 * time.Second

func (b *Board) isForgotten(s pharos.Subject) bool {
	if s.Prober == "" || len(b.forgotten) == 0 {
		return false
	}
	_, ok := b.forgotten[s.ProberID()]
	return ok
}

// applyForget takes away what is gone for good. What is alive is not forgotten.
// What a living prober lists as well comes back, without what the forgotten one
// said of it.
func (b *Board) applyForget(in *input) {
	f := in.forget
	if f.Watcher != "" {
		t := b.tiles[f.Watcher]
		switch {
		case t == nil:
		case slices.ContainsFunc(t.announcers, (*prober).alive) || t.owner != nil && t.owner.alive():
			b.refuseForget(string(f.Watcher))
		default:
			b.remove(t)
		}
		return
	}
	p := b.probers[f.Prober]
	if p != nil && p.alive() {
		b.refuseForget(p.id)
		return
	}
	if len(b.forgotten) < maxProbers {
		b.forgotten[f.Prober] = b.now
	}
	if p == nil {
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
