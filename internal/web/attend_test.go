package web

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pharos/internal/ui"
)

// table reads the page of all screens: the cells of each row, and the numbers.
func (w *world) table(cookie string) (rows []string, ids map[string]string) {
	w.Helper()
	got := w.as("192.0.2.1:1", "/screens", "Cookie", cookie)
	if got.Code != http.StatusOK || !strings.Contains(got.Header().Get("Content-Security-Policy"), "form-action 'self'") {
		w.Fatalf("GET /screens: %d %s", got.Code, got.Body)
	}
	ids = map[string]string{}
	for _, row := range regexp.MustCompile(`(?s)<tr( class="gone")?>\n(.*?)</tr>`).FindAllStringSubmatch(got.Body.String(), -1) {
		cells := regexp.MustCompile(`<td>(?:<bdi>)?(.*?)(?:</bdi>)?</td>`).FindAllStringSubmatch(row[2], 5)
		var texts []string
		for _, cell := range cells {
			texts = append(texts, html.UnescapeString(cell[1]))
		}
		rows = append(rows, strings.Join(texts, " | "))
		if id := regexp.MustCompile(`name="screen" value="(\d+)"`).FindStringSubmatch(row[2]); id != nil {
			ids[texts[0]+" "+texts[1]] = id[1]
		}
	}
	return rows, ids
}

// watching is a screen with a cookie; it is read for ever, and what it is told to
// do is kept.
func (w *world) watching(from, query, cookie string) *[]string {
	w.Helper()
	r := httptest.NewRequest(http.MethodGet, "/events"+query, nil)
	r.RemoteAddr = from
	r.Header.Set("Cookie", cookie)
	s, answer := w.send(r)
	if s == nil {
		w.Fatalf("%d %s", answer.Code, answer.Body)
	}
	told := &[]string{}
	go func() {
		name := ""
		for {
			line, err := s.ReadString('\n')
			if err != nil {
				return
			}
			if field, value, _ := strings.Cut(strings.TrimSpace(line), ": "); field == "event" {
				name = value
			} else if field == "data" && name == "screen" {
				*told = append(*told, value)
			}
		}
	}()
	return told
}

func TestScreensPage(t *testing.T) {
	in(t, Options{}, func(w *world) {
		settings := withScreens(t)
		w.s.Apply(settings)
		anna := w.signIn("anna", "opensesame")
		lobby := w.open("/lobby?key=" + lobbyKey)
		told := w.watching("192.0.2.7:1", "?shows=lobby&build="+ui.Build()+"-abc", lobby)
		w.watching("192.0.2.8:1", "?shows="+url.QueryEscape(`"><script>?a=b`)+"&build=old", anna)
		stuck := httptest.NewRequest(http.MethodGet, "/events", nil)
		stuck.Header.Set("Cookie", anna)
		stuck.RemoteAddr = "192.0.2.9:1"
		w.send(stuck)
		time.Sleep(8 * time.Second)
		rows, ids := w.table(anna)
		want := []string{
			`anna | 192.0.2.8 | /"><script>?a=b | another | now`,
			"anna | 192.0.2.9 | / |  | a moment ago",
			"lobby | 192.0.2.7 | /lobby | 1.0 | now",
			"yard |  |  |  | none since this dashboard started",
		}
		if fmt.Sprint(rows) != fmt.Sprint(want) {
			t.Errorf("got  %q\nwant %q", rows, want)
		}
		post := func(cookie string, fields ...string) *httptest.ResponseRecorder {
			form := url.Values{}
			for i := 0; i < len(fields); i += 2 {
				form.Set(fields[i], fields[i+1])
			}
			return w.form("192.0.2.1:1", "/screens", form, "Cookie", cookie)
		}
		id := ids["lobby 192.0.2.7"]
		for _, fields := range [][]string{{"screen", id, "do", "identify"}, {"screen", id, "do", "reload"}, {"screen", id, "do", "show", "view", "yard"}, {"screen", id, "do", "show", "view", ""}} {
			if got := post(anna, fields...); got.Code != http.StatusSeeOther || got.Header().Get("Location") != "./screens" {
				t.Errorf("%q: %d %s", fields, got.Code, got.Body)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := strings.Join(*told, " "); got != `{"identify":"lobby"} {"reload":true} {"show":"./yard"} {"show":"./"}` {
			t.Errorf("the screen was told %s", got)
		}
		for i := range maxOrders + 1 { // of one that takes nothing
			if got := post(anna, "screen", ids["anna 192.0.2.9"], "do", "reload"); (got.Code == http.StatusServiceUnavailable) != (i == maxOrders) {
				t.Errorf("order %d: %d %s", i, got.Code, got.Body)
			}
		}
		for _, tt := range []struct {
			cookie string
			code   int
			fields []string
		}{
			{anna, 400, []string{"screen", id, "do", "show", "view", "nothing"}},
			{anna, 400, []string{"screen", id, "do", "show", "view", "//evil.example"}},
			{anna, 400, []string{"screen", id, "do", "explode"}},
			{anna, 400, []string{"do", "reload"}},
			{anna, 404, []string{"screen", "99", "do", "reload"}},
			{lobby, 303, []string{"screen", id, "do", "reload"}}, // to where one signs in
			{"", 303, []string{"screen", id, "do", "reload"}},
		} {
			if got := post(tt.cookie, tt.fields...); got.Code != tt.code || got.Code == 303 && got.Header().Get("Location") != "./login?to=screens" {
				t.Errorf("%q: %d %v", tt.fields, got.Code, got.Header())
			}
		}
		if got := w.form("192.0.2.1:1", "/screens", url.Values{"screen": {id}, "do": {"reload"}}, "Cookie", anna, "Sec-Fetch-Site", "cross-site"); got.Code != http.StatusForbidden {
			t.Errorf("a form of another site: %d", got.Code)
		}
		settings.Access.SignedIn = false
		w.s.Apply(settings)
		for _, cookie := range []string{lobby, "a=b"} {
			if got := w.as("192.0.2.1:1", "/screens", "Cookie", cookie); got.Code != http.StatusSeeOther || strings.Contains(got.Body.String(), "192.0.2.7") {
				t.Errorf("the screens of an open board, with %s: %d", cookie, got.Code)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(*told) != 4 {
			t.Errorf("the screen was told %q", *told)
		}
	})
}

// TestAScreenThatHasGoneIsRemembered, with its last contact.
func TestAScreenThatHasGoneIsRemembered(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.s.Apply(withScreens(t))
		lobby := w.open("/lobby?key=" + lobbyKey)
		w.watching("192.0.2.7:1", "?shows=lobby", lobby)
		time.Sleep(10 * time.Second)
		w.s.streams.review(func(*stream) bool { return false })
		time.Sleep(2 * time.Minute)
		rows, ids := w.table(w.signIn("anna", "opensesame"))
		if rows[0] != "lobby | 192.0.2.7 | /lobby |  | 2 minutes ago" || len(ids) != 0 {
			t.Errorf("%q, %v", rows, ids)
		}
	})
}
