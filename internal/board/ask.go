package board

import (
	"time"

	"pharos/internal/pharos"
)

const (
	// A prober is asked to publish again at growing distances while it does not
	// help: what it publishes takes a moment to arrive.
	askFirst, askMost = 4 * time.Second, time.Minute
	// askAllFrom is how many probers it takes to ask all of them with one message.
	askAllFrom = 5
)

// asks is when a prober is asked to publish everything again.
type asks struct {
	owed    bool          // it is to be asked
	last    time.Duration // when it was
	gap     time.Duration // not again before that has passed; 0: it was not asked yet
	overdue time.Duration // when a tile of it was overdue last
}

// wellAgain lets the next trouble be asked about soon: what was asked for has come.
func (a *asks) wellAgain(now time.Duration) {
	if now-a.overdue > pharos.HeartbeatInterval {
		a.gap = min(a.gap, askFirst)
	}
}

// askFor has a prober asked to publish everything again, as soon as it may be.
func (b *Board) askFor(p *prober) { p.asks.owed, b.asking = true, true }

// sendAsks asks the probers that are owed it and may be asked now.
func (b *Board) sendAsks() {
	if !b.asking {
		return
	}
	b.asking = false
	var due []*prober
	for _, p := range b.probers {
		switch {
		case !p.asks.owed:
		case !p.up: // it publishes everything when it is back
			p.asks.owed = false
		case b.now >= p.asks.last+p.asks.gap:
			due = append(due, p)
		default:
			b.asking = true
		}
	}
	for _, p := range due {
		p.asks.owed, p.asks.last, p.asks.gap = false, b.now, min(max(askFirst, 2*p.asks.gap), askMost)
		if len(due) < askAllFrom {
			b.o.Refresh(p.id)
		}
	}
	if len(due) >= askAllFrom {
		b.o.Refresh("")
	}
}
