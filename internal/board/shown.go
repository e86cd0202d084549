package board

import (
	"time"

	"pharos/internal/pharos"
	"pharos/internal/redact"
)

// shown is what the screens have been told, or are about to be.
type shown struct {
	status  pharos.Status
	stale   bool
	value   string
	unit    string
	summary string
	own     string // what of the summary is the board's own
	since   time.Duration
	flicker flicker // zero: none
	running bool
}

// field is a set of the parts of shown.
type field uint8

const (
	fieldStatus field = 1 << iota
	fieldValue
	fieldUnit
	fieldSummary
	fieldSince
	fieldFlicker
	fieldRunning
)

// lean returns what of a set a screen on a slow line is told: what is not well,
// and since when. The reason comes with the status.
func (f field) lean() field {
	out := f & (fieldStatus | fieldSince | fieldFlicker)
	if f&fieldStatus != 0 {
		out |= f & fieldSummary
	}
	return out
}

// show brings what the screens are told up to date with the tile.
func (b *Board) show(t *tile) {
	s, r := &t.shown, &t.result
	var changed field
	stale := b.stale(t)
	status, summary, own := b.verdict(t)
	since := t.since
	if stale {
		since = t.heard
	}
	if s.status != status || s.stale != stale {
		s.status, s.stale = status, stale
		changed |= fieldStatus
	}
	if s.since != since {
		s.since = since
		changed |= fieldSince
	}
	var unit string
	b.scratch, unit = pharos.AppendDisplay(b.scratch[:0], r.Value, r.Unit, r.Text)
	if string(b.scratch) != s.value {
		s.value = string(b.scratch)
		changed |= fieldValue
	}
	if unit != s.unit {
		s.unit = unit
		changed |= fieldUnit
	}
	if summary = redact.Arguments(summary, t.address, t.command); summary != s.summary || own != s.own { // everybody sees it
		s.summary, s.own = summary, own
		changed |= fieldSummary
	}
	if r.Running != s.running {
		s.running = r.Running
		changed |= fieldRunning
	}
	var f flicker
	if len(t.flickers) > 0 {
		f = t.flickers[0]
	}
	if !sameFlicker(f, s.flicker) {
		s.flicker = f
		changed |= fieldFlicker
	}
	if changed == 0 {
		return
	}
	if t.changed == 0 && t.i >= 0 {
		b.dirty = append(b.dirty, t)
	}
	t.changed |= changed
	if changed&(fieldStatus|fieldFlicker) != 0 {
		b.urgent = true
	}
}

func sameFlicker(a, b flicker) bool {
	near := func(x, y time.Duration) bool { return x-y <= sameMoment && y-x <= sameMoment }
	return a.status == b.status && near(a.lasted, b.lasted) && near(a.ended, b.ended)
}
