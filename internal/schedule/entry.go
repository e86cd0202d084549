package schedule

import (
	"context"
	"sync/atomic"
	"time"

	"pharos/internal/pharos"
)

// entry is one job on the schedule. All times are those of the scheduler's clock.
type entry struct {
	job  Job
	gone bool // off the schedule, although a run may be under way
	idle bool // another prober runs it
	ticks
	flight
	account
}

// ticks is when a watcher is run.
type ticks struct {
	place uint64        // in the ring of its interval
	grid  time.Duration // the first tick of its phase
	due   time.Duration // the next tick
	early time.Duration // the next look at the run under way; 0: none
	index int           // in the heap; -1: not there
}

// flight is the run under way, or the one that waits for a place.
type flight struct {
	pool    *pool                        // in which it runs, waits, or will run next
	tick    time.Duration                // that it is the run of
	started atomic.Int64                 // when it began; 0: no worker yet
	trace   atomic.Pointer[pharos.Trace] // nil: no worker yet
	cancel  context.CancelFunc
	running bool
	waiting bool          // for a free place in its pool
	stalled bool          // it is not to be trusted
	again   bool          // another is wanted at once
	verdict pharos.Status // the worst early one
}

// account is what is known of a watcher; it goes on when its job is replaced.
type account struct {
	memory memory
	last   lastRun       // of the last run that ended
	took   time.Duration // by the last run that came out well
	told   pharos.Result // in the last report
	missed uint64        // ticks
}

func (e *entry) class() pharos.Class { return e.job.Watcher.Traits.Class }

func (e *entry) wake() time.Duration {
	if e.early > 0 && e.early < e.due {
		return e.early
	}
	return e.due
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

// dueHeap is a container/heap of entries by their next moment.
type dueHeap []*entry

func (h dueHeap) Len() int { return len(h) }

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
