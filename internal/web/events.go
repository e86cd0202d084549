package web

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"

	"pharos/internal/board"
)

const (
	// screenPatience is how long a screen may take no byte.
	screenPatience = 10 * time.Second
	// sendBuffer bounds what the kernel holds for a screen that has stopped
	// reading.
	sendBuffer = 128 << 10
)

// streamHead is what a stream begins with. There is no length and no chunking:
// the stream ends with the connection. retry is the browser's own pause before
// it reconnects, in milliseconds.
const streamHead = "HTTP/1.1 200 OK\r\n" +
	"Content-Type: text/event-stream\r\n" +
	"Cache-Control: no-store, no-transform\r\n" +
	"X-Accel-Buffering: no\r\n" +
	"X-Content-Type-Options: nosniff\r\n" +
	"Connection: close\r\n\r\n" +
	"retry: 1000\n\n"

// events streams a view of the board. The connection is taken over from
// net/http: one write a frame, of bytes that all screens share.
func (s *Server) events(c echo.Context) error {
	if n := s.count.Add(1); n > int64(s.o.MaxScreens) {
		s.count.Add(-1)
		s.refused.Add(1)
		return retryLater(c, 5, "as many screens as this dashboard takes are watching; max_screens in the file says how many")
	}
	streaming := false
	defer func() {
		if !streaming {
			s.count.Add(-1)
		}
	}()
	query, err := url.ParseQuery(c.QueryString()) // c.QueryParams drops what is broken: the screen would show all
	if err != nil {
		return echo.NewHTTPError(http.StatusBadRequest, "reading the filter: "+err.Error())
	}
	screen, err := s.o.Board.Join(c.Request().Context(), board.Filter{Sets: query["set"], Sites: query["site"]})
	switch {
	case errors.Is(err, board.ErrFilter):
		return echo.NewHTTPError(http.StatusBadRequest, err.Error())
	case errors.Is(err, board.ErrTooManyViews), errors.Is(err, board.ErrEnded):
		return retryLater(c, 5, err.Error())
	case err != nil:
		return err
	}
	conn, _, err := c.Response().Hijack()
	if err != nil {
		screen.Leave()
		return err
	}
	streaming = s.streams.start(conn, func() {
		defer s.count.Add(-1)
		defer screen.Leave()
		defer conn.Close()
		s.stream(conn, screen)
	})
	if !streaming { // the server is closing
		screen.Leave()
		return conn.Close()
	}
	return nil
}

// streams are the connections that are streamed to.
type streams struct {
	wg     sync.WaitGroup
	mu     sync.Mutex // guards open and closed
	open   map[net.Conn]struct{}
	closed bool
}

// start runs stream in a goroutine of its own; false after close, when nothing
// is run.
func (s *streams) start(conn net.Conn, stream func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.open[conn] = struct{}{}
	s.wg.Go(func() {
		stream()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, conn)
	})
	return true
}

// close waits until all streams have ended, which they do of themselves; the
// write of a screen that takes no byte is given up after the grace.
func (s *streams) close() {
	s.mu.Lock()
	s.closed = true
	for conn := range s.open {
		_ = conn.SetWriteDeadline(time.Now().Add(shutdownGrace)) // a broken connection shows at the write
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *Server) stream(conn net.Conn, screen *board.Screen) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tune(tcp); err != nil { // the kernel's own bounds will do, too
			s.o.Log.Debug("tuning a screen's connection", "error", err)
		}
	}
	// The deadline of the request's headers no longer holds.
	_ = conn.SetDeadline(time.Now().Add(screenPatience)) // a broken connection shows at the write
	if _, err := conn.Write([]byte(streamHead)); err != nil {
		return
	}
	for event := screen.Next(s.ctx); event != nil; event = screen.Next(s.ctx) {
		_ = conn.SetWriteDeadline(time.Now().Add(screenPatience)) // likewise
		if s.ctx.Err() != nil {                                   // the deadline of close may be gone
			return
		}
		if _, err := conn.Write(event); err != nil {
			// The kernel's patience may end a moment before ours.
			if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.ETIMEDOUT) {
				s.cut.Add(1)
			}
			return
		}
	}
}
