package board

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/pharos"
)

// FuzzBoard lets anything arrive in any order and at any time, and holds what a
// screen shows, by the rules of the page, against three things: what a screen shows
// that has just come, whether anybody said ok within the time that a message may
// be believed, and whether the prober that is said to watch is heard.
func FuzzBoard(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01\x00\x05\x03\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x00\x01\x00\x00\x00\x02\x00\x01\x07\x03\x00\x01\x00\x05\x20\x00\x00\x04\x00\x00\x00\x05\xff\x00\x00"))
	f.Add([]byte("\x01\x01\x00\x00\x00\x01\x00\x00\x02\x01\x01\x00\x06\x00\x00\x00\x05\x08\x00\x00\x06\x01\x00\x00\x05\xff\x00\x00\x05\xff\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = data[:min(len(data), 4*60)]
		in(t, Options{MaxWatchers: 6}, func(w *world) {
			w.pass(time.Second)
			began := time.Now()
			now := func() time.Duration { return time.Since(began) }
			believed := map[string]time.Duration{}   // until when an ok may be shown, by id
			heartbeats := map[string]time.Duration{} // when a prober was heard last
			numbers := []uint64{0, 1, 2, 3, 1 << 63, 1<<64 - 1}
			statuses := []string{"ok", "warning", "critical", "unknown", "waiting", "ok", "ok"}
			seq := uint64(10)
			for ; len(data) >= 4; data = data[4:] {
				kind, a, b, c := data[0]%7, data[1], data[2], data[3]
				site, prober, watcher := []string{"a", "b"}[a&1], []string{"p", "q"}[a>>1&1], []string{"x", "y", "z"}[a>>2%3]
				id := site + ".s." + watcher
				incarnation := []int64{1, 1, 1, 2, 1<<63 - 1}[b>>3%5]
				n := numbers[b%6]
				if b&0x40 == 0 { // an honest one
					seq++
					n = seq
				}
				live := c&0x80 == 0
				age := time.Duration(0)
				if !live {
					age = time.Duration(c&0x7f) * time.Second
				}
				send := func(subject, message string) { w.b.Apply(subject, []byte(message), age, live) }
				says := func(subject string, bound time.Duration) {
					status := statuses[c%7]
					ttl := []time.Duration{0, time.Second, 5 * time.Second, 1000 * time.Hour}[c>>3&3]
					if status == "ok" {
						until := now() - age + min(bound, map[bool]time.Duration{true: pharos.DefaultTTL, false: ttl}[ttl == 0])
						believed[id] = max(believed[id], until)
					}
					send(subject, fmt.Sprintf(`{"status":%q,"ttl":%g,"incarnation":%d,"seq":%d}`, status, ttl.Seconds(), incarnation, n))
				}
				switch kind {
				case 0:
					if live {
						heartbeats[site+"/"+prober] = now()
					}
					send("pharos.heartbeat."+site+"."+prober, fmt.Sprintf(`{"incarnation":%d,"seq":%d,"roster":%d,"leaving":%v}`, incarnation, n, c&1, c&2 != 0))
				case 1:
					send("pharos.roster."+site+"."+prober+".0", fmt.Sprintf(`{"incarnation":%d,"seq":%d,"parts":1,"sets":[{"name":"s","watchers":[{"name":"x","interval":1,"timeout":1},{"name":"y"}]}]}`, incarnation, c&1))
				case 2:
					says("pharos.result."+site+"."+prober+".s."+watcher, defaultPushTTL)
				case 3:
					says("pharos.push."+site+".s."+watcher, defaultPushTTL)
				case 4:
					w.b.SetLink(Link{Up: a&1 == 0, Store: true})
				case 5:
					time.Sleep(time.Duration(a) * 100 * time.Millisecond)
				case 6:
					send("pharos.forget", fmt.Sprintf(`{"watcher":%q}`, id))
				}
				w.settle()
			}
			w.pass(structureMax + sweepEvery)
			before := len(w.screens)
			fresh := w.join(Filter{})
			w.screens = w.screens[:before]
			for _, tile := range fresh.Tiles {
				delete(tile, "i")
			}
			statusOf := func(s *screen) map[string]string {
				out := map[string]string{}
				for _, tile := range s.Tiles {
					out[tile["id"].(string)] = fmt.Sprint(tile["s"], " ", tile["m"], " ", tile["v"])
				}
				return out
			}
			if diff := cmp.Diff(statusOf(fresh), statusOf(w.s)); diff != "" {
				t.Errorf("a screen that was there all the time shows something else than one that has just come: -, +\n%s", diff)
			}
			for id, shown := range statusOf(w.s) {
				if !strings.HasPrefix(shown, "ok") {
					continue
				}
				if late := now() - believed[id]; late > 2*sweepEvery {
					t.Errorf("%s is ok, %v after an ok was to be believed", id, late)
				}
				tile := w.b.tiles[pharos.WatcherID(id)]
				if p := tile.owner; p != nil && now()-heartbeats[p.id] > pharos.HeartbeatTimeout+2*sweepEvery && p.heartbeat.Seq > 0 {
					t.Errorf("%s is ok, %v after a heartbeat of %s", id, now()-heartbeats[p.id], p.id)
				}
			}
		})
	})
}
