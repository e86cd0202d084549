package board

import (
	"fmt"
	"testing"
	"time"

	"pharos/internal/pharos"
)

// TestRedFromTheStartIsNoCommonCause: at a first start, red pages have not turned red together, and the prober is not
// suspected. What turns red later is another matter, and so is a reference that fails as well.
func TestRedFromTheStartIsNoCommonCause(t *testing.T) {
	for _, row := range []struct {
		name      string
		reference string // its status from the start; empty: there is none
		started   int    // seconds before the first results
		heal      bool   // all are ok in between
		want      string // the notice
	}{
		{"a prober that has just started", "", 1, false, ""},
		{"a slow first run", "", 12, false, ""},
		{"a prober that has run for long", "", 600, false, "[3 of 3 turned critical at once: is it berlin's own network?]"},
		{"a reference is well", "ok", 1, false, ""},
		{"a reference fails from the start as well", "critical", 1, false, `[berlin is cut off: its reference "gateway" fails, and 3 of 3 turned critical at once]`},
		{"they were well in between", "", 1, true, "[3 of 3 turned critical at once: is it berlin's own network?]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			in(t, Options{}, func(w *world) {
				n := 0
				beat := func() {
					n++
					w.live("pharos.heartbeat.berlin.berlin", fmt.Sprintf(`{"incarnation":1,"seq":%d,"site":"berlin","prober":"berlin","uptime":%d}`, n, row.started+n))
				}
				pass := func(seconds int) {
					for range seconds {
						w.pass(time.Second)
						beat()
					}
				}
				say := func(name, status string) {
					n++
					w.live("pharos.result.berlin.berlin.set."+name, fmt.Sprintf(`{"status":%q,"prober":"berlin","incarnation":1,"seq":%d,"ttl":600}`, status, n))
				}
				all := func(status string) {
					for i := range 3 {
						say(fmt.Sprint("p", i), status)
					}
				}
				set := pharos.RosterSet{Name: "set"}
				for i := range 3 {
					set.Watchers = append(set.Watchers, pharos.RosterWatcher{Name: fmt.Sprint("p", i), Kind: "page", Network: true, Interval: pharos.Seconds(2 * time.Second), Timeout: pharos.Seconds(10 * time.Second)})
				}
				if row.reference != "" {
					set.Watchers = append(set.Watchers, pharos.RosterWatcher{Name: "gateway", Kind: "command", Reference: true, Interval: pharos.Seconds(2 * time.Second)})
				}
				beat()
				w.roster("berlin", "berlin", 1, 1, set)
				if row.reference != "" {
					say("gateway", row.reference)
				}
				all("critical")
				if row.heal {
					pass(60)
					all("ok")
					pass(5)
					all("critical")
				}
				pass(2)
				if got := fmt.Sprint(w.s.Hops.Notices); got != row.want && !(row.want == "" && got == "[]") {
					t.Errorf("notices: got %s, wanted %s", got, row.want)
				}
			})
		})
	}
}
