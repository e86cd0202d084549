package board

import (
	"cmp"
	"slices"
	"time"

	"pharos/internal/pharos"
)

// memory is what the board knows of a tile's past.
type memory struct {
	flickers []flicker // newest first
	before   []flicker // those that the board saw before the process that has the tile now
	outage   outage    // under way; zero while ok
}

// outage is a time in which a tile is not ok, and that goes on.
type outage struct {
	status pharos.Status // the worst so far
	began  time.Duration // board's clock
	ours   bool          // its beginning is known to the board, and perhaps not to the sender
}

type flicker struct {
	status pharos.Status
	lasted time.Duration
	ended  time.Duration // board's clock
}

// remember adds to a result what its sender does not know: of one that keeps no
// memory, for how long the status and the outage last and what is over; of a
// process that has just taken over, what the board saw before.
func (t *tile) remember(p *prober, r *pharos.Result, sent time.Duration) {
	took := p == nil || p != t.owner || r.Incarnation != t.result.Incarnation
	if took {
		t.before = append(t.before[:0], t.flickers...)
	}
	if p == nil && t.known && r.For == 0 && r.Status == t.result.Status {
		r.For = pharos.Seconds(sent - t.since)
	}
	t.continueOutage(r, sent, took)
	told := r.Flickers
	for _, f := range t.before {
		ago := sent - f.ended
		if ago > pharos.FlickerSpan {
			continue
		}
		// Two that overlap are one: a watcher has one outage at a time.
		same := slices.IndexFunc(told, func(g pharos.Flicker) bool {
			return ago <= (g.Ago+g.Lasted).Duration()+sameMoment && g.Ago.Duration() <= ago+f.lasted+sameMoment
		})
		switch {
		case same < 0:
			r.Flickers = append(r.Flickers, pharos.Flicker{Status: f.status, Lasted: pharos.Seconds(f.lasted), Ago: pharos.Seconds(max(0, ago))})
		case f.status > r.Flickers[same].Status: // its worse part was over when the sender came
			g := &r.Flickers[same]
			g.Status, g.Lasted = f.status, max(g.Ago+g.Lasted, pharos.Seconds(ago+f.lasted))-g.Ago
		}
	}
	slices.SortStableFunc(r.Flickers, func(f, g pharos.Flicker) int { return cmp.Compare(f.Ago, g.Ago) })
	r.Flickers = r.Flickers[:min(len(r.Flickers), pharos.MaxFlickers)]
}

// continueOutage takes a result into the outage under way, begins one or ends it. Of one
// that began with another sender, or with one that keeps no memory, the board
// tells how long and how bad it was.
func (t *tile) continueOutage(r *pharos.Result, sent time.Duration, took bool) {
	s := &t.outage
	if r.Status == pharos.Waiting { // nobody has looked: it goes on, or has ended since
		s.ours = s.ours || took
		return
	}
	if !r.Status.Bad() {
		if s.status.Bad() && (took || s.ours) {
			t.before = append([]flicker{{s.status, sent - s.began, sent}}, t.before...)
		}
		*s = outage{}
		return
	}
	told := r.OpenOutage()
	now := outage{status: told.Status, began: sent - told.Lasted.Duration()}
	if s.status.Bad() && (took || s.ours) {
		now = outage{pharos.Worst(s.status, now.status), min(s.began, now.began), true}
		if all := (pharos.Outage{Status: now.status, Lasted: pharos.Seconds(sent - now.began)}); all.Status != r.Status || all.Lasted > r.For+pharos.Seconds(sameMoment) {
			r.Outage = all
		}
	}
	*s = now
}
