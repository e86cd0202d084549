package config

import (
	"fmt"
	"net/netip"
	"net/textproto"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"pharos/internal/pharos"
)

// The bounds of a watcher.
const (
	maxInterval    = 24 * time.Hour
	maxTimeout     = time.Hour
	defaultMaxBody = 1 << 20
)

var (
	methodWord = regexp.MustCompile(`^[A-Z]{1,20}$`)
	envWord    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	headerWord = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	sshWord    = regexp.MustCompile(`^[A-Za-z0-9_.:@\[\]%/][A-Za-z0-9_.:@\[\]%/-]*$`)
)

// names tells names and tokens that come twice.
type names struct {
	what    string
	byName  map[string]int // line
	byToken map[string]string
}

func newNames(what string) names {
	return names{what, make(map[string]int), make(map[string]string)}
}

func (seen names) add(r *reader, n *yaml.Node, name string) {
	token := pharos.Token(name)
	if first, doubled := seen.byName[name]; doubled {
		r.fail(n, "%s %q is there twice (first on line %d)", seen.what, name, first)
		return
	}
	if other, taken := seen.byToken[token]; taken {
		r.fail(n, "%s %q and %q (line %d) have the same token %q: name one of them otherwise", seen.what, name, other, seen.byName[other], token)
	}
	seen.byName[name], seen.byToken[token] = n.Line, name
}

// watchers returns the watchers of all sets.
func (r *reader) watchers(f *file, site string) []pharos.Watcher {
	r.times(&f.Defaults.section, "defaults.", f.Defaults.Interval, f.Defaults.Timeout)
	// Whether they can be passed in time is for each page to say.
	inherited := r.pageThresholds(&f.Defaults.Thresholds, "defaults.thresholds", maxTimeout, "")
	var all []pharos.Watcher
	sets := newNames("set")
	for i := range f.Sets {
		s := &f.Sets[i]
		if !r.named(&s.section, "set", s.Name) {
			continue
		}
		sets.add(r, s.at("name"), string(s.Name))
		if len(s.Watchers) == 0 && (!s.has("watchers") || isList(s.at("watchers"))) {
			r.fail(s.at("watchers"), "set %q has no watchers", string(s.Name))
		}
		watchers := newNames(fmt.Sprintf("set %q: watcher", string(s.Name)))
		for j := range s.Watchers {
			if r.enough() {
				return nil
			}
			k := &s.Watchers[j]
			if r.named(&k.section, "watcher", k.Name) {
				watchers.add(r, k.at("name"), string(k.Name))
			}
			w := r.watcher(&f.Defaults, inherited, k)
			w.ID = pharos.MakeID(site, pharos.Token(string(s.Name)), pharos.Token(string(k.Name)))
			w.Set = string(s.Name)
			all = append(all, w)
		}
	}
	return all
}

// named complains about a section without a name; a bad one has been told.
func (r *reader) named(s *section, what string, n name) bool {
	if n == "" && isMapping(s.node) && !s.has("name") {
		r.fail(s.node, "a %s without a name", what)
	}
	return n != ""
}

func (r *reader) times(s *section, prefix string, interval, timeout duration) {
	if d := time.Duration(interval); s.has("interval") && d != 0 && (d < pharos.MinInterval || d > maxInterval) {
		r.fail(s.at("interval"), "%sinterval: want from 100ms to 24h, got %v", prefix, d)
	}
	if d := time.Duration(timeout); d > maxTimeout {
		r.fail(s.at("timeout"), "%stimeout: want at most 1h, got %v", prefix, d)
	}
}

func (r *reader) watcher(d *defaultsKeys, inherited pageBounds, k *watcherKeys) pharos.Watcher {
	w := pharos.Watcher{
		Name:       string(k.Name),
		Interval:   time.Duration(first(k.Interval, d.Interval, duration(pharos.DefaultInterval))),
		Timeout:    time.Duration(first(k.Timeout, d.Timeout, duration(pharos.DefaultTimeout))),
		Thresholds: pharos.NoThresholds(),
		Fall:       int(first(k.Fall, d.Fall, 1)),
		Rise:       int(first(k.Rise, d.Rise, 1)),
		SSHHost:    string(k.SSHHost),
		Reference:  bool(k.Reference),
	}
	for i := range w.PhaseThresholds {
		w.PhaseThresholds[i] = pharos.NoThresholds()
	}
	r.times(&k.section, "", k.Interval, k.Timeout)
	if k.has("ssh_host") && !sshWord.MatchString(w.SSHHost) {
		r.fail(k.at("ssh_host"), "ssh_host: want a host, or user@host, got %q", short(w.SSHHost))
	}
	switch {
	case k.has("page") && k.has("command"):
		r.fail(k.at("command"), "command beside page: a watcher has one of them")
	case k.has("page"):
		r.foreign(k, "page")
		w.Page = r.page(k)
		bounds := r.pageBounds(inherited, k, &w)
		w.Thresholds, w.PhaseThresholds = bounds.total, bounds.phases
	case k.has("command"):
		r.foreign(k, "command")
		w.Command = r.command(k)
		t := &k.Thresholds
		switch {
		case k.exitCode() && (t.TooFast.kind != boundMissing || t.Warning.kind != boundMissing || t.Critical.kind != boundMissing):
			r.fail(k.at("thresholds"), "thresholds: an exit code has none, all but 0 is critical; write value: number, or a pattern")
		case k.has("thresholds"):
			w.Thresholds = r.commandThresholds(t, w.Command.Unit)
		}
	case isMapping(k.node):
		r.fail(k.node, "watcher %q has nothing to look at: write page or command", w.Name)
	}
	return w
}

func first[T comparable](values ...T) T {
	var zero T
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}

// foreign complains about keys of the other kind of watcher.
func (r *reader) foreign(k *watcherKeys, kind string) {
	table := r.table(reflect.TypeFor[watcherKeys]())
	for _, key := range table.names {
		if of := table.fields[key].Tag.Get("kind"); of != "" && of != kind && k.has(key) {
			r.fail(k.at(key), "%s belongs to a %s, and this watcher is a %s", key, of, kind)
		}
	}
}

// exitCode reports whether a command's value is its exit code.
func (k *watcherKeys) exitCode() bool { return k.Value.exitCode || !k.has("value") }

func (r *reader) command(k *watcherKeys) *pharos.Command {
	c := &pharos.Command{
		Shell: k.Command.shell, Args: k.Command.args,
		Dir: string(k.Dir), Number: k.Value.number, Pattern: k.Value.pattern, Unit: string(k.Unit),
	}
	r.watcherPath(k, &k.section, "", "dir", &c.Dir)
	if len(c.Unit) > pharos.MaxUnit || pharos.CleanLine(c.Unit, pharos.MaxUnit) != c.Unit {
		r.fail(k.at("unit"), "unit: want a word of at most %d bytes, got %q", pharos.MaxUnit, short(c.Unit))
	}
	if c.Unit != "" && k.exitCode() {
		r.fail(k.at("unit"), "unit: an exit code has none; write value: number, or a pattern")
	}
	for _, e := range k.Env {
		if !envWord.MatchString(e.name) {
			r.fail(e.key, "env: %q cannot be the name of a variable", short(e.name))
		}
		if strings.ContainsRune(e.value, 0) {
			r.fail(e.node, "env.%s: a variable cannot hold a zero byte", e.name)
		}
		r.secrets.AddNamed(e.name, e.value)
		c.Env = append(c.Env, e.name+"="+e.value)
	}
	return c
}

// watcherPath brings a path to where it starts: with ssh_host, over there.
func (r *reader) watcherPath(k *watcherKeys, s *section, prefix, key string, path *string) {
	switch {
	case !s.has(key):
	case *path == "":
		r.fail(s.at(key), "%s%s: a path cannot be empty", prefix, key)
	case !k.has("ssh_host"):
		*path = r.fromHere(*path)
	}
}

func (r *reader) page(k *watcherKeys) *pharos.Page {
	p := &pharos.Page{
		Method: first(string(k.Method), "GET"), Body: string(k.Body),
		User: string(k.BasicAuth.User), Password: string(k.BasicAuth.Password), Bearer: string(k.Bearer),
		Status: k.Status, FollowRedirects: bool(k.FollowRedirects) || !k.has("follow_redirects"),
		Match: k.Match, NotMatch: k.NotMatch,
		MaxBody: first(int64(k.MaxBody), defaultMaxBody), KeepAlive: bool(k.KeepAlive), IP: int(k.IP),
		TLS: pharos.TLS{
			Insecure: bool(k.TLS.Insecure), CAFile: string(k.TLS.CAFile), ServerName: string(k.TLS.ServerName),
			ClientCert: string(k.TLS.ClientCert), ClientKey: string(k.TLS.ClientKey),
		},
	}
	if p.Status == nil {
		p.Status = []pharos.StatusRange{{Low: 200, High: 299}}
	}
	r.request(k, p)
	r.credentials(k, p)
	r.watcherPath(k, &k.TLS.section, "tls.", "ca_file", &p.TLS.CAFile)
	r.watcherPath(k, &k.TLS.section, "tls.", "client_cert", &p.TLS.ClientCert)
	r.watcherPath(k, &k.TLS.section, "tls.", "client_key", &p.TLS.ClientKey)
	r.together(&k.TLS.section, "tls.", "client_cert", "client_key")
	if k.TLS.ServerName != "" && k.has("ssh_host") {
		r.fail(k.TLS.at("server_name"), "tls.server_name: not possible with ssh_host")
	}
	if u := k.Page.URL; u != nil {
		if u.Scheme == "http" && !p.FollowRedirects && k.has("tls") {
			r.fail(k.at("tls"), "tls: an http page has no certificate to check")
		}
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil && p.IP != 0 && addr.Is4() != (p.IP == 4) {
			r.fail(k.at("ip"), "ip: %s is no address of version %d", u.Hostname(), p.IP)
		}
		p.URL = u.String()
	}
	return p
}

// request checks the method, the body and the headers.
func (r *reader) request(k *watcherKeys, p *pharos.Page) {
	switch {
	case !methodWord.MatchString(p.Method) || p.Method == "CONNECT":
		r.fail(k.at("method"), "method: want one in capitals, such as GET, HEAD or POST, got %q", short(p.Method))
	case k.has("body") && !k.has("method"):
		r.fail(k.at("body"), "body: wants a method beside it, such as method: POST")
	}
	for _, key := range []string{"match", "not_match"} {
		switch {
		case !k.has(key):
		case p.Method == "HEAD":
			r.fail(k.at(key), "%s: the answer to HEAD has no body to look at; write method: GET", key)
		case bodiless(p.Status):
			r.fail(k.at(key), "%s: an answer of the status that is wanted has no body to look at", key)
		}
	}
	if bool(k.KeepAlive) && k.has("ssh_host") {
		r.fail(k.at("keep_alive"), "keep_alive: not possible with ssh_host")
	}
	seen := make(map[string]int)
	for _, e := range k.Headers {
		canonical := textproto.CanonicalMIMEHeaderKey(e.name)
		switch {
		case !headerWord.MatchString(e.name):
			r.fail(e.key, "headers: %q cannot be the name of a header", short(e.name))
		case slices.Contains([]string{"Content-Length", "Transfer-Encoding", "Connection", "Expect", "Te", "Trailer", "Upgrade"}, canonical):
			r.fail(e.key, "headers: %s is made by the prober", e.name)
		case strings.ContainsFunc(e.value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }):
			r.fail(e.node, "headers.%s: control characters in the value", e.name)
		case seen[canonical] != 0:
			r.fail(e.key, "headers: %s is there twice (first on line %d)", e.name, seen[canonical])
		}
		seen[canonical] = e.key.Line
		r.secrets.AddHeader(e.name, e.value)
		p.Headers = append(p.Headers, pharos.Header{Name: e.name, Value: e.value})
	}
}

// bodiless reports whether no answer of these status codes has a body.
func bodiless(ranges []pharos.StatusRange) bool {
	return !slices.ContainsFunc(ranges, func(s pharos.StatusRange) bool {
		return !(s.High < 200 || s.Low == s.High && (s.Low == 204 || s.Low == 304))
	})
}

// credentials brings those of the address to where the others are, and allows
// one way to sign in.
func (r *reader) credentials(k *watcherKeys, p *pharos.Page) {
	var ways []string
	if u := k.Page.URL; u != nil && u.User != nil {
		ways = append(ways, "a user in the address")
		p.User = u.User.Username()
		p.Password, _ = u.User.Password()
		u.User = nil
		if p.User == "" {
			r.fail(k.at("page"), "page: a password without a user in the address")
		}
	}
	if k.has("basic_auth") {
		ways = append(ways, "basic_auth")
		if k.BasicAuth.User == "" && isMapping(k.BasicAuth.node) {
			r.fail(k.BasicAuth.at("user"), "basic_auth: want a user")
		}
		r.secrets.AddLogin(p.User, p.Password)
	}
	if k.has("bearer") {
		ways = append(ways, "bearer")
		if strings.ContainsFunc(p.Bearer, func(c rune) bool { return c <= ' ' || c > '~' }) || p.Bearer == "" {
			r.fail(k.at("bearer"), "bearer: want a token of printable characters without spaces")
		}
	}
	for _, e := range k.Headers {
		if strings.EqualFold(e.name, "Authorization") {
			ways = append(ways, "an Authorization header")
		}
	}
	if len(ways) > 1 {
		r.fail(k.at("page"), "%s beside %s: one way to sign in is enough", ways[1], ways[0])
	}
}
