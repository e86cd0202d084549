package allinone_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"pharos/internal/pharos"
)

// attacker is a client of NATS that may publish and hear everything.
type attacker struct {
	t    *testing.T
	nc   *nats.Conn
	beat pharos.Heartbeat // the newest of the prober that it attacks
}

func (p *pharosOf) attacker(t *testing.T) *attacker {
	t.Helper()
	nc, err := nats.Connect("nats://" + p.NATS())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	a := &attacker{t: t, nc: nc}
	heard, err := nc.SubscribeSync("pharos.heartbeat.>")
	if err != nil {
		t.Fatal(err)
	}
	m, err := heard.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	if a.beat, err = pharos.ParseHeartbeat(m.Data); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *attacker) send(subject, message string) {
	a.t.Helper()
	if err := a.nc.Publish(subject, []byte(message)); err != nil {
		a.t.Fatal(err)
	}
}

// TestAttacks tries what anybody can send who may publish everything. A page is
// red: it may not be shown as ok for longer than numbers rule out later ones, its
// tile may not vanish, and once it is well it is green again.
func TestAttacks(t *testing.T) {
	const most = "18446744073709551615"
	for name, attack := range map[string]func(a *attacker, result, push string){
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
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTarget(t)
			x.status.Store(http.StatusInternalServerError)
			p := start(t, parse(t, `
nats: {listen: "127.0.0.1:0"}
prober: all-in-one
sets: [{name: Shop, watchers: [{name: Page, page: "`+x.URL+`/", interval: 100ms}]}]`))
			s := p.screen("")
			red := s.untilStatus("Page", "critical")
			id := pharos.WatcherID(red["id"].(string))
			a := p.attacker(t)
			attack(a, pharos.ResultSubject("all-in-one", id), pharos.PushSubject(id))
			if err := a.nc.Flush(); err != nil {
				t.Fatal(err)
			}
			var green time.Time // since when it is shown as ok
			for end := time.After(5 * time.Second); end != nil; {
				select {
				case event, ok := <-s.events:
					if !ok {
						t.Fatal("the stream has ended")
					}
					s.apply(event)
				case <-end:
					end = nil
				}
				switch tile := s.tile("Page"); {
				case tile == nil:
					t.Fatal("the tile is gone")
				case tile["s"] != "ok":
					green = time.Time{}
				case green.IsZero():
					green = time.Now()
				case time.Since(green) > 4*time.Second:
					t.Fatalf("it is shown as ok for %v", time.Since(green))
				}
			}
			s.untilStatus("Page", "critical")
			x.status.Store(http.StatusOK)
			s.untilStatus("Page", "ok")
			var board struct {
				Counts map[string]int
			}
			if err := json.Unmarshal([]byte(text(t, p.url+"/api/v1/board")), &board); err != nil {
				t.Error(err)
			}
		})
	}
}
