package simulate

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pharos/internal/pharos"
)

var (
	seeds = flag.Int("seeds", 100, "how many random plays; a tenth of them with -short, or under the race detector")
	first = flag.Uint64("seed", 1, "the seed of the first; the others follow")
)

const (
	playLength = 4 * time.Minute
	checkEvery = 250 * time.Millisecond
	// settles is how long after a fault all is to be right again: heartbeats time out, a
	// share is taken, a digest differs and everything is published again.
	settles = 12 * time.Second
)

// believed is how long a tile may be green after the last run that came out well: its
// ttl, with what may wait on the way.
func believed(name string) time.Duration {
	return every(name) + min(every(name), pharos.DefaultTimeout) + 3*time.Second
}

// event is one thing that happens in a play, and ends after a while where it can.
type event struct {
	at, lasts time.Duration
	what      string
	who       int
}

func (e event) String() string { return fmt.Sprintf("%v %s %d %v", e.at, e.what, e.who, e.lasts) }

// what may happen, and how often beside the others.
var happenings = map[string]int{
	"target down": 12, "kill": 3, "stop": 2, "start": 5, "cut prober": 3, "deaf prober": 2, "slow prober": 2,
	"cut dashboard": 2, "deaf dashboard": 3, "NATS down": 1, "no store": 1, "restart dashboard": 1, "calm": 2,
}

// script returns the events of a seed.
func script(seed uint64) []event {
	r := rand.New(rand.NewPCG(seed, 0))
	var deck []string
	for _, what := range slices.Sorted(maps.Keys(happenings)) {
		deck = append(deck, slices.Repeat([]string{what}, happenings[what])...)
	}
	var events []event
	for at := 8 * time.Second; at < playLength-settles-20*time.Second; at += time.Duration(r.IntN(6000)) * time.Millisecond {
		e := event{at: at, what: deck[r.IntN(len(deck))], who: r.IntN(100), lasts: time.Duration(300+r.IntN(12_000)) * time.Millisecond}
		if strings.HasPrefix(e.what, "deaf") {
			e.lasts = min(e.lasts, 4*time.Second)
		}
		if e.what == "calm" {
			at += settles + 10*time.Second
			continue
		}
		events = append(events, e)
	}
	return events
}

// play is one run of a script, and what was found wrong.
type play struct {
	*world
	troubled time.Time            // when the last fault ended, or will
	turned   map[string]time.Time // when a target changed last
	wrong    []string
}

func (p *play) fail(format string, args ...any) {
	if len(p.wrong) < 5 {
		p.wrong = append(p.wrong, fmt.Sprintf("at %v: ", time.Since(p.start).Round(time.Millisecond))+fmt.Sprintf(format, args...))
	}
}

// perform plays events and returns what was wrong.
func perform(t *testing.T, events []event) (wrong []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &play{world: newWorld(t, 6), turned: map[string]time.Time{}}
		p.names = append(p.names, "s0", "s1", "s2", "s3")
		p.startDashboard()
		p.startDashboard()
		p.startProber("p0", "")
		p.startProber("p1", "")
		p.troubled = time.Now()
		type action struct {
			at time.Duration
			do func()
		}
		var todo []action
		for _, e := range events {
			todo = append(todo, action{e.at, func() {
				if end := p.begin(e); end != nil {
					todo = append(todo, action{e.at + e.lasts, end})
				}
			}})
		}
		for time.Since(p.start) < playLength && len(p.wrong) == 0 {
			now := time.Since(p.start)
			due := slices.Clone(todo)
			todo = slices.DeleteFunc(todo, func(a action) bool { return a.at <= now })
			for _, a := range due {
				if a.at <= now {
					a.do()
				}
			}
			p.pass(checkEvery)
			p.check()
		}
		wrong = p.wrong
		p.close()
	})
	return wrong
}

func (p *play) trouble(lasts time.Duration) {
	if end := time.Now().Add(lasts); end.After(p.troubled) {
		p.troubled = end
	}
}

// begin lets an event begin; the function lets it end.
func (p *play) begin(e event) (end func()) {
	running := slices.Sorted(maps.Keys(p.probers))
	name := fmt.Sprint("p", e.who%4)
	connection := func(c *conn, set func(on bool)) func() {
		p.trouble(e.lasts)
		c.change(func() { set(true) })
		return func() { c.change(func() { set(false) }) }
	}
	switch e.what {
	case "target down":
		target := p.names[e.who%len(p.names)]
		p.set(target, true)
		p.turned[target] = time.Now()
		return func() {
			p.set(target, false)
			p.turned[target] = time.Now()
		}
	case "kill", "stop":
		if len(running) > 1 {
			p.trouble(0)
			p.stop(running[e.who%len(running)], e.what == "stop")
		}
	case "start":
		if p.probers[name] == nil {
			p.trouble(0)
			p.startProber(name, "")
		}
	case "cut prober", "deaf prober", "slow prober":
		c := p.probers[running[e.who%len(running)]].conn
		switch e.what {
		case "cut prober":
			return connection(c, func(on bool) { c.cut = on })
		case "deaf prober":
			return connection(c, func(on bool) { c.deaf = on })
		}
		return connection(c, func(on bool) {
			c.delay = 0
			if on {
				c.delay = time.Duration(e.who) * 5 * time.Millisecond
			}
		})
	case "cut dashboard", "deaf dashboard":
		c := p.dashboards[e.who%2].conn
		if e.what == "cut dashboard" {
			return connection(c, func(on bool) { c.cut = on })
		}
		return connection(c, func(on bool) { c.deaf = on })
	case "NATS down":
		p.trouble(e.lasts)
		p.server.setDown(true)
		return func() { p.server.setDown(false) }
	case "no store":
		p.trouble(e.lasts)
		p.server.setStore(false)
		return func() { p.server.setStore(true) }
	case "restart dashboard":
		p.trouble(0)
		i := e.who % 2
		p.stopDashboard(p.dashboards[i])
		d := p.startDashboard()
		p.dashboards = p.dashboards[:2]
		p.dashboards[i] = d
	}
	return nil
}

// check holds what the dashboards show against the truth.
func (p *play) check() {
	now := time.Now()
	quiet := now.Sub(p.troubled) > settles
	lastOK, last := map[string]time.Time{}, map[string]saw{}
	looks := map[string]map[bool]bool{} // what those who live saw last, by target
	newest := map[string]saw{}
	p.mu.Lock()
	for _, s := range p.log {
		last[s.target] = s
		if p.probers[s.prober] != nil {
			newest[s.prober+" "+s.target] = s
		}
		if s.ok {
			lastOK[s.target] = s.at
		}
	}
	for _, s := range newest {
		if looks[s.target] == nil {
			looks[s.target] = map[bool]bool{}
		}
		looks[s.target][s.ok] = true
	}
	down := maps.Clone(p.down)
	p.mu.Unlock()
	for i, d := range p.dashboards {
		tiles := d.tiles()
		for _, name := range p.names {
			tile, there := tiles[name]
			ok := there && tile.Known && !tile.Stale && tile.Result.Status == pharos.OK
			if ok && now.Sub(lastOK[name]) > believed(name) {
				p.fail("dashboard %d shows %s as ok, which nobody has seen ok for %v", i, name, now.Sub(lastOK[name]))
			}
			// What was seen just now is on its way; what nobody has looked at is not known.
			if !quiet || now.Sub(last[name].at) < checkEvery || every(name) == interval && now.Sub(p.turned[name]) < interval+time.Second {
				continue
			}
			want, isDown := pharos.OK, !last[name].ok
			if every(name) == interval {
				isDown = down[name]
			}
			if isDown {
				want = pharos.Critical
			}
			if every(name) == seldom && len(looks[name]) > 1 { // two saw it at different times, and the first has it
				want = tile.Result.Status
			}
			if !there || tile.Stale || tile.Result.Status != want {
				p.fail("%v after the last fault dashboard %d shows %s as %v, stale %v; the truth is %v", now.Sub(p.troubled), i, name, tile.Result.Status, tile.Stale, want)
			}
		}
		if !quiet {
			continue
		}
		for _, one := range d.board.State(p.t.Context()).Probers {
			if p.probers[one.Name] != nil != one.Up {
				p.fail("dashboard %d shows prober %s as up %v", i, one.Name, one.Up)
			}
		}
		if said := d.notices(); len(said) > 0 {
			p.fail("%v after the last fault dashboard %d says %q", now.Sub(p.troubled), i, said)
		}
	}
	if !quiet {
		return
	}
	for target, by := range p.runs(now.Add(-2 * interval)) {
		if len(by) > 1 {
			p.fail("%v after the last fault %s is run by %v", now.Sub(p.troubled), target, by)
		}
	}
	p.mu.Lock()
	p.log = slices.DeleteFunc(p.log, func(s saw) bool { return now.Sub(s.at) > time.Minute })
	p.mu.Unlock()
}

// fails reports whether events go wrong in one of several plays: goroutines take turns
// differently in each.
func fails(t *testing.T, events []event) bool {
	for range 5 {
		if len(perform(t, events)) > 0 {
			return true
		}
	}
	return false
}

// shrink returns the shortest list of events that it finds to go wrong as well.
func shrink(t *testing.T, events []event) []event {
	for changed := true; changed; {
		changed = false
		for n := max(1, len(events)/2); n >= 1; n = max(1, n/10) {
			for i := 0; i+n <= len(events); {
				fewer := slices.Concat(events[:i], events[i+n:])
				if fails(t, fewer) {
					events, changed = fewer, true
					continue
				}
				i += n
			}
		}
	}
	return events
}

func TestWhateverHappensTheBoardIsRight(t *testing.T) {
	n := *seeds
	if testing.Short() || slow {
		n = max(1, n/10)
	}
	for seed := *first; seed < *first+uint64(n); seed++ {
		events := script(seed)
		wrong := perform(t, events)
		if len(wrong) == 0 {
			continue
		}
		t.Errorf("seed %d:\n%s", seed, strings.Join(wrong, "\n"))
		least := shrink(t, events)
		t.Fatalf("%d of its %d events are enough (-seed %d -seeds 1):\n%v", len(least), len(events), seed, least)
	}
}
