package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pharos/internal/pharos"
	"pharos/internal/ui"
)

// order is what a screen is told to do: the event "screen" of its stream.
type order struct {
	Identify string `json:"identify,omitempty"` // show this name, large, for ten seconds
	Reload   bool   `json:"reload,omitempty"`
	Show     string `json:"show,omitempty"` // go to this page, relative to the board's folder
}

// maxOrders are held for a screen that does not take them.
const maxOrders = 4

// errOrders is told where a screen takes none.
var errOrders = echo.NewHTTPError(http.StatusServiceUnavailable, "this screen has not done yet what it was told before")

// screenRow is one screen, for the page of all.
type screenRow struct {
	ID      uint64 // of its stream; 0: it is not there
	Name    string // of one with a key, or who has signed in; empty: nobody knows
	Address string
	Shows   string
	Version string
	Contact string
	since   time.Time
}

// seen is what is remembered of a screen with a key that has gone.
type seen struct {
	row  screenRow
	last time.Time
}

// row tells of a stream.
func (s *Server) row(st *stream, now time.Time) screenRow {
	r := screenRow{ID: st.id, Name: cmp.Or(st.viewer.screen, st.viewer.person), Address: st.client, Shows: "/" + st.shows, since: st.since}
	switch build, _, _ := strings.Cut(st.build, "-"); build {
	case "": // no page of ours
	case ui.Build():
		r.Version = s.o.Version
	default:
		r.Version = "another"
	}
	r.Contact = "now"
	if late := now.Sub(time.Unix(0, st.contact.Load())); late >= 3*time.Second {
		r.Contact = ago(late)
	}
	return r
}

// ago says for how long nothing was heard.
func ago(d time.Duration) string { return pharos.HumanDuration(d) + " ago" }

// rows are all screens that are there, and those with a key that are not.
func (s *Server) rows() []screenRow {
	now := time.Now()
	screens := s.settings.Load().Access.Screens
	k := &s.streams
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []screenRow
	there := map[string]bool{}
	for st := range k.open {
		if st.conn != nil {
			out = append(out, s.row(st, now))
			there[st.viewer.screen] = true
		}
	}
	for _, one := range screens {
		if there[one.Name] {
			continue
		}
		row := screenRow{Name: one.Name, Contact: "none since this dashboard started"}
		if was, ok := k.gone[one.Name]; ok {
			row = was.row
			row.ID, row.Contact = 0, ago(now.Sub(was.last))
		}
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b screenRow) int {
		return cmp.Or(-cmp.Compare(min(len(a.Name), 1), min(len(b.Name), 1)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Address, b.Address), a.since.Compare(b.since))
	})
	return out
}

// signedIn lets a handler answer those who have signed in.
func (s *Server) signedIn(answer echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		v := s.viewer(c.Request())
		if v.person == "" {
			c.Set(pageKey, strings.TrimPrefix(c.Request().URL.Path, "/"))
			return s.signInFirst(c)
		}
		c.Set(viewerKey, v)
		return answer(c)
	}
}

// screensPage lists the screens.
func (s *Server) screensPage(c echo.Context) error {
	views := slices.Sorted(maps.Keys(s.settings.Load().Views))
	return s.formPage(c, http.StatusOK, "screens.html", map[string]any{"Person": asking(c).person, "Rows": s.rows(), "Views": views})
}

// orderScreen tells a screen what to do.
func (s *Server) orderScreen(c echo.Context) error {
	form := c.Request().PostForm
	id, err := strconv.ParseUint(form.Get("screen"), 10, 64)
	if err != nil {
		return echo.NewHTTPError(http.StatusBadRequest, "which screen?")
	}
	var o order
	view := form.Get("view")
	_, known := s.settings.Load().Views[view]
	switch form.Get("do") {
	case "identify":
	case "reload":
		o.Reload = true
	case "show":
		if !known {
			return echo.NewHTTPError(http.StatusBadRequest, "no view "+quoted(view))
		}
		o.Show = "./" + view
	default:
		return echo.NewHTTPError(http.StatusBadRequest, "want identify, reload or show")
	}
	if err := s.streams.order(id, o); err != nil {
		return err
	}
	s.o.Log.Info("a screen was told what to do", "by", asking(c).person, "screen", id, "what", form.Get("do"))
	return seeOther(c, "./screens")
}

// order has a screen told to do something. One that is to identify itself shows
// its name, or its address.
func (k *streams) order(id uint64, o order) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for st := range k.open {
		if st.id != id || st.conn == nil {
			continue
		}
		if o == (order{}) {
			o.Identify = cmp.Or(st.viewer.screen, st.viewer.person, st.client)
		}
		select {
		case st.orders <- o:
			return nil
		default:
			return errOrders
		}
	}
	return echo.NewHTTPError(http.StatusNotFound, "this screen has gone, or watches another dashboard")
}

// event is the order as a screen is sent it.
func (o order) event() ([]byte, error) {
	data, err := json.Marshal(o)
	return fmt.Appendf(nil, "event: screen\ndata: %s\n\n", data), err
}
