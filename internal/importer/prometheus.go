package importer

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// module is one module of a blackbox_exporter. What is not read is found by its key in
// the maps.
type module struct {
	Prober    string         `yaml:"prober"`
	Timeout   string         `yaml:"timeout"`
	HTTP      map[string]any `yaml:"http"`
	TCP       map[string]any `yaml:"tcp"`
	ICMP      map[string]any `yaml:"icmp"`
	DNS       map[string]any `yaml:"dns"`
	GRPC      map[string]any `yaml:"grpc"`
	WebSocket map[string]any `yaml:"websocket"`
	More      map[string]any `yaml:",inline"`
}

type targetGroup struct {
	Targets []string          `yaml:"targets"`
	Labels  map[string]string `yaml:"labels"`
}

// job is one scrape configuration of Prometheus.
type job struct {
	Name        string              `yaml:"job_name"`
	Path        string              `yaml:"metrics_path"`
	Scheme      string              `yaml:"scheme"`
	Interval    string              `yaml:"scrape_interval"`
	Params      map[string][]string `yaml:"params"`
	Static      []targetGroup       `yaml:"static_configs"`
	BasicAuth   map[string]any      `yaml:"basic_auth"`
	BearerToken string              `yaml:"bearer_token"`
	TLS         map[string]any      `yaml:"tls_config"`
	More        map[string]any      `yaml:",inline"`
}

// prometheus joins modules of blackbox_exporters with the targets of Prometheus.
func prometheus(f *file, modules, scrapes []Input) error {
	known, used := make(map[string]module), make(map[string]bool)
	var order []string
	for _, in := range modules {
		var c struct {
			Modules yaml.Node `yaml:"modules"`
		}
		if err := yaml.Unmarshal(in.Data, &c); err != nil {
			return fmt.Errorf("reading %q: %w", in.Name, err)
		}
		for i := 0; i+1 < len(c.Modules.Content); i += 2 {
			var m module
			if err := c.Modules.Content[i+1].Decode(&m); err != nil {
				return fmt.Errorf("reading %q: module %s: %w", in.Name, c.Modules.Content[i].Value, err)
			}
			name := c.Modules.Content[i].Value
			known[name] = m
			order = append(order, name)
		}
	}
	for _, in := range scrapes {
		jobs, err := jobsOf(in)
		if err != nil {
			return fmt.Errorf("reading %q: %w", in.Name, err)
		}
		for _, j := range jobs {
			j.carry(f, known, used)
		}
	}
	for _, name := range order {
		if !used[name] {
			f.note("module %s: no target is probed with it; hand over the file of Prometheus, too", name)
		}
	}
	return nil
}

func jobsOf(in Input) ([]job, error) {
	var c struct {
		Global struct {
			Interval string `yaml:"scrape_interval"`
		} `yaml:"global"`
		Jobs   []job         `yaml:"scrape_configs"`
		Static []targetGroup `yaml:"static_configs"`
	}
	if err := yaml.Unmarshal(in.Data, &c); err != nil {
		var groups []targetGroup // a file of targets alone
		if yaml.Unmarshal(in.Data, &groups) != nil {
			return nil, err
		}
		c.Static = groups
	}
	if len(c.Static) > 0 {
		c.Jobs = append(c.Jobs, job{Name: "Targets", Static: c.Static})
	}
	for i := range c.Jobs {
		if c.Jobs[i].Interval == "" {
			c.Jobs[i].Interval = c.Global.Interval
		}
	}
	return c.Jobs, nil
}

func (j *job) carry(f *file, known map[string]module, used map[string]bool) {
	set := orElse(j.Name, "Targets")
	if names := j.Params["module"]; len(names) > 0 {
		if _, ok := known[names[0]]; !ok {
			f.note("job %s: its module %s is in no file that was read; hand it over, too", set, names[0])
			return
		}
	}
	for _, key := range sorted(j.More) {
		if strings.HasSuffix(key, "_sd_configs") {
			f.note("job %s: %s: what it finds is not known here", set, key)
		}
	}
	for _, group := range j.Static {
		for _, target := range group.Targets {
			names := j.Params["module"]
			w := f.add(set, orElse(group.Labels["instance"], target))
			if len(names) > 0 {
				used[names[0]] = true
				m := known[names[0]]
				m.carry(w, target)
			} else {
				j.scrape(w, target)
			}
			if d, err := prometheusDuration(j.Interval); err == nil {
				w.keys.set("interval", interval(d))
			}
		}
	}
}

// scrape has the page of a target's metrics watched.
func (j *job) scrape(w *watcher, target string) {
	w.keys.set("page", orElse(j.Scheme, "http")+"://"+target+orElse(j.Path, "/metrics"))
	signIn(w, j.BasicAuth, j.BearerToken)
	tlsConfig(w, j.TLS)
}

func signIn(w *watcher, basic map[string]any, bearer string) {
	if user, ok := basic["username"].(string); ok {
		password, _ := basic["password"].(string)
		w.keys.set("basic_auth", keys{{"user", user}, {"password", password}})
		if basic["password_file"] != nil {
			w.note("basic_auth.password_file: write the password, or a variable")
		}
	}
	w.keys.set("bearer", bearer)
}

// tlsConfig carries over what both programs say of TLS.
func tlsConfig(w *watcher, c map[string]any) {
	tls := keys{}
	for _, k := range [][2]string{{"insecure_skip_verify", "insecure"}, {"ca_file", "ca_file"}, {"server_name", "server_name"}, {"cert_file", "client_cert"}, {"key_file", "client_key"}} {
		switch v := c[k[0]].(type) {
		case string:
			tls.set(k[1], v)
		case bool:
			if v {
				tls.set(k[1], v)
			}
		}
	}
	for _, key := range sorted(c) {
		if !slices.Contains([]string{"insecure_skip_verify", "ca_file", "server_name", "cert_file", "key_file"}, key) {
			w.note("tls_config.%s", key)
		}
	}
	w.keys.set("tls", tls)
}

var prometheusDays = regexp.MustCompile(`^([0-9]+)(d|w|y)$`)

// prometheusDuration reads a duration of Prometheus.
func prometheusDuration(s string) (time.Duration, error) {
	if m := prometheusDays.FindStringSubmatch(s); m != nil {
		d, err := time.ParseDuration(m[1] + "h")
		return d * map[string]time.Duration{"d": 24, "w": 24 * 7, "y": 24 * 365}[m[2]], err
	}
	if s == "" {
		return 0, errors.New("none")
	}
	return time.ParseDuration(s)
}

// carry writes the keys of a target that is probed with the module.
func (m *module) carry(w *watcher, target string) {
	taken := func(of map[string]any, keys ...string) {
		for _, key := range sorted(of) {
			if !slices.Contains(keys, key) {
				w.note("%s.%s", m.Prober, key)
			}
		}
	}
	ip := func(of map[string]any) {
		if fallback, ok := of["ip_protocol_fallback"].(bool); ok && !fallback {
			w.keys.set("ip", plain(map[any]string{"ip4": "4"}[of["preferred_ip_protocol"]]))
			if of["preferred_ip_protocol"] != "ip4" {
				w.keys.set("ip", plain("6"))
			}
		}
	}
	switch m.Prober {
	case "http":
		if !strings.Contains(target, "://") {
			target = "http://" + target
		}
		w.keys.set("page", target)
		m.http(w)
		ip(m.HTTP)
	case "tcp":
		w.keys.set("tcp", target)
		m.tcp(w)
		ip(m.TCP)
		taken(m.TCP, "query_response", "tls", "tls_config", "preferred_ip_protocol", "ip_protocol_fallback")
	case "icmp":
		w.keys.set("ping", target)
		if size, ok := m.ICMP["payload_size"].(int); ok && size >= 16 {
			w.keys.set("size", size)
		}
		ip(m.ICMP)
		taken(m.ICMP, "payload_size", "preferred_ip_protocol", "ip_protocol_fallback")
	case "dns":
		m.dns(w, target)
		taken(m.DNS, "query_name", "query_type", "transport_protocol", "valid_rcodes", "validate_answer_rrs", "preferred_ip_protocol", "ip_protocol_fallback", "dns_over_tls", "tls_config", "recursion_desired", "query_class")
	case "grpc":
		w.keys.set("grpc", target)
		if service, ok := m.GRPC["service"].(string); ok {
			w.keys.set("service", service)
		}
		if on, ok := m.GRPC["tls"].(bool); ok && on {
			w.keys.set("tls", true)
			tlsSection(w, m.GRPC["tls_config"])
		}
		ip(m.GRPC)
		taken(m.GRPC, "service", "tls", "tls_config", "preferred_ip_protocol", "ip_protocol_fallback")
	case "websocket":
		if !strings.Contains(target, "://") {
			target = "ws://" + target
		}
		w.keys.set("websocket", target)
		m.websocket(w, strings.HasPrefix(target, "wss:"))
		ip(m.WebSocket)
		taken(m.WebSocket, "http_config", "headers", "query_response", "preferred_ip_protocol", "ip_protocol_fallback")
	default:
		w.note("the prober %s", m.Prober)
		w.keys.set("command", "false # "+m.Prober)
		w.keys.set("enabled", false)
	}
	if d, err := prometheusDuration(m.Timeout); err == nil {
		w.keys.set("timeout", duration(d))
	}
}

// tlsSection writes how a certificate is checked, where something is said of it.
func tlsSection(w *watcher, config any) {
	c, ok := config.(map[string]any)
	if !ok {
		return
	}
	before := len(w.keys)
	w.keys = slices.DeleteFunc(w.keys, func(p pair) bool { return p.name == "tls" })
	tlsConfig(w, c)
	if len(w.keys) < before {
		w.keys.set("tls", true)
	}
}

func texts(v any) (all []any) {
	items, _ := v.([]any)
	for _, item := range items {
		all = append(all, fmt.Sprint(item))
	}
	return all
}

func (m *module) http(w *watcher) {
	h := m.HTTP
	text := func(key string) string {
		s, _ := h[key].(string)
		return s
	}
	if method := text("method"); method != "" && method != "GET" || text("body") != "" {
		w.keys.set("method", orElse(method, "GET"))
	}
	headers := keys{}
	if of, ok := h["headers"].(map[string]any); ok {
		for _, name := range sorted(of) {
			headers.set(name, fmt.Sprint(of[name]))
		}
	}
	w.keys.set("headers", headers)
	w.keys.set("body", text("body"))
	if codes, ok := h["valid_status_codes"].([]any); ok {
		w.keys.set("status", codes)
	}
	if any, ok := h["accept_any_response"].(bool); ok && any {
		w.keys.set("status", "100-599")
	}
	if versions := texts(h["valid_http_versions"]); len(versions) == 1 {
		w.keys.set("version", plain(strings.TrimSuffix(strings.TrimPrefix(versions[0].(string), "HTTP/"), ".0")))
	}
	if follow, ok := h["follow_redirects"].(bool); ok && !follow {
		w.keys.set("follow_redirects", false)
	}
	if none, ok := h["no_follow_redirects"].(bool); ok && none {
		w.keys.set("follow_redirects", false)
	}
	w.keys.set("match", texts(h["fail_if_body_not_matches_regexp"]))
	w.keys.set("not_match", texts(h["fail_if_body_matches_regexp"]))
	wants := keys{}
	if all, ok := h["fail_if_header_not_matches"].([]any); ok {
		for _, one := range all {
			if of, ok := one.(map[string]any); ok {
				if missing, _ := of["allow_missing"].(bool); missing {
					w.note("http.fail_if_header_not_matches of %v, which may be missing", of["header"])
					continue
				}
				wants.set(fmt.Sprint(of["header"]), fmt.Sprint(of["regexp"]))
			}
		}
	}
	w.keys.set("header", wants)
	basic, _ := h["basic_auth"].(map[string]any)
	bearer := text("bearer_token")
	if of, ok := h["authorization"].(map[string]any); ok {
		bearer, _ = of["credentials"].(string)
	}
	signIn(w, basic, bearer)
	w.keys.set("proxy", text("proxy_url"))
	if text("compression") != "" {
		w.keys.set("compressed", true)
	}
	tls, _ := h["tls_config"].(map[string]any)
	tlsConfig(w, tls)
	known := strings.Fields(`method headers body valid_status_codes accept_any_response valid_http_versions follow_redirects no_follow_redirects fail_if_body_not_matches_regexp
		fail_if_body_matches_regexp fail_if_header_not_matches basic_auth bearer_token authorization proxy_url compression tls_config preferred_ip_protocol ip_protocol_fallback
		skip_resolve_phase_with_proxy enable_http2`)
	for _, key := range sorted(h) {
		if off, ok := h[key].(bool); !slices.Contains(known, key) && !(ok && !off) {
			w.note("http.%s", key)
		}
	}
}

func (m *module) tcp(w *watcher) {
	if on, ok := m.TCP["tls"].(bool); ok && on {
		w.keys.set("tls", true)
		tlsSection(w, m.TCP["tls_config"])
	}
	steps, _ := m.TCP["query_response"].([]any)
	var all []any
	for i, step := range steps {
		of, _ := step.(map[string]any)
		s := keys{}
		expect, _ := of["expect"].(string)
		send, _ := of["send"].(string)
		switch {
		case of["starttls"] != nil:
			m.starttls(w, steps[:i])
			if i+1 < len(steps) {
				w.note("tcp.query_response after starttls")
			}
			return
		case strings.Contains(send, "${"):
			w.note("tcp.query_response: the answer to %q is made of what was expected", expect)
			send = ""
		}
		// They wait first, and answer then.
		if expect != "" {
			all = append(all, keys{{"expect", expect}})
		}
		if send != "" {
			s.set("send", send+"\n")
			all = append(all, s)
		}
	}
	w.keys.set("steps", all)
}

// startsTLS are the kinds of watchers whose servers turn to TLS when this is said.
var startsTLS = []struct{ says, greets, kind, protocol string }{
	{"STARTTLS", "220", "smtp", ""}, {"STARTTLS", "OK", "imap", ""},
	{"STLS", "", "certificate", "pop3"}, {"AUTH TLS", "", "certificate", "ftp"}, {"\x00\x00\x00\x08\x04\xd2\x16\x2f", "", "certificate", "postgres"},
}

// starttls makes the watcher one of the kind that says the steps by itself.
func (m *module) starttls(w *watcher, steps []any) {
	said, greeting := "", ""
	for _, step := range steps {
		of, _ := step.(map[string]any)
		send, _ := of["send"].(string)
		expect, _ := of["expect"].(string)
		if said == "" {
			greeting = orElse(greeting, expect)
		}
		said += send + "\n"
	}
	for _, k := range startsTLS {
		if !strings.Contains(said, k.says) || !strings.Contains(greeting, k.greets) {
			continue
		}
		for i := range w.keys {
			if w.keys[i].name == "tcp" {
				w.keys[i].name = k.kind
			}
		}
		if k.protocol != "" {
			w.keys.set("starttls", k.protocol)
		} else {
			w.keys.set("greeting", greeting)
			w.keys.set("starttls", true)
		}
		tlsSection(w, m.TCP["tls_config"])
		return
	}
	w.note("tcp.query_response with starttls: the kinds smtp, imap and certificate have it")
}

func (m *module) websocket(w *watcher, secure bool) {
	headers := keys{}
	if of, ok := m.WebSocket["headers"].(map[string]any); ok {
		for _, name := range sorted(of) {
			value, _ := of[name].(string)
			if more, ok := of[name].(map[string]any); ok {
				if all := append(texts(more["values"]), texts(more["secrets"])...); len(all) > 0 {
					value, _ = all[len(all)-1].(string)
				}
			}
			if value == "" {
				w.note("websocket.headers.%s", name)
			}
			headers.set(name, value)
		}
	}
	client, _ := m.WebSocket["http_config"].(map[string]any)
	basic, _ := client["basic_auth"].(map[string]any)
	if user, ok := basic["username"].(string); ok {
		password, _ := basic["password"].(string)
		headers.set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	}
	authorization, _ := client["authorization"].(map[string]any)
	bearer, _ := client["bearer_token"].(string)
	if token, ok := authorization["credentials"].(string); ok {
		bearer = token
	}
	if bearer != "" {
		headers.set("Authorization", "Bearer "+bearer)
	}
	w.keys.set("headers", headers)
	if secure {
		tlsSection(w, client["tls_config"])
	}
	for _, key := range sorted(client) {
		if !slices.Contains([]string{"basic_auth", "authorization", "bearer_token", "tls_config"}, key) {
			w.note("websocket.http_config.%s", key)
		}
	}
	steps, _ := m.WebSocket["query_response"].([]any)
	heard := false
	for _, step := range steps {
		of, _ := step.(map[string]any)
		expect, _ := of["expect"].(string)
		send, _ := of["send"].(string)
		if heard || of["starttls"] != nil {
			w.note("websocket.query_response: one message is sent, and one is waited for; not this: %s", orElse(expect, send))
			continue
		}
		w.keys.set("expect", expect)
		if heard = expect != ""; heard && send != "" {
			w.note("websocket.query_response: the answer to %q", expect)
		} else {
			w.keys.set("send", send)
		}
	}
}

func (m *module) dns(w *watcher, target string) {
	name, _ := m.DNS["query_name"].(string)
	kind, _ := m.DNS["query_type"].(string)
	w.keys.set("dns", orElse(name, "."))
	server := target
	if host, port, err := net.SplitHostPort(target); err == nil && port == "53" {
		server = host
	}
	w.keys.set("server", server)
	if kind == "" || kind == "ANY" {
		w.note("dns.query_type ANY: A is asked for")
	} else if kind != "A" {
		w.keys.set("type", kind)
	}
	if over, ok := m.DNS["transport_protocol"].(string); ok && over != "udp" {
		w.keys.set("transport", over)
	}
	if on, ok := m.DNS["dns_over_tls"].(bool); ok && on {
		w.keys.set("transport", "tls")
		c, _ := m.DNS["tls_config"].(map[string]any)
		tlsConfig(w, c)
	}
	if codes := texts(m.DNS["valid_rcodes"]); len(codes) > 1 {
		w.note("dns.valid_rcodes %v: one of them is wanted", codes)
	} else if len(codes) == 1 && codes[0] != "NOERROR" {
		w.keys.set("rcode", codes[0])
	}
	if v, ok := m.DNS["validate_answer_rrs"].(map[string]any); ok {
		for _, key := range sorted(v) {
			w.note("dns.validate_answer_rrs.%s %v: match looks at the data of the records alone", key, v[key])
		}
	}
}
