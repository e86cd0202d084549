package web

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"pharos/internal/pharos"
)

// Push says who may push over HTTP.
type Push struct {
	Site   string // where a watcher is of which a push does not say it; a human name
	Tokens []PushToken
}

// PushToken is a secret with which the states of some watchers are pushed.
type PushToken struct {
	Token    string
	Subjects []string // SITE.SET.WATCHER, each a token or "*"
}

const (
	maxPush   = 64 << 10 // bytes of a body
	pushLimit = 5 * time.Second
	// A token may push so often a second, after so many at once.
	pushRate, pushBurst = 20, 200
)

// rates are how often each token is used.
type rates struct {
	sync.Mutex // guards what follows
	of         map[string]*rate.Limiter
}

// pushFields are those that a form may have.
var pushFields = []string{"status", "value", "unit", "text", "summary", "detail", "ttl", "site"}

// push publishes the state of a watcher for whom nobody looks.
func (s *Server) push(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	token, err := s.pusher(c.Request())
	if err != nil {
		c.Response().Header().Set(echo.HeaderWWWAuthenticate, "Bearer")
		return err
	}
	if !s.mayPush(token.Token) {
		c.Response().Header().Set(echo.HeaderRetryAfter, "1")
		return echo.NewHTTPError(http.StatusTooManyRequests, fmt.Sprintf("more than %d pushes a second with one token", pushRate))
	}
	r, err := s.pushed(c)
	if err != nil {
		return err
	}
	id := pharos.MakeID(tokenOf(r.Site), tokenOf(r.Set), tokenOf(r.Name))
	if !token.covers(id) {
		return echo.NewHTTPError(http.StatusForbidden, fmt.Sprintf("this token pushes %s, and not %s", strings.Join(token.Subjects, ", "), id))
	}
	if t, ok := s.o.Board.Tile(s.ctx, id); ok && t.Listed && !t.Pushed {
		return echo.NewHTTPError(http.StatusConflict, fmt.Sprintf("a prober checks %q itself; what is pushed for it does not count", t.Name))
	}
	data, err := r.Encode(pharos.MaxMessage)
	if err != nil {
		return echo.NewHTTPError(http.StatusBadRequest, err.Error())
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), pushLimit)
	defer cancel()
	if err := s.o.Push(ctx, pharos.PushSubject(id), data); err != nil {
		s.o.Log.Warn("what was pushed was not published", "watcher", id, "error", err)
		return retryLater(c, 1, "this was not published: "+err.Error())
	}
	return c.NoContent(http.StatusNoContent)
}

// pusher returns the token of a request.
func (s *Server) pusher(r *http.Request) (found PushToken, err error) {
	given, ok := strings.CutPrefix(r.Header.Get(echo.HeaderAuthorization), "Bearer ")
	if !ok {
		return found, echo.NewHTTPError(http.StatusUnauthorized, `send a token of dashboard.push: -H "Authorization: Bearer TOKEN"`)
	}
	sum := sha256.Sum256([]byte(given))
	for _, one := range s.settings.Load().Push.Tokens {
		own := sha256.Sum256([]byte(one.Token))
		if subtle.ConstantTimeCompare(sum[:], own[:]) == 1 && one.Token != "" {
			found = one
		}
	}
	if found.Token == "" {
		return found, echo.NewHTTPError(http.StatusUnauthorized, "dashboard.push in the file has no such token")
	}
	return found, nil
}

// mayPush reports whether a token has not been used too often.
func (s *Server) mayPush(token string) bool {
	s.rates.Lock()
	defer s.rates.Unlock()
	limit := s.rates.of[token]
	if limit == nil {
		if s.rates.of == nil || len(s.rates.of) > len(s.settings.Load().Push.Tokens) { // some are gone
			s.rates.of = map[string]*rate.Limiter{}
		}
		limit = rate.NewLimiter(pushRate, pushBurst)
		s.rates.of[token] = limit
	}
	return limit.Allow()
}

// covers reports whether a token is good for a watcher.
func (t *PushToken) covers(id pharos.WatcherID) bool {
	parts := strings.Split(string(id), ".")
	return slices.ContainsFunc(t.Subjects, func(subject string) bool {
		wanted := strings.Split(subject, ".")
		return len(wanted) == len(parts) && !slices.ContainsFunc([]int{0, 1, 2}, func(i int) bool { return wanted[i] != "*" && wanted[i] != parts[i] })
	})
}

// tokenOf returns the token of a name, which may be one.
func tokenOf(name string) string {
	if pharos.ValidToken(name) {
		return name
	}
	return pharos.Token(name)
}

// pushed reads what is pushed: its names are as they were given.
func (s *Server) pushed(c echo.Context) (r pharos.Result, err error) {
	request := c.Request()
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), request.Body, maxPush))
	if err != nil {
		return r, echo.NewHTTPError(http.StatusBadRequest, "reading the push: "+err.Error())
	}
	kind, _, _ := mime.ParseMediaType(request.Header.Get(echo.HeaderContentType))
	site := c.QueryParam("site")
	if kind != echo.MIMEApplicationJSON {
		fields, wrong := url.ParseQuery(string(body))
		if wrong != nil {
			return r, echo.NewHTTPError(http.StatusBadRequest, "reading the push: "+wrong.Error()+`; with curl, write --data-urlencode "summary=..."`)
		}
		site = cmp.Or(fields.Get("site"), site)
		if body, err = formJSON(fields); err != nil {
			return r, echo.NewHTTPError(http.StatusBadRequest, err.Error())
		}
	}
	if r, err = pharos.ParseResult(body); err != nil {
		return r, echo.NewHTTPError(http.StatusBadRequest, "reading the push: "+err.Error())
	}
	site = cmp.Or(site, r.Site, s.settings.Load().Push.Site)
	names := []string{site, c.Param("set"), c.Param("watcher")}
	for i, name := range names {
		if request.URL.RawPath != "" && i > 0 { // then it is as it was sent
			if name, err = url.PathUnescape(name); err != nil {
				return r, echo.NewHTTPError(http.StatusBadRequest, "reading the address: "+err.Error())
			}
		}
		if names[i] = name; name == "" || len(name) > pharos.MaxName || pharos.CleanLine(name, pharos.MaxName) != name {
			return r, echo.NewHTTPError(http.StatusBadRequest, "want /api/v1/push/SET/WATCHER, each a name or an id's part, got "+quoted(name))
		}
	}
	// What only a prober knows is left out.
	return pharos.Result{
		Status: r.Status, Value: r.Value, Unit: r.Unit, Text: r.Text, Summary: r.Summary, Detail: r.Detail, Facts: r.Facts, Phases: r.Phases,
		For: r.For, Flickers: r.Flickers, TTL: r.TTL, At: r.At, Site: names[0], Set: names[1], Name: names[2],
	}, nil
}

// formJSON returns a form as the JSON that is pushed over NATS.
func formJSON(fields url.Values) ([]byte, error) {
	out := map[string]any{}
	for name, values := range fields {
		if !slices.Contains(pushFields, name) || len(values) != 1 {
			return nil, fmt.Errorf("field %s: want each of %s once at most", quoted(name), strings.Join(pushFields, ", "))
		}
		value := values[0]
		switch out[name] = value; name {
		case "value":
			v, err := strconv.ParseFloat(value, 64)
			if err != nil || v-v != 0 {
				return nil, fmt.Errorf("value: want a number, got %s", quoted(value))
			}
			out[name] = v
		case "detail":
			out[name] = pharos.CleanText(value, pharos.MaxDetail) // who pipes an output need not count
		case "ttl":
			ttl, err := time.ParseDuration(value)
			if seconds, wrong := strconv.ParseFloat(value, 64); wrong == nil {
				ttl, err = time.Duration(seconds*float64(time.Second)), nil
			}
			if err != nil || ttl <= 0 {
				return nil, fmt.Errorf("ttl: want seconds or a duration such as 25h, got %s", quoted(value))
			}
			out[name] = ttl.Seconds()
		case "status":
			var status pharos.Status
			if err := status.UnmarshalText([]byte(value)); err != nil {
				return nil, fmt.Errorf("status: want ok, warning, critical or unknown, got %s", quoted(value))
			}
		}
	}
	if out["status"] == nil {
		return nil, errors.New("no status: send status=ok, warning, critical or unknown")
	}
	return json.Marshal(out)
}
