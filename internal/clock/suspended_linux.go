package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// machineSuspended returns for how long the machine has been suspended since it was
// started. Go's monotonic clock, like the kernel's CLOCK_MONOTONIC, does not
// count that time; CLOCK_BOOTTIME does (clock_gettime(2)).
func machineSuspended() time.Duration { return suspension(read) }

// suspension reads both clocks close together: on a busy machine a thread may be
// kept waiting between them, which looks like a suspension.
func suspension(read func(id int32) time.Duration) time.Duration {
	for {
		before, boot := read(unix.CLOCK_MONOTONIC), read(unix.CLOCK_BOOTTIME)
		if read(unix.CLOCK_MONOTONIC)-before < 5*time.Millisecond {
			return boot - before
		}
	}
}

func read(id int32) time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(id, &t) != nil {
		return 0 // the kernel has both clocks since 2.6.39
	}
	return time.Duration(t.Nano())
}
