package board

import (
	"sync"
	"time"

	"pharos/internal/pharos"
)

// delay tells messages that have waited somewhere, in a process that was stopped
// or a cable that was cut, from those that are as young as they look: by the
// sender's own clock they come later than the quickest did.
type delay struct {
	uptime   time.Duration // that the last heartbeat told; zero: none yet
	at       time.Duration // when it came
	late     time.Duration // by how much later than the quickest
	quickest time.Duration // the time between the two clocks as the quickest heartbeat had it: when it came, less its uptime
}

const (
	// lateFrom is from when on a message is taken for older than it looks.
	lateFrom = pharos.HeartbeatInterval
	// clocksDrift is by how much two clocks may differ in a second at the most.
	clocksDrift = time.Second / 1000
)

// hear takes the uptime that a heartbeat tells, zero for a sender that does not.
func (d *delay) hear(uptime, at time.Duration) {
	gap, first := at-d.at, d.uptime == 0 || uptime < d.uptime
	d.uptime, d.at = uptime, at
	d.quickest += time.Duration(gap.Seconds() * float64(clocksDrift))
	late := at - uptime - d.quickest
	// What waited comes in a heap. Beats that come late one by one, each at its
	// time, are those of a machine whose clocks stood still for a while.
	steady := d.late >= lateFrom && gap > pharos.HeartbeatInterval/2 && late > d.late-lateFrom/4
	if uptime == 0 || first || late < 0 || steady {
		d.quickest, late = at-uptime, 0
	}
	d.late = late
}

// age returns how old a message is that has come since the last heartbeat.
func (d *delay) age() time.Duration {
	if d.late < lateFrom {
		return 0
	}
	return d.late
}

// delays sums up how long results waited from their arrival to their frame.
type delays struct {
	mu      sync.Mutex // guards buckets, count and sum
	buckets [len(DelayBounds)]uint64
	count   uint64
	sum     time.Duration
}

// DelayBounds are the upper bounds of the histogram of Delays, in seconds.
var DelayBounds = [...]float64{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25}

func (d *delays) observe(v time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count++
	d.sum += v
	for i, bound := range DelayBounds {
		if v.Seconds() <= bound {
			d.buckets[i]++
		}
	}
}

// Delays returns how long changes of status waited from their arrival here to
// their frame: their number, their sum, and how many took at most each of
// DelayBounds.
func (b *Board) Delays() (count uint64, sum time.Duration, atMost [len(DelayBounds)]uint64) {
	b.delay.mu.Lock()
	defer b.delay.mu.Unlock()
	return b.delay.count, b.delay.sum, b.delay.buckets
}
