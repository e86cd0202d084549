package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
)

const lobbyKey, yardKey = "0123456789abcdef", "fedcba9876543210"

// withScreens are settings of a board that screens with a key see.
func withScreens(t testing.TB) Settings {
	out := closed(t)
	out.Views["yard"] = out.Views["lobby"]
	out.Access.Screens = []Screen{{"lobby", lobbyKey}, {"yard", yardKey}}
	return out
}

// open returns the cookie of a screen, as a header.
func (w *world) open(target string) string {
	w.Helper()
	got := w.get(target)
	if got.Code != http.StatusSeeOther || len(got.Result().Cookies()) != 1 {
		w.Fatalf("GET %s: %d %s", target, got.Code, got.Body)
	}
	c := got.Result().Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge < 365*24*3600 || strings.Contains(c.Value, lobbyKey) {
		w.Errorf("%+v", c)
	}
	return c.Name + "=" + c.Value
}

func TestScreensAreOpenedOnce(t *testing.T) {
	in(t, Options{}, func(w *world) {
		settings := withScreens(t)
		w.s.Apply(settings)
		w.needles()
		for target, want := range map[string]string{
			"/lobby?key=" + lobbyKey:                            "./lobby",
			"/lobby?theme=light&key=" + lobbyKey + "&set=a%20b": "./lobby?set=a+b&theme=light",
			"/?key=" + yardKey:                                  "./yard",
			"/lobby?key=" + yardKey:                             "./lobby",
			"/w/berlin.shop.page?key=" + yardKey:                "../w/berlin.shop.page",
			"/lobby/?key=" + lobbyKey:                           "../lobby?key=" + lobbyKey,
		} {
			if got := w.get(target).Header().Get("Location"); got != want {
				t.Errorf("GET %s leads to %s, wanted %s", target, got, want)
			}
		}
		for _, target := range []string{"/lobby?key=", "/lobby?key=wrong", "/lobby?key=" + lobbyKey + "0", "/?key=" + lobbyKey[:15], "/lobby?Key=" + lobbyKey} {
			if got := w.get(target); len(got.Result().Cookies()) != 0 || got.Code < 300 || strings.Contains(got.Body.String(), "berlin") {
				t.Errorf("GET %s: %d %s", target, got.Code, got.Body)
			}
		}
		for _, target := range []string{"/api/v1/board?key=" + lobbyKey, "/events?key=" + lobbyKey, "/metrics?key=" + lobbyKey} { // where it would stay in the address
			if got := w.get(target); got.Code != http.StatusUnauthorized {
				t.Errorf("GET %s: %d", target, got.Code)
			}
		}
		lobby := w.open("/lobby?key=" + lobbyKey)
		all := w.surface(func(target string) string { return w.as("192.0.2.1:1", target, "Cookie", lobby).Body.String() })
		for word, there := range map[string]bool{"reason-1": true, "output-1": true, "argument-1": false, "query-1": false, "query-3": false, "sign in first": false} {
			if strings.Contains(all, word) != there {
				t.Errorf("a screen is told of %s: %v", word, !there)
			}
		}
		for header, code := range map[string]int{"Bearer " + lobbyKey: 200, "Bearer " + lobbyKey[1:]: 401, "Bearer ": 401, "Basic " + lobbyKey: 401, lobbyKey: 401} {
			if got := w.as("192.0.2.1:1", "/metrics", "Authorization", header); got.Code != code {
				t.Errorf("a program with %s: %d", header, got.Code)
			}
		}
		for _, cookie := range []string{"pharos-screen=lobby." + lobbyKey, "pharos-screen=lobby.", "pharos-screen=.", strings.Replace(lobby, "lobby", "yard", 1), "pharos-session=" + strings.TrimPrefix(lobby, "pharos-screen=")} {
			if got := w.as("192.0.2.1:1", "/api/v1/board", "Cookie", cookie); got.Code != http.StatusUnauthorized {
				t.Errorf("a screen with %s: %d", cookie, got.Code)
			}
		}
		settings.Access.SignedIn = false
		w.s.Apply(settings)
		if got := w.get("/lobby?key=wrong&theme=light"); got.Code != http.StatusSeeOther || got.Header().Get("Location") != "./lobby?theme=light" {
			t.Errorf("with a wrong key at an open board: %d %v", got.Code, got.Header())
		}
	})
}

func TestScreensAreShutOut(t *testing.T) {
	in(t, Options{}, func(w *world) {
		settings := withScreens(t)
		w.s.Apply(settings)
		cookies := []string{w.open("/lobby?key=" + lobbyKey), w.open("/yard?key=" + yardKey)}
		for _, cookie := range cookies {
			r := httptest.NewRequest(http.MethodGet, "/events", nil)
			r.Header.Set("Cookie", cookie)
			if s, answer := w.send(r); s == nil {
				t.Fatalf("%d %s", answer.Code, answer.Body)
			}
		}
		for name, change := range map[string][]Screen{
			"a line less": {{"yard", yardKey}}, "another key": {{"lobby", yardKey + "0"}, {"yard", yardKey}}, "another name": {{"lobby2", lobbyKey}, {"yard", yardKey}}, "no key": {{"lobby", ""}, {"yard", yardKey}},
		} {
			settings.Access.Screens = change
			w.s.Apply(settings)
			synctest.Wait()
			if n := w.s.streams.count(); n != 1 {
				t.Errorf("%s: %d streams", name, n)
			}
			for i, want := range []int{401, 200} {
				if got := w.as("192.0.2.1:1", "/api/v1/board", "Cookie", cookies[i]); got.Code != want {
					t.Errorf("%s: screen %d: %d", name, i, got.Code)
				}
			}
		}
		settings.Access.Screens = settings.Access.Screens[:0]
		w.s.Apply(settings)
		if got := w.get("/lobby?key=" + lobbyKey); got.Code != http.StatusForbidden || !strings.Contains(got.Body.String(), "its line in the file is gone") {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
}
