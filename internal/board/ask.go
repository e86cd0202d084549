package board

import "time"

const (
	// A prober is asked to publish again at growing distances while it does not
	// help: what it publishes takes a moment to arrive.
	askFirst, askMost = 4 * time.Second, time.Minute
	// askAllFrom is how many probers it takes to ask all of them with one message.
	askAllFrom = 5
)

// asks is when a prober is asked to publish everything again.
type asks struct {
	owed bool          // it is to be asked
	next time.Duration // not before
	gap  time.Duration // that follows the next time; 0: askFirst
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
		case b.now >= p.asks.next:
			due = append(due, p)
		default:
			b.asking = true
		}
	}
	for _, p := range due {
		gap := max(askFirst, p.asks.gap)
		p.asks = asks{next: b.now + gap, gap: min(2*gap, askMost)}
		if len(due) < askAllFrom {
			b.o.Refresh(p.id)
		}
	}
	if len(due) >= askAllFrom {
		b.o.Refresh("")
	}
}
