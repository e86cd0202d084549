package board

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/pharos"
)

func TestInboxKeepsTheNewestOfEachSubject(t *testing.T) {
	x := newInbox()
	put := func(subject, data string, live bool) {
		t.Helper()
		s, err := pharos.ParseSubject(subject)
		if err != nil {
			t.Fatal(err)
		}
		if !x.put(&message{subject: s, name: subject, data: []byte(data), live: live}) {
			t.Errorf("no room for %s", subject)
		}
	}
	put("pharos.push.a.s.y", "2", false)
	put("pharos.result.a.p.s.x", "1", true)
	put("pharos.result.a.p.s.x", "3", true)
	put("pharos.result.a.p.s.x", "out of the store", false)
	put("pharos.push.a.s.y", "4", true)
	put("pharos.forget", "5", true)
	put("pharos.heartbeat.a.p", "6", true)
	put("pharos.forget", "7", true)
	put("pharos.heartbeat.a.p", "8", true)
	if m := x.take(false); m == nil || string(m.data) != "5" {
		t.Errorf("first comes %v", m)
	}
	var got []string
	for m := x.take(false); m != nil; m = x.take(false) {
		got = append(got, string(m.data))
	}
	got = append(got, "then")
	for m := x.take(true); m != nil; m = x.take(true) {
		got = append(got, string(m.data))
	}
	if diff := cmp.Diff([]string{"6", "7", "8", "then", "3", "4"}, got); diff != "" {
		t.Error("want -, got +\n" + diff)
	}
	if x.bytes != 0 || len(x.waiting) != 0 || !x.empty() {
		t.Errorf("nothing waits, and there are %d bytes of %d messages", x.bytes, len(x.waiting))
	}
}

func TestInboxHasABound(t *testing.T) {
	x := newInbox()
	data := make([]byte, pharos.MaxMessage)
	n := 0
	for i := range 10_000 {
		name := fmt.Sprintf("pharos.push.a.s.w%d", i)
		s, err := pharos.ParseSubject(name)
		if err != nil {
			t.Fatal(err)
		}
		if x.put(&message{subject: s, name: name, data: data, live: true}) {
			n++
		}
	}
	if x.bytes > inboxBytes || n < 3000 || n > 5000 {
		t.Errorf("%d messages wait, %d bytes", n, x.bytes)
	}
}

// TestAFloodBlamesNobody: the prober stays, its news come through, and the board
// says that it is behind.
func TestAFloodBlamesNobody(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.pass(time.Second)
		p := w.prober("p", 5, "x")
		p.says("x", pharos.OK, false)
		p.run(2, nil)
		big := `{"status":"ok","detail":"` + strings.Repeat("x", 15_000) + `"}`
		for second := range 5 {
			for i := range 4000 { // 60 MB
				w.b.Apply(fmt.Sprintf("pharos.push.evil.s.w%d", i), []byte(big), 0, true)
			}
			p.run(1, nil)
			if second == 2 {
				p.says("x", pharos.Critical, false)
			}
		}
		p.run(3, nil)
		w.wantStatus("x", "critical")
		if got := fmt.Sprint(w.s.Hops.Notices); !strings.Contains(got, "this dashboard is behind") || strings.Contains(got, "a p:") {
			t.Errorf("the notices are %s", got)
		}
		if q := w.s.Hops.Probers[0]; !q.Up {
			t.Errorf("the prober is blamed: %v", q)
		}
		w.pass(time.Minute)
		if got := fmt.Sprint(w.s.Hops.Notices); strings.Contains(got, "behind") {
			t.Errorf("a minute later the notices are %s", got)
		}
	})
}

func TestWhatNobodyListsExpires(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.live("pharos.push.ci.jobs.backup", `{"status":"ok","ttl":3600}`)
		w.pass(24 * time.Hour)
		w.wantStatus("backup", "stale")
		w.pass(time.Hour + time.Second)
		if w.s.Tile("backup") != nil {
			t.Error("a day after it was due it is still there")
		}
		if got := fmt.Sprint(w.s.Hops.Notices); !strings.Contains(got, `"ci.jobs.backup" is gone`) {
			t.Errorf("the notices are %s", got)
		}
	})
}
