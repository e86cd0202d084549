//go:build !linux

package pharos

import "time"

// Slept returns 0: how long the machine was suspended is known on Linux alone.
func Slept() time.Duration { return 0 }
