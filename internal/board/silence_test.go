package board

import (
	"fmt"
	"testing"
	"time"

	"pharos/internal/pharos"
)

// TestASilenceHidesWhatHappenedInIt: what was green before may have turned red
// since. Each tile waits for a message of its own, which the board asks for.
func TestASilenceHidesWhatHappenedInIt(t *testing.T) {
	asked := 0
	in(t, Options{Refresh: func(string) { asked++ }}, func(w *world) {
		stop := w.beat("a", "p", 1)
		w.live("pharos.result.a.p.s.x", result("ok", "p", 1, 2, ""))
		w.live("pharos.result.a.p.s.y", result("ok", "p", 1, 3, ""))
		w.pass(structureGap)
		stop()
		w.pass(11 * time.Second)
		w.wantStatus("x", "stale")
		before := asked
		w.live("pharos.heartbeat.a.p", `{"incarnation":1,"seq":20}`)
		w.wantStatus("x", "stale")
		w.wantStatus("y", "stale")
		if asked != before+1 {
			t.Errorf("probers were asked %d times to say it again, want once", asked-before)
		}
		w.live("pharos.result.a.p.s.x", result("critical", "p", 1, 21, ""))
		w.wantStatus("x", "critical")
		w.wantStatus("y", "stale")
		w.live("pharos.result.a.p.s.y", result("ok", "p", 1, 22, ""))
		w.wantStatus("y", "ok")
	})
}

func TestAProcessWithAnOlderClockMakesNothingFresh(t *testing.T) {
	in(t, Options{}, func(w *world) {
		stop := w.beat("a", "p", 5000)
		w.live("pharos.result.a.p.s.x", result("ok", "p", 5000, 9, ""))
		w.pass(structureGap)
		stop()
		w.pass(4 * time.Second)
		w.beat("a", "p", 1000)
		w.pass(2 * time.Second)
		w.wantStatus("x", "stale")
		w.live("pharos.result.a.p.s.x", result("critical", "p", 1000, 5, ""))
		w.wantStatus("x", "critical")
	})
}

// TestABacklogIsAsOldAsItIs: a dashboard that was stopped, or a NATS, finds what
// was sent meanwhile in one heap.
func TestABacklogIsAsOldAsItIs(t *testing.T) {
	beat := func(n int) string { return fmt.Sprintf(`{"incarnation":1,"seq":%d,"uptime":%d}`, n, 100+n) }
	for name, last := range map[string]int{"the prober died meanwhile": 14, "the prober lives": 30} {
		t.Run(name, func(t *testing.T) {
			in(t, Options{}, func(w *world) {
				for n := range 11 {
					w.apply("pharos.heartbeat.a.p", beat(n), 0, true)
					w.apply("pharos.result.a.p.s.x", result("ok", "p", 1, n, ""), 0, true)
					w.pass(time.Second)
				}
				w.wantStatus("x", "ok")
				w.pass(19 * time.Second)
				for n := 11; n <= last; n++ {
					w.apply("pharos.heartbeat.a.p", beat(n), 0, true)
					w.apply("pharos.result.a.p.s.x", result("ok", "p", 1, n, ""), 0, true)
				}
				w.pass(urgentGap)
				p := w.b.probers["a/p"]
				if last == 30 {
					w.wantStatus("x", "ok")
					if !p.up {
						t.Error("the living prober is down")
					}
					return
				}
				w.wantStatus("x", "stale")
				if silent := (w.b.clock.Now() - p.heard).Round(time.Second); p.up || silent != 16*time.Second {
					t.Errorf("the dead prober: up %t, silent for %v, want 16 s", p.up, silent)
				}
				w.pass(footerEvery)
				shown := w.s.Hops.Probers[0].From
				if at := p.heard.Seconds(); shown < at-0.01 || shown > at+0.01 {
					t.Errorf("the screens count its silence from %v s, want %v s", shown, at)
				}
			})
		})
	}
}

// TestAClockThatStoodStillIsNoBacklog: of a virtual machine that was paused, the
// clocks were, too.
func TestAClockThatStoodStillIsNoBacklog(t *testing.T) {
	in(t, Options{}, func(w *world) {
		heartbeats := func(n, of int) {
			for ; of > 0; n, of = n+1, of-1 {
				w.apply("pharos.heartbeat.a.p", fmt.Sprintf(`{"incarnation":1,"seq":%d,"uptime":%d}`, n, 100+n), 0, true)
				w.pass(time.Second)
			}
		}
		heartbeats(1, 5)
		w.pass(time.Hour)
		heartbeats(6, 3)
		if p := w.b.probers["a/p"]; !p.up {
			t.Errorf("up %t, late by %v, want it to be there", p.up, p.delay.late)
		}
	})
}

// TestWithoutNATSNothingIsHeardOfAnybody: nor of senders that have no heartbeat.
func TestWithoutNATSNothingIsHeardOfAnybody(t *testing.T) {
	in(t, Options{}, func(w *world) {
		say := func(status string, age time.Duration, live bool) {
			w.apply("pharos.push.ci.jobs.backup", fmt.Sprintf(`{"status":%q,"ttl":90000}`, status), age, live)
			w.pass(urgentGap)
		}
		w.b.SetLink(Link{Up: true, Store: true})
		say("ok", 0, true)
		w.pass(structureGap)
		w.b.SetLink(Link{})
		w.pass(2 * time.Second)
		w.wantStatus("backup", "ok")
		w.b.SetLink(Link{Up: true, Store: true})
		w.pass(time.Second)
		w.wantStatus("backup", "ok")
		w.b.SetLink(Link{})
		w.pass(pharos.HeartbeatTimeout + sweepEvery)
		w.wantStatus("backup", "stale")
		w.b.SetLink(Link{Up: true, Store: true})
		w.pass(time.Second)
		w.wantStatus("backup", "stale")
		say("ok", 8*time.Second, false) // it is still the last that is stored
		w.wantStatus("backup", "ok")
		w.b.SetLink(Link{})
		w.pass(pharos.HeartbeatTimeout + sweepEvery)
		w.b.SetLink(Link{Up: true})
		say("critical", 0, true)
		w.wantStatus("backup", "critical")
	})
}

func TestAStoredResultAloneMakesNoProberAlive(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.apply("pharos.result.a.p.s.x", result("ok", "p", 1, 1, ""), 25*time.Minute, false)
		w.pass(structureGap)
		w.wantStatus("x", "stale")
		w.apply("pharos.heartbeat.a.p", `{"incarnation":1,"seq":2}`, time.Second, false) // it comes later out of the store
		w.pass(urgentGap)
		w.wantStatus("x", "ok")
	})
}
