package ui

import (
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Moment is what a page carries at load.
type Moment struct {
	// Asked is what the address asks for, that of a view included: set, site,
	// theme and all else that the script reads.
	Asked url.Values
	// Board is the data of the event "board" of /events; nil: not known.
	Board []byte
	// Now is the time when the page is sent, on the clock that Board's times are
	// of; At is the same for people.
	Now time.Duration
	At  time.Time
}

// Page returns the page as text/html in UTF-8. It must not be cached. It is
// legible before its script has started, and without: then it says so.
// Addresses in it are relative to its folder, so that it works below any path.
// It fails when Board is no event's data.
func Page(m Moment) ([]byte, error) {
	b := state{Build: Build(), Title: "Pharos", now: m.Now.Seconds()}
	if m.Board != nil {
		if err := json.Unmarshal(m.Board, &b); err != nil {
			return nil, fmt.Errorf("reading the board's state, %d bytes: %w", len(m.Board), err)
		}
	}
	counts := b.counts()
	fill := strings.NewReplacer(
		"{{build}}", html.EscapeString(b.Build),
		"{{look}}", look(m.Asked),
		"{{view}}", html.EscapeString(m.Asked.Encode()),
		"{{tab}}", html.EscapeString(b.tab(counts)),
		"{{title}}", html.EscapeString(b.Title),
		"{{tagline}}", html.EscapeString(b.Tagline),
		"{{pills}}", pills(counts),
		"{{size}}", size(len(b.Tiles)),
		"{{sets}}", b.sets(),
		"{{notices}}", b.notices(),
		"{{hops}}", b.hops(),
		"{{at}}", m.At.UTC().Format("15:04:05 UTC"),
		"{{now}}", strconv.FormatFloat(b.now, 'f', 3, 64),
		"{{state}}", strings.ReplaceAll(string(m.Board), "<", `\u003c`),
	)
	return []byte(fill.Replace(string(pages().index))), nil
}

// state is the board as /events tells it; docs/wire.md describes it. Times are
// seconds of the board's clock.
type state struct {
	Build, Title, Tagline string
	Sets                  []struct {
		Name  string
		Tiles []int
	}
	Tiles []tile
	Hops  struct {
		NATS struct {
			Up    bool
			F     float64
			Error string
		}
		Probers []struct {
			Site, Name string
			Up, Left   bool
			F          float64
			Watchers   int
		}
		Notices []string
	}
	now float64
}

type tile struct {
	I          int
	Name, Site string
	S, V, U, M string
	F          float64
	K          *struct {
		S    string
		L, E float64
	}
	R bool
}

// The words and signs of the states, the worst first: those of words.js.
var legend = []struct{ status, sign, name, memory string }{
	{"critical", "\u2715", "critical", "red"},
	{"warning", "!", "warning", "yellow"},
	{"unknown", "?", "unknown", "unknown"},
	{"stale", "?", "no data", "silent"},
	{"waiting", "\u2026", "waiting", "waiting"},
	{"ok", "\u2713", "ok", "ok"},
}

const glow = 300 // seconds for which a flicker is remembered on its tile

func (b *state) counts() map[string]int {
	out := map[string]int{}
	for i := range b.Tiles {
		out[b.Tiles[i].S]++
	}
	return out
}

// tab is what the browser's tab says: the worst state, and the name.
func (b *state) tab(counts map[string]int) string {
	for _, s := range legend {
		if n := counts[s.status]; n > 0 {
			return s.sign + " " + strconv.Itoa(n) + " \u00b7 " + b.Title
		}
	}
	return b.Title
}

// look are the attributes that choose the colours.
func look(asked url.Values) string {
	out := ` data-theme="dark"`
	if theme := asked.Get("theme"); theme != "" {
		out = ` data-theme="` + html.EscapeString(theme) + `"`
	}
	if palette := asked.Get("palette"); palette != "" {
		out += ` data-palette="` + html.EscapeString(palette) + `"`
	}
	return out
}

// size says how large the tiles are until the script knows the window: the
// more, the smaller.
func size(tiles int) string {
	switch {
	case tiles <= 9:
		return ` data-size="few" data-level="0" data-note="1"`
	case tiles <= 30:
		return ` data-size="some" data-level="0" data-note="1"`
	case tiles <= 100:
		return ` data-size="many" data-level="1"`
	}
	return ` data-size="most" data-level="3"`
}

func pills(counts map[string]int) string {
	var out markup
	for _, s := range legend {
		if n := counts[s.status]; n > 0 {
			out.put(`<li data-s="`, s.status, `"><i class="mark"></i>`)
			out.put(`<b>`, strconv.Itoa(n), `</b>`)
			out.put(`<span class="said"> `, s.name, `</span></li>`)
		}
	}
	return out.String()
}

// sets are the sections of the board, in the shape in which tiles.js makes
// them.
func (b *state) sets() string {
	at := make(map[int]*tile, len(b.Tiles))
	for i := range b.Tiles {
		at[b.Tiles[i].I] = &b.Tiles[i]
	}
	var out markup
	for _, set := range b.Sets {
		out.put(`<section class="set"><h2 class="set-name" dir="auto">`, set.Name, `</h2>`)
		out.put(`<ul class="tiles" aria-label="`, set.Name, `">`)
		for _, i := range set.Tiles {
			if t := at[i]; t != nil {
				out.tile(t, b.now)
			}
		}
		out.WriteString(`</ul></section>`)
	}
	return out.String()
}

// markup is HTML in the making.
type markup struct{ strings.Builder }

// put appends a text, escaped, between two pieces of HTML as they are.
func (m *markup) put(before, text, after string) {
	m.WriteString(before)
	m.WriteString(html.EscapeString(text))
	m.WriteString(after)
}

func (m *markup) tile(t *tile, now float64) {
	words := ""
	if t.V == "" {
		words = " words"
	}
	m.put(`<li><div class="tile`, words, `"`)
	m.put(` id="tile-`, strconv.Itoa(t.I), `"`)
	m.put(` data-s="`, t.S, `"`)
	if was := t.flicker(now); was != "" {
		m.put(` data-was="`, t.K.S, `"`)
	}
	m.put(`><div class="head" dir="auto"><span class="name">`, t.Name, `</span>`)
	if t.Site != "" {
		m.put(`<span class="site">`, t.Site, `</span>`)
	}
	unit, note := t.U, ""
	switch {
	case t.V == "":
		unit = ""
	case t.S == "stale", t.S == "waiting": // the last row says it
		note = t.M
	case t.S != "ok":
		note = t.reason()
	}
	m.put(`</div><div class="reading"><span class="value" dir="auto">`, t.reading(), `</span>`)
	m.put(`<span class="unit">`, unit, `</span><i class="mark"></i></div>`)
	m.put(`<div class="note" dir="auto">`, note, `</div>`)
	m.put(`<div class="line" dir="auto">`, t.line(now), `</div></div></li>`)
}

func word(status string) string {
	for _, s := range legend {
		if s.status == status {
			return s.name
		}
	}
	return status
}

func (t *tile) reason() string {
	if t.M != "" {
		return t.M
	}
	return word(t.S)
}

func (t *tile) reading() string {
	switch {
	case t.V != "":
		return t.V
	case t.S == "ok":
		return word(t.S)
	}
	return t.reason()
}

// line is the last row: for how long, or what it went through.
func (t *tile) line(now float64) string {
	if t.S == "ok" && t.R && t.M != "" {
		return t.M
	}
	if was := t.flicker(now); was != "" {
		return was
	}
	since := "for " + spoken(now-t.F)
	switch t.S {
	case "stale":
		return "no data " + since
	case "waiting":
		return "waiting " + since
	}
	return since
}

// flicker is what a tile that is ok went through lately, or "".
func (t *tile) flicker(now float64) string {
	if t.S != "ok" || t.K == nil || now-t.K.E >= glow {
		return ""
	}
	was, ago, lasted := t.K.S, now-t.K.E, "under 1 s"
	for _, s := range legend {
		if s.status == t.K.S {
			was = s.memory
		}
	}
	if t.K.L >= 1 {
		lasted = brief(t.K.L)
	}
	when := brief(ago) + " ago"
	switch {
	case ago < 5:
		when = "just now"
	case ago >= 60 && ago < 120:
		when = "1 minute ago"
	}
	return "was " + was + " " + lasted + ", " + when
}

func (b *state) notices() string {
	var out markup
	for _, text := range b.Hops.Notices {
		out.put(`<li dir="auto">`, text, `</li>`)
	}
	return out.String()
}

// hops are those that the news took to get here, the broken ones first.
func (b *state) hops() string {
	var bad, up markup
	if n := &b.Hops.NATS; n.Up {
		up.WriteString(`<li class="up" dir="auto">NATS</li>`)
	} else {
		bad.put(`<li class="bad" dir="auto">`, "NATS away for "+brief(b.now-n.F), `</li>`)
	}
	sites := map[string]int{}
	for _, p := range b.Hops.Probers {
		sites[p.Site]++
	}
	for _, p := range b.Hops.Probers {
		name := p.Site
		if sites[p.Site] > 1 {
			name += "/" + p.Name
		}
		watched := " \u00b7 " + strconv.Itoa(p.Watchers) + " watchers"
		if p.Watchers == 1 {
			watched = " \u00b7 1 watcher"
		}
		switch {
		case p.Up:
			up.put(`<li class="up" dir="auto">`, name+watched, `</li>`)
		case p.Left:
			up.put(`<li class="odd" dir="auto">`, name+" left "+brief(b.now-p.F)+" ago"+watched, `</li>`)
		case !b.Hops.NATS.Up: // whose fault that is, nobody knows
			up.put(`<li class="odd" dir="auto">`, name+" unheard"+watched, `</li>`)
		default:
			bad.put(`<li class="bad" dir="auto">`, name+" silent for "+brief(b.now-p.F)+watched, `</li>`)
		}
	}
	return bad.String() + up.String()
}

// brief says seconds as "12 s", "5 min", "3 h" or "2 d".
func brief(seconds float64) string {
	n, unit := split(seconds)
	return strconv.Itoa(n) + " " + map[string]string{"second": "s", "minute": "min", "hour": "h", "day": "d"}[unit]
}

// spoken says seconds as "12 seconds" or "1 minute", and as "a moment" below
// five.
func spoken(seconds float64) string {
	if seconds < 5 {
		return "a moment"
	}
	n, unit := split(seconds)
	if n == 1 {
		return "1 " + unit
	}
	return strconv.Itoa(n) + " " + unit + "s"
}

func split(seconds float64) (n int, unit string) {
	switch {
	case seconds >= 86400:
		return int(seconds / 86400), "day"
	case seconds >= 3600:
		return int(seconds / 3600), "hour"
	case seconds >= 60:
		return int(seconds / 60), "minute"
	}
	return max(0, int(seconds)), "second"
}
