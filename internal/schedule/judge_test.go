package schedule

import (
	"testing"
	"time"

	"pharos/internal/pharos"
)

func TestJudge(t *testing.T) {
	num := pharos.Num
	phases := func(tls, first time.Duration) []pharos.Phase {
		return []pharos.Phase{{Name: "tls", Took: pharos.Seconds(tls)}, {Name: "first_byte", Took: pharos.Seconds(first)}}
	}
	const ms = time.Millisecond
	page := pharos.Bounds{
		Value: pharos.Thresholds{TooFast: num(0.001), Warning: num(0.1), Critical: num(1)},
		Parts: []pharos.Part{
			{Name: "tls", Unit: "s", Thresholds: pharos.Thresholds{Warning: num(0.05)}},
			{Name: "certificate", Unit: "days", Thresholds: pharos.Thresholds{Warning: num(14), Critical: num(3), Less: true}},
		},
	}
	timed := func(total time.Duration, phases []pharos.Phase) pharos.Measurement {
		return pharos.Measurement{Value: num(total.Seconds()), Unit: "s", Phases: phases}
	}
	free := pharos.Bounds{Value: pharos.Thresholds{Warning: num(20), Critical: num(5)}}
	percent := func(v float64) pharos.Measurement { return pharos.Measurement{Value: num(v), Unit: "%"} }
	own := pharos.Measurement{Value: num(3), Unit: "days", Bounds: pharos.Thresholds{Warning: num(7), Critical: num(2), Less: true}}
	days := timed(20*ms, nil)
	days.Figures = []pharos.Figure{{Name: "certificate", Value: 2.5}}
	unclear := timed(120*ms, nil)
	unclear.Outcome, unclear.Reason = pharos.Unclear, "cannot rule out"
	unclearOnly := timed(20*ms, nil)
	unclearOnly.Outcome, unclearOnly.Reason = pharos.Unclear, "cannot rule out"
	const o, u, w, c = pharos.OK, pharos.Unknown, pharos.Warning, pharos.Critical
	for name, test := range map[string]struct {
		bounds  pharos.Bounds
		m       pharos.Measurement
		running bool
		under   string
		want    verdict
	}{
		"well":                             {page, timed(20*ms, phases(0, 20*ms)), false, "", verdict{o, ""}},
		"slow":                             {page, timed(120*ms, phases(10*ms, 110*ms)), false, "", verdict{w, "over 100 ms; first byte 110 ms"}},
		"slow, of one phase":               {page, timed(120*ms, phases(0, 120*ms)[1:]), false, "", verdict{w, "over 100 ms"}},
		"at its bound":                     {page, timed(time.Second, nil), false, "", verdict{c, "at its bound of 1 s"}},
		"very slow":                        {page, timed(1840*ms, phases(20*ms, 1820*ms)), false, "", verdict{c, "over 1 s; first byte 1.82 s"}},
		"too fast":                         {page, timed(400*time.Microsecond, phases(0, 400*time.Microsecond)), false, "", verdict{w, "under 1 ms"}},
		"not too fast while it runs":       {page, timed(400*time.Microsecond, nil), true, "", verdict{o, ""}},
		"a phase is slow":                  {page, timed(90*ms, phases(60*ms, 30*ms)), false, "", verdict{w, "tls 60 ms, over 50 ms"}},
		"a phase is slow and under way":    {page, timed(90*ms, phases(60*ms, 0)), true, "tls", verdict{w, "tls over 50 ms and still running"}},
		"a phase was slow":                 {page, timed(90*ms, phases(60*ms, 0)), true, "first_byte", verdict{w, "tls 60 ms, over 50 ms"}},
		"the whole is worse than a phase":  {page, timed(1100*ms, phases(60*ms, 1040*ms)), true, "first_byte", verdict{c, "over 1 s and still running"}},
		"a figure":                         {page, days, false, "", verdict{c, "certificate 2 days, under 3 days"}},
		"less is worse":                    {free, percent(12.5), false, "", verdict{w, "under 20%"}},
		"less is worse, critical":          {free, percent(5), false, "", verdict{c, "at its bound of 5%"}},
		"less is worse, well":              {free, percent(50), false, "", verdict{o, ""}},
		"bounds of the measurement's own":  {pharos.Bounds{}, own, false, "", verdict{w, "under 7 days"}},
		"the file's go before them":        {pharos.Bounds{Value: pharos.Thresholds{Warning: num(1), Less: true}}, own, false, "", verdict{o, ""}},
		"failed":                           {page, pharos.Measurement{Outcome: pharos.Failed, Reason: "connection refused"}, false, "", verdict{c, "connection refused"}},
		"the prober's own fault":           {page, pharos.Measurement{Outcome: pharos.Unable, Reason: "too many files", Value: num(9)}, false, "", verdict{u, "too many files"}},
		"what cannot be told":              {page, unclearOnly, false, "", verdict{u, "cannot rule out"}},
		"what cannot be told, and is slow": {page, unclear, false, "", verdict{w, "over 100 ms"}},
		"what says itself that it may be ill, and is worse": {free, pharos.Measurement{Outcome: pharos.Warned, Reason: "DISK WARNING", Value: num(4), Unit: "%"}, false, "", verdict{c, "under 5%"}},
		"what says itself that it may be ill":               {free, pharos.Measurement{Outcome: pharos.Warned, Reason: "DISK WARNING", Value: num(15), Unit: "%"}, false, "", verdict{w, "DISK WARNING"}},
	} {
		if got := judge(&test.bounds, &test.m, test.running, test.under); got != test.want {
			t.Errorf("%s: got %v %q, want %v %q", name, got.status, got.summary, test.want.status, test.want.summary)
		}
	}
}
