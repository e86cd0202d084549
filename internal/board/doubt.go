package board

import (
	"time"

	"pharos/internal/pharos"
)

// doubt is whether one process alone sends in a prober's name.
type doubt struct {
	replaced  time.Duration // when this process took the place of one that said no goodbye; 0: it did not
	backwards time.Duration // when numbers ran backwards last; 0: not lately
	duplicate duplicate
}

// duplicate is another process of the prober's name that sends heartbeats beside it.
type duplicate struct {
	first, last time.Duration // when its heartbeats came
}

const (
	// A process that is being replaced may send one more heartbeat; a duplicate sends heartbeats for longer.
	duplicateAfter = pharos.HeartbeatTimeout
	duplicateFor   = 10 * time.Second // how long it is told after its last heartbeat
)

func (d *doubt) isDuplicated() bool { return d.duplicate.last-d.duplicate.first > duplicateAfter }

// noticeDuplicate takes the heartbeat of an older process while the newer one is there.
func (b *Board) noticeDuplicate(p *prober) {
	if p.duplicate == (duplicate{}) {
		p.duplicate.first = b.now
	}
	p.duplicate.last = b.now
}
