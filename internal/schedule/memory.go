package schedule

import (
	"time"

	"pharos/internal/pharos"
)

// memory is what a watcher remembers of itself: since when it is in its status,
// and its last spells that were not ok. Times are durations since the
// scheduler's base, and may lie before it.
type memory struct {
	status pharos.Status
	since  time.Duration // of the status
	began  time.Duration // of the spell under way, while status is bad
	worst  pharos.Status // of the spell under way
	spells []spell       // over, newest first
	bad    int           // runs in a row that were critical
	good   int           // runs in a row that were ok
	down   bool          // fell, and has not risen again
	// The first status that this process saw, and when.
	first   pharos.Status
	firstAt time.Duration
}

type spell struct {
	status       pharos.Status
	began, ended time.Duration
}

// restore takes over what an earlier process remembered, as old as it is now.
// This process may have seen something itself in the meantime.
func (m *memory) restore(now time.Duration, r *pharos.Result) {
	since := now - r.For.Duration()
	open := r.OpenOutage()
	began := now - open.Lasted.Duration()
	past := make([]spell, 0, len(r.Flickers)+1)
	switch {
	case m.status == pharos.Waiting: // seen nothing
		m.status, m.since, m.began, m.worst = r.Status, since, began, open.Status
		if r.Status == pharos.Waiting { // nor had the earlier process, but before it a spell began
			m.status, m.since = open.Status, began
		}
		m.down = open.Status == pharos.Critical
	case open.Status.Bad() && !m.first.Bad():
		past = append(past, spell{open.Status, began, m.firstAt})
	default:
		if m.first == r.Status && m.since == m.firstAt {
			m.since = since
		}
		if open.Status.Bad() {
			m.reopen(began, open.Status)
		}
	}
	for _, f := range r.Flickers {
		past = append(past, spell{f.Status, now - (f.Ago + f.Lasted).Duration(), now - f.Ago.Duration()})
	}
	m.spells = append(m.spells, past...)
	m.spells = m.spells[:min(len(m.spells), pharos.MaxFlickers)]
}

// reopen lets the spell with which this process began be one with that in
// which the earlier one ended.
func (m *memory) reopen(began time.Duration, worst pharos.Status) {
	if m.status.Bad() && m.began == m.firstAt {
		m.began, m.worst = began, pharos.Worst(m.worst, worst)
		m.down = m.down || worst == pharos.Critical
		return
	}
	for i := range m.spells {
		if s := &m.spells[i]; s.began == m.firstAt {
			s.began, s.status = began, pharos.Worst(s.status, worst)
		}
	}
}

// fallAndRise applies fall and rise to the status of a run: the runs before the
// fall-th critical one, and those before the rise-th ok one after it, are
// warnings. Only a run that ended counts.
func (m *memory) fallAndRise(s pharos.Status, fall, rise int, ended bool) pharos.Status {
	bad, good, down := m.bad, m.good, m.down
	switch s {
	case pharos.Critical:
		bad, good = bad+1, 0
		if bad >= fall {
			down = true
		} else if !down {
			s = pharos.Warning
		}
	case pharos.OK:
		bad, good = 0, good+1
		if good >= rise {
			down = false
		} else if down {
			s = pharos.Warning
		}
	default:
		bad, good = 0, 0
	}
	if ended {
		m.bad, m.good, m.down = bad, good, down
	}
	return s
}

// observe notes that the watcher has the status now.
func (m *memory) observe(now time.Duration, s pharos.Status) {
	if m.first == pharos.Waiting {
		m.first, m.firstAt = s, now
	}
	if s == m.status {
		return
	}
	switch {
	case s.Bad() && !m.status.Bad():
		m.began, m.worst = now, s
	case s.Bad():
		m.worst = pharos.Worst(m.worst, s)
	case m.status.Bad():
		m.spells = append([]spell{{m.worst, m.began, now}}, m.spells[:min(len(m.spells), pharos.MaxFlickers-1)]...)
	}
	m.status, m.since = s, now
}

// underWay returns the spell under way; the zero OpenSpell while there is none.
func (m *memory) underWay(now time.Duration) pharos.Outage {
	if !m.status.Bad() {
		return pharos.Outage{}
	}
	return pharos.Outage{Status: m.worst, Lasted: pharos.Seconds(now - m.began)}
}

// recall returns for how long the status has lasted, and the spells that are
// young enough to be told.
func (m *memory) recall(now time.Duration) (pharos.Seconds, []pharos.Flicker) {
	for n := len(m.spells); n > 0 && now-m.spells[n-1].ended > pharos.FlickerSpan; n-- {
		m.spells = m.spells[:n-1]
	}
	if len(m.spells) == 0 {
		return pharos.Seconds(now - m.since), nil
	}
	flickers := make([]pharos.Flicker, len(m.spells))
	for i, s := range m.spells {
		flickers[i] = pharos.Flicker{Status: s.status, Lasted: pharos.Seconds(s.ended - s.began), Ago: pharos.Seconds(now - s.ended)}
	}
	return pharos.Seconds(now - m.since), flickers
}
