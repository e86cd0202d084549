// Package web serves the board over HTTP: the page, the stream of events, the
// API, the original's poll format, health and metrics. All of it is read-only.
package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"pharos/internal/board"
)

const (
	// maxRequests are the connections that are open at once besides the streams:
	// for the page and the API.
	maxRequests   = 1024
	shutdownGrace = 500 * time.Millisecond
	// contentPolicy lets the page run its own scripts and styles, and nothing
	// else.
	contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
)

// Options are what a Server needs.
type Options struct {
	Board      *board.Board
	Version    string
	MaxScreens int // streams at once; 0: 5,000
	Log        *slog.Logger
	// NATS, if not nil, returns the connection's counters by name, for /metrics.
	NATS func() map[string]uint64
	// Sample, if not nil, answers below /sample/: the pages that the built-in
	// sample watches.
	Sample http.Handler
}

// Server serves one board.
type Server struct {
	views   atomic.Pointer[map[string]url.Values]
	o       Options
	echo    *echo.Echo
	streams streams
	count   atomic.Int64 // streams
	open    atomic.Int64 // connections that are no streams
	refused atomic.Uint64
	cut     atomic.Uint64
	// stop ends the streams. Shutdown of net/http does not know them.
	stop context.CancelFunc
	ctx  context.Context
}

// New returns a server that has no listener yet.
func New(o Options) *Server {
	if o.MaxScreens == 0 {
		o.MaxScreens = 5000
	}
	s := &Server{o: o, echo: echo.New(), streams: streams{open: map[net.Conn]struct{}{}}}
	s.SetViews(nil)
	s.ctx, s.stop = context.WithCancel(context.Background())
	e := s.echo
	e.Logger.SetOutput(io.Discard)
	e.HTTPErrorHandler = s.fail
	e.Pre(s.view)
	e.Use(headers)
	read := []string{http.MethodGet, http.MethodHead} // of a HEAD's answer net/http leaves the body out
	e.Match(read, "/", s.page)
	e.Match(read, "/assets/:build/:name", s.asset)
	e.GET("/events", s.events)
	e.Match(read, "/api/v1/board", s.apiBoard)
	e.Match(read, "/api/v1/watchers/:id", s.apiWatcher)
	e.Match(read, "/poll/json", s.poll)
	e.Match(read, "/metrics", s.metrics())
	e.Match(read, "/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.Match(read, "/readyz", s.ready)
	if o.Sample != nil {
		e.Any("/sample/*", echo.WrapHandler(http.StripPrefix("/sample", o.Sample)))
	}
	return s
}

// ServeHTTP answers one request; Serve is the usual way.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// Serve answers what comes in by the listener until ctx is done, then ends the
// streams, lets the other requests finish for half a second, and returns when
// nothing of it runs any more. The listener is closed. Serve is called once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ConnState:         s.onState,
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	var err error
	select {
	case err = <-served:
		s.Close()
		return fmt.Errorf("serving %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	var streams sync.WaitGroup
	streams.Go(s.Close) // Shutdown knows nothing of them; both have the same half a second
	if srv.Shutdown(grace) != nil {
		err = srv.Close()
	}
	streams.Wait()
	<-served
	return err
}

// onState counts the connections, and closes those that are too many.
func (s *Server) onState(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if s.open.Add(1) > maxRequests {
			_ = conn.Close() // its reader finds out
		}
	case http.StateHijacked, http.StateClosed:
		s.open.Add(-1)
	}
}

// Close ends the streams and waits for them. Closing twice is fine.
func (s *Server) Close() {
	s.stop()
	s.streams.close()
}

func headers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		return next(c)
	}
}

// fail answers with the error's text, as plain text for people and programs
// alike.
func (s *Server) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	code, text := http.StatusInternalServerError, err.Error()
	if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		code, text = he.Code, fmt.Sprint(he.Message)
	} else if c.Request().Context().Err() == nil { // else nobody waits for it any more
		s.o.Log.Error("answering a request", "path", c.Request().URL.Path, "error", err)
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	if c.Request().Method == http.MethodHead {
		_ = c.NoContent(code) // the connection is gone, there is nobody to tell
		return
	}
	_ = c.String(code, text+"\n") // likewise
}

func (s *Server) ready(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	state := s.o.Board.State(c.Request().Context())
	switch {
	case state == nil:
		return echo.NewHTTPError(http.StatusServiceUnavailable, "the board is stopping")
	case !state.Link.Up:
		return echo.NewHTTPError(http.StatusServiceUnavailable, "no contact with NATS: "+state.Link.Error)
	}
	return c.String(http.StatusOK, "ready\n")
}

func retryLater(c echo.Context, seconds int, text string) error {
	c.Response().Header().Set("Retry-After", strconv.Itoa(seconds))
	return echo.NewHTTPError(http.StatusServiceUnavailable, text)
}
