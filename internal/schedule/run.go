package schedule

import (
	"container/heap"
	"context"
	"math"
	"strconv"
	"time"

	"pharos/internal/pharos"
)

// pool holds runs of one class: those that end within their interval, or those
// that do not. One that hangs takes no place from those that are well.
type pool struct {
	limit   int
	long    bool
	running int
	waiting []*entry
}

func (s *Scheduler) tick(e *entry, now time.Duration) {
	tick := e.due
	due, missed := e.next(now)
	e.due = due
	if e.running || e.waiting {
		missed++
	}
	e.missed += missed
	s.missed.Add(missed)
	switch {
	case e.waiting:
		s.busy(e, now)
	case e.running:
		// From here on it is one of those that take longer than their interval.
		if long := &s.pools[e.class()][1]; e.pool != long && long.running < long.limit {
			e.pool.running--
			s.admit(e.pool)
			e.pool = long
			long.running++
		}
	default:
		e.tick, e.waiting = tick, true
		e.pool.waiting = append(e.pool.waiting, e)
		s.admit(e.pool)
	}
}

// admit starts those that wait for a place in a pool, as far as there are any.
func (s *Scheduler) admit(p *pool) {
	for len(p.waiting) > 0 && p.running < p.limit {
		e := p.waiting[0]
		p.waiting = p.waiting[1:]
		p.running++
		s.start(e)
		heap.Fix(&s.queue, e.index)
	}
}

// busy reports that a watcher cannot be run for lack of a place. One that takes
// the places itself, since its runs go on until their timeout, stays as bad as it
// was seen to be.
func (s *Scheduler) busy(e *entry, now time.Duration) {
	what := e.class().String() + " runs"
	if e.pool.long {
		what += " that take longer than their intervals"
	}
	r := pharos.Result{Status: pharos.Unknown, Summary: "prober busy: " + strconv.Itoa(e.pool.running) + " " + what + " under way", Lag: pharos.Seconds(now - e.tick)}
	if e.pool.long && e.memory.status == pharos.Critical {
		r.Status, r.Facts = pharos.Critical, []pharos.Fact{{Name: "not checked again", Value: r.Summary}}
		r.Summary, r.Detail = e.last.summary, e.last.detail
		e.memory.observe(now, r.Status)
		s.tell(e, now, r)
		return
	}
	s.report(e, now, r, true)
}

func (s *Scheduler) start(e *entry) {
	s.running.Add(1)
	e.running, e.waiting, e.stalled, e.verdict = true, false, false, pharos.Waiting
	e.started.Store(0)
	run, cancel := context.WithTimeout(s.ctx, e.job.Watcher.Timeout)
	e.cancel = cancel
	e.trace.Store(nil)
	var entered func()
	if len(e.job.Watcher.Bounds.Parts) > 0 {
		entered = func() { s.entered(e) }
	}
	e.early = s.clock.Now() + e.after(0) + early
	s.runs.Add(1)
	go func() {
		defer s.runs.Done()
		trace, at := pharos.NewTrace(entered), time.Now()
		e.started.Store(int64(s.clock.Now()))
		e.trace.Store(trace)
		m := e.job.Run(run, trace)
		end, cancelled := s.clock.Now(), run.Err() == context.Canceled
		s.mu.Lock()
		defer s.mu.Unlock()
		s.doubtLocked()
		s.finish(e, &m, at, end, cancelled)
		s.armLocked()
	}()
}

// entered takes note of a phase that the run under way has begun.
func (s *Scheduler) entered(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !e.running || e.stalled || e.gone || e.idle {
		return
	}
	if next := e.nextPart(s.clock.Now()); next < e.early {
		e.early = next
		heap.Fix(&s.queue, e.index)
		s.armLocked()
	}
}

// judgeRunning judges a run that is still under way.
func (s *Scheduler) judgeRunning(e *entry, now time.Duration) {
	began := time.Duration(e.started.Load())
	if began == 0 { // its goroutine has not begun
		e.early = now + early
		return
	}
	lasted := now - began - early
	if lasted < 0 {
		e.early = min(began+e.after(0)+early, e.nextPart(now))
		return
	}
	e.early = min(began+e.after(max(lasted, 1))+early, e.nextPart(now))
	lasted += early
	m, under := e.soFar(lasted)
	v := judge(&e.job.Watcher.Bounds, m, true, under)
	r := pharos.Result{Running: true, Lag: pharos.Seconds(max(began-e.tick, 0)), At: time.Now().Add(-lasted)}
	switch {
	case v.status.Bad():
		e.verdict = pharos.Worst(e.verdict, v.status)
		r.Status, r.Value, r.Unit, r.Summary = v.status, pharos.Num(lasted.Seconds()), "s", v.summary
	case lasted >= e.job.Watcher.Interval:
		last := &e.last
		if last.seen { // what this process has not seen itself is not told
			r.Status = e.memory.status
		}
		r.Value, r.Unit, r.Text, r.Detail, r.Facts = last.value, last.unit, last.text, last.detail, last.facts
		r.Summary = "running " + pharos.SayTime(lasted.Truncate(time.Second))
		if r.Status != pharos.OK || lasted <= e.patience() {
			s.tell(e, now, r)
			return
		}
		// Green only while someone, just now, saw it green.
		r.Status, r.Summary = pharos.Unknown, "no answer for "+pharos.SayTime(lasted.Truncate(time.Second))
	default:
		return
	}
	s.report(e, now, r, false)
}

// soFar is what the run under way has measured, and the name of its phase. That
// may have ended, and the news of it be on the way here.
func (e *entry) soFar(lasted time.Duration) (m *pharos.Measurement, phase string) {
	m = new(pharos.Measurement)
	if e.job.Watcher.Traits.Timed {
		m.Value, m.Unit = pharos.Num(lasted.Seconds()), "s"
	}
	if trace := e.trace.Load(); trace != nil {
		var under int
		if m.Phases, under = trace.So(time.Now()); under >= 0 {
			m.Phases[under].Took -= pharos.Seconds(early)
			phase = m.Phases[under].Name
		}
	}
	return m, phase
}

// nextPart returns the next moment at which the phase under way has passed one of
// its bounds; never: there is none.
func (e *entry) nextPart(now time.Duration) time.Duration {
	next, trace := never, e.trace.Load()
	if trace == nil {
		return next
	}
	took, under := trace.So(time.Now())
	for _, part := range e.job.Watcher.Bounds.Parts {
		if under < 0 || took[under].Name != part.Name {
			continue
		}
		for _, bound := range [...]time.Duration{seconds(part.Warning), seconds(part.Critical)} {
			if at := now + bound - took[under].Took.Duration() + early; bound > 0 && at > now {
				next = min(next, at)
			}
		}
	}
	return next
}

// after returns by how long a run will have lasted at the next moment that is
// worth a look: a threshold, the interval, then each second.
func (e *entry) after(lasted time.Duration) time.Duration {
	next := time.Duration(math.MaxInt64)
	worth := [3]time.Duration{e.job.Watcher.Interval}
	if t := e.job.Watcher.Bounds.Value; e.job.Watcher.Traits.Timed {
		worth[1], worth[2] = seconds(t.Warning), seconds(t.Critical)
	}
	for _, d := range worth {
		if d > lasted && d < next {
			next = d
		}
	}
	if lasted > 0 {
		next = min(next, lasted+time.Second)
	}
	return next
}

// seconds returns a bound as a time; 0: there is none.
func seconds(bound pharos.Number) time.Duration {
	if !bound.OK || bound.V <= 0 || bound.V >= 1e9 {
		return 0
	}
	return time.Duration(bound.V * 1e9)
}

// patience is how long nothing may be known of the watcher at the most: so long
// after a tick, its result was due. A run that took longer than its interval and
// came out well makes the next one wait as long, and half as long again.
func (e *entry) patience() time.Duration {
	w := &e.job.Watcher
	usual := w.Interval + min(w.Interval, w.Timeout)
	if e.took > w.Interval {
		usual = max(usual, e.took+e.took/2)
	}
	return usual + slack
}

// finish takes what a run came to, if that is to be believed.
func (s *Scheduler) finish(e *entry, m *pharos.Measurement, at time.Time, end time.Duration, cancelled bool) {
	e.cancel()
	e.running, e.early = false, 0
	s.running.Add(-1)
	left, lasted := e.pool, end-time.Duration(e.started.Load())
	left.running--
	e.pool = &s.pools[e.class()][0]
	if lasted > e.job.Watcher.Interval {
		e.pool = &s.pools[e.class()][1]
	}
	s.admit(left)
	if e.gone {
		s.close(e)
		return
	}
	if e.idle {
		return
	}
	heap.Fix(&s.queue, e.index)
	if e.again {
		e.again = false
		s.hurried = append(s.hurried, e.job.Watcher.ID)
	}
	if cancelled || m.Outcome == pharos.NotYet {
		return
	}
	r := Judge(&e.job.Watcher, m, at)
	if m.Outcome == pharos.Unable {
		s.unable = unable{m.Reason, end}
	}
	if e.stalled && r.Status != pharos.OK {
		e.missed++
		s.missed.Add(1)
		if soon := end + firstRun; soon < e.due { // nothing is known, and would not be for long
			e.grid, e.due = e.due, soon
			heap.Fix(&s.queue, e.index)
		}
		return
	}
	s.finished.Add(1)
	r.Lag = pharos.Seconds(max(time.Duration(e.started.Load())-e.tick, 0))
	for worst := s.worstLag.Load(); int64(r.Lag) > worst && !s.worstLag.CompareAndSwap(worst, int64(r.Lag)); worst = s.worstLag.Load() {
	}
	if e.verdict > r.Status { // what was said while it ran is not taken back
		r.Status = e.verdict
		if r.Summary == "" {
			r.Summary = "took " + pharos.SayTime(lasted)
		}
	}
	if r.Status == pharos.OK || r.Status == pharos.Warning {
		if e.took = lasted; lasted > e.job.Watcher.Interval {
			slow := "a run took " + pharos.SayTime(lasted) + ", longer than the interval of " + pharos.SayTime(e.job.Watcher.Interval) + ": checked less often"
			r.Facts = append(r.Facts, pharos.Fact{Name: "too slow", Value: slow})
			if r.Summary == "" {
				r.Summary = slow
			}
		}
	}
	e.last = lastRun{true, r.Value, r.Unit, r.Text, r.Detail, r.Facts, r.Summary}
	s.report(e, s.clock.Now(), r, true)
}
