package web

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// Guard says which requests are answered at all, and what is believed of them.
type Guard struct {
	// Hosts are the names, in small letters, by which people reach the board,
	// besides addresses, localhost and the machine's own: "wall.example.com",
	// "*.example.com" for every name below, "*" for any.
	Hosts []string
	// FrameAncestors are the sources that may show the board in a frame, as in the
	// directive of that name; empty: none.
	FrameAncestors []string
	// TrustedProxies are the addresses whose X-Forwarded-* are believed.
	TrustedProxies []netip.Prefix
}

// trusts reports whether an address is a proxy's.
func (g *Guard) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(g.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// policy is the Content-Security-Policy: the page runs its own scripts and
// styles, and nothing else.
func (g *Guard) policy() string {
	ancestors := "'none'"
	if len(g.FrameAncestors) > 0 {
		ancestors = strings.Join(g.FrameAncestors, " ")
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors " + ancestors
}

// headers sets those that every answer has.
func (s *Server) headers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		now := s.settings.Load()
		h := c.Response().Header()
		h.Set("Content-Security-Policy", now.policy)
		if len(now.Guard.FrameAncestors) == 0 {
			h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
		}
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		return next(c)
	}
}

// knownHost refuses requests for a name that is not the dashboard's: a page that
// has its own name lead here could read the board in a visitor's browser.
// /healthz tells nothing and is answered by any name.
func (s *Server) knownHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		host := hostName(r.Host)
		if r.URL.Path != "/healthz" && !s.isHost(host) {
			return echo.NewHTTPError(http.StatusMisdirectedRequest, "this dashboard does not know that it is called "+quoted(host)+": come by its address, or add the name to dashboard.hosts in its file")
		}
		return next(c)
	}
}

// isHost reports whether the dashboard is reached by a name. A request without
// one is no browser's.
func (s *Server) isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.Contains(s.ownNames, host) {
		return true
	}
	return slices.ContainsFunc(s.settings.Load().Guard.Hosts, func(known string) bool {
		below, wild := strings.CutPrefix(known, "*")
		return host == known || wild && strings.HasSuffix(host, below)
	})
}

// ownNames are those that the machine gives itself.
func ownNames() []string {
	full, err := os.Hostname()
	if err != nil {
		return nil
	}
	full = hostName(full)
	short, _, _ := strings.Cut(full, ".")
	return []string{full, short, short + ".local"}
}

// hostName returns the name or address of a Host header, without its port.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// quoted returns a name for an error, cut.
func quoted(name string) string {
	if len(name) > 80 {
		name = strings.ToValidUTF8(name[:80], "") + "…"
	}
	return `"` + name + `"`
}

// client returns the address that a request comes from: that of the connection,
// or what a trusted proxy says. The address of a pipe is the zero one.
func (s *Server) client(r *http.Request) netip.Addr {
	guard := &s.settings.Load().Guard
	from := remote(r.RemoteAddr)
	if !guard.trusts(from) {
		return from
	}
	chain := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(chain) {
		a := remote(strings.TrimSpace(hop))
		if !a.IsValid() {
			break
		}
		if from = a; !guard.trusts(from) {
			break
		}
	}
	return from
}

// remote reads an address with or without a port.
func remote(s string) netip.Addr {
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// neighbourhood returns what clients are counted by: an address, or of IPv6 the
// /64 that one line has to itself.
func neighbourhood(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
