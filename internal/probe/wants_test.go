package probe

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// readInto fills what a pointer points to from YAML, as the file's reader does.
func readInto(t testing.TB, text string, into any) {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	r := field.New(func(string) (string, bool) { return "", false })
	r.Read(document.Content[0], "it", into)
	if err := r.Errors(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatAPageMustHave(t *testing.T) {
	json := func(wants string) func(*pageSpec) {
		return func(p *pageSpec) { readInto(t, wants, &p.JSON) }
	}
	header := func(wants string) func(*pageSpec) {
		return func(p *pageSpec) { readInto(t, wants, &p.Header) }
	}
	version := func(v field.Word) func(*pageSpec) {
		return func(p *pageSpec) { p.Version, p.TLS.Insecure = v, true }
	}
	compressed := func(p *pageSpec) { p.Compressed = true }
	const state = `{"status": "ok", "queue": 120, "id": 9007199254740993, "nodes": [{"up": true, "load": 1.5}, {"up": true, "load": 2.5}], "none": null, "text": "12"}`
	for name, row := range map[string]struct {
		server server
		edit   func(*pageSpec)
		why    string
		unseen bool
		figure string // "name value"
	}{
		"a text":                    {body(state), json(`{status: ok, "$.status": ok}`), "", false, ""},
		"another text":              {body(state), json(`{status: degraded}`), `status is "ok", wanted "degraded"`, false, ""},
		"a number":                  {body(state), json(`{queue: 120, "nodes[1].load": 2.50}`), "", false, ""},
		"a large number":            {body(state), json(`{id: 9007199254740993}`), "", false, ""},
		"true and null":             {body(state), json(`{"nodes[0].up": true, none: null}`), "", false, ""},
		"not true":                  {body(state), json(`{"nodes[0].up": false}`), `nodes[0].up is true, wanted "false"`, false, ""},
		"a text of digits":          {body(state), json(`{text: 12}`), "", false, ""},
		"nothing there":             {body(state), json(`{nothing: 1}`), "nothing at nothing in the body", false, ""},
		"all of some":               {body(state), json(`{"nodes[*].up": true}`), "", false, ""},
		"all of some, and one not":  {body(`{"nodes": [{"up": true}, {"up": false}]}`), json(`{"nodes[*].up": true}`), `nodes[*].up is false, wanted "true"`, false, ""},
		"a bound":                   {body(state), json(`{queue: {warning: 100, critical: 200}}`), "", false, "$.queue 120"},
		"a bound of a length":       {body(state), json(`{nodes: {warning: 1, critical: 0}}`), "", false, "$.nodes 2"},
		"the largest":               {body(state), json(`{"nodes[*].load": {warning: 2}}`), "", false, "$.nodes[*].load 2.5"},
		"the least":                 {body(state), json(`{"nodes[*].load": {warning: 2, critical: 1}}`), "", false, "$.nodes[*].load 1.5"},
		"a bound of a text":         {body(state), json(`{status: {warning: 1}}`), `status is "ok", wanted a number`, false, ""},
		"a list where a text is":    {body(state), json(`{nodes: 2}`), `nodes is [{"load":1.5,"up":true},{"load":2.5,"up":true}], wanted "2"`, false, ""},
		"no JSON":                   {body("<html>"), json(`{status: ok}`), "the body is no JSON: invalid character '<' looking for beginning of value", false, ""},
		"an empty body":             {body(""), json(`{status: ok}`), "the body is no JSON: there is nothing", false, ""},
		"JSON in gzip":              {body(gzipped(state), "Content-Encoding: gzip"), json(`{status: ok}`), "", false, ""},
		"JSON behind max_body":      {body(state), both(json(`{status: ok}`), func(p *pageSpec) { p.MaxBody = 50 }), "cannot read the JSON: only the first 50 bytes of the body were read", true, ""},
		"a secret, cut":             {body(`{"a": "` + strings.Repeat("x", 200) + `"}`), json(`{a: b}`), `a is "` + strings.Repeat("x", 79) + `..., wanted "b"`, false, ""},
		"a header":                  {body("well", "X-Cache: HIT", "X-Cache: MISS"), header(`{x-cache: ^HIT$}`), "", false, ""},
		"no header":                 {body("well"), header(`{X-Cache: HIT}`), `no header X-Cache, wanted a match for "HIT"`, false, ""},
		"another header":            {body("well", "X-Cache: MISS"), header(`{X-Cache: ^HIT$}`), `header X-Cache is "MISS", wanted a match for "^HIT$"`, false, ""},
		"a header nobody is to see": {body("well", "Set-Cookie: a=geheim"), header(`{Set-Cookie: b=}`), `header Set-Cookie has no match for "b="`, false, ""},
		"compressed":                {body(gzipped("well"), "Content-Encoding: gzip"), compressed, "", false, ""},
		"not compressed":            {body("well"), compressed, "the body is not compressed", false, ""},
		"not compressed, by name":   {body("well", "Content-Encoding: identity"), compressed, "the body is not compressed", false, ""},
		"nothing to compress":       {raw("HTTP/1.1 204 No Content\r\n\r\n"), compressed, "", false, ""},
		"HTTP/2":                    {http2(writes("well")), version("2"), "", false, ""},
		"HTTP/1.1 of both":          {serverOfBoth, version("1.1"), "", false, ""},
		"HTTP/2 of both":            {serverOfBoth, version("2"), "", false, ""},
		"HTTP/2 of none":            {overTLS(nil, httpTLS), version("2"), "HTTP/1.1, wanted HTTP/2", false, ""},
		"HTTP/2 without TLS":        {func(t *testing.T) string { return "http://" + string(overHTTP2(t, writes("well"))) + "/" }, version("2"), "", false, ""},
		"HTTP/1.0":                  {raw("HTTP/1.0 200 OK\r\n\r\nwell"), version("1.1"), "HTTP/1.0, wanted HTTP/1.1", false, ""},
		"a foreign answer is not shown": {func(t *testing.T) string {
			other := body(`{"status": "geheim"}`, "X-A: geheim")(t)
			return raw("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + other + "\r\n\r\n")(t)
		}, both(follow, json(`{status: ok}`)), `status is not "ok"`, false, ""},
		"nor is its header": {func(t *testing.T) string {
			other := body(`{}`, "X-A: geheim")(t)
			return raw("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + other + "\r\n\r\n")(t)
		}, both(follow, header(`{X-A: b}`)), `header X-A has no match for "b"`, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := pageAt(row.server(t))
			row.edit(pageOf(w))
			m := measure(t, pageOf(w), long)
			want := pharos.Measured
			if row.unseen {
				want = pharos.Unclear
			} else if row.why != "" {
				want = pharos.Failed
			}
			if m.Outcome != want || m.Reason != row.why {
				t.Errorf("got %v %q, want %v %q", m.Outcome, m.Reason, want, row.why)
			}
			got := ""
			for _, f := range m.Figures {
				if f.Name != "certificate" {
					got = fmt.Sprint(f.Name, " ", f.Value)
				}
			}
			if got != row.figure {
				t.Errorf("got figure %q, want %q", got, row.figure)
			}
			if strings.Contains(fmt.Sprintf("%+v", m), "geheim") && strings.Contains(name, "is") {
				t.Errorf("it shows %+v", m)
			}
		})
	}
}

func serverOfBoth(t *testing.T) string {
	s := httptest.NewUnstartedServer(writes("well"))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL + "/"
}

func TestACompressedBodyIsAskedFor(t *testing.T) {
	s, requests := recorder(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	w := pageAt(s.URL)
	pageOf(w).Compressed = true
	watch(t, w)
	pageOf(w).Headers = field.Dictionary{{Name: "accept-encoding", Value: "br"}}
	watch(t, w)
	for i, want := range []string{"gzip, deflate, br", "br"} {
		if got := requests()[i].Header["Accept-Encoding"]; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestThePagesCertificateIsAFigure(t *testing.T) {
	w := pageAt(serverOfBoth(t))
	pageOf(w).TLS.Insecure = true
	readInto(t, `{warning: 14d}`, &pageOf(w).Certificate)
	pageOf(w).days = pharos.Thresholds{Warning: pharos.Num(14), Less: true}
	if parts := pageOf(w).Traits().Figures; len(parts) != 1 || parts[0].Name != "certificate" || parts[0].Unit != "days" {
		t.Errorf("got parts %v", parts)
	}
	m := measure(t, pageOf(w), long)
	if len(m.Figures) != 1 || m.Figures[0].Name != "certificate" || m.Figures[0].Value < 100 {
		t.Errorf("got %v", m.Figures)
	}
	// Of several on the way, that which ends first counts.
	ca := newAuthority(t)
	other := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{ca.issue(t, func(*x509.Certificate) {})}})
	s := httptest.NewTLSServer(http.RedirectHandler(other, http.StatusFound))
	t.Cleanup(s.Close)
	last := httptest.NewTLSServer(writes("well"))
	t.Cleanup(last.Close)
	first := httptest.NewUnstartedServer(http.RedirectHandler(last.URL, http.StatusFound))
	first.TLS = &tls.Config{Certificates: []tls.Certificate{ca.issue(t, func(*x509.Certificate) {})}}
	first.StartTLS()
	t.Cleanup(first.Close)
	for _, address := range []string{s.URL, first.URL} {
		w := pageAt(address)
		pageOf(w).TLS.Insecure, pageOf(w).FollowRedirects = true, true
		if m := measure(t, pageOf(w), long); len(m.Figures) != 1 || m.Figures[0].Value > 12 {
			t.Errorf("%s: got %v %q", address, m.Figures, m.Reason)
		}
	}
}
