package config

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"pharos/internal/field"
)

// Dashboard is what the dashboard does.
type Dashboard struct {
	Listen string // host:port
	Admin  string // host:port of /metrics and /healthz alone; empty: they are beside the board
	TLS    TLS    // of Listen
	Limits Limits
	// Views are the boards with an address of their own, by name: what an
	// address of "/" would say after its "?" to mean the same. The one of the
	// empty name is what "/" itself stands for.
	Views map[string]url.Values
	// Logos are the files of the views that have a logo, by the view's name.
	Logos  map[string]string
	Guard  Guard
	Access Access
}

// TLS are the files of a certificate and its key; empty: there is none.
type TLS struct{ CertFile, KeyFile string }

// Limits are how much a dashboard holds.
type Limits struct {
	Watchers   int // tiles of the board
	Screens    int // streams at the same time
	PerAddress int // of them, from one address
}

// Guard says which requests are answered at all.
type Guard struct {
	Hosts          []string // names in small letters; "*.example.com" is every name below, "*" any
	FrameAncestors []string // sources of the directive frame-ancestors
	TrustedProxies []netip.Prefix
}

// dashboard returns the section with its defaults.
func (p *parser) dashboard(k *dashboardKeys) Dashboard {
	d := Dashboard{
		Listen: string(k.Listen), Admin: string(k.Admin),
		TLS:    TLS{string(k.TLS.CertFile), string(k.TLS.KeyFile)},
		Limits: Limits{Watchers: int(k.MaxWatchers), Screens: int(k.MaxScreens), PerAddress: int(k.PerAddress)},
		Views:  views(k),
		Logos:  logos(k),
		Guard:  Guard{Hosts: k.Hosts, FrameAncestors: k.FrameAncestors, TrustedProxies: k.TrustedProxies},
		Access: p.access(k),
	}
	p.addScreens(&d, k.Screens)
	p.Together(&k.TLS.Section, "dashboard.tls.", "cert_file", "key_file")
	silent := Default().Dashboard
	orDefault(&d.Listen, silent.Listen)
	orDefault(&d.Limits.Watchers, silent.Limits.Watchers)
	orDefault(&d.Limits.Screens, silent.Limits.Screens)
	orDefault(&d.Limits.PerAddress, silent.Limits.PerAddress)
	if _, _, err := hostPort(d.Listen); err != nil {
		p.Fail(k.At("listen"), "dashboard.listen: %v", err)
	}
	if d.Admin != "" {
		switch host, _, err := hostPort(d.Admin); {
		case err != nil:
			p.Fail(k.At("admin"), "dashboard.admin: %v", err)
		case !loopback(strings.ToLower(host)):
			p.Fail(k.At("admin"), "dashboard.admin: nobody signs in there, so it listens on this machine alone: want 127.0.0.1, ::1 or localhost, got %s", field.Shown(d.Admin))
		}
	}
	return d
}

// logos are the files of the views that have one.
func logos(k *dashboardKeys) map[string]string {
	var out map[string]string
	for name, v := range k.Views {
		if v.Logo != "" {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = string(v.Logo)
		}
	}
	return out
}

// someTexts reads one value or a list of them, each with a function that says
// what is wrong with it, or "".
func someTexts[T any](r *field.Reader, n *field.Node, key string, parse func(string) (T, string)) []T {
	var all []T
	for _, item := range field.OneOrMore(n) {
		if !r.Enter(item) {
			break
		}
		s, ok := r.Text(item, key)
		if !ok {
			continue
		}
		v, wrong := parse(s)
		if wrong != "" {
			r.Fail(item, "%s%s, got %s", field.Label(key), wrong, field.Shown(s))
			continue
		}
		all = append(all, v)
	}
	return all
}

var (
	hostWord   = regexp.MustCompile(`^(\*|(\*\.)?[\pL\pN_]([\pL\pN_.-]{0,250}[\pL\pN_])?)$`)
	sourceWord = regexp.MustCompile(`^(\*|(https?://)?(\*\.)?[a-zA-Z0-9._-]+(:([0-9]{1,5}|\*))?)$`)
)

// hostNames are names by which people reach the board.
type hostNames []string

// Read implements field.Value.
func (h *hostNames) Read(r *field.Reader, n *field.Node, key string) {
	*h = someTexts(r, n, key, func(s string) (string, string) {
		if !hostWord.MatchString(s) {
			return "", `want the name of a host without scheme and port, such as "wall.example.com", "*.example.com" or "*" for any`
		}
		return strings.ToLower(s), ""
	})
}

// sources are sites that may show the board in a frame.
type sources []string

// Read implements field.Value.
func (o *sources) Read(r *field.Reader, n *field.Node, key string) {
	*o = someTexts(r, n, key, func(s string) (string, string) {
		switch {
		case s == "self":
			return "'self'", ""
		case !sourceWord.MatchString(s):
			return "", `want a site such as "https://intranet.example.com", or "self"`
		}
		return s, ""
	})
}

// networks are addresses and blocks of them.
type networks []netip.Prefix

// Read implements field.Value.
func (w *networks) Read(r *field.Reader, n *field.Node, key string) {
	*w = someTexts(r, n, key, func(s string) (netip.Prefix, string) {
		if p, err := netip.ParsePrefix(s); err == nil {
			return p.Masked(), ""
		}
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, `want addresses or blocks of them, such as "10.0.0.7" or "10.0.0.0/8"`
		}
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), ""
	})
}

// Shape implements field.Value.
func (hostNames) Shape() field.Shape { return field.Texts(nil).Shape() }

// Shape implements field.Value.
func (sources) Shape() field.Shape { return field.Texts(nil).Shape() }

// Shape implements field.Value.
func (networks) Shape() field.Shape { return field.Texts(nil).Shape() }
