package board

import (
	"time"

	"pharos/internal/pharos"
)

// orderWindow is for how long the numbers of a message rule out a later one. A
// message is rarely on its way for longer. Numbers that were forged, or those of
// a machine that was set back, silence nobody for longer than this.
const orderWindow = 3 * time.Second

// backwardsFor is how long the board says that numbers ran backwards.
const backwardsFor = time.Minute

// said is the last that a prober said of one watcher.
type said struct {
	incarnation int64
	seq         uint64
	at          time.Duration // when it came
	status      pharos.Status
	change      uint64
}

// hear takes what a prober says of a watcher. It reports false for a result that
// is older than the last one, or of another process than the one that sends the
// heartbeats.
func (b *Board) hear(p *prober, id pharos.WatcherID, in *input) bool {
	r, last := in.result, p.said[id]
	process := in.live && p.heartbeat.Incarnation != 0 // is known, of this result
	if process && p.up && r.Incarnation != p.heartbeat.Incarnation {
		return false
	}
	newer := r.Incarnation > last.incarnation || r.Incarnation == last.incarnation && r.Seq > last.seq
	late := in.live && b.now-last.at >= orderWindow
	if last != (said{}) && !newer && !late && !(process && r.Incarnation == p.heartbeat.Incarnation && r.Incarnation != last.incarnation) {
		return false
	}
	if !newer && last != (said{}) {
		p.backwards = b.now
	}
	p.said[id] = said{r.Incarnation, r.Seq, b.now, r.Status, r.Change}
	return true
}

// forgetSaid forgets what a prober said of a watcher that is not on the board,
// unless its roster lists it: the digest counts that.
func (p *prober) forgetSaid(id pharos.WatcherID) {
	if p != nil && !p.listed[id] {
		delete(p.said, id)
	}
}
