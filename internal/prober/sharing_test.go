package prober

import (
	"testing"
	"testing/synctest"
	"time"

	"pharos/internal/clock"
	"pharos/internal/config"
	"pharos/internal/pharos"
)

func TestAProberWithTooMuchToDoGivesWorkAwayAndTakesItBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSharing(clock.New(clock.Never), "p1")
		s.adopt(&config.Config{Share: true, Weight: 2})
		second := func(lag time.Duration, missed uint64) {
			time.Sleep(time.Second)
			for _, who := range []string{"p1", "p2"} {
				s.hear(who, &pharos.Heartbeat{Incarnation: 1, Share: &pharos.Share{Roster: s.roster, Weight: 10}})
			}
			s.load(lag, missed)
			s.load(0, missed) // a heartbeat that answers who joins
			s.settle()
		}
		want := func(what string, weight int) {
			t.Helper()
			if got := s.said().Weight; got != weight {
				t.Errorf("%s: the weight is %d, want %d", what, got, weight)
			}
		}
		second(0, 0)
		want("at first", 20)
		for range busyFor - 1 {
			second(lateRuns, 0)
		}
		second(0, 0)
		want("late, but not for long", 20)
		for range busyFor {
			second(lateRuns, 0)
		}
		want("late for ten seconds", 10)
		for i := range 10 * busyFor {
			second(0, uint64(i+1))
		}
		want("missed ticks all the time", 2)
		for range calmFor - 1 {
			second(0, 10*busyFor)
		}
		want("calm for less than a minute", 2)
		second(0, 10*busyFor)
		want("calm for a minute", 5)
		for range 3 * calmFor {
			second(0, 10*busyFor)
		}
		want("calm for long", 20)
	})
}

func TestWhoHearsNothingKeepsItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSharing(clock.New(clock.Never), "p1")
		s.adopt(&config.Config{Share: true})
		beat := &pharos.Heartbeat{Incarnation: 1, Share: &pharos.Share{Roster: s.roster, Weight: 10}}
		s.hear("p1", beat)
		s.hear("p2", beat)
		if _, now, _ := s.settle(); len(now) != 2 {
			t.Fatalf("it shares among %v, want two", now)
		}
		time.Sleep(time.Minute)
		if _, now, changed := s.settle(); changed || len(now) != 2 {
			t.Errorf("without its own heartbeats it shares among %v", now)
		}
		s.hear("p1", beat)
		if _, now, _ := s.settle(); len(now) != 1 {
			t.Errorf("it hears itself and nobody else, and shares among %v", now)
		}
		s.hear("p2", &pharos.Heartbeat{Incarnation: 1, Share: &pharos.Share{Roster: s.roster + 1, Weight: 10}})
		s.hear("p3", &pharos.Heartbeat{Incarnation: 1, Share: &pharos.Share{Roster: s.roster, Weight: 10, Joining: true}})
		s.hear("p4", &pharos.Heartbeat{Incarnation: 1})
		if _, now, _ := s.settle(); len(now) != 1 {
			t.Errorf("it shares with another file, who joins or who does not share: %v", now)
		}
		s.hear("p3", beat)
		s.hear("p3", &pharos.Heartbeat{Incarnation: 1, Leaving: true, Share: beat.Share})
		if _, now, _ := s.settle(); len(now) != 1 {
			t.Errorf("it shares with who has left: %v", now)
		}
	})
}
