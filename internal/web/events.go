package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"pharos/internal/board"
	"pharos/internal/pharos"
)

// streamHead is what a stream begins with. There is no length and no chunking:
// the stream ends with the connection.
const streamHead = "HTTP/1.1 200 OK\r\n" +
	"Content-Type: text/event-stream\r\n" +
	"Cache-Control: no-store, no-transform\r\n" +
	"X-Accel-Buffering: no\r\n" +
	"X-Content-Type-Options: nosniff\r\n"

// retry is the browser's own pause before it reconnects, in milliseconds.
const retry = "retry: 1000\n\n"

// events streams a feed of the board. The connection is taken over from
// net/http: one write a frame, of bytes that all screens share.
func (s *Server) events(c echo.Context) error {
	query, err := url.ParseQuery(c.QueryString()) // c.QueryParams drops what is broken: the screen would show all
	if err != nil {
		return echo.NewHTTPError(http.StatusBadRequest, "reading the filter: "+err.Error())
	}
	filter := board.Filter{Sets: query["set"], Sites: query["site"], Bare: s.detail(asking(c)) == None}
	key, err := filter.Key()
	if err != nil {
		return echo.NewHTTPError(http.StatusBadRequest, err.Error())
	}
	st := s.newStream(c, filter.Bare)
	if !s.o.Board.Named(key) {
		st.filter = key
	}
	if why := s.streams.admit(st); why != "" {
		s.refused.Add(1)
		return retryLater(c, 5, why)
	}
	streaming := false
	defer func() {
		if !streaming {
			s.streams.end(st)
		}
	}()
	screen, err := s.join(c.Request().Context(), st, filter)
	switch {
	case errors.Is(err, board.ErrTooManyFilters), errors.Is(err, board.ErrEnded):
		return retryLater(c, 5, err.Error())
	case err != nil:
		return err
	}
	conn, _, err := c.Response().Hijack()
	if err != nil {
		return err
	}
	packed := takesGzip(c.Request().Header.Values(echo.HeaderAcceptEncoding))
	if streaming = s.streams.run(st, conn, func() { s.stream(conn, packed, screen, st) }); !streaming { // the server is closing
		return conn.Close()
	}
	return nil
}

// newStream returns that of who asks, who is told no reasons where it is bare.
func (s *Server) newStream(c echo.Context, bare bool) *stream {
	r, v := c.Request(), asking(c)
	client := s.client(r)
	st := &stream{
		of: neighbourhood(client), viewer: v, bare: bare,
		asked:  &http.Request{RemoteAddr: r.RemoteAddr, Header: r.Header}, // with the connection's buffers it would be large
		client: client.String(), shows: pharos.CleanLine(c.QueryParam("shows"), pharos.MaxName), build: pharos.CleanLine(c.QueryParam("build"), pharos.MaxName),
		since: time.Now(), orders: make(chan order, maxOrders),
	}
	st.contact.Store(st.since.UnixNano())
	return st
}

// join lets a stream in. Where the board has no room for its filter, the address
// with the most filters gives one up.
func (s *Server) join(ctx context.Context, st *stream, filter board.Filter) (*board.Screen, error) {
	for {
		screen, err := s.o.Board.Join(ctx, filter)
		if err == nil {
			s.streams.joined(st, screen)
			return screen, nil
		}
		if !errors.Is(err, board.ErrTooManyFilters) || !s.streams.yield(st) {
			return nil, err
		}
	}
}

// stream is one connection that is streamed to.
type stream struct {
	id     uint64
	of     netip.Prefix // its address
	filter string       // the key of one that no view has, or empty
	viewer viewer
	bare   bool          // it is told no reasons
	asked  *http.Request // by what it carries one may look

	client       string // address
	shows, build string // as the page says: its address, relative to the board's, and its build
	since        time.Time
	contact      atomic.Int64 // when it was last known to take what it is sent, unix nanoseconds
	orders       chan order

	// Guarded by streams.mu.
	screen *board.Screen
	conn   net.Conn // nil until it streams
	over   bool
}

// streams are all that are open. Where there are too many, or filters, those of
// the address that has the most give way to one that has fewer.
type streams struct {
	max, perAddress int

	wg     sync.WaitGroup
	mu     sync.Mutex // guards what follows
	open   map[*stream]struct{}
	of     map[netip.Prefix]int
	closed bool
	last   uint64          // number of a stream
	gone   map[string]seen // screens with a key that have gone, by name
}

// admit counts a stream, or says why there is no room for it.
func (k *streams) admit(st *stream) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open == nil {
		k.open, k.of = map[*stream]struct{}{}, map[netip.Prefix]int{}
	}
	if k.of[st.of] >= k.perAddress {
		return "as many screens as one address may have are watching from yours; max_screens_per_address in the file says how many, and if that is a proxy's address, name it under trusted_proxies"
	}
	if len(k.open) >= k.max && !k.giveWay(st.of) {
		return "as many screens as this dashboard takes are watching; max_screens in the file says how many"
	}
	k.last++
	st.id = k.last
	k.open[st] = struct{}{}
	k.of[st.of]++
	return ""
}

// giveWay ends one stream of the address that has the most; false where that
// would only change sides.
func (k *streams) giveWay(to netip.Prefix) bool {
	var victim *stream
	for st := range k.open {
		if victim == nil || k.of[st.of] > k.of[victim.of] {
			victim = st
		}
	}
	if victim == nil || k.of[victim.of] <= k.of[to]+1 {
		return false
	}
	k.evict(victim)
	return true
}

// yield makes room for the filter of a stream: the address that shows the most
// different ones loses one that it alone shows. It reports false where that
// would only change sides.
func (k *streams) yield(st *stream) bool {
	type use struct {
		filter string
		of     netip.Prefix
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	uses := map[use]bool{}
	for other := range k.open {
		if other.filter != "" && other.screen != nil {
			uses[use{other.filter, other.of}] = true
		}
	}
	of, by := map[netip.Prefix]int{}, map[string]int{}
	for u := range uses {
		of[u.of]++
		by[u.filter]++
	}
	var worst use
	for u := range uses {
		if by[u.filter] == 1 && of[u.of] > max(of[worst.of], of[st.of]+1) {
			worst = u
		}
	}
	if worst == (use{}) {
		return false
	}
	for other := range k.open {
		if other.screen != nil && (use{other.filter, other.of}) == worst {
			k.evict(other)
		}
	}
	return true
}

// joined notes the screen of a stream, which leaves when the stream ends.
func (k *streams) joined(st *stream, screen *board.Screen) {
	k.mu.Lock()
	defer k.mu.Unlock()
	st.screen = screen
	if st.over { // evicted meanwhile
		screen.Leave()
	}
}

// run streams in a goroutine of its own, and ends the stream after it; false
// after close, when nothing is run.
func (k *streams) run(st *stream, conn net.Conn, play func()) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || st.over {
		return false
	}
	st.conn = conn
	k.wg.Go(func() {
		play()
		_ = conn.Close() // whoever is there still finds out
		k.end(st)
	})
	return true
}

// end lets a stream go. Ending twice is fine.
func (k *streams) end(st *stream) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget(st)
}

func (k *streams) evict(st *stream) {
	if st.conn != nil {
		cut(st.conn)
	}
	k.forget(st)
}

func (k *streams) forget(st *stream) {
	if st.over {
		return
	}
	st.over = true
	if st.screen != nil {
		st.screen.Leave()
	}
	if st.viewer.screen != "" && st.conn != nil {
		if k.gone == nil {
			k.gone = map[string]seen{}
		}
		k.gone[st.viewer.screen] = seen{screenRow{Name: st.viewer.screen, Address: st.client, Shows: "/" + st.shows}, time.Unix(0, st.contact.Load())}
	}
	delete(k.open, st)
	if k.of[st.of]--; k.of[st.of] == 0 {
		delete(k.of, st.of)
	}
}

// review ends the streams that may not go on. A screen comes back by itself, as
// whatever it may be now.
func (k *streams) review(may func(*stream) bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for st := range k.open {
		if !may(st) {
			k.evict(st)
		}
	}
}

// count returns how many are open.
func (k *streams) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.open)
}

// close waits until all streams have ended, which they do of themselves; the
// write of a screen that takes no byte is given up after the grace.
func (k *streams) close() {
	k.mu.Lock()
	k.closed = true
	for st := range k.open {
		if st.conn != nil {
			_ = st.conn.SetWriteDeadline(time.Now().Add(shutdownGrace)) // a broken connection shows at the write
		}
	}
	k.mu.Unlock()
	k.wg.Wait()
}

func (s *Server) stream(conn net.Conn, packed bool, screen *board.Screen, st *stream) {
	ctx := s.ctx
	if until := st.viewer.until; !until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	_ = conn.SetDeadline(time.Time{}) // that of the request's headers no longer holds
	l := newLine(conn, packed)
	if err := l.tune(); err != nil { // the kernel's own bounds will do, too
		s.o.Log.Debug("tuning a screen's connection", "error", err)
	}
	head := streamHead + "Connection: close\r\n\r\n" + retry
	if packed {
		head = streamHead + "Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + board.PackedHead + string(board.Pack([]byte(retry)))
	}
	err := l.send(ctx, []byte(head))
	if err == nil {
		err = (&pace{line: l, screen: screen, orders: st.orders, contact: &st.contact}).play(ctx)
	}
	if err != nil && isStuck(err) {
		s.cut.Add(1)
	}
}
