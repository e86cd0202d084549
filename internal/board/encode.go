package board

import (
	"strconv"
	"time"

	"pharos/internal/pharos"
)

// The events of /events are Server-Sent Events (WHATWG HTML, section 9.2) whose
// data is JSON; docs/wire.md describes them.

// appendTime appends a time of the board's clock, in seconds, exact to the
// millisecond.
func appendTime(b []byte, d time.Duration) []byte {
	return pharos.AppendSeconds(b, d.Round(time.Millisecond))
}

func (b *Board) appendStamp(out []byte) []byte {
	out = append(out, `"n":`...)
	out = strconv.AppendUint(out, b.n, 10)
	out = append(out, `,"t":`...)
	return appendTime(out, b.now)
}

func (b *Board) beat() []byte {
	out := append(make([]byte, 0, 64), "event: beat\ndata: {"...)
	out = b.appendStamp(out)
	return append(out, "}\n\n"...)
}

// appendFrame returns the event for a view, nil when nothing in it is the
// view's. The update of b.dirty[i] ends at updates[ends[i]].
func (b *Board) appendFrame(v *view, updates []byte, ends []int, hops []byte) []byte {
	out := append(make([]byte, 0, 96+len(updates)+len(ends)+len(hops)), "event: frame\ndata: {"...)
	out = b.appendStamp(out)
	out = append(out, `,"u":[`...)
	start, first := 0, true
	for i, t := range b.dirty {
		update := updates[start:ends[i]]
		start = ends[i]
		if len(update) == 0 || !v.all && !v.filter.match(t) {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(out, update...)
	}
	if first && hops == nil {
		return nil
	}
	out = append(out, ']')
	if hops != nil {
		out = append(out, `,"hops":`...)
		out = append(out, hops...)
	}
	return append(out, "}\n\n"...)
}

// appendUpdate appends the tile's number and the fields that are named.
func (t *tile) appendUpdate(out []byte, fields field) []byte {
	out = append(out, `{"i":`...)
	out = strconv.AppendInt(out, int64(t.i), 10)
	out = t.appendFields(out, fields)
	return append(out, '}')
}

func (t *tile) appendFields(out []byte, fields field) []byte {
	s := &t.shown
	if fields&fieldStatus != 0 {
		out = pharos.AppendField(out, "s", t.word())
	}
	if fields&fieldValue != 0 {
		out = pharos.AppendField(out, "v", s.value)
	}
	if fields&fieldUnit != 0 {
		out = pharos.AppendField(out, "u", s.unit)
	}
	if fields&fieldSummary != 0 {
		out = pharos.AppendField(out, "m", s.summary)
	}
	if fields&fieldSince != 0 {
		out = append(out, `,"f":`...)
		out = appendSigned(out, s.since)
	}
	if fields&fieldFlicker != 0 {
		out = append(out, `,"k":`...)
		if s.flicker.status == pharos.Waiting {
			out = append(out, "null"...)
		} else {
			out = append(out, `{"s":"`...)
			out = append(out, s.flicker.status.String()...)
			out = append(out, `","l":`...)
			out = appendTime(out, s.flicker.lasted)
			out = append(out, `,"e":`...)
			out = appendSigned(out, s.flicker.ended)
			out = append(out, '}')
		}
	}
	if fields&fieldRunning != 0 {
		out = append(out, `,"r":`...)
		out = strconv.AppendBool(out, s.running)
	}
	return out
}

// appendSigned appends a moment, which may lie before the board was made.
func appendSigned(out []byte, d time.Duration) []byte {
	if d < 0 {
		return appendTime(append(out, '-'), -d)
	}
	return appendTime(out, d)
}

// word is the tile's status as the screens know it: "stale" is the board's.
func (t *tile) word() string {
	if t.shown.stale {
		return "stale"
	}
	return t.shown.status.String()
}

// dataLine begins the data of an event that has an id.
const dataLine = "\ndata: "

// appendSnapshot returns the event with all that a view's screen shows.
func (b *Board) appendSnapshot(v *view) []byte {
	out := append(make([]byte, 0, 512+160*len(b.order)), "event: board\nid: "...)
	out = strconv.AppendUint(out, b.n, 10)
	out = append(out, dataLine+"{"...)
	out = b.appendBoard(out, v)
	return append(out, "}\n\n"...)
}

func (b *Board) appendBoard(out []byte, v *view) []byte {
	out = b.appendStamp(out)
	out = pharos.AppendField(out, "build", b.o.Build)
	out = pharos.AppendField(out, "title", b.o.Title)
	out = pharos.AppendField(out, "tagline", b.o.Tagline)
	out = append(out, `,"sets":[`...)
	firstSet := true
	for _, set := range b.sets {
		firstTile := true
		for _, t := range set.tiles {
			if t.i < 0 || !v.all && !v.filter.match(t) {
				continue
			}
			switch {
			case !firstTile:
				out = append(out, ',')
			case !firstSet:
				out = append(out, ',')
				fallthrough
			default:
				out = append(out, `{"name":`...)
				out = pharos.AppendString(out, set.name)
				out = append(out, `,"tiles":[`...)
			}
			firstSet, firstTile = false, false
			out = strconv.AppendInt(out, int64(t.i), 10)
		}
		if !firstTile {
			out = append(out, "]}"...)
		}
	}
	out = append(out, `],"tiles":[`...)
	first := true
	for _, t := range b.order {
		if t.i < 0 || !v.all && !v.filter.match(t) {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(out, `{"i":`...)
		out = strconv.AppendInt(out, int64(t.i), 10)
		out = pharos.AppendField(out, "id", string(t.id))
		out = pharos.AppendField(out, "name", t.name)
		if t.manySites {
			out = pharos.AppendField(out, "site", t.siteName)
		}
		out = t.appendFields(out, t.told())
		out = append(out, '}')
	}
	out = append(out, `],"hops":`...)
	out = append(out, b.hops...)
	return out
}

// told are the fields that a snapshot has: all that are not empty.
func (t *tile) told() field {
	fields := fieldStatus | fieldSince
	s := &t.shown
	if s.value != "" {
		fields |= fieldValue
	}
	if s.unit != "" {
		fields |= fieldUnit
	}
	if s.summary != "" {
		fields |= fieldSummary
	}
	if s.flicker.status != pharos.Waiting {
		fields |= fieldFlicker
	}
	if s.running {
		fields |= fieldRunning
	}
	return fields
}

func (b *Board) appendHops(out []byte) []byte {
	out = append(out, `{"nats":{"up":`...)
	out = strconv.AppendBool(out, b.link.Up)
	out = append(out, `,"f":`...)
	out = appendTime(out, b.linkSince)
	out = append(out, `,"store":`...)
	out = strconv.AppendBool(out, b.link.Store)
	out = pharos.AppendField(out, "error", pharos.CleanLine(b.link.Error, pharos.MaxSummary))
	out = append(out, `},"probers":[`...)
	for i, p := range b.sortedProbers() {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"id":`...)
		out = pharos.AppendString(out, p.id)
		out = pharos.AppendField(out, "site", p.site)
		out = pharos.AppendField(out, "name", p.name)
		out = append(out, `,"up":`...)
		out = strconv.AppendBool(out, p.up)
		out = append(out, `,"left":`...)
		out = strconv.AppendBool(out, p.left)
		out = append(out, `,"f":`...)
		if p.up {
			out = append(out, '0')
		} else {
			out = appendSigned(out, p.heard)
		}
		out = append(out, `,"watchers":`...)
		out = strconv.AppendInt(out, int64(len(p.owns)), 10)
		out = pharos.AppendField(out, "version", p.beat.Version)
		out = append(out, `,"missed":`...)
		out = strconv.AppendUint(out, p.missedLately(), 10)
		out = append(out, `,"offset":`...)
		out = appendSigned(out, p.offset)
		out = append(out, '}')
	}
	out = append(out, `],"notices":[`...)
	for i, notice := range b.notices() {
		if i > 0 {
			out = append(out, ',')
		}
		out = pharos.AppendString(out, notice)
	}
	return append(out, "]}"...)
}
