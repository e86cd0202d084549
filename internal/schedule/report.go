package schedule

import (
	"strconv"
	"strings"
	"time"

	"pharos/internal/pharos"
)

// lastRun is what a run saw, as far as it is told again while the next one goes
// on and on.
type lastRun struct {
	seen               bool
	value              pharos.Number
	unit, text, detail string
	facts              []pharos.Fact
	summary            string
}

// report judges a result by the watcher's memory and sends it. A run that has
// ended counts for fall and rise, an early verdict does not yet.
func (s *Scheduler) report(e *entry, now time.Duration, r pharos.Result, ended bool) {
	w := &e.job.Watcher
	status := e.memory.fallAndRise(r.Status, w.Bounds.Fall, w.Bounds.Rise, ended)
	if status != r.Status {
		switch {
		case r.Status == pharos.OK:
			r.Summary = "ok again, " + strconv.Itoa(e.memory.good) + " of " + strconv.Itoa(w.Bounds.Rise) + " times"
		default:
			r.Summary = strings.TrimSuffix("bad "+strconv.Itoa(e.memory.bad+btoi(!ended))+" of "+strconv.Itoa(w.Bounds.Fall)+" times: "+r.Summary, ": ")
		}
		r.Status = status
	}
	e.memory.observe(now, status)
	s.tell(e, now, r)
}

func (s *Scheduler) tell(e *entry, now time.Duration, r pharos.Result) {
	w := &e.job.Watcher
	r.For, r.Flickers = e.memory.recall(now)
	r.Outage = pharos.Outage{}
	if open := e.memory.underWay(now); open != r.OpenOutage() { // more than status and for tell
		r.Outage = open
	}
	r.TTL = pharos.Seconds(max(e.due-now, 0) + min(w.Interval, w.Timeout) + slack)
	r.Missed = e.missed
	changed := r.Status != e.told.Status
	e.told = r
	s.o.Report(Report{ID: w.ID, Result: r, At: s.clock.Now()})
	if changed {
		s.hurried = append(s.hurried, s.made[w.ID]...)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
