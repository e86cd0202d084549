package probe

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/proxy"

	"pharos/internal/field"
)

// proxyRule is a proxy, or none: the environment's do not count then.
type proxyRule struct {
	url  *url.URL
	none bool
}

// Read implements field.Value.
func (p *proxyRule) Read(r *field.Reader, n *field.Node, key string) {
	if text := field.Resolve(n); text.Value == "none" {
		p.none = true
		return
	}
	p.url = r.URL(n, key, "http", "https", "socks5")
}

// Shape implements field.Value.
func (proxyRule) Shape() field.Shape {
	return field.Shape{Word: "address, none", Schema: field.Object{"type": "string", "pattern": `^(https?|socks5)://|^none$|\$\{`}}
}

// of returns the proxy for an address, and whether the environment says it; nil:
// there is none.
func (p *proxyRule) of(e *Engine, u *url.URL) (proxy *url.URL, environment bool, err error) {
	switch {
	case p.none:
		return nil, false, nil
	case p.url != nil:
		return p.url, false, nil
	}
	proxy, err = e.proxy(u)
	if err != nil {
		return nil, true, fmt.Errorf("reading the environment's proxy: %w", err)
	}
	return proxy, true, nil
}

// proxyError is why there is no way through a proxy.
type proxyError struct {
	proxy *url.URL
	err   error
}

// Error says which proxy, and why.
func (e *proxyError) Error() string { return "proxy " + e.proxy.Host + ": " + e.err.Error() }

// Unwrap returns the cause.
func (e *proxyError) Unwrap() error { return e.err }

// proxyAddress returns where a proxy listens.
func proxyAddress(p *url.URL) string {
	port := p.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080"}[p.Scheme]
	}
	return net.JoinHostPort(p.Hostname(), port)
}

// proxyLogin returns the value of Proxy-Authorization; "": nobody signs in.
func proxyLogin(p *url.URL) string {
	if p.User == nil {
		return ""
	}
	password, _ := p.User.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(p.User.Username()+":"+password))
}

// through makes the way from a proxy, to which c leads, to the host of a hop. Its
// phases are tls, where the proxy speaks it, and proxy.
func (p *pager) through(ctx context.Context, v *visit, h *hop, c *conn) (*conn, error) {
	if h.proxy.Scheme == "https" {
		config := p.engine.tls.Clone()
		config.NextProtos = nil
		secured, err := secure(ctx, v.Trace, c, config, h.proxy.Hostname())
		if err != nil {
			return nil, err
		}
		c = newConn(secured)
	}
	var err error
	switch {
	case h.proxy.Scheme == "socks5":
		v.Enter("proxy")
		err = within(ctx, c, func() error { return socks(ctx, c, h) })
	case h.tls != nil:
		v.Enter("proxy")
		err = within(ctx, c, func() error { return p.tunnel(c, h) })
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// tunnel asks an HTTP proxy for a connection to the host of a hop.
func (p *pager) tunnel(c net.Conn, h *hop) error {
	ask := "CONNECT " + h.address + " HTTP/1.1\r\nHost: " + h.address + "\r\nUser-Agent: " + p.engine.agent + "\r\n"
	if login := proxyLogin(h.proxy); login != "" {
		ask += "Proxy-Authorization: " + login + "\r\n"
	}
	if _, err := io.WriteString(c, ask+"\r\n"); err != nil {
		return err
	}
	in := bufio.NewReader(io.LimitReader(c, maxReply))
	answer, err := http.ReadResponse(in, &http.Request{Method: http.MethodConnect})
	switch {
	case err != nil:
		return explain(err, false, false)
	case answer.StatusCode/100 != 2:
		return errors.New(answer.Status)
	case in.Buffered() > 0:
		return errors.New("it speaks before the host does")
	}
	return nil
}

// socks asks a SOCKS proxy for a connection to the host of a hop.
func socks(ctx context.Context, c net.Conn, h *hop) error {
	var login *proxy.Auth
	if u := h.proxy.User; u != nil {
		password, _ := u.Password()
		login = &proxy.Auth{User: u.Username(), Password: password}
	}
	d, err := proxy.SOCKS5("tcp", "", login, dialed{c})
	if err != nil {
		return err
	}
	_, err = d.(proxy.ContextDialer).DialContext(ctx, "tcp", h.address)
	if wrong, ok := errors.AsType[*net.OpError](err); ok && wrong.Err != nil {
		err = wrong.Err // it names the address once more
	}
	if err != nil { // the library's word before those of the protocol
		err = reworded{err, strings.TrimPrefix(err.Error(), "unknown error ")}
	}
	return err
}

// dialed is a connection that was made already.
type dialed struct{ c net.Conn }

// Dial implements proxy.Dialer.
func (d dialed) Dial(string, string) (net.Conn, error) { return d.c, nil }

// DialContext implements proxy.ContextDialer.
func (d dialed) DialContext(context.Context, string, string) (net.Conn, error) { return d.c, nil }
