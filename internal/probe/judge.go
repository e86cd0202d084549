package probe

import (
	"context"
	"strconv"
	"time"

	"pharos/internal/pharos"
)

// fail makes r critical, with one line that says why.
func fail(r *pharos.Result, summary string) {
	r.Status, r.Summary = pharos.Critical, summary
}

// unable makes r unknown: the prober itself could not look.
func unable(r *pharos.Result, summary string) {
	r.Status, r.Summary = pharos.Unknown, summary
}

// judgeValue sets the status from the thresholds on a command's value.
func judgeValue(r *pharos.Result, t pharos.Thresholds) {
	status, bound := t.Judge(r.Value.V)
	r.Status = status
	if status == pharos.OK {
		return
	}
	b := appendValue(nil, r.Value.V, r.Unit)
	b = append(b, ", wanted "...)
	b = append(b, side(t, bound)...)
	b = appendValue(b, bound, r.Unit)
	r.Summary = string(b)
}

// judgeTimes sets the status from the thresholds on a page's total and on its
// phases.
func judgeTimes(r *pharos.Result, w *pharos.Watcher, phases [len(pharos.PhaseNames)]time.Duration) {
	total := seconds(r.Value.V)
	status, bound := w.Thresholds.Judge(total.Seconds())
	if status != pharos.OK {
		b := appendTime(nil, total)
		b = append(b, ", wanted "...)
		b = append(b, side(w.Thresholds, bound)...)
		b = appendTime(b, seconds(bound))
		if slowest := slowest(phases); status == pharos.Critical || bound != w.Thresholds.TooFast {
			b = append(b, "; "...)
			b = append(b, pharos.PhaseNames[slowest]...)
			b = append(b, " took "...)
			b = appendTime(b, phases[slowest])
		}
		r.Summary = string(b)
	}
	for i, t := range w.PhaseThresholds {
		if !t.Set() {
			continue
		}
		took := phases[i]
		of, bound := t.Judge(took.Seconds())
		if of <= status {
			continue
		}
		status = of
		b := append([]byte(pharos.PhaseNames[i]), " took "...)
		b = appendTime(b, took)
		b = append(b, ", wanted "...)
		b = append(b, side(t, bound)...)
		b = appendTime(b, seconds(bound))
		r.Summary = string(b)
	}
	r.Status = status
}

// side says on which side of a passed bound a value was wanted.
func side(t pharos.Thresholds, bound float64) string {
	if bound == t.TooFast || t.LessIsWorse() {
		return "over "
	}
	return "under "
}

func slowest(phases [len(pharos.PhaseNames)]time.Duration) int {
	most := 0
	for i, d := range phases {
		if d > phases[most] {
			most = i
		}
	}
	return most
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func appendValue(b []byte, v float64, unit string) []byte {
	b = strconv.AppendFloat(b, v, 'g', 6, 64)
	if unit != "" && unit != "%" {
		b = append(b, ' ')
	}
	return append(b, unit...)
}

// appendTime appends a duration as people say it, in three digits: "1.84 s",
// "120 ms", "0.4 ms".
func appendTime(b []byte, d time.Duration) []byte {
	v, unit := d.Seconds(), " s"
	if d < time.Second {
		v, unit = v*1000, " ms"
	}
	if v >= 1000 || v <= -1000 {
		b = strconv.AppendFloat(b, v, 'f', 0, 64)
	} else {
		b = strconv.AppendFloat(b, v, 'g', 3, 64)
	}
	return append(b, unit...)
}

// sayTimeout says how long was waited: the timeout of the watcher, unless the
// run began so late that it had clearly less.
func sayTimeout(ctx context.Context, start time.Time, timeout time.Duration) string {
	deadline, _ := ctx.Deadline()
	waited := deadline.Sub(start)
	if late := timeout - waited; late >= 0 && late < timeout/10 {
		waited = timeout
	}
	return "timed out after " + string(appendTime(nil, waited))
}
