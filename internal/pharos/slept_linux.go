package pharos

import (
	"syscall"
	"time"
	"unsafe"
)

// Slept returns for how long the machine has been suspended since it was
// started. Go's monotonic clock, like the kernel's CLOCK_MONOTONIC, does not
// count that time; CLOCK_BOOTTIME does (clock_gettime(2)).
func Slept() time.Duration { return slept(clock) }

const monotonic, boottime = 1, 7

// slept reads both clocks close together: on a busy machine a thread may be
// kept waiting between them, which looks like sleep.
func slept(clock func(id uintptr) time.Duration) time.Duration {
	for {
		before, boot := clock(monotonic), clock(boottime)
		if clock(monotonic)-before < 5*time.Millisecond {
			return boot - before
		}
	}
}

func clock(id uintptr) time.Duration {
	var ts syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0 // the kernel has both since 2.6.39
	}
	return time.Duration(ts.Nano())
}
