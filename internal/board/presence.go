package board

import (
	"time"

	"pharos/internal/pharos"
)

const (
	// offsetShown is from when on a prober's wall clock is said to be off.
	offsetShown = 2 * time.Second
	// A prober that has no tiles is forgotten so long after its goodbye, or its
	// last heartbeat.
	forgetLeft, forgetSilent = time.Minute, 10 * time.Minute
	maxProbers               = 1000
	maxSiteProbers           = 250
)

// presence is whether a prober is there, by its heartbeats.
type presence struct {
	heartbeat pharos.Heartbeat
	newest    time.Duration // when the heartbeat came
	heard     time.Duration // when the prober was there last: of its last heartbeat, or of the prober at all where there was none
	up        bool
	left      bool          // said goodbye
	back      time.Duration // when it was heard again after it had been silent
	delay     delay
	offset    time.Duration // of its wall clock from ours, where it is worth telling
	missed    missed
}

// missed tells ticks missed lately from those of long ago.
type missed struct {
	before [missedMinutes]uint64 // the count of each minute's end, the last one first
	turned time.Duration         // when the last of them ended
}

// missedMinutes is how long missed ticks are told.
const missedMinutes = 10

// pass counts the minutes that have ended by now, until when there were so many.
func (m *missed) pass(now time.Duration, count uint64) {
	for n := 0; now-m.turned >= time.Minute; n++ {
		if n == missedMinutes { // the rest is as long ago
			m.turned = now
			return
		}
		copy(m.before[1:], m.before[:])
		m.before[0] = count
		m.turned += time.Minute
	}
}

// missedLately returns how many ticks the prober missed in the last ten minutes.
func (p *presence) missedLately() uint64 {
	return p.heartbeat.Missed - min(p.missed.before[missedMinutes-1], p.heartbeat.Missed)
}

func (b *Board) applyHeartbeat(in *input) {
	p := b.prober(in)
	if p == nil {
		b.refuseProber(in.subject.ProberID())
		return
	}
	beat, old := in.heartbeat, p.heartbeat
	switch { // the newest wins; of an older process only when the newer is silent
	case beat.Incarnation == old.Incarnation && beat.Seq <= old.Seq:
		if !in.live || b.now-p.newest < orderWindow {
			if in.live && beat.Seq < old.Seq { // the process is there, whatever its numbers are
				p.heard = b.now
			}
			return
		}
		p.backwards = b.now
	case beat.Incarnation < old.Incarnation && !in.live:
		return
	case beat.Incarnation < old.Incarnation && p.up:
		if !beat.Leaving {
			b.noticeDuplicate(p)
		}
		return
	}
	if beat.Incarnation != old.Incarnation {
		p.missed = missed{turned: b.now} // a new process counts from nothing
		if beat.Uptime.Duration() > missedMinutes*time.Minute {
			for i := range p.missed.before {
				p.missed.before[i] = beat.Missed // nobody knows when
			}
		}
	}
	p.missed.pass(b.now, old.Missed)
	sent := b.now - in.age
	if in.live {
		p.delay.hear(beat.Uptime.Duration(), b.now)
		sent -= p.delay.age()
	}
	if beat.Incarnation != old.Incarnation {
		p.agreement = agreement{}
		p.replaced = b.now
		if old.Leaving || old.Incarnation == 0 {
			p.replaced = 0
		}
	}
	p.heartbeat, p.heard, p.newest, p.left = *beat, sent, b.now, beat.Leaving
	p.takeNames(beat.Site, beat.Prober)
	offset := time.Duration(0)
	if in.live && !beat.At.IsZero() {
		offset = (time.Until(beat.At) + p.delay.age()).Round(time.Second)
		if offset.Abs() < offsetShown {
			offset = 0
		}
	}
	p.offset = offset
	wasUp := p.up
	b.judgeProber(p)
	if !wasUp && p.up && in.live && old.Incarnation != 0 {
		// What it saw meanwhile is on its way, or was missed.
		p.back, p.asks = b.now, asks{}
		for t := range p.owns {
			b.show(t)
		}
		b.askFor(p)
	}
	if q := p.pending; q != nil && q.Incarnation == beat.Incarnation && q.Seq == beat.Roster {
		p.pending = nil
		b.adopt(p, q)
	}
	b.noticeSharing(p)
	if in.live && !beat.Leaving {
		b.judgeSharing(p)
		b.judgeRoster(p)
		if b.inbox.empty() { // else what it speaks of may wait there
			b.compare(p)
		}
	}
}

// judgeProber brings a prober's tiles up to date with its being there or not.
func (b *Board) judgeProber(p *prober) {
	up := !p.left && b.now-p.heard < pharos.HeartbeatTimeout
	if up != p.up {
		p.up = up
		b.noticeSharing(p)
		b.footer.soon, b.urgent = true, true
		for _, t := range p.tiles() {
			b.show(t)
			b.takeOver(t)
		}
	}
	if p.duplicate != (duplicate{}) && b.now-p.duplicate.last > duplicateFor {
		p.duplicate = duplicate{}
	}
	if p.backwards > 0 && b.now-p.backwards > backwardsFor {
		p.backwards = 0
	}
	silent := b.now - p.heard
	if !up && (p.left && silent > forgetLeft || silent > forgetSilent) && !p.needed() {
		b.drop(p)
	}
}
