package web

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/pharos"
)

func TestPollIsTheOriginals(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.shop()
		w.wantJSON("/poll/json", `{"metric_watchers": [
			{"id": "home_page", "name": "Home page", "status_ok": false, "status_warning": false, "status_critical": true,
				"value": "1.8400", "detail": "\u003cb\u003e503\u003c/b\u003e\nSorry", "duration": "a moment"},
			{"id": "is_true", "name": "Is True?", "status_ok": true, "status_warning": false, "status_critical": false,
				"value": 0, "detail": null, "duration": "a moment"},
			{"id": "later", "name": "Later", "status_ok": false, "status_warning": true, "status_critical": false,
				"value": "unknown", "detail": null, "duration": "a moment"},
			{"id": "backup", "name": "Backup", "status_ok": false, "status_warning": false, "status_critical": true,
				"value": "42 files", "detail": null, "duration": "a moment"}]}`)
	})
}

func TestPollOfNothing(t *testing.T) {
	in(t, Options{}, func(w *world) { w.wantJSON("/poll/json", `{"metric_watchers": []}`) })
}

// polled returns what /poll/json says of the watchers, by name.
func (w *world) polled() map[string]pollWatcher {
	w.Helper()
	var answer struct {
		Watchers []pollWatcher `json:"metric_watchers"`
	}
	if err := json.Unmarshal(w.get("/poll/json").Body.Bytes(), &answer); err != nil {
		w.Fatal(err)
	}
	out := map[string]pollWatcher{}
	for _, p := range answer.Watchers {
		out[p.Name] = p
	}
	return out
}

func TestPollStatuses(t *testing.T) {
	for _, tt := range []struct{ result, want string }{
		{`{"status":"ok"}`, "ok"},
		{`{"status":"warning"}`, "warning"},
		{`{"status":"critical"}`, "critical"},
		{`{"status":"unknown"}`, "warning"},
		{`{"status":"waiting"}`, "warning"},
		{`{"status":"ok","ttl":1}`, "critical"},      // stale
		{`{"status":"waiting","ttl":1}`, "critical"}, // stale
	} {
		in(t, Options{}, func(w *world) {
			w.apply("pharos.push.a.b.c", tt.result)
			time.Sleep(2 * time.Second)
			got := w.polled()["c"]
			value := any("unknown")
			if strings.Contains(tt.result, `"ok"`) {
				value = nil
			}
			want := pollWatcher{ID: "c", Name: "c", Value: value, Duration: "a moment", StatusOK: tt.want == "ok", StatusWarning: tt.want == "warning", StatusCritical: tt.want == "critical"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: want -, got +\n%s", tt.result, diff)
			}
		})
	}
}

func TestPollDurations(t *testing.T) {
	in(t, Options{}, func(w *world) {
		for name, data := range map[string]string{
			"minutes": `{"status":"critical","for":298,"ttl":3600}`,
			"hour":    `{"status":"ok","for":3598,"ttl":3600}`,
			"days":    `{"status":"ok","for":864000,"ttl":3600}`,
			"stale":   `{"status":"ok","for":864000,"ttl":1}`,
		} {
			w.apply("pharos.push.a.b."+name, data)
		}
		time.Sleep(2 * time.Second)
		for name, want := range map[string]string{"minutes": "5 minutes", "hour": "1 hour", "days": "10 days", "stale": "a moment"} {
			if got := w.polled()[name].Duration; got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		time.Sleep(2 * time.Minute) // since it was heard of, not since it turned ok
		if got := w.polled()["stale"].Duration; got != "2 minutes" {
			t.Errorf("stale: %q", got)
		}
	})
}

func TestPollValues(t *testing.T) {
	in(t, Options{}, func(w *world) {
		set := pharos.RosterSet{Name: "s"}
		for name, kind := range map[string]string{"page": "page", "failed": "page", "waits": "page", "number": "command", "text": "command", "none": "command"} {
			set.Watchers = append(set.Watchers, pharos.RosterWatcher{Name: name, Kind: kind})
		}
		w.beat("a", "p", 1)
		w.roster("a", "p", set)
		w.apply("pharos.result.a.p.s.page", `{"incarnation":1,"seq":101,"status":"ok","value":0.01234567,"unit":"s"}`)
		w.apply("pharos.result.a.p.s.failed", `{"incarnation":1,"seq":102,"status":"critical"}`)
		w.apply("pharos.result.a.p.s.number", `{"incarnation":1,"seq":103,"status":"ok","value":1.5,"unit":"%"}`)
		w.apply("pharos.result.a.p.s.text", `{"incarnation":1,"seq":104,"status":"ok","text":"leader"}`)
		w.apply("pharos.result.a.p.s.none", `{"incarnation":1,"seq":105,"status":"ok"}`)
		time.Sleep(time.Second)
		for name, want := range map[string]any{"page": "0.0123", "failed": "unknown", "waits": "unknown", "number": 1.5, "text": "leader", "none": nil} {
			if got := w.polled()[name].Value; got != want {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	})
}

func TestPollIDsAreUnique(t *testing.T) {
	in(t, Options{}, func(w *world) {
		for _, m := range []struct{ set, name string }{
			{"a.s1", "Home page"}, {"a.s2", "Home page"}, {"b.s1", "Home page"}, {"a.s1", "home_PAGE"},
			{"a.s1", "日本"}, {"a.s1", "?"}, {"a.s1", "Tab and   spaces"}, {"a.s1", "größe 1"}, {"a.s1", "a_home_page"},
		} {
			w.apply("pharos.push."+m.set+"."+pharos.Token(m.name), `{"status":"ok","name":"`+m.name+`"}`)
		}
		time.Sleep(time.Second)
		var answer struct {
			Watchers []struct{ ID string } `json:"metric_watchers"`
		}
		if err := json.Unmarshal(w.get("/poll/json").Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range answer.Watchers {
			got = append(got, p.ID)
		}
		want := strings.Fields("a_home_page gre_1 home_page b_home_page s1_a_home_page tab_and___spaces watcher a_watcher s2_a_home_page")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error("want -, got +\n" + diff)
		}
	})
}
