package board

import "time"

const (
	footerEvery = sweepEvery // how often the footer is made anew
	// footerPace is what a byte of the footer costs: one of 1.5 KB may be sent
	// every 30 ms, one of 30 KB every 0.6 s.
	footerPace = 20 * time.Microsecond
	// maxListed is how many probers the footer names; a notice counts the others.
	maxListed = 200
)

// footer is what screens are told of NATS, the probers and what is wrong with
// them. It is derived from the board's state, several times a second.
type footer struct {
	hops hops
	at   time.Duration // when it was derived
	soon bool          // something that is not to wait has changed
	news bool          // not yet in a frame
}

func (f *footer) cost() time.Duration {
	return time.Duration(len(f.hops.head)+len(f.hops.rest)) * footerPace
}

// due returns when the footer is to be derived again.
func (f *footer) due() time.Duration {
	if f.soon {
		return f.at + f.cost()
	}
	return f.at + max(footerEvery, f.cost())
}

// derive makes the footer anew.
func (b *Board) deriveFooter() {
	f := &b.footer
	if now := b.encodeHops(); !now.same(f.hops) {
		f.hops, f.news = now, true
	}
	f.at, f.soon = b.now, false
}
