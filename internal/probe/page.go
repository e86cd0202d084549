package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"pharos/internal/field"
	"pharos/internal/pharos"
	"pharos/internal/redact"
)

var page = Kind{
	Key: "page", Doc: pageDoc, Remote: true,
	Phases: []string{"lookup", "connect", "proxy", "tls", "first_byte", "transfer"},
	New: func() Spec {
		return &pageSpec{Method: http.MethodGet, Status: statuses{{200, 299}}, FollowRedirects: true, MaxBody: 1 << 20}
	},
}

const pageDoc = `Gets a page over http or https, as a new visitor does. Its value is the time from the start to the last byte.

It is asked for as a browser would: by HTTP/2 where the server has it, else HTTP/1.1; cookies that redirects set are sent to where they lead. A body is unpacked (gzip, deflate, br) and
read in its character set before ${match} and ${not_match} look at it. What they could not see is not taken for well: ${not_match} is unknown where the body is longer than ${max_body},
cannot be unpacked, or is empty.

${json: {status: ok, "$.queue.length": {warning: 100, critical: 1000}}} looks at an answer of JSON, ${header: {X-Cache: ^HIT}} at a header of the answer. The bounds of ${certificate} are
those of the chain's link that ends first, of all that redirects lead over.

Where the prober's environment names a proxy (${HTTP_PROXY}, ${HTTPS_PROXY}, ${NO_PROXY}), it is taken, as curl does, and a fact says so; the address is the proxy's then. ${proxy: none}
goes there straight.

A page signs in in one way: ${basic_auth}, a user in the address, ${bearer}, or an ${Authorization} header. Credentials are never sent to another origin: a redirect to another scheme, host
or port (but from http to https of the same host) is followed without them, without the ${headers} that may hold some, and without the client certificate. One that would take the
${body} there (307, 308) is not followed: critical.

With an ${ssh_host} the page is got by the ${curl} over there, which needs a POSIX ${sh}, ${head} and ${/dev/fd}; no more than ${max_body} and 256 KiB of header come over.`

type pageSpec struct {
	field.Section
	Page            field.Address    `yaml:"page" also:"url uri http https address endpoint target" doc:"The http or https address of a page to get." required:"true"`
	Method          field.Text       `yaml:"method" also:"verb" doc:"The request's method, in capitals." default:"GET"`
	Headers         field.Dictionary `yaml:"headers" also:"request_headers http_headers" doc:"Headers of the request."`
	Body            field.Text       `yaml:"body" also:"data payload" doc:"The request's body; wants a method."`
	BasicAuth       login            `yaml:"basic_auth" also:"auth credentials login" doc:"A name and password for the page; in the address (https://user:password@host/) they mean the same."`
	Bearer          field.Secret     `yaml:"bearer" also:"bearer_token token" doc:"A token, sent as Authorization: Bearer."`
	Status          statuses         `yaml:"status" also:"expect_status status_code status_codes valid_status_codes accepted_statuscodes expected_status" doc:"Status codes that are ok: numbers and ranges such as 301-303." default:"200-299"`
	FollowRedirects field.YesNo      `yaml:"follow_redirects" also:"redirects max_redirects" doc:"Follow up to 10 redirects, until one that status wants." default:"true"`
	Match           field.Patterns   `yaml:"match" also:"expect contains keyword regexp fail_if_body_not_matches_regexp" doc:"Regular expressions (RE2) that the body must match, each of them; ^ and $ are the ends of a line."`
	NotMatch        field.Patterns   `yaml:"not_match" also:"not_contains fail_if_body_matches_regexp" doc:"Regular expressions that the body must not match, none of them. If the body was not read whole: unknown."`
	JSON            jsonWants        `yaml:"json" also:"jsonpath json_path" doc:"What stands at paths (RFC 9535) of the body, which is JSON: values, or {warning, critical} of a number or of a list's length."`
	Header          headerWants      `yaml:"header" also:"response_headers fail_if_header_not_matches" doc:"Headers that the answer must have, and regular expressions (RE2) that they must match."`
	Compressed      field.YesNo      `yaml:"compressed" also:"compression" doc:"Ask for a compressed body; one that is not is critical." default:"false"`
	Version         field.Word       `yaml:"version" words:"1.1 2" also:"http_version valid_http_versions" doc:"The version of HTTP that is spoken; without TLS, 2 is from the first byte." default:"2 if offered"`
	Certificate     field.Bounds     `yaml:"certificate" also:"certificate_expiration ssl_expiry" doc:"Bounds of the days that the certificate, and all on which it depends, are still valid: {warning: 14d, critical: 3d}."`
	TLS             tlsKeys          `yaml:"tls" also:"tls_config ssl" doc:"How the certificate is checked."`
	Proxy           proxyRule        `yaml:"proxy" also:"proxy_url http_proxy" doc:"An http, https or socks5 address of a proxy, or none." default:"the environment's"`
	IP              field.Word       `yaml:"ip" words:"4 6" also:"ip_version ip_protocol preferred_ip_protocol" doc:"4 or 6: this version of IP alone." default:"either"`
	KeepAlive       field.YesNo      `yaml:"keep_alive" also:"keepalive" doc:"Keep the connection between runs, for at most half a minute, instead of a new one for each." default:"false"`
	MaxBody         field.ByteSize   `yaml:"max_body" also:"body_size_limit" doc:"How much of the body is read, and unpacked: bytes, or with KB, MB, KiB, MiB; at most 64MiB." default:"1MiB"`

	days pharos.Thresholds // of the certificate
}

type login struct {
	field.Section
	User     field.Text   `yaml:"user" also:"username name" doc:"The name." required:"true"`
	Password field.Secret `yaml:"password" also:"pass" doc:"The password."`
}

// statuses are status codes and ranges of them, or just one.
type statuses []statusRange

// statusRange is a range of status codes, both ends included.
type statusRange struct{ low, high int }

// Read implements field.Value.
func (all *statuses) Read(r *field.Reader, n *field.Node, key string) {
	*all = nil
	items := field.OneOrMore(n)
	if len(items) == 0 {
		r.Fail(n, "%swant at least one status code", field.Label(key))
	}
	for _, item := range items {
		if !r.Enter(item) {
			return
		}
		s, ok := r.Scalar(item, key, "a status code")
		if !ok {
			continue
		}
		from, to, ranged := strings.Cut(s.Text, "-")
		if !ranged {
			to = from
		}
		low, err1 := strconv.Atoi(strings.TrimSpace(from))
		high, err2 := strconv.Atoi(strings.TrimSpace(to))
		switch {
		case err1 != nil || err2 != nil || low < 100 || high > 599:
			r.Fail(item, `%swant status codes from 100 to 599 or ranges such as "301-303", got %s`, field.Label(key), s.Describe())
		case low > high:
			r.Fail(item, "%sthe range %q is upside down", field.Label(key), s.Text)
		default:
			*all = append(*all, statusRange{low, high})
		}
	}
}

// Shape implements field.Value.
func (statuses) Shape() field.Shape {
	one := field.AnyOf(field.Object{"type": "integer", "minimum": 100, "maximum": 599},
		field.Object{"type": "string", "pattern": `^[1-5][0-9][0-9] *- *[1-5][0-9][0-9]$|^[1-5][0-9][0-9]$|\$\{`})
	return field.Shape{Word: "code, list", Def: "statuses", Schema: field.AnyOf(one, field.Object{"type": "array", "items": one, "minItems": 1})}
}

// have reports whether a code is among them.
func (all statuses) have(code int) bool {
	return slices.ContainsFunc(all, func(s statusRange) bool { return s.low <= code && code <= s.high })
}

// bodiless reports whether no answer of these codes has a body.
func (all statuses) bodiless() bool {
	return !slices.ContainsFunc(all, func(s statusRange) bool {
		return !(s.high < 200 || s.low == s.high && (s.low == 204 || s.low == 304))
	})
}

// String returns "2xx, 301-303, 404".
func (all statuses) String() string {
	words := make([]string, len(all))
	for i, s := range all {
		switch {
		case s.low == s.high:
			words[i] = strconv.Itoa(s.low)
		case s.low%100 == 0 && s.high == s.low+99:
			words[i] = strconv.Itoa(s.low/100) + "xx"
		default:
			words[i] = strconv.Itoa(s.low) + "-" + strconv.Itoa(s.high)
		}
	}
	return strings.Join(words, ", ")
}

var (
	methodWord = regexp.MustCompile(`^[A-Z]{1,20}$`)
	headerWord = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
)

// ownHeaders are those that make the frame of a request.
var ownHeaders = []string{"Content-Length", "Transfer-Encoding", "Connection", "Expect", "Te", "Trailer", "Upgrade"}

// Check implements Spec.
func (s *pageSpec) Check(c *field.Checker) {
	switch {
	case !methodWord.MatchString(string(s.Method)) || s.Method == http.MethodConnect:
		c.Fail(s.At("method"), "method: want one in capitals, such as GET, HEAD or POST, got %q", field.Short(string(s.Method)))
	case s.Has("body") && !s.Has("method"):
		c.Fail(s.At("body"), "body: wants a method beside it, such as method: POST")
	}
	for _, key := range []string{"match", "not_match", "json"} {
		switch {
		case !s.Has(key):
		case s.Method == http.MethodHead:
			c.Fail(s.At(key), "%s: the answer to HEAD has no body to look at; write method: GET", key)
		case s.Status.bodiless():
			c.Fail(s.At(key), "%s: an answer of the status that is wanted has no body to look at", key)
		}
	}
	if bool(s.KeepAlive) && c.Remote {
		c.Fail(s.At("keep_alive"), "keep_alive: not possible with ssh_host")
	}
	for _, key := range []string{"certificate", "version", "proxy"} {
		if s.Has(key) && c.Remote {
			c.Fail(s.At(key), "%s: not possible with ssh_host", key)
		}
	}
	s.days = c.Thresholds("certificate", field.Measure{Unit: "days", Less: true}, field.Bound{}, s.Certificate.Warning, s.Certificate.Critical)
	checkHeaders(c, s.Headers)
	s.credentials(c)
	s.TLS.check(c)
	if s.TLS.ServerName != "" && c.Remote {
		c.Fail(s.TLS.At("server_name"), "tls.server_name: not possible with ssh_host")
	}
	if u := s.Page.URL; u != nil {
		for _, key := range []string{"tls", "certificate"} {
			if u.Scheme == "http" && !bool(s.FollowRedirects) && s.Has(key) {
				c.Fail(s.At(key), "%s: an http page has no certificate to check", key)
			}
		}
		checkIP(c, &s.Section, u.Hostname(), s.IP)
	}
}

// checkIP complains about an address of another version than the one that is
// wanted.
func checkIP(c *field.Checker, s *field.Section, host string, ip field.Word) {
	if c.Through && !c.Remote && ip != "" {
		c.Fail(s.At("ip"), "ip: not possible with ssh_host, which looks the name up")
	}
	if addr, err := netip.ParseAddr(host); err == nil && ip != "" && addr.Unmap().Is4() != (ip == "4") {
		c.Fail(s.At("ip"), "ip: %s is no address of version %s", host, ip)
	}
}

// checkHeaders complains about what would break the frame of a request.
func checkHeaders(c *field.Checker, headers field.Dictionary) {
	seen := make(map[string]*field.Node)
	for _, e := range headers {
		canonical := textproto.CanonicalMIMEHeaderKey(e.Name)
		switch {
		case !headerWord.MatchString(e.Name):
			c.Fail(e.Key, "headers: %q cannot be the name of a header", field.Short(e.Name))
		case slices.Contains(ownHeaders, canonical):
			c.Fail(e.Key, "headers: %s is made by the prober", e.Name)
		case strings.ContainsFunc(e.Value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }):
			c.Fail(e.Node, "headers.%s: control characters in the value", e.Name)
		case seen[canonical] != nil:
			c.Fail(e.Key, "headers: %s is there twice (first on %s)", e.Name, c.Line(seen[canonical], e.Key))
		}
		seen[canonical] = e.Key
		c.Secrets.AddHeader(e.Name, e.Value)
	}
}

// credentials brings those of the address to where the others are, and allows
// one way to sign in.
func (s *pageSpec) credentials(c *field.Checker) {
	var ways []string
	if u := s.Page.URL; u != nil && u.User != nil {
		ways = append(ways, "a user in the address")
		password, _ := u.User.Password()
		if u.User.Username() == "" {
			c.Fail(s.At("page"), "page: a password without a user in the address")
		}
		if !s.Has("basic_auth") {
			s.BasicAuth.User, s.BasicAuth.Password = field.Text(u.User.Username()), field.Secret(password)
		}
		u.User = nil
	}
	if s.Has("basic_auth") {
		ways = append(ways, "basic_auth")
		if s.BasicAuth.User == "" && field.IsMapping(s.BasicAuth.Node()) {
			c.Fail(s.BasicAuth.At("user"), "basic_auth: want a user")
		}
		c.Secrets.AddLogin(string(s.BasicAuth.User), string(s.BasicAuth.Password))
	}
	if s.Has("bearer") {
		ways = append(ways, "bearer")
		checkBearer(c, &s.Section, string(s.Bearer))
	}
	for _, e := range s.Headers {
		if strings.EqualFold(e.Name, "Authorization") {
			ways = append(ways, "an Authorization header")
		}
	}
	if len(ways) > 1 {
		c.Fail(s.At("page"), "%s beside %s: one way to sign in is enough", ways[1], ways[0])
	}
}

func checkBearer(c *field.Checker, s *field.Section, token string) {
	if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		c.Fail(s.At("bearer"), "bearer: want a token of printable characters without spaces")
	}
}

// Target implements Spec.
func (s *pageSpec) Target() string {
	if s.Page.URL == nil {
		return ""
	}
	return s.Page.String()
}

// Traits implements Spec.
func (s *pageSpec) Traits() pharos.Traits {
	t := pharos.Traits{Timed: true, Network: true, Files: s.TLS.files(), Figures: s.JSON.figures()}
	if s.days.Set() {
		t.Figures = append(t.Figures, pharos.Part{Name: "certificate", Unit: "days", Thresholds: s.days})
	}
	if s.Page.URL != nil && s.Page.Scheme == "https" {
		t.Class = pharos.Handshake
	} else if !s.FollowRedirects {
		t.Phases = []string{"lookup", "connect", "proxy", "first_byte", "transfer"}
	}
	return t
}

const (
	maxRedirects = 10
	maxHead      = 256 << 10 // bytes of an answer's header lines
	maxInterim   = 100       // answers of 1xx before the final one
	keptBody     = 1 << 10   // bytes of the body that the detail shows
	// maxKept is the longest time for which a kept connection stands for what a
	// new visitor meets.
	maxKept = 30 * time.Second
)

// pager gets one page again and again.
type pager struct {
	engine   *Engine
	spec     *pageSpec
	watcher  pharos.Watcher
	first    *hop
	tls      *tls.Config // of the watcher's own origin
	redactor *redact.Redactor
	fetch    func(ctx context.Context, v *visit, h *hop) error
	maxKept  time.Duration

	mu   sync.Mutex
	kept *client // guarded by mu
	shut bool    // guarded by mu
}

// Prepare implements Spec.
func (s *pageSpec) Prepare(e *Engine, w pharos.Watcher) (Run, error) {
	p, err := s.prepare(e, w)
	if err != nil {
		return nil, err
	}
	e.OnClose(p.close)
	return p.run, nil
}

func (s *pageSpec) prepare(e *Engine, w pharos.Watcher) (p *pager, err error) {
	p = &pager{engine: e, spec: s, watcher: w, redactor: e.Redactor, maxKept: maxKept, tls: e.tls}
	p.fetch = p.fetchHere
	if w.SSHHost != "" {
		p.fetch = p.fetchThere
	} else if len(s.TLS.files()) > 0 || s.TLS.ServerName != "" || bool(s.TLS.Insecure) {
		if p.tls, err = s.TLS.config(); err != nil {
			return nil, err
		}
	}
	if s.Version != "" {
		p.tls = p.tls.Clone()
		p.tls.NextProtos = []string{map[field.Word]string{"1.1": "http/1.1", "2": "h2"}[s.Version]}
	}
	u := *s.Page.URL
	p.first, err = p.makeHop(&u, string(s.Method), string(s.Body), true, nil)
	return p, err
}

// visit is one look at a page: what has been seen so far, over all redirects.
type visit struct {
	*scratch
	*Trace
	hooks     sync.Mutex    // guards attempt, and lets hooks in one by one
	attempt   int           // grows with each request: hooks of an earlier one are ignored
	there     time.Duration // what curl says that all took; 0: there is no ssh host
	redirects int
	foreign   bool           // the last answer is from another origin than the file's
	cookies   *cookiejar.Jar // that answers on the way have set; nil: none
	finalURL  *url.URL
	seen      answer        // the last one
	days      pharos.Number // for which all certificates on the way are still valid
}

// answer is what came back from one hop.
type answer struct {
	*http.Response
	address   string // ip:port
	proxy     string // through which it came; empty: through none
	reused    bool   // on a kept connection
	cert      *leaf
	size      int64 // bytes of the body that were read
	truncated bool  // there was more
	unclosed  bool  // nothing says that the body is whole
	stderr    string
}

// scratch is the memory of one visit, used again by the next.
type scratch struct {
	chunk []byte
	body  []byte // what is kept of the body
	line  []byte
}

func (e *Engine) scratch() *scratch {
	s, ok := e.scratches.Get().(*scratch)
	if !ok {
		s = &scratch{chunk: make([]byte, 16<<10)}
	}
	s.body = s.body[:0]
	return s
}

// request begins a request and returns its number, for hear.
func (v *visit) request() int {
	v.hooks.Lock()
	defer v.hooks.Unlock()
	v.attempt++
	return v.attempt
}

// hear takes what a hook of a request says, unless a later request has begun.
func (v *visit) hear(attempt int, say func()) {
	v.hooks.Lock()
	defer v.hooks.Unlock()
	if attempt == v.attempt {
		say()
	}
}

func (p *pager) run(ctx context.Context, t *Trace) Measurement {
	s := p.engine.scratch()
	defer p.engine.scratches.Put(s)
	v := visit{scratch: s, Trace: t}
	err := p.follow(ctx, &v)
	v.Stop()
	return p.report(&v, err)
}

// follow fetches the page and whatever it redirects to. A redirect that is
// among the statuses that are wanted is where it ends.
func (p *pager) follow(ctx context.Context, v *visit) error {
	for h := p.first; ; v.redirects++ {
		v.seen, v.foreign = answer{}, !h.trusted
		err := p.fetch(ctx, v, h)
		if c := v.seen.cert; c != nil && (!v.days.OK || c.days(v.Start()) < v.days.V) {
			v.days = pharos.Num(c.days(v.Start()))
		}
		code := 0
		if v.seen.Response != nil {
			code = v.seen.StatusCode
		}
		if err != nil || !bool(p.spec.FollowRedirects) || !redirects(code) || p.spec.Status.have(code) {
			return err
		}
		where := v.seen.Header.Get("Location")
		if where == "" {
			return nil
		}
		if v.redirects == maxRedirects {
			return fmt.Errorf("redirected more than %d times", maxRedirects)
		}
		if set := v.seen.Cookies(); len(set) > 0 {
			if v.cookies == nil {
				v.cookies, _ = cookiejar.New(nil) // which never fails
			}
			v.cookies.SetCookies(h.url, set)
		}
		if h, err = p.redirected(h, code, where, v.cookies); err != nil {
			return err
		}
		v.finalURL = h.url
	}
}

// report says what the visit saw.
func (p *pager) report(v *visit, err error) (m Measurement) {
	a := &v.seen
	m.Facts = p.facts(v)
	if err != nil {
		m.Outcome, m.Cause, m.Detail = pharos.Failed, err, p.failureDetail(v, err)
		return m
	}
	if v.there > 0 {
		m.Value = pharos.Num(v.there.Seconds())
	}
	if v.days.OK {
		m.Figures = []pharos.Figure{{Name: "certificate", Value: v.days.V}}
	}
	if m.Outcome, m.Reason = p.look(v, &m); m.Outcome != pharos.Measured {
		m.Detail = p.failureDetail(v, nil)
		return m
	}
	b, phases := v.line[:0], v.Phases()
	total := v.Total()
	if v.there > 0 {
		total = v.there
	}
	for _, name := range page.Phases {
		if name == "proxy" && v.seen.proxy == "" {
			continue
		}
		took := pharos.Seconds(0)
		if i := slices.IndexFunc(phases, func(p pharos.Phase) bool { return p.Name == name }); i >= 0 {
			took = phases[i].Took
		}
		b = append(b, name...)
		b = append(b, ' ')
		b = strconv.AppendFloat(b, took.Seconds(), 'f', 3, 64)
		b = append(b, ' ')
	}
	b = append(b, "total "...)
	b = strconv.AppendFloat(b, total.Seconds(), 'f', 3, 64)
	b = append(b, " ("...)
	b = strconv.AppendInt(b, int64(a.StatusCode), 10)
	b = append(b, ')')
	m.Detail = string(b)
	v.line = b
	return m
}

// look returns what is wrong with an answer, or why nothing can be said of it. It
// quotes no foreign body.
func (p *pager) look(v *visit, m *Measurement) (pharos.Outcome, string) {
	a, spec := &v.seen, p.spec
	if !spec.Status.have(a.StatusCode) {
		return pharos.Failed, strconv.Itoa(a.StatusCode) + ", wanted " + spec.Status.String()
	}
	if want := "HTTP/" + string(spec.Version); spec.Version != "" && sayProtocol(a.Response) != want {
		return pharos.Failed, sayProtocol(a.Response) + ", wanted " + want
	}
	if wrong := spec.Header.look(a.Header, !v.foreign); wrong != "" {
		return pharos.Failed, wrong
	}
	if bool(spec.Compressed) && a.size > 0 && cmp.Or(a.Header.Get("Content-Encoding"), "identity") == "identity" {
		return pharos.Failed, "the body is not compressed"
	}
	if !p.wantsBody() {
		return pharos.Measured, ""
	}
	body := v.text(p.maxBody())
	outcome, unseen := pharos.Measured, ""
	for _, want := range spec.Match {
		switch {
		case want.Match(body.bytes):
		case body.unseen == "" || a.size == 0 || a.truncated:
			within := ""
			if a.truncated {
				within = " in the first " + strconv.FormatInt(a.size, 10) + " bytes"
			}
			return pharos.Failed, "no match for " + quotePattern(want) + within
		default:
			outcome, unseen = pharos.Unclear, "cannot look for "+quotePattern(want)+": "+body.unseen
		}
	}
	for _, wrong := range spec.NotMatch {
		at := wrong.FindIndex(body.bytes)
		switch {
		case at != nil && v.foreign:
			return pharos.Failed, "found a match for " + quotePattern(wrong) + ", wanted none"
		case at != nil:
			return pharos.Failed, "found " + strconv.Quote(p.found(a, body.bytes, at[0], at[1])) + ", wanted no match for " + quotePattern(wrong)
		case body.unseen != "":
			outcome, unseen = pharos.Unclear, "cannot rule out "+quotePattern(wrong)+": "+body.unseen
		}
	}
	if len(spec.JSON) == 0 {
		return outcome, unseen
	}
	document, err := decodeJSON(body.bytes)
	switch {
	case body.unseen != "" && a.size > 0:
		return pharos.Unclear, "cannot read the JSON: " + body.unseen
	case err != nil:
		return pharos.Failed, "the body is no JSON: " + err.Error()
	}
	if wrong := spec.JSON.look(m, document, p.redactor, !v.foreign); wrong != "" {
		return pharos.Failed, wrong
	}
	return outcome, unseen
}

func quotePattern(p *regexp.Regexp) string { return strconv.Quote(pharos.PatternText(p)) }

// found returns what a pattern found in a body, as much of it as fits into a
// summary.
func (p *pager) found(a *answer, body []byte, from, to int) string {
	const most = 80
	begin := max(0, from-slack)
	around := string(body[begin:min(len(body), from+most+slack)])
	if a.truncated {
		around = p.redactor.Ended(around)
	}
	from, to = min(from-begin, len(around)), min(to-begin, len(around))
	if to-from > most {
		return p.redactor.Part(around, from, from+most) + pharos.Ellipsis
	}
	return p.redactor.Part(around, from, to)
}

// wantsBody reports whether the body is looked at, and not just read.
func (p *pager) wantsBody() bool {
	return len(p.spec.Match)+len(p.spec.NotMatch)+len(p.spec.JSON) > 0
}

func (p *pager) facts(v *visit) []pharos.Fact {
	a := &v.seen
	facts := make([]pharos.Fact, 0, 6)
	if a.address != "" {
		facts = append(facts, pharos.Fact{Name: "address", Value: a.address})
	}
	if a.proxy != "" {
		facts = append(facts, pharos.Fact{Name: "proxy", Value: a.proxy})
	}
	if a.Response != nil {
		facts = append(facts, pharos.Fact{Name: "status", Value: v.status()}, pharos.Fact{Name: "protocol", Value: sayProtocol(a.Response)})
	}
	if v.redirects > 0 {
		facts = append(facts, pharos.Fact{Name: "redirects", Value: strconv.Itoa(v.redirects)},
			pharos.Fact{Name: "final address", Value: sayURL(v.finalURL)})
	}
	if a.cert != nil {
		facts = append(facts, pharos.Fact{Name: "certificate", Value: a.cert.say(v.Start())})
	}
	if a.size > 0 {
		size := strconv.FormatInt(a.size, 10) + " bytes"
		if encoding := a.Header.Get("Content-Encoding"); encoding != "" {
			size += " of " + encoding
		}
		if a.truncated {
			size += ", then cut off"
		}
		facts = append(facts, pharos.Fact{Name: "size", Value: size})
	}
	if a.reused {
		facts = append(facts, pharos.Fact{Name: "connection", Value: "kept"})
	}
	return facts
}

// status returns the status line; of a foreign answer only the code is theirs.
func (v *visit) status() string {
	if v.foreign {
		return strings.TrimSpace(strconv.Itoa(v.seen.StatusCode) + " " + http.StatusText(v.seen.StatusCode))
	}
	return v.seen.Status
}

// failureDetail is what one wants to see of an answer that is not good: its
// status line, its header, the beginning of its body.
func (p *pager) failureDetail(v *visit, err error) string {
	var b strings.Builder
	switch {
	case v.seen.stderr != "":
		b.WriteString(v.seen.stderr)
		b.WriteByte('\n')
	case err != nil:
		b.WriteString(err.Error())
		b.WriteByte('\n')
	}
	switch a := &v.seen; {
	case a.Response == nil:
	case v.foreign:
		b.WriteString(sayProtocol(a.Response) + " " + v.status() + "\nThe answer is from another origin than the file's: it is not shown.\n")
	default:
		b.WriteString(sayProtocol(a.Response) + " " + v.status() + "\n")
		p.writeHeader(&b, a.Header)
		b.WriteByte('\n')
		b.WriteString(p.shownBody(v, err))
	}
	return b.String()
}

// sayProtocol returns "HTTP/1.1", "HTTP/2".
func sayProtocol(a *http.Response) string { return strings.Replace(a.Proto, "HTTP/2.0", "HTTP/2", 1) }

// shownBody returns the beginning of the body, of which err may have cut the
// end.
func (p *pager) shownBody(v *visit, err error) string {
	// Of an encoded body the beginning is enough, if what follows is missing.
	raw, _ := unpack(v.body, v.seen.Header.Values("Content-Encoding"), keptBody+slack+1)
	body := string(toUTF8(raw, v.seen.Header.Get("Content-Type")))
	cut := v.seen.truncated || v.seen.size > int64(len(v.body)) || len(body) > keptBody
	body = body[:min(len(body), keptBody+slack)]
	if cut || err != nil {
		body = p.redactor.Ended(body)
	}
	if !cut {
		return body
	}
	return p.redactor.Part(body, 0, min(len(body), keptBody)) + pharos.Ellipsis
}

func (p *pager) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = true
	if p.kept != nil {
		p.kept.close()
		p.kept = nil
	}
}
