package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"pharos/internal/clock"
)

func TestASuspensionCountsOnceItIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		suspended := time.Minute // before the clock was made
		c := clock.New(func() time.Duration { return suspended })
		time.Sleep(time.Second)
		suspended += 20 * time.Millisecond // the two clocks are read one after the other
		if c.Notice() || c.Now() != time.Second {
			t.Errorf("without a suspension the time is %v, want 1s", c.Now())
		}
		suspended = time.Minute + time.Hour
		if !c.Notice() || c.Now() != time.Second+time.Hour {
			t.Errorf("after an hour's suspension the time is %v, want 1h0m1s", c.Now())
		}
		if c.Notice() {
			t.Error("one suspension was noticed twice")
		}
	})
}

func TestTheMachinesOwnClock(t *testing.T) {
	c := clock.New(nil)
	if c.Notice() || c.Now() < 0 || c.Now() > time.Minute {
		t.Errorf("a new clock says %v", c.Now())
	}
}
