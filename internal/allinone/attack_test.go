package allinone_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"pharos/internal/pharos"
	"pharos/internal/pharostest"
)

// attacker is a client of NATS that may publish and hear everything.
type attacker struct {
	t    *testing.T
	nc   *nats.Conn
	beat pharos.Heartbeat // the newest of the prober that it attacks
}

func (p *pharosOf) attacker(t *testing.T) *attacker {
	t.Helper()
	nc := pharostest.Connect(t, "nats://"+p.NATS())
	return &attacker{t: t, nc: nc, beat: hear(t, nc)}
}

// hear returns the next heartbeat.
func hear(t *testing.T, nc *nats.Conn) pharos.Heartbeat {
	t.Helper()
	heard, err := nc.SubscribeSync("pharos.heartbeat.>")
	if err != nil {
		t.Fatal(err)
	}
	m, err := heard.NextMsg(pharostest.Patience)
	if err != nil {
		t.Fatal(err)
	}
	beat, err := pharos.ParseHeartbeat(m.Data)
	if err != nil {
		t.Fatal(err)
	}
	return beat
}

func (a *attacker) send(subject, message string) {
	a.t.Helper()
	if err := a.nc.Publish(subject, []byte(message)); err != nil {
		a.t.Fatal(err)
	}
}

const most = "18446744073709551615"

// attacks are what anybody can send who may publish everything.
var attacks = map[string]func(a *attacker, result, push string){
	"the highest number": func(a *attacker, result, push string) {
		a.send(result, fmt.Sprintf(`{"status":"ok","for":3000000000,"ttl":3000000000,"incarnation":%d,"seq":%s}`, a.beat.Incarnation, most))
	},
	"a later process": func(a *attacker, result, push string) {
		a.send(result, `{"status":"ok","ttl":3000000000,"incarnation":9223372036854775807,"seq":1}`)
	},
	"a later process with heartbeats": func(a *attacker, result, push string) {
		a.send("pharos.heartbeat.local.all-in-one", `{"site":"local","incarnation":9223372036854775807,"seq":1,"roster":1}`)
		a.send(result, `{"status":"ok","ttl":3000000000,"incarnation":9223372036854775807,"seq":1}`)
	},
	"a push": func(a *attacker, result, push string) { a.send(push, `{"status":"ok","ttl":3000000000}`) },
	"another prober that lists it": func(a *attacker, result, push string) {
		a.send("pharos.result.local.zz.shop--4qmurh6c.page--fxfo3xnw", `{"status":"ok","incarnation":1,"seq":1}`)
	},
	"an empty roster": func(a *attacker, result, push string) {
		a.send("pharos.roster.local.all-in-one.0", fmt.Sprintf(`{"incarnation":%d,"seq":%s,"parts":1,"sets":[]}`, a.beat.Incarnation, most))
	},
	"a goodbye in its name": func(a *attacker, result, push string) {
		a.send("pharos.heartbeat.local.all-in-one", fmt.Sprintf(`{"incarnation":%d,"seq":%s,"leaving":true}`, a.beat.Incarnation, most))
	},
	"forget": func(a *attacker, result, push string) {
		a.send("pharos.forget", `{"prober":"local/all-in-one"}`)
		id := strings.TrimPrefix(push, "pharos.push.")
		a.send("pharos.forget", fmt.Sprintf(`{"watcher":%q}`, id))
	},
	"a thousand probers": func(a *attacker, result, push string) {
		for i := range 1100 {
			a.send(fmt.Sprintf("pharos.result.s%d.q%d.s.x", i%20, i), `{"status":"ok","incarnation":1,"seq":1}`)
			a.send(fmt.Sprintf("pharos.heartbeat.s%d.q%d", i%20, i), `{"incarnation":1,"seq":1}`)
		}
	},
	"large pushes": func(a *attacker, result, push string) {
		big := `{"status":"ok","facts":[` + strings.Repeat(`{"name":"a"},`, 1100) + `{}]}`
		for i := range 1000 {
			a.send(fmt.Sprintf("pharos.push.evil.s.w%d", i), big)
		}
	},
	"nonsense": func(a *attacker, result, push string) {
		for _, m := range []string{"", "{", `{"status":1}`, `{"status":"ok","for":-1}`, `[]`, strings.Repeat("[", 10_000), "\xff\xfe", `{"status":"ok","at":"never"}`} {
			for _, subject := range []string{result, push, "pharos.heartbeat.local.all-in-one", "pharos.roster.local.all-in-one.0", "pharos.forget", "pharos.refresh"} {
				a.send(subject, m)
			}
		}
	},
}

// TestAttacks tries them. A page is
// red: it may not be shown as ok for longer than numbers rule out later ones, its
// tile may not vanish, and once it is well it is green again.
func TestAttacks(t *testing.T) {
	t.Parallel()
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := pharostest.NewTarget(t)
			x.Turn(t, pharostest.Fails)
			p := start(t, parse(t, `
nats: {listen: "127.0.0.1:0"}
prober: all-in-one
sets: [{name: Shop, watchers: [{name: Page, page: "`+x.URL()+`/", interval: 100ms}]}]`))
			s := p.screen()
			red := s.AwaitStatus(t, "Page", "critical")
			id := pharos.WatcherID(red["id"].(string))
			a := p.attacker(t)
			attack(a, pharos.ResultSubject("all-in-one", id), pharos.PushSubject(id))
			if err := a.nc.Flush(); err != nil {
				t.Fatal(err)
			}
			wrong := ""
			var green time.Time // since when it is shown as ok
			s.For(5*time.Second, func(v *pharostest.View) {
				switch {
				case v.Tile("Page") == nil:
					wrong = "the tile is gone"
				case !v.Shows("Page", "ok"):
					green = time.Time{}
				case green.IsZero():
					green = v.At
				case v.At.Sub(green) > 4*time.Second:
					wrong = "it is shown as ok for 4 s"
				}
			})
			if wrong != "" {
				t.Fatal(wrong)
			}
			s.AwaitStatus(t, "Page", "critical")
			x.Turn(t, pharostest.Answers)
			s.AwaitStatus(t, "Page", "ok")
			pharostest.GetJSON[struct{ Counts map[string]int }](t, p.url+"/api/v1/board")
		})
	}
}

// TestAttacksWithKeys tries them, and what else a role could think of, with each
// role's key. The page is red, and is never shown as anything better.
func TestAttacksWithKeys(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"prober oslo/p1", "prober local/zz", "prober local2/*", "dashboard hq", "push local.*.*", "push ci.jobs.backup"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			x := pharostest.NewTarget(t)
			x.Turn(t, pharostest.Fails)
			c := parse(t, fmt.Sprintf(`
nats: {listen: %q, keys: %q}
prober: all-in-one
sets:
  - name: Shop
    watchers:
      - {name: Page, page: "%s/", interval: 100ms}
      - {name: Well, command: "true", interval: 100ms}`, pharostest.FreeAddress(t), t.TempDir(), x.URL()))
			kind, name, _ := strings.Cut(who, " ")
			path, dashboardPath := keyFor(t, c, kind, name), keyFor(t, c, "dashboard", "spy")
			p := start(t, c)
			s := p.screen()
			well := pharos.WatcherID(fmt.Sprint(s.AwaitStatus(t, "Well", "ok")["id"]))
			id := pharos.WatcherID(fmt.Sprint(s.AwaitStatus(t, "Page", "critical")["id"]))
			result, push := pharos.ResultSubject("all-in-one", id), pharos.PushSubject(id)
			connect := func(path string) *nats.Conn {
				key, err := nats.NkeyOptionFromSeed(path)
				if err != nil {
					t.Fatal(err)
				}
				return pharostest.Connect(t, "tls://"+p.NATS(), key, nats.RootCAs(path), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
			}
			nc, beat := connect(path), hear(t, connect(dashboardPath)) // the worst that an attacker can know
			a := &attacker{t: t, nc: nc, beat: beat}
			for _, attack := range attacks {
				attack(a, result, push)
			}
			// It lists the watcher itself, and is alive.
			a.send("pharos.roster.local.zz.0", `{"incarnation":1,"seq":1,"parts":1,"sets":[{"name":"Shop","watchers":[{"name":"Page","interval":1,"timeout":1}]}]}`)
			for n := range 3 {
				a.send("pharos.heartbeat.local.zz", fmt.Sprintf(`{"incarnation":1,"seq":%d,"roster":1}`, n))
				a.send(pharos.ResultSubject("zz", id), fmt.Sprintf(`{"status":"ok","ttl":60,"incarnation":1,"seq":%d}`, n))
			}
			// It has the store send a green result in the red one's place.
			for request, data := range map[string]string{
				"$JS.API.DIRECT.GET.PHAROS." + pharos.ResultSubject("all-in-one", well): "",
				"$JS.API.CONSUMER.CREATE.PHAROS.evil":                                   `{"stream_name":"PHAROS","config":{"name":"evil","deliver_policy":"last_per_subject","filter_subjects":["` + pharos.ResultSubject("all-in-one", well) + `"],"ack_policy":"none","mem_storage":true,"inactive_threshold":60000000000}}`,
				"$JS.API.CONSUMER.CREATE.PHAROS.evil2":                                  `{"stream_name":"PHAROS","config":{"name":"evil2","deliver_subject":"` + result + `","deliver_policy":"last_per_subject","ack_policy":"none"}}`,
			} {
				if err := nc.PublishRequest(request, result, []byte(data)); err != nil {
					t.Fatal(err)
				}
			}
			for range 5 {
				if err := nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.PHAROS.evil", result, []byte(`{"batch":1}`)); err != nil {
					t.Fatal(err)
				}
				a.send("pharos.refresh", "")
			}
			if err := nc.FlushTimeout(pharostest.Patience); err != nil {
				t.Fatal(err)
			}
			s.For(4*time.Second, func(v *pharostest.View) {
				if page := v.Tile("Page"); page.Status() != "critical" && page.Status() != "stale" { // on a machine that has no time for it
					t.Errorf("the page is shown as %v", page)
				}
			})
			s.AwaitStatus(t, "Page", "critical")
			s.AwaitStatus(t, "Well", "ok")
			x.Turn(t, pharostest.Answers)
			s.AwaitStatus(t, "Page", "ok")
		})
	}
}
