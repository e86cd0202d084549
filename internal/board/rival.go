package board

import (
	"time"

	"pharos/internal/pharos"
)

// rival is what another process of a tile's prober said of it: while nobody
// knows which of the two is to be believed, the worse status is shown.
type rival struct {
	status  pharos.Status
	summary string
	until   time.Duration
}

// noticeRival takes the result of another process than the one that sends the
// newest heartbeats.
func (b *Board) noticeRival(t *tile, p *prober, in *input) {
	r := in.result
	if p == t.owner && in.live && r.Incarnation < p.heartbeat.Incarnation {
		t.rival = rival{r.Status, r.Summary, b.now + min(r.TTLOrDefault(), b.longestTTL(t))}
	}
}

// keepRival remembers what a process said that another one took the place of.
func (t *tile) keepRival(b *Board, r *pharos.Result) {
	if old := &t.result; t.known && t.owner != nil && old.Prober == r.Prober && old.Incarnation < r.Incarnation && b.now < t.deadline {
		t.rival = rival{old.Status, old.Summary, t.deadline}
	}
}

// rivalFor returns the rival of a tile that counts now: its process sends
// heartbeats, or nobody can know yet whether it does.
func (b *Board) rivalFor(t *tile) (rival, bool) {
	p := t.owner
	if p == nil || b.now >= t.rival.until || t.rival.status <= t.result.Status {
		return rival{}, false
	}
	heartbeats := p.duplicate.last > 0 && b.now-p.duplicate.last < pharos.HeartbeatTimeout
	young := p.replaced > 0 && b.now-p.replaced < pharos.HeartbeatTimeout
	return t.rival, heartbeats || young
}
