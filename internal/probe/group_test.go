package probe

import (
	"context"
	"strings"
	"testing"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

func TestGroups(t *testing.T) {
	const O, W, U, C = pharos.OK, pharos.Warning, pharos.Unknown, pharos.Critical
	for name, test := range map[string]struct {
		of    []pharos.Status // 0: nothing is known yet
		least field.Int
		want  pharos.Outcome
		why   string
		share float64
	}{
		"all are ok":                 {[]pharos.Status{O, O, O}, 0, pharos.Measured, "", 100},
		"one is not":                 {[]pharos.Status{O, C, O}, 0, pharos.Failed, "B: why critical", 200. / 3},
		"two are not":                {[]pharos.Status{W, C, O, O}, 0, pharos.Failed, "2 of 4 are not ok: A, B", 50},
		"a warning":                  {[]pharos.Status{O, W}, 0, pharos.Warned, "B: why warning", 50},
		"unknown":                    {[]pharos.Status{O, U}, 0, pharos.Unclear, "B: why unknown", 50},
		"a warning beside unknown":   {[]pharos.Status{W, U}, 0, pharos.Warned, "2 of 2 are not ok: A, B", 0},
		"not all are known":          {[]pharos.Status{C, 0}, 0, pharos.NotYet, "", 0},
		"enough":                     {[]pharos.Status{O, C, O}, 2, pharos.Measured, "", 200. / 3},
		"not enough":                 {[]pharos.Status{O, C, C}, 2, pharos.Failed, "1 of 3 are ok, wanted 2; not B, C", 100. / 3},
		"enough with a warning":      {[]pharos.Status{O, W, C}, 2, pharos.Warned, "1 of 3 are ok, wanted 2; not B, C", 100. / 3},
		"enough with what may be ok": {[]pharos.Status{O, U, C}, 2, pharos.Unclear, "1 of 3 are ok, wanted 2; not B, C", 100. / 3},
		"never enough":               {[]pharos.Status{U, C, C}, 2, pharos.Failed, "0 of 3 are ok, wanted 2; not A, B, C", 0},
		"more than enough":           {[]pharos.Status{O, O, U}, 1, pharos.Measured, "", 200. / 3},
	} {
		t.Run(name, func(t *testing.T) {
			last := make(map[pharos.WatcherID]pharos.Result)
			spec := &groupSpec{AtLeast: test.least}
			w := of(spec)
			for i, status := range test.of {
				member := pharos.Named{Name: string(rune('A' + i)), ID: pharos.MakeID("local", "set", string(rune('a'+i)))}
				w.Traits.Of = append(w.Traits.Of, member)
				if status != pharos.Waiting {
					r := pharos.Result{Status: status}
					if status != O {
						r.Summary = "why " + status.String()
					}
					last[member.ID] = r
				}
			}
			e := New(Options{Last: func(id pharos.WatcherID) (pharos.Result, bool) { r, ok := last[id]; return r, ok }})
			defer e.Close()
			p, err := e.Prepare(w, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			m := p.Run(context.Background(), pharos.NewTrace(nil))
			if m.Outcome != test.want || m.Reason != test.why || m.Value.V != test.share {
				t.Errorf("got %v %q %v, want %v %q %v", m.Outcome, m.Reason, m.Value, test.want, test.why, test.share)
			}
			if lines := strings.Count(m.Detail, "\n") + 1; m.Outcome != pharos.NotYet && lines != len(test.of) {
				t.Errorf("got detail %q", m.Detail)
			}
		})
	}
	w := of(&groupSpec{AtLeast: 2})
	w.Traits.Of = []pharos.Named{{Name: "A"}}
	e := New(Options{})
	defer e.Close()
	if _, err := e.Prepare(w, nil); err == nil || !strings.Contains(err.Error(), "at_least: want at most 1, the number of its watchers, got 2") {
		t.Errorf("got %v", err)
	}
}
