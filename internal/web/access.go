package web

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pharos/internal/board"
	"pharos/internal/pharos"
	"pharos/internal/redact"
)

// Access says who sees what.
type Access struct {
	SignedIn bool              // others do not see the board
	Users    map[string]string // bcrypt hashes of passwords, by name
	Screens  []Screen
	// UserHeader is the header in which a trusted proxy names who has signed in
	// there; empty: none.
	UserHeader string
	Detail     Detail // what those see who have not signed in
}

// Detail is how much somebody sees of what a watcher looks at and has seen,
// besides its status, its value and for how long.
type Detail string

// The levels of detail.
const (
	None     Detail = "none"
	Redacted Detail = "redacted" // reasons, phases, facts and output, without a command's arguments and an address's query
	Full     Detail = "full"     // targets and command lines, too
)

// text returns what is seen of a text of a prober.
func (d Detail) text(s string, t *board.Tile) string {
	switch d {
	case Full:
		return s
	case None:
		return ""
	}
	return redact.Arguments(s, t.Address, t.Command)
}

// Screen may look without signing in, as long as it has a key.
type Screen struct{ Name, Key string }

// viewer is who asks.
type viewer struct {
	person string    // who has signed in; empty: nobody
	screen string    // the name of one that was opened with its key; empty: none
	until  time.Time // when that ends; zero: it does not
}

// viewer returns who asks, by what the request carries.
func (s *Server) viewer(r *http.Request) viewer {
	now := s.settings.Load()
	if header := now.Access.UserHeader; header != "" && now.Guard.trusts(remote(r.RemoteAddr)) {
		// Two of them are one of the proxy and one of somebody else.
		if names := r.Header.Values(header); len(names) == 1 {
			if name := pharos.CleanLine(names[0], pharos.MaxName); name != "" {
				return viewer{person: name}
			}
		}
	}
	for _, c := range r.CookiesNamed(sessionCookie) {
		if name, until := readSession(now.Access.Users, c.Value); name != "" {
			return viewer{person: name, until: until}
		}
	}
	return viewer{screen: now.Access.screen(r)}
}

// mayLook reports whether somebody sees the board.
func (s *Server) mayLook(v viewer) bool {
	return v.person != "" || v.screen != "" || !s.settings.Load().Access.SignedIn
}

// detail returns how much somebody sees.
func (s *Server) detail(v viewer) Detail {
	if v.person != "" {
		return Full
	}
	return cmp.Or(s.settings.Load().Access.Detail, Redacted)
}

const viewerKey = "viewer"

// asking returns who asks, of a request that guarded has let in.
func asking(c echo.Context) viewer { return c.Get(viewerKey).(viewer) }

// guarded lets a handler answer those who may look.
func (s *Server) guarded(answer echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		v := s.viewer(c.Request())
		if opened, err := s.openScreen(c, v); opened || err != nil {
			return err
		}
		if !s.mayLook(v) {
			return s.signInFirst(c)
		}
		c.Set(viewerKey, v)
		return answer(c)
	}
}

// signInFirst leads who asks for a page to where one signs in, and tells programs
// that there is such a place.
func (s *Server) signInFirst(c echo.Context) error {
	root, at, page := place(c)
	if !page {
		c.Response().Header().Set(echo.HeaderWWWAuthenticate, "Bearer")
		return echo.NewHTTPError(http.StatusUnauthorized, "sign in first, at /login")
	}
	if query := c.QueryString(); query != "" {
		at += "?" + query
	}
	to := root + "login"
	if at != "" {
		to += "?" + url.Values{"to": {at}}.Encode()
	}
	return seeOther(c, to)
}

// place returns which page is asked for: its name, and the way to the root, as
// there may be a path before ours.
func place(c echo.Context) (root, at string, page bool) {
	if id := c.Param("id"); c.Path() == "/w/:id" {
		return "../", "w/" + id, true
	}
	at, page = c.Get(pageKey).(string)
	return "./", at, page
}

// isSecure reports whether nobody on the way reads a request.
func (s *Server) isSecure(r *http.Request) bool {
	guard := &s.settings.Load().Guard
	return r.TLS != nil || guard.trusts(remote(r.RemoteAddr)) && strings.EqualFold(r.Header.Get(echo.HeaderXForwardedProto), "https")
}
