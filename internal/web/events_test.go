package web

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/board"
	"pharos/internal/pharos"
	"pharos/internal/ui"
)

func TestEventsOverTCP(t *testing.T) {
	w, address, _ := served(t, Options{})
	w.apply("pharos.push.berlin.shop.page", `{"status":"ok","value":0.133,"unit":"s"}`)
	s := dial(t, address, "GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
	answer := s.answer(http.MethodGet)
	want := http.Header{
		"Content-Type": {"text/event-stream"}, "Cache-Control": {"no-store, no-transform"}, "X-Accel-Buffering": {"no"},
		"X-Content-Type-Options": {"nosniff"},
	}
	if diff := cmp.Diff(want, answer.Header); diff != "" || answer.StatusCode != http.StatusOK || !answer.Close {
		t.Errorf("%s, headers: want -, got +\n%s", answer.Status, diff)
	}
	if got := s.paragraph(); got != "retry: 1000" {
		t.Errorf("the stream begins with %q", got)
	}
	e := s.event()
	for len(e.Tiles) == 0 { // until the structure is sent
		e = s.event()
	}
	if e.name != "board" || e.id != fmt.Sprint(e.N) || e.Build != ui.Build() || e.Tiles[0]["s"] != "ok" || e.Tiles[0]["v"] != "133" || e.Tiles[0]["u"] != "ms" {
		t.Errorf("got %+v", e)
	}
	sent := time.Now()
	w.apply("pharos.push.berlin.shop.page", `{"status":"critical","summary":"status 503, wanted 2xx"}`)
	for e = s.event(); e.name != "frame"; e = s.event() {
	}
	if len(e.U) != 1 || e.U[0]["s"] != "critical" || e.U[0]["m"] != "status 503, wanted 2xx" || e.U[0]["v"] != "" {
		t.Errorf("got %+v", e)
	}
	t.Logf("a change of status took %v", time.Since(sent))
	for e = s.event(); e.name != "beat"; e = s.event() {
	}
	if e.T == 0 || e.U != nil || e.Hops != nil {
		t.Errorf("got %+v", e)
	}
	if n := w.s.streams.count(); n != 1 {
		t.Errorf("%d screens are counted", n)
	}
}

func TestABeatEachSecond(t *testing.T) {
	in(t, Options{}, func(w *world) {
		s := w.join("")
		first := s.event()
		if first.name != "board" {
			t.Errorf("first comes %+v", first)
		}
		last := time.Now()
		for range 5 {
			e := s.event()
			if e.name != "beat" || time.Since(last) != time.Second {
				t.Errorf("after %v came %+v", time.Since(last), e)
			}
			last = time.Now()
		}
		w.apply("pharos.push.a.b.c", `{"status":"ok"}`)
		if e := s.event(); e.name != "board" || len(e.Tiles) != 1 {
			t.Errorf("with a new tile came %+v", e)
		}
	})
}

// twoTowns has three tiles: two of Berlin's shop and office, one of Oslo's shop.
func (w *world) twoTowns() {
	w.apply("pharos.push.berlin.shop.a", `{"status":"ok","set":"Shop","name":"A"}`)
	w.apply("pharos.push.berlin.office.b", `{"status":"ok","set":"Office","name":"B"}`)
	w.apply("pharos.push.oslo.shop.c", `{"status":"ok","set":"Shop","name":"C"}`)
	w.apply("pharos.push.oslo.x--z4vl6dc3.d", `{"status":"ok","set":"日本","name":"D"}`)
	time.Sleep(time.Second)
}

func TestFilters(t *testing.T) {
	for _, tt := range []struct{ query, want string }{
		{"", "B A C D"},
		{"?set=shop", "A C"},
		{"?set=office", "B"},
		{"?site=oslo", "C D"},
		{"?set=shop&site=oslo", "C"},
		{"?set=shop&set=office", "B A C"},
		{"?set=" + url.QueryEscape("日本"), "D"},
		{"?set=x--z4vl6dc3", "D"},
		{"?set=none", ""},
		{"?other=shop", "B A C D"},
	} {
		t.Run(tt.query, func(t *testing.T) {
			in(t, Options{}, func(w *world) {
				w.twoTowns()
				s := w.join(tt.query)
				var got []string
				for _, tile := range s.event().Tiles {
					got = append(got, fmt.Sprint(tile["name"]))
				}
				if strings.Join(got, " ") != tt.want {
					t.Errorf("got %v, want %s", got, tt.want)
				}
				w.apply("pharos.push.berlin.office.b", `{"status":"critical"}`)
				e := s.event()
				if seen := e.name == "frame"; seen != strings.Contains(tt.want, "B") {
					t.Errorf("B turned red, and there came %+v", e)
				}
			})
		})
	}
}

func TestBadFiltersAreRefused(t *testing.T) {
	in(t, Options{}, func(w *world) {
		for _, query := range []string{
			"?set=", "?site=", "?set=a&set=", "?set=" + strings.Repeat("a", 241), "?set=%zz", "?set=100%", "?set=a;site=b",
			"?" + strings.Repeat("set=a&", 33), "?" + strings.Repeat("site=a&", 33),
		} {
			s, answer := w.ask(query)
			if s != nil {
				t.Errorf("%s is let in", query)
				continue
			}
			if text := answer.Body.String(); answer.Code != http.StatusBadRequest || !strings.Contains(text, "filter") {
				t.Errorf("%s: %d %s", query, answer.Code, text)
			}
		}
		if n := w.s.streams.count(); n != 0 {
			t.Errorf("%d screens are counted", n)
		}
		for _, query := range []string{"?set=" + strings.Repeat("a", 240), "?" + strings.Repeat("set=a&", 32)} {
			w.join(query)
		}
	})
}

func wantLater(t *testing.T, answer *httptest.ResponseRecorder, text string) {
	t.Helper()
	if answer == nil {
		t.Fatal("let in")
	}
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != "5" || !strings.Contains(answer.Body.String(), text) {
		t.Errorf("%d, Retry-After: %q, %s", answer.Code, answer.Header().Get("Retry-After"), answer.Body)
	}
}

func TestTooManyFilters(t *testing.T) {
	in(t, Options{}, func(w *world) {
		first := w.join("?set=s0")
		for i := range 63 {
			w.join(fmt.Sprint("?set=s", i+1))
		}
		_, answer := w.ask("?set=s64")
		wantLater(t, answer, "64 different filters are in use")
		w.join("?set=s0") // in use already
		first.Close()
		synctest.Wait() // its stream finds out
		_, answer = w.ask("?set=s64")
		wantLater(t, answer, "64 different filters are in use")
		if n := w.b.Screens(); n != 64 {
			t.Errorf("%d screens are watching", n)
		}
	})
}

func TestTooManyScreens(t *testing.T) {
	in(t, Options{Limits: Limits{Screens: 2}}, func(w *world) {
		first := w.join("")
		w.join("?set=a")
		_, answer := w.ask("")
		wantLater(t, answer, "max_screens")
		first.Close()
		synctest.Wait() // its stream finds out
		if n := len(w.s.streams.open); n != 1 {
			t.Errorf("%d connections are kept", n)
		}
		w.join("")
		if metrics := w.get("/metrics").Body.String(); !strings.Contains(metrics, "\npharos_screens 2\n") || !strings.Contains(metrics, "\npharos_screens_refused_total 1\n") {
			t.Error("the metrics do not say it")
		}
	})
}

func TestAScreenThatTakesNothingIsCut(t *testing.T) {
	in(t, Options{}, func(w *world) {
		s, other := w.join(""), w.join("")
		s.event() // and reads no more
		read := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, other)
			read <- err
		}()
		time.Sleep(time.Second + screenPatience - time.Millisecond) // from the next beat
		synctest.Wait()
		if n := w.b.Screens(); n != 2 {
			t.Errorf("after 9.999 s %d screens are watching", n)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if n := w.b.Screens(); n != 1 {
			t.Errorf("after 10 s %d screens are watching", n)
		}
		if _, err := io.ReadAll(s); err != nil {
			t.Errorf("it sees %v, want the end", err)
		}
		if metrics := w.get("/metrics").Body.String(); !strings.Contains(metrics, "\npharos_screens_cut_total 1\n") {
			t.Error("the metrics do not say it")
		}
		w.s.Close()
		if err := <-read; err != nil {
			t.Errorf("the other sees %v, want the end", err)
		}
	})
}

func TestCloseWaitsForNobody(t *testing.T) {
	in(t, Options{}, func(w *world) {
		stuck := w.join("")
		stuck.event()
		time.Sleep(2 * time.Second) // the next beat is not taken
		begin := time.Now()
		w.s.Close()
		if took := time.Since(begin); took > shutdownGrace {
			t.Errorf("closing took %v", took)
		}
		if n := w.b.Screens(); n != 0 {
			t.Errorf("%d screens are watching", n)
		}
		if s, _ := w.ask(""); s != nil { // came too late
			if got, err := io.ReadAll(s); len(got) > 0 || err != nil {
				t.Errorf("a screen after the end gets %q, %v", got, err)
			}
		}
		if n := w.s.streams.count(); n != 0 {
			t.Errorf("%d screens are counted", n)
		}
	})
}

// pipes is a listener whose connections are made by dial.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) dial(t testing.TB, request string) net.Conn {
	here, there := net.Pipe()
	t.Cleanup(func() { here.Close() })
	p.conns <- there
	if _, err := io.WriteString(here, request); err != nil {
		t.Fatal(err)
	}
	return here
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

// TestServeEndsInOneGrace: a screen that takes no byte and a request that does
// not come to its end have the same half a second, not one after the other.
func TestServeEndsInOneGrace(t *testing.T) {
	in(t, Options{}, func(w *world) {
		l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		ctx, cancel := context.WithCancel(w.Context())
		served := make(chan error, 1)
		go func() { served <- w.s.Serve(ctx, l) }()
		stuck := l.dial(w, "GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
		if _, err := io.ReadFull(stuck, make([]byte, 64)); err != nil {
			w.Fatal(err)
		}
		l.dial(w, "GET /healthz HTTP/1.1\r\nHost")
		synctest.Wait()
		began := time.Now()
		cancel()
		if err := <-served; err != nil {
			w.Error(err)
		}
		if took := time.Since(began); took > shutdownGrace+100*time.Millisecond {
			w.Errorf("it took %v, want %v", took, shutdownGrace)
		}
	})
}

func TestScreensComeAndGoWhileClosing(t *testing.T) {
	w, end := start(t, Options{})
	defer end()
	done := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for range 50 {
				if s, _ := w.ask(""); s != nil {
					s.Close()
				}
			}
		}()
	}
	w.s.Close()
	for range 4 {
		<-done
	}
	w.s.Close()
	if n := w.b.Screens(); n != 0 {
		t.Errorf("%d screens are watching", n)
	}
}

// Such as HTTP/2's.
func TestAConnectionThatCannotBeTakenOver(t *testing.T) {
	in(t, Options{}, func(w *world) {
		if got := w.get("/events"); got.Code != http.StatusInternalServerError {
			t.Errorf("%d %s", got.Code, got.Body)
		}
		if n := w.b.Screens() + w.s.streams.count(); n != 0 {
			t.Errorf("%d screens are counted", n)
		}
	})
}

func FuzzEventsFilter(f *testing.F) {
	for _, query := range []string{"", "set=shop", "site=oslo&set=%E6%97%A5", "set=%zz", "set=;", "set=&site", "set=" + strings.Repeat("a", 300), "&&==%00", "set[]=a"} {
		f.Add(query)
	}
	w, end := start(f, Options{})
	f.Cleanup(end)
	f.Fuzz(func(t *testing.T, query string) {
		filter := board.Filter{}
		values, err := url.ParseQuery(query)
		filter.Sets, filter.Sites = values["set"], values["site"]
		request := httptest.NewRequest(http.MethodGet, "/events", nil)
		request.URL.RawQuery = query
		s, answer := (&world{TB: t, s: w.s}).send(request)
		if s == nil {
			bad := err != nil || len(filter.Sets) > 32 || len(filter.Sites) > 32
			for _, name := range append(filter.Sets, filter.Sites...) {
				bad = bad || name == "" || len(name) > pharos.MaxName
			}
			if bad && answer.Code != http.StatusBadRequest || !bad && answer.Code != http.StatusServiceUnavailable {
				t.Errorf("?%s: %d %s", query, answer.Code, answer.Body)
			}
			return
		}
		defer s.Close()
		if got := s.answer(http.MethodGet); got.StatusCode != http.StatusOK {
			t.Errorf("?%s: %s", query, got.Status)
		}
	})
}
