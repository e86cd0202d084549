package schedule

import "time"

// grid is what phases are rounded down to: probes that start together share
// one wake-up, at the price of starting two together at a thousand a second.
const grid = 2 * time.Millisecond

// ring spreads the watchers of one interval evenly over it: each has a slot
// near the place that its name hashes to, so that adding one does not move the
// others.
type ring struct {
	taken []bool // a power of two
	count int
}

func newRing() *ring { return &ring{taken: make([]bool, 16)} }

// take takes a free slot, at or after the hash's place. It returns the place, in
// parts of 2^32 of the ring, which outlives a ring that grows, and its phase.
func (r *ring) take(hash uint64, interval time.Duration) (place uint64, phase time.Duration) {
	if r.count == len(r.taken) {
		wider := make([]bool, 2*len(r.taken))
		for i, t := range r.taken {
			wider[2*i] = t
		}
		r.taken = wider
	}
	r.count++
	n := len(r.taken)
	slot := int(hash >> 32 * uint64(n) >> 32)
	for r.taken[slot] {
		slot = (slot + 1) % n
	}
	r.taken[slot] = true
	phase = time.Duration(float64(interval) * float64(slot) / float64(n))
	return uint64(slot) << 32 / uint64(n), phase.Truncate(grid)
}

func (r *ring) release(place uint64) {
	r.taken[place*uint64(len(r.taken))>>32] = false
	r.count--
}
