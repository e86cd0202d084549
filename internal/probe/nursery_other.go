//go:build !linux

package probe

// Without /proc a run's processes are known by their group alone, and the
// group is killed at the timeout only.

func awaitExit(int) bool { return false }

func (n *nursery) reap() {}

func killMarked(string) int { return 0 }

func processes() []int { return nil }

func parentOf(int) (parent int, dead bool) { return 0, false }
