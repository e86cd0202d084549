package importer

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// gatusEndpoint is one endpoint of a Gatus configuration, as far as it can be carried
// over.
type gatusEndpoint struct {
	Name       string            `yaml:"name"`
	Group      string            `yaml:"group"`
	URL        string            `yaml:"url"`
	Enabled    *bool             `yaml:"enabled"`
	Method     string            `yaml:"method"`
	Body       string            `yaml:"body"`
	GraphQL    bool              `yaml:"graphql"`
	Headers    map[string]string `yaml:"headers"`
	Interval   string            `yaml:"interval"`
	Conditions []string          `yaml:"conditions"`
	DNS        *struct {
		Name string `yaml:"query-name"`
		Type string `yaml:"query-type"`
	} `yaml:"dns"`
	SSH       map[string]any `yaml:"ssh"`
	Heartbeat struct {
		Interval string `yaml:"interval"`
	} `yaml:"heartbeat"`
	Token  string `yaml:"token"`
	Client struct {
		Insecure       bool   `yaml:"insecure"`
		IgnoreRedirect bool   `yaml:"ignore-redirect"`
		Timeout        string `yaml:"timeout"`
		DNSResolver    string `yaml:"dns-resolver"`
		Proxy          string `yaml:"proxy-url"`
		Network        string `yaml:"network"`
		Tunnel         string `yaml:"tunnel"`
		OAuth2         any    `yaml:"oauth2"`
		IAP            any    `yaml:"identity-aware-proxy"`
		TLS            struct {
			Cert string `yaml:"certificate-file"`
			Key  string `yaml:"private-key-file"`
		} `yaml:"tls"`
	} `yaml:"client"`
	Alerts []any          `yaml:"alerts"`
	More   map[string]any `yaml:",inline"`
}

// gatus reads a Gatus configuration.
func gatus(f *file, data []byte) error {
	var c struct {
		Endpoints []gatusEndpoint `yaml:"endpoints"`
		Services  []gatusEndpoint `yaml:"services"` // of old ones
		External  []gatusEndpoint `yaml:"external-endpoints"`
		UI        struct {
			Title  string `yaml:"title"`
			Header string `yaml:"header"`
		} `yaml:"ui"`
		More map[string]any `yaml:",inline"`
	}
	if err := yaml.Unmarshal(data, &c); err != nil {
		return err
	}
	if c.UI.Header != "" {
		c.UI.Title = c.UI.Header
	}
	f.top.set("title", cut(strings.TrimSpace(c.UI.Title), maxName))
	for _, key := range sorted(c.More) {
		switch key {
		case "alerting":
			f.note("alerting: there are no alerts: the board is for those who see it")
		case "suites":
			f.note("suites: steps that are made of what came before; a command can take them")
		case "metrics", "debug", "web", "storage", "concurrency", "disable-monitoring-lock", "skip-invalid-config-update": // how Gatus itself runs
		default:
			f.note("%s", key)
		}
	}
	for _, e := range append(c.Endpoints, c.Services...) {
		e.carry(f)
	}
	for _, e := range c.External {
		w := f.add(orElse(e.Group, "Endpoints"), e.Name)
		d, err := time.ParseDuration(e.Heartbeat.Interval)
		if err != nil || d < time.Second {
			w.note("heartbeat.interval %q: after which silence it is critical has to be written here", e.Heartbeat.Interval)
			d = 24 * time.Hour
		}
		w.keys.set("push", duration(d))
		if e.Token != "" {
			w.note("token: who may push is said elsewhere")
		}
		e.common(w)
	}
	return nil
}

func sorted[T any](m map[string]T) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func orElse(s, fallback string) string {
	if strings.TrimSpace(s) == "" {
		return fallback
	}
	return s
}

// gatusVariable is a variable of the environment, as Gatus has it.
var gatusVariable = regexp.MustCompile(`\$\$|\$\{?([A-Z_][A-Z0-9_]*)\}?`)

// env brings variables to how the file has them.
func env(s string) any {
	found := false
	out := gatusVariable.ReplaceAllStringFunc(s, func(v string) string {
		if v == "$$" {
			return "$"
		}
		found = true
		return "${" + strings.Trim(v, "${}") + "}"
	})
	if found {
		return plain(out)
	}
	return out
}

// carry adds the watcher of an endpoint.
func (e *gatusEndpoint) carry(f *file) {
	w := f.add(orElse(e.Group, "Endpoints"), e.Name)
	scheme, rest, _ := strings.Cut(e.URL, "://")
	if rest == "" {
		scheme = ""
	}
	host := hostOf(e.URL)
	kind := ""
	switch {
	case e.DNS != nil:
		kind = "dns"
		w.keys.set("dns", orElse(strings.TrimSuffix(e.DNS.Name, "."), "."))
		w.keys.set("server", env(strings.TrimPrefix(e.URL, "dns://")))
		if e.DNS.Type != "" && e.DNS.Type != "A" {
			w.keys.set("type", e.DNS.Type)
		}
	case scheme == "http" || scheme == "https":
		kind = "page"
		w.keys.set("page", env(e.URL))
	case scheme == "ws" || scheme == "wss":
		kind = "websocket"
		w.keys.set("websocket", env(e.URL))
		w.keys.set("send", e.Body)
	case scheme == "icmp":
		kind = "ping"
		w.keys.set("ping", env(rest))
	case scheme == "tcp":
		kind = "tcp"
		w.keys.set("tcp", env(rest))
	case scheme == "tls":
		kind = "certificate"
		w.keys.set("certificate", env(rest))
	case scheme == "starttls":
		kind = "smtp"
		w.keys.set("smtp", env(rest))
		w.keys.set("starttls", true)
	case scheme == "ssh":
		kind = "ssh"
		w.keys.set("ssh", env(rest))
		if e.SSH != nil {
			w.note("ssh: signing in and commands: a command with ssh_host does both")
		}
	case scheme == "grpc" || scheme == "grpcs" || e.More["grpc"] != nil:
		kind = "grpc"
		if rest == "" {
			rest = e.URL
		}
		w.keys.set("grpc", env(rest))
		if scheme == "grpcs" || strings.HasSuffix(rest, ":443") {
			w.keys.set("tls", true)
		}
	default:
		w.note("url %s: there is no kind for it", e.URL)
		w.keys.set("command", "false # "+strings.ReplaceAll(e.URL, "\n", " "))
		w.keys.set("enabled", false)
		return
	}
	if kind == "page" {
		e.request(w)
	}
	if e.Client.Insecure {
		e.insecure(w, kind, scheme)
	}
	if _, _, err := net.SplitHostPort(host); (kind == "tcp" || kind == "grpc") && err != nil {
		w.note("url %s: it names no port", e.URL)
		w.keys.set("enabled", false)
	}
	c := conditions{w: w, kind: kind}
	c.timeout, _ = time.ParseDuration(e.Client.Timeout)
	for _, condition := range e.Conditions {
		if wrong := c.take(condition); wrong != "" {
			w.note("condition %s%s", condition, wrong)
		}
	}
	c.done()
	e.common(w)
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address
	}
	return u.Host
}

// request carries over what is said of a page's request.
func (e *gatusEndpoint) request(w *watcher) {
	method := e.Method
	headers := keys{}
	for _, name := range sorted(e.Headers) {
		headers.set(name, env(e.Headers[name]))
	}
	body := e.Body
	if e.GraphQL {
		body = `{"query":` + strconv.Quote(body) + `}`
		headers.set("Content-Type", "application/json")
		method = orElse(method, "POST")
	}
	if body != "" {
		method = orElse(method, "GET")
	}
	if method != "GET" || body != "" {
		w.keys.set("method", strings.ToUpper(method))
	}
	w.keys.set("headers", headers)
	if body != "" {
		w.keys.set("body", env(body))
	}
	if e.Client.IgnoreRedirect {
		w.keys.set("follow_redirects", false)
	}
	w.keys.set("proxy", e.Client.Proxy)
	if e.Client.TLS.Cert != "" {
		tls := keys{}
		tls.set("client_cert", e.Client.TLS.Cert)
		tls.set("client_key", e.Client.TLS.Key)
		w.keys.set("tls", tls)
	}
}

func (e *gatusEndpoint) insecure(w *watcher, kind, scheme string) {
	tls := keys{}
	for _, p := range w.keys {
		if old, ok := p.value.(keys); ok && p.name == "tls" {
			tls = old
		}
	}
	switch {
	case kind == "page" && scheme == "http", kind == "websocket" && scheme == "ws", kind == "tcp", kind == "ping", kind == "ssh", kind == "dns":
	default:
		tls.set("insecure", true)
		w.keys.set("tls", tls)
	}
}

// common carries over what all endpoints have.
func (e *gatusEndpoint) common(w *watcher) {
	if d, err := time.ParseDuration(e.Interval); err == nil {
		w.keys.set("interval", interval(d))
	} else if e.Interval != "" {
		w.note("interval %s", e.Interval)
	}
	if d, err := time.ParseDuration(e.Client.Timeout); err == nil {
		w.keys.set("timeout", duration(d))
	}
	if e.Enabled != nil && !*e.Enabled {
		w.keys.set("enabled", false)
	}
	for what, there := range map[string]bool{
		"client.dns-resolver": e.Client.DNSResolver != "", "client.oauth2": e.Client.OAuth2 != nil, "client.identity-aware-proxy": e.Client.IAP != nil,
		"client.tunnel: an ssh_host may do the same": e.Client.Tunnel != "",
	} {
		if there {
			w.note("%s", what)
		}
	}
	slices.Sort(w.notes)
	if len(e.Alerts) > 0 {
		w.note("alerts")
	}
	for _, key := range sorted(e.More) {
		if key != "ui" && key != "grpc" && key != "extra-labels" {
			w.note("%s", key)
		}
	}
}

// conditions are what an endpoint must be like; several may be of one thing.
type conditions struct {
	w        *watcher
	kind     string
	json     keys
	status   []any
	matches  []any
	critical time.Duration // of the time
	timeout  time.Duration
}

var (
	conditionParts = regexp.MustCompile(`^\s*(.+?)\s*(==|!=|<=|>=|<|>)\s*(.+?)\s*$`)
	bodyPath       = regexp.MustCompile(`^\[BODY\]\.?(.*)$`)
	lengthOf       = regexp.MustCompile(`^len\((.+)\)$`)
	anyOf          = regexp.MustCompile(`^any\((.+)\)$`)
	patternOf      = regexp.MustCompile(`^pat\((.+)\)$`)
)

// take takes one condition, and returns why it cannot be carried over, from ": " on.
func (c *conditions) take(condition string) (wrong string) {
	m := conditionParts.FindStringSubmatch(condition)
	if m == nil {
		return ": it cannot be read"
	}
	left, operator, right := m[1], m[2], m[3]
	switch {
	case left == "[CONNECTED]" && operator == "==" && right == "true":
		return "" // or it is critical anyway
	case left == "[STATUS]":
		return c.takeStatus(operator, right)
	case left == "[RESPONSE_TIME]" && strings.HasPrefix(operator, "<"):
		ms, err := strconv.ParseFloat(right, 64)
		if err != nil {
			return ": it is no number"
		}
		c.critical = time.Duration(ms * float64(time.Millisecond))
		return ""
	case left == "[CERTIFICATE_EXPIRATION]" && strings.HasPrefix(operator, ">"):
		d, err := time.ParseDuration(right)
		if err != nil {
			return ": it is no duration"
		}
		bounds := keys{{"critical", duration(d)}}
		switch c.kind {
		case "page":
			c.w.keys.set("certificate", bounds)
		case "certificate":
			c.w.keys.set("thresholds", bounds)
		default:
			return ": a watcher of the kind certificate looks for it"
		}
		return ""
	case left == "[DNS_RCODE]" && operator == "==" && c.kind == "dns":
		if right != "NOERROR" {
			c.w.keys.set("rcode", right)
		}
		return ""
	case strings.HasPrefix(left, "[DOMAIN_EXPIRATION]"):
		return ": domains' registrations are not watched; a command with whois may do"
	case strings.Contains(left, "[BODY]"):
		return c.takeBody(left, operator, right)
	}
	return ": there is no way to look at it so"
}

func (c *conditions) takeStatus(operator, right string) string {
	if c.kind != "page" {
		return ": it has no status"
	}
	if m := anyOf.FindStringSubmatch(right); m != nil && operator == "==" {
		for _, code := range strings.Split(m[1], ",") {
			n, err := strconv.Atoi(strings.TrimSpace(code))
			if err != nil {
				return ": it is no number"
			}
			c.status = append(c.status, n)
		}
		return ""
	}
	n, err := strconv.Atoi(right)
	if err != nil {
		return ": it is no number"
	}
	switch operator {
	case "==":
		c.status = append(c.status, n)
	case "<", "<=":
		if operator == "<" {
			n--
		}
		c.status = append(c.status, fmt.Sprintf("200-%d", n))
	case "!=":
		return ": status names what is ok"
	default:
		if operator == ">" {
			n++
		}
		c.status = append(c.status, fmt.Sprintf("%d-599", n))
	}
	return ""
}

func (c *conditions) takeBody(left, operator, right string) string {
	of, length := left, false
	if m := lengthOf.FindStringSubmatch(left); m != nil {
		of, length = m[1], true
	}
	m := bodyPath.FindStringSubmatch(of)
	if m == nil {
		return ": it cannot be read"
	}
	path := strings.TrimPrefix(m[1], ".")
	switch {
	case c.kind == "grpc" && strings.HasSuffix(path, "status") && operator == "==" && strings.Trim(right, `"`) == "SERVING":
		return "" // or it is critical anyway
	case path == "" && !length && operator == "==" && (c.kind == "page" || c.kind == "dns"):
		if m := anyOf.FindStringSubmatch(right); m != nil {
			c.matches = append(c.matches, "^("+strings.Join(quoteAll(strings.Split(m[1], ",")), "|")+")$")
			return ""
		}
		c.matches = append(c.matches, "^"+glob(right)+"$")
		if p := patternOf.FindStringSubmatch(right); p != nil {
			c.matches[len(c.matches)-1] = "(?s)" + strings.TrimSuffix(strings.TrimPrefix(glob(p[1]), ".*"), ".*")
		}
		return ""
	case path == "" && !length && operator == "==" && c.kind == "websocket":
		if m := patternOf.FindStringSubmatch(right); m != nil {
			right = m[1]
		}
		c.w.keys.set("expect", strings.TrimSuffix(strings.TrimPrefix(glob(strings.Trim(right, `"`)), ".*"), ".*"))
		return ""
	case c.kind != "page" || path == "":
		return ": there is no way to look at it so"
	}
	if strings.HasPrefix(path, "[") {
		path = "$" + path
	}
	number, err := strconv.ParseFloat(right, 64)
	switch {
	case strings.HasPrefix(right, "any("), strings.HasPrefix(right, "pat("), strings.HasPrefix(right, "has("), strings.HasPrefix(left, "has("):
		return ": json compares with one value"
	case operator == "==" && !length:
		c.json.set(path, strings.Trim(right, `"`))
	case err != nil || operator == "!=":
		return ": json compares with one value, or bounds a number"
	case operator == "==":
		return ": json bounds a length"
	default:
		c.json.set(path, beyond(operator, number))
	}
	return ""
}

// beyond returns the bounds that make critical what is not so. A value at a bound has
// passed it; where less is worse, critical is below warning.
func beyond(operator string, number float64) keys {
	const bit = 1e-6
	text := func(v float64) plain { return plain(strconv.FormatFloat(v, 'f', -1, 64)) }
	switch operator {
	case "<":
		return keys{{"critical", text(number)}}
	case "<=":
		return keys{{"critical", text(number + bit)}}
	case ">":
		return keys{{"warning", text(number + bit)}, {"critical", text(number)}}
	}
	return keys{{"warning", text(number - bit/2)}, {"critical", text(number - bit)}}
}

func quoteAll(texts []string) (all []string) {
	for _, t := range texts {
		all = append(all, regexp.QuoteMeta(strings.TrimSpace(t)))
	}
	return all
}

// glob returns the regular expression of a text with "*".
func glob(text string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, ".*")
}

// done writes what several conditions came to.
func (c *conditions) done() {
	if len(c.status) == 1 {
		c.w.keys.set("status", c.status[0])
	} else {
		c.w.keys.set("status", c.status)
	}
	if len(c.matches) == 1 {
		c.w.keys.set("match", c.matches[0])
	} else {
		c.w.keys.set("match", c.matches)
	}
	c.w.keys.set("json", c.json)
	if c.kind != "certificate" && c.critical > 0 {
		slow(c.w, c.critical, c.timeout)
	}
}
