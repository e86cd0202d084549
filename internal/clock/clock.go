// Package clock measures time that goes on while the machine is suspended.
package clock

import (
	"sync/atomic"
	"time"
)

// tolerance is how far the two clocks behind Suspended may be apart though the
// machine was not suspended: they are not read at the same instant.
const tolerance = 50 * time.Millisecond

// Clock tells the time since it was made, the time for which the machine was
// suspended included. Go's monotonic clock leaves that time out. It is safe for
// concurrent use.
type Clock struct {
	start     time.Time
	suspended func() time.Duration
	before    time.Duration // suspended before start
	since     atomic.Int64  // nanoseconds suspended after start, as far as Notice has seen
}

// New returns a clock that starts now. suspended returns for how long the
// machine has been suspended since it was started; nil reads that from the
// machine. Tests with a fake clock pass Never.
func New(suspended func() time.Duration) *Clock {
	if suspended == nil {
		suspended = machineSuspended
	}
	return &Clock{start: time.Now(), suspended: suspended, before: suspended()}
}

// Never is the answer of a machine that was never suspended.
func Never() time.Duration { return 0 }

// Now returns the time since the clock was made. A suspension counts from the
// first call of Notice after it.
func (c *Clock) Now() time.Duration { return time.Since(c.start) + time.Duration(c.since.Load()) }

// Notice lets the clock jump by the time for which the machine was suspended since
// the last call, and reports whether it was.
func (c *Clock) Notice() bool {
	d := c.suspended() - c.before
	if (d - time.Duration(c.since.Load())).Abs() <= tolerance {
		return false
	}
	c.since.Store(int64(d))
	return true
}
