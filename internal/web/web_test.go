package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"pharos/internal/board"
	"pharos/internal/clock"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
	"pharos/internal/ui"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a board that runs, and a server without a listener. Within in, it
// lives on a fake clock.
type world struct {
	testing.TB
	b   *board.Board
	s   *Server
	log *bytes.Buffer
}

// testGuard knows the names that the tests' requests are for.
var testGuard = Guard{Hosts: []string{"example.com", "a"}}

const testPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// start returns a world and a function that ends it.
func start(t testing.TB, o Options) (*world, func()) {
	w := &world{TB: t, log: &bytes.Buffer{}}
	o.Log = slog.New(slog.NewTextHandler(w.log, nil))
	o.Version = "1.0"
	w.b = board.New(board.Options{Title: "Pharos", Tagline: "Watching", Build: ui.Build(), Log: slog.New(slog.DiscardHandler), Clock: clock.New(clock.Never)})
	o.Board = w.b
	w.s = New(o)
	w.s.Apply(Settings{Guard: testGuard})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.b.Run(ctx) }()
	return w, func() {
		w.s.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func in(t *testing.T, o Options, play func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, end := start(t, o)
		defer end()
		time.Sleep(time.Second) // the first structure is out
		play(w)
	})
}

func (w *world) apply(subject, data string) { w.b.Apply(subject, []byte(data), 0, true) }

func (w *world) beat(site, prober string, n int) {
	w.apply(pharos.HeartbeatSubject(pharos.Token(site), pharos.Token(prober)), fmt.Sprintf(`{"site":%q,"prober":%q,"incarnation":1,"seq":%d,"version":"0.9","missed":3,"lag":0.002}`, site, prober, n))
}

func (w *world) roster(site, prober string, sets ...pharos.RosterSet) {
	w.Helper()
	parts, err := pharos.Roster{Site: site, Prober: prober, Incarnation: 1, Seq: 1, Sets: sets}.Split(pharos.MaxMessage)
	if err != nil {
		w.Fatal(err)
	}
	for i, data := range parts {
		w.apply(pharos.RosterSubject(pharos.Token(site), pharos.Token(prober), i), string(data))
	}
}

func (w *world) get(target string) *httptest.ResponseRecorder {
	out := httptest.NewRecorder()
	w.s.ServeHTTP(out, httptest.NewRequest(http.MethodGet, target, nil))
	return out
}

func (w *world) wantCode(target string, want int) *httptest.ResponseRecorder {
	w.Helper()
	got := w.get(target)
	if got.Code != want {
		w.Errorf("GET %s: %d %s, want %d", target, got.Code, got.Body, want)
	}
	return got
}

// wantJSON compares an answer with what it should be, both indented.
func (w *world) wantJSON(target, want string) {
	w.Helper()
	got := w.wantCode(target, http.StatusOK)
	if kind, cache := got.Header().Get("Content-Type"), got.Header().Get("Cache-Control"); kind != "application/json" || cache != "no-store" {
		w.Errorf("GET %s: %s, %s", target, kind, cache)
	}
	indent := func(s string) string {
		var b bytes.Buffer
		if err := json.Indent(&b, []byte(s), "", "  "); err != nil {
			w.Fatalf("GET %s: %v in %s", target, err, s)
		}
		return b.String()
	}
	if diff := cmp.Diff(indent(want+"\n"), indent(got.Body.String())); diff != "" {
		w.Errorf("GET %s: want -, got +\n%s", target, diff)
	}
}

// hijacked takes a connection over, as net/http does.
type hijacked struct {
	*httptest.ResponseRecorder
	conn net.Conn
	done bool
}

func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.done = true
	return h.conn, nil, nil
}

// screen is one that watches over a pipe: a byte is taken when it is read.
type screen struct {
	testing.TB
	net.Conn
	*bufio.Reader
}

func (s *screen) Read(p []byte) (int, error) { return s.Reader.Read(p) }

// join asks for the events and reads their head.
func (w *world) join(query string) *screen {
	w.Helper()
	s, answer := w.ask(query)
	if s == nil {
		w.Fatalf("GET /events%s: %d %s", query, answer.Code, answer.Body)
	}
	answered, err := http.ReadResponse(s.Reader, nil)
	if err != nil {
		w.Fatal(err)
	}
	if answered.StatusCode != http.StatusOK {
		w.Fatal(answered.Status)
	}
	if got := s.paragraph(); got != "retry: 1000" {
		w.Errorf("the stream begins with %q", got)
	}
	return s
}

// ask asks for the events; the screen is nil when they were refused.
func (w *world) ask(query string) (*screen, *httptest.ResponseRecorder) {
	return w.send(httptest.NewRequest(http.MethodGet, "/events"+query, nil))
}

func (w *world) send(request *http.Request) (*screen, *httptest.ResponseRecorder) {
	server, client := net.Pipe()
	w.Cleanup(func() { client.Close() })
	out := &hijacked{httptest.NewRecorder(), server, false}
	w.s.ServeHTTP(out, request)
	if !out.done {
		return nil, out.ResponseRecorder
	}
	return &screen{w.TB, client, bufio.NewReader(client)}, nil
}

// paragraph reads up to an empty line.
func (s *screen) paragraph() string {
	s.Helper()
	var lines []string
	for {
		line, err := s.ReadString('\n')
		if err != nil {
			s.Fatalf("after %q: %v", lines, err)
		}
		if line == "\n" {
			return strings.Join(lines, "")[:max(0, len(strings.Join(lines, ""))-1)]
		}
		lines = append(lines, line)
	}
}

// event is one of the stream.
type event struct {
	name, id string
	Sets     []struct{ Name string }
	Tiles    []map[string]any
	U        []map[string]any
	Hops     any
	Build    string
	N        uint64
	T        float64
}

func (s *screen) event() event {
	s.Helper()
	raw, ok := pharostest.ParseEvent([]byte(s.paragraph()))
	e := event{name: raw.Name, id: raw.ID}
	if ok {
		if err := json.Unmarshal(raw.Data, &e); err != nil {
			s.Fatal(err)
		}
	}
	return e
}

func TestPageIsNotCachedAndItsAssetsAre(t *testing.T) {
	in(t, Options{}, func(w *world) {
		page := w.wantCode("/", http.StatusOK)
		if kind, cache := page.Header().Get("Content-Type"), page.Header().Get("Cache-Control"); kind != "text/html; charset=UTF-8" || cache != "no-store" {
			t.Errorf("the page: %s, %s", kind, cache)
		}
		assets := regexp.MustCompile(`"(assets/[^"]+)"`).FindAllStringSubmatch(page.Body.String(), -1)
		if len(assets) == 0 {
			t.Fatal("the page has no assets")
		}
		for _, a := range assets {
			got := w.wantCode("/"+a[1], http.StatusOK)
			if cache := got.Header().Get("Cache-Control"); cache != "public, max-age=31536000, immutable" || got.Body.Len() == 0 {
				t.Errorf("%s: %d bytes, %s", a[1], got.Body.Len(), cache)
			}
		}
	})
}

// TestAssetOfAnotherBuild: a page that another dashboard sent still gets a script.
func TestAssetOfAnotherBuild(t *testing.T) {
	in(t, Options{}, func(w *world) {
		for _, name := range []string{"app.js", "app.js", "board.css"} {
			own := w.wantCode("/assets/"+ui.Build()+"/"+name, http.StatusOK)
			got := w.wantCode("/assets/0123456789ab/"+name, http.StatusOK)
			if !bytes.Equal(got.Body.Bytes(), own.Body.Bytes()) || got.Header().Get("Content-Type") != own.Header().Get("Content-Type") {
				t.Errorf("%s of another build: got %d bytes, %s, wanted our own", name, got.Body.Len(), got.Header().Get("Content-Type"))
			}
			if cache := got.Header().Get("Cache-Control"); cache != "no-store" {
				t.Errorf("%s of another build: Cache-Control: got %q, wanted no-store", name, cache)
			}
		}
	})
}

func TestHeaders(t *testing.T) {
	in(t, Options{}, func(w *world) {
		for _, target := range []string{"/", "/api/v1/board", "/poll/json", "/metrics", "/healthz", "/readyz", "/nothing", "/api/v1/watchers/none", "/events?set="} {
			h := w.get(target).Header()
			for name, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Security-Policy": testPolicy, "X-Frame-Options": "DENY",
			} {
				if got := h.Get(name); got != want {
					t.Errorf("GET %s: %s: %q, want %q", target, name, got, want)
				}
			}
		}
	})
}

func TestWhatIsNotThere(t *testing.T) {
	in(t, Options{}, func(w *world) {
		for _, tt := range []struct{ target, want string }{
			{"/nothing", "no view \"nothing\": the file names none under dashboard.views\n"},
			{"/assets/0123/none.js", "no such asset; the page of another version asks for it: reload\n"},
			{"/assets/..%2fui.go/..%2fui.go", "no such asset; the page of another version asks for it: reload\n"},
			{"/api/v1/watchers/a.b.c", "no such watcher; /api/v1/board lists them with their ids\n"},
			{"/api/v1/watchers/<script>", "no such watcher; /api/v1/board lists them with their ids\n"},
			{"/api/v1/watchers/", "Not Found\n"},
			{"/sample/page", "Not Found\n"},
			{"/debug/pprof/", "Not Found\n"},
		} {
			got := w.wantCode(tt.target, http.StatusNotFound)
			if h := got.Header(); got.Body.String() != tt.want || h.Get("Content-Type") != "text/plain; charset=UTF-8" || h.Get("Cache-Control") != "no-store" {
				t.Errorf("GET %s: %q, %v", tt.target, got.Body, h)
			}
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, "BREW"} {
			for _, target := range []string{"/", "/events", "/api/v1/board", "/readyz"} {
				got := httptest.NewRecorder()
				w.s.ServeHTTP(got, httptest.NewRequest(method, target, nil))
				if got.Code != http.StatusMethodNotAllowed || !strings.Contains(got.Header().Get("Allow"), "GET") {
					t.Errorf("%s %s: %d, Allow: %s", method, target, got.Code, got.Header().Get("Allow"))
				}
			}
		}
		if w.log.Len() > 0 {
			t.Errorf("logged: %s", w.log)
		}
	})
}

func TestSample(t *testing.T) {
	in(t, Options{Sample: Sample()}, func(w *world) {
		time.Sleep(30*time.Second - halfMinute())
		for _, tt := range []struct {
			target string
			into   time.Duration // of the half minute
			code   int
		}{
			{"/sample/page", 0, http.StatusOK},
			{"/sample/flicker", 0, http.StatusServiceUnavailable},
			{"/sample/flicker", 3 * time.Second, http.StatusOK},
			{"/sample/nothing", 4 * time.Second, http.StatusNotFound},
			{"/sample/slow", 15 * time.Second, http.StatusOK},
		} {
			time.Sleep(tt.into - halfMinute())
			w.wantCode(tt.target, tt.code)
		}
		if took := halfMinute() - 15*time.Second; took < 40*time.Millisecond || took > 60*time.Millisecond {
			t.Errorf("the slow page took %v after 15 s", took)
		}
	})
}

func TestHealth(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.wantCode("/healthz", http.StatusOK)
		if got := w.wantCode("/readyz", http.StatusServiceUnavailable); got.Body.String() != "no contact with NATS: \n" {
			t.Errorf("got %q", got.Body)
		}
		time.Sleep(time.Second)
		w.b.SetLink(board.Link{Error: "dialing nats://broker:4222: connection refused"})
		if got := w.wantCode("/readyz", http.StatusServiceUnavailable); got.Body.String() != "no contact with NATS: dialing nats://broker:4222: connection refused\n" {
			t.Errorf("got %q", got.Body)
		}
		w.wantCode("/healthz", http.StatusOK)
		time.Sleep(time.Second)
		w.b.SetLink(board.Link{Up: true})
		if got := w.wantCode("/readyz", http.StatusOK); got.Body.String() != "ready\n" {
			t.Errorf("got %q", got.Body)
		}
	})
}

func TestBoardHasEnded(t *testing.T) {
	w, end := start(t, Options{})
	end()
	for _, target := range []string{"/readyz", "/api/v1/board", "/poll/json", "/events"} {
		w.wantCode(target, http.StatusServiceUnavailable)
	}
	w.wantCode("/healthz", http.StatusOK)
	w.wantCode("/metrics", http.StatusOK)
	if w.log.Len() > 0 {
		t.Errorf("logged: %s", w.log)
	}
}

// served is a world on a real listener.
func served(t *testing.T, o Options) (*world, string, func() error) {
	t.Helper()
	w, end := start(t, o)
	t.Cleanup(end)
	l := pharostest.Listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.s.Serve(ctx, l) }()
	stop := func() error {
		cancel()
		err := <-ended
		ended <- nil // stopping twice is fine
		return err
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return w, l.Addr().String(), stop
}

// dial sends a request as it is written here.
func dial(t *testing.T, address, request string) *screen {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(pharostest.Patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return &screen{t, conn, bufio.NewReader(conn)}
}

func (s *screen) answer(method string) *http.Response {
	s.Helper()
	answer, err := http.ReadResponse(s.Reader, &http.Request{Method: method})
	if err != nil {
		s.Fatal(err)
	}
	return answer
}

func TestHead(t *testing.T) {
	_, address, _ := served(t, Options{})
	s := dial(t, address, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /api/v1/board HTTP/1.1\r\nHost: a\r\n\r\nHEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\nHEAD /events HTTP/1.1\r\nHost: a\r\n\r\n")
	for _, tt := range []struct {
		target string
		code   int
	}{{"/", 200}, {"/api/v1/board", 200}, {"/nothing", 404}, {"/events", 405}} {
		if got := s.answer(http.MethodHead); got.StatusCode != tt.code {
			t.Errorf("HEAD %s: %s, want %d", tt.target, got.Status, tt.code)
		}
	}
	if s.Buffered() > 0 {
		t.Errorf("%d bytes more than the heads", s.Buffered())
	}
}

func TestHugeHeadersAreRefused(t *testing.T) {
	_, address, _ := served(t, Options{})
	s := dial(t, address, "GET / HTTP/1.1\r\nHost: a\r\nX-Much: "+strings.Repeat("x", 24<<10)+"\r\n\r\n")
	if got := s.answer(http.MethodGet); got.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %s", got.Status)
	}
}

func TestServeStopsAtOnceWithOpenStreams(t *testing.T) {
	w, address, stop := served(t, Options{})
	const request = "GET /events HTTP/1.1\r\nHost: a\r\n\r\n"
	reads := dial(t, address, request)
	reads.answer(http.MethodGet)
	dial(t, address, request).answer(http.MethodGet) // and does not read on
	dial(t, address, "GET / HTTP/1.1\r\nHost")       // is slow to ask
	for w.b.Screens() < 2 {
		w.get("/healthz")
	}
	begin := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if _, err := io.ReadAll(reads); err != nil {
		t.Errorf("the stream ended with %v", err)
	}
	if n := w.b.Screens(); n != 0 {
		t.Errorf("%d screens are still watching", n)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("somebody still listens")
	}
}

func TestServeSaysWhyItCannot(t *testing.T) {
	w, end := start(t, Options{})
	defer end()
	l := pharostest.Listen(t)
	l.Close()
	err := w.s.Serve(t.Context(), l)
	if err == nil || !strings.HasPrefix(err.Error(), "serving "+l.Addr().String()+": ") {
		t.Errorf("got %v", err)
	}
	w.s.Close() // twice is fine
}
