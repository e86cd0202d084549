//go:build chaos

package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"pharos/internal/pharostest"
)

const barStore = 4 * time.Second // until the right board, or the reason why not

// connect returns a connection of the test's own, as the user if one is named.
func (w *world) connect(user string) *nats.Conn {
	w.Helper()
	nc, err := nats.Connect(w.url(user), nats.MaxReconnects(0))
	if err != nil {
		w.Fatal(err)
	}
	closed := make(chan struct{})
	nc.SetClosedHandler(func(*nats.Conn) { close(closed) })
	w.Cleanup(func() { nc.Close(); <-closed })
	return nc
}

func (w *world) jetStream(nc *nats.Conn) jetstream.JetStream {
	w.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		w.Fatal(err)
	}
	return js
}

// makeMemoryStream makes the store in memory, before a dashboard makes one in
// files.
func makeMemoryStream(w *world) {
	w.Helper()
	nc := w.connect("")
	js := w.jetStream(nc)
	_ = js.DeleteStream(w.ctx, "PHAROS") // it may be there or not
	if _, err := js.CreateStream(w.ctx, jetstream.StreamConfig{
		Name: "PHAROS", Subjects: []string{"pharos.result.>", "pharos.roster.>", "pharos.heartbeat.>"},
		Storage: jetstream.MemoryStorage, MaxMsgsPerSubject: 1, AllowDirect: true, MaxBytes: 64 << 20,
	}); err != nil {
		w.Fatal(err)
	}
	nc.Close()
}

func streamDeleted(w *world, l *ledger) {
	s := newSite(w, 8, time.Second, 0)
	js := w.jetStream(w.connect(""))
	left := 0
	for range 5 {
		s.anyMoment(2 * time.Second)
		deleted := time.Now()
		if err := js.DeleteStream(w.ctx, "PHAROS"); err != nil {
			w.Fatal(err)
		}
		l.took("stream deleted while all runs", "green throughout; the store is there again, with all values", w.filled(js, len(s.targets)).Sub(deleted), barStore)
		s.screen.Look(func(v *pharostest.View) {
			for _, m := range v.Moments {
				if m.At.After(deleted) {
					left++
				}
			}
		})
	}
	l.lost("stream deleted while all runs", fmt.Sprintf("%d tiles changed", left), left > 0)
}

// filled waits until the store has the last value of so many watchers.
func (w *world) filled(js jetstream.JetStream, watchers int) time.Time {
	w.Helper()
	for {
		stream, err := js.Stream(w.ctx, "PHAROS")
		if err == nil && stream.CachedInfo().State.NumSubjects >= uint64(watchers+2) { // a roster and a beat
			return time.Now()
		}
		w.pause(10 * time.Millisecond)
	}
}

func storeWiped(w *world, l *ledger) {
	s := newSite(w, 8, time.Second, 0)
	missing := 0
	const fault = "NATS killed, its store wiped, started again"
	for range 4 {
		g := s.targets[0]
		g.Turn(w, pharostest.Fails)
		w.pause(1200 * time.Millisecond)
		g.Turn(w, pharostest.Answers)
		s.screen.Await(w, "a green board", s.green)
		s.natsd.kill()
		if err := os.RemoveAll(filepath.Join(w.dir, "store")); err != nil {
			w.Fatal(err)
		}
		var up time.Time
		s.natsd, up = w.startNATS()
		l.took(fault, "all green, the store filled anew", s.screen.Await(w, "a green board", s.green).Sub(up), barStore)
		missing += remembers(w, afterglowOf(w, s.screen, id(0)), g.Truth(), time.Second)
	}
	l.lost(fault, fmt.Sprintf("%d flickers", missing), missing > 0)
}

func jetStreamOff(w *world, l *ledger) {
	s := newSite(w, 8, time.Second, 0)
	with := w.natsFlags
	bare := func(v *pharostest.View) bool {
		return !v.Covered && v.All(len(s.targets), "ok") && v.Hops.NATS.Up && !v.Hops.NATS.Store && v.Hops.NATS.Error != ""
	}
	for range 4 {
		s.natsd.kill()
		w.natsFlags = nil
		var up time.Time
		s.natsd, up = w.startNATS()
		named := s.screen.Await(w, "a green board and the reason", bare)
		said := ""
		s.screen.Look(func(v *pharostest.View) { said = v.Hops.NATS.Error })
		l.took("NATS back without JetStream", "all green, and: "+said, named.Sub(up), barStore)

		s.dashboard.kill()
		s.screen.Await(w, "the overlay", func(v *pharostest.View) bool { return v.Covered })
		s.dashboard, up = w.startDashboard(s.address)
		l.took("dashboard started without JetStream", "all green, and: "+said, s.screen.Await(w, "a green board and the reason", bare).Sub(up), barBack)

		s.natsd.kill()
		w.natsFlags = with
		s.natsd, up = w.startNATS()
		l.took("NATS back with JetStream", "all green", s.screen.Await(w, "a green board", s.green).Sub(up), barStore)
	}
}

// users is a NATS configuration in which each role lacks one right or none.
const users = `
jetstream { store_dir: %q }
authorization { users: [
  { user: all, password: all }
  { user: dashboard, password: dashboard, permissions: {
      publish: [ "pharos.refresh", "$JS.API.>" ], subscribe: [ "pharos.>", "_INBOX_dashboard.>" ] } }
  { user: deaf, password: deaf, permissions: {
      publish: [ "pharos.refresh", "$JS.API.>" ], subscribe: [ "pharos.push.>", "pharos.roster.>", "pharos.heartbeat.>", "pharos.forget", "_INBOX_dashboard.>" ] } }
  { user: forgetful, password: forgetful, permissions: {
      publish: [ "pharos.refresh" ], subscribe: [ "pharos.>", "_INBOX_dashboard.>" ] } }
  { user: mute, password: mute, permissions: {
      publish: [ "pharos.roster.berlin.>", "pharos.heartbeat.berlin.>", "$JS.API.DIRECT.GET.PHAROS.pharos.result.berlin.>", "$JS.API.DIRECT.GET.PHAROS.pharos.heartbeat.berlin.>" ], subscribe: [ "pharos.refresh", "_INBOX_p1.>" ] } }
  { user: nameless, password: nameless, permissions: {
      publish: [ "pharos.result.berlin.>", "pharos.heartbeat.berlin.>", "$JS.API.DIRECT.GET.PHAROS.pharos.result.berlin.>", "$JS.API.DIRECT.GET.PHAROS.pharos.heartbeat.berlin.>" ], subscribe: [ "pharos.refresh", "_INBOX_p1.>" ] } }
] }
`

func permissionMissing(w *world, l *ledger) {
	w.natsFlags = []string{"-c", w.write(fmt.Sprintf(users, filepath.Join(w.dir, "store")))}
	address := pharostest.FreeAddress(w.T)
	targets := newTargets(w.T, 4)
	var watchers []watched
	for i, g := range targets {
		watchers = append(watchers, watched{fmt.Sprintf("w%d", i), g, time.Second, 0})
	}
	w.startNATS()
	s := pharostest.NewScreen(w, address, pharostest.DialHere)
	error := func(text string) func(*pharostest.View) string {
		return func(v *pharostest.View) string {
			if v.Covered || !strings.Contains(v.Hops.NATS.Error, text) {
				return ""
			}
			return v.Hops.NATS.Error
		}
	}
	notice := func(text string) func(*pharostest.View) string {
		return func(v *pharostest.View) string {
			if v.Covered {
				return ""
			}
			return notice(v, text)
		}
	}
	for range 3 {
		for _, c := range []struct {
			fault             string
			dashboard, prober string
			reason            func(*pharostest.View) string
			green             bool // results come all the same
		}{
			{"dashboard may not hear results", "deaf", "all", error("pharos.result.>"), false},
			{"dashboard may not ask the store", "forgetful", "all", error("$JS.API"), true},
			{"prober may not publish results", "dashboard", "mute", notice("pharos.result.berlin"), false},
			{"prober may not publish its roster", "dashboard", "nameless", notice("pharos.roster.berlin"), true},
		} {
			began := time.Now()
			dashboard := w.launchDashboard(address, c.dashboard)
			prober := w.startProberAs(c.prober, "berlin", "p1", watchers)
			said := ""
			named := s.Await(w, "the reason for: "+c.fault, func(v *pharostest.View) bool { said = c.reason(v); return said != "" && v.At.After(began) })
			l.took(c.fault, said, named.Sub(began), barStore)
			if c.green {
				s.Await(w, "green tiles", func(v *pharostest.View) bool { return v.All(len(targets), "ok") })
			} else {
				// What the store knew at the start is true until the next result is
				// overdue, within four seconds: then nobody knows anything.
				w.pause(time.Until(began.Add(2 * barStore)))
				untrue := 0
				s.Look(func(v *pharostest.View) {
					for _, t := range v.Tiles {
						if t.Status() == "ok" {
							untrue++
						}
					}
				})
				l.lost(c.fault, fmt.Sprintf("%d tiles green for nothing", untrue), untrue > 0)
			}
			prober.signal(w.T, syscall.SIGKILL)
			<-prober.ended
			dashboard.kill()
			s.Await(w, "the overlay", func(v *pharostest.View) bool { return v.Covered })
		}
	}
}
