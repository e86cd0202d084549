package probe

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"pharos/internal/pharos"
	"pharos/internal/redact"
)

// hop is one request, ready to be sent: a page's own, or one of a redirect.
type hop struct {
	url     *url.URL
	method  string
	headers []pharos.Header // all but the framing
	body    string
	trusted bool   // may carry the watcher's credentials
	origin  string // "https://host:443"
	host    string // a name, or an IP without brackets
	address string // "ip:port", of a host that is an IP
	port    uint16
	tls     *tls.Config // nil: plain
	wire    []byte      // as it is sent
}

// makeHop compiles a request. A hop that is not trusted carries none of the
// watcher's headers but those that are known to be harmless, no credentials
// and no client certificate.
func (p *page) makeHop(u *url.URL, method, body string, trusted bool) (*hop, error) {
	h := &hop{url: u, method: method, body: body, trusted: trusted, host: u.Hostname()}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("reading address %q: want http or https", sayURL(u))
	case h.host == "" || u.Opaque != "":
		return nil, fmt.Errorf("reading address %q: no host", sayURL(u))
	case !printable(u.Host):
		return nil, fmt.Errorf("reading address %q: the host is not plain ASCII, want its xn-- form", sayURL(u))
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return nil, fmt.Errorf("reading address %q: port %q is not one of 1 to 65535", sayURL(u), port)
	}
	h.port = uint16(n)
	h.origin = u.Scheme + "://" + strings.ToLower(net.JoinHostPort(h.host, port))
	if ip, err := netip.ParseAddr(h.host); err == nil {
		if ip = ip.Unmap(); p.watcher.Page.IP == 4 && !ip.Is4() || p.watcher.Page.IP == 6 && ip.Is4() {
			return nil, fmt.Errorf("reading address %q: not an address of IPv%d", sayURL(u), p.watcher.Page.IP)
		}
		h.address = netip.AddrPortFrom(ip, h.port).String()
	}
	if u.Scheme == "https" && p.tls != nil {
		h.tls = p.tls.Clone()
		if !trusted {
			h.tls.Certificates, h.tls.ServerName = nil, ""
		}
		if h.tls.ServerName == "" {
			h.tls.ServerName = strings.TrimSuffix(h.host, ".")
		}
	}
	h.headers = p.headers(h)
	h.wire = h.appendWire(nil, p.watcher.Page.KeepAlive)
	return h, nil
}

// harmless are the headers of a watcher that any host may see.
var harmless = map[string]bool{"Accept": true, "Accept-Language": true, "Cache-Control": true, "Content-Type": true, "Pragma": true, "User-Agent": true}

func (p *page) headers(h *hop) []pharos.Header {
	host := strings.TrimSuffix(strings.TrimSuffix(h.url.Host, ":"), defaultPort(h.url.Scheme))
	if zone := strings.IndexByte(host, '%'); zone >= 0 && strings.HasPrefix(host, "[") {
		end := strings.LastIndexByte(host, ']')
		host = host[:zone] + host[end:]
	}
	list := []pharos.Header{{Name: "Host", Value: host}, {Name: "User-Agent", Value: p.engine.agent}, {Name: "Accept", Value: "*/*"}}
	spec := p.watcher.Page
	for _, own := range spec.Headers {
		name := http.CanonicalHeaderKey(own.Name)
		if !h.trusted && !harmless[name] || name == "Content-Type" && h.body == "" && spec.Body != "" {
			continue
		}
		if i := slices.IndexFunc(list[:3], func(l pharos.Header) bool { return l.Name == name }); i >= 0 {
			list[i].Value = own.Value
			continue
		}
		list = append(list, own)
	}
	if auth := authorization(spec, h.url); auth != "" && h.trusted {
		list = append(list, pharos.Header{Name: "Authorization", Value: auth})
	}
	return list
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return ":443"
	}
	return ":80"
}

// authorization returns the value of the header, from the watcher or, where it
// is silent, from the address.
func authorization(spec *pharos.Page, u *url.URL) string {
	user, password := spec.User, spec.Password
	if spec.Bearer != "" {
		return "Bearer " + spec.Bearer
	}
	if user == "" && u.User != nil {
		user = u.User.Username()
		password, _ = u.User.Password()
	}
	if user == "" {
		return ""
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func (h *hop) appendWire(b []byte, keep bool) []byte {
	b = append(b, h.method...)
	b = append(b, ' ')
	b = append(b, strings.ReplaceAll(h.url.RequestURI(), " ", "%20")...)
	b = append(b, " HTTP/1.1\r\n"...)
	for _, l := range h.headers {
		b = append(b, l.Name...)
		b = append(b, ": "...)
		b = append(b, l.Value...)
		b = append(b, "\r\n"...)
	}
	if h.body != "" || h.method == http.MethodPost || h.method == http.MethodPut || h.method == http.MethodPatch {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(h.body)), 10)
		b = append(b, "\r\n"...)
	}
	if !keep {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, h.body...)
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
func (p *page) redirected(h *hop, code int, location string) (*hop, error) {
	ref, err := url.Parse(location)
	if err != nil {
		var why *url.Error
		if errors.As(err, &why) { // its text would quote the address once more
			err = why.Err
		}
		return nil, fmt.Errorf("following the redirect to %q: %w", location, err)
	}
	u := h.url.ResolveReference(ref)
	if u.User = nil; u.Path == "" {
		u.Path = "/"
	}
	u.Fragment, u.RawFragment = "", ""
	method, body := h.method, h.body
	if code != http.StatusTemporaryRedirect && code != http.StatusPermanentRedirect {
		body = ""
		if method != http.MethodHead {
			method = http.MethodGet
		}
	}
	next, err := p.makeHop(u, method, body, false)
	if err != nil {
		return nil, fmt.Errorf("following a redirect: %w", err)
	}
	upgraded := h.url.Scheme == "http" && u.Scheme == "https" && h.port == 80 && next.port == 443 && strings.EqualFold(h.host, next.host)
	if h.trusted && (next.origin == h.origin || upgraded) {
		u.User = h.url.User
		return p.makeHop(u, method, body, true)
	}
	if body != "" {
		return nil, fmt.Errorf("not following the redirect to %s: the body is for %s alone", next.origin, h.origin)
	}
	return next, nil
}

// checkHeaders refuses what would break the framing of the request or say two
// things at once.
func checkHeaders(spec *pharos.Page) error {
	for i := 0; i < len(spec.Method); i++ {
		if !tokenByte(spec.Method[i]) {
			return fmt.Errorf("reading method %q: not a method", spec.Method)
		}
	}
	for _, h := range spec.Headers {
		if h.Name == "" || strings.IndexFunc(h.Name, func(r rune) bool { return r > 0x7e || !tokenByte(byte(r)) }) >= 0 {
			return fmt.Errorf("reading header %q: not a name", h.Name)
		}
		if strings.ContainsAny(h.Value, "\r\n\x00") {
			return fmt.Errorf("reading header %q: its value has a line break", h.Name)
		}
		switch http.CanonicalHeaderKey(h.Name) {
		case "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Te", "Trailer", "Upgrade":
			return fmt.Errorf("reading header %q: the prober sets this one itself", h.Name)
		case "Authorization":
			if spec.User != "" || spec.Bearer != "" {
				return fmt.Errorf("reading header %q: want this, basic_auth or bearer, not two of them", h.Name)
			}
		}
	}
	if strings.ContainsAny(spec.Bearer, "\r\n\x00") {
		return fmt.Errorf("reading bearer: it has a line break")
	}
	return nil
}

// tokenByte reports whether c may stand in a token of RFC 9110.
func tokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
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
func (p *page) writeHeader(b *strings.Builder, header http.Header) {
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
