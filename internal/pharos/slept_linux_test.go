package pharos

import (
	"testing"
	"time"
)

func TestSleptIsNotTheWaitOfABusyMachine(t *testing.T) {
	now, reads := time.Hour, 0
	got := slept(func(id uintptr) time.Duration {
		if reads++; reads == 2 || reads == 6 { // kept waiting before it reads a clock
			now += 80 * time.Millisecond
		}
		now += 100 * time.Nanosecond
		if id == boottime {
			return now + time.Minute
		}
		return now
	})
	if off := (got - time.Minute).Abs(); off > time.Millisecond {
		t.Errorf("slept %v, want a minute", got)
	}
}
