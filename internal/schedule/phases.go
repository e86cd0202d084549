package schedule

import (
	"time"

	"pharos/internal/pharos"
)

// phases is for how long the phases of the run under way have lasted so far.
// Times are durations since the scheduler's base.
type phases struct {
	bounds [len(pharos.PhaseNames)]pharos.Thresholds
	took   [len(pharos.PhaseNames)]time.Duration // up to since
	now    int                                   // the phase under way; -1: none yet
	since  time.Duration                         // of the phase under way
}

// phasesOf returns what a run's phases are judged by; nil where the file bounds
// none, or where they are known only at the end: through ssh.
func phasesOf(w *pharos.Watcher) *phases {
	if w.Page == nil || w.SSHHost != "" {
		return nil
	}
	for _, t := range w.PhaseThresholds {
		if seconds(t.Warning) > 0 || seconds(t.Critical) > 0 {
			return &phases{bounds: w.PhaseThresholds}
		}
	}
	return nil
}

// begin forgets the run before.
func (p *phases) begin() { p.took, p.now = [len(pharos.PhaseNames)]time.Duration{}, -1 }

// enter ends the phase under way and begins another.
func (p *phases) enter(phase int, at time.Duration) {
	if p.now >= 0 {
		p.took[p.now] += at - p.since
	}
	p.now, p.since = phase, at
}

// next returns the next moment at which the phase under way has passed one of
// its bounds; never: there is none.
func (p *phases) next(now time.Duration) time.Duration {
	next := never
	if p.now < 0 {
		return next
	}
	t := p.bounds[p.now]
	for _, bound := range [...]time.Duration{seconds(t.Warning), seconds(t.Critical)} {
		if at := p.since + bound - p.took[p.now] + early; bound > 0 && at > now && at < next {
			next = at
		}
	}
	return next
}

// judge returns the worst that can be said of the phases so far, and the words
// for it. What comes later only adds to them.
func (p *phases) judge(now time.Duration) (worst pharos.Status, summary string) {
	worst = pharos.OK
	for i, t := range p.bounds {
		sure, took, does := p.took[i], p.took[i], " took "
		if i == p.now {
			took, does = took+now-p.since, " still running after "
			sure = max(sure, took-early)
		}
		status, bound := pharos.OK, time.Duration(0)
		switch warning, critical := seconds(t.Warning), seconds(t.Critical); {
		case critical > 0 && sure >= critical:
			status, bound = pharos.Critical, critical
		case warning > 0 && sure >= warning:
			status, bound = pharos.Warning, warning
		}
		if status > worst {
			worst = status
			summary = pharos.PhaseNames[i] + does + words(took) + ", wanted under " + words(bound)
		}
	}
	return worst, summary
}
