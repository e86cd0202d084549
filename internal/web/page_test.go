package web

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pharos/internal/pharos"
)

func (w *world) views(views map[string]url.Values) {
	w.s.Apply(Settings{Views: views, Guard: testGuard})
}

func TestViewsHaveAddresses(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.wantCode("/lobby", http.StatusNotFound)
		w.views(map[string]url.Values{"": {"merge": {"worst"}}, "lobby": {"set": {"Shop"}}})
		page := w.wantCode("/lobby", http.StatusOK)
		if h := page.Header(); h.Get("Cache-Control") != "no-store" || h.Get("Content-Security-Policy") != testPolicy {
			t.Errorf("headers: %v", h)
		}
		w.wantCode("/lobby?theme=light", http.StatusOK)
		w.wantCode("/lobby?set=%zz", http.StatusBadRequest)
		for target, want := range map[string]string{"/lobby/": "../lobby", "/lobby/?theme=light&set=A%20b": "../lobby?theme=light&set=A%20b"} {
			if got := w.wantCode(target, http.StatusPermanentRedirect).Header().Get("Location"); got != want {
				t.Errorf("GET %s leads to %q, want %q", target, got, want)
			}
		}
		for target, want := range map[string]string{
			"/Lobby": "no view \"Lobby\": there is lobby\n", "/loby/": "no view \"loby\": there is lobby\n", "/a/b": "Not Found\n", "//lobby": "Not Found\n",
		} {
			if got := w.wantCode(target, http.StatusNotFound).Body.String(); got != want {
				t.Errorf("GET %s: got %q, want %q", target, got, want)
			}
		}
		w.wantCode("/healthz", http.StatusOK)
		post := httptest.NewRecorder()
		w.s.ServeHTTP(post, httptest.NewRequest(http.MethodPost, "/lobby", nil))
		if post.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST /lobby: %d", post.Code)
		}
		w.views(nil)
		w.wantCode("/lobby", http.StatusNotFound)
		w.wantCode("/", http.StatusOK)
	})
}

func TestLogosAreServedByWhatIsInThem(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.s.Apply(Settings{Views: map[string]url.Values{"lobby": {"logo": {"abc"}}}, Logos: map[string]Logo{"abc": {"image/png", []byte("picture")}}, Guard: testGuard})
		logo := w.wantCode("/logo/abc", http.StatusOK)
		if h := logo.Header(); logo.Body.String() != "picture" || h.Get("Content-Type") != "image/png" || h.Get("Content-Security-Policy") != testPolicy {
			t.Errorf("a logo: got %q, %v", logo.Body, h)
		}
		w.wantCode("/logo/abd", http.StatusNotFound)
		if _, asked, _ := w.carried("/lobby?logo=abd"); asked != "logo=abc" {
			t.Errorf("what a page with a logo is asked for: got %q, wanted the view's", asked)
		}
		if _, asked, _ := w.carried("/?logo=abc"); asked != "" {
			t.Errorf("what a page is asked for: got %q, wanted no logo by its address", asked)
		}
	})
}

func TestPageOfOneWatcher(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.shop()
		id := "berlin--3lirjnxn.shop--2afk4237.is-true--m56aofds"
		names, asked, page := w.carried("/w/" + id + "?theme=light")
		if want := "set=Shop&site=Berlin&theme=light"; asked != want || strings.Join(names, ",") != "Home page,Is True?,Later" {
			t.Errorf("got the tiles %q, and asked for %q, wanted those of its set and %q", names, asked, want)
		}
		for _, want := range []string{`name="pharos-watcher" content="` + id + `"`, `src="../assets/`, `name="pharos-root" content="../"`} {
			if !strings.Contains(page, want) {
				t.Errorf("wanted %s in\n%s", want, page)
			}
		}
		if names, asked, _ := w.carried("/w/no.such.one"); len(names) < 4 || asked != "" {
			t.Errorf("of a watcher that is not there: got the tiles %q, and asked for %q, wanted all", names, asked)
		}
		w.wantCode("/w/a?set=%zz", http.StatusBadRequest)
		w.wantCode("/w/", http.StatusNotFound)
	})
}

// The file may give a view any name but these: internal/config keeps the same
// list.
func TestAddressesThatNoViewCanHave(t *testing.T) {
	in(t, Options{Sample: Sample()}, func(w *world) {
		var got []string
		for _, r := range w.s.echo.Routes() {
			if first, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/"); first != "" {
				got = append(got, first)
			}
		}
		slices.Sort(got)
		got = slices.DeleteFunc(got, func(name string) bool { return strings.Contains(name, ".") }) // which no name of a view does
		want := []string{"api", "assets", "events", "healthz", "login", "logo", "logout", "metrics", "poll", "readyz", "sample", "screens", "w"}
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("got %q, wanted %q", got, want)
		}
	})
}

// carried reads the state that a page carries, and what its address asks for.
func (w *world) carried(target string) (names []string, asked, page string) {
	w.Helper()
	page = w.wantCode(target, http.StatusOK).Body.String()
	m := regexp.MustCompile(`(?s)name="pharos-view" content="([^"]*)".*<script type="application/json" id="state" data-now="([0-9.]+)">(.*)</script>`).FindStringSubmatch(page)
	if m == nil {
		w.Fatalf("GET %s: no state in\n%s", target, page)
	}
	var state struct {
		T     float64
		Tiles []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(m[3]), &state); err != nil {
		w.Fatalf("GET %s: reading %q: %v", target, m[3], err)
	}
	if now, err := strconv.ParseFloat(m[2], 64); err != nil || now < state.T {
		w.Errorf("GET %s: now is %s, before %v of the state (%v)", target, m[2], state.T, err)
	}
	for _, tile := range state.Tiles {
		names = append(names, tile.Name)
	}
	return names, html.UnescapeString(m[1]), page
}

func TestPageCarriesWhatItsAddressAsksFor(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.shop()
		w.views(map[string]url.Values{"": {"merge": {"worst"}}, "lobby": {"set": {"Shop"}, "theme": {"light"}}, "full": {"set": make([]string, 33)}})
		for _, tt := range []struct{ target, tiles, asked string }{
			{"/", "Home page,Is True?,Later,Backup", "merge=worst"},
			{"/?set=jobs", "Backup", "merge=worst&set=jobs"},
			{"/?site=ci&merge=none", "Backup", "merge=none&site=ci"},
			{"/?set=Nowhere", "", "merge=worst&set=Nowhere"},
			{"/lobby", "Home page,Is True?,Later", "set=Shop&theme=light"},
			{"/lobby?set=jobs", "Backup", "set=jobs&theme=light"},
		} {
			names, asked, page := w.carried(tt.target)
			if got := strings.Join(names, ","); got != tt.tiles || asked != tt.asked {
				t.Errorf("GET %s: got %q for %q, wanted %q for %q", tt.target, got, asked, tt.tiles, tt.asked)
			}
			if strings.Contains(page, "{{") {
				t.Errorf("GET %s: something was not filled in: %s", tt.target, page)
			}
		}
		w.wantCode("/?set=", http.StatusBadRequest)
		w.wantCode("/full", http.StatusBadRequest)
	})
}

func TestPageOfABoardThatHasEnded(t *testing.T) {
	w, end := start(t, Options{})
	end()
	page := w.wantCode("/", http.StatusOK).Body.String()
	if !strings.Contains(page, `></script>`) {
		t.Errorf("got %s", page)
	}
}

// shelf is a board of n watchers of a usual kind.
func (w *world) shelf(n int) {
	set := pharos.RosterSet{Name: "Shop"}
	for i := range n {
		set.Watchers = append(set.Watchers, pharos.RosterWatcher{Name: fmt.Sprint("Page ", i), Kind: "page", Interval: pharos.Seconds(2 * time.Second)})
	}
	w.roster("berlin", "p1", set)
	w.beat("berlin", "p1", 1)
	time.Sleep(3 * time.Second)
}

// TestPageIsSmall counts the bytes of the bodies and heads that a browser gets
// before it shows a board.
func TestPageIsSmall(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.shelf(18)
		sent := 0
		ask := func(target string) string {
			r := httptest.NewRequest(http.MethodGet, target, nil)
			r.Header.Set("Accept-Encoding", "gzip, deflate, br")
			got := httptest.NewRecorder()
			w.s.ServeHTTP(got, r)
			var head bytes.Buffer
			_ = got.Header().Write(&head) // a buffer takes all
			sent += head.Len() + got.Body.Len()
			if got.Code != http.StatusOK || got.Header().Get("Content-Encoding") != "gzip" || got.Header().Get("Vary") != "Accept-Encoding" {
				t.Fatalf("GET %s: %d, %v", target, got.Code, got.Header())
			}
			unpacked, err := gzip.NewReader(got.Body)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(unpacked)
			if err != nil {
				t.Fatal(err)
			}
			if raw := w.get(target); raw.Header().Get("Content-Encoding") != "" || raw.Header().Get("Vary") != "Accept-Encoding" || raw.Body.String() != string(body) {
				t.Errorf("GET %s without Accept-Encoding: %v, another body", target, raw.Header())
			}
			return string(body)
		}
		page := ask("/")
		assets := regexp.MustCompile(`(?:src|href)="(assets/[^"]*)"`).FindAllStringSubmatch(page, -1)
		seen := map[string]bool{}
		for _, a := range assets {
			if !seen[a[1]] {
				seen[a[1]] = true
				ask("/" + a[1])
			}
		}
		t.Logf("%d bytes for the page and %d assets", sent, len(seen))
		if len(seen) < 3 || sent > 45_000 {
			t.Errorf("a board of 18 watchers: got %d bytes for the page and %d assets, wanted 45,000 at most", sent, len(seen))
		}
	})
}

func TestGzipIsSentToWhoTakesIt(t *testing.T) {
	for accept, want := range map[string]bool{
		"gzip": true, "br, GZIP;q=0.5": true, "deflate,gzip; q=1": true, "*": true, "*;q=0, gzip": true, "gzip;q=0.001": true,
		"": false, "identity": false, "gzip;q=0": false, "gzip; q=0.0, *": false, "*;q=0": false, "x-gzip": false, "gzip;q=x": false, "br": false,
	} {
		if got := takesGzip([]string{accept}); got != want {
			t.Errorf("Accept-Encoding: %s: got %v", accept, got)
		}
	}
}
