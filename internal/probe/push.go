package probe

import (
	"context"
	"time"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

var push = Kind{
	Key: "push", Doc: pushDoc,
	New: func() Spec { return new(pushSpec) },
}

const pushDoc = `Is what others say it is: a backup, a cron job, a sensor that reports by itself. When nothing comes in time it is critical. Its value is what is sent.

${{name: Backup, push: 25h}} wants a word every 25 hours, such as ${nats pub pharos.push.berlin.jobs.backup '{"status": "ok"}'}; ${--check -v} names the subject, and [wire.md](wire.md) says
what can be in it, and how to send it by HTTP. A status is believed until the next word. A restart forgets nothing where NATS has JetStream. ${thresholds} bound the value, in the unit in
which it is sent.`

type pushSpec struct {
	field.Section
	Push field.Duration `yaml:"push" also:"deadline heartbeat" doc:"How long it may be silent." required:"true"`
}

// Check implements Spec.
func (s *pushSpec) Check(c *field.Checker) {
	if s.Push != 0 && time.Duration(s.Push) < time.Second {
		c.Fail(s.At("push"), "push: want at least 1s, got %s", field.SayDuration(time.Duration(s.Push)))
	}
}

// Target implements Spec.
func (s *pushSpec) Target() string { return "every " + field.SayDuration(time.Duration(s.Push)) }

// Traits implements Spec.
func (s *pushSpec) Traits() pharos.Traits { return pharos.Traits{Class: pharos.Local, Pushed: true} }

// Prepare implements Spec.
func (s *pushSpec) Prepare(e *Engine, w pharos.Watcher) (Run, error) {
	deadline := time.Duration(s.Push)
	return func(context.Context, *Trace) (m Measurement) {
		p := e.pushed(w.ID)
		silent := p.For
		if p.Came {
			silent = p.Age
			r := &p.Result
			m.Value, m.Unit, m.Text, m.Detail = r.Value, r.Unit, r.Text, r.Detail
			m.AddFact("last word", pharos.HumanDuration(p.Age)+" ago")
			m.Facts = append(m.Facts, r.Facts...)
		}
		status := p.Result.Status // waiting: nothing came yet
		switch {
		case silent > deadline && p.Deaf:
			m.Outcome, m.Reason = pharos.Unclear, "what is pushed cannot be heard: no contact with NATS"
		case silent > deadline:
			m.Fail("nothing for " + pharos.SayTime(silent.Truncate(time.Second)) + ", wanted every " + pharos.SayTime(deadline))
		case status == pharos.OK:
			m.AddFact("says", p.Result.Summary)
		default:
			m.Outcome = map[pharos.Status]pharos.Outcome{
				pharos.Waiting: pharos.NotYet, pharos.Warning: pharos.Warned, pharos.Critical: pharos.Failed, pharos.Unknown: pharos.Unclear,
			}[status]
			m.Reason = p.Result.Summary
		}
		return m
	}, nil
}
