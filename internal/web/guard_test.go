package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
)

// as sends a request as it comes from an address, with these headers.
func (w *world) as(from, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.RemoteAddr = from
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	out := httptest.NewRecorder()
	w.s.ServeHTTP(out, r)
	return out
}

func TestOnlyKnownHostsAreAnswered(t *testing.T) {
	own, err := os.Hostname()
	if err != nil {
		t.Skip(err)
	}
	in(t, Options{}, func(w *world) {
		w.s.Apply(Settings{Guard: Guard{Hosts: []string{"wall.example.com", "*.office.example"}}})
		for host, known := range map[string]bool{
			"127.0.0.1": true, "127.0.0.1:8811": true, "[::1]:8811": true, "[fe80::1%25eth0]": true, "192.0.2.7:1": true, "localhost:8811": true, "LOCALHOST.": true, "pharos.localhost": true,
			own: true, own + ":8811": true, strings.ToUpper(own): true, "wall.example.com": true, "Wall.Example.com.:80": true, "a.office.example": true, "a.b.office.example:443": true, "": true,
			"evil.example": false, "127.0.0.1.evil.example": false, "127.0.0.1.nip.io:8811": false, "office.example": false, "notoffice.example": false, "xwall.example.com": false,
			"wall.example.com.evil.example": false, "localhost.evil.example": false, own + ".evil.example": false, "example.com": false, "127.1": false, "0x7f000001": false, strings.Repeat("a", 300): false,
		} {
			for _, target := range []string{"/", "/events?set=", "/api/v1/board", "/poll/json", "/metrics", "/readyz", "/nothing", "/assets/a/app.js"} {
				got := w.as("192.0.2.1:1", target, "Host", host)
				if refused := got.Code == http.StatusMisdirectedRequest; refused == known {
					t.Errorf("GET %s of %q: %d", target, host, got.Code)
				} else if refused && (!strings.Contains(got.Body.String(), "dashboard.hosts") || got.Header().Get("Content-Security-Policy") == "" || got.Body.Len() > 300) {
					t.Errorf("GET %s of %q: %s, %v", target, host, got.Body, got.Header())
				}
			}
			if got := w.as("192.0.2.1:1", "/healthz", "Host", host); got.Code != http.StatusOK {
				t.Errorf("GET /healthz of %q: %d", host, got.Code)
			}
		}
		w.s.Apply(Settings{Guard: Guard{Hosts: []string{"*"}}})
		if got := w.as("192.0.2.1:1", "/", "Host", "whatever.example"); got.Code != http.StatusOK {
			t.Errorf("any name is allowed: %d", got.Code)
		}
	})
}

func TestFraming(t *testing.T) {
	in(t, Options{}, func(w *world) {
		g := testGuard
		g.FrameAncestors = []string{"'self'", "https://intranet.example"}
		w.s.Apply(Settings{Guard: g})
		h := w.get("/").Header()
		if csp := h.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "; frame-ancestors 'self' https://intranet.example") || h.Get("X-Frame-Options") != "" {
			t.Errorf("got %s, %s", csp, h.Get("X-Frame-Options"))
		}
	})
}

func TestAdminHasTheMetricsForItself(t *testing.T) {
	in(t, Options{Admin: true}, func(w *world) {
		if got := w.wantCode("/metrics", http.StatusNotFound); !strings.Contains(got.Body.String(), "dashboard.admin") {
			t.Errorf("got %s", got.Body)
		}
		for target, want := range map[string]int{"/metrics": 200, "/healthz": 200, "/readyz": 503, "/": 404, "/events": 404, "/api/v1/board": 404} {
			got := httptest.NewRecorder()
			w.s.admin.ServeHTTP(got, httptest.NewRequest(http.MethodGet, target, nil))
			if got.Code != want || got.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("GET %s of the admin: %d, want %d", target, got.Code, want)
			}
		}
		got := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Host = "evil.example"
		if w.s.admin.ServeHTTP(got, r); got.Code != http.StatusMisdirectedRequest {
			t.Errorf("the metrics by another name: %d", got.Code)
		}
	})
}

func TestClientsBehindProxies(t *testing.T) {
	in(t, Options{}, func(w *world) {
		g := testGuard
		g.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
		w.s.Apply(Settings{Guard: g})
		for _, tt := range []struct {
			from      string
			forwarded []string
			want      string
		}{
			{"192.0.2.1:1234", nil, "192.0.2.1/32"},
			{"192.0.2.1:1234", []string{"198.51.100.1"}, "192.0.2.1/32"}, // not a proxy of ours
			{"10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1/32"},
			{"10.0.0.1:1", nil, "10.0.0.1/32"},
			{"10.0.0.1:1", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1/32"}, // what it was told by the client
			{"10.0.0.1:1", []string{"203.0.113.9", "198.51.100.1 , 10.2.3.4"}, "198.51.100.1/32"},
			{"10.0.0.1:1", []string{"198.51.100.1, nonsense"}, "10.0.0.1/32"},
			{"10.0.0.1:1", []string{"198.51.100.1:5555"}, "198.51.100.1/32"},
			{"[fd00::1]:1", []string{"[2001:db8:1:2:3:4:5:6]:5555"}, "2001:db8:1:2::/64"},
			{"[::ffff:10.0.0.1]:1", []string{"2001:db8:1:2:ffff::1"}, "2001:db8:1:2::/64"},
			{"[2001:db8:1:2::9%eth0]:1", nil, "2001:db8:1:2::/64"},
			{"pipe", nil, netip.Prefix{}.String()},
		} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr, r.Header["X-Forwarded-For"] = tt.from, tt.forwarded
			if got := neighbourhood(w.s.client(r)).String(); got != tt.want {
				t.Errorf("from %s with %q: got %s, wanted %s", tt.from, tt.forwarded, got, tt.want)
			}
		}
	})
}

// watch is a screen of an address; its answer where it is refused.
func (w *world) watch(from, query string) (*screen, *httptest.ResponseRecorder) {
	r := httptest.NewRequest(http.MethodGet, "/events"+query, nil)
	r.RemoteAddr = from
	return w.send(r)
}

func TestOneAddressKeepsNobodyFromItsScreen(t *testing.T) {
	in(t, Options{Limits: Limits{Screens: 8, PerAddress: 6}}, func(w *world) {
		for i := range 6 {
			if s, _ := w.watch(fmt.Sprintf("[2001:db8::%d]:1", i), ""); s == nil {
				t.Fatalf("screen %d is refused", i)
			}
		}
		_, answer := w.watch("[2001:db8::ffff:1]:1", "")
		wantLater(t, answer, "max_screens_per_address")
		for i := range 5 { // each has one; the last three in place of one of the six
			if s, _ := w.watch(fmt.Sprintf("192.0.2.%d:1", i), ""); s == nil {
				t.Fatalf("screen %d of another address is refused", i)
			}
		}
		if n, most := w.s.streams.count(), w.s.streams.of[netip.MustParsePrefix("2001:db8::/64")]; n != 8 || most != 3 {
			t.Errorf("%d streams, %d of the first address; wanted 8 and 3", n, most)
		}
		_, answer = w.watch("[2001:db8::1]:1", "") // it has the most
		wantLater(t, answer, "max_screens")
		if s, _ := w.watch("192.0.2.0:1", ""); s == nil {
			t.Error("an address with one screen is refused beside one with three")
		}
		_, answer = w.watch("192.0.2.0:1", "") // it would have more than any
		wantLater(t, answer, "max_screens")
	})
}

func TestOneAddressKeepsNobodyFromItsFilter(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.s.Apply(Settings{Guard: testGuard, Views: map[string]url.Values{"lobby": {"set": {"Shop"}}}})
		for i := range 64 {
			if s, answer := w.watch("192.0.2.66:1", fmt.Sprint("?set=s", i)); s == nil {
				t.Fatalf("filter %d: %s", i, answer.Body)
			}
		}
		_, answer := w.watch("192.0.2.66:1", "?set=more")
		wantLater(t, answer, "64 different filters")
		for i, query := range []string{"", "?set=Shop", "?set=Mine", "?site=Mine"} {
			s, answer := w.watch("192.0.2.7:1", query)
			if s == nil {
				t.Fatalf("%q: %s", query, answer.Body)
			}
			s.answer(http.MethodGet)
			s.paragraph()
			if e := s.event(); e.name != "board" {
				t.Errorf("%q: got %+v", query, e)
			}
			if n, want := w.s.streams.count(), 64+min(i+1, 2); n != want {
				t.Errorf("%q: %d streams, want %d", query, n, want)
			}
		}
	})
}
