package probe

import (
	"slices"
	"sync"
	"time"

	"pharos/internal/pharos"
)

// trace notes when each phase of a run begins. What a run starts may still enter
// phases after the run has ended: that is ignored. It is safe for concurrent use.
type trace struct {
	entered func(phase int, at time.Time) // called for each phase, at once; nil: nobody is

	mu      sync.Mutex // guards what follows
	start   time.Time
	mark    time.Time // when the phase under way began, or was last counted
	phase   int       // under way, in pharos.PhaseNames
	took    [len(pharos.PhaseNames)]time.Duration
	attempt int // grows with each request: hooks of an earlier one are ignored
	over    bool
}

func newTrace(entered func(int, time.Time)) *trace {
	now := time.Now()
	return &trace{entered: entered, start: now, mark: now}
}

// enter ends the phase under way and begins another.
func (t *trace) enter(phase string) { t.enterAt(phase, time.Now()) }

func (t *trace) enterAt(phase string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.enterLocked(phase, at)
	}
}

func (t *trace) enterLocked(phase string, at time.Time) {
	t.took[t.phase] += max(at.Sub(t.mark), 0)
	if at.After(t.mark) {
		t.mark = at
	}
	t.phase = slices.Index(pharos.PhaseNames[:], phase)
	if t.entered != nil {
		t.entered(t.phase, t.mark)
	}
}

// advance enters a phase if a certain other one is under way.
func (t *trace) advance(from, to string) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over && pharos.PhaseNames[t.phase] == from {
		t.enterLocked(to, now)
	}
}

// request begins a request and returns its number, for hear.
func (t *trace) request() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.attempt++
	return t.attempt
}

// hear takes what a hook of a request says, unless a later request has begun or
// the run has ended.
func (t *trace) hear(attempt int, say func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over && attempt == t.attempt {
		say()
	}
}

// end counts the phase under way up to a moment.
func (t *trace) end(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.enterLocked(pharos.PhaseNames[t.phase], at)
}

// close ends the run: nothing is noted any more.
func (t *trace) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// under returns the name of the phase under way.
func (t *trace) under() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return pharos.PhaseNames[t.phase]
}

// phases returns how long each phase took, those that took no time left out.
func (t *trace) phases() []pharos.Phase {
	var all []pharos.Phase
	for i, took := range t.took {
		if took > 0 {
			all = append(all, pharos.Phase{Name: pharos.PhaseNames[i], Took: pharos.Seconds(took)})
		}
	}
	return all
}
