package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	screenCookie = "pharos-screen"
	screenFor    = 400 * 24 * time.Hour // more than browsers keep a cookie
	keyParameter = "key"
)

// screen returns which one asks, by its cookie, or as a program by its key; empty:
// none.
func (a *Access) screen(r *http.Request) string {
	if len(a.Screens) == 0 {
		return ""
	}
	for _, c := range r.CookiesNamed(screenCookie) {
		name, code, _ := strings.Cut(c.Value, ".")
		for _, s := range a.Screens {
			if s.Name == name && hmac.Equal([]byte(code), []byte(s.code())) {
				return name
			}
		}
	}
	if key, ok := strings.CutPrefix(r.Header.Get(echo.HeaderAuthorization), "Bearer "); ok {
		return a.byKey(key).Name
	}
	return ""
}

// code is what the cookie of a screen is proven with.
func (s *Screen) code() string {
	mac := hmac.New(sha256.New, []byte(s.Key))
	mac.Write([]byte("screen\x00" + s.Name))
	return encode(mac.Sum(nil))
}

// byKey returns the screen that has a key; its name is empty where none has.
func (a *Access) byKey(key string) (found Screen) {
	given := sha256.Sum256([]byte(key))
	for _, s := range a.Screens {
		own := sha256.Sum256([]byte(s.Key))
		if subtle.ConstantTimeCompare(given[:], own[:]) == 1 && s.Key != "" {
			found = s
		}
	}
	return found
}

// openScreen gives a browser that opens a page with a screen's key the screen's
// cookie, and leads it to the page without the key.
func (s *Server) openScreen(c echo.Context, v viewer) (done bool, err error) {
	root, at, page := place(c)
	query := c.QueryParams()
	key := query.Get(keyParameter)
	if !page || key == "" {
		return false, nil
	}
	switch screen := s.settings.Load().Access.byKey(key); {
	case screen.Name != "":
		c.SetCookie(s.cookie(c.Request(), screenCookie, screen.Name+"."+screen.code(), screenFor))
		if at == "" {
			at = screen.Name
		}
	case !s.mayLook(v):
		c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
		return false, echo.NewHTTPError(http.StatusForbidden, "no screen has this key: it was changed, or its line in the file is gone")
	}
	query.Del(keyParameter)
	to := url.URL{Path: root + at, RawQuery: query.Encode()}
	return true, seeOther(c, to.String())
}
