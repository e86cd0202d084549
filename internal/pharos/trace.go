package pharos

import (
	"slices"
	"sync"
	"time"
)

// Trace notes how a run's time divides into phases. What a run has started may
// enter phases after its end: that is ignored. It is safe for concurrent use.
type Trace struct {
	entered func() // called after each phase that begins; may be nil

	mu    sync.Mutex // guards what follows
	start time.Time
	mark  time.Time // when the phase under way began, or was last counted
	under int       // the phase under way, in took; -1: none yet
	took  []Phase   // in the order in which they first began
	over  bool
}

// NewTrace returns the trace of a run that begins now.
func NewTrace(entered func()) *Trace {
	now := time.Now()
	return &Trace{entered: entered, start: now, mark: now, under: -1, took: make([]Phase, 0, 6)}
}

// Enter ends the phase under way and begins another, or goes on with one.
func (t *Trace) Enter(phase string) { t.EnterAt(phase, time.Now()) }

// EnterAt is Enter at a moment that has passed. Before the phase under way began,
// or was last counted, is when that was.
func (t *Trace) EnterAt(phase string, at time.Time) {
	t.mu.Lock()
	over := t.over
	if !over {
		if t.under >= 0 { // the moment before the first phase is its own
			t.countLocked(at)
		}
		t.under = t.indexLocked(phase)
	}
	t.mu.Unlock()
	if !over && t.entered != nil {
		t.entered()
	}
}

// Advance enters a phase if a certain other one is under way.
func (t *Trace) Advance(from, to string) {
	t.mu.Lock()
	advances := !t.over && t.under >= 0 && t.took[t.under].Name == from
	if advances {
		t.countLocked(time.Now())
		t.under = t.indexLocked(to)
	}
	t.mu.Unlock()
	if advances && t.entered != nil {
		t.entered()
	}
}

// Add counts time to a phase that was measured elsewhere.
func (t *Trace) Add(phase string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.took[t.indexLocked(phase)].Took += Seconds(took)
	}
}

// CountTo counts the phase under way up to a moment: what comes after it is none
// of what is watched.
func (t *Trace) CountTo(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.countLocked(at)
}

// Stop ends the run, at a moment at the latest to which it was counted. Nothing
// is noted any more.
func (t *Trace) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

func (t *Trace) countLocked(at time.Time) {
	if t.over || !at.After(t.mark) {
		return
	}
	if t.under >= 0 {
		t.took[t.under].Took += Seconds(at.Sub(t.mark))
	}
	t.mark = at
}

func (t *Trace) indexLocked(phase string) int {
	i := slices.IndexFunc(t.took, func(p Phase) bool { return p.Name == phase })
	if i < 0 {
		i = len(t.took)
		t.took = append(t.took, Phase{Name: phase})
	}
	return i
}

// Under returns the name of the phase under way, or "".
func (t *Trace) Under() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.under < 0 {
		return ""
	}
	return t.took[t.under].Name
}

// Start returns when the run began.
func (t *Trace) Start() time.Time { return t.start }

// Total returns the time from the start to where it was last counted.
func (t *Trace) Total() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mark.Sub(t.start)
}

// Phases returns how long each phase took, as far as it was counted.
func (t *Trace) Phases() []Phase {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(t.took), func(p Phase) bool { return p.Took <= 0 })
}

// So returns how long each phase has taken up to a moment, and which one is
// under way; -1: none.
func (t *Trace) So(now time.Time) (took []Phase, under int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	took = slices.Clone(t.took)
	if t.under >= 0 && now.After(t.mark) && !t.over {
		took[t.under].Took += Seconds(now.Sub(t.mark))
	}
	return took, t.under
}
