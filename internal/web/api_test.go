package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pharos/internal/board"
	"pharos/internal/pharos"
)

// shop is a prober that announces three watchers and has looked at two, and a
// sender without a roster. Two seconds later the page's result is two seconds
// old, the job's deadline is over.
func (w *world) shop() {
	w.Helper()
	w.b.SetLink(board.Link{Up: true, Store: true})
	w.b.SetNotice(`pharos.yaml: line 14: unknown key "thresold"`)
	w.beat("Berlin", "p1", 1)
	w.roster("Berlin", "p1", pharos.RosterSet{Name: "Shop", Watchers: []pharos.RosterWatcher{
		{Name: "Home page", Kind: "page", Target: "https://shop.example/", Interval: pharos.Seconds(2 * time.Second), Description: "The shop", Link: "https://wiki.example/"},
		{Name: "Is True?", Kind: "command", Target: "true", Interval: pharos.Seconds(60 * time.Second)},
		{Name: "Later", Kind: "command", Command: true, Target: "sleep 60", Interval: pharos.Seconds(60 * time.Second)},
	}})
	home := pharos.ResultSubject("p1", pharos.MakeID(pharos.Token("Berlin"), pharos.Token("Shop"), pharos.Token("Home page")))
	w.apply(home, `{"status":"critical","value":1.84,"unit":"s","summary":"status 503, wanted 2xx","detail":"<b>503</b>\nSorry",
		"facts":[{"name":"status","value":"503"},{"name":"certificate","value":"71 days"}],"phases":[{"name":"lookup","took":0.001},{"name":"first_byte","took":1.8}],"for":12.1,
		"flickers":[{"status":"warning","lasted":3.1,"ago":61}],"running":true,"ttl":6,"prober":"p1","incarnation":1,"seq":5,"lag":0.0001,"missed":3,
		"at":"2026-01-02T16:04:05.123+01:00"}`)
	w.apply(pharos.ResultSubject("p1", pharos.MakeID(pharos.Token("Berlin"), pharos.Token("Shop"), pharos.Token("Is True?"))), `{"status":"ok","value":0,"ttl":180,"prober":"p1","incarnation":1,"seq":6}`)
	w.apply("pharos.push.ci.jobs.backup", `{"status":"ok","text":"42 files","ttl":1,"set":"Jobs","name":"Backup","site":"CI"}`)
	time.Sleep(2 * time.Second)
}

func TestAPIBoard(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.shop()
		w.wantJSON("/api/v1/board", `{
			"title": "Pharos", "tagline": "Watching", "version": "1.0",
			"counts": {"critical": 1, "ok": 1, "stale": 1, "unknown": 0, "waiting": 1, "warning": 0},
			"nats": {"up": true, "store": true, "error": ""},
			"probers": [{"id": "berlin--3lirjnxn/p1", "site": "Berlin", "name": "p1", "version": "0.9", "up": true, "left": false, "silent": 2,
				"watchers": 2, "missed": 3, "lag": 0.002, "offset": 0}],
			"notices": ["pharos.yaml: line 14: unknown key \"thresold\""],
			"sets": [
				{"name": "Shop", "watchers": [
					{"id": "berlin--3lirjnxn.shop--2afk4237.home-page--chkywcg6", "site": "Berlin", "set": "Shop", "name": "Home page", "kind": "page",
						"target": "https://shop.example/", "interval": 2, "status": "critical", "stale": false, "value": 1.84, "unit": "s", "display": "1.84 s",
						"summary": "status 503, wanted 2xx", "for": 14.1, "age": 2, "running": true, "prober": "p1",
						"flickers": [{"status": "warning", "lasted": 3.1, "ago": 63}]},
					{"id": "berlin--3lirjnxn.shop--2afk4237.is-true--m56aofds", "site": "Berlin", "set": "Shop", "name": "Is True?", "kind": "command",
						"target": "true", "interval": 60, "status": "ok", "stale": false, "value": 0, "display": "0",
						"summary": "", "for": 2, "age": 2, "running": false, "prober": "p1", "flickers": []},
					{"id": "berlin--3lirjnxn.shop--2afk4237.later--oo3ojcq3", "site": "Berlin", "set": "Shop", "name": "Later", "kind": "command",
						"target": "sleep", "interval": 60, "status": "waiting", "stale": false, "display": "",
						"summary": "", "for": 2, "age": 2, "running": false, "flickers": []}]},
				{"name": "Jobs", "watchers": [
					{"id": "ci.jobs.backup", "site": "CI", "set": "Jobs", "name": "Backup", "status": "stale", "stale": true, "text": "42 files", "display": "42 files",
						"summary": "", "for": 2, "age": 2, "running": false, "flickers": []}]}],
			"screens": 0, "ok": false}`)
	})
}

func TestAPIBoardOfNothing(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.wantJSON("/api/v1/board", `{"title": "Pharos", "tagline": "Watching", "version": "1.0",
			"counts": {"critical": 0, "ok": 0, "stale": 0, "unknown": 0, "waiting": 0, "warning": 0},
			"nats": {"up": false, "store": false, "error": ""}, "probers": [], "notices": [], "sets": [], "screens": 0, "ok": false}`)
	})
}

func TestAPIBoardIsOKOnlyWhenAllIs(t *testing.T) {
	for _, tt := range []struct {
		second string
		want   bool
	}{
		{`{"status":"ok","ttl":60}`, true},
		{`{"status":"ok","ttl":1}`, false}, // stale
		{`{"status":"waiting"}`, false},
		{`{"status":"unknown"}`, false},
		{`{"status":"warning"}`, false},
		{`{"status":"critical"}`, false},
	} {
		in(t, Options{}, func(w *world) {
			w.apply("pharos.push.a.b.c", `{"status":"ok"}`)
			w.apply("pharos.push.a.b.d", tt.second)
			time.Sleep(2 * time.Second)
			if got := w.get("/api/v1/board").Body.String(); !strings.HasSuffix(got, fmt.Sprintf("\"screens\":0,\"ok\":%v}\n", tt.want)) {
				t.Errorf("beside %s: %s", tt.second, got)
			}
		})
	}
}

func TestAPIWatcher(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.shop()
		w.wantJSON("/api/v1/watchers/berlin--3lirjnxn.shop--2afk4237.home-page--chkywcg6", `{
			"id": "berlin--3lirjnxn.shop--2afk4237.home-page--chkywcg6", "site": "Berlin", "set": "Shop", "name": "Home page", "kind": "page",
			"target": "https://shop.example/", "description": "The shop", "link": "https://wiki.example/",
			"interval": 2, "status": "critical", "stale": false, "value": 1.84, "unit": "s", "display": "1.84 s",
			"summary": "status 503, wanted 2xx", "for": 14.1, "age": 2, "running": true, "prober": "p1", "detail": "\u003cb\u003e503\u003c/b\u003e\nSorry",
			"facts": [{"name": "status", "value": "503"}, {"name": "certificate", "value": "71 days"}], "phases": [{"name": "lookup", "took": 0.001}, {"name": "first_byte", "took": 1.8}],
			"flickers": [{"status": "warning", "lasted": 3.1, "ago": 63}], "ttl": 6, "lag": 0.0001, "missed": 3, "at": "2026-01-02T15:04:05.123Z"}`)
		w.wantJSON("/api/v1/watchers/ci.jobs.backup", `{
			"id": "ci.jobs.backup", "site": "CI", "set": "Jobs", "name": "Backup", "status": "stale", "stale": true, "text": "42 files", "display": "42 files",
			"summary": "", "for": 2, "age": 2, "running": false, "detail": "", "flickers": [], "ttl": 1}`)
		w.wantJSON("/api/v1/watchers/berlin--3lirjnxn.shop--2afk4237.later--oo3ojcq3", `{
			"id": "berlin--3lirjnxn.shop--2afk4237.later--oo3ojcq3", "site": "Berlin", "set": "Shop", "name": "Later", "kind": "command",
			"target": "sleep", "interval": 60, "status": "waiting", "stale": false, "display": "",
			"summary": "", "for": 2, "age": 2, "running": false, "detail": "", "flickers": []}`)
	})
}

func TestASilentProberMakesItsWatchersStale(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.shop()
		time.Sleep(3 * time.Second)
		body := w.get("/api/v1/board").Body.String()
		if want := `"counts":{"critical":0,"ok":0,"stale":4,"unknown":0,"waiting":0,"warning":0}`; !strings.Contains(body, want) {
			t.Errorf("want %s in %s", want, body)
		}
	})
}

func TestStaleIsNeverOKInMetrics(t *testing.T) {
	in(t, Options{}, func(w *world) {
		isTrue := string(pharos.MakeID(pharos.Token("Berlin"), pharos.Token("Shop"), pharos.Token("Is True?")))
		w.shop()
		got := w.wantCode("/metrics", http.StatusOK)
		if kind := got.Header().Get("Content-Type"); !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
			t.Errorf("Content-Type: %s", kind)
		}
		metrics := got.Body.String()
		for _, want := range []string{
			`pharos_info{version="1.0"} 1`,
			`pharos_nats_up 1`,
			`pharos_watchers{status="ok"} 1`,
			`pharos_watchers{status="critical"} 1`,
			`pharos_watchers{status="stale"} 1`,
			`pharos_watchers{status="waiting"} 1`,
			`pharos_watchers{status="warning"} 0`,
			`pharos_watchers{status="unknown"} 0`,
			`pharos_watcher_ok{id="` + isTrue + `",name="Is True?",set="Shop",site="Berlin"} 1`,
			`pharos_watcher_status{id="` + isTrue + `",name="Is True?",set="Shop",site="Berlin"} 0`,
			`pharos_watcher_status{id="berlin--3lirjnxn.shop--2afk4237.home-page--chkywcg6",name="Home page",set="Shop",site="Berlin"} 2`,
			`pharos_watcher_status{id="ci.jobs.backup",name="Backup",set="Jobs",site="CI"} 5`,
			`pharos_watcher_ok{id="berlin--3lirjnxn.shop--2afk4237.home-page--chkywcg6",name="Home page",set="Shop",site="Berlin"} 0`,
			`pharos_watcher_ok{id="berlin--3lirjnxn.shop--2afk4237.later--oo3ojcq3",name="Later",set="Shop",site="Berlin"} 0`,
			`pharos_watcher_ok{id="ci.jobs.backup",name="Backup",set="Jobs",site="CI"} 0`,
			`pharos_watcher_value{id="berlin--3lirjnxn.shop--2afk4237.home-page--chkywcg6",name="Home page",set="Shop",site="Berlin",unit="s"} 1.84`,
			`pharos_watcher_value{id="` + isTrue + `",name="Is True?",set="Shop",site="Berlin",unit=""} 0`,
			`pharos_prober_up{id="berlin--3lirjnxn/p1",prober="p1",site="Berlin"} 1`,
			`pharos_prober_missed_ticks_total{id="berlin--3lirjnxn/p1",prober="p1",site="Berlin"} 3`,
			`pharos_screens 0`,
			`pharos_screens_refused_total 0`,
			`pharos_screens_cut_total 0`,
		} {
			if !strings.Contains(metrics, "\n"+want+"\n") {
				t.Errorf("not there: %s", want)
			}
		}
		time.Sleep(3 * time.Second) // the prober is silent
		metrics = w.get("/metrics").Body.String()
		for _, never := range []string{`pharos_watchers{status="ok"} 1`, `name="Is True?",set="Shop",site="Berlin"} 1`, `pharos_watcher_value{`, `pharos_prober_up{id="berlin--3lirjnxn/p1",prober="p1",site="Berlin"} 1`} {
			if strings.Contains(metrics, never) {
				t.Errorf("the prober is silent, and still there is %s", never)
			}
		}
		if want := "\npharos_watchers{status=\"stale\"} 4\n"; !strings.Contains(metrics, want) {
			t.Errorf("not there: %s", want)
		}
	})
}

func TestMetricsSurviveBadInput(t *testing.T) {
	in(t, Options{}, func(w *world) {
		// Two senders with the same human names, and one with markup in its own.
		w.apply("pharos.push.a.b.same", `{"status":"ok","name":"Same"}`)
		w.apply("pharos.push.a.b."+pharos.Token("Same"), `{"status":"critical","name":"Same"}`)
		w.apply("pharos.push.a.b.evil-1", `{"status":"ok","name":"\"}\n evil 1"}`)
		w.apply("pharos.push.a.b.*", `{"status":"ok"}`)
		w.apply("pharos.push.a.b.f", `{"status":"fine"}`)
		time.Sleep(time.Second)
		metrics := w.wantCode("/metrics", http.StatusOK).Body.String()
		for _, want := range []string{
			`pharos_messages_dropped_total{reason="subject"} 1`,
			`pharos_messages_dropped_total{reason="not_json"} 1`,
			`pharos_watchers{status="ok"} 2`,
			`pharos_watchers{status="critical"} 1`,
			`pharos_watcher_ok{id="a.b.evil-1",name="\"}  evil 1",set="b",site="a"} 1`,
			`pharos_watcher_ok{id="a.b.same",name="Same",set="b",site="a"} 1`,
			`pharos_watcher_ok{id="a.b.` + pharos.Token("Same") + `",name="Same",set="b",site="a"} 0`,
		} {
			if !strings.Contains(metrics, "\n"+want+"\n") {
				t.Errorf("not there: %s", want)
			}
		}
	})
}
