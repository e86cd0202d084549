// Package schedule decides when each watcher is looked at, gives early
// verdicts on probes that are still under way, and keeps what each watcher
// remembers of itself.
package schedule

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"math"
	"slices"
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
	// takeWithin is the time over which the first runs of watchers are spread that
	// another prober ran before; takeEach is what each adds where they are many.
	takeWithin = 200 * time.Millisecond
	takeEach   = 500 * time.Microsecond
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
// each run's end to a goroutine that owned it cost two wake-ups a run. What it has
// more than ten fields for is one state that this lock guards.
type Scheduler struct {
	o       Options
	clock   *clock.Clock
	mu      sync.Mutex      // guards all below, and the entries; whatever touches them is called with it held
	ctx     context.Context // of Run; nil before it
	wake    waker           // nil before Run
	armed   time.Duration   // what wake is set to
	ended   bool
	entries map[pharos.WatcherID]*entry
	mine    func(pharos.WatcherID) bool // what is run here
	queue   dueHeap                     // without what is idle
	rings   map[time.Duration]*ring
	made    map[pharos.WatcherID][]pharos.WatcherID // of each watcher, those that are made of it
	hurried []pharos.WatcherID                      // which are to be run at once: the queue is not to be touched just now
	pools   [pharos.Classes][2]pool
	runs    sync.WaitGroup

	unable unable
	counters
}

// unable is the prober's own fault that kept it from running a watcher last.
type unable struct {
	reason string
	at     time.Duration
}

// counters are what Stats tells. They are safe for concurrent use.
type counters struct {
	missed, finished  atomic.Uint64
	running, worstLag atomic.Int64
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
		armed: never, mine: func(pharos.WatcherID) bool { return true },
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
	s.armLocked()
}

// Last returns what was reported last of a watcher, its durations as they were
// then; false: nothing yet.
func (s *Scheduler) Last(id pharos.WatcherID) (pharos.Result, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[id]
	if e == nil || e.told.Status == pharos.Waiting {
		return pharos.Result{}, false
	}
	return e.told, true
}

// Hurry has a watcher run at once, and on its ticks then as before.
func (s *Scheduler) Hurry(id pharos.WatcherID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hurried = append(s.hurried, id)
	s.armLocked()
}

// Changed has those run at once that are made of a watcher: its status, which is not
// known from here, has changed.
func (s *Scheduler) Changed(id pharos.WatcherID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hurried = append(s.hurried, s.made[id]...)
	s.armLocked()
}

// hurryLocked makes those due that are to be run at once.
func (s *Scheduler) hurryLocked() {
	now := s.clock.Now()
	for _, id := range s.hurried {
		e := s.entries[id]
		switch {
		case e == nil || e.idle || e.waiting:
		case e.running: // what it sees may be old
			e.again = true
		case e.due > now:
			e.grid, e.due = max(e.grid, e.due), now
			heap.Fix(&s.queue, e.index)
		}
	}
	s.hurried = s.hurried[:0]
}

// Assign says which watchers are run here; before it is called, all are. What is
// known of one that is not is dropped, its run under way as well. One that was not
// and is now is run within a moment.
func (s *Scheduler) Assign(mine func(pharos.WatcherID) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mine = mine
	var taken []*entry
	for id, e := range s.entries {
		switch own := mine(id); {
		case own && e.idle:
			taken = append(taken, e)
		case !own && !e.idle:
			s.rest(e)
		}
	}
	within := max(takeWithin, time.Duration(len(taken))*takeEach)
	for _, e := range taken {
		s.take(e, within)
	}
	s.armLocked()
}

// rest takes a watcher out of the queue.
func (s *Scheduler) rest(e *entry) {
	s.halt(e)
	e.idle, e.account = true, account{}
}

// take puts a watcher into the queue that was idle. Its phase goes on.
func (s *Scheduler) take(e *entry, within time.Duration) {
	now, interval := s.clock.Now(), e.job.Watcher.Interval
	e.idle = false
	if late := now - e.grid; late >= 0 {
		e.grid += (late/interval + 1) * interval
	}
	e.due = min(e.grid, now+time.Duration(float64(within)*float64(e.job.Watcher.ID.Hash()>>32)/(1<<32)))
	heap.Push(&s.queue, e)
}

// Stats returns the counters; asking resets WorstLag.
func (s *Scheduler) Stats() Stats {
	s.mu.Lock()
	unable := s.unable.reason
	if s.clock.Now()-s.unable.at > unableFor {
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
	s.hurryLocked()
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
		if e.running && !e.idle {
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
	slices.SortStableFunc(put, func(a, b Job) int { return cmp.Compare(a.Watcher.ID.Hash(), b.Watcher.ID.Hash()) })
	now := s.clock.Now()
	for _, job := range put {
		w := &job.Watcher
		e := &entry{job: job, ticks: ticks{index: -1}}
		e.pool = &s.pools[e.class()][0]
		old := s.entries[w.ID]
		if old != nil {
			s.retire(old)
			e.account = old.account
		}
		s.place(e, old, now)
		s.entries[w.ID] = e
		if e.idle = !s.mine(w.ID); !e.idle {
			heap.Push(&s.queue, e)
		}
	}
	s.made = make(map[pharos.WatcherID][]pharos.WatcherID)
	for id, e := range s.entries {
		for _, member := range e.job.Watcher.Traits.Of {
			s.made[member.ID] = append(s.made[member.ID], id)
		}
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
	place, phase := r.take(e.job.Watcher.ID.Hash(), interval)
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

func (s *Scheduler) retire(e *entry) {
	e.gone = true
	s.halt(e)
	if r := s.rings[e.job.Watcher.Interval]; r != nil {
		r.release(e.place)
	}
	if !e.running {
		s.close(e)
	}
}

// halt takes a watcher out of the queue and cancels its run.
func (s *Scheduler) halt(e *entry) {
	if e.index >= 0 {
		heap.Remove(&s.queue, e.index)
	}
	if e.waiting {
		e.pool.waiting = slices.DeleteFunc(e.pool.waiting, func(o *entry) bool { return o == e })
		e.waiting = false
	}
	if e.running {
		e.cancel()
	}
}

// fire takes all that is due.
func (s *Scheduler) fireLocked(now time.Duration) {
	for len(s.queue) > 0 {
		e := s.queue[0]
		if e.wake() > now {
			return
		}
		if e.early > 0 && e.early <= now {
			s.judgeRunning(e, now)
		}
		if e.due <= now {
			s.tick(e, now)
		}
		heap.Fix(&s.queue, e.index)
	}
}
