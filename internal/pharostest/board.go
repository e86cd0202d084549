package pharostest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"strings"
)

// Event is one of a stream of Server-Sent Events.
type Event struct {
	Name, ID string
	Data     []byte
}

// ParseEvent reads the lines of one. Without data it is none.
func ParseEvent(text []byte) (e Event, ok bool) {
	for line := range bytes.Lines(text) {
		switch field, value, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), ": "); field {
		case "event":
			e.Name = value
		case "id":
			e.ID = value
		case "data":
			e.Data = append(e.Data, value...)
		}
	}
	return e, e.Data != nil
}

// Events reads a stream to its end.
func Events(r io.Reader) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		var text []byte
		for in := bufio.NewReaderSize(r, 64<<10); ; {
			line, err := in.ReadBytes('\n')
			if err != nil {
				return
			}
			if text = append(text, line...); len(bytes.TrimRight(line, "\r\n")) > 0 {
				continue
			}
			if e, ok := ParseEvent(text); ok && !yield(e) {
				return
			}
			text = text[:0]
		}
	}
}

// Tile is what a screen knows of a tile, by the names of docs/wire.md.
type Tile map[string]any

// Text returns one that is a text; "" where there is none.
func (t Tile) Text(key string) string { s, _ := t[key].(string); return s }

// Number returns one that is a number; 0 where there is none.
func (t Tile) Number(key string) float64 { n, _ := t[key].(float64); return n }

// Part returns one that has parts, such as the flicker.
func (t Tile) Part(key string) Tile { m, _ := t[key].(map[string]any); return m }

// Status returns the status that the tile shows.
func (t Tile) Status() string { return t.Text("s") }

// Board is what a screen believes: it takes events by the rules of the page.
type Board struct {
	T      float64 // of the newest event, on the board's clock
	Sets   []Set
	Tiles  map[int]Tile
	Hops   Hops
	Line   Line // what the screen was told last of its own line
	Events []string
	byID   map[string]Tile
	turned []Tile // by the newest event, to another status
}

// Set is a section of a board, with the numbers of its tiles.
type Set struct {
	Name  string
	Tiles []int
}

// Line is what a screen is told of its own line.
type Line struct {
	Behind float64
	Values bool
}

// Hops are the links of the way to the eyes.
type Hops struct {
	NATS struct {
		Up, Store bool
		Error     string
	}
	Probers []Prober
	Notices []string
}

// Prober is one of the hops.
type Prober struct {
	ID       string
	Up, Left bool
	From     float64 `json:"f"` // when it was heard last, where it is not up
	Watchers int
	Offset   float64
	Missed   float64
}

// Hear takes an event. After an error the page connects anew.
func (b *Board) Hear(e Event) error {
	var d struct {
		T        float64
		Sets     []Set
		Tiles, U []Tile
		Hops     *Hops
		Line
	}
	if err := json.Unmarshal(e.Data, &d); err != nil {
		return fmt.Errorf("reading %s: %w", e.Data, err)
	}
	b.Events, b.turned = append(b.Events, e.Name), nil
	turned := func(t Tile, was string) {
		if t.Status() != was {
			b.turned = append(b.turned, t)
		}
	}
	switch e.Name {
	case "line":
		b.Line = d.Line
		return nil
	case "board":
		before := b.byID
		b.Sets, b.Tiles, b.byID = d.Sets, map[int]Tile{}, map[string]Tile{}
		for _, t := range d.Tiles {
			id := t.Text("id")
			b.Tiles[int(t.Number("i"))], b.byID[id] = t, t
			turned(t, before[id].Status())
		}
	}
	b.T = d.T
	if d.Hops != nil {
		b.Hops = *d.Hops
	}
	for _, u := range d.U {
		t := b.Tiles[int(u.Number("i"))]
		if t == nil {
			return fmt.Errorf("a frame speaks of tile %v, which no board has named", u)
		}
		was := t.Status()
		maps.Copy(t, u)
		turned(t, was)
	}
	return nil
}

// Tile returns the tile of an id or of a name; nil where there is none.
func (b *Board) Tile(key string) Tile {
	if t := b.byID[key]; t != nil {
		return t
	}
	for _, t := range b.Tiles {
		if t["name"] == key {
			return t
		}
	}
	return nil
}

// Prober returns whether a prober is known, and whether it is up.
func (b *Board) Prober(id string) (known, up bool) {
	for _, p := range b.Hops.Probers {
		if p.ID == id {
			return true, p.Up
		}
	}
	return false, false
}

// Shows reports whether there is a tile of that id or name in that status.
func (b *Board) Shows(key, status string) bool { return b.Tile(key).Status() == status }
