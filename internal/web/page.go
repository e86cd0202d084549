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
	"pharos/internal/ui"
)

const viewKey = "view"

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
	query, err := url.ParseQuery(c.QueryString()) // c.QueryParams drops what is broken: the screen would show all
	if err != nil {
		return echo.NewHTTPError(http.StatusBadRequest, "reading the address: "+err.Error())
	}
	view, _ := c.Get(viewKey).(url.Values)
	asked := url.Values{}
	maps.Copy(asked, view)
	maps.Copy(asked, query) // the address goes before the view
	d := s.detail(c)
	return s.share(c, "page "+string(d)+"?"+asked.Encode(), func() (string, []byte, error) {
		moment := ui.Moment{Asked: asked}
		var err error
		moment.Board, moment.Now, err = s.o.Board.Snapshot(s.ctx, board.Filter{Sets: asked["set"], Sites: asked["site"], Bare: d == None})
		if errors.Is(err, board.ErrFilter) {
			return "", nil, echo.NewHTTPError(http.StatusBadRequest, err.Error())
		} // after another, the page comes without a state, and goes on asking for one
		return echo.MIMETextHTMLCharsetUTF8, ui.Page(moment), nil
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
