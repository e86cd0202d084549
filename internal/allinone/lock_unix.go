//go:build unix

package allinone

import (
	"errors"
	"os"
	"syscall"
)

// lockFile locks a file that is open, until it is closed. errTaken: another
// process has.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errTaken
	}
	return err
}
