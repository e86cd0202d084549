package board

import (
	"bytes"
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

func appendStamp(out []byte, n uint64, now time.Duration) []byte {
	out = append(out, `"n":`...)
	out = strconv.AppendUint(out, n, 10)
	out = append(out, `,"t":`...)
	return appendTime(out, now)
}

func (b *Board) beat() []byte {
	out := append(make([]byte, 0, 64), "event: beat\ndata: {"...)
	out = appendStamp(out, b.n, b.now)
	return append(out, "}\n\n"...)
}

// appendFrame returns the event for a feed, nil when nothing in it is the
// feed's. news says that the hops are to be told, too.
func (b *Board) appendFrame(f *feed, u *updates, news bool) []byte {
	out := append(make([]byte, 0, 96+len(u.bytes)+len(u.ends)), "event: frame\ndata: {"...)
	out = appendStamp(out, b.n, b.now)
	out = append(out, `,"u":[`...)
	start, first := 0, true
	for i, t := range b.dirty {
		update := u.bytes[start:u.ends[i]]
		start = u.ends[i]
		if len(update) == 0 || !f.choice.all() && !f.choice.match(t.setToken(), t.site) {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(out, update...)
	}
	if first && !news {
		return nil
	}
	out = append(out, ']')
	if news {
		out = append(out, `,"hops":`...)
		out = b.footer.hops.append(out, f.missing)
	}
	return append(out, "}\n\n"...)
}

// appendUpdate appends the tile's number and the fields that are named.
func (t *tile) appendUpdate(out []byte, fields field, bare bool) []byte {
	out = append(out, `{"i":`...)
	out = strconv.AppendInt(out, int64(t.i), 10)
	out = t.appendFields(out, fields, bare)
	return append(out, '}')
}

// appendFields appends the fields that are named; bare: of the reason what the
// board itself says.
func (t *tile) appendFields(out []byte, fields field, bare bool) []byte {
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
	switch {
	case fields&fieldSummary == 0:
	case bare:
		out = pharos.AppendField(out, "m", s.own)
	default:
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

// hops are the links of the chain as JSON, up to the notices and from there on.
type hops struct{ head, rest []byte }

func (h hops) same(o hops) bool { return bytes.Equal(h.head, o.head) && bytes.Equal(h.rest, o.rest) }

// append appends the hops, with these notices before the others.
func (h hops) append(out []byte, first []string) []byte {
	out = append(out, h.head...)
	for _, notice := range first {
		out = append(pharos.AppendString(out, notice), ',')
	}
	if len(first) > 0 && h.rest[0] == ']' {
		out = out[:len(out)-1]
	}
	return append(out, h.rest...)
}

func (b *Board) encodeHops() hops {
	out := []byte(`{"nats":{"up":`)
	out = strconv.AppendBool(out, b.link.Up)
	out = append(out, `,"f":`...)
	out = appendTime(out, b.linkSince)
	out = append(out, `,"store":`...)
	out = strconv.AppendBool(out, b.link.Store)
	out = pharos.AppendField(out, "error", pharos.CleanLine(b.link.Error, pharos.MaxSummary))
	out = append(out, `},"probers":[`...)
	probers := b.sortedProbers()
	for i, p := range probers[:min(len(probers), maxListed)] {
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
		out = pharos.AppendField(out, "version", p.heartbeat.Version)
		out = append(out, `,"missed":`...)
		out = strconv.AppendUint(out, p.missedLately(), 10)
		out = append(out, `,"offset":`...)
		out = appendSigned(out, p.offset)
		out = append(out, '}')
	}
	out = append(out, `],"notices":[`...)
	var rest []byte
	for i, notice := range b.notices() {
		if i > 0 {
			rest = append(rest, ',')
		}
		rest = pharos.AppendString(rest, notice)
	}
	return hops{out, append(rest, "]}"...)}
}
