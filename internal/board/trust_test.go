package board

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pharos/internal/pharos"
)

// prober1 plays one prober as it is on the wire: heartbeats with a digest, its
// roster, results.
type prober1 struct {
	w       *world
	id      string // "a/p"
	epoch   int64
	seq     uint64
	changes map[string]uint64
	status  map[string]pharos.Status
}

func (w *world) prober(name string, epoch int64, watchers ...string) *prober1 {
	p := &prober1{w: w, id: name, epoch: epoch, changes: map[string]uint64{}, status: map[string]pharos.Status{}}
	rows := make([]string, len(watchers))
	for i, watcher := range watchers {
		p.status[watcher] = pharos.Waiting
		rows[i] = fmt.Sprintf(`{"name":%q,"interval":1,"timeout":10}`, watcher)
	}
	w.live("pharos.roster.a."+name+".0", fmt.Sprintf(`{"site":"a","prober":%q,"incarnation":%d,"seq":1,"parts":1,"sets":[{"name":"s","watchers":[%s]}]}`, name, epoch, strings.Join(rows, ",")))
	p.beat()
	return p
}

func (p *prober1) beat() {
	p.seq++
	var d pharos.Digest
	for watcher, status := range p.status {
		d.Add(pharos.MakeID("a", "s", watcher), status, p.changes[watcher])
	}
	p.w.live("pharos.heartbeat.a."+p.id, fmt.Sprintf(
		`{"site":"a","prober":%q,"incarnation":%d,"seq":%d,"roster":1,"watchers":%d,"digest":{"ok":%d,"warning":%d,"critical":%d,"unknown":%d,"waiting":%d,"hash":%d}}`,
		p.id, p.epoch, p.seq, len(p.status), d.OK, d.Warning, d.Critical, d.Unknown, d.Waiting, d.Hash))
}

// says changes a watcher, and sends the result unless it is to be lost.
func (p *prober1) says(watcher string, status pharos.Status, lost bool) {
	p.seq++
	if p.status[watcher] != status {
		p.status[watcher] = status
		p.changes[watcher]++
	}
	if !lost {
		p.w.live("pharos.result.a."+p.id+".s."+watcher, p.result(watcher))
	}
}

func (p *prober1) result(watcher string) string {
	return fmt.Sprintf(`{"status":%q,"ttl":600,"incarnation":%d,"seq":%d,"change":%d}`, p.status[watcher], p.epoch, p.seq, p.changes[watcher])
}

// run lets seconds pass, each with a heartbeat and what else is to happen in it.
func (p *prober1) run(seconds int, each func()) {
	for range seconds {
		p.beat()
		if each != nil {
			each()
		}
		p.w.pass(time.Second - 2*urgentGap)
	}
}

// shown returns the status that the screen shows for a watcher.
func (w *world) shown(id string) any {
	for _, t := range w.s.Tiles {
		if t["id"] == id {
			return t["s"]
		}
	}
	return nil
}

func TestNoNumberSilencesForLong(t *testing.T) {
	const most = "18446744073709551615"
	for name, forged := range map[string]func(w *world){
		"of a result": func(w *world) {
			w.live("pharos.result.a.p.s.x", `{"status":"ok","ttl":3153600000,"incarnation":1000,"seq":`+most+`}`)
		},
		"of a later process's result": func(w *world) {
			w.live("pharos.result.a.p.s.x", `{"status":"ok","ttl":3153600000,"incarnation":9223372036854775807,"seq":`+most+`}`)
		},
		"of a heartbeat": func(w *world) {
			w.live("pharos.heartbeat.a.p", `{"incarnation":1000,"roster":1,"seq":`+most+`}`)
		},
		"of a goodbye": func(w *world) {
			w.live("pharos.heartbeat.a.p", `{"incarnation":1000,"roster":1,"leaving":true,"seq":`+most+`}`)
		},
		"of a later process's heartbeat": func(w *world) {
			w.live("pharos.heartbeat.a.p", `{"incarnation":9223372036854775807,"roster":1,"seq":1}`)
		},
		"of a roster": func(w *world) {
			w.live("pharos.roster.a.p.0", `{"incarnation":1000,"parts":1,"sets":[],"seq":`+most+`}`)
		},
		"of a later process's roster": func(w *world) {
			w.live("pharos.roster.a.p.0", `{"incarnation":9223372036854775807,"parts":1,"sets":[],"seq":1}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Options{}, func(w *world) {
				w.pass(time.Second)
				p := w.prober("p", 1000, "x", "y")
				p.says("x", pharos.OK, false)
				p.says("y", pharos.OK, false)
				p.run(2, nil)
				w.wantStatus("x", "ok")
				forged(w)
				p.run(5, func() { p.says("x", pharos.Critical, false); p.says("y", pharos.OK, false) })
				w.wantStatus("x", "critical")
				w.wantStatus("y", "ok")
				p.run(5, func() { p.says("x", pharos.OK, false) })
				w.wantStatus("x", "ok")
			})
		})
	}
}

func TestOnlyAProberThatListsAWatcherChangesItsTile(t *testing.T) {
	for name, message := range map[string][2]string{
		"a push":                       {"pharos.push.a.s.x", `{"status":"ok"}`},
		"a prober that is not heard":   {"pharos.result.a.q.s.x", `{"status":"ok","ttl":600,"incarnation":9,"seq":9}`},
		"another site's":               {"pharos.result.b.p.s.x", `{"status":"ok","ttl":600,"incarnation":1,"seq":9}`},
		"a process that is not heard":  {"pharos.result.a.p.s.x", `{"status":"ok","ttl":600,"incarnation":9,"seq":9}`},
		"an earlier process":           {"pharos.result.a.p.s.x", `{"status":"ok","ttl":600,"incarnation":1,"seq":9}`},
		"a message without numbers":    {"pharos.result.a.p.s.x", `{"status":"ok"}`},
		"a prober that does not list":  {"pharos.result.a.other.s.x", `{"status":"ok","ttl":600,"incarnation":5,"seq":9}`},
		"a prober whose roster is due": {"pharos.result.a.due.s.x", `{"status":"ok","ttl":600,"incarnation":5,"seq":9}`},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Options{}, func(w *world) {
				w.pass(time.Second)
				p := w.prober("p", 5, "x")
				w.prober("other", 5, "y")
				w.live("pharos.heartbeat.a.due", `{"incarnation":5,"seq":1}`)
				p.says("x", pharos.Critical, false)
				p.run(2, nil)
				w.live(message[0], message[1])
				w.pass(structureGap)
				if got := w.shown("a.s.x"); got != "critical" {
					t.Errorf("while the prober lives x is %v", got)
				}
				w.pass(2 * pharos.HeartbeatTimeout) // kill -9
				w.live(message[0], message[1])
				w.pass(structureGap)
				if got := w.shown("a.s.x"); got != "stale" {
					t.Errorf("after its end x is %v", got)
				}
			})
		})
	}
}

func TestWhatIsLostOnTheWayHeals(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.pass(time.Second)
		var p *prober1
		heal := true
		w.b.o.Refresh = func(prober string) {
			if prober != "a/p" {
				t.Errorf("asked %q", prober)
			}
			if heal {
				go func() {
					for watcher := range p.status {
						p.seq++
						w.b.Apply("pharos.result.a.p.s."+watcher, []byte(p.result(watcher)), 0, true)
					}
				}()
			}
		}
		p = w.prober("p", 5, "x", "y")
		p.says("x", pharos.OK, false)
		p.says("y", pharos.OK, false)
		p.run(3, nil)
		p.says("x", pharos.Critical, true)
		p.run(3, nil)
		w.wantStatus("x", "critical")
		w.wantNotices()
		// A flicker that nobody heard of is news as well.
		p.says("y", pharos.Critical, true)
		p.says("y", pharos.OK, true)
		before := w.b.probers["a/p"].said["a.s.y"].change
		p.run(6, nil)
		if now := w.b.probers["a/p"].said["a.s.y"].change; now != before+2 {
			t.Errorf("change %d came as %d", before+2, now)
		}
		// What does not heal is not believed, and is named.
		heal = false
		p.says("x", pharos.OK, false)
		p.says("y", pharos.Critical, true)
		p.run(5, nil)
		w.wantStatus("x", "stale")
		w.wantStatus("y", "stale")
		w.wantNotices("a p: its messages do not all arrive here: it has 1 critical, here are 0")
		p.says("y", pharos.Critical, false)
		p.run(1, nil)
		w.wantStatus("y", "critical")
		w.wantStatus("x", "ok")
		w.wantNotices()
	})
}

func TestLastValuesAreStaleUntilAHeartbeatAgrees(t *testing.T) {
	for name, missed := range map[string]bool{"the store has all": false, "the store has missed a red": true} {
		t.Run(name, func(t *testing.T) {
			in(t, Options{}, func(w *world) {
				w.pass(time.Second)
				roster := `{"incarnation":5,"seq":1,"parts":1,"sets":[{"name":"s","watchers":[{"name":"x","interval":3600,"timeout":10}]}]}`
				w.apply("pharos.roster.a.p.0", roster, time.Hour, false)
				w.apply("pharos.result.a.p.s.x", `{"status":"ok","ttl":4000,"incarnation":5,"seq":7,"change":1}`, time.Minute, false)
				p := &prober1{w: w, id: "p", epoch: 5, seq: 50, changes: map[string]uint64{"x": 1}, status: map[string]pharos.Status{"x": pharos.OK}}
				if missed {
					p.says("x", pharos.Critical, true)
				}
				var d pharos.Digest
				d.Add("a.s.x", p.status["x"], p.changes["x"])
				w.apply("pharos.heartbeat.a.p", fmt.Sprintf(`{"incarnation":5,"seq":40,"roster":1,"watchers":1,"digest":{"ok":%d,"critical":%d,"hash":%d}}`, d.OK, d.Critical, d.Hash), time.Second, false)
				w.pass(structureGap)
				w.wantStatus("x", "stale")
				p.beat()
				w.pass(valueGap)
				want := "ok"
				if missed {
					want = "stale"
				}
				w.wantStatus("x", want)
			})
		})
	}
}

func TestNamesAreBoundToTokens(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.live("pharos.heartbeat.oslo.evil", `{"site":"Berlin City","prober":"p1","incarnation":1,"seq":1,"rejected":"broken"}`)
		w.live("pharos.push.oslo.s.x", `{"status":"ok","name":"Home page","set":"Shop","site":"Berlin City"}`)
		w.live("pharos.push."+pharos.Token("Oslo City")+"."+pharos.Token("A Shop")+"."+pharos.Token("A page"), `{"status":"ok","name":"A page","set":"A Shop","site":"Oslo City"}`)
		w.pass(time.Second)
		w.wantNotices("oslo evil: broken")
		for _, tile := range w.b.State(w.ctx).Sets {
			for _, x := range tile.Tiles {
				if got := x.Site + "/" + x.Set + "/" + x.Name; got != "oslo/s/x" && got != "Oslo City/A Shop/A page" {
					t.Errorf("a tile is called %s", got)
				}
			}
		}
	})
}

func TestTTLIsBounded(t *testing.T) {
	in(t, Options{PushTTL: time.Hour}, func(w *world) {
		w.pass(time.Second)
		p := w.prober("p", 5, "x") // each second, 10 s at the most
		p.says("x", pharos.OK, false)
		w.live("pharos.push.ci.jobs.backup", `{"status":"ok","ttl":3000000}`)
		p.run(20, nil)
		w.wantStatus("x", "ok")
		p.run(2, nil)
		w.wantStatus("x", "stale")
		w.wantStatus("backup", "ok")
		w.pass(time.Hour)
		w.wantStatus("backup", "stale")
	})
}

func TestInventedProbersKeepNobodyOut(t *testing.T) {
	in(t, Options{}, func(w *world) {
		for i := range 1100 {
			w.b.Apply(fmt.Sprintf("pharos.result.s%d.q.s.x", i), []byte(`{"status":"ok","incarnation":1,"seq":1}`), 0, true)
		}
		for i := range 2 * maxSiteProbers {
			w.b.Apply(fmt.Sprintf("pharos.heartbeat.evil.q%d", i), []byte(`{"incarnation":1,"seq":1}`), 0, true)
		}
		p := w.prober("p", 5, "x")
		p.says("x", pharos.OK, false)
		p.run(2, nil)
		w.wantStatus("x", "ok")
	})
}

func TestOfTwoProcessesTheWorseIsShown(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.pass(time.Second)
		first := w.prober("p", 5, "x")
		first.says("x", pharos.Critical, false)
		second := w.prober("p", 6, "x")
		for range 4 {
			second.beat()
			second.says("x", pharos.OK, false)
			first.beat()
			first.says("x", pharos.Critical, false)
			w.pass(structureGap)
			w.wantStatus("x", "critical")
			w.pass(time.Second / 2)
		}
		for range 5 { // the first has ended
			second.beat()
			second.says("x", pharos.OK, false)
			w.pass(time.Second)
		}
		w.wantStatus("x", "ok")
	})
}
