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
		{"pharos.result.berlin.shop.home-page", Subject{Kind: KindResult, Site: "berlin", Set: "shop", Watcher: "home-page"}, "berlin.shop.home-page"},
		{"pharos.result.x--z4vl6dc3.a-b--fzztnxeo._", Subject{Kind: KindResult, Site: "x--z4vl6dc3", Set: "a-b--fzztnxeo", Watcher: "_"}, "x--z4vl6dc3.a-b--fzztnxeo._"},
		{"pharos.roster.berlin.p1.0", Subject{Kind: KindRoster, Site: "berlin", Prober: "p1"}, "berlin/p1"},
		{"pharos.roster.berlin.p1.511", Subject{Kind: KindRoster, Site: "berlin", Prober: "p1", Part: 511}, "berlin/p1"},
		{"pharos.prober.berlin.p1", Subject{Kind: KindBeat, Site: "berlin", Prober: "p1"}, "berlin/p1"},
		{"pharos.forget", Subject{Kind: KindForget}, "/"},
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
		switch got.Kind {
		case KindResult:
			name, again = string(got.ID()), ResultSubject(got.ID())
			if got.ID().Site() != got.Site {
				t.Errorf("%s: the site of its id is %q", tt.subject, got.ID().Site())
			}
		case KindRoster:
			again = RosterSubject(got.Site, got.Prober, got.Part)
		case KindBeat:
			again = BeatSubject(got.Site, got.Prober)
		case KindForget:
			again = SubjectForget
		}
		if name != tt.name || again != tt.subject {
			t.Errorf("%s: names %q, made again %q", tt.subject, name, again)
		}
	}
}

func TestParseSubjectRefuses(t *testing.T) {
	const want = "want pharos.result.SITE.SET.WATCHER, pharos.roster.SITE.PROBER.PART or pharos.prober.SITE.PROBER"
	long := "pharos.result." + strings.Repeat("a.", 200) + "a"
	for _, tt := range []struct{ subject, want string }{
		{"", `reading subject "": not one of ours`},
		{"other.result.a.b.c", `reading subject "other.result.a.b.c": not one of ours`},
		{"pharos", `reading subject "pharos": not one of ours`},
		{long, `reading subject "` + long[:64] + `": not one of ours`},
		{"pharos.", `reading subject "pharos.": ` + want},
		{"pharos.refresh", `reading subject "pharos.refresh": ` + want},
		{"pharos.result.a.b", `reading subject "pharos.result.a.b": ` + want},
		{"pharos.result.a.b.c.d", `reading subject "pharos.result.a.b.c.d": ` + want},
		{"pharos.prober.a.b.c", `reading subject "pharos.prober.a.b.c": ` + want},
		{"pharos.forget.a", `reading subject "pharos.forget.a": ` + want},
		{"pharos.result.a.*.c", `reading subject "pharos.result.a.*.c": "*" is not a token`},
		{"pharos.result.a.b.>", `reading subject "pharos.result.a.b.>": ">" is not a token`},
		{"pharos.result.a..c", `reading subject "pharos.result.a..c": "" is not a token`},
		{"pharos.result.A.b.c", `reading subject "pharos.result.A.b.c": "A" is not a token`},
		{"pharos.result.a.b.c\x00", `reading subject "pharos.result.a.b.c\x00": "c\x00" is not a token`},
		{"pharos.prober.a.b c", `reading subject "pharos.prober.a.b c": "b c" is not a token`},
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

func TestSiteSubjects(t *testing.T) {
	results, rosters, beats := SiteSubjects("berlin")
	want := []string{"pharos.result.berlin.>", "pharos.roster.berlin.>", "pharos.prober.berlin.>"}
	if diff := cmp.Diff(want, []string{results, rosters, beats}); diff != "" {
		t.Error("want -, got +\n" + diff)
	}
}

func FuzzParseSubject(f *testing.F) {
	for _, subject := range []string{"pharos.result.berlin.shop.home-page", "pharos.roster.a.b.17", "pharos.prober.a.b", "pharos.forget", "pharos.refresh", "pharos.result.*.>.", ""} {
		f.Add(subject)
	}
	f.Fuzz(func(t *testing.T, subject string) {
		s, err := ParseSubject(subject)
		if err != nil {
			return
		}
		var again string
		switch s.Kind {
		case KindResult:
			again = ResultSubject(s.ID())
		case KindRoster:
			again = RosterSubject(s.Site, s.Prober, s.Part)
		case KindBeat:
			again = BeatSubject(s.Site, s.Prober)
		case KindForget:
			again = SubjectForget
		}
		if again != subject {
			t.Errorf("%q is read as %+v, which is written %q", subject, s, again)
		}
	})
}
