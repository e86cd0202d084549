package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	ws "github.com/coder/websocket"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

var websocket = Kind{
	Key: "websocket", Doc: websocketDoc, Phases: []string{"lookup", "connect", "tls", "upgrade", "message"}, Through: true,
	New: func() Spec { return new(websocketSpec) },
}

const websocketDoc = `Opens a WebSocket, says something and waits for a message where the file has them, and closes it. Its value is the time that all this takes, but for the closing.

${expect} is looked for in each message as a whole, up to 64 KiB of it, until one has it. A subprotocol is asked for by the header ${Sec-WebSocket-Protocol}. Redirects are not followed.

${{name: Live prices, websocket: "wss://shop.example/live"}} is enough; for more it is ${{websocket: "wss://shop.example/live", send: "{\"op\": \"ping\"}", expect: pong}}.`

type websocketSpec struct {
	field.Section
	WebSocket field.Address    `yaml:"websocket" schemes:"ws wss" also:"ws wss" doc:"The ws or wss address of a WebSocket." required:"true"`
	Headers   field.Dictionary `yaml:"headers" also:"request_headers http_headers" doc:"Headers of the request."`
	Send      field.Text       `yaml:"send" also:"body message" doc:"A message to send, once the WebSocket is open."`
	Expect    field.Pattern    `yaml:"expect" also:"match reply response" doc:"A regular expression (RE2) that a message must match; ^ and $ are the ends of a line."`
	TLS       tlsKeys          `yaml:"tls" doc:"How the certificate is checked."`
	IP        field.Word       `yaml:"ip" words:"4 6" doc:"4 or 6: this version of IP alone." default:"either"`
}

// Check implements Spec.
func (s *websocketSpec) Check(c *field.Checker) {
	checkHeaders(c, s.Headers)
	for _, e := range s.Headers {
		switch http.CanonicalHeaderKey(e.Name) {
		case "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions":
			c.Fail(e.Key, "headers: %s is made by the prober", e.Name)
		}
	}
	s.TLS.check(c)
	if s.WebSocket.URL != nil {
		checkIP(c, &s.Section, s.WebSocket.Hostname(), s.IP)
		if s.Has("tls") && s.WebSocket.Scheme == "ws" {
			c.Fail(s.At("tls"), "tls: a ws address has no certificate to check")
		}
	}
}

// Target implements Spec.
func (s *websocketSpec) Target() string {
	if s.WebSocket.URL == nil {
		return ""
	}
	u := *s.WebSocket.URL
	u.User = nil
	return u.String()
}

// Traits implements Spec.
func (s *websocketSpec) Traits() pharos.Traits {
	t := pharos.Traits{Timed: true, Network: true, Files: s.TLS.files(), Phases: []string{"lookup", "connect"}}
	if s.WebSocket.URL != nil && s.WebSocket.Scheme == "wss" {
		t.Class, t.Phases = pharos.Handshake, append(t.Phases, "tls")
	}
	t.Phases = append(t.Phases, "upgrade")
	if s.Send != "" || s.Expect.Regexp != nil {
		t.Phases = append(t.Phases, "message")
	}
	return t
}

const (
	maxMessage  = 64 << 10
	maxMessages = 1 << 20 // bytes of all
	// goodbye is how long the other side has to take its leave.
	goodbye = 500 * time.Millisecond
)

// socketeer opens one WebSocket again and again.
type socketeer struct {
	engine  *Engine
	spec    *websocketSpec
	watcher pharos.Watcher
	tls     *tls.Config
	url     url.URL
	address string
	options ws.DialOptions
}

// Prepare implements Spec.
func (s *websocketSpec) Prepare(e *Engine, w pharos.Watcher) (Run, error) {
	config, err := s.TLS.config()
	if err != nil {
		return nil, err
	}
	config.NextProtos = []string{"http/1.1"}
	u := *s.WebSocket.URL
	port := u.Port()
	if port == "" {
		port = map[string]string{"ws": "80", "wss": "443"}[u.Scheme]
	}
	k := &socketeer{engine: e, spec: s, watcher: w, tls: config, url: u, address: net.JoinHostPort(u.Hostname(), port)}
	k.options.HTTPHeader = http.Header{"User-Agent": {e.agent}}
	for _, h := range s.Headers {
		switch name := http.CanonicalHeaderKey(h.Name); name {
		case "Host":
			k.options.Host = h.Value
		case "Sec-Websocket-Protocol":
			for p := range strings.SplitSeq(h.Value, ",") {
				k.options.Subprotocols = append(k.options.Subprotocols, strings.TrimSpace(p))
			}
		default:
			k.options.HTTPHeader[name] = []string{h.Value}
		}
	}
	return k.run, nil
}

func (k *socketeer) run(ctx context.Context, t *Trace) (m Measurement) {
	raw, err := k.engine.connect(ctx, t, k.spec.IP.Int(), k.address)
	if err != nil {
		return pharos.Failure(err)
	}
	defer raw.Close()
	m.AddFact("address", raw.RemoteAddr().String())
	fail := func(err error) Measurement {
		m.Outcome, m.Cause = pharos.Failed, err
		return m
	}
	speaker, scheme := net.Conn(raw), "http"
	if k.url.Scheme == "wss" {
		secured, err := secure(ctx, t, raw, k.tls, k.url.Hostname())
		if err != nil {
			return fail(err)
		}
		speaker, scheme = secured, "https"
		m.AddFact("certificate", certificateOf(secured.ConnectionState()).say(time.Now()))
	}
	t.Enter("upgrade")
	through, err := k.engine.http.NewClientConn(context.WithValue(ctx, connKey{}, speaker), scheme, k.address)
	if err != nil {
		return fail(err)
	}
	defer through.Close()
	options := k.options
	options.HTTPClient = &http.Client{Transport: through, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var socket *ws.Conn
	var response *http.Response
	err = within(ctx, raw, func() (err error) {
		socket, response, err = ws.Dial(ctx, k.url.String(), &options)
		return err
	})
	if err != nil {
		k.explain(&m, raw, response, err)
		return m
	}
	defer socket.CloseNow()
	m.AddFact("subprotocol", socket.Subprotocol())
	socket.SetReadLimit(maxMessage)
	if k.talk(ctx, t, &m, socket); m.Outcome == pharos.Measured {
		t.CountTo(time.Now())
		t.Stop() // the parting is no part of it
		raw.SetDeadline(time.Now().Add(goodbye))
		socket.Close(ws.StatusNormalClosure, "")
	}
	return m
}

// explain says why no WebSocket was opened.
func (k *socketeer) explain(m *Measurement, raw *conn, response *http.Response, err error) {
	if response == nil {
		if asked, ok := errors.AsType[*url.Error](err); ok { // its text would quote the address
			err = asked.Err
		}
		m.Outcome, m.Cause = pharos.Failed, explain(err, false, raw.left.Load())
		return
	}
	body, _ := io.ReadAll(response.Body)
	m.Detail = sayProtocol(response) + " " + response.Status + "\n\n" + k.engine.Redactor.Ended(string(body))
	if response.StatusCode != http.StatusSwitchingProtocols {
		m.Fail(response.Status + ", wanted 101 Switching Protocols")
		return
	}
	_, why, _ := strings.Cut(err.Error(), "WebSocket protocol violation: ")
	m.Fail(strings.TrimSuffix("the answer does not open a WebSocket: "+why, ": "))
}

// talk sends the message and waits for one that matches.
func (k *socketeer) talk(ctx context.Context, t *Trace, m *Measurement, socket *ws.Conn) {
	send, expect := string(k.spec.Send), k.spec.Expect.Regexp
	if send == "" && expect == nil {
		return
	}
	t.Enter("message")
	if send != "" {
		if err := socket.Write(ctx, ws.MessageText, []byte(send)); err != nil {
			m.Outcome, m.Cause = pharos.Failed, err
			return
		}
	}
	said, heard := capture{}, 0
	for expect != nil {
		_, message, err := socket.Read(ctx)
		heard += len(message)
		if err == nil && expect.Match(message) {
			return
		}
		if err == nil && heard < maxMessages {
			said = capture{}
			said.add(message)
			continue
		}
		t.CountTo(time.Now())
		m.Detail = said.text(k.engine.Redactor)
		missing := "no match for " + quotePattern(expect)
		if line := said.firstLine(k.engine.Redactor); line != "" {
			missing += fmt.Sprintf(", the last message is %.120q", line)
		}
		closed, isClosed := errors.AsType[ws.CloseError](err)
		switch {
		case err == nil:
			m.Fail(missing + ", in " + sayBytes(maxMessages) + " of messages")
		case errors.Is(err, ws.ErrMessageTooBig):
			m.Fail("a message is longer than " + sayBytes(maxMessage))
		case isClosed:
			why := closed.Code.String()
			if closed.Reason != "" {
				why += ", " + closed.Reason
			}
			m.Fail(missing + "; then it was closed: " + strings.TrimPrefix(why, "Status"))
		case ctx.Err() == context.DeadlineExceeded && len(said.head) > 0:
			m.Fail(missing)
		default:
			m.Outcome, m.Cause = pharos.Failed, err
		}
		return
	}
}
