package schedule

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"pharos/internal/clock"
	"pharos/internal/pharos"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func page(name string, change func(*pharos.Watcher)) pharos.Watcher {
	w := pharos.Watcher{
		ID: pharos.MakeID("local", "set", name), Set: "set", Name: name,
		Interval: 2 * time.Second, Timeout: 10 * time.Second,
		Bounds: pharos.Bounds{Fall: 1, Rise: 1},
		Traits: pharos.Traits{Timed: true, Unit: "s", Network: true},
	}
	if change != nil {
		change(&w)
	}
	return w
}

// run is what a job does.
type run = func(context.Context, *pharos.Trace) pharos.Measurement

// outcome is what a run comes to that has a status without any bounds.
func outcome(s pharos.Status) pharos.Outcome {
	return map[pharos.Status]pharos.Outcome{pharos.OK: pharos.Measured, pharos.Warning: pharos.Warned, pharos.Critical: pharos.Failed, pharos.Unknown: pharos.Unclear}[s]
}

// takes is a run that lasts d and then has status s.
func takes(d time.Duration, s pharos.Status) run {
	return func(ctx context.Context, t *pharos.Trace) pharos.Measurement {
		select {
		case <-time.After(d):
			return pharos.Measurement{Outcome: outcome(s), Value: pharos.Num(d.Seconds()), Unit: "s"}
		case <-ctx.Done():
			return pharos.Measurement{Outcome: pharos.Failed, Value: pharos.Num(time.Since(t.Start()).Seconds()), Reason: "timed out"}
		}
	}
}

// play runs jobs on a fake clock while then lasts, and returns all reports and
// the scheduler's start.
func play(t *testing.T, limits Limits, jobs []Job, then func(ctx context.Context, s *Scheduler)) (reports []Report) {
	t.Helper()
	s := New(Options{Limits: limits, CoarseTimer: true, Clock: clock.New(clock.Never), Report: func(r Report) { reports = append(reports, r) }})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	s.Update(jobs, nil)
	then(ctx, s)
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return reports
}

func wait(d time.Duration) func(context.Context, *Scheduler) {
	return func(context.Context, *Scheduler) { time.Sleep(d) }
}

func TestEveryWatcherRunsOnceAnIntervalAndTheyAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 500
		began := map[string][]time.Duration{}
		var jobs []Job
		for i := range n {
			name := fmt.Sprintf("w%03d", i)
			jobs = append(jobs, Job{Watcher: page(name, nil), Run: takes(10*time.Millisecond, pharos.OK)})
		}
		reports := play(t, Limits{}, jobs, wait(10*time.Second+500*time.Millisecond))
		perSlot := map[time.Duration]int{}
		for _, r := range reports {
			began[string(r.ID)] = append(began[string(r.ID)], r.At)
			if r.Result.Lag.Duration() > time.Millisecond {
				t.Fatalf("%s began %v late", r.ID, r.Result.Lag)
			}
		}
		if len(began) != n {
			t.Fatalf("%d watchers ran, want %d", len(began), n)
		}
		for id, at := range began {
			if first := at[0]; first > 2*time.Second+20*time.Millisecond {
				t.Errorf("%s first ran after %v, want within its interval", id, first)
			}
			for i := 1; i < len(at); i++ {
				if gap := at[i] - at[i-1]; gap != 2*time.Second {
					t.Fatalf("%s: %v between runs, want 2 s", id, gap)
				}
			}
			perSlot[at[0].Truncate(20*time.Millisecond)]++
		}
		for slot, count := range perSlot {
			if count > 10 { // 5 each if perfectly even
				t.Errorf("%d watchers start within the same 20 ms at %v", count, slot)
			}
		}
	})
}

func TestPhasesStayWhenWatchersAreAdded(t *testing.T) {
	few, many := newRing(), newRing()
	phases := map[uint64]time.Duration{}
	for i := range 16 {
		h := pharos.WatcherID(fmt.Sprint("w", i)).Hash()
		_, phases[h] = few.take(h, 2*time.Second)
	}
	moved := 0
	for i := range 64 {
		h := pharos.WatcherID(fmt.Sprint("w", i)).Hash()
		_, got := many.take(h, 2*time.Second)
		if want, ok := phases[h]; ok && got != want {
			moved++
		}
	}
	if moved > 0 {
		t.Errorf("%d of 16 phases moved when 48 watchers came after them", moved)
	}
}

func TestARingGivesBackWhatItTookAlsoAfterItGrew(t *testing.T) {
	r := newRing()
	places := map[int]uint64{}
	for round := range 20 {
		for i := range 10 + 7*round {
			id := pharos.WatcherID(fmt.Sprint("w", i))
			if place, ok := places[i]; ok && i%3 == round%3 { // changed: replaced
				r.release(place)
				delete(places, i)
			}
			if _, ok := places[i]; !ok {
				places[i], _ = r.take(id.Hash(), 2*time.Second)
			}
		}
		free := 0
		for _, taken := range r.taken {
			if !taken {
				free++
			}
		}
		if r.count != len(places) || free != len(r.taken)-len(places) {
			t.Fatalf("round %d: %d entries, the ring counts %d and has %d of %d free", round, len(places), r.count, free, len(r.taken))
		}
	}
}

func TestLongIntervalsAreSpreadAfterTheFirstRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var jobs []Job
		for i := range 100 {
			jobs = append(jobs, Job{Watcher: page(fmt.Sprint("w", i), func(w *pharos.Watcher) { w.Interval = 20 * time.Second }), Run: takes(0, pharos.OK)})
		}
		reports := play(t, Limits{}, jobs, wait(60*time.Second-time.Millisecond))
		third := map[int]int{}
		for _, r := range reports {
			if at := r.At; at >= 40*time.Second {
				third[int(at/(2*time.Second))]++
			}
		}
		if len(third) != 10 {
			t.Errorf("in the third round they ran in %d of 10 spells of 2 s: %v", len(third), third)
		}
		for at, n := range third {
			if n > 20 {
				t.Errorf("%d of 100 ran within the same 2 s (%d)", n, at)
			}
		}
	})
}

func TestAChangedWatcherIsLookedAtSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := page("w", func(w *pharos.Watcher) { w.Interval = time.Hour })
		changedAt, lookedAt := time.Time{}, time.Time{}
		play(t, Limits{}, []Job{{Watcher: w, Run: takes(0, pharos.OK)}}, func(ctx context.Context, s *Scheduler) {
			time.Sleep(10 * time.Second)
			changedAt = time.Now()
			s.Update([]Job{{Watcher: w, Run: func(context.Context, *pharos.Trace) pharos.Measurement {
				if lookedAt.IsZero() {
					lookedAt = time.Now()
				}
				return pharos.Measurement{Outcome: pharos.Failed}
			}}}, nil)
			time.Sleep(10 * time.Second)
		})
		if lookedAt.IsZero() || lookedAt.Sub(changedAt) > firstRun {
			t.Errorf("changed at %v, looked at %v", changedAt, lookedAt)
		}
	})
}

func TestAHungCheckDoesNotStayGreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		run := func(ctx context.Context, trace *pharos.Trace) pharos.Measurement {
			if runs++; runs > 1 {
				return takes(time.Hour, pharos.OK)(ctx, trace)
			}
			return pharos.Measurement{}
		}
		w := page("w", func(w *pharos.Watcher) { w.Timeout = 10 * time.Minute })
		reports := play(t, Limits{}, []Job{{Watcher: w, Run: run}}, wait(5*time.Minute))
		var hung []Report
		for _, r := range reports {
			if r.Result.Running {
				hung = append(hung, r)
			}
		}
		if first := hung[0].Result; first.Status != pharos.OK || first.Summary != "running 2 s" {
			t.Errorf("at first it says %v %q", first.Status, first.Summary)
		}
		green := 0
		for _, r := range hung {
			if r.Result.Status == pharos.OK {
				green++
			}
		}
		if last := hung[len(hung)-1].Result; green > 6 || last.Status != pharos.Unknown || last.For.Duration() < 4*time.Minute {
			t.Errorf("it was green %d times while it hung, and after five minutes it is %v for %v", green, last.Status, last.For)
		}
	})
}

func TestSleepDoesNotTurnARunRed(t *testing.T) {
	for name, c := range map[string]struct {
		run  run
		want string
	}{
		"one that comes out well is believed": {takes(200*time.Millisecond, pharos.OK), "[ok]"},
		"one that does not is not":            {takes(200*time.Millisecond, pharos.Critical), "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var suspended atomic.Int64
				var said []string
				s := New(Options{CoarseTimer: true, Clock: clock.New(func() time.Duration { return time.Duration(suspended.Load()) }), Report: func(r Report) {
					if suspended.Load() > 0 && strings.HasSuffix(string(r.ID), ".w") {
						said = append(said, r.Result.Status.String())
					}
				}})
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- s.Run(ctx) }()
				w := page("w", func(w *pharos.Watcher) { w.Bounds.Value.Critical = pharos.Num(1) })
				run := func(ctx context.Context, trace *pharos.Trace) pharos.Measurement {
					suspended.CompareAndSwap(0, int64(time.Hour)) // while it is under way
					return c.run(ctx, trace)
				}
				other := page("other", func(w *pharos.Watcher) { w.Interval = 100 * time.Millisecond })
				other.Traits.Class = pharos.Handshake // another class; it wakes the scheduler
				s.Update([]Job{{Watcher: w, Run: run}, {Watcher: other, Run: takes(0, pharos.OK)}}, nil)
				time.Sleep(2*time.Second + 150*time.Millisecond)
				cancel()
				<-ended
				if got := fmt.Sprint(said[:min(len(said), 1)]); got != c.want {
					t.Errorf("after the sleep it said %v, want %s", said, c.want)
				}
			})
		})
	}
}

func TestAStoppedProcessDoesNotTurnARunRed(t *testing.T) {
	for name, c := range map[string]struct {
		turns int // those of the scheduler while the run is under way, each after a fifth of a second
		want  string
		next  string // by the time that the next run is over
	}{
		"stopped from the start": {1, "[]", "[ok]"},
		"stopped after a while":  {4, "[]", "[ok]"},
		"not stopped":            {11, "[critical]", "[critical]"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said []string
				s := New(Options{Clock: clock.New(clock.Never), Report: func(r Report) { said = append(said, r.Result.Status.String()) }})
				s.ctx, s.wake = t.Context(), newTimerWaker() // nobody waits for it: the process is stopped but for its turns
				defer s.wake.Close()
				w := page("w", func(w *pharos.Watcher) { w.Interval, w.Timeout = time.Minute, 2*time.Second })
				lasts := time.Hour
				run := func(ctx context.Context, trace *pharos.Trace) pharos.Measurement {
					defer func() { lasts = 0 }()
					return takes(lasts, pharos.OK)(ctx, trace)
				}
				s.Update([]Job{{Watcher: w, Run: run}}, nil)
				tick := s.entries[w.ID].grid
				time.Sleep(firstRun)
				for range c.turns {
					s.turn()
					time.Sleep(stall / 5 * 2)
				}
				s.runs.Wait()
				if got := fmt.Sprint(said); got != c.want {
					t.Errorf("a run that timed out said %v, want %s", said, c.want)
				}
				time.Sleep(firstRun)
				s.turn()
				s.runs.Wait()
				if got := fmt.Sprint(said); got != c.next {
					t.Errorf("soon after it they said %v, want %s", said, c.next)
				}
				if off := (s.entries[w.ID].due - tick) % w.Interval; off != 0 {
					t.Errorf("its ticks moved by %v", off)
				}
			})
		})
	}
}

func TestWhatComesAfterTheEndIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{CoarseTimer: true, Clock: clock.New(clock.Never), Report: func(Report) {}})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		closed := false
		s.Update([]Job{{Watcher: page("w", nil), Run: takes(0, pharos.OK), Close: func() { closed = true }}}, nil)
		if !closed {
			t.Error("a job that will never run was not closed")
		}
	})
}

func TestLongIntervalsRunSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var jobs []Job
		for i := range 20 {
			jobs = append(jobs, Job{Watcher: page(fmt.Sprint("w", i), func(w *pharos.Watcher) { w.Interval = time.Hour }), Run: takes(0, pharos.OK)})
		}
		reports := play(t, Limits{}, jobs, wait(2*time.Second))
		if len(reports) != 20 {
			t.Errorf("%d of 20 watchers with an interval of an hour ran in the first 2 s", len(reports))
		}
	})
}

func TestNoOverlapAndMissedTicksAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var under, most atomic.Int64
		run := func(ctx context.Context, trace *pharos.Trace) pharos.Measurement {
			most.Store(max(most.Load(), under.Add(1)))
			defer under.Add(-1)
			return takes(5*time.Second, pharos.OK)(ctx, trace)
		}
		var missed uint64
		reports := play(t, Limits{}, []Job{{Watcher: page("slow", nil), Run: run}}, func(ctx context.Context, s *Scheduler) {
			time.Sleep(12500 * time.Millisecond) // ticks at 0, 2, 4 (missed), 6, 8, 10 (missed), 12
			missed = s.Stats().Missed
		})
		if most.Load() != 1 {
			t.Errorf("%d runs at once", most.Load())
		}
		if missed != 4 {
			t.Errorf("%d ticks missed, want 4", missed)
		}
		if last := reports[len(reports)-1]; last.Result.Missed == 0 {
			t.Error("the result does not tell the missed ticks")
		}
	})
}

type seen struct {
	After   time.Duration
	Status  pharos.Status
	Running bool
	Value   float64
	Summary string
}

func show(reports []Report, offset time.Duration) []seen {
	var out []seen
	for _, r := range reports {
		v := math.Round(r.Result.Value.V*100) / 100
		out = append(out, seen{(r.At - offset).Round(10 * time.Millisecond), r.Result.Status, r.Result.Running, v, r.Result.Summary})
	}
	return out
}

func first(name string, change func(*pharos.Watcher), run run) []Job {
	w := page(name, change)
	return []Job{{Watcher: w, Run: run}}
}

func phase(w pharos.Watcher) time.Duration {
	_, p := newRing().take(w.ID.Hash(), w.Interval)
	return p
}

func TestEarlyVerdicts(t *testing.T) {
	limits := func(w *pharos.Watcher) {
		w.Bounds.Value = pharos.Thresholds{Warning: pharos.Num(0.1), Critical: pharos.Num(1)}
		w.Interval, w.Timeout = 20*time.Second, 3500*time.Millisecond
	}
	for name, c := range map[string]struct {
		change func(*pharos.Watcher)
		run    run
		want   []seen
	}{
		"a hang is yellow, then red at its thresholds, and climbs": {limits, takes(time.Minute, pharos.OK), []seen{
			{120 * time.Millisecond, pharos.Warning, true, 0.12, "over 100 ms and still running"},
			{1020 * time.Millisecond, pharos.Critical, true, 1.02, "over 1 s and still running"},
			{2020 * time.Millisecond, pharos.Critical, true, 2.02, "over 1 s and still running"},
			{3020 * time.Millisecond, pharos.Critical, true, 3.02, "over 1 s and still running"},
			{3500 * time.Millisecond, pharos.Critical, false, 3.5, "timed out"},
		}},
		"the end does not contradict": {limits, takes(1100*time.Millisecond, pharos.OK), []seen{
			{120 * time.Millisecond, pharos.Warning, true, 0.12, "over 100 ms and still running"},
			{1020 * time.Millisecond, pharos.Critical, true, 1.02, "over 1 s and still running"},
			{1100 * time.Millisecond, pharos.Critical, false, 1.1, "over 1 s"},
		}},
		"a run that ends in time has none": {limits, takes(90*time.Millisecond, pharos.OK), []seen{
			{90 * time.Millisecond, pharos.OK, false, 0.09, ""},
		}},
		"without thresholds it says running past its interval, and is not green before its first end": {
			func(w *pharos.Watcher) { w.Interval = time.Second },
			takes(2500*time.Millisecond, pharos.OK), []seen{
				{1020 * time.Millisecond, pharos.Waiting, true, 0, "running 1 s"},
				{2020 * time.Millisecond, pharos.Waiting, true, 0, "running 2 s"},
				{2500 * time.Millisecond, pharos.OK, false, 2.5, "a run took 2.5 s, longer than the interval of 1 s: checked less often"},
			}},
		"with fall 2 the first is yellow": {
			func(w *pharos.Watcher) { limits(w); w.Bounds.Fall = 2 },
			takes(1500*time.Millisecond, pharos.Critical), []seen{
				{120 * time.Millisecond, pharos.Warning, true, 0.12, "over 100 ms and still running"},
				{1020 * time.Millisecond, pharos.Warning, true, 1.02, "bad 1 of 2 times: over 1 s and still running"},
				{1500 * time.Millisecond, pharos.Warning, false, 1.5, "bad 1 of 2 times"},
			}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				jobs := first("w", c.change, c.run)
				offset := phase(jobs[0].Watcher)
				if i := jobs[0].Watcher.Interval; i > firstRun {
					offset = time.Duration(float64(offset) * float64(firstRun) / float64(i))
				}
				reports := play(t, Limits{}, jobs, wait(offset+3600*time.Millisecond))
				got := show(reports, offset)
				got = slices.DeleteFunc(got, func(s seen) bool { return s.After > 3550*time.Millisecond })
				if len(got) > len(c.want) && c.want[len(c.want)-1].After < 3*time.Second {
					got = got[:len(c.want)]
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error("reports, want -, got +\n" + diff)
				}
			})
		})
	}
}

// enters is a run that is in each phase for its time, one after the other, and
// then ok.
func enters(each ...phaseTime) run {
	return func(ctx context.Context, t *pharos.Trace) pharos.Measurement {
		for _, p := range each {
			t.Enter(p.name)
			select {
			case <-time.After(p.lasts):
			case <-ctx.Done():
				return pharos.Measurement{Outcome: pharos.Failed, Reason: "timed out"}
			}
		}
		t.CountTo(time.Now())
		return pharos.Measurement{Value: pharos.Num(t.Total().Seconds()), Unit: "s", Phases: t.Phases()}
	}
}

type phaseTime struct {
	name  string
	lasts time.Duration
}

func TestEarlyVerdictsOnPhases(t *testing.T) {
	const ms = time.Millisecond
	bounded := func(phases ...string) func(*pharos.Watcher) {
		return func(w *pharos.Watcher) {
			w.Interval, w.Timeout = 20*time.Second, 2500*ms
			for _, name := range phases {
				w.Bounds.Parts = append(w.Bounds.Parts, pharos.Part{Name: name, Unit: "s", Thresholds: pharos.Thresholds{Warning: pharos.Num(0.1), Critical: pharos.Num(0.3)}})
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*pharos.Watcher)
		run    run
		want   []seen
	}{
		"silent in connect it is yellow, then red at its thresholds": {bounded("connect"), enters(phaseTime{"lookup", 50 * ms}, phaseTime{"connect", time.Hour}), []seen{
			{170 * ms, pharos.Warning, true, 0.17, "connect over 100 ms and still running"},
			{370 * ms, pharos.Critical, true, 0.37, "connect over 300 ms and still running"},
			{1370 * ms, pharos.Critical, true, 1.37, "connect over 300 ms and still running"},
			{2370 * ms, pharos.Critical, true, 2.37, "connect over 300 ms and still running"},
			{2500 * ms, pharos.Critical, false, 0, "timed out"},
		}},
		"a phase that is over is told of": {bounded("connect"), enters(phaseTime{"connect", 310 * ms}, phaseTime{"first_byte", 400 * ms}), []seen{
			{120 * ms, pharos.Warning, true, 0.12, "connect over 100 ms and still running"},
			{320 * ms, pharos.Critical, true, 0.32, "connect 310 ms, over 300 ms"},
			{710 * ms, pharos.Critical, false, 0.71, "connect 310 ms, over 300 ms"},
		}},
		"as long as the run goes on": {bounded("connect"), enters(phaseTime{"connect", 350 * ms}, phaseTime{"first_byte", time.Second}), []seen{
			{120 * ms, pharos.Warning, true, 0.12, "connect over 100 ms and still running"},
			{320 * ms, pharos.Critical, true, 0.32, "connect over 300 ms and still running"},
			{1320 * ms, pharos.Critical, true, 1.32, "connect 350 ms, over 300 ms"},
			{1350 * ms, pharos.Critical, false, 1.35, "connect 350 ms, over 300 ms"},
		}},
		"the same phase again adds to it": {bounded("first_byte"), enters(phaseTime{"first_byte", 60 * ms}, phaseTime{"lookup", 20 * ms}, phaseTime{"first_byte", 100 * ms}), []seen{
			{140 * ms, pharos.Warning, true, 0.14, "first byte over 100 ms and still running"},
			{180 * ms, pharos.Warning, false, 0.18, "first byte 160 ms, over 100 ms"},
		}},
		"phases in time, or without a bound, have none": {bounded("connect", "transfer"),
			enters(phaseTime{"lookup", 400 * ms}, phaseTime{"connect", 90 * ms}, phaseTime{"first_byte", 400 * ms}, phaseTime{"transfer", 99 * ms}), []seen{
				{989 * ms, pharos.OK, false, 0.99, ""},
			}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				jobs := first("w", c.change, c.run)
				offset := time.Duration(float64(phase(jobs[0].Watcher)) * float64(firstRun) / float64(jobs[0].Watcher.Interval))
				reports := play(t, Limits{}, jobs, wait(offset+3*time.Second))
				for i := range c.want {
					c.want[i].After = c.want[i].After.Round(10 * ms)
				}
				if diff := cmp.Diff(c.want, show(reports, offset)); diff != "" {
					t.Error("reports, want -, got +\n" + diff)
				}
			})
		})
	}
}

func TestAHungClassTakesNothingFromAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var jobs []Job
		for i := range 20 {
			w := page(fmt.Sprint("hung", i), nil)
			w.Traits = pharos.Traits{Class: pharos.Process}
			jobs = append(jobs, Job{Watcher: w, Run: takes(time.Hour, pharos.OK)})
		}
		jobs = append(jobs, Job{Watcher: page("page", nil), Run: takes(time.Millisecond, pharos.OK)})
		reports := play(t, Limits{1, 1, 8, 1}, jobs, wait(8500*time.Millisecond))
		pages, busy := 0, 0
		for _, r := range reports {
			switch {
			case strings.Contains(string(r.ID), "page"):
				pages++
				if r.Result.Status != pharos.OK || r.Result.Lag.Duration() > time.Millisecond {
					t.Errorf("the page suffers: %v, %v late", r.Result.Status, r.Result.Lag)
				}
			case strings.HasPrefix(r.Result.Summary, "prober busy: 8 command runs"):
				busy++
				if r.Result.Status != pharos.Unknown {
					t.Errorf("a watcher without a worker is %v, want unknown", r.Result.Status)
				}
			}
		}
		if pages < 4 || busy < 8 {
			t.Errorf("%d runs of the page, want 4 or more; %d words of being busy, want 8 or more", pages, busy)
		}
	})
}

func TestHungRunsTakeNothingFromThoseOfTheirClass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var jobs []Job
		for i := range 14 {
			w := page(fmt.Sprint("hung", i), nil)
			jobs = append(jobs, Job{Watcher: w, Run: takes(time.Hour, pharos.OK)})
		}
		for i := range 4 {
			jobs = append(jobs, Job{Watcher: page(fmt.Sprint("well", i), nil), Run: takes(time.Millisecond, pharos.OK)})
		}
		reports := play(t, Limits{10, 1, 1, 1}, jobs, wait(5*time.Minute))
		well, hung := 0, map[pharos.Status]int{}
		for _, r := range reports {
			switch {
			case strings.Contains(string(r.ID), "well"):
				well++
				if r.Result.Status != pharos.OK {
					t.Errorf("one that is well is %v %q after %v", r.Result.Status, r.Result.Summary, r.At)
				}
			case r.At > 30*time.Second:
				hung[r.Result.Status]++
			}
		}
		if well < 4*149 {
			t.Errorf("those that are well ran %d times", well)
		}
		if len(hung) != 1 || hung[pharos.Critical] == 0 {
			t.Errorf("those that hang were %v, want critical alone", hung)
		}
	})
}

func TestARunThatAlwaysTakesLongerThanItsIntervalIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reports := play(t, Limits{}, []Job{{Watcher: page("w", nil), Run: takes(8*time.Second, pharos.OK)}}, wait(5*time.Minute))
		last := reports[len(reports)-1].Result
		for _, r := range reports {
			if r.At > 12*time.Second && r.Result.Status != pharos.OK {
				t.Errorf("after %v it is %v %q", r.At, r.Result.Status, r.Result.Summary)
			}
			if !r.Result.Running {
				last = r.Result
			}
		}
		if last.Summary != "a run took 8 s, longer than the interval of 2 s: checked less often" {
			t.Errorf("at last it says %q", last.Summary)
		}
	})
}

func TestWhoWaitsForAPlaceGetsTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var jobs []Job
		for i := range 3 {
			w := page(fmt.Sprint("w", i), func(w *pharos.Watcher) { w.Interval = 10 * time.Second })
			jobs = append(jobs, Job{Watcher: w, Run: takes(3*time.Second, pharos.OK)})
		}
		reports := play(t, Limits{1, 1, 1, 1}, jobs, wait(11*time.Second))
		ran := map[pharos.WatcherID]bool{}
		for _, r := range reports {
			if r.Result.Status == pharos.OK {
				ran[r.ID] = true
			}
		}
		if len(ran) != 3 {
			t.Errorf("%d of 3 watchers with one place ran in the time for three", len(ran))
		}
	})
}

func TestEachReportSaysByWhenTheNextIsDue(t *testing.T) {
	for name, c := range map[string]struct {
		change     func(*pharos.Watcher)
		takes      time.Duration
		atLeast    time.Duration // until the end of the next run that takes as long as it may
		notMuchGap time.Duration
	}{
		"the next run may take until the following tick": {nil, 100 * time.Millisecond, 3900 * time.Millisecond, slack},
		"or until its timeout":                           {func(w *pharos.Watcher) { w.Interval, w.Timeout = time.Hour, 10*time.Second }, 0, time.Hour/2 + 10*time.Second, time.Hour + slack},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reports := play(t, Limits{}, []Job{{Watcher: page("w", c.change), Run: takes(c.takes, pharos.OK)}}, wait(4*time.Second))
				if got := reports[0].Result.TTL.Duration(); got < c.atLeast || got > c.atLeast+c.notMuchGap {
					t.Errorf("the next is due within %v, want %v to %v", got, c.atLeast, c.atLeast+c.notMuchGap)
				}
			})
		})
	}
}

func TestARunThatWasCancelledSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := false
		run := func(ctx context.Context, trace *pharos.Trace) pharos.Measurement {
			began = true
			return takes(time.Hour, pharos.OK)(ctx, trace)
		}
		w := page("w", func(w *pharos.Watcher) { w.Interval = 20 * time.Second })
		reports := play(t, Limits{}, []Job{{Watcher: w, Run: run}}, wait(firstRun+100*time.Millisecond))
		if len(reports) > 0 || !began {
			t.Errorf("it said %v", reports)
		}
	})
}

func TestTheProbersOwnFaultIsToldOfTheProber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fault := pharos.Measurement{Outcome: pharos.Unable, Reason: "the prober has too many files open"}
		var healed atomic.Bool
		run := func(context.Context, *pharos.Trace) pharos.Measurement {
			if healed.Load() {
				return pharos.Measurement{}
			}
			return fault
		}
		reports := play(t, Limits{}, []Job{{Watcher: page("w", nil), Run: run}}, func(_ context.Context, s *Scheduler) {
			time.Sleep(3 * time.Second)
			if got := s.Stats().Unable; got != fault.Reason {
				t.Errorf("it says of itself %q", got)
			}
			healed.Store(true)
			time.Sleep(unableFor + 3*time.Second)
			if got := s.Stats().Unable; got != "" {
				t.Errorf("long after it, it says of itself %q", got)
			}
		})
		if first := reports[0].Result; first.Status != pharos.Unknown || first.Summary != "the prober has too many files open" {
			t.Errorf("the watcher is %v %q, want unknown", first.Status, first.Summary)
		}
	})
}

func TestMemoryTellsFlickers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		statuses := []pharos.Status{pharos.OK, pharos.Warning, pharos.Critical, pharos.Unknown, pharos.OK, pharos.OK}
		i := 0
		run := func(context.Context, *pharos.Trace) pharos.Measurement {
			s := statuses[min(i, len(statuses)-1)]
			i++
			return pharos.Measurement{Outcome: outcome(s)}
		}
		reports := play(t, Limits{}, []Job{{Watcher: page("w", nil), Run: run}}, wait(13*time.Second))
		last := reports[5].Result
		want := []pharos.Flicker{{Status: pharos.Critical, Lasted: pharos.Seconds(6 * time.Second), Ago: pharos.Seconds(2 * time.Second)}}
		if diff := cmp.Diff(want, last.Flickers); diff != "" {
			t.Error(diff)
		}
		if last.For.Duration() != 2*time.Second {
			t.Errorf("ok for %v, want 2 s", last.For)
		}
	})
}

func TestMemoryForgetsAfterTenMinutesAndKeepsFive(t *testing.T) {
	var m memory
	now := time.Duration(0)
	for range 7 {
		m.observe(now, pharos.Critical)
		now += time.Second
		m.observe(now, pharos.OK)
		now += time.Second
	}
	if _, f := m.recall(now); len(f) != pharos.MaxFlickers || f[0].Ago.Duration() != time.Second {
		t.Fatalf("remembers %v", f)
	}
	if _, f := m.recall(now + pharos.FlickerSpan - 2*time.Second); len(f) != 1 {
		t.Fatalf("after ten minutes less two seconds it remembers %v, want one", f)
	}
}

func TestMemoryGoesOnAfterARestart(t *testing.T) {
	flicker := pharos.Flicker{Status: pharos.Critical, Lasted: pharos.Seconds(3 * time.Second), Ago: pharos.Seconds(time.Minute)}
	for name, c := range map[string]struct {
		past     pharos.Status
		after    time.Duration // of the restore, since the first run saw ok
		wantFor  time.Duration
		wantMore []pharos.Flicker // before the one that was remembered
	}{
		"the same status goes on":                      {pharos.OK, -time.Second, time.Hour + 3*time.Second, nil},
		"also when it was remembered late":             {pharos.OK, time.Second, time.Hour + time.Second, nil},
		"a spell ended with the first run":             {pharos.Critical, -time.Second, 2 * time.Second, []pharos.Flicker{{Status: pharos.Critical, Lasted: pharos.Seconds(time.Hour + time.Second), Ago: pharos.Seconds(2 * time.Second)}}},
		"also when it was remembered late, by the way": {pharos.Critical, time.Second, 2 * time.Second, []pharos.Flicker{{Status: pharos.Critical, Lasted: pharos.Seconds(time.Hour - time.Second), Ago: pharos.Seconds(2 * time.Second)}}},
	} {
		t.Run(name, func(t *testing.T) {
			var m memory
			past := &pharos.Result{Status: c.past, For: pharos.Seconds(time.Hour), Flickers: []pharos.Flicker{flicker}}
			first, end := 10*time.Second, 12*time.Second
			at := first + c.after
			if c.after < 0 {
				m.restore(at, past)
			}
			m.observe(first, pharos.OK)
			if c.after > 0 {
				m.restore(at, past)
			}
			lasted, flickers := m.recall(end)
			if lasted.Duration() != c.wantFor {
				t.Errorf("ok for %v, want %v", lasted, c.wantFor)
			}
			remembered := flicker
			remembered.Ago += pharos.Seconds(end - at)
			if diff := cmp.Diff(append(c.wantMore, remembered), flickers); diff != "" {
				t.Error(diff)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := page("w", nil)
		reports := play(t, Limits{}, []Job{{Watcher: w, Run: takes(0, pharos.OK)}}, func(ctx context.Context, s *Scheduler) {
			s.Restore(map[pharos.WatcherID]pharos.Result{w.ID: {Status: pharos.OK, For: pharos.Seconds(time.Hour)}, "not.one.ofours": {}})
			time.Sleep(2 * time.Second)
		})
		if got, want := reports[0].Result.For.Duration(), time.Hour+reports[0].At; got != want {
			t.Errorf("ok for %v, want %v", got, want)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := page("w", nil)
		reports := play(t, Limits{}, []Job{{Watcher: w, Run: takes(0, pharos.OK)}}, func(ctx context.Context, s *Scheduler) {
			time.Sleep(3 * time.Second)
			s.Restore(map[pharos.WatcherID]pharos.Result{w.ID: {Status: pharos.OK, For: pharos.Seconds(time.Hour), Flickers: []pharos.Flicker{flicker}}})
			synctest.Wait()
		})
		last := reports[len(reports)-1]
		if at := last.At; at != 3*time.Second {
			t.Errorf("what is remembered was told %v after the start, want at once, after 3 s", at)
		}
		if diff := cmp.Diff([]pharos.Flicker{flicker}, last.Result.Flickers); diff != "" {
			t.Error(diff)
		}
		if last.Result.For.Duration() != time.Hour || last.Result.Value != pharos.Num(0) {
			t.Errorf("ok for %v with %v, want an hour, and the value of the last run", last.Result.For, last.Result.Value)
		}
	})
}

// redThenYellow is what a process remembers that saw red for 30 s, then yellow
// for 35 s.
func redThenYellow() *pharos.Result {
	return &pharos.Result{Status: pharos.Warning, For: pharos.Seconds(35 * time.Second), Outage: pharos.Outage{Status: pharos.Critical, Lasted: pharos.Seconds(65 * time.Second)}}
}

func TestASpellOutlivesARestartAsAWhole(t *testing.T) {
	const second = time.Second
	for name, c := range map[string]struct {
		past   *pharos.Result
		before []pharos.Status // seen by this process, each for a second, before it was reminded
		after  []pharos.Status // and after it
		want   pharos.Flicker
	}{
		"restarted in its yellow end": {redThenYellow(), nil, []pharos.Status{pharos.Warning, pharos.OK},
			pharos.Flicker{Status: pharos.Critical, Lasted: pharos.Seconds(66 * second), Ago: pharos.Seconds(second)}},
		"over when the process began": {redThenYellow(), nil, []pharos.Status{pharos.OK},
			pharos.Flicker{Status: pharos.Critical, Lasted: pharos.Seconds(65 * second), Ago: pharos.Seconds(second)}},
		"reminded late, in its yellow end": {redThenYellow(), []pharos.Status{pharos.Warning}, []pharos.Status{pharos.OK},
			pharos.Flicker{Status: pharos.Critical, Lasted: pharos.Seconds(65 * second), Ago: pharos.Seconds(second)}},
		"reminded late, when it was over": {redThenYellow(), []pharos.Status{pharos.OK}, []pharos.Status{pharos.OK},
			pharos.Flicker{Status: pharos.Critical, Lasted: pharos.Seconds(64 * second), Ago: pharos.Seconds(2 * second)}},
		"reminded late, when its end had been seen": {redThenYellow(), []pharos.Status{pharos.Warning, pharos.OK}, []pharos.Status{pharos.OK},
			pharos.Flicker{Status: pharos.Critical, Lasted: pharos.Seconds(64 * second), Ago: pharos.Seconds(2 * second)}},
		"yellow before, red since, reminded late": {&pharos.Result{Status: pharos.Warning, For: pharos.Seconds(8 * time.Minute)},
			[]pharos.Status{pharos.Critical, pharos.Critical}, []pharos.Status{pharos.OK},
			pharos.Flicker{Status: pharos.Critical, Lasted: pharos.Seconds(8 * time.Minute), Ago: pharos.Seconds(second)}},
		"nothing known between two restarts": {&pharos.Result{For: pharos.Seconds(second), Outage: pharos.Outage{Status: pharos.Critical, Lasted: pharos.Seconds(65 * second)}},
			nil, []pharos.Status{pharos.OK}, pharos.Flicker{Status: pharos.Critical, Lasted: pharos.Seconds(65 * second), Ago: pharos.Seconds(second)}},
	} {
		t.Run(name, func(t *testing.T) {
			var m memory
			now := time.Hour
			see := func(statuses []pharos.Status) {
				for _, s := range statuses {
					m.observe(now, s)
					now += second
				}
			}
			see(c.before)
			m.restore(now, c.past)
			see(c.after)
			_, got := m.recall(now)
			if diff := cmp.Diff([]pharos.Flicker{c.want}, got); diff != "" {
				t.Error("remembered, want -, got +\n" + diff)
			}
		})
	}
}

func TestASpellUnderWayIsToldWhereItIsMoreThanItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const o, w, c = pharos.OK, pharos.Warning, pharos.Critical
		statuses := []pharos.Status{o, c, c, w, w, c, o}
		run := func(context.Context, *pharos.Trace) pharos.Measurement {
			s := statuses[0]
			if len(statuses) > 1 {
				statuses = statuses[1:]
			}
			return pharos.Measurement{Outcome: outcome(s)}
		}
		reports := play(t, Limits{}, []Job{{Watcher: page("w", nil), Run: run}}, wait(15*time.Second))
		var got []pharos.Outage
		for _, r := range reports[:7] {
			got = append(got, r.Result.Outage)
		}
		want := []pharos.Outage{{}, {}, {}, {Status: c, Lasted: pharos.Seconds(4 * time.Second)}, {Status: c, Lasted: pharos.Seconds(6 * time.Second)}, {Status: c, Lasted: pharos.Seconds(8 * time.Second)}, {}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error("spells told, want -, got +\n" + diff)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := page("w", nil)
		reports := play(t, Limits{}, []Job{{Watcher: w, Run: takes(3*time.Second, pharos.OK)}}, func(ctx context.Context, s *Scheduler) {
			s.Restore(map[pharos.WatcherID]pharos.Result{w.ID: *redThenYellow()})
			time.Sleep(5 * time.Second)
		})
		first := reports[0].Result
		if first.Status != pharos.Waiting || first.Outage.Status != pharos.Critical || first.Outage.Lasted.Duration() < 65*time.Second {
			t.Errorf("while the first run after a restart takes its time, it tells %v in a spell of %v", first.Status, first.Outage)
		}
	})
}

func TestRiseOutlivesARestart(t *testing.T) {
	const o, w, c = pharos.OK, pharos.Warning, pharos.Critical
	for name, tc := range map[string]struct {
		past     *pharos.Result
		in, want []pharos.Status
	}{
		"in the yellow before it is ok again": {redThenYellow(), []pharos.Status{o, o, o}, []pharos.Status{w, w, o}},
		"while red":                           {&pharos.Result{Status: c}, []pharos.Status{o, o, o}, []pharos.Status{w, w, o}},
		"yellow that never was red":           {&pharos.Result{Status: w}, []pharos.Status{o, o}, []pharos.Status{o, o}},
	} {
		t.Run(name, func(t *testing.T) {
			var m memory
			m.restore(time.Hour, tc.past)
			var got []pharos.Status
			for _, s := range tc.in {
				got = append(got, m.fallAndRise(s, 1, 3, true))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	var m memory
	m.observe(time.Hour, m.fallAndRise(w, 1, 3, true))
	m.restore(time.Hour+time.Second, redThenYellow())
	if got := m.fallAndRise(o, 1, 3, true); got != w {
		t.Errorf("reminded late, in the yellow: the first ok is %v, want warning", got)
	}
}

func TestFallAndRise(t *testing.T) {
	const o, c, w = pharos.OK, pharos.Critical, pharos.Warning
	for name, tc := range map[string]struct {
		fall, rise int
		in, want   []pharos.Status
	}{
		"1 and 1 reflect all":            {1, 1, []pharos.Status{o, c, o, c}, []pharos.Status{o, c, o, c}},
		"fall 3: two yellow before":      {3, 1, []pharos.Status{o, c, c, c, c, o}, []pharos.Status{o, w, w, c, c, o}},
		"fall 3: an ok starts it anew":   {3, 1, []pharos.Status{c, c, o, c, c, c}, []pharos.Status{w, w, o, w, w, c}},
		"rise 2: one yellow before":      {1, 2, []pharos.Status{c, o, o, o}, []pharos.Status{c, w, o, o}},
		"rise 2: relapse is red at once": {2, 2, []pharos.Status{c, c, o, c, o, o}, []pharos.Status{w, c, w, c, w, o}},
	} {
		t.Run(name, func(t *testing.T) {
			var m memory
			var got []pharos.Status
			for _, s := range tc.in {
				got = append(got, m.fallAndRise(s, tc.fall, tc.rise, true))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := map[string]int{}
		closes := func(name string) func() { return func() { closed[name]++ } }
		w := page("w", nil)
		gone := page("gone", nil)
		jobs := []Job{
			{Watcher: w, Run: takes(0, pharos.OK), Close: closes("w, old")},
			{Watcher: gone, Run: takes(time.Hour, pharos.OK), Close: closes("gone")},
		}
		reports := play(t, Limits{}, jobs, func(ctx context.Context, s *Scheduler) {
			time.Sleep(5 * time.Second)
			s.Update([]Job{{Watcher: w, Run: takes(0, pharos.OK), Close: closes("w, new")}}, []pharos.WatcherID{gone.ID})
			synctest.Wait()
			if diff := cmp.Diff(map[string]int{"w, old": 1, "gone": 1}, closed); diff != "" {
				t.Error("closed, want -, got +\n" + diff)
			}
			time.Sleep(5 * time.Second)
		})
		var last Report
		var at []time.Duration
		for _, r := range reports {
			if r.ID == gone.ID {
				if r.At-at0(reports) > 6*time.Second {
					t.Errorf("a report of the watcher that was dropped: %+v", r)
				}
				continue
			}
			last = r
			at = append(at, r.At)
		}
		if last.Result.For.Duration() < 7*time.Second {
			t.Errorf("ok for %v: the changed watcher lost its memory", last.Result.For)
		}
		for i := 1; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap != 2*time.Second {
				t.Errorf("%v between runs: the change moved the ticks", gap)
			}
		}
		if closed["w, new"] != 1 {
			t.Error("the last job was not closed at the end")
		}
	})
}

func at0(r []Report) time.Duration { return r[0].At }

func TestASleepIsMissedTicksNotABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs, suspended atomic.Int64
		s := New(Options{CoarseTimer: true, Report: func(Report) {}, Clock: clock.New(func() time.Duration { return time.Duration(suspended.Load()) })})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		s.Update([]Job{{Watcher: page("w", nil), Run: func(context.Context, *pharos.Trace) pharos.Measurement { runs.Add(1); return pharos.Measurement{} }}}, nil)
		time.Sleep(5 * time.Second)
		before := runs.Load()
		suspended.Store(int64(time.Minute))
		time.Sleep(2 * time.Second)
		if got := runs.Load() - before; got < 1 || got > 2 {
			t.Errorf("%d runs in the two seconds after the sleep", got)
		}
		if got := s.Stats().Missed; got < 28 || got > 30 {
			t.Errorf("%d ticks missed in a sleep of 30 intervals", got)
		}
		cancel()
		<-ended
	})
}

func TestSleepCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var suspended atomic.Int64
		var reports []Report
		s := New(Options{CoarseTimer: true, Report: func(r Report) { reports = append(reports, r) }, Clock: clock.New(func() time.Duration { return time.Duration(suspended.Load()) })})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		s.Update([]Job{{Watcher: page("w", nil), Run: takes(0, pharos.OK)}}, nil)
		time.Sleep(3 * time.Second)
		suspended.Store(int64(time.Hour))
		time.Sleep(3 * time.Second)
		cancel()
		<-ended
		if last := reports[len(reports)-1].Result; last.For.Duration() < time.Hour || last.For.Duration() > time.Hour+6*time.Second {
			t.Errorf("ok for %v, want the hour of sleep counted", last.For)
		}
		if got := s.Stats().Missed; got < 1798 || got > 1800 {
			t.Errorf("%d ticks missed in an hour, want 1,799", got)
		}
	})
}

func TestTheClockOfTheKernelWakesInTime(t *testing.T) {
	w, err := newWaker(false)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	w.Arm(20 * time.Millisecond)
	if !w.Wait() {
		t.Fatal("closed before it was")
	}
	if got := time.Since(began); got < 20*time.Millisecond {
		t.Errorf("woke after %v, armed for 20 ms", got)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsMadeOfOthersFollowsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		member := func(context.Context, *pharos.Trace) pharos.Measurement {
			if down.Load() {
				return pharos.Measurement{Outcome: pharos.Failed, Reason: "down"}
			}
			return pharos.Measurement{}
		}
		var scheduler atomic.Pointer[Scheduler]
		sum := func(id pharos.WatcherID) run {
			return func(context.Context, *pharos.Trace) pharos.Measurement {
				s := scheduler.Load()
				if s == nil {
					return pharos.Measurement{Outcome: pharos.NotYet}
				}
				r, ok := s.Last(id)
				if !ok {
					return pharos.Measurement{Outcome: pharos.NotYet}
				}
				return pharos.Measurement{Outcome: map[pharos.Status]pharos.Outcome{pharos.Critical: pharos.Failed}[r.Status]}
			}
		}
		const hour = time.Hour
		one := page("one", nil)
		group := page("group", func(w *pharos.Watcher) { w.Interval, w.Traits.Of = hour, []pharos.Named{{ID: one.ID}} })
		groups := page("groups", func(w *pharos.Watcher) { w.Interval, w.Traits.Of = hour, []pharos.Named{{ID: group.ID}} })
		reports := play(t, Limits{}, []Job{{Watcher: one, Run: member}, {Watcher: group, Run: sum(one.ID)}, {Watcher: groups, Run: sum(group.ID)}}, func(_ context.Context, s *Scheduler) {
			scheduler.Store(s)
			time.Sleep(time.Minute)
			down.Store(true)
			time.Sleep(time.Minute)
		})
		first, red := map[pharos.WatcherID]time.Duration{}, map[pharos.WatcherID]time.Duration{}
		for _, r := range reports {
			if _, ok := first[r.ID]; !ok {
				first[r.ID] = r.At
			}
			if _, ok := red[r.ID]; !ok && r.Result.Status == pharos.Critical {
				red[r.ID] = r.At
			}
		}
		for _, id := range []pharos.WatcherID{group.ID, groups.ID} {
			if first[id] < first[one.ID] || first[id] > firstRun {
				t.Errorf("%s is told of first after %v, its member after %v", id, first[id], first[one.ID])
			}
			if red[id] != red[one.ID] || red[id] == 0 {
				t.Errorf("%s is red after %v, its member after %v", id, red[id], red[one.ID])
			}
		}
	})
}

func TestHurryRunsAtOnceAndKeepsTheTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := page("w", func(w *pharos.Watcher) { w.Interval = 20 * time.Second })
		reports := play(t, Limits{}, []Job{{Watcher: w, Run: takes(100*time.Millisecond, pharos.OK)}}, func(_ context.Context, s *Scheduler) {
			time.Sleep(25 * time.Second)
			s.Hurry(w.ID)
			s.Hurry(w.ID)
			s.Hurry("local.set.nothing")
			time.Sleep(50 * time.Millisecond)
			s.Hurry(w.ID) // while it runs: once more
			time.Sleep(30 * time.Second)
		})
		var at []time.Duration
		for _, r := range reports {
			at = append(at, r.At)
		}
		hurried := slices.Index(at, 25*time.Second+100*time.Millisecond)
		if hurried < 0 || at[hurried+1] != 25*time.Second+200*time.Millisecond {
			t.Fatalf("it is told of after %v, want 25.1 s and 25.2 s among them", at)
		}
		before, after := at[hurried-1], at[hurried+2]
		if after-before != 20*time.Second {
			t.Errorf("it is told of after %v: its ticks are no longer the same", at)
		}
	})
}
