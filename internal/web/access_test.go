package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pharos/internal/pharos"
)

// needles puts a page and a command on the board, of which each text says what it
// is.
func (w *world) needles() {
	w.Helper()
	w.beat("berlin", "p1", 1)
	w.roster("berlin", "p1", pharos.RosterSet{Name: "shop", Watchers: []pharos.RosterWatcher{
		{Name: "page", Kind: "page", Target: "https://shop.example/path?query-1=2#query-1"},
		{Name: "command", Kind: "command", Command: true, Target: "/opt/check --argument-1 --argument-2"},
	}})
	time.Sleep(time.Second)
	for name, output := range map[string]string{"page": "GET /path?query-1=2", "command": "sh: '/opt/check --argument-1 --argument-2'"} {
		w.apply("pharos.result.berlin.p1.shop."+name, `{"status":"critical","value":2,"incarnation":1,"seq":1,"ttl":3600,"summary":"reason-1 of https://sso.example/in?query-2",
			"detail":"output-1: `+output+`","facts":[{"name":"final address","value":"https://fact.example/?query-3"}],"phases":[{"name":"phase-1","took":1}]}`)
	}
	time.Sleep(time.Second)
}

// surface is all that somebody is told who asks for everything.
func (w *world) surface(ask func(target string) string) string {
	var all strings.Builder
	for _, target := range []string{"/", "/lobby", "/api/v1/board", "/api/v1/watchers/berlin.shop.page", "/api/v1/watchers/berlin.shop.command", "/w/berlin.shop.page", "/poll/json", "/metrics", "/readyz"} {
		fmt.Fprintf(&all, "%s: %s\n", target, ask(target))
	}
	return all.String()
}

func TestDetail(t *testing.T) {
	words := strings.Fields("reason-1 output-1 phase-1 fact.example https://shop.example/path /opt/check argument-1 query-1 query-2 query-3")
	for detail, want := range map[Detail]string{
		None:     "",
		"":       "reason-1 output-1 phase-1 fact.example https://shop.example/path /opt/check",
		Redacted: "reason-1 output-1 phase-1 fact.example https://shop.example/path /opt/check",
		Full:     strings.Join(words, " "),
	} {
		t.Run(string(detail), func(t *testing.T) {
			in(t, Options{}, func(w *world) {
				w.s.Apply(Settings{Guard: testGuard, Access: Access{Detail: detail}, Views: views("lobby", "set=shop")})
				w.needles()
				all := w.surface(func(target string) string { return w.get(target).Body.String() })
				for _, query := range []string{"", "?set=shop"} {
					s := w.join(query)
					all += s.paragraph()
					for status := range map[string]bool{"warning": true, "critical": true} {
						w.apply("pharos.result.berlin.p1.shop.page", `{"status":"`+status+`","incarnation":1,"seq":9,"summary":"reason-1 of /?query-1"}`)
						time.Sleep(3 * time.Second)
						for e := ""; !strings.HasPrefix(e, "event: beat"); {
							e = s.paragraph()
							all += e
						}
					}
					s.Close()
				}
				var got []string
				for _, word := range words {
					if strings.Contains(all, word) {
						got = append(got, word)
					}
				}
				if strings.Join(got, " ") != want {
					t.Errorf("there are %q, wanted %q", got, want)
					t.Log(all)
				}
			})
		})
	}
}

// TestLessDetailReachesScreensAtOnce: those that are told reasons are ended, and
// come back as what they may see now.
func TestLessDetailReachesScreensAtOnce(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.needles()
		s := w.join("")
		if first := s.paragraph(); !strings.Contains(first, "reason-1") {
			t.Error(first)
		}
		w.s.Apply(Settings{Guard: testGuard, Access: Access{Detail: None}})
		synctest.Wait()
		if n := w.s.streams.count(); n != 0 {
			t.Errorf("%d streams go on", n)
		}
		bare := w.join("")
		if first := bare.paragraph(); strings.Contains(first, "reason-1") {
			t.Error(first)
		}
		w.s.Apply(Settings{Guard: testGuard, Access: Access{Detail: None}, Views: views("lobby", "set=shop")})
		w.apply("pharos.result.berlin.p1.shop.page", `{"status":"ok","incarnation":1,"seq":10}`)
		if e := bare.event(); e.name != "frame" || fmt.Sprint(e.U[0]["s"], "/", e.U[0]["m"]) != "ok/" {
			t.Errorf("%+v", e)
		}
	})
}

// TestTheBoardsOwnReasonsAreForEverybody: that a prober is cut off names the hop
// that is broken.
func TestTheBoardsOwnReasonsAreForEverybody(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.s.Apply(Settings{Guard: testGuard, Access: Access{Detail: None}})
		w.beat("berlin", "p1", 1)
		w.roster("berlin", "p1", pharos.RosterSet{Name: "shop", Watchers: []pharos.RosterWatcher{
			{Name: "a", Network: true}, {Name: "b", Network: true}, {Name: "c", Network: true}, {Name: "gateway", Network: true, Reference: true},
		}})
		time.Sleep(time.Second)
		for i, name := range []string{"a", "b", "c", "gateway"} {
			w.apply("pharos.result.berlin.p1.shop."+name, fmt.Sprintf(`{"status":"critical","incarnation":1,"seq":%d,"ttl":60,"summary":"reason-1"}`, i+1))
		}
		time.Sleep(time.Second)
		s := w.join("")
		first := s.paragraph()
		if !strings.Contains(first, "is cut off") || strings.Contains(first, "reason-1") {
			t.Error(first)
		}
	})
}

// views are some with an address of their own: names and queries.
func views(pairs ...string) map[string]url.Values {
	out := map[string]url.Values{"": {}}
	for pair := range slices.Chunk(pairs, 2) {
		out[pair[0]], _ = url.ParseQuery(pair[1])
	}
	return out
}
