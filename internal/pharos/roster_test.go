package pharos

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rosterOf returns n watchers in sets of so many, every text as long as it may
// be, of a character.
func rosterOf(n, perSet int, c string) Roster {
	fill := func(s string, limit int) string {
		return CleanLine(strings.Repeat(c, (limit-len(s)-1)/len(c))+" "+s, limit)
	}
	r := Roster{Site: fill("site", MaxName), Prober: fill("prober", MaxName), Incarnation: 1767366245123, Seq: 3}
	for i := range n {
		if i%perSet == 0 {
			r.Sets = append(r.Sets, RosterSet{Name: fill(fmt.Sprint("set ", i), MaxName)})
		}
		last := &r.Sets[len(r.Sets)-1]
		last.Watchers = append(last.Watchers, RosterWatcher{
			Name: fill(fmt.Sprint("watcher ", i), MaxName), Kind: "command", Target: fill(fmt.Sprint("address ", i), MaxSummary), Interval: Seconds(100 * time.Millisecond), Reference: i == 0, Network: true,
		})
	}
	return r
}

// join puts the parts of a roster together, as a board does.
func join(t *testing.T, parts [][]byte) Roster {
	t.Helper()
	var whole Roster
	for i, data := range parts {
		if len(data) > MaxMessage {
			t.Errorf("part %d has %d bytes", i, len(data))
		}
		part, err := ParseRoster(data)
		if err != nil {
			t.Fatalf("part %d: %v", i, err)
		}
		if part.Part != i || part.Parts != len(parts) {
			t.Errorf("part %d of %d says that it is %d of %d", i, len(parts), part.Part, part.Parts)
		}
		sets := whole.Sets
		for _, set := range part.Sets {
			if n := len(sets); n > 0 && sets[n-1].Name == set.Name {
				sets[n-1].Watchers = append(sets[n-1].Watchers, set.Watchers...)
				continue
			}
			sets = append(sets, set)
		}
		whole = part
		whole.Sets, whole.Part, whole.Parts = sets, 0, 0
	}
	return whole
}

func TestRosterSplit(t *testing.T) {
	for _, tt := range []struct {
		n, perSet int
		c         string
		most      int // parts
	}{
		{1, 1, "n", 1},
		{10, 5, "n", 1},
		{1000, 100, "n", 50},
		{1000, 1, "n", 80},
		{1000, 1000, `"`, 90},
		{1000, 10, "<", 50},
		{1000, 10, "日", 50},
		{10_000, 50, "n", 480},
	} {
		t.Run(fmt.Sprintf("%d watchers in sets of %d, of %s", tt.n, tt.perSet, tt.c), func(t *testing.T) {
			want := rosterOf(tt.n, tt.perSet, tt.c)
			parts, err := want.Split(MaxMessage)
			if err != nil {
				t.Fatal(err)
			}
			if len(parts) > tt.most {
				t.Errorf("%d parts, want at most %d", len(parts), tt.most)
			}
			if got := join(t, parts); !reflect.DeepEqual(want, got) { // cmp is slow on so many
				t.Error("want -, got +\n" + cmp.Diff(want, got))
			}
		})
	}
}

func TestRosterSplitOfLittle(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    Roster
		want string
	}{
		{"no watchers", Roster{Site: "Berlin", Prober: "p1", Incarnation: 7, Seq: 1}, `{"site":"Berlin","prober":"p1","incarnation":7,"seq":1,"part":0,"parts":1,"sets":null}`},
		{"a set without watchers", Roster{Sets: []RosterSet{{Name: "Shop"}}}, `{"site":"","prober":"","incarnation":0,"seq":0,"part":0,"parts":1,"sets":null}`},
		{"two", Roster{Sets: []RosterSet{{"A", []RosterWatcher{{Name: "a", Interval: Seconds(2 * time.Second)}, {Name: "b"}}}, {"B", []RosterWatcher{{Name: "c", Kind: "page", Target: "http://x/"}}}}},
			`{"site":"","prober":"","incarnation":0,"seq":0,"part":0,"parts":1,"sets":[{"name":"A","watchers":[{"name":"a","interval":2},{"name":"b"}]},` +
				`{"name":"B","watchers":[{"name":"c","kind":"page","target":"http://x/"}]}]}`},
	} {
		parts, err := tt.r.Split(MaxMessage)
		if err != nil || len(parts) != 1 {
			t.Errorf("%s: %d parts, %v", tt.name, len(parts), err)
			continue
		}
		if diff := cmp.Diff(tt.want, string(parts[0])); diff != "" {
			t.Errorf("%s: want -, got +\n%s", tt.name, diff)
		}
	}
}

func TestRosterSplitRefusesTooMany(t *testing.T) {
	_, err := rosterOf(12_000, 100, "n").Split(MaxMessage)
	var parts int
	if _, scan := fmt.Sscanf(fmt.Sprint(err), "splitting a roster: %d parts, want at most 512: fewer watchers, please", &parts); scan != nil || parts <= MaxRosterParts {
		t.Errorf("got %v", err)
	}
}

func TestParseRosterRefuses(t *testing.T) {
	const head = `{"part":0,"parts":1,"sets":`
	for _, tt := range []struct{ name, data, want string }{
		{"no JSON", `{`, "reading a message: not_json: unexpected end of JSON input"},
		{"no parts", `{}`, "reading a message: invalid: part 0 of 0"},
		{"a part beyond the last", `{"part":2,"parts":2}`, "reading a message: invalid: part 2 of 2"},
		{"a part before the first", `{"part":-1,"parts":2}`, "reading a message: invalid: part -1 of 2"},
		{"too many parts", `{"part":0,"parts":513}`, "reading a message: invalid: part 0 of 513"},
		{"a set without a name", head + `[{"watchers":[]}]}`, "reading a message: invalid: a set without a name"},
		{"a set of controls", head + `[{"name":"\u0000"}]}`, "reading a message: invalid: a set without a name"},
		{"a watcher without a name", head + `[{"name":"a","watchers":[{}]}]}`, "reading a message: invalid: a watcher without a name"},
		{"a negative interval", head + `[{"name":"a","watchers":[{"name":"b","interval":-1}]}]}`, "reading a message: not_json: -1 is not a number of seconds from 0 to a century"},
		{"an interval beyond a century", head + `[{"name":"a","watchers":[{"name":"b","interval":1e300}]}]}`, "reading a message: not_json: 1e300 is not a number of seconds from 0 to a century"},
		{"too large", strings.Repeat(" ", MaxMessage+1), "reading a message: too_large: 16385 bytes, want at most 16384"},
	} {
		_, err := ParseRoster([]byte(tt.data))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
		if _, ok := errors.AsType[*BadMessage](err); !ok {
			t.Errorf("%s: %T is not a *BadMessage", tt.name, err)
		}
	}
}

func TestParseRosterCleans(t *testing.T) {
	got, err := ParseRoster([]byte(`{"site":"B\u0000erlin","prober":"p\n1","part":0,"parts":1,"new":1,"sets":[{"name":"\u202eS","watchers":[{"name":"w\u001b","kind":"page\t!","target":"a\nb","x":1}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Roster{Site: "Berlin", Prober: "p 1", Parts: 1, Sets: []RosterSet{{"S", []RosterWatcher{{Name: "w", Kind: "page !", Target: "a b"}}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("want -, got +\n" + diff)
	}
}

func TestParseBeat(t *testing.T) {
	want := Heartbeat{
		Site: "Berlin", Prober: "p1", Incarnation: 1767366245123, Seq: 17, Version: "1.0", Watchers: 14, Roster: 2, Missed: 3, Lag: Seconds(time.Millisecond),
		Rejected: `pharos.yaml: line 14: unknown key "thresold"`, Leaving: true, At: time.Date(2026, 1, 2, 15, 4, 5, 123e6, time.UTC),
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseHeartbeat(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("want -, got +\n" + diff)
	}
	for _, tt := range []struct {
		name, data string
		want       Heartbeat
		err        string
	}{
		{"the least", `{}`, Heartbeat{}, ""},
		{"texts are cleaned", `{"site":"a\nb","rejected":"\u0000x","version":"1\t0","new":true}`, Heartbeat{Site: "a b", Rejected: "x", Version: "1 0"}, ""},
		{"no JSON", `beat`, Heartbeat{}, "reading a message: not_json: invalid character 'b' looking for beginning of value"},
		{"negative watchers", `{"watchers":-1}`, Heartbeat{}, "reading a message: invalid: -1 watchers, want 0 to 100000"},
		{"too many watchers", `{"watchers":100001}`, Heartbeat{}, "reading a message: invalid: 100001 watchers, want 0 to 100000"},
		{"negative lag", `{"lag":-1}`, Heartbeat{}, "reading a message: not_json: -1 is not a number of seconds from 0 to a century"},
		{"negative uptime", `{"uptime":-1}`, Heartbeat{}, "reading a message: not_json: -1 is not a number of seconds from 0 to a century"},
	} {
		got, err := ParseHeartbeat([]byte(tt.data))
		if text := fmt.Sprint(err); err != nil && text != tt.err || err == nil && tt.err != "" {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: want -, got +\n%s", tt.name, diff)
		}
	}
}

func TestParseForget(t *testing.T) {
	const both = "reading a message: invalid: want one of prober and watcher"
	for _, tt := range []struct {
		data string
		want Forget
		err  string
	}{
		{`{"prober":"berlin/p1"}`, Forget{Prober: "berlin/p1"}, ""},
		{`{"watcher":"berlin.shop.home-page","by":"me"}`, Forget{Watcher: "berlin.shop.home-page"}, ""},
		{`{}`, Forget{}, both},
		{`{"prober":"a/b","watcher":"a.b.c"}`, Forget{}, both},
		{`{"prober":7}`, Forget{}, "reading a message: not_json: json: cannot unmarshal number into Go struct field Forget.prober of type string"},
	} {
		got, err := ParseForget([]byte(tt.data))
		if text := fmt.Sprint(err); err != nil && text != tt.err || err == nil && tt.err != "" {
			t.Errorf("%s: got %v, want %q", tt.data, err, tt.err)
		}
		if got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.data, got, tt.want)
		}
	}
}

func TestALinkIsOneThatABrowserMayBeSentTo(t *testing.T) {
	for link, want := range map[string]string{
		"https://wiki.example/shop?a=b": "https://wiki.example/shop?a=b", "http://wiki.example": "http://wiki.example",
		"javascript:alert(1)": "", "data:text/html,x": "", "https://a\nb": "", "https://" + strings.Repeat("a", MaxLink): "",
	} {
		parts, err := Roster{Parts: 1, Sets: []RosterSet{{"A", []RosterWatcher{{Name: "a", Link: link, Description: "what\nit is"}}}}}.Split(MaxMessage)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ParseRoster(parts[0])
		if err != nil {
			t.Fatal(err)
		}
		if w := r.Sets[0].Watchers[0]; w.Link != want || w.Description != "what it is" {
			t.Errorf("%q: got %q, %q", link, w.Link, w.Description)
		}
	}
}
