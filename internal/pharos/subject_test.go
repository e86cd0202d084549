package pharos

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSubject(t *testing.T) {
	for _, tt := range []struct {
		subject string
		want    Subject
		name    string // ID or ProberID
	}{
		{"pharos.result.berlin.p1.shop.home-page", Subject{Type: MessageResult, Site: "berlin", Prober: "p1", Set: "shop", Watcher: "home-page"}, "berlin.shop.home-page"},
		{"pharos.push.x--z4vl6dc3.a-b--fzztnxeo._", Subject{Type: MessagePush, Site: "x--z4vl6dc3", Set: "a-b--fzztnxeo", Watcher: "_"}, "x--z4vl6dc3.a-b--fzztnxeo._"},
		{"pharos.roster.berlin.p1.0", Subject{Type: MessageRoster, Site: "berlin", Prober: "p1"}, "berlin/p1"},
		{"pharos.roster.berlin.p1.511", Subject{Type: MessageRoster, Site: "berlin", Prober: "p1", Part: 511}, "berlin/p1"},
		{"pharos.heartbeat.berlin.p1", Subject{Type: MessageHeartbeat, Site: "berlin", Prober: "p1"}, "berlin/p1"},
		{"pharos.forget", Subject{Type: MessageForget}, "/"},
	} {
		got, err := ParseSubject(tt.subject)
		if err != nil {
			t.Errorf("%s: %v", tt.subject, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: want -, got +\n%s", tt.subject, diff)
		}
		name, again := got.ProberID(), ""
		switch got.Type {
		case MessageResult:
			name, again = string(got.ID()), ResultSubject(got.Prober, got.ID())
			if got.ProberID() != "berlin/p1" {
				t.Errorf("%s: sent by %q", tt.subject, got.ProberID())
			}
		case MessagePush:
			name, again = string(got.ID()), PushSubject(got.ID())
			if got.ID().Site() != got.Site {
				t.Errorf("%s: the site of its id is %q", tt.subject, got.ID().Site())
			}
		case MessageRoster:
			again = RosterSubject(got.Site, got.Prober, got.Part)
		case MessageHeartbeat:
			again = HeartbeatSubject(got.Site, got.Prober)
		case MessageForget:
			again = SubjectForget
		}
		if name != tt.name || again != tt.subject {
			t.Errorf("%s: names %q, made again %q", tt.subject, name, again)
		}
	}
}

func TestParseSubjectRefuses(t *testing.T) {
	const want = "want pharos.result.SITE.PROBER.SET.WATCHER, pharos.push.SITE.SET.WATCHER, pharos.roster.SITE.PROBER.PART or pharos.heartbeat.SITE.PROBER"
	long := "pharos.result." + strings.Repeat("a.", 200) + "a"
	for _, tt := range []struct{ subject, want string }{
		{"", `reading subject "": not one of ours`},
		{"other.result.a.b.c", `reading subject "other.result.a.b.c": not one of ours`},
		{"pharos", `reading subject "pharos": not one of ours`},
		{long, `reading subject "` + long[:64] + `": not one of ours`},
		{"pharos.", `reading subject "pharos.": ` + want},
		{"pharos.refresh", `reading subject "pharos.refresh": ` + want},
		{"pharos.result.a.b", `reading subject "pharos.result.a.b": ` + want},
		{"pharos.result.a.b.c", `reading subject "pharos.result.a.b.c": ` + want},
		{"pharos.result.a.b.c.d.e", `reading subject "pharos.result.a.b.c.d.e": ` + want},
		{"pharos.push.a.b", `reading subject "pharos.push.a.b": ` + want},
		{"pharos.push.a.b.c.d", `reading subject "pharos.push.a.b.c.d": ` + want},
		{"pharos.heartbeat.a.b.c", `reading subject "pharos.heartbeat.a.b.c": ` + want},
		{"pharos.forget.a", `reading subject "pharos.forget.a": ` + want},
		{"pharos.result.p.a.*.c", `reading subject "pharos.result.p.a.*.c": "*" is not a token`},
		{"pharos.result.p.a.b.>", `reading subject "pharos.result.p.a.b.>": ">" is not a token`},
		{"pharos.result.p.a..c", `reading subject "pharos.result.p.a..c": "" is not a token`},
		{"pharos.push.A.b.c", `reading subject "pharos.push.A.b.c": "A" is not a token`},
		{"pharos.result.p.a.b.c\x00", `reading subject "pharos.result.p.a.b.c\x00": "c\x00" is not a token`},
		{"pharos.heartbeat.a.b c", `reading subject "pharos.heartbeat.a.b c": "b c" is not a token`},
		{"pharos.roster.a.b.x", `reading subject "pharos.roster.a.b.x": "x" is not a part's number`},
		{"pharos.roster.a.b.-1", `reading subject "pharos.roster.a.b.-1": "-1" is not a part's number`},
		{"pharos.roster.a.b.01", `reading subject "pharos.roster.a.b.01": "01" is not a part's number`},
		{"pharos.roster.a.b.+1", `reading subject "pharos.roster.a.b.+1": "+1" is not a part's number`},
		{"pharos.roster.a.b.512", `reading subject "pharos.roster.a.b.512": "512" is not a part's number`},
		{"pharos.roster.*.b.1", `reading subject "pharos.roster.*.b.1": "*" is not a token`},
	} {
		got, err := ParseSubject(tt.subject)
		if err == nil {
			t.Errorf("%q is taken as %+v", tt.subject, got)
			continue
		}
		if err.Error() != tt.want {
			t.Errorf("got  %s\nwant %s", err, tt.want)
		}
		if got != (Subject{}) {
			t.Errorf("%q: beside the error there is %+v", tt.subject, got)
		}
	}
}

func FuzzParseSubject(f *testing.F) {
	for _, subject := range []string{"pharos.push.berlin.shop.home-page", "pharos.result.berlin.p1.shop.home-page", "pharos.roster.a.b.17", "pharos.heartbeat.a.b", "pharos.forget", "pharos.refresh", "pharos.result.*.>.", ""} {
		f.Add(subject)
	}
	f.Fuzz(func(t *testing.T, subject string) {
		s, err := ParseSubject(subject)
		if err != nil {
			return
		}
		var again string
		switch s.Type {
		case MessageResult:
			again = ResultSubject(s.Prober, s.ID())
		case MessagePush:
			again = PushSubject(s.ID())
		case MessageRoster:
			again = RosterSubject(s.Site, s.Prober, s.Part)
		case MessageHeartbeat:
			again = HeartbeatSubject(s.Site, s.Prober)
		case MessageForget:
			again = SubjectForget
		}
		if again != subject {
			t.Errorf("%q is read as %+v, which is written %q", subject, s, again)
		}
	})
}
