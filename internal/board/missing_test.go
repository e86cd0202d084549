package board

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/pharos"
)

// missing returns what a screen of a filter is told that is not there: in its
// snapshot, and among the notices.
func (w *world) missing(f Filter) (missing []string, notices []any) {
	w.Helper()
	data, _, err := w.b.Snapshot(w.ctx, f)
	if err != nil {
		w.Fatal(err)
	}
	var d struct {
		Missing []string
		Hops    struct{ Notices []any }
	}
	if err := json.Unmarshal(data, &d); err != nil {
		w.Fatalf("reading %q: %v", data, err)
	}
	return d.Missing, d.Hops.Notices
}

func TestAFilterThatLostSomethingSaysSo(t *testing.T) {
	in(t, Options{}, func(w *world) {
		if got, _ := w.missing(Filter{Sets: []string{"Shop"}}); got != nil {
			t.Errorf("on an empty board: %q", got)
		}
		w.beat("oslo", "p", 1)
		w.roster("oslo", "p", 1, 1, set("Shop", "a"), set("Server room", "b"))
		w.beat("berlin", "p", 1)
		w.roster("berlin", "p", 1, 1, set("Shop", "a"), set("Mail", "c"))
		w.pass(time.Second)
		for _, tt := range []struct {
			sets, sites []string
			want        []string
		}{
			{nil, nil, nil},
			{[]string{"Shop"}, nil, nil},
			{[]string{"Shop", "server-room--sha256", "Mail"}, nil, []string{`no set "server-room--sha256": there are Shop, Mail, Server room`}},
			{[]string{"Nope"}, nil, []string{`no set "Nope": there are Shop, Mail, Server room`}},
			{[]string{"Shop", "nope", "Old\x1b[1m"}, nil, []string{`no set "nope", "Old[1m": there are Shop, Mail, Server room`}},
			{nil, []string{"paris"}, []string{`no site "paris": there are berlin, oslo`}},
			{[]string{"Nope"}, []string{"paris", "oslo"}, []string{`no set "Nope": there are Shop, Mail, Server room`, `no site "paris": there are berlin, oslo`}},
			{[]string{"Shop"}, []string{"oslo"}, nil},
			{[]string{"Mail"}, []string{"oslo"}, []string{`nothing of set "Mail" at "oslo"`}},
			{[]string{"Mail", "Shop"}, []string{"oslo"}, []string{`nothing of set "Mail" at "oslo"`}},
			{[]string{"Mail", "Server room"}, []string{"oslo", "berlin"}, nil},
			{[]string{"Server room"}, []string{"oslo", "berlin"}, nil},
		} {
			got, notices := w.missing(Filter{Sets: tt.sets, Sites: tt.sites})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%q %q: want -, got +\n%s", tt.sets, tt.sites, diff)
			}
			if fmt.Sprint(notices) != fmt.Sprint(got) {
				t.Errorf("%q %q: the notices are %q", tt.sets, tt.sites, notices)
			}
		}
		// A screen that watches is told when its set goes, and when it is back.
		shop := w.join(Filter{Sets: []string{"Mail"}})
		w.b.SetNotice("pharos.yaml: line 1")
		w.pass(time.Second)
		if got := fmt.Sprint(shop.Hops.Notices); got != "[pharos.yaml: line 1]" {
			t.Errorf("with its set: %s", got)
		}
		w.roster("berlin", "p", 1, 2, set("Shop", "a"), set("Post", "c"))
		w.pass(time.Second)
		const want = `[no set "Mail": there are Shop, Post, Server room pharos.yaml: line 1]`
		if got := fmt.Sprint(shop.Hops.Notices); got != want {
			t.Errorf("without its set: got %s, wanted %s", got, want)
		}
		w.b.SetNotice("")
		w.pass(time.Second)
		if got := fmt.Sprint(shop.Hops.Notices); !strings.HasPrefix(got, `[no set "Mail"`) {
			t.Errorf("in a frame: %s", got)
		}
		if got := fmt.Sprint(w.s.Hops.Notices); got != "[]" {
			t.Errorf("others are told %s", got)
		}
	})
}

func TestManyNamesAreCounted(t *testing.T) {
	in(t, Options{}, func(w *world) {
		var sets []pharos.RosterSet
		for i := range 13 {
			sets = append(sets, set(fmt.Sprint("S", i), "a"))
		}
		w.beat("a", "p", 1)
		w.roster("a", "p", 1, 1, sets...)
		w.pass(time.Second)
		got, _ := w.missing(Filter{Sets: []string{"no"}})
		if want := `no set "no": there are S0, S1, S2, S3, S4, S5, S6, S7, S8, S9 and 3 more`; len(got) != 1 || got[0] != want {
			t.Errorf("got %q", got)
		}
	})
}
