package board

import (
	"fmt"
	"testing"
	"time"

	"pharos/internal/pharos"
)

// crowd is a board of so many probers, each with its share of 10,000 watchers,
// that takes its inputs from the benchmark's own goroutine.
func crowd(b *testing.B, probers int, results bool) *Board {
	board := New(Options{})
	n := 10_000 / probers
	for i := range probers {
		site := fmt.Sprintf("site%d", i)
		roster := pharos.Roster{Site: site, Prober: "p", Incarnation: 1, Seq: 1, Parts: 1, Sets: []pharos.RosterSet{{Name: "set"}}}
		for j := range n {
			roster.Sets[0].Watchers = append(roster.Sets[0].Watchers, pharos.RosterWatcher{Name: fmt.Sprint("w", j), Network: true, Interval: pharos.Seconds(2 * time.Second)})
		}
		board.take(input{subject: pharos.Subject{Type: pharos.MessageRoster, Site: site, Prober: "p"}, roster: &roster})
		board.take(input{subject: pharos.Subject{Type: pharos.MessageHeartbeat, Site: site, Prober: "p"}, heartbeat: &pharos.Heartbeat{Incarnation: 1, Seq: 1, Roster: 1}})
		for j := range n {
			if results {
				s := pharos.Subject{Type: pharos.MessageResult, Site: site, Prober: "p", Set: "set", Watcher: fmt.Sprint("w", j)}
				board.take(input{subject: s, result: &pharos.Result{Status: pharos.Critical, Prober: "p", Incarnation: 1, Seq: 1, TTL: pharos.Seconds(time.Hour)}})
			}
		}
	}
	board.sort()
	if len(board.tiles) != 10_000 {
		b.Fatalf("%d tiles", len(board.tiles))
	}
	return board
}

func BenchmarkSweep(b *testing.B) {
	for _, probers := range []int{1, 1000} {
		for _, results := range []bool{false, true} {
			board := crowd(b, probers, results)
			b.Run(fmt.Sprintf("probers=%d/results=%v", probers, results), func(b *testing.B) {
				for b.Loop() {
					board.sweep()
				}
			})
		}
		board := crowd(b, probers, true)
		board.now = 11 * time.Minute
		b.Run(fmt.Sprintf("probers=%d/silent", probers), func(b *testing.B) {
			for b.Loop() {
				board.sweep()
			}
		})
	}
}

func BenchmarkRosterOfOne(b *testing.B) {
	board := crowd(b, 1000, true)
	s := pharos.Subject{Type: pharos.MessageRoster, Site: "site0", Prober: "p"}
	n := uint64(1)
	for b.Loop() {
		n++
		board.take(input{subject: s, roster: &pharos.Roster{Prober: "p", Incarnation: 1, Seq: n, Parts: 1, Sets: []pharos.RosterSet{{Name: "set", Watchers: []pharos.RosterWatcher{{Name: "w0"}}}}}})
	}
}

func BenchmarkGoodbye(b *testing.B) {
	board := crowd(b, 1000, true)
	s := pharos.Subject{Type: pharos.MessageHeartbeat, Site: "site0", Prober: "p"}
	n := uint64(1)
	for b.Loop() {
		n++
		board.take(input{subject: s, heartbeat: &pharos.Heartbeat{Incarnation: 1, Seq: n, Roster: 1, Leaving: n%2 == 0}})
	}
}

func BenchmarkStructure(b *testing.B) {
	board := crowd(b, 1000, true)
	for b.Loop() {
		board.sort()
	}
}
