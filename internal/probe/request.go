package probe

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"pharos/internal/pharos"
	"pharos/internal/redact"
)

// header is one header of a request.
type header struct{ Name, Value string }

// hop is one request, ready to be sent: a page's own, or one of a redirect.
type hop struct {
	url     *url.URL
	method  string
	headers []header // all but the framing
	body    string
	trusted bool         // may carry the watcher's credentials
	origin  string       // "https://host:443"
	address string       // "host:port"
	tls     *tls.Config  // nil: plain
	proxy   *url.URL     // nil: none
	through string       // the proxy, for people
	request http.Request // without context and body
}

// makeHop compiles a request. A hop that is not trusted carries none of the
// watcher's headers but those that are known to be harmless, no credentials
// and no client certificate.
func (p *pager) makeHop(u *url.URL, method, body string, trusted bool, cookies *cookiejar.Jar) (*hop, error) {
	if err := asVisitor(u); err != nil {
		return nil, err
	}
	h := &hop{url: u, method: method, body: body, trusted: trusted}
	host := u.Hostname()
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, fmt.Errorf("reading address %q: port %q is not one of 1 to 65535", sayURL(u), port)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	h.address = net.JoinHostPort(host, port)
	h.origin = u.Scheme + "://" + h.address
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip = ip.Unmap(); p.spec.IP == "4" && !ip.Is4() || p.spec.IP == "6" && ip.Is4() {
			return nil, fmt.Errorf("reading address %q: not an address of IPv%s", sayURL(u), p.spec.IP)
		}
	}
	if u.Scheme == "https" && p.tls != nil {
		h.tls = p.tls
		if !trusted && (p.tls.Certificates != nil || p.tls.ServerName != "") {
			h.tls = p.tls.Clone()
			h.tls.Certificates, h.tls.ServerName = nil, ""
		}
	}
	if p.watcher.SSHHost == "" {
		proxy, environment, err := p.spec.Proxy.of(p.engine, u)
		if err != nil {
			return nil, err
		}
		if h.proxy = proxy; proxy != nil {
			h.through = sayURL(&url.URL{Scheme: proxy.Scheme, Host: proxy.Host})
			if environment {
				h.through += ", of the environment"
			}
		}
	}
	h.headers = p.headers(h, cookies)
	h.request = http.Request{
		Method: method, URL: u, Host: h.headers[0].Value, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header, len(h.headers)), ContentLength: int64(len(body)), Close: !bool(p.spec.KeepAlive),
	}
	for _, l := range h.headers[1:] {
		h.request.Header[l.Name] = append(h.request.Header[l.Name], l.Value)
	}
	if h.proxy != nil && h.proxy.Scheme != "socks5" && h.tls == nil { // it wants the address as a whole
		whole := *u
		whole.Opaque = "//" + u.Host + u.EscapedPath()
		h.request.URL = &whole
		if login := proxyLogin(h.proxy); login != "" {
			h.request.Header["Proxy-Authorization"] = []string{login}
		}
	}
	return h, nil
}

// asVisitor brings an address to the form in which browsers send it.
func asVisitor(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("reading address %q: want http or https", sayURL(u))
	case u.Hostname() == "" || u.Opaque != "":
		return fmt.Errorf("reading address %q: no host", sayURL(u))
	}
	host := strings.ToLower(u.Host)
	if !printable(host) {
		name, err := idna.Lookup.ToASCII(u.Hostname())
		if err != nil {
			return fmt.Errorf("reading address %q: the host cannot be the name of one", sayURL(u))
		}
		if host = name; u.Port() != "" {
			host += ":" + u.Port()
		}
	}
	u.Host = host
	u.RawQuery = escapeQuery.Replace(escapeBytes(u.RawQuery))
	return nil
}

var escapeQuery = strings.NewReplacer(" ", "%20", `"`, "%22", "<", "%3C", ">", "%3E")

// escapeBytes writes bytes beyond ASCII, and each "%" that no two hexadecimal
// digits follow, as %XX.
func escapeBytes(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		lone := c == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]))
		if c >= 0x80 || lone {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// location reads where a redirect leads, as browsers do: with bytes beyond ASCII,
// a lone "%", spaces around it, and "\\" for "/".
func location(text string) (*url.URL, error) {
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	path, rest := text, ""
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		path, rest = text[:i], text[i:]
	}
	path = strings.ReplaceAll(path, `\`, "/")
	host := ""
	if i := strings.Index(path, "//"); i >= 0 && (i == 0 || strings.HasSuffix(path[:i], ":")) {
		end := i + 2
		if n := strings.IndexByte(path[end:], '/'); n >= 0 {
			end += n
		} else {
			end = len(path)
		}
		host, path = path[:end], path[end:]
	}
	return url.Parse(host + escapeBytes(path) + escapeBytes(rest))
}

// harmless are the headers of a watcher that any host may see.
var harmless = map[string]bool{"Accept": true, "Accept-Language": true, "Cache-Control": true, "Content-Type": true, "Pragma": true, "User-Agent": true}

func (p *pager) headers(h *hop, cookies *cookiejar.Jar) []header {
	host := strings.TrimSuffix(strings.TrimSuffix(h.url.Host, ":"), defaultPort(h.url.Scheme))
	if zone := strings.IndexByte(host, '%'); zone >= 0 && strings.HasPrefix(host, "[") {
		end := strings.LastIndexByte(host, ']')
		host = host[:zone] + host[end:]
	}
	list := []header{{Name: "Host", Value: host}, {Name: "User-Agent", Value: p.engine.agent}, {Name: "Accept", Value: "*/*"}}
	spec := p.spec
	for _, e := range spec.Headers {
		own := header{e.Name, e.Value}
		name := http.CanonicalHeaderKey(own.Name)
		if !h.trusted && !harmless[name] || name == "Content-Type" && h.body == "" && spec.Body != "" {
			continue
		}
		if i := slices.IndexFunc(list[:3], func(l header) bool { return l.Name == name }); i >= 0 {
			list[i].Value = own.Value
			continue
		}
		list = append(list, own)
	}
	if bool(spec.Compressed) && !slices.ContainsFunc(list, func(l header) bool { return strings.EqualFold(l.Name, "Accept-Encoding") }) {
		list = append(list, header{"Accept-Encoding", "gzip, deflate, br"})
	}
	if auth := spec.authorization(); auth != "" && h.trusted {
		list = append(list, header{Name: "Authorization", Value: auth})
	}
	if cookies != nil {
		list = withCookies(list, cookies.Cookies(h.url))
	}
	return list
}

// withCookies adds cookies to those that the file sends.
func withCookies(list []header, cookies []*http.Cookie) []header {
	at := slices.IndexFunc(list, func(l header) bool { return strings.EqualFold(l.Name, "Cookie") })
	for _, c := range cookies {
		if at < 0 {
			at = len(list)
			list = append(list, header{Name: "Cookie", Value: c.Name + "=" + c.Value})
		} else {
			list[at].Value += "; " + c.Name + "=" + c.Value
		}
	}
	return list
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return ":443"
	}
	return ":80"
}

// authorization returns the value of the header.
func (s *pageSpec) authorization() string {
	switch {
	case s.Bearer != "":
		return "Bearer " + string(s.Bearer)
	case s.BasicAuth.User == "":
		return ""
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(string(s.BasicAuth.User)+":"+string(s.BasicAuth.Password)))
}

func redirects(code int) bool {
	switch code {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// redirected returns the request that follows an answer of 301, 302, 303, 307
// or 308. Once a redirect has left the watcher's own origin, no credentials
// are sent any more, wherever it leads; https on the same name's usual port
// counts as the same origin, the way back to http does not. Nor does a body
// leave: a form holds a password. A redirect that would take it away is not
// followed.
func (p *pager) redirected(h *hop, code int, to string, cookies *cookiejar.Jar) (*hop, error) {
	ref, err := location(to)
	if err != nil {
		var why *url.Error
		if errors.As(err, &why) { // its text would quote the address once more
			err = why.Err
		}
		return nil, fmt.Errorf("following the redirect to %q: %w", to, err)
	}
	u := h.url.ResolveReference(ref)
	u.User = nil
	u.Fragment, u.RawFragment = "", ""
	method, body := h.method, h.body
	if code != http.StatusTemporaryRedirect && code != http.StatusPermanentRedirect {
		body = ""
		if method != http.MethodHead {
			method = http.MethodGet
		}
	}
	next, err := p.makeHop(u, method, body, false, cookies)
	if err != nil {
		return nil, fmt.Errorf("following a redirect: %w", err)
	}
	name := h.url.Hostname()
	upgraded := h.origin == "http://"+net.JoinHostPort(name, "80") && next.origin == "https://"+net.JoinHostPort(name, "443")
	if h.trusted && (next.origin == h.origin || upgraded) {
		return p.makeHop(u, method, body, true, cookies)
	}
	if body != "" {
		return nil, fmt.Errorf("not following the redirect to %s: the body is for %s alone", next.origin, h.origin)
	}
	return next, nil
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) < 0
}

// sayURL returns an address without what may be secret in it.
func sayURL(u *url.URL) string {
	if u == nil {
		return ""
	}
	said := *u
	said.User = nil
	if said.RawQuery != "" {
		said.RawQuery = "..."
	}
	if u.User != nil {
		return strings.Replace(said.String(), "://", "://"+redact.Mark+"@", 1)
	}
	return said.String()
}

// writeHeader writes an answer's header without its cookies.
func (p *pager) writeHeader(b *strings.Builder, header http.Header) {
	const most, mostOfOne = 1 << 10, 200
	written := 0
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			if name == "Set-Cookie" {
				value = redact.Mark
			}
			if len(value) > mostOfOne {
				value = p.redactor.Part(value, 0, mostOfOne) + pharos.Ellipsis
			}
			line := name + ": " + value + "\n"
			if written += len(line); written > most {
				b.WriteString(pharos.Ellipsis + "\n")
				return
			}
			b.WriteString(line)
		}
	}
}
