package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// hash is a password's, cheaply.
func hash(t testing.TB, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

// closed are settings of a board that those see who have signed in.
func closed(t testing.TB) Settings {
	g := testGuard
	g.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	return Settings{Guard: g, Views: views("lobby", "set=shop"), Access: Access{SignedIn: true, UserHeader: "X-Remote-User", Users: map[string]string{"anna": hash(t, "opensesame"), "Zoë": hash(t, "ü"), "empty": ""}}}
}

// form posts a form from an address.
func (w *world) form(from, target string, fields url.Values, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(fields.Encode()))
	r.RemoteAddr = from
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	out := httptest.NewRecorder()
	w.s.ServeHTTP(out, r)
	return out
}

// signIn returns the cookie of a session, as a header.
func (w *world) signIn(name, password string) string {
	w.Helper()
	got := w.form("192.0.2.1:1", "/login", url.Values{"name": {name}, "password": {password}})
	if got.Code != http.StatusSeeOther || len(got.Result().Cookies()) != 1 {
		w.Fatalf("signing in as %s: %d %s", name, got.Code, got.Body)
	}
	c := got.Result().Cookies()[0]
	return c.Name + "=" + c.Value
}

func TestWhoMayLook(t *testing.T) {
	in(t, Options{}, func(w *world) {
		settings := closed(t)
		w.s.Apply(settings)
		w.needles()
		session := w.signIn("anna", "opensesame")
		forged := func(name, key string) string {
			return "pharos-session=" + newSession(map[string]string{name: key}, name, time.Now().Add(time.Hour))
		}
		who, rest, _ := strings.Cut(strings.TrimPrefix(session, "pharos-session="), ".")
		for name, tt := range map[string]struct {
			from    string
			headers []string
			may     bool
		}{
			"nobody":                             {"192.0.2.1:1", nil, false},
			"a user":                             {"192.0.2.1:1", []string{"Cookie", session}, true},
			"a user, from elsewhere":             {"198.51.100.1:1", []string{"Cookie", "a=b; pharos-session=; " + session}, true},
			"a proxy's user":                     {"10.0.0.1:1", []string{"X-Remote-User", "berta"}, true},
			"a proxy's user, without a proxy":    {"192.0.2.1:1", []string{"X-Remote-User", "anna"}, false},
			"... who says that there was one":    {"192.0.2.1:1", []string{"X-Remote-User", "anna", "X-Forwarded-For", "10.0.0.1"}, false},
			"a proxy that adds to what was sent": {"10.0.0.1:1", []string{"X-Remote-User", "anna", "X-Remote-User", "berta"}, false},
			"a proxy's nobody":                   {"10.0.0.1:1", []string{"X-Remote-User", " \t"}, false},
			"a proxy's other header":             {"10.0.0.1:1", []string{"X-User", "anna"}, false},
			"nonsense":                           {"192.0.2.1:1", []string{"Cookie", "pharos-session=a.b.c"}, false},
			"nothing":                            {"192.0.2.1:1", []string{"Cookie", "pharos-session=.."}, false},
			"without a code":                     {"192.0.2.1:1", []string{"Cookie", "pharos-session=" + strings.TrimSuffix(session, session[strings.LastIndex(session, ".")+1:])}, false},
			"made with another key":              {"192.0.2.1:1", []string{"Cookie", forged("anna", "")}, false},
			"made of the password":               {"192.0.2.1:1", []string{"Cookie", forged("anna", "opensesame")}, false},
			"of nobody":                          {"192.0.2.1:1", []string{"Cookie", forged("", "")}, false},
			"of a user without a password":       {"192.0.2.1:1", []string{"Cookie", forged("empty", "")}, false},
			"of a user who is none":              {"192.0.2.1:1", []string{"Cookie", forged("carla", "")}, false},
			"another user's code":                {"192.0.2.1:1", []string{"Cookie", "pharos-session=" + encode([]byte("Zoë")) + "." + rest}, false},
			"a later end":                        {"192.0.2.1:1", []string{"Cookie", "pharos-session=" + who + ".z" + rest}, false},
			"a password in a header":             {"192.0.2.1:1", []string{"Authorization", "Basic YW5uYTpvcGVuc2VzYW1l"}, false},
		} {
			for target, closed := range map[string]int{
				"/": 303, "/lobby": 303, "/w/berlin.shop.page": 303, "/logo/a": 401, "/api/v1/board": 401, "/api/v1/watchers/berlin.shop.page": 401, "/poll/json": 401, "/metrics": 401,
				"/nothing": 401, "/a/b": 401, "/events?set=": 401, "/api/v1/watchers/a": 401, "//api/v1/board": 401, "/api/v1/board/": 401,
			} {
				got := w.as(tt.from, target, tt.headers...)
				if refused := got.Code == closed; refused == tt.may {
					t.Errorf("%s: GET %s: %d %s", name, target, got.Code, got.Body)
				}
				for _, needle := range []string{"berlin", "shop", "lobby", "reason-1", "output-1"} {
					if !tt.may && strings.Contains(got.Body.String(), needle) {
						t.Errorf("%s: GET %s tells of %s: %s", name, target, needle, got.Body)
					}
				}
			}
			for target, code := range map[string]int{"/healthz": 200, "/readyz": 503, "/login": 200, "/forms.css": 200, "/assets/a/app.js": 200, "/assets/../api/v1/board": 404} {
				if got := w.as(tt.from, target, tt.headers...); got.Code != code {
					t.Errorf("%s: GET %s: %d, want %d", name, target, got.Code, code)
				}
			}
		}
		// Who has signed in sees everything, whatever detail says.
		all := w.surface(func(target string) string { return w.as("192.0.2.1:1", target, "Cookie", session).Body.String() })
		for _, word := range []string{"argument-1", "query-1", "query-3", "output-1"} {
			if !strings.Contains(all, word) {
				t.Errorf("who has signed in is not told of %s", word)
			}
		}
		settings.Access.SignedIn, settings.Access.Detail = false, None
		w.s.Apply(settings)
		if got := w.as("192.0.2.1:1", "/api/v1/board", "Cookie", session).Body.String(); !strings.Contains(got, "argument-1") {
			t.Errorf("who has signed in at an open board sees %s", got)
		}
		if got := w.get("/api/v1/board").Body.String(); strings.Contains(got, "argument-1") || !strings.Contains(got, "berlin") {
			t.Errorf("who has not sees %s", got)
		}
	})
}

func TestSigningIn(t *testing.T) {
	in(t, Options{}, func(w *world) {
		settings := closed(t)
		w.s.Apply(settings)
		if got := w.as("192.0.2.1:1", "/lobby?theme=light&set=a%20b").Header().Get("Location"); got != "./login?to=lobby%3Ftheme%3Dlight%26set%3Da%2520b" {
			t.Errorf("one is led to %s", got)
		}
		if got := w.as("192.0.2.1:1", "/w/a.b.c?theme=light").Header().Get("Location"); got != "../login?to=w%2Fa.b.c%3Ftheme%3Dlight" {
			t.Errorf("from one watcher's page one is led to %s", got)
		}
		page := w.as("192.0.2.1:1", `/login?to="><script>`)
		if h := page.Header(); !strings.Contains(h.Get("Content-Security-Policy"), "form-action 'self'") || h.Get("Referrer-Policy") != "same-origin" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("the page is sent with %v", h)
		}
		if got := page.Body.String(); strings.Contains(got, "<script") || !strings.Contains(got, "not encrypted") {
			t.Error(got)
		}
		for from, headers := range map[string][]string{"127.0.0.1:1": nil, "[::1]:1": nil, "10.0.0.1:1": {"X-Forwarded-Proto", "https", "X-Forwarded-For", "192.0.2.1"}} {
			if got := w.as(from, "/login", headers...).Body.String(); strings.Contains(got, "not encrypted") {
				t.Errorf("from %s nobody reads along", from)
			}
		}
		for to, want := range map[string]string{
			"": "./", "lobby": "./lobby", "w/a.b.c-d_e?theme=light": "./w/a.b.c-d_e?theme=light", "w//evil.example": "./", "w/../x/y": "./", "lobby?theme=light&set=a%20b": "./lobby?theme=light&set=a%20b", "screens": "./screens",
			"//evil.example": "./", "https://evil.example": "./", `\\evil.example`: "./", "a/b": "./", "../x": "./", "lobby?a\r\nSet-Cookie: a=b": "./", "?x": "./?x", "javascript:alert(1)": "./", strings.Repeat("a", 50): "./",
		} {
			got := w.form("192.0.2.1:1", "/login", url.Values{"name": {"anna"}, "password": {"opensesame"}, "to": {to}})
			if got.Code != http.StatusSeeOther || got.Header().Get("Location") != want {
				t.Errorf("to %q: %d %v", to, got.Code, got.Header())
			}
		}
		for secure, headers := range map[bool][]string{false: {"X-Forwarded-For", "192.0.2.1"}, true: {"X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "https"}} {
			c := w.form("10.0.0.1:1", "/login", url.Values{"name": {"Zoë"}, "password": {"ü"}}, headers...).Result().Cookies()[0]
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 30*24*3600 || c.Secure != secure {
				t.Errorf("%+v", c)
			}
		}
		for name, password := range map[string]string{"anna": "opensesam", "Anna": "opensesame", "": "", "carla": "opensesame", "Zoë": "opensesame", "empty": "opensesame", "anna\x00": "opensesame"} {
			got := w.form(fmt.Sprintf("198.51.100.%d:1", len(name)+len(password)), "/login", url.Values{"name": {name}, "password": {password}})
			if got.Code != http.StatusUnauthorized || len(got.Result().Cookies()) != 0 || !strings.Contains(got.Body.String(), "is wrong") {
				t.Errorf("%q with %q: %d %s", name, password, got.Code, got.Body)
			}
		}
		for name, headers := range map[string][]string{
			"another site's page": {"Sec-Fetch-Site", "cross-site"}, "a neighbour's page": {"Sec-Fetch-Site", "same-site"}, "an old browser": {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
		} {
			for _, target := range []string{"/login", "/logout"} {
				got := w.form("192.0.2.1:1", target, url.Values{"name": {"anna"}, "password": {"opensesame"}}, headers...)
				if got.Code != http.StatusForbidden || len(got.Result().Cookies()) != 0 {
					t.Errorf("%s posts to %s: %d %v", name, target, got.Code, got.Header())
				}
			}
		}
		if got := w.form("192.0.2.1:1", "/login", url.Values{"name": {strings.Repeat("a", 20_000)}}); got.Code != http.StatusBadRequest {
			t.Errorf("a form of 20 KB: %d", got.Code)
		}
		out := w.form("192.0.2.1:1", "/logout", nil, "Cookie", w.signIn("anna", "opensesame"))
		if c := out.Result().Cookies()[0]; out.Code != http.StatusSeeOther || c.MaxAge >= 0 || c.Value != "" {
			t.Errorf("signing out: %d %+v", out.Code, c)
		}
	})
}

// TestSessions end with their time and with the user's line, also those of open
// streams, and hold at every dashboard that has the line.
func TestSessions(t *testing.T) {
	in(t, Options{}, func(w *world) {
		settings := closed(t)
		w.s.Apply(settings)
		session := w.signIn("anna", "opensesame")
		watch := func() *screen {
			w.Helper()
			r := httptest.NewRequest(http.MethodGet, "/events", nil)
			r.Header.Set("Cookie", session)
			s, answer := w.send(r)
			if s == nil {
				w.Fatalf("%d %s", answer.Code, answer.Body)
			}
			return s
		}
		may := func() bool { return w.as("192.0.2.1:1", "/api/v1/board", "Cookie", session).Code == http.StatusOK }
		other, end := start(t, Options{})
		defer end()
		other.s.Apply(settings)
		if got := other.as("192.0.2.1:1", "/api/v1/board", "Cookie", session); got.Code != http.StatusOK {
			t.Errorf("at another dashboard: %d %s", got.Code, got.Body)
		}
		watch()
		unchanged := closed(t)
		unchanged.Access.Users = settings.Access.Users
		unchanged.Access.Detail = None
		w.s.Apply(unchanged)
		if n := w.s.streams.count(); n != 1 || !may() {
			t.Errorf("after a change of something else there are %d streams", n)
		}
		for name, change := range map[string]func(map[string]string){
			"another password": func(users map[string]string) { users["anna"] = hash(t, "opensesame") },
			"no user":          func(users map[string]string) { delete(users, "anna") },
		} {
			changed := closed(t)
			change(changed.Access.Users)
			w.s.Apply(changed)
			synctest.Wait()
			if n := w.s.streams.count(); n != 0 || may() {
				t.Errorf("%s: %d streams", name, n)
			}
			w.s.Apply(settings)
			if !may() {
				t.Errorf("%s, and back: the session is over", name)
			}
			watch()
		}
		session = "pharos-session=" + newSession(settings.Access.Users, "anna", time.Now().Add(time.Minute))
		s := watch()
		go func() { // reads until it ends
			for {
				if _, err := s.ReadString('\n'); err != nil {
					return
				}
			}
		}()
		time.Sleep(time.Minute - time.Second)
		if n := w.s.streams.count(); n != 1 || !may() {
			t.Errorf("before its end: %d streams", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := w.s.streams.count(); n != 0 || may() {
			t.Errorf("after its end: %d streams", n)
		}
	})
}

func TestGuessingIsSlowed(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.s.Apply(closed(t))
		try := func(from, password string) int {
			got := w.form(from, "/login", url.Values{"name": {"anna"}, "password": {password}})
			if late := got.Code == http.StatusTooManyRequests; late != (got.Header().Get("Retry-After") != "") || late && !strings.Contains(got.Body.String(), "Wait ") {
				t.Errorf("%d with %v: %s", got.Code, got.Header(), got.Body)
			}
			return got.Code
		}
		heard := 0
		for range 3600 {
			if try(fmt.Sprintf("[2001:db8::%d]:1", heard), "guess") == http.StatusUnauthorized {
				heard++
			}
			time.Sleep(time.Second)
		}
		if heard < 50 || heard > 70 {
			t.Errorf("%d guesses in an hour", heard)
		}
		for range 3 {
			if try("[2001:db8::1]:1", "opensesame") == http.StatusSeeOther {
				t.Error("who has to wait is heard")
			}
		}
		if got := try("[2001:db8:0:1::1]:1", "opensesame"); got != http.StatusSeeOther {
			t.Errorf("somebody else: %d", got)
		}
		time.Sleep(longestWait)
		if got := try("[2001:db8::1]:1", "opensesame"); got != http.StatusSeeOther {
			t.Errorf("who has waited: %d", got)
		}
		if got := try("[2001:db8::1]:1", "guess"); got != http.StatusUnauthorized {
			t.Errorf("after a success: %d", got)
		}
		for i := range maxTries + 100 {
			of := neighbourhood(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
			if w.s.tries.begin(of) != 0 {
				t.Fatalf("address %d has to wait", i)
			}
			w.s.tries.end(of, false)
		}
		w.s.tries.mu.Lock()
		defer w.s.tries.mu.Unlock()
		if n := len(w.s.tries.of); n > maxTries {
			t.Errorf("%d addresses are remembered", n)
		}
	})
}
