package schedule

import (
	"slices"
	"strings"
	"time"

	"pharos/internal/pharos"
)

// Judge returns what a run that began at a moment comes to by itself: fall, rise and
// what is remembered are not looked at.
func Judge(w *pharos.Watcher, m *pharos.Measurement, at time.Time) pharos.Result {
	v := judge(&w.Bounds, m, false, "")
	return pharos.Result{
		Status: v.status, Summary: v.summary, Value: m.Value, Unit: m.Unit, Text: m.Text, Detail: m.Detail, Facts: m.Facts, Phases: m.Phases, At: at,
	}
}

// verdict is a status and one line that says why it is not ok.
type verdict struct {
	status  pharos.Status
	summary string
}

// judge makes a verdict of what a run measured: it is the only place where bounds
// are looked at, for runs that have ended and for those that have not. Of one that
// has not, what comes later only adds to what is measured so far; under is the
// phase under way.
func judge(b *pharos.Bounds, m *pharos.Measurement, running bool, under string) verdict {
	v := verdict{pharos.OK, ""}
	switch m.Outcome {
	case pharos.Failed:
		return verdict{pharos.Critical, m.Reason}
	case pharos.Unable:
		return verdict{pharos.Unknown, m.Reason}
	case pharos.Unclear:
		v = verdict{pharos.Unknown, m.Reason}
	case pharos.Warned:
		v = verdict{pharos.Warning, m.Reason}
	}
	if m.Value.OK {
		t := b.Value
		if !t.Set() {
			t = m.Bounds
		}
		if running { // it may yet come to be slow enough
			t.TooFast = pharos.Number{}
		}
		if status, bound := t.Judge(m.Value.V); status > v.status {
			v = verdict{status, passed(m.Value.V, bound.V, m.Unit)}
			if slowest := slowest(m.Phases); running {
				v.summary = still(bound, m.Unit)
			} else if slowest != nil && bound != t.TooFast {
				v.summary += "; " + sayPart(slowest.Name) + " " + pharos.SayTime(slowest.Took.Duration())
			}
		}
	}
	for _, part := range b.Parts {
		value, ok := measured(m, part.Name)
		if !ok {
			continue
		}
		status, bound := part.Judge(value)
		switch {
		case status <= v.status:
		case running && part.Name == under:
			v = verdict{status, sayPart(part.Name) + " " + still(bound, part.Unit)}
		default:
			v = verdict{status, sayPart(part.Name) + " " + pharos.Say(value, part.Unit) + ", " + passed(value, bound.V, part.Unit)}
		}
	}
	return v
}

// passed says on which side of a bound a value is.
func passed(value, bound float64, unit string) string {
	side := "over "
	switch {
	case value == bound:
		side = "at its bound of "
	case value < bound:
		side = "under "
	}
	return side + pharos.Say(bound, unit)
}

// still says that a time that still runs has passed a bound.
func still(bound pharos.Number, unit string) string {
	return "over " + pharos.Say(bound.V, unit) + " and still running"
}

// sayPart returns the name of a phase or a figure as people write it.
func sayPart(name string) string { return strings.ReplaceAll(name, "_", " ") }

// measured returns the phase, in seconds, or the figure of a name.
func measured(m *pharos.Measurement, name string) (float64, bool) {
	if i := slices.IndexFunc(m.Phases, func(p pharos.Phase) bool { return p.Name == name }); i >= 0 {
		return m.Phases[i].Took.Seconds(), true
	}
	if i := slices.IndexFunc(m.Figures, func(f pharos.Figure) bool { return f.Name == name }); i >= 0 {
		return m.Figures[i].Value, true
	}
	return 0, false
}

// slowest returns the phase that took longest; nil: there are none, or it took
// all the time there was.
func slowest(phases []pharos.Phase) *pharos.Phase {
	if len(phases) < 2 {
		return nil
	}
	most := &phases[0]
	for i := range phases {
		if phases[i].Took > most.Took {
			most = &phases[i]
		}
	}
	return most
}
