package schedule

import (
	"time"

	"pharos/internal/pharos"
)

// memory is what a watcher remembers of itself: since when it is in its status,
// and its last outages. Times are durations since the
// scheduler's base, and may lie before it.
type memory struct {
	status  pharos.Status
	since   time.Duration // of the status
	began   time.Duration // of the outage under way, while status is bad
	worst   pharos.Status // of the outage under way
	outages []outage      // over, newest first
	bad     int           // runs in a row that were critical
	good    int           // runs in a row that were ok
	down    bool          // fell, and has not risen again
	// The first status that this process saw, and when.
	first   pharos.Status
	firstAt time.Duration
}

type outage struct {
	status       pharos.Status
	began, ended time.Duration
}

// restore takes over what an earlier process remembered, as old as it is now.
// This process may have seen something itself in the meantime.
func (m *memory) restore(now time.Duration, r *pharos.Result) {
	since := now - r.For.Duration()
	open := r.OpenOutage()
	began := now - open.Lasted.Duration()
	past := make([]outage, 0, len(r.Flickers)+1)
	switch {
	case m.status == pharos.Waiting: // seen nothing
		m.status, m.since, m.began, m.worst = r.Status, since, began, open.Status
		if r.Status == pharos.Waiting { // nor had the earlier process, but before it an outage began
			m.status, m.since = open.Status, began
		}
		m.down = open.Status == pharos.Critical
	case open.Status.Bad() && !m.first.Bad():
		past = append(past, outage{open.Status, began, m.firstAt})
	default:
		if m.first == r.Status && m.since == m.firstAt {
			m.since = since
		}
		if open.Status.Bad() {
			m.reopen(began, open.Status)
		}
	}
	for _, f := range r.Flickers {
		past = append(past, outage{f.Status, now - (f.Ago + f.Lasted).Duration(), now - f.Ago.Duration()})
	}
	m.outages = append(m.outages, past...)
	m.outages = m.outages[:min(len(m.outages), pharos.MaxFlickers)]
}

// reopen lets the outage with which this process began be one with that in
// which the earlier one ended.
func (m *memory) reopen(began time.Duration, worst pharos.Status) {
	if m.status.Bad() && m.began == m.firstAt {
		m.began, m.worst = began, pharos.Worst(m.worst, worst)
		m.down = m.down || worst == pharos.Critical
		return
	}
	for i := range m.outages {
		if s := &m.outages[i]; s.began == m.firstAt {
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
		m.outages = append([]outage{{m.worst, m.began, now}}, m.outages[:min(len(m.outages), pharos.MaxFlickers-1)]...)
	}
	m.status, m.since = s, now
}

// underWay returns the outage under way; the zero Outage while there is none.
func (m *memory) underWay(now time.Duration) pharos.Outage {
	if !m.status.Bad() {
		return pharos.Outage{}
	}
	return pharos.Outage{Status: m.worst, Lasted: pharos.Seconds(now - m.began)}
}

// recall returns for how long the status has lasted, and the outages that are
// young enough to be told.
func (m *memory) recall(now time.Duration) (pharos.Seconds, []pharos.Flicker) {
	for n := len(m.outages); n > 0 && now-m.outages[n-1].ended > pharos.FlickerSpan; n-- {
		m.outages = m.outages[:n-1]
	}
	if len(m.outages) == 0 {
		return pharos.Seconds(now - m.since), nil
	}
	flickers := make([]pharos.Flicker, len(m.outages))
	for i, s := range m.outages {
		flickers[i] = pharos.Flicker{Status: s.status, Lasted: pharos.Seconds(s.ended - s.began), Ago: pharos.Seconds(now - s.ended)}
	}
	return pharos.Seconds(now - m.since), flickers
}
