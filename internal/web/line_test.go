package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pharos/internal/board"
	"pharos/internal/pharostest"
)

// slowLine is a connection with a kernel's buffer before a line of so many bytes
// a second. Like the kernel, it knows what has arrived.
type slowLine struct {
	net.Conn // not called
	rate     atomic.Int64
	buffer   int
	out      *io.PipeWriter
	in       *io.PipeReader

	mu       sync.Mutex // guards what follows
	held     []byte
	arrived  uint64
	deadline time.Time
	closed   bool
	changed  chan struct{}
}

func newSlowLine(t testing.TB, rate, buffer int) *slowLine {
	l := &slowLine{buffer: buffer, changed: make(chan struct{})}
	l.rate.Store(int64(rate))
	l.in, l.out = io.Pipe()
	drained := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		l.in.Close()
		<-drained
	})
	go func() {
		defer close(drained)
		l.drain()
	}()
	return l
}

func (l *slowLine) drain() {
	defer l.out.Close()
	for {
		time.Sleep(20 * time.Millisecond)
		l.mu.Lock()
		n := min(len(l.held), int(l.rate.Load()/50))
		part := bytes.Clone(l.held[:n])
		closed := l.closed
		l.mu.Unlock()
		if n == 0 {
			if closed {
				return
			}
			continue
		}
		if _, err := l.out.Write(part); err != nil {
			return
		}
		l.mu.Lock()
		l.held = l.held[n:]
		l.arrived += uint64(n)
		close(l.changed)
		l.changed = make(chan struct{})
		l.mu.Unlock()
	}
}

func (l *slowLine) Write(p []byte) (int, error) {
	for n := 0; ; {
		l.mu.Lock()
		more := min(len(p)-n, l.buffer-len(l.held))
		l.held = append(l.held, p[n:n+more]...)
		n += more
		deadline, changed, closed := l.deadline, l.changed, l.closed
		l.mu.Unlock()
		switch {
		case closed:
			return n, net.ErrClosed
		case n == len(p):
			return n, nil
		}
		select {
		case <-changed:
		case <-time.After(time.Until(deadline)):
			return n, os.ErrDeadlineExceeded
		}
	}
}

func (l *slowLine) underWay() (uint64, int, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.arrived, len(l.held), true
}

func (l *slowLine) SetDeadline(d time.Time) error { return l.SetWriteDeadline(d) }
func (l *slowLine) SetWriteDeadline(d time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadline = d
	return nil
}

func (l *slowLine) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.changed)
		l.changed = make(chan struct{})
	}
	return nil
}

// reader is a screen at the end of a slow line: it plays the page.
type reader struct {
	mu sync.Mutex // guards what follows
	pharostest.Board
	told   []pharostest.Line
	boards int
	ended  bool
}

func (r *reader) read(from io.Reader, packed bool) {
	answer, err := http.ReadResponse(bufio.NewReader(from), nil)
	if err != nil {
		return
	}
	body := io.Reader(answer.Body)
	if packed {
		if body, err = gzip.NewReader(answer.Body); err != nil {
			panic(err)
		}
	}
	for e := range pharostest.Events(body) {
		r.hear(e)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
}

func (r *reader) hear(e pharostest.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.Hear(e); err != nil {
		panic(err)
	}
	switch e.Name {
	case "line":
		r.told = append(r.told, r.Line)
	case "board":
		r.boards++
	}
}

// slowScreen is a screen that watches over a slow line.
func (w *world) slowScreen(rate int, packed bool) (*slowLine, *reader) {
	l := newSlowLine(w, rate, sendBuffer)
	request := httptest.NewRequest(http.MethodGet, "/events", nil)
	if packed {
		request.Header.Set("Accept-Encoding", "gzip")
	}
	out := &hijacked{httptest.NewRecorder(), l, false}
	r := &reader{}
	w.s.ServeHTTP(out, request)
	if !out.done {
		w.Fatalf("%d %s", out.Code, out.Body)
	}
	go r.read(l.in, packed)
	return l, r
}

// TestAThousandWatchersOverASlowLine: each second all values change, which is
// more than the line takes.
func TestAThousandWatchersOverASlowLine(t *testing.T) {
	for _, tt := range []struct {
		kbit, tiles int
		packed      bool
		live        time.Duration // by when, at the latest
		values      bool
	}{
		{128, 1000, true, 4 * time.Second, true},
		{32, 1000, true, 30 * time.Second, false},
		{128, 1000, false, 15 * time.Second, false},
		{64, 1500, true, 40 * time.Second, false},
		{100_000, 1000, false, 2 * time.Second, true},
		{100_000, 1000, true, 2 * time.Second, true},
	} {
		t.Run(fmt.Sprintf("%d kbit, %d tiles, packed %v", tt.kbit, tt.tiles, tt.packed), func(t *testing.T) {
			in(t, Options{}, func(w *world) {
				n := 0
				second := func() {
					n++
					for i := range tt.tiles {
						w.apply(fmt.Sprintf("pharos.push.berlin.shop.watcher-number-%d", i), fmt.Sprintf(`{"status":"ok","value":%d,"unit":"ms","ttl":3600}`, (n*7919+i*104729)%5000))
						if i%(tt.tiles/10) == 0 {
							time.Sleep(100 * time.Millisecond)
						}
					}
				}
				for range 2 + tt.tiles/1000*10 {
					second()
				}
				began := time.Now()
				l, r := w.slowScreen(tt.kbit*1000/8, tt.packed)
				age := func() float64 {
					_, now, err := w.b.Snapshot(w.Context(), board.Filter{})
					if err != nil {
						t.Fatal(err)
					}
					r.mu.Lock()
					defer r.mu.Unlock()
					if r.ended {
						t.Fatal("the stream has ended")
					}
					return now.Seconds() - r.T
				}
				worst, live := 0.0, time.Duration(-1)
				for time.Since(began) < tt.live+10*time.Second {
					second()
					a := age()
					if a <= 3 && live < 0 {
						live = time.Since(began)
					}
					if time.Since(began) > tt.live {
						worst = max(worst, a)
					}
				}
				t.Logf("live after %v, then never more than %.1f s behind; %d boards, told %v", live, worst, r.boards, r.told)
				if live < 0 || live > tt.live || worst > 3 {
					t.Errorf("live after %v, then up to %.1f s behind", live, worst)
				}
				r.mu.Lock()
				if tiles := len(r.Tiles); tiles != tt.tiles {
					t.Errorf("%d tiles", tiles)
				}
				last := pharostest.Line{Values: true}
				if len(r.told) > 0 {
					last = r.told[len(r.told)-1]
				}
				if values := r.Tiles[0]["v"] != nil; values != tt.values || last != (pharostest.Line{Values: values}) {
					t.Errorf("values: %v, and the screen was told %v", values, r.told)
				}
				r.mu.Unlock()
				// A red is there in time, values or not.
				w.apply("pharos.push.berlin.shop.watcher-number-7", `{"status":"critical","summary":"down","ttl":3600}`)
				for range 3 {
					time.Sleep(time.Second)
				}
				red := func() (n int) {
					r.mu.Lock()
					defer r.mu.Unlock()
					for _, tile := range r.Tiles {
						if tile["s"] == "critical" && tile["m"] == "down" {
							n++
						}
					}
					return n
				}
				if red() != 1 {
					t.Error("a red is not there after 3 s")
				}
				// The line gets better: values come back.
				l.rate.Store(10_000_000)
				for i := range int(leanMost / time.Second) {
					w.apply("pharos.push.berlin.shop.watcher-number-1", fmt.Sprintf(`{"status":"ok","value":%d,"ttl":3600}`, i))
					time.Sleep(time.Second)
					r.mu.Lock()
					back := r.Tiles[0]["v"] != nil
					r.mu.Unlock()
					if back {
						break
					}
				}
				if a := age(); a > 1.1 || r.Tiles[0]["v"] == nil {
					t.Errorf("over a line that is fast again: %.1f s behind, %v", a, r.Tiles[0])
				}
			})
		})
	}
}

// TestALineThatStandsStillForAWhile: after it, the screen shows what is true
// now, with values, and has been told.
func TestALineThatStandsStillForAWhile(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.apply("pharos.push.a.b.c", `{"status":"ok","value":0}`)
		time.Sleep(time.Second)
		l, r := w.slowScreen(1_000_000, true)
		time.Sleep(5 * time.Second)
		l.rate.Store(0)
		for i := range 50 {
			w.apply("pharos.push.a.b.c", fmt.Sprintf(`{"status":"ok","value":%d}`, i))
			time.Sleep(100 * time.Millisecond)
		}
		l.rate.Store(1_000_000)
		time.Sleep(100 * time.Millisecond)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.boards != 2 || r.Tiles[0]["v"] != "49" || len(r.told) == 0 || r.told[0].Behind < 3 || !r.told[0].Values {
			t.Errorf("%d boards, %v, told %v", r.boards, r.Tiles, r.told)
		}
		r.mu.Unlock()
		time.Sleep(2 * time.Second)
		r.mu.Lock()
		if len(r.told) != 2 || r.told[1] != (pharostest.Line{Values: true}) || r.boards != 2 {
			t.Errorf("2 s later: %d boards, told %v", r.boards, r.told)
		}
		l.rate.Store(0)
		r.mu.Unlock()
		time.Sleep(screenPatience + 3*time.Second)
		r.mu.Lock()
		if n := w.s.streams.count(); n != 0 || w.s.cut.Load() != 1 {
			t.Errorf("a line that stands still for ever: %d streams, %d cut", n, w.s.cut.Load())
		}
	})
}
