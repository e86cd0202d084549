package importer

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kumaMonitor is one monitor of an Uptime Kuma backup. What is empty there is null, a
// text, or a number.
type kumaMonitor struct {
	ID            any      `json:"id"`
	Parent        any      `json:"parent"`
	Name          string   `json:"name"`
	Description   *string  `json:"description"`
	Type          string   `json:"type"`
	URL           *string  `json:"url"`
	Method        *string  `json:"method"`
	Headers       *string  `json:"headers"`
	Body          *string  `json:"body"`
	Hostname      *string  `json:"hostname"`
	Port          any      `json:"port"`
	Interval      float64  `json:"interval"`
	Timeout       float64  `json:"timeout"`
	MaxRetries    float64  `json:"maxretries"`
	Keyword       *string  `json:"keyword"`
	InvertKeyword yesNo    `json:"invertKeyword"`
	JSONPath      *string  `json:"jsonPath"`
	Expected      *string  `json:"expectedValue"`
	Operator      *string  `json:"jsonPathOperator"`
	Status        []string `json:"accepted_statuscodes"`
	MaxRedirects  *float64 `json:"maxredirects"`
	IgnoreTLS     yesNo    `json:"ignoreTls"`
	Expiry        yesNo    `json:"expiryNotification"`
	UpsideDown    yesNo    `json:"upsideDown"`
	Active        *yesNo   `json:"active"`
	AuthMethod    *string  `json:"authMethod"`
	User          *string  `json:"basic_auth_user"`
	Password      *string  `json:"basic_auth_pass"`
	DNSServer     *string  `json:"dns_resolve_server"`
	DNSType       *string  `json:"dns_resolve_type"`
	PacketSize    float64  `json:"packetSize"`
	PingCount     float64  `json:"ping_count"`
	GRPCURL       *string  `json:"grpcUrl"`
	GRPCService   *string  `json:"grpcServiceName"`
	GRPCTLS       yesNo    `json:"grpcEnableTls"`
	SMTPSecurity  *string  `json:"smtpSecurity"`
	Database      *string  `json:"databaseConnectionString"`
	ProxyID       any      `json:"proxyId"`
	HTTPEncoding  *string  `json:"httpBodyEncoding"`
}

// yesNo is true, false, 1, 0 or null.
type yesNo bool

// UnmarshalJSON implements json.Unmarshaler.
func (f *yesNo) UnmarshalJSON(b []byte) error {
	*f = yesNo(string(b) == "true" || string(b) == "1")
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// kuma reads an Uptime Kuma backup, or the answer of its API to a question for the
// monitors.
func kuma(f *file, data []byte) error {
	var backup struct {
		MonitorList json.RawMessage `json:"monitorList"`
		Monitors    json.RawMessage `json:"monitors"`
		Proxies     []struct {
			ID       any    `json:"id"`
			Protocol string `json:"protocol"`
			Host     string `json:"host"`
			Port     any    `json:"port"`
			Auth     yesNo  `json:"auth"`
			User     string `json:"username"`
			Password string `json:"password"`
		} `json:"proxyList"`
		Notifications []any `json:"notificationList"`
	}
	if err := json.Unmarshal(data, &backup); err != nil {
		return err
	}
	list := backup.MonitorList
	if list == nil {
		list = backup.Monitors
	}
	var monitors []kumaMonitor
	if err := json.Unmarshal(list, &monitors); err != nil {
		var byID map[string]kumaMonitor
		if json.Unmarshal(list, &byID) != nil {
			return err
		}
		for _, id := range sorted(byID) {
			monitors = append(monitors, byID[id])
		}
	}
	if len(backup.Notifications) > 0 {
		f.note("notifications: there are no alerts: the board is for those who see it")
	}
	proxies := make(map[string]string)
	for _, p := range backup.Proxies {
		u := url.URL{Scheme: strings.TrimSuffix(p.Protocol, "h"), Host: net.JoinHostPort(p.Host, fmt.Sprint(p.Port))}
		if p.Auth {
			u.User = url.UserPassword(p.User, p.Password)
		}
		if u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "socks5" {
			proxies[fmt.Sprint(p.ID)] = u.String()
		}
	}
	groups := make(map[string]string)
	for _, m := range monitors {
		if m.Type == "group" {
			groups[fmt.Sprint(m.ID)] = m.Name
		}
	}
	for i := range monitors {
		m := &monitors[i]
		set := orElse(groups[fmt.Sprint(m.Parent)], "Monitors")
		if m.Type == "group" { // which is a set, whose worst status a board shows by collapse
			continue
		}
		w := f.add(set, m.Name)
		if !m.carry(w) {
			w.note("a monitor of the type %s", m.Type)
			w.keys.set("command", "false # "+m.Type)
			w.keys.set("enabled", false)
		}
		if m.ProxyID != nil {
			if p := proxies[fmt.Sprint(m.ProxyID)]; p != "" && slices.ContainsFunc(w.keys, func(k pair) bool { return k.name == "page" }) {
				w.keys.set("proxy", p)
			} else {
				w.note("its proxy")
			}
		}
		m.common(w)
	}
	return nil
}

// carry writes the keys of a monitor's kind; false: there is none for it.
func (m *kumaMonitor) carry(w *watcher) bool {
	host, port := deref(m.Hostname), ""
	if m.Port != nil {
		port = strings.TrimSuffix(fmt.Sprint(m.Port), ".0")
	}
	at := func(usual string) string { return net.JoinHostPort(host, orElse(port, usual)) }
	switch m.Type {
	case "http", "keyword", "json-query":
		m.page(w)
	case "port":
		w.keys.set("tcp", at("0"))
	case "ping", "tailscale-ping":
		w.keys.set("ping", host)
		if m.PingCount > 1 {
			w.keys.set("count", int(min(m.PingCount, 20)))
		}
		if size := int(m.PacketSize); size >= 16 && size != 56 {
			w.keys.set("size", size)
		}
	case "dns":
		w.keys.set("dns", host)
		if server := deref(m.DNSServer); server != "" {
			server, _, _ = strings.Cut(server, ",")
			if port != "" && port != "53" {
				server = net.JoinHostPort(server, port)
			}
			w.keys.set("server", server)
		}
		if t := deref(m.DNSType); t != "" && t != "A" {
			w.keys.set("type", t)
		}
	case "push":
		silence := time.Duration(m.Interval * float64(time.Second))
		w.keys.set("push", duration(max(silence, time.Second)))
		w.note("its push address: send to this one's own, as docs/config.md says")
		m.Interval = 0
	case "grpc-keyword":
		w.keys.set("grpc", strings.TrimPrefix(strings.TrimPrefix(deref(m.GRPCURL), "https://"), "http://"))
		if m.GRPCTLS {
			w.keys.set("tls", true)
		}
		w.note("the call of %s for the keyword %q: the health service is asked instead", deref(m.GRPCService), deref(m.Keyword))
	case "smtp":
		w.keys.set("smtp", at("25"))
		switch deref(m.SMTPSecurity) {
		case "starttls":
			w.keys.set("starttls", true)
		case "secure":
			w.keys.set("tls", true)
		}
	case "websocket-upgrade":
		w.keys.set("websocket", deref(m.URL))
	case "postgres", "mysql", "redis", "mongodb", "sqlserver":
		ports := map[string]string{"postgres": "5432", "mysql": "3306", "redis": "6379", "mongodb": "27017", "sqlserver": "1433"}
		u, err := url.Parse(deref(m.Database))
		if err != nil || u.Hostname() == "" {
			return false
		}
		w.keys.set("tcp", net.JoinHostPort(u.Hostname(), orElse(u.Port(), ports[m.Type])))
		w.note("signing in to %s and its query: a command can do that", m.Type)
	default:
		return false
	}
	return true
}

// page carries over what is said of a page.
func (m *kumaMonitor) page(w *watcher) {
	address := deref(m.URL)
	w.keys.set("page", address)
	if method := strings.ToUpper(deref(m.Method)); method != "" && method != "GET" || deref(m.Body) != "" {
		w.keys.set("method", orElse(method, "GET"))
	}
	headers := keys{}
	var of map[string]any
	if text := deref(m.Headers); text != "" {
		if json.Unmarshal([]byte(text), &of) != nil {
			w.note("its headers: they are no JSON")
		}
		for _, name := range sorted(of) {
			headers.set(name, fmt.Sprint(of[name]))
		}
	}
	if body := deref(m.Body); body != "" {
		w.keys.set("body", body)
		if kind := map[string]string{"json": "application/json", "form": "application/x-www-form-urlencoded", "xml": "text/xml; charset=utf-8"}[deref(m.HTTPEncoding)]; kind != "" {
			if !slices.ContainsFunc(headers, func(p pair) bool { return strings.EqualFold(p.name, "Content-Type") }) {
				headers.set("Content-Type", kind)
			}
		}
	}
	w.keys.set("headers", headers)
	var codes []any
	for _, code := range m.Status {
		if n, err := strconv.Atoi(code); err == nil {
			codes = append(codes, n)
		} else if code != "" {
			codes = append(codes, code)
		}
	}
	if len(codes) != 1 || codes[0] != "200-299" {
		w.keys.set("status", codes)
	}
	if m.MaxRedirects != nil && *m.MaxRedirects == 0 {
		w.keys.set("follow_redirects", false)
	}
	if word := deref(m.Keyword); m.Type == "keyword" && word != "" {
		w.keys.set(map[yesNo]string{false: "match", true: "not_match"}[m.InvertKeyword], regexp.QuoteMeta(word))
	}
	if path := deref(m.JSONPath); m.Type == "json-query" && path != "" {
		operator, want := orElse(deref(m.Operator), "=="), deref(m.Expected)
		number, err := strconv.ParseFloat(want, 64)
		switch {
		case !simplePath.MatchString(path):
			w.note("the JSONata %s %s %s: json wants a JSONPath", path, operator, want)
		case operator == "==":
			w.keys.set("json", keys{{path, want}})
		case err == nil && slices.Contains([]string{"<", "<=", ">", ">="}, operator):
			w.keys.set("json", keys{{path, beyond(operator, number)}})
		default:
			w.note("%s %s %s: json compares with one value, or bounds a number", path, operator, want)
		}
	}
	switch user := deref(m.User); deref(m.AuthMethod) {
	case "", "basic":
		if user != "" {
			w.keys.set("basic_auth", keys{{"user", user}, {"password", deref(m.Password)}})
		}
	default:
		w.note("signing in by %s", deref(m.AuthMethod))
	}
	https := strings.HasPrefix(address, "https:")
	if bool(m.IgnoreTLS) && https {
		w.keys.set("tls", keys{{"insecure", true}})
	} else if bool(m.Expiry) && https {
		w.keys.set("certificate", keys{{"warning", plain("14d")}, {"critical", plain("3d")}})
	}
}

// simplePath is what JSONata and JSONPath have in common.
var simplePath = regexp.MustCompile(`^\$?\.?[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*|\[[0-9]+\])*$`)

// common carries over what all monitors have.
func (m *kumaMonitor) common(w *watcher) {
	if text := strings.Join(strings.Fields(deref(m.Description)), " "); text != "" {
		w.keys.set("description", cut(text, 120))
	}
	w.keys.set("interval", interval(time.Duration(m.Interval*float64(time.Second))))
	if m.Timeout >= 1 && m.Timeout <= 3600 {
		w.keys.set("timeout", seconds(m.Timeout))
	}
	if m.MaxRetries > 0 {
		w.keys.set("fall", int(m.MaxRetries)+1)
	}
	if m.Active != nil && !bool(*m.Active) {
		w.keys.set("enabled", false)
	}
	if m.UpsideDown {
		w.note("upside down: that it does not answer is what is wanted")
		w.keys.set("enabled", false)
	}
}
