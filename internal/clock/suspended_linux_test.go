package clock

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestASuspensionIsNotTheWaitOfABusyMachine(t *testing.T) {
	now, reads := time.Hour, 0
	got := suspension(func(id int32) time.Duration {
		if reads++; reads == 2 || reads == 6 { // kept waiting before it reads a clock
			now += 80 * time.Millisecond
		}
		now += 100 * time.Nanosecond
		if id == unix.CLOCK_BOOTTIME {
			return now + time.Minute
		}
		return now
	})
	if off := (got - time.Minute).Abs(); off > time.Millisecond {
		t.Errorf("suspended for %v, want a minute", got)
	}
}
