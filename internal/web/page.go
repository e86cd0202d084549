package web

import (
	"compress/gzip"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"pharos/internal/board"
	"pharos/internal/pharos"
	"pharos/internal/ui"
)

const (
	viewKey = "view" // what the address stands for
	pageKey = "page" // the name of the view
)

// view lets the address of a view be answered as "/" is. One with a slash at its
// end leads to the one without: what the page refers to is beside it.
func (s *Server) view(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		at := c.Request().URL
		name, slash := strings.CutSuffix(strings.TrimPrefix(at.Path, "/"), "/")
		view, ok := s.settings.Load().Views[name]
		switch {
		case !ok:
		case slash && name != "":
			to := &url.URL{Path: "../" + name, RawQuery: at.RawQuery} // relative, as there may be a path before ours
			c.Response().Header().Set(echo.HeaderLocation, to.String())
			return c.NoContent(http.StatusPermanentRedirect)
		default:
			at.Path, at.RawPath = "/", ""
			c.Set(viewKey, view)
			c.Set(pageKey, name)
		}
		return next(c)
	}
}

// noPage answers where there is nothing: a view that is called otherwise, or no
// more.
func (s *Server) noPage(c echo.Context) error {
	name := strings.TrimSuffix(strings.TrimPrefix(c.Request().URL.Path, "/"), "/")
	if strings.Contains(name, "/") {
		return echo.ErrNotFound
	}
	there := slices.Sorted(maps.Keys(s.settings.Load().Views))
	there = slices.DeleteFunc(there, func(name string) bool { return name == "" })
	text := "no view " + quoted(name) + ": "
	switch len(there) {
	case 0:
		text += "the file names none under dashboard.views"
	case 1:
		text += "there is " + there[0]
	default:
		text += "there are " + strings.Join(there, ", ")
	}
	return echo.NewHTTPError(http.StatusNotFound, text)
}

// page answers "/" and the address of a view.
func (s *Server) page(c echo.Context) error {
	asked, err := query(c)
	if err != nil {
		return err
	}
	view, _ := c.Get(viewKey).(url.Values)
	return s.sendPage(c, ui.Moment{Asked: merged(view, asked)}) // the address goes before the view
}

// watcher answers the address of a page of one watcher.
func (s *Server) watcher(c echo.Context) error {
	asked, err := query(c)
	if err != nil {
		return err
	}
	id := c.Param("id")
	alone := url.Values{}
	if t, ok := s.o.Board.Tile(s.ctx, pharos.WatcherID(id)); ok { // of one that is not there yet, the page asks for all
		alone = url.Values{"set": {t.Set}, "site": {t.Site}}
	}
	return s.sendPage(c, ui.Moment{Asked: merged(asked, alone), Watcher: id, Root: "../"})
}

// query is what the page is asked for by its address.
func query(c echo.Context) (url.Values, error) {
	asked, err := url.ParseQuery(c.QueryString()) // c.QueryParams drops what is broken: the screen would show all
	if err != nil {
		return nil, echo.NewHTTPError(http.StatusBadRequest, "reading the address: "+err.Error())
	}
	asked.Del("logo") // which only the file says
	return asked, nil
}

// merged is what both ask for, the second before the first.
func merged(first, second url.Values) url.Values {
	out := url.Values{}
	maps.Copy(out, first)
	maps.Copy(out, second)
	return out
}

func (s *Server) sendPage(c echo.Context, m ui.Moment) error {
	m.Sample = s.o.Sample != nil
	d := s.detail(asking(c))
	return s.share(c, "page "+string(d)+" "+m.Watcher+"?"+m.Asked.Encode(), func() (kind string, body []byte, err error) {
		m.Board, m.Now, err = s.o.Board.Snapshot(s.ctx, board.Filter{Sets: m.Asked["set"], Sites: m.Asked["site"], Bare: d == None})
		if errors.Is(err, board.ErrFilter) {
			return "", nil, echo.NewHTTPError(http.StatusBadRequest, err.Error())
		} // after another, the page comes without a state, and goes on asking for one
		return echo.MIMETextHTMLCharsetUTF8, ui.Page(m), nil
	})
}

// squeezers are compressors of pages, which are too large to be made for each.
var squeezers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // there is such a level
	return w
}}

// asset answers the page of another build, which another dashboard behind the
// same address has sent, with what it has of that name: a page whose script
// starts finds out and loads itself anew, one without stays dead.
func (s *Server) asset(c echo.Context) error {
	cache := "public, max-age=31536000, immutable"
	a, ok := ui.Find(c.Param("build") + "/" + c.Param("name"))
	if !ok {
		cache = "no-store"
		a, ok = ui.Find(ui.Build() + "/" + c.Param("name"))
	}
	if !ok {
		return echo.NewHTTPError(http.StatusNotFound, "no such asset; the page of another version asks for it: reload")
	}
	c.Response().Header().Set("Cache-Control", cache)
	if compressed(c) {
		return c.Blob(http.StatusOK, a.Type, a.Gzip)
	}
	return c.Blob(http.StatusOK, a.Type, a.Data)
}

// logo answers with a picture of a view, whose name is made of what is in it.
func (s *Server) logo(c echo.Context) error {
	logo, ok := s.settings.Load().Logos[c.Param("name")]
	if !ok {
		return echo.NewHTTPError(http.StatusNotFound, "no such logo")
	}
	c.Response().Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	return c.Blob(http.StatusOK, logo.Type, logo.Data)
}

// compressed reports whether the answer is to be compressed by gzip, and says so
// in its head.
func compressed(c echo.Context) bool {
	h := c.Response().Header()
	h.Add(echo.HeaderVary, echo.HeaderAcceptEncoding)
	if !takesGzip(c.Request().Header.Values(echo.HeaderAcceptEncoding)) {
		return false
	}
	h.Set(echo.HeaderContentEncoding, "gzip")
	return true
}

// takesGzip reads Accept-Encoding (RFC 9110, section 12.5.3): "gzip" goes before
// "*", and a weight of 0 refuses.
func takesGzip(accept []string) bool {
	any := false
	for part := range strings.SplitSeq(strings.ToLower(strings.Join(accept, ",")), ",") {
		name, weight, weighted := strings.Cut(part, ";")
		takes := true
		if weighted {
			text, ok := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
			q, err := strconv.ParseFloat(text, 64)
			takes = ok && err == nil && q > 0
		}
		switch strings.TrimSpace(name) {
		case "gzip":
			return takes
		case "*":
			any = takes
		}
	}
	return any
}
