package web

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"pharos/internal/board"
	"pharos/internal/pharos"
	"pharos/internal/redact"
)

type apiBoard struct {
	Title   string         `json:"title"`
	Tagline string         `json:"tagline"`
	Version string         `json:"version"`
	Counts  map[string]int `json:"counts"`
	NATS    apiLink        `json:"nats"`
	Probers []apiProber    `json:"probers"`
	Notices []string       `json:"notices"`
	Sets    []apiSet       `json:"sets"`
	Screens int            `json:"screens"`
	AllOK   bool           `json:"ok"` // every watcher is ok, none stale or waiting
}

type apiLink struct {
	Up    bool   `json:"up"`
	Store bool   `json:"store"`
	Error string `json:"error"`
}

type apiProber struct {
	ID       string         `json:"id"`
	Site     string         `json:"site"`
	Name     string         `json:"name"`
	Version  string         `json:"version"`
	Up       bool           `json:"up"`
	Left     bool           `json:"left"`
	Silent   float64        `json:"silent"`
	Watchers int            `json:"watchers"`
	Missed   uint64         `json:"missed"`
	Lag      pharos.Seconds `json:"lag"`
	Offset   float64        `json:"offset"`
}

type apiSet struct {
	Name     string       `json:"name"`
	Watchers []apiWatcher `json:"watchers"`
}

// apiWatcher is one watcher; times are seconds. Detail and Facts are there only
// when one watcher alone was asked for.
type apiWatcher struct {
	ID          pharos.WatcherID `json:"id"`
	Site        string           `json:"site"`
	Set         string           `json:"set"`
	Name        string           `json:"name"`
	Kind        string           `json:"kind,omitempty"`
	Address     string           `json:"target,omitempty"`
	Description string           `json:"description,omitempty"`
	Link        string           `json:"link,omitempty"`
	Interval    pharos.Seconds   `json:"interval,omitzero"`
	Status      string           `json:"status"`
	Stale       bool             `json:"stale"`
	Value       *float64         `json:"value,omitempty"`
	Unit        string           `json:"unit,omitempty"`
	Text        string           `json:"text,omitempty"`
	Display     string           `json:"display"`
	Summary     string           `json:"summary"`
	For         float64          `json:"for"`
	Age         float64          `json:"age"`
	Running     bool             `json:"running"`
	Prober      string           `json:"prober,omitempty"`
	Detail      *string          `json:"detail,omitempty"`
	Facts       []pharos.Fact    `json:"facts,omitempty"`
	Phases      []pharos.Phase   `json:"phases,omitempty"`
	Flickers    []apiFlicker     `json:"flickers"`
	Within      float64          `json:"ttl,omitempty"`
	Lag         float64          `json:"lag,omitempty"`
	Missed      uint64           `json:"missed,omitempty"`
	At          *time.Time       `json:"at,omitempty"`
}

type apiFlicker struct {
	Status string  `json:"status"`
	Lasted float64 `json:"lasted"`
	Ago    float64 `json:"ago"`
}

// statusWord is the status that a tile is shown with: a stale one is never ok.
func statusWord(t *board.Tile) string {
	if t.Stale {
		return "stale"
	}
	return t.Result.Status.String()
}

// watcher is what a list says of a tile.
func watcher(t *board.Tile, d Detail) apiWatcher {
	r := &t.Result
	w := apiWatcher{
		ID: t.ID, Site: t.Site, Set: t.Set, Name: t.Name, Kind: t.Kind, Address: t.Address, Interval: t.Interval,
		Status: statusWord(t), Stale: t.Stale, Unit: r.Unit, Text: r.Text, Summary: r.Summary, For: round(r.For.Duration()), Age: round(t.Age),
		Running: r.Running, Prober: r.Prober, Flickers: []apiFlicker{}, Display: t.Display,
	}
	if t.Unit != "" {
		w.Display += " " + t.Unit
	}
	if r.Value.OK {
		w.Value = &r.Value.V
	}
	for _, f := range r.Flickers {
		w.Flickers = append(w.Flickers, apiFlicker{f.Status.String(), round(f.Lasted.Duration()), round(f.Ago.Duration())})
	}
	switch d {
	case Full:
	case None:
		w.Address, w.Summary = "", t.Own
	default:
		w.Address, w.Summary = redact.Target(w.Address, t.Command), redact.Arguments(w.Summary, t.Address, t.Command)
	}
	return w
}

func detailed(t *board.Tile, d Detail) apiWatcher {
	w, r := watcher(t, d), &t.Result
	w.Within, w.Lag, w.Missed = r.TTL.Seconds(), r.Lag.Seconds(), r.Missed
	if d != None {
		w.Description, w.Link = t.Description, t.Link
		text := d.text(r.Detail, t)
		w.Detail, w.Phases = &text, r.Phases
		for _, f := range r.Facts {
			w.Facts = append(w.Facts, pharos.Fact{Name: f.Name, Value: d.text(f.Value, t)})
		}
	}
	if !r.At.IsZero() {
		w.At = &r.At
	}
	return w
}

// round returns seconds, exact to the millisecond.
func round(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

func (s *Server) apiBoard(c echo.Context) error {
	return s.encoded(c, "board", s.boardOf)
}

// encoded answers with what is made of the board's state, as JSON.
func (s *Server) encoded(c echo.Context, key string, of func(*board.State, Detail) any) error {
	d := s.detail(asking(c))
	return s.share(c, key+" "+string(d), func() (kind string, body []byte, err error) {
		state := s.o.Board.State(s.ctx)
		if state == nil {
			return "", nil, errStopping
		}
		return jsonOf(of(state, d))
	})
}

func jsonOf(v any) (kind string, body []byte, err error) {
	body, err = json.Marshal(v)
	return echo.MIMEApplicationJSON, append(body, '\n'), err
}

func (s *Server) boardOf(state *board.State, d Detail) any {
	out := apiBoard{
		Title: state.Title, Tagline: state.Tagline, Version: s.o.Version, Counts: counts(state),
		NATS: apiLink(state.Link), Probers: []apiProber{}, Notices: append([]string{}, state.Notices...), Sets: []apiSet{}, Screens: s.o.Board.Screens(),
	}
	for i := range state.Probers {
		p := &state.Probers[i]
		out.Probers = append(out.Probers, apiProber{p.ID, p.Site, p.Name, p.Version, p.Up, p.Left, round(p.Silent), p.Watchers, p.Missed, p.Lag, p.Offset.Seconds()})
	}
	total := 0
	for i := range state.Sets {
		set := apiSet{Name: state.Sets[i].Name}
		for j := range state.Sets[i].Tiles {
			set.Watchers = append(set.Watchers, watcher(&state.Sets[i].Tiles[j], d))
			total++
		}
		out.Sets = append(out.Sets, set)
	}
	out.AllOK = total > 0 && out.Counts["ok"] == total
	return out
}

// counts returns how many tiles are shown with each status, zeros included.
func counts(state *board.State) map[string]int {
	out := map[string]int{"ok": 0, "warning": 0, "critical": 0, "unknown": 0, "waiting": 0, "stale": 0}
	for i := range state.Sets {
		for j := range state.Sets[i].Tiles {
			out[statusWord(&state.Sets[i].Tiles[j])]++
		}
	}
	return out
}

func (s *Server) apiWatcher(c echo.Context) error {
	id, d := c.Param("id"), s.detail(asking(c))
	return s.share(c, "watcher "+id+" "+string(d), func() (string, []byte, error) {
		t, ok := s.o.Board.Tile(s.ctx, pharos.WatcherID(id))
		if !ok {
			return "", nil, echo.NewHTTPError(http.StatusNotFound, "no such watcher; /api/v1/board lists them with their ids")
		}
		return jsonOf(detailed(&t, d))
	})
}
