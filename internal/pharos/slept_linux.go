package pharos

import (
	"syscall"
	"time"
	"unsafe"
)

// Slept returns for how long the machine has been suspended since it was
// started. Go's monotonic clock, like the kernel's CLOCK_MONOTONIC, does not
// count that time; CLOCK_BOOTTIME does (clock_gettime(2)).
func Slept() time.Duration {
	const monotonic, boottime = 1, 7
	return clock(boottime) - clock(monotonic)
}

func clock(id uintptr) time.Duration {
	var ts syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0 // the kernel has both since 2.6.39
	}
	return time.Duration(ts.Nano())
}
