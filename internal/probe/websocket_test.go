package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	ws "github.com/coder/websocket"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// sockets serves WebSockets, and lets talk have its say on each.
func sockets(t testing.TB, config *tls.Config, talk func(ctx context.Context, c *ws.Conn, r *http.Request)) string {
	var talking sync.WaitGroup // the server does not wait for connections that were taken over
	t.Cleanup(talking.Wait)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		talking.Add(1)
		defer talking.Done()
		c, err := ws.Accept(w, r, &ws.AcceptOptions{Subprotocols: []string{"prices"}})
		if err != nil {
			return
		}
		defer c.CloseNow()
		talk(r.Context(), c, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(s.Close)
	if config != nil {
		s.TLS = config
		s.StartTLS()
		return "wss" + strings.TrimPrefix(s.URL, "https") + "/"
	}
	s.Start()
	return "ws" + strings.TrimPrefix(s.URL, "http") + "/"
}

func TestWebSocket(t *testing.T) {
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, func(*x509.Certificate) {})}}
	silent := func(ctx context.Context, c *ws.Conn, _ *http.Request) { c.Read(ctx) }
	answers := func(messages ...string) func(ctx context.Context, c *ws.Conn, _ *http.Request) {
		return func(ctx context.Context, c *ws.Conn, _ *http.Request) {
			c.Read(ctx)
			for _, m := range messages {
				c.Write(ctx, ws.MessageText, []byte(m))
			}
			c.Read(ctx)
		}
	}
	says := func(answer string) string { return "ws://" + listen(t, hangs(answer)) + "/" }
	ask := func(send, want string) func(*websocketSpec) {
		return func(s *websocketSpec) {
			s.Send, s.Expect = field.Text(send), field.Pattern{Regexp: patternsOf(want)[0]}
		}
	}
	header := func(name, value string) func(*websocketSpec) {
		return func(s *websocketSpec) { s.Headers = field.Dictionary{{Name: name, Value: value}} }
	}
	const soon = 300 * time.Millisecond
	for name, test := range map[string]struct {
		address string
		edit    func(*websocketSpec)
		timeout time.Duration
		why     string
		phases  string
	}{
		"open":               {sockets(t, nil, silent), nil, long, "", "connect upgrade"},
		"over TLS":           {sockets(t, config, silent), func(s *websocketSpec) { s.TLS.CAFile = field.Text(ca.file) }, long, "", "connect tls upgrade"},
		"over TLS, nobody's": {sockets(t, config, silent), nil, long, `certificate is signed by an unknown authority, "Test Authority"`, ""},
		"a message":          {sockets(t, nil, answers("pong")), ask("ping", "^pong$"), long, "", "connect upgrade message"},
		"a later message":    {sockets(t, nil, answers("hello", "pong")), ask("ping", "^pong$"), long, "", ""},
		"other messages":     {sockets(t, nil, answers("hello", "no")), ask("ping", "^pong$"), soon, `no match for "^pong$", the last message is "no"`, ""},
		"no message":         {sockets(t, nil, silent), ask("ping", "^pong$"), soon, `no match for "^pong$"; then it was closed: NormalClosure`, ""},
		"silence":            {sockets(t, nil, func(ctx context.Context, c *ws.Conn, _ *http.Request) { c.Read(ctx); c.Read(ctx) }), ask("ping", "^pong$"), soon, "timed out after 300 ms in message", ""},
		"a word, and closed": {sockets(t, nil, func(ctx context.Context, c *ws.Conn, _ *http.Request) {
			c.Read(ctx)
			c.Write(ctx, ws.MessageText, []byte("bye"))
			c.Close(ws.StatusPolicyViolation, "sign in")
		}), ask("ping", "^pong$"), long, `no match for "^pong$", the last message is "bye"; then it was closed: PolicyViolation, sign in`, ""},
		"cut":       {sockets(t, nil, func(ctx context.Context, c *ws.Conn, _ *http.Request) { c.Read(ctx); c.CloseNow() }), ask("ping", "^pong$"), long, "connection closed", ""},
		"large":     {sockets(t, nil, answers(strings.Repeat("x", 60<<10)+"pong")), ask("ping", "pong"), long, "", ""},
		"too large": {sockets(t, nil, answers(strings.Repeat("x", 100<<10)+"pong")), ask("ping", "pong"), long, "a message is longer than 64 KiB", ""},
		"a flood": {sockets(t, nil, func(ctx context.Context, c *ws.Conn, _ *http.Request) {
			for c.Write(ctx, ws.MessageText, []byte(strings.Repeat("x", 60<<10))) == nil {
			}
		}), ask("ping", "pong"), long, `no match for "pong", the last message is "` + strings.Repeat("x", 120) + `", in 1 MiB of messages`, ""},
		"a subprotocol": {sockets(t, nil, silent), header("Sec-WebSocket-Protocol", "other, prices"), long, "", ""},
		"another subprotocol": {says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n"), nil, long,
			"", ""},
		"forbidden":    {says("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"), nil, long, "403 Forbidden, wanted 101 Switching Protocols", ""},
		"a redirect":   {says("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"), nil, long, "302 Found, wanted 101 Switching Protocols", ""},
		"a page":       {says("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"), nil, long, "200 OK, wanted 101 Switching Protocols", ""},
		"no HTTP":      {says("220 hello\r\n"), nil, long, `the answer is no HTTP: malformed status code "hello"`, ""},
		"hangs up":     {"ws://" + listen(t, func(c net.Conn) { c.Read(make([]byte, 4096)) }) + "/", nil, long, "the connection was closed without an answer", ""},
		"slow":         {"ws://" + listen(t, greets("")) + "/", nil, soon, "timed out after 300 ms in upgrade", ""},
		"refused":      {"ws://" + unused(t) + "/", nil, long, "connection refused", ""},
		"no upgrade":   {says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"), nil, long, `the answer does not open a WebSocket: Upgrade header "chat" does not contain websocket`, ""},
		"slow to part": {sockets(t, nil, func(ctx context.Context, c *ws.Conn, _ *http.Request) { time.Sleep(time.Second) }), nil, long, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			spec := websocket.New().(*websocketSpec)
			spec.WebSocket.URL = address2url(test.address)
			if test.edit != nil {
				test.edit(spec)
			}
			m := measure(t, spec, test.timeout)
			switch name {
			case "another subprotocol":
				if !strings.HasPrefix(m.Reason, "the answer does not open a WebSocket: invalid Sec-WebSocket-Accept") {
					t.Errorf("got %q", m.Reason)
				}
				return
			case "no message": // who of the two closes first is no matter
				if m.Outcome != pharos.Failed {
					t.Errorf("got %v", m.Outcome)
				}
				return
			case "a subprotocol":
				if factOf(m, "subprotocol") != "prices" {
					t.Errorf("got facts %v", m.Facts)
				}
			case "slow to part":
				if m.Value.V > 0.4 {
					t.Errorf("the parting counts: %v s", m.Value.V)
				}
			}
			if m.Reason != test.why || (m.Outcome == pharos.Failed) != (test.why != "") {
				t.Errorf("got %v %q, want %q\n%s", m.Outcome, m.Reason, test.why, m.Detail)
			}
			var phases []string
			for _, p := range m.Phases {
				phases = append(phases, p.Name)
			}
			if test.phases != "" && strings.Join(phases, " ") != test.phases {
				t.Errorf("got phases %v, want %s", phases, test.phases)
			}
		})
	}
}

func TestAWebSocketsRequest(t *testing.T) {
	heard := make(chan *http.Request, 1)
	status := make(chan ws.StatusCode, 1)
	spec := websocket.New().(*websocketSpec)
	spec.WebSocket.URL = address2url(sockets(t, nil, func(ctx context.Context, c *ws.Conn, r *http.Request) {
		heard <- r
		_, _, err := c.Read(ctx)
		status <- ws.CloseStatus(err)
	}) + "live?a=b")
	spec.WebSocket.User = address2url("x://anna:pass@h").User
	spec.Headers = field.Dictionary{{Name: "Host", Value: "shop.example"}, {Name: "X-A", Value: "b"}}
	if m := measure(t, spec, long); m.Reason != "" {
		t.Fatal(m.Reason)
	}
	r := <-heard
	user, password, _ := r.BasicAuth()
	if r.Host != "shop.example" || r.Header.Get("X-A") != "b" || r.URL.String() != "/live?a=b" || user+":"+password != "anna:pass" || r.UserAgent() != "Pharos/test" {
		t.Errorf("it asks with %+v", r)
	}
	if got := <-status; got != ws.StatusNormalClosure {
		t.Errorf("it closes with %v", got)
	}
	if got := spec.Target(); strings.Contains(got, "pass") {
		t.Errorf("its target is %s", got)
	}
}
