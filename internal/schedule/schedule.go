// Package schedule decides when each watcher is looked at, gives early
// verdicts on probes that are still under way, and keeps what each watcher
// remembers of itself.
package schedule

import (
	"container/heap"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pharos/internal/clock"
	"pharos/internal/pharos"
)

const (
	// slack is granted on top of the moment by which the next message of a
	// watcher is due, for the way from here to a board.
	slack = 2 * time.Second
	// early is how long after a threshold a probe that still runs is judged:
	// its own end may be on the way here.
	early = 20 * time.Millisecond
	// never is a moment that does not come.
	never = time.Duration(math.MaxInt64)
	// stall is how late the scheduler may wake before it distrusts what was
	// measured meanwhile: on a busy machine it is a few milliseconds.
	stall = 500 * time.Millisecond
	// firstRun bounds how long a watcher with a long interval waits for its
	// first run, and after a run that was not to be trusted for the next.
	firstRun = 2 * time.Second
	// unableFor is how long it is told that the prober could not run a watcher.
	unableFor = 10 * time.Second
)

// Limits are how many runs of each class may be under way at once, and as many
// again that take longer than their intervals.
type Limits [pharos.Classes]int

// DefaultLimits hold memory and processes in bounds on a small machine; a
// watcher never has more than one run under way, so few ever reach them.
var DefaultLimits = Limits{pharos.Socket: 4096, pharos.Handshake: 1024, pharos.Process: 256, pharos.Local: 4096}

// Job is one watcher and the function that runs it once. Run gets a context
// that ends at the watcher's timeout, and a trace for its phases; what it returns
// after the context was cancelled is thrown away.
type Job struct {
	Watcher pharos.Watcher
	Run     func(context.Context, *pharos.Trace) pharos.Measurement
	// Close, if not nil, is called when the job was replaced or removed and its
	// last run has ended.
	Close func()
}

// Report is the state of one watcher after something happened to it. Its
// durations were true at the moment At.
type Report struct {
	ID     pharos.WatcherID
	Result pharos.Result
	At     time.Duration
}

// Options are what a Scheduler needs. Report is called by one goroutine at a
// time, must not block, and must not call the scheduler.
type Options struct {
	Limits Limits // the zero value: DefaultLimits
	Report func(Report)
	// CoarseTimer keeps to Go's own timers, which are up to a millisecond late,
	// where a better clock is to be had.
	CoarseTimer bool
	Clock       *clock.Clock // of the times in reports; nil: the machine's
}

// Stats are counters since the start, but for WorstLag.
type Stats struct {
	Missed   uint64        // ticks that found their watcher still running, or the prober asleep
	Runs     uint64        // runs that ended
	Running  int           // runs under way
	WorstLag time.Duration // of the runs that ended since Stats was last asked
	Unable   string        // why the prober could not run a watcher, by its own fault, in the last seconds; empty: it could
}

// Scheduler runs jobs, each once an interval. A lock guards its state: handing
// each run's end to a goroutine that owned it cost two wake-ups a run.
type Scheduler struct {
	o       Options
	clock   *clock.Clock
	mu      sync.Mutex      // guards all below, and the entries; whatever touches them is called with it held
	ctx     context.Context // of Run; nil before it
	wake    waker           // nil before Run
	armed   time.Duration   // what wake is set to
	ended   bool
	entries map[pharos.WatcherID]*entry
	queue   dueHeap
	rings   map[time.Duration]*ring
	pools   [pharos.Classes][2]pool
	runs    sync.WaitGroup

	unable   string        // why the prober could not run a watcher, lately
	unableAt time.Duration // when

	missed, finished atomic.Uint64
	running          atomic.Int64
	worstLag         atomic.Int64
}

// pool holds runs of one class: those that end within their interval, or those
// that do not. One that hangs takes no place from those that are well.
type pool struct {
	limit   int
	long    bool
	running int
	waiting []*entry
}

// entry is one job on the schedule. All times are durations since the
// scheduler's base.
type entry struct {
	job   Job
	pool  *pool                        // in which it runs, waits, or will run next
	trace atomic.Pointer[pharos.Trace] // of the run under way; nil: no worker yet
	place uint64                       // in the ring of its interval
	grid  time.Duration                // the first tick of its phase

	due     time.Duration // the next tick
	early   time.Duration // the next look at the run under way; 0: none
	index   int           // in the heap; -1: not there
	started atomic.Int64  // when the run under way began; 0: no worker yet
	running bool
	waiting bool // for a free place in its pool
	stalled bool // the run under way is not to be trusted
	gone    bool
	cancel  context.CancelFunc

	tick    time.Duration // the tick of the run under way
	verdict pharos.Status // the worst early one of the run under way
	last    sight         // of the last run that ended
	took    time.Duration // by the last run that came out well
	told    pharos.Result // in the last report
	memory  memory
	missed  uint64
}

func (e *entry) class() pharos.Class { return e.job.Watcher.Traits.Class }

// sight is what a run saw, as far as it is told again while the next one goes
// on and on.
type sight struct {
	seen               bool
	value              pharos.Number
	unit, text, detail string
	facts              []pharos.Fact
	summary            string
}

func (e *entry) wake() time.Duration {
	if e.early > 0 && e.early < e.due {
		return e.early
	}
	return e.due
}

// New returns a scheduler without jobs.
func New(o Options) *Scheduler {
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits
	}
	if o.Clock == nil {
		o.Clock = clock.New(nil)
	}
	s := &Scheduler{
		o: o, clock: o.Clock,
		armed:   never,
		entries: map[pharos.WatcherID]*entry{}, rings: map[time.Duration]*ring{},
	}
	for c, limit := range o.Limits {
		s.pools[c] = [2]pool{{limit: limit}, {limit: limit, long: true}}
	}
	return s
}

// Update puts jobs on the schedule and drops watchers from it. A job for a
// watcher that is there replaces it and keeps its memory.
func (s *Scheduler) Update(put []Job, drop []pharos.WatcherID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended { // nothing will run any more
		for _, job := range put {
			s.close(&entry{job: job, gone: true})
		}
		return
	}
	s.updateLocked(put, drop)
	s.armLocked()
}

// Restore gives watchers what an earlier process remembered of them: their last
// results, as old as they are now. Those that have reported do so again.
func (s *Scheduler) Restore(past map[pharos.WatcherID]pharos.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restoreLocked(past)
}

// Stats returns the counters; asking resets WorstLag.
func (s *Scheduler) Stats() Stats {
	s.mu.Lock()
	unable := s.unable
	if s.clock.Now()-s.unableAt > unableFor {
		unable = ""
	}
	s.mu.Unlock()
	return Stats{
		Unable: unable, Missed: s.missed.Load(), Runs: s.finished.Load(), Running: int(s.running.Load()),
		WorstLag: time.Duration(s.worstLag.Swap(0)),
	}
}

// Run keeps the schedule until ctx is done, then waits for the runs under way,
// which are cancelled, and closes all jobs. It is called once.
func (s *Scheduler) Run(ctx context.Context) error {
	wake, err := newWaker(s.o.CoarseTimer)
	if err != nil {
		return fmt.Errorf("starting the schedule's clock: %w", err)
	}
	s.mu.Lock()
	s.ctx, s.wake = ctx, wake
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { _ = wake.Close() }) // Wait returns; closed again below
	defer stop()
	for ctx.Err() == nil {
		s.turn()
		if !wake.Wait() {
			break
		}
	}
	s.runs.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for _, e := range s.entries {
		e.gone = true
		s.close(e)
	}
	return wake.Close()
}

// turn does what is due, and sets the clock anew.
func (s *Scheduler) turn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubtLocked()
	s.fireLocked(s.clock.Now())
	s.armed = never
	s.armLocked()
}

// armLocked sets the clock to the next moment, if that is sooner than what it
// is set to. While a run is under way that is soon, whatever is due: only who
// wanted to wake can see that he was kept from it.
func (s *Scheduler) armLocked() {
	if s.wake == nil || len(s.queue) == 0 {
		return
	}
	next, now := s.queue[0].wake(), s.clock.Now()
	if s.running.Load() > 0 {
		next = min(next, now+stall)
	}
	if next < s.armed {
		s.armed = next
		s.wake.Arm(max(next-now, 0))
	}
}

// doubtLocked looks whether the machine was suspended or this process was stopped: then
// what the runs under way measure is not their targets' doing. Those that come
// out well are believed all the same.
func (s *Scheduler) doubtLocked() {
	if !s.clock.Notice() && s.clock.Now()-s.armed <= stall {
		return
	}
	for _, e := range s.entries {
		if e.running {
			e.early, e.stalled = 0, true
			heap.Fix(&s.queue, e.index)
		}
	}
}

func (s *Scheduler) close(e *entry) {
	if e.gone && e.job.Close != nil {
		e.job.Close()
		e.job.Close = nil
	}
}

func (s *Scheduler) restoreLocked(past map[pharos.WatcherID]pharos.Result) {
	now := s.clock.Now()
	for id, r := range past {
		if e := s.entries[id]; e != nil {
			e.memory.restore(now, &r)
			if e.told.Status != pharos.Waiting { // without what is remembered now
				s.tell(e, now, e.told)
			}
		}
	}
}

func (s *Scheduler) updateLocked(puts []Job, drop []pharos.WatcherID) {
	for _, id := range drop {
		if e := s.entries[id]; e != nil {
			delete(s.entries, id)
			s.retire(e)
		}
	}
	// In the order of their hashes, so that the same names get the same phases
	// whatever order the file has them in.
	put := slices.Clone(puts)
	slices.SortStableFunc(put, func(a, b Job) int {
		x, y := hash(a.Watcher.ID), hash(b.Watcher.ID)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	now := s.clock.Now()
	for _, job := range put {
		w := &job.Watcher
		e := &entry{job: job, index: -1}
		e.pool = &s.pools[e.class()][0]
		old := s.entries[w.ID]
		if old != nil {
			s.retire(old)
			e.memory, e.missed, e.last, e.took, e.told = old.memory, old.missed, old.last, old.took, old.told
		}
		s.place(e, old, now)
		s.entries[w.ID] = e
		heap.Push(&s.queue, e)
	}
}

// place gives the entry its phase and its first tick.
func (s *Scheduler) place(e, old *entry, now time.Duration) {
	interval := e.job.Watcher.Interval
	r := s.rings[interval]
	if r == nil {
		r = newRing()
		s.rings[interval] = r
	}
	place, phase := r.take(hash(e.job.Watcher.ID), interval)
	e.place = place
	e.grid = now + phase
	if old != nil && old.job.Watcher.Interval == interval {
		e.grid = old.due // its phase goes on
	}
	// The first run comes soon also where the interval is long; the ticks after
	// it are spread over all of the interval.
	e.due = e.grid
	if interval > firstRun {
		e.due = min(e.grid, now+time.Duration(float64(phase)*float64(firstRun)/float64(interval)))
	}
}

// next returns the tick after the one at due that has just been taken.
func (e *entry) next(now time.Duration) (due time.Duration, missed uint64) {
	interval := e.job.Watcher.Interval
	from := e.due
	if e.grid > e.due { // the run came before its phase
		from = e.grid - interval
	}
	passed := (now - from) / interval
	return from + (passed+1)*interval, uint64(passed)
}

func (s *Scheduler) retire(e *entry) {
	e.gone = true
	if e.index >= 0 {
		heap.Remove(&s.queue, e.index)
	}
	if r := s.rings[e.job.Watcher.Interval]; r != nil {
		r.release(e.place)
	}
	if e.waiting {
		e.pool.waiting = slices.DeleteFunc(e.pool.waiting, func(o *entry) bool { return o == e })
	}
	if e.running {
		e.cancel()
		return
	}
	s.close(e)
}

// fire takes all that is due.
func (s *Scheduler) fireLocked(now time.Duration) {
	for len(s.queue) > 0 {
		e := s.queue[0]
		if e.wake() > now {
			return
		}
		if e.early > 0 && e.early <= now {
			s.look(e, now)
		}
		if e.due <= now {
			s.tick(e, now)
		}
		heap.Fix(&s.queue, e.index)
	}
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
	if !e.running || e.stalled || e.gone {
		return
	}
	if next := e.nextPart(s.clock.Now()); next < e.early {
		e.early = next
		heap.Fix(&s.queue, e.index)
		s.armLocked()
	}
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

// look judges a run that is still under way.
func (s *Scheduler) look(e *entry, now time.Duration) {
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
	heap.Fix(&s.queue, e.index)
	if cancelled {
		return
	}
	v := judge(&e.job.Watcher.Bounds, m, false, "")
	r := pharos.Result{
		Status: v.status, Summary: v.summary, Value: m.Value, Unit: m.Unit, Text: m.Text, Detail: m.Detail, Facts: m.Facts, Phases: m.Phases, At: at,
	}
	if m.Outcome == pharos.Unable {
		s.unable, s.unableAt = m.Reason, end
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
	e.last = sight{true, r.Value, r.Unit, r.Text, r.Detail, r.Facts, r.Summary}
	s.report(e, s.clock.Now(), r, true)
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
	e.told = r
	s.o.Report(Report{ID: w.ID, Result: r, At: s.clock.Now()})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// dueHeap is a container/heap of entries by their next moment.
type dueHeap []*entry

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].wake() < h[j].wake() }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push appends; container/heap calls it.
func (h *dueHeap) Push(x any) {
	e := x.(*entry)
	e.index = len(*h)
	*h = append(*h, e)
}

// Pop removes the last; container/heap calls it.
func (h *dueHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.index = -1
	return e
}
