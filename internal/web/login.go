package web

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/crypto/bcrypt"
)

//go:embed forms
var forms embed.FS

var pages = template.Must(template.ParseFS(forms, "forms/*.html"))

const (
	maxForm = 8 << 10 // bytes
	// So many passwords are compared at once: each takes a fraction of a second of
	// a core.
	maxComparing  = 2
	comparingWait = 5 * time.Second
)

// loginPage is what the page shows where one signs in.
type loginPage struct {
	Person string // who has signed in
	Form   bool   // there are users
	Name   string
	To     string
	Plain  bool // the password could be read on its way
	Wrong  string
}

// there are the pages to which one may be led after signing in.
var there = regexp.MustCompile(`^([a-z0-9-]{0,40}|w/[A-Za-z0-9._-]{1,300})(\?[!-\[\]-~]*)?$`)

// formPage answers with a page that has a form.
func (s *Server) formPage(c echo.Context, code int, name string, data any) error {
	var out bytes.Buffer
	if err := pages.ExecuteTemplate(&out, name, data); err != nil {
		return fmt.Errorf("making %s: %w", name, err)
	}
	h := c.Response().Header()
	h.Set("Content-Security-Policy", strings.Replace(s.settings.Load().policy, "form-action 'none'", "form-action 'self'", 1))
	h.Set("Referrer-Policy", "same-origin") // without any, browsers do not say where a form comes from
	h.Set(echo.HeaderCacheControl, "no-store")
	return c.HTMLBlob(code, out.Bytes())
}

// formFile answers a file of the pages with forms.
func formFile(kind string) echo.HandlerFunc {
	return func(c echo.Context) error {
		data, err := forms.ReadFile("forms" + c.Path())
		if err != nil {
			return err
		}
		c.Response().Header().Set(echo.HeaderCacheControl, "no-cache")
		return c.Blob(http.StatusOK, kind, data)
	}
}

func (s *Server) login(c echo.Context) error {
	p := loginPage{Person: s.viewer(c.Request()).person, To: c.QueryParam("to")}
	return s.showLogin(c, http.StatusOK, p)
}

func (s *Server) showLogin(c echo.Context, code int, p loginPage) error {
	p.Form = len(s.settings.Load().Access.Users) > 0
	p.Plain = !s.isSecure(c.Request()) && !s.client(c.Request()).IsLoopback()
	return s.formPage(c, code, "login.html", p)
}

// posted lets a handler read a form that comes from a page of ours.
func (s *Server) posted(answer echo.HandlerFunc) echo.HandlerFunc {
	origin := http.NewCrossOriginProtection()
	return func(c echo.Context) error {
		r := c.Request()
		if err := origin.Check(r); err != nil {
			return echo.NewHTTPError(http.StatusForbidden, "this form was sent by a page of somebody else")
		}
		r.Body = http.MaxBytesReader(c.Response(), r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			return echo.NewHTTPError(http.StatusBadRequest, "reading the form: "+err.Error())
		}
		return answer(c)
	}
}

// signIn answers the form of the page where one signs in.
func (s *Server) signIn(c echo.Context) error {
	r := c.Request()
	p := loginPage{Name: r.PostForm.Get("name"), To: r.PostForm.Get("to")}
	from := neighbourhood(s.client(r))
	if wait := s.tries.begin(from); wait > 0 {
		seconds := int(math.Ceil(wait.Seconds()))
		c.Response().Header().Set(echo.HeaderRetryAfter, fmt.Sprint(seconds))
		p.Wrong = fmt.Sprintf("Too many tries from your address. Wait %d s.", seconds)
		return s.showLogin(c, http.StatusTooManyRequests, p)
	}
	ok, err := s.compare(c, p.Name, r.PostForm.Get("password"))
	s.tries.end(from, ok)
	switch {
	case err != nil:
		return err
	case !ok:
		s.o.Log.Warn("somebody could not sign in", "name", quoted(p.Name), "address", s.client(r).String())
		p.Wrong = "The name or the password is wrong."
		return s.showLogin(c, http.StatusUnauthorized, p)
	}
	s.o.Log.Info("signed in", "name", p.Name, "address", s.client(r).String())
	session := newSession(s.settings.Load().Access.Users, p.Name, time.Now().Add(sessionFor))
	c.SetCookie(s.cookie(r, sessionCookie, session, sessionFor))
	to := ""
	if there.MatchString(p.To) {
		to = p.To
	}
	return seeOther(c, "./"+to)
}

// seeOther leads to another page, relative to this one.
func seeOther(c echo.Context, to string) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	c.Response().Header().Set(echo.HeaderLocation, to)
	return c.NoContent(http.StatusSeeOther)
}

// compare reports whether that is a user's password. A name that nobody has takes
// as long as one that somebody has.
func (s *Server) compare(c echo.Context, name, password string) (bool, error) {
	users := s.settings.Load().Access.Users
	hash := users[name]
	known := hash != ""
	for _, other := range users {
		hash = cmp.Or(hash, other)
	}
	select {
	case s.comparing <- struct{}{}:
		defer func() { <-s.comparing }()
	case <-c.Request().Context().Done():
		return false, c.Request().Context().Err()
	case <-time.After(comparingWait):
		return false, retryLater(c, 5, "too many people are signing in")
	}
	return bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil && known, nil
}

// signOut forgets, in this browser, who has signed in.
func (s *Server) signOut(c echo.Context) error {
	c.SetCookie(s.cookie(c.Request(), sessionCookie, "", -time.Second))
	return seeOther(c, "./login")
}
