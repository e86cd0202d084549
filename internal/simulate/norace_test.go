//go:build !race

package simulate

// slow says that everything takes ten times as long, under the race detector.
const slow = false
