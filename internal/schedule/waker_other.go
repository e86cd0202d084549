//go:build !linux

package schedule

func newWaker(bool) (waker, error) { return newTimerWaker(), nil }
