package web

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"pharos/internal/board"
	"pharos/internal/pharos"
)

// pollWatcher is one watcher as the original's /poll/json has it.
type pollWatcher struct {
	ID             string  `json:"id"`
	Name           string  `json:"name"`
	StatusOK       bool    `json:"status_ok"`
	StatusWarning  bool    `json:"status_warning"`
	StatusCritical bool    `json:"status_critical"`
	Value          any     `json:"value"`
	Detail         *string `json:"detail"`
	Duration       string  `json:"duration"`
}

// poll answers in the original's own format, so that its page works. It knows
// three statuses and its page needs just one of them: what is stale is
// critical, what is unknown or has not been looked at is a warning.
func (s *Server) poll(c echo.Context) error {
	return s.encoded(c, "poll", pollOf)
}

func pollOf(state *board.State, d Detail) any {
	out := struct {
		Watchers []pollWatcher `json:"metric_watchers"`
	}{[]pollWatcher{}}
	used := map[string]bool{}
	for i := range state.Sets {
		for j := range state.Sets[i].Tiles {
			t := &state.Sets[i].Tiles[j]
			w := pollWatcher{ID: pollID(t, used), Name: t.Name, Value: pollValue(t), Duration: pharos.HumanDuration(t.Result.For.Duration())}
			switch {
			case t.Stale, t.Result.Status == pharos.Critical:
				w.StatusCritical = true
			case t.Result.Status == pharos.OK:
				w.StatusOK = true
			default:
				w.StatusWarning = true
			}
			if t.Stale {
				w.Duration = pharos.HumanDuration(t.Age)
			}
			if text := d.text(t.Result.Detail, t); t.Known && text != "" {
				w.Detail = &text
			}
			out.Watchers = append(out.Watchers, w)
		}
	}
	return out
}

// pollValue is a time as "%.4f" seconds, another number, or a text; without any of
// them, null for what is well, and "unknown" for what is not.
func pollValue(t *board.Tile) any {
	r := &t.Result
	switch {
	case r.Value.OK && r.Unit == "s":
		return fmt.Sprintf("%.4f", r.Value.V)
	case r.Value.OK:
		return r.Value.V
	case r.Text != "":
		return r.Text
	case r.Status == pharos.OK:
		return nil
	}
	return "unknown"
}

// pollID is the original's id of a name (lower case, white space to "_", all
// but ASCII letters, digits and "_" left out), made unique where the original's
// was not: by the site, the set, a number.
func pollID(t *board.Tile, used map[string]bool) string {
	slug := func(s string) string {
		return strings.Map(func(r rune) rune {
			switch {
			case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '_':
				return r
			case 'A' <= r && r <= 'Z':
				return r + 'a' - 'A'
			case r == ' ', '\t' <= r && r <= '\r':
				return '_'
			}
			return -1
		}, s)
	}
	id := slug(t.Name)
	if id == "" {
		id = "watcher"
	}
	for _, more := range []string{t.Site, t.Set} {
		if !used[id] {
			break
		}
		id = slug(more) + "_" + id
	}
	unique := id
	for n := 2; used[unique]; n++ {
		unique = id + "_" + strconv.Itoa(n)
	}
	used[unique] = true
	return unique
}
