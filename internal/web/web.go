// Package web serves the board over HTTP: the page, the stream of events, the
// API, the original's poll format, health and metrics. All of it is read-only.
package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"pharos/internal/board"
)

const shutdownGrace = 500 * time.Millisecond

// Options are what a Server needs.
type Options struct {
	Board   *board.Board
	Version string
	Limits  Limits
	Log     *slog.Logger
	// NATS, if not nil, returns the connection's counters by name, for /metrics.
	NATS func() map[string]uint64
	// Push, if not nil, publishes what was pushed over HTTP. The error says why the
	// message may be lost.
	Push func(ctx context.Context, subject string, data []byte) error
	// Sample, if not nil, answers below /sample/: the pages that the built-in
	// sample watches.
	Sample http.Handler
	// Admin says that /metrics is served by ServeAdmin alone.
	Admin bool
}

// Limits are how many streams there can be at once.
type Limits struct {
	Screens    int // 0: 5,000
	PerAddress int // 0: 1,000
}

// Settings are what can change while a Server runs.
type Settings struct {
	// Views are boards with an address of their own: what the address stands for,
	// by name. The empty name is that of "/". No name may be the first part of
	// another address.
	Views map[string]url.Values
	// Logos are pictures that views refer to, as "logo", by name.
	Logos  map[string]Logo
	Guard  Guard
	Access Access
	Push   Push
}

// Logo is a picture for the headline of a board.
type Logo struct {
	Type string // for Content-Type
	Data []byte
}

// inForce are the settings and what follows from them.
type inForce struct {
	Settings
	policy string
}

// Server serves one board.
type Server struct {
	o           Options
	settings    atomic.Pointer[inForce]
	ownNames    []string
	echo, admin *echo.Echo
	connections connections
	streams     streams
	answers     answers
	tries       tries
	rates       rates
	comparing   chan struct{} // holds a token for each password that is compared
	refused     atomic.Uint64
	cut         atomic.Uint64
	// stop ends the streams. Shutdown of net/http does not know them.
	stop context.CancelFunc
	ctx  context.Context
}

// New returns a server that has no listener yet.
func New(o Options) *Server {
	s := &Server{o: o, echo: echo.New(), admin: echo.New(), ownNames: ownNames(), comparing: make(chan struct{}, maxComparing)}
	screens := cmp.Or(o.Limits.Screens, 5000)
	s.connections.max, s.streams.max = room(openFiles(), screens)
	s.streams.perAddress = cmp.Or(o.Limits.PerAddress, 1000)
	if s.streams.max < screens {
		o.Log.Warn("max_screens is more than this process may have open; allow it more files (ulimit -n)", "max_screens", screens, "room", s.streams.max)
	}
	s.connections.trusts = func(a netip.Addr) bool { return s.settings.Load().Guard.trusts(a) }
	s.Apply(Settings{})
	s.ctx, s.stop = context.WithCancel(context.Background())
	for _, e := range []*echo.Echo{s.echo, s.admin} {
		e.Logger.SetOutput(io.Discard)
		e.HTTPErrorHandler = s.fail
		e.Pre(s.headers, s.knownHost)
	}
	read := []string{http.MethodGet, http.MethodHead} // of a HEAD's answer net/http leaves the body out
	health := func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }
	e := s.echo
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		if errors.Is(err, echo.ErrNotFound) {
			err = s.guarded(s.noPage)(c)
		}
		s.fail(err, c)
	}
	e.Pre(s.view)
	e.Match(read, "/", s.guarded(s.page))
	e.Match(read, "/w/:id", s.guarded(s.watcher))
	e.Match(read, "/assets/:build/:name", s.asset)
	e.Match(read, "/logo/:name", s.guarded(s.logo))
	e.GET("/events", s.guarded(s.events))
	e.Match(read, "/api/v1/board", s.guarded(s.apiBoard))
	e.Match(read, "/api/v1/watchers/:id", s.guarded(s.apiWatcher))
	e.Match(read, "/poll/json", s.guarded(s.poll))
	e.Match(read, "/healthz", health)
	e.Match(read, "/readyz", func(c echo.Context) error {
		err := s.ready(c)
		if err != nil && !s.mayLook(s.viewer(c.Request())) {
			return echo.NewHTTPError(http.StatusServiceUnavailable, "not ready")
		}
		return err
	})
	if o.Sample != nil {
		e.Any("/sample/*", echo.WrapHandler(http.StripPrefix("/sample", o.Sample)))
	}
	metrics := s.metrics()
	s.admin.Match(read, "/metrics", metrics)
	s.admin.Match(read, "/healthz", health)
	s.admin.Match(read, "/readyz", s.ready)
	if o.Admin {
		metrics = func(echo.Context) error {
			return echo.NewHTTPError(http.StatusNotFound, "the metrics are elsewhere: dashboard.admin in the file says where")
		}
	}
	e.Match(read, "/metrics", s.guarded(metrics))
	if o.Push != nil {
		e.POST("/api/v1/push/:set/:watcher", s.push)
	}
	e.Match(read, "/login", s.login)
	e.Match(read, "/forms.css", formFile("text/css; charset=utf-8"))
	e.Match(read, "/forms.js", formFile("text/javascript; charset=utf-8"))
	e.Match(read, "/screens", s.signedIn(s.screensPage))
	e.POST("/screens", s.posted(s.signedIn(s.orderScreen)))
	e.POST("/login", s.posted(s.signIn))
	e.POST("/logout", s.posted(s.signOut))
	return s
}

// Apply puts other settings in force.
func (s *Server) Apply(now Settings) {
	var named []board.Filter
	for _, view := range now.Views {
		named = append(named, board.Filter{Sets: view["set"], Sites: view["site"]})
	}
	s.o.Board.Name(named)
	s.settings.Store(&inForce{Settings: now, policy: now.Guard.policy()})
	s.streams.review(func(st *stream) bool {
		v := s.viewer(st.asked)
		return s.mayLook(v) && v.screen == st.viewer.screen && st.bare == (s.detail(v) == None)
	})
}

// ServeHTTP answers one request; Serve is the usual way.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.connections.answering(r)()
	s.echo.ServeHTTP(w, r)
}

// Serve answers what comes in by the listener until ctx is done, then ends the
// streams, lets the other requests finish for half a second, and returns when
// nothing of it runs any more. The listener is closed. Serve is called once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := s.server(s)
	srv.ConnContext, srv.ConnState = s.connections.add, s.connections.state
	return serve(ctx, srv, l, s.Close)
}

// ServeAdmin answers what is for those who run the dashboard, as Serve does.
func (s *Server) ServeAdmin(ctx context.Context, l net.Listener) error {
	return serve(ctx, s.server(s.admin), l, func() {})
}

// serve runs a server until ctx is done. stop ends what Shutdown does not know.
func serve(ctx context.Context, srv *http.Server, l net.Listener, stop func()) error {
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	var err error
	select {
	case err = <-served:
		stop()
		return fmt.Errorf("serving %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	var streams sync.WaitGroup
	streams.Go(stop) // both have the same half a second
	if srv.Shutdown(grace) != nil {
		err = srv.Close()
	}
	streams.Wait()
	<-served
	return err
}

func (s *Server) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
}

// Close ends the streams and waits for them. Closing twice is fine.
func (s *Server) Close() {
	s.stop()
	s.streams.close()
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

// errStopping is told to who asks for what a board that has ended cannot say.
var errStopping = errors.New("the board is stopping")

func (s *Server) ready(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	state := s.o.Board.State(c.Request().Context())
	switch {
	case state == nil:
		return echo.NewHTTPError(http.StatusServiceUnavailable, errStopping.Error())
	case !state.Link.Up:
		return echo.NewHTTPError(http.StatusServiceUnavailable, "no contact with NATS: "+state.Link.Error)
	}
	return c.String(http.StatusOK, "ready\n")
}

func retryLater(c echo.Context, seconds int, text string) error {
	c.Response().Header().Set("Retry-After", strconv.Itoa(seconds))
	return echo.NewHTTPError(http.StatusServiceUnavailable, text)
}
