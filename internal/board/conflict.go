package board

import (
	"time"

	"pharos/internal/pharos"
)

// conflict is a watcher that two probers publish.
type conflict struct {
	owner, other string // other is empty for a sender without a name
	until        time.Duration
}

// conflict names two senders of a watcher for as long as the next message of the
// one that is not shown may take.
func (b *Board) conflict(t *tile, owner, other *prober, due time.Duration) {
	d := conflict{owner: owner.id, until: b.now + max(conflictFor, due)}
	if other != nil {
		d.other = other.id
	}
	b.conflicts[t.id] = d
}

func (b *Board) forgetConflicts() {
	for id, d := range b.conflicts {
		if b.now > d.until || b.handedOver(d.owner, id) || b.handedOver(d.other, id) {
			delete(b.conflicts, id)
		}
	}
}

// handedOver reports whether a prober is known to publish a watcher no more.
func (b *Board) handedOver(owner string, id pharos.WatcherID) bool {
	p := b.probers[owner]
	return p != nil && (p.left || p.roster != nil && p.watches[id] == nil)
}
