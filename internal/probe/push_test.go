package probe

import (
	"context"
	"testing"
	"time"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

func TestPushes(t *testing.T) {
	says := func(s pharos.Status, summary string) pharos.Result {
		return pharos.Result{Status: s, Summary: summary, Value: pharos.Num(5), Unit: "GB", Detail: "all", Facts: []pharos.Fact{{Name: "files", Value: "42"}}}
	}
	for name, test := range map[string]struct {
		push Push
		want pharos.Outcome
		why  string
	}{
		"ok":                             {Push{Came: true, Result: says(pharos.OK, "done"), Age: 24 * time.Hour}, pharos.Measured, ""},
		"a warning":                      {Push{Came: true, Result: says(pharos.Warning, "nearly full")}, pharos.Warned, "nearly full"},
		"critical":                       {Push{Came: true, Result: says(pharos.Critical, "full")}, pharos.Failed, "full"},
		"unknown":                        {Push{Came: true, Result: says(pharos.Unknown, "what?")}, pharos.Unclear, "what?"},
		"waiting":                        {Push{Came: true, Result: says(pharos.Waiting, "")}, pharos.NotYet, ""},
		"late":                           {Push{Came: true, Result: says(pharos.OK, "done"), Age: 26 * time.Hour}, pharos.Failed, "nothing for 26 h, wanted every 25 h"},
		"late, and it was critical":      {Push{Came: true, Result: says(pharos.Critical, "full"), Age: 26 * time.Hour}, pharos.Failed, "nothing for 26 h, wanted every 25 h"},
		"late, and nothing can be heard": {Push{Came: true, Result: says(pharos.OK, ""), Age: 26 * time.Hour, Deaf: true}, pharos.Unclear, "what is pushed cannot be heard: no contact with NATS"},
		"in time, and deaf":              {Push{Came: true, Result: says(pharos.OK, ""), Deaf: true}, pharos.Measured, ""},
		"nothing yet":                    {Push{For: time.Hour}, pharos.NotYet, ""},
		"never anything":                 {Push{For: 26 * time.Hour}, pharos.Failed, "nothing for 26 h, wanted every 25 h"},
		"never anything, and deaf":       {Push{For: 26 * time.Hour, Deaf: true}, pharos.Unclear, "what is pushed cannot be heard: no contact with NATS"},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(Options{Pushed: func(pharos.WatcherID) Push { return test.push }})
			defer e.Close()
			p, err := e.Prepare(of(&pushSpec{Push: field.Duration(25 * time.Hour)}), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			m := p.Run(context.Background(), pharos.NewTrace(nil))
			if m.Outcome != test.want || m.Reason != test.why {
				t.Errorf("got %v %q, want %v %q", m.Outcome, m.Reason, test.want, test.why)
			}
			if test.push.Came && (m.Value.V != 5 || m.Unit != "GB" || m.Detail != "all" || factOf(m, "files") != "42" || factOf(m, "last word") == "") {
				t.Errorf("got %+v", m)
			}
		})
	}
}
