package web

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pharos/internal/board"
	"pharos/internal/ui"
)

// SetViews puts these boards in force, each at an address of its own: what the
// address stands for, by name. The empty name is that of "/". No name may be
// the first part of another address.
func (s *Server) SetViews(views map[string]url.Values) { s.views.Store(&views) }

const viewKey = "view"

// view lets the address of a view be answered as "/" is.
func (s *Server) view(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		at := c.Request().URL
		if view, ok := (*s.views.Load())[strings.TrimPrefix(at.Path, "/")]; ok {
			at.Path, at.RawPath = "/", ""
			c.Set(viewKey, view)
		}
		return next(c)
	}
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
	moment := ui.Moment{Asked: asked, At: time.Now()}
	moment.Board, moment.Now, err = s.o.Board.Snapshot(c.Request().Context(), board.Filter{Sets: asked["set"], Sites: asked["site"]})
	switch {
	case errors.Is(err, board.ErrFilter):
		return echo.NewHTTPError(http.StatusBadRequest, err.Error())
	case errors.Is(err, board.ErrEnded): // the page comes without a state, and goes on asking for one
	case err != nil:
		return err
	}
	html, err := ui.Page(moment)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.HTMLBlob(http.StatusOK, html)
}
