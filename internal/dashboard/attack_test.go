package dashboard

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"pharos/internal/bus"
	"pharos/internal/pharostest"
)

const (
	attackersHere = "127.0.0.2"
	innocentsHere = "127.0.0.3"
	needle        = "needle-in-the-board"
	jobsToken     = "0123456789abcdef"
	lobbyKey      = "fedcba9876543210"
)

// from dials from an address of this machine.
func from(address string) pharostest.Dial {
	return func(ctx context.Context, to string) (net.Conn, error) {
		return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}).DialContext(ctx, "tcp", to)
	}
}

// besieged runs a dashboard with a file, and something on its board.
func besieged(t *testing.T, more string) (h *hall, address string) {
	t.Helper()
	h = newHall(t)
	hash, err := bcrypt.GenerateFromPassword([]byte("opensesame"), 10)
	if err != nil {
		t.Fatal(err)
	}
	c := pharostest.Config(t, fmt.Sprintf(`
dashboard:
  views: {lobby: {set: jobs}}
  users: [{name: anna, password: %q}]
  screens: [{name: tv, key: %s}]
  push: [{token: %s, subjects: local.jobs.*}]
  trusted_proxies: [127.0.0.9]
  user_header: X-Remote-User
%s`, hash, lobbyKey, jobsToken, more))
	l := pharostest.Listen(t)
	d := New(Options{Config: c, Name: "test", Version: "test", Bus: bus.Options{InProcess: h.server}, Memory: true, Listener: l, Log: slog.New(slog.DiscardHandler)})
	pharostest.Run(t, d.Run)
	address = l.Addr().String()
	pharostest.Eventually(t, func() error { return d.Alive(t.Context()) })
	for d.board.State(t.Context()).Link.Up == false {
		time.Sleep(20 * time.Millisecond)
	}
	return h, address
}

// attacker is a client without credentials that does its worst.
type attacker struct {
	ctx     context.Context
	address string
	wg      sync.WaitGroup
	mu      sync.Mutex // guards what follows
	conns   []net.Conn
}

// dial returns a connection; nil where it is refused.
func (a *attacker) dial() net.Conn {
	conn, err := from(attackersHere)(a.ctx, a.address)
	if err != nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conns = append(a.conns, conn)
	return conn
}

// hold sends something on each of so many connections, and reads nothing.
func (a *attacker) hold(n int, request func(i int) string) {
	for i := range n {
		if conn := a.dial(); conn != nil {
			a.wg.Go(func() { _, _ = io.WriteString(conn, request(i)) })
		}
	}
}

// flood sends requests as fast as they are answered, over so many connections.
func (a *attacker) flood(n int, request func() string) {
	for range n {
		a.wg.Go(func() {
			for a.ctx.Err() == nil {
				conn := a.dial()
				if conn == nil {
					return
				}
				answers := bufio.NewReader(conn)
				for a.ctx.Err() == nil {
					if _, err := io.WriteString(conn, request()); err != nil {
						break
					}
					answer, err := http.ReadResponse(answers, nil)
					if err != nil {
						break
					}
					_, _ = io.Copy(io.Discard, answer.Body)
				}
				conn.Close()
			}
		})
	}
}

// drip sends a byte now and then on each of so many connections.
func (a *attacker) drip(n int, request string) {
	for range n {
		conn := a.dial()
		if conn == nil {
			return
		}
		a.wg.Go(func() {
			for i := 0; a.ctx.Err() == nil; i++ {
				if _, err := conn.Write([]byte{request[i%len(request)]}); err != nil {
					return
				}
				select {
				case <-time.After(100 * time.Millisecond):
				case <-a.ctx.Done():
				}
			}
		})
	}
}

func get(target string, headers ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n"
}

func post(target, body string, headers ...string) string {
	headers = append(headers, "Content-Type: application/x-www-form-urlencoded", fmt.Sprint("Content-Length: ", len(body)))
	return strings.Replace(get(target, headers...), "GET", "POST", 1) + body
}

// sieges are what a client without credentials can do to keep others away.
var sieges = map[string]func(a *attacker){
	"connections that say nothing": func(a *attacker) { a.hold(1500, func(int) string { return "" }) },
	"heads that never end":         func(a *attacker) { a.drip(600, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "+strings.Repeat("x", 1<<20)) },
	"bodies that never end": func(a *attacker) {
		for _, target := range []string{"/login", "/api/v1/push/jobs/a", "/screens"} {
			a.hold(200, func(int) string { return strings.TrimSuffix(post(target, strings.Repeat("x", 8000)), "x") })
		}
	},
	"streams of the whole board": func(a *attacker) { a.hold(1200, func(int) string { return get("/events") }) },
	"streams of a filter each":   func(a *attacker) { a.hold(300, func(i int) string { return get(fmt.Sprint("/events?set=s", i)) }) },
	"streams behind made-up proxies": func(a *attacker) {
		a.hold(1200, func(i int) string {
			return get(fmt.Sprint("/events?set=s", i%100), fmt.Sprintf("X-Forwarded-For: 10.0.%d.%d", i/250, i%250))
		})
	},
	"answers that nobody reads": func(a *attacker) {
		a.hold(200, func(i int) string {
			return strings.Repeat(get([]string{"/poll/json", "/api/v1/board", "/metrics", "/"}[i%4]), 50)
		})
	},
	"a page of another filter each": func(a *attacker) { a.flood(16, func() string { return get(fmt.Sprint("/?set=s", rand.Int())) }) },
	"passwords": func(a *attacker) {
		a.flood(32, func() string { return post("/login", fmt.Sprint("name=anna&password=", rand.Int())) })
	},
	"passwords behind made-up proxies": func(a *attacker) {
		a.flood(32, func() string {
			return post("/login", "name=anna&password=x", fmt.Sprintf("X-Forwarded-For: 10.0.%d.%d", rand.IntN(250), rand.IntN(250)))
		})
	},
	"tokens": func(a *attacker) {
		a.flood(16, func() string {
			return post("/api/v1/push/jobs/a", "status=ok", fmt.Sprint("Authorization: Bearer ", rand.Int()))
		})
	},
	"keys": func(a *attacker) { a.flood(16, func() string { return get(fmt.Sprint("/lobby?key=", rand.Int())) }) },
	"watchers and views": func(a *attacker) {
		a.flood(16, func() string {
			return get([]string{"/w/", "/api/v1/watchers/", "/"}[rand.IntN(3)] + fmt.Sprint(rand.Int()))
		})
	},
	"nonsense": func(a *attacker) {
		a.hold(300, func(i int) string {
			return []string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", strings.Repeat("\x00", 1<<16), "GET / HTTP/9.9\r\n\r\n", get("/", "Cookie: "+strings.Repeat("pharos-session=a.b.c; ", 500)), get("/", "X: "+strings.Repeat("x", 1<<17))}[i%6]
		})
	},
}

// TestNobodyKeepsOthersFromTheirBoard: whatever somebody without credentials does
// from one address, others have their page, their stream and their alarm, can sign
// in and push, and the dashboard stays small.
func TestNobodyKeepsOthersFromTheirBoard(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("127.0.0.2 is no address of this machine")
	}
	h, address := besieged(t, "")
	stop := h.lives("berlin", "p1")
	defer stop()
	push := func(i int, status string) {
		h.publish(fmt.Sprintf("pharos.push.local.jobs.w%d", i), fmt.Sprintf(`{"status":%q,"value":%d,"detail":%q,"ttl":3600}`, status, rand.IntN(1000), strings.Repeat("x", 500)))
	}
	for i := range 500 {
		push(i, "ok")
		if i%100 == 99 {
			time.Sleep(time.Second)
		}
	}
	var dials atomic.Int64
	screen := pharostest.NewScreen(t, address, func(ctx context.Context, to string) (net.Conn, error) {
		dials.Add(1)
		return from(innocentsHere)(ctx, to)
	})
	screen.Await(t, "the board", func(v *pharostest.View) bool { return v.All(500, "ok") })
	innocent := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, to string) (net.Conn, error) { return from(innocentsHere)(ctx, to) }},
		Timeout: pharostest.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	// does returns how long a request took that has to have this answer.
	does := func(t *testing.T, method, target, body string, want int, headers ...string) time.Duration {
		t.Helper()
		began := time.Now()
		request, err := http.NewRequest(method, "http://"+address+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		answer, err := innocent.Do(request)
		if err != nil {
			t.Errorf("%s %s: %v", method, target, err)
			return time.Since(began)
		}
		defer answer.Body.Close()
		if target != "/events" && target != "/events?set=jobs" {
			_, _ = io.Copy(io.Discard, answer.Body)
		}
		if answer.StatusCode != want {
			t.Errorf("%s %s: %s", method, target, answer.Status)
		}
		return time.Since(began)
	}
	n := 0
	for name, siege := range sieges {
		if testing.Short() && !slices.Contains([]string{"streams of a filter each", "answers that nobody reads", "passwords"}, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			a := &attacker{ctx: ctx, address: address}
			defer func() {
				cancel()
				a.mu.Lock()
				for _, conn := range a.conns {
					conn.Close()
				}
				a.mu.Unlock()
				a.wg.Wait()
			}()
			siege(a)
			time.Sleep(time.Second)
			const form = "application/x-www-form-urlencoded"
			slowest := time.Duration(0)
			for _, took := range []time.Duration{
				does(t, "GET", "/healthz", "", 200), does(t, "GET", "/", "", 200), does(t, "GET", "/lobby", "", 200), does(t, "GET", "/events", "", 200), does(t, "GET", "/events?set=jobs", "", 200),
				does(t, "GET", "/api/v1/board", "", 200), does(t, "GET", "/metrics", "", 200), does(t, "GET", "/?key="+lobbyKey, "", 303),
				does(t, "POST", "/login", "name=anna&password=opensesame", 303, "Content-Type", form),
				does(t, "POST", "/api/v1/push/jobs/w1", "status=ok&ttl=3600", 204, "Content-Type", form, "Authorization", "Bearer "+jobsToken),
			} {
				slowest = max(slowest, took)
			}
			n++
			began := time.Now()
			push(n, "critical")
			red := screen.Await(t, "the red one", func(v *pharostest.View) bool { return v.Shows(fmt.Sprintf("local.jobs.w%d", n), "critical") }).Sub(began)
			push(n, "ok")
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			t.Logf("the slowest request took %v, a red was seen after %v; %d MB of heap, %d goroutines", slowest.Round(time.Millisecond), red.Round(time.Millisecond), memory.HeapInuse>>20, runtime.NumGoroutine())
			if memory.HeapInuse > 400<<20 {
				t.Errorf("%d MB of heap", memory.HeapInuse>>20)
			}
		})
	}
	// It hears something each second, and gives up after six.
	if n := dials.Load(); n != 1 {
		t.Errorf("the screen had to connect %d times", n)
	}
}

// roles are who asks at a board of those who have signed in, by what they send.
var roles = map[string][]string{
	"nobody":               nil,
	"a forged session":     {"Cookie: pharos-session=YW5uYQ.zzzzzz.AAAA"},
	"a forged screen":      {"Cookie: pharos-screen=tv.AAAA"},
	"a wrong key":          {"Authorization: Bearer 0000000000000000"},
	"a password":           {"Authorization: Basic YW5uYTpvcGVuc2VzYW1l"},
	"a made-up proxy":      {"X-Remote-User: anna", "X-Forwarded-For: 127.0.0.9", "X-Forwarded-User: anna", "Forwarded: for=127.0.0.9"},
	"another address":      {"X-Original-URL: /login", "X-Rewrite-URL: /login", "X-Forwarded-Host: localhost", "X-HTTP-Method-Override: GET"},
	"who pushes":           {"Authorization: Bearer " + jobsToken},
	"a push in the cookie": {"Cookie: pharos-session=" + jobsToken + "; pharos-screen=tv." + lobbyKey},
}

// reads are requests that could tell of the board.
func reads(headers []string) (all []string) {
	for _, target := range []string{
		"/", "/lobby", "/tv", "/lobby/", "/?set=jobs", "/events", "/events?set=jobs", "/api/v1/board", "/api/v1/watchers/local.jobs.secret", "/poll/json", "/metrics", "/readyz",
		"/w/local.jobs.secret", "/screens", "/login", "/login?to=lobby", "/needle", "/lobby?key=wrong", "/?key=",
		"//api/v1/board", "/./api/v1/board", "/assets/../api/v1/board", "/assets/%2e%2e/api/v1/board", "/assets/..%2fapi%2fv1%2fboard", "/healthz/../api/v1/board", "/login/../api/v1/board", "/forms.css/../events",
		"/%61pi/v1/board", "/api/v1/board%00", "/api/v1/board;x", "/api/v1/board/", "/API/V1/BOARD", "/api/v1/push/jobs/../../board", "/api/v1/board#login", "/login#/api/v1/board", "http://127.0.0.1/api/v1/board", "http://localhost/events", "*",
		"/logo/a", "/sample/", "/.git/config", "/debug/pprof/", "/api/v1/watchers/..", "/api/v1/watchers/%2e%2e%2fboard",
	} {
		all = append(all, get(target, headers...), strings.Replace(get(target, headers...), "GET", "HEAD", 1), strings.Replace(get(target, headers...), "HTTP/1.1", "HTTP/1.0", 1),
			post(target, "", headers...), strings.Replace(get(target, headers...), "GET", "OPTIONS", 1), strings.Replace(get(target, headers...), "GET", "get", 1))
	}
	return append(all,
		get("/events", append(headers, "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__")...),
		get("/events", append(headers, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")...),
		// One request inside another, for a proxy that reads them otherwise.
		post("/login", get("/api/v1/board"), append(headers, "Transfer-Encoding: chunked")...),
		post("/login", "0\r\n\r\n"+get("/api/v1/board"), append(headers, "Transfer-Encoding: chunked")...),
		"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "TRACE / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
	)
}

// pushes are requests that could put something on the board. %s is a part of it.
func pushes(headers []string) (all []string) {
	for _, target := range []string{"/api/v1/push/jobs/%s", "/api/v1/push/jobs/%s?site=local", "/api/v1/push/jobs/%s?token=" + jobsToken, "/api/v1/push/other/%s", "/api/v1/push/jobs/..%%2fother%%2f%s", "/api/v1/push/jobs/%s?site=berlin"} {
		for _, method := range []string{"POST", "PUT", "PATCH", "GET"} {
			all = append(all, strings.Replace(post(target, "status=ok&summary=needle", headers...), "POST", method, 1))
		}
	}
	return append(all, post("/screens", "screen=1&do=reload", headers...), post("/logout", "", headers...))
}

// TestNobodyReadsOrPushesWithoutCredentials tries what could tell of a board, or
// change it, as everybody who may not.
func TestNobodyReadsOrPushesWithoutCredentials(t *testing.T) {
	h, address := besieged(t, "  access: signed_in\n")
	stop := h.lives("berlin", "p1")
	defer stop()
	// ask returns what comes of a request until the connection ends, or nothing
	// more comes.
	ask := func(request string) string {
		t.Helper()
		conn, err := pharostest.DialHere(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		first, rest, _ := strings.Cut(request, "\r\n")
		if _, err := io.WriteString(conn, first+"\r\nConnection: close\r\n"+rest); err != nil {
			return ""
		}
		_ = conn.SetReadDeadline(time.Now().Add(pharostest.Patience))
		answer, _ := io.ReadAll(io.LimitReader(conn, 1<<20)) // some end with a reset
		return string(answer)
	}
	pharostest.Eventually(t, func() error { // the way to find it; a push before the board listens is lost
		h.publish("pharos.push.local.jobs.secret", `{"status":"critical","summary":"`+needle+`","detail":"`+needle+`","ttl":3600}`)
		if answer := ask(get("/api/v1/board", "Authorization: Bearer "+lobbyKey)); !strings.Contains(answer, needle) {
			return fmt.Errorf("%s", answer)
		}
		return nil
	})
	for name, headers := range roles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, request := range reads(headers) {
				answer := ask(request)
				for _, word := range []string{needle, "event: ", "pharos_watchers", "berlin", "pharos-session"} {
					if strings.Contains(answer, word) {
						t.Errorf("%q tells of %s:\n%s", request, word, answer)
					}
				}
			}
			if name == "who pushes" {
				return
			}
			for i, request := range pushes(headers) {
				if strings.Contains(request, "%s") {
					request = fmt.Sprintf(request, fmt.Sprint("w", i))
				}
				if answer := ask(request); strings.HasPrefix(answer, "HTTP/1.1 2") {
					t.Errorf("%q is answered with\n%s", request, answer)
				}
			}
		})
	}
	// A screen and who pushes may do one thing each.
	for name, headers := range map[string][]string{"a screen": {"Authorization: Bearer " + lobbyKey}, "who pushes": {"Authorization: Bearer " + jobsToken}} {
		for i, request := range pushes(headers) {
			if strings.Contains(request, "%s") {
				request = fmt.Sprintf(request, fmt.Sprint("v", i))
			}
			may := name == "who pushes" && strings.HasPrefix(request, "POST /api/v1/push/jobs/") && !strings.Contains(request, "berlin")
			if answer := ask(request); strings.HasPrefix(answer, "HTTP/1.1 2") != may {
				t.Errorf("%s: %q is answered with\n%s", name, request, answer)
			}
		}
	}
}
