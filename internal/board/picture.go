package board

import (
	"bytes"
	"strconv"
	"time"

	"pharos/internal/pharos"
)

// picture is all that the screens show at one moment, with each tile encoded
// once. It never changes, so that a snapshot of any filter is made of it
// without holding up the board.
type picture struct {
	n     uint64
	head  []byte // build, title and tagline, as fields
	hops  hops
	sets  []pictureSet
	tiles []pictureTile // by number
	bytes []byte        // of the tiles
}

type pictureSet struct {
	name, token string
	tiles       []int // places in picture.tiles
}

type pictureTile struct {
	i         int // its number in frames
	set, site string
	siteName  string
	// In picture.bytes: from "from" what every screen is told, from "own" the
	// board's own reason, from "reason" the whole one instead, from "values" what a
	// screen on a slow line is not told.
	from, own, reason, values, to int
}

// picture returns that of this moment, or of an earlier one, if the screens were
// told of nothing since.
func (b *Board) picture() *picture {
	if b.pictured != nil && b.pictured.n == b.n {
		return b.pictured
	}
	p := &picture{n: b.n, hops: b.footer.hops, tiles: make([]pictureTile, 0, len(b.order)), bytes: make([]byte, 0, 160*len(b.order))}
	p.head = pharos.AppendField(p.head, "build", b.o.Build)
	p.head = pharos.AppendField(p.head, "title", b.o.Title)
	p.head = pharos.AppendField(p.head, "tagline", b.o.Tagline)
	place := make(map[*tile]int, len(b.order))
	for _, t := range b.order {
		if t.i < 0 {
			continue
		}
		place[t] = len(p.tiles)
		told := t.told()
		lean := told.lean()
		one := pictureTile{i: t.i, set: t.setToken(), site: t.site, siteName: t.siteName, from: len(p.bytes)}
		p.bytes = t.appendNamed(p.bytes, lean&^fieldSummary)
		one.own = len(p.bytes)
		if t.shown.own != "" {
			p.bytes = t.appendFields(p.bytes, fieldSummary, true)
		}
		one.reason = len(p.bytes)
		p.bytes = t.appendFields(p.bytes, lean&fieldSummary, false)
		one.values = len(p.bytes)
		p.bytes = t.appendFields(p.bytes, told&^lean, false)
		one.to = len(p.bytes)
		p.tiles = append(p.tiles, one)
	}
	for _, set := range b.sets {
		s := pictureSet{name: set.name, token: set.token, tiles: make([]int, 0, len(set.tiles))}
		for _, t := range set.tiles {
			if at, there := place[t]; there { // else removed since
				s.tiles = append(s.tiles, at)
			}
		}
		if len(s.tiles) > 0 {
			p.sets = append(p.sets, s)
		}
	}
	b.pictured = p
	return p
}

// appendNamed appends a tile's number, its names and some of its fields.
func (t *tile) appendNamed(out []byte, fields field) []byte {
	out = append(out, `{"i":`...)
	out = strconv.AppendInt(out, int64(t.i), 10)
	out = pharos.AppendField(out, "id", string(t.id))
	out = pharos.AppendField(out, "name", t.name)
	if t.manySites {
		out = pharos.AppendField(out, "site", t.siteName)
	}
	return t.appendFields(out, fields, false)
}

// dataLine begins the data of an event that has an id.
const dataLine = "\ndata: "

// event returns the event with all that a screen shows; a lean one without
// values.
func (p *picture) event(c *choice, lean bool, now time.Duration) *Event {
	size := len(p.bytes)
	if !c.all() {
		size = 0
		for i := range p.tiles {
			if t := &p.tiles[i]; c.match(t.set, t.site) {
				size += t.to - t.from
			}
		}
	}
	out := append(make([]byte, 0, 512+size+size/8+len(p.hops.rest)), "event: board\nid: "...)
	out = strconv.AppendUint(out, p.n, 10)
	out = append(out, dataLine+"{"...)
	out = appendStamp(out, p.n, now)
	out = append(out, p.head...)
	out = append(out, `,"sets":[`...)
	firstSet := true
	for _, set := range p.sets {
		firstTile := true
		for _, at := range set.tiles {
			t := &p.tiles[at]
			if !c.all() && !c.match(t.set, t.site) {
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
	for i := range p.tiles {
		t := &p.tiles[i]
		if !c.all() && !c.match(t.set, t.site) {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(out, p.bytes[t.from:t.own]...)
		if c.bare {
			out = append(out, p.bytes[t.own:t.reason]...)
		} else {
			out = append(out, p.bytes[t.reason:t.values]...)
		}
		if !lean {
			out = append(out, p.bytes[t.values:t.to]...)
		}
		out = append(out, '}')
	}
	out = append(out, ']')
	missing := p.missing(c)
	for i, text := range missing {
		if i == 0 {
			out = append(out, `,"missing":[`...)
		} else {
			out = append(out, ',')
		}
		out = pharos.AppendString(out, text)
	}
	if len(missing) > 0 {
		out = append(out, ']')
	}
	out = append(out, `,"hops":`...)
	out = p.hops.append(out, missing)
	return &Event{Bytes: append(out, "}\n\n"...)}
}

// eventData returns the data of a snapshot.
func eventData(e *Event) []byte {
	_, data, _ := bytes.Cut(e.Bytes, []byte(dataLine))
	return bytes.TrimSuffix(data, []byte("\n\n"))
}
