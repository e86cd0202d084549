//go:build !linux

package probe

import "syscall"

// Without a subreaper a run's processes are known by their group alone, and the
// group is killed at the timeout only.

func becomeSubreaper() {}

func groupOfItsOwn() *syscall.SysProcAttr { return newGroup() }

func awaitExit(int) bool { return false }

func orphans() []int { return nil }

func markOf(int, string) (string, bool) { return "", false }

func groupOf(int) int { return 0 }

func asleepForGood(int) bool { return false }

func nameOf(int) string { return "?" }
