package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/pharos"
)

const jobsToken, osloToken = "0123456789abcdef", "fedcba9876543210"

// published is what was pushed last.
type published struct {
	subject, data string
	err           error
}

// pushing plays with a board to which jobs are pushed.
func pushing(t *testing.T, play func(w *world, p *published)) {
	p := &published{}
	push := func(_ context.Context, subject string, data []byte) error {
		if p.err == nil {
			p.subject, p.data = subject, string(data)
		}
		return p.err
	}
	in(t, Options{Push: push}, func(w *world) {
		settings := closed(t)
		settings.Push = Push{Site: "Hall 7", Tokens: []PushToken{{"", []string{"ci.*.*"}}, {jobsToken, []string{"ci.jobs.*", "hall-7--2rzplum4.jobs.backup"}}, {osloToken, []string{"oslo.*.backup"}}}}
		w.s.Apply(settings)
		play(w, p)
	})
}

func (w *world) push(target, token, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl does
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	out := httptest.NewRecorder()
	w.s.ServeHTTP(out, r)
	return out
}

func TestPush(t *testing.T) {
	pushing(t, func(w *world, p *published) {
		if got := pharos.Token("Hall 7"); got != "hall-7--2rzplum4" {
			t.Fatal(got)
		}
		backup := string(pharos.MakeID("hall-7--2rzplum4", "jobs", "backup"))
		for name, tt := range map[string]struct {
			target, token, body string
			headers             []string
			code                int
			id, want            string // what is published, or the error
		}{
			"ok":                   {"/api/v1/push/jobs/backup", jobsToken, "status=ok", nil, 204, backup, `{"status":"ok","for":0,"name":"backup","set":"jobs","site":"Hall 7"}`},
			"all":                  {"/api/v1/push/jobs/backup?site=ci", jobsToken, "status=critical&value=1.5&unit=GB&summary=disk+full&detail=a%0Ab&ttl=25h", nil, 204, "ci.jobs.backup", `{"status":"critical","value":1.5,"unit":"GB","summary":"disk full","detail":"a\nb","for":0,"ttl":90000,"name":"backup","set":"jobs","site":"ci"}`},
			"the site in the form": {"/api/v1/push/any/backup", osloToken, "status=warning&site=oslo&text=42 files&ttl=60", nil, 204, "oslo.any.backup", `{"status":"warning","text":"42 files","for":0,"ttl":60,"name":"backup","set":"any","site":"oslo"}`},
			"human names":          {"/api/v1/push/jobs/Backup%20of%20a%2Fb?site=ci", jobsToken, "status=ok", nil, 204, "ci.jobs." + pharos.Token("Backup of a/b"), `{"status":"ok","for":0,"name":"Backup of a/b","set":"jobs","site":"ci"}`},
			"JSON":                 {"/api/v1/push/jobs/x", jobsToken, `{"status":"ok","site":"ci","facts":[{"name":"a","value":"b"}],"seq":99,"incarnation":5,"running":true,"missed":7,"name":"y","unknown":1}`, []string{"Content-Type", "application/json; charset=utf-8"}, 204, "ci.jobs.x", `{"status":"ok","facts":[{"name":"a","value":"b"}],"for":0,"name":"x","set":"jobs","site":"ci"}`},
			"no token":             {"/api/v1/push/jobs/backup", "", "status=ok", nil, 401, "", "Authorization: Bearer"},
			"an empty one":         {"/api/v1/push/jobs/backup?site=ci", "", "status=ok", []string{"Authorization", "Bearer "}, 401, "", "no such token"},
			"another":              {"/api/v1/push/jobs/backup", jobsToken + "0", "status=ok", nil, 401, "", "no such token"},
			"basic":                {"/api/v1/push/jobs/backup", "", "status=ok", []string{"Authorization", "Basic " + jobsToken}, 401, "", "Authorization: Bearer"},
			"a screen's key":       {"/api/v1/push/jobs/backup", lobbyKey[1:] + "x", "status=ok", nil, 401, "", "no such token"},
			"another watcher":      {"/api/v1/push/jobs/other", jobsToken, "status=ok", nil, 403, "", "pushes ci.jobs.*, hall-7--2rzplum4.jobs.backup, and not hall-7--2rzplum4.jobs.other"},
			"another set":          {"/api/v1/push/tasks/backup?site=ci", jobsToken, "status=ok", nil, 403, "", "and not ci.tasks.backup"},
			"another site":         {"/api/v1/push/jobs/backup?site=oslo", jobsToken, "status=ok", nil, 403, "", "and not oslo.jobs.backup"},
			"a wildcard":           {"/api/v1/push/jobs/*?site=ci", jobsToken, "status=ok", nil, 204, "ci.jobs." + pharos.Token("*"), ""},
			"two levels":           {"/api/v1/push/jobs/a.b?site=ci", jobsToken, "status=ok", nil, 204, "ci.jobs." + pharos.Token("a.b"), ""},
			"no status":            {"/api/v1/push/jobs/backup", jobsToken, "", nil, 400, "", "no status: send status=ok, warning, critical or unknown"},
			"a wrong one":          {"/api/v1/push/jobs/backup", jobsToken, "status=green", nil, 400, "", `want ok, warning, critical or unknown, got "green"`},
			"no number":            {"/api/v1/push/jobs/backup", jobsToken, "status=ok&value=NaN", nil, 400, "", "value: want a number"},
			"no duration":          {"/api/v1/push/jobs/backup", jobsToken, "status=ok&ttl=-1", nil, 400, "", "ttl: want seconds or a duration such as 25h"},
			"a field of ours":      {"/api/v1/push/jobs/backup", jobsToken, "status=ok&seq=5", nil, 400, "", `field "seq": want each of status,`},
			"twice":                {"/api/v1/push/jobs/backup", jobsToken, "status=ok&status=critical", nil, 400, "", "once at most"},
			"a bare percent":       {"/api/v1/push/jobs/backup", jobsToken, "status=ok&summary=100% full", nil, 400, "", "--data-urlencode"},
			"no JSON":              {"/api/v1/push/jobs/backup", jobsToken, "{", []string{"Content-Type", "application/json"}, 400, "", "reading the push"},
			"JSON without status":  {"/api/v1/push/jobs/backup", jobsToken, `{"value":1}`, []string{"Content-Type", "application/json"}, 400, "", `no "status"`},
			"too large":            {"/api/v1/push/jobs/backup", jobsToken, "status=ok&detail=" + strings.Repeat("x", maxPush), nil, 400, "", "too large"},
			"a long detail":        {"/api/v1/push/jobs/x?site=ci", jobsToken, "status=ok&detail=" + strings.Repeat("x", 50_000), nil, 204, "ci.jobs.x", ""},
			"a long name":          {"/api/v1/push/jobs/" + strings.Repeat("x", 300), jobsToken, "status=ok", nil, 400, "", "each a name"},
			"a line feed":          {"/api/v1/push/jobs/a%0Ab", jobsToken, "status=ok", nil, 400, "", "each a name"},
		} {
			func() {
				*p = published{}
				got := w.push(tt.target, tt.token, tt.body, tt.headers...)
				if got.Code != tt.code || got.Header().Get("Cache-Control") != "no-store" || (got.Code == 401) != (got.Header().Get("WWW-Authenticate") != "") {
					t.Errorf("%s: %d %s %v", name, got.Code, got.Body, got.Header())
				}
				if tt.code != http.StatusNoContent {
					if p.subject != "" || !strings.Contains(got.Body.String(), tt.want) {
						t.Errorf("%s: published on %q, and said %s", name, p.subject, got.Body)
					}
					return
				}
				if p.subject != "pharos.push."+tt.id || got.Body.Len() != 0 {
					t.Errorf("%s: published on %s, and said %s", name, p.subject, got.Body)
				}
				if tt.want != "" {
					var was, want any
					if err := errors.Join(json.Unmarshal([]byte(p.data), &was), json.Unmarshal([]byte(tt.want), &want)); err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(want, was); diff != "" {
						t.Errorf("%s: want -, got + of %s:\n%s", name, p.data, diff)
					}
				}
				w.apply(p.subject, p.data)
				time.Sleep(3 * time.Second)
				if tile, ok := w.b.Tile(w.Context(), pharos.WatcherID(tt.id)); !ok || !tile.Known {
					t.Errorf("%s: the board does not show it", name)
				}
			}()
		}
		if got := w.as("192.0.2.1:1", "/api/v1/push/jobs/backup", "Authorization", "Bearer "+jobsToken); got.Code != http.StatusMethodNotAllowed && got.Code != http.StatusUnauthorized {
			t.Errorf("a GET: %d %s", got.Code, got.Body)
		}
		if got := w.as("192.0.2.1:1", "/api/v1/board", "Authorization", "Bearer "+jobsToken); got.Code != http.StatusUnauthorized {
			t.Errorf("who pushes sees the board: %d", got.Code)
		}
	})
}

// TestAPushThatIsLostIsTold: neither where NATS is not there, nor where a prober
// lists the watcher, does it look as if all were well.
func TestAPushThatIsLostIsTold(t *testing.T) {
	pushing(t, func(w *world, p *published) {
		p.err = errors.New("not connected to NATS")
		if got := w.push("/api/v1/push/jobs/backup?site=ci", jobsToken, "status=ok"); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" || !strings.Contains(got.Body.String(), "not connected to NATS") {
			t.Errorf("%d %s", got.Code, got.Body)
		}
		p.err = nil
		w.beat("ci", "p1", 1)
		w.roster("ci", "p1", pharos.RosterSet{Name: "jobs", Watchers: []pharos.RosterWatcher{{Name: "backup"}, {Name: "awaited", Pushed: true}}})
		time.Sleep(time.Second)
		if got := w.push("/api/v1/push/jobs/backup?site=ci", jobsToken, "status=ok"); got.Code != http.StatusConflict || p.subject != "" {
			t.Errorf("%d %s", got.Code, got.Body)
		}
		if got := w.push("/api/v1/push/jobs/awaited?site=ci", jobsToken, "status=ok"); got.Code != http.StatusNoContent || p.subject == "" {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
}

func TestPushesAreBounded(t *testing.T) {
	pushing(t, func(w *world, p *published) {
		taken := 0
		for range 10 {
			for range 100 {
				switch got := w.push("/api/v1/push/jobs/backup?site=ci", jobsToken, "status=ok"); got.Code {
				case http.StatusNoContent:
					taken++
				case http.StatusTooManyRequests:
				default:
					t.Fatalf("%d %s", got.Code, got.Body)
				}
			}
			time.Sleep(time.Second)
		}
		if taken < pushBurst || taken > pushBurst+10*pushRate {
			t.Errorf("%d of 1,000 in ten seconds", taken)
		}
		if got := w.push("/api/v1/push/jobs/backup?site=oslo", osloToken, "status=ok"); got.Code != http.StatusNoContent {
			t.Errorf("another token: %d", got.Code)
		}
		for i := range 1000 {
			w.push("/api/v1/push/jobs/backup?site=oslo", strings.Repeat("x", 16+i), "status=ok")
		}
		if n := len(w.s.rates.of); n > 3 {
			t.Errorf("%d tokens are counted", n)
		}
	})
}
