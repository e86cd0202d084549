package ui

import (
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
	// Watcher is the id of the one that the page is of; empty: it is a board.
	Watcher string
	// Root leads from the page's folder to the board's: "../", or nothing.
	Root string
	// Sample says that it is the built-in sample that is watched.
	Sample bool
	// Now is the time when the page is sent, on the clock that Board's times are
	// of.
	Now time.Duration
}

// Page returns the page as text/html in UTF-8. It must not be cached. The
// script draws the board from the state that the page carries. Addresses in it
// are relative to its folder, so that it works below any path.
func Page(m Moment) []byte {
	fill := strings.NewReplacer(
		"{{build}}", Build(),
		"{{look}}", look(m.Asked),
		"{{root}}", m.Root,
		"{{worker}}", "assets/"+Build()+"/share.js",
		"{{sample}}", sample(m.Sample),
		"{{watcher}}", html.EscapeString(m.Watcher),
		"{{view}}", html.EscapeString(m.Asked.Encode()),
		"{{now}}", strconv.FormatFloat(m.Now.Seconds(), 'f', 3, 64),
		"{{state}}", strings.ReplaceAll(string(m.Board), "<", `\u003c`),
	)
	return []byte(fill.Replace(string(pages().index)))
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

func sample(is bool) string {
	if is {
		return "1"
	}
	return ""
}
