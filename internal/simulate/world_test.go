package simulate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pharos/internal/board"
	"pharos/internal/bus"
	"pharos/internal/clock"
	"pharos/internal/config"
	"pharos/internal/field"
	"pharos/internal/pharos"
	"pharos/internal/probe"
	"pharos/internal/prober"
)

const (
	interval = 2 * time.Second  // of the watchers
	seldom   = 20 * time.Second // of those whose names begin with s: what is lost is not soon said again
)

func every(name string) time.Duration {
	if strings.HasPrefix(name, "s") {
		return seldom
	}
	return interval
}

// target is a kind of watchers whose targets are the simulation's.
var target = probe.Kind{
	Key: "target", Doc: "A target whose truth is known.", Phases: []string{"answer"},
	New: func() probe.Spec { return &targetSpec{} },
}

type targetSpec struct {
	field.Section
	Whom   field.Text `yaml:"target" doc:"Its name." required:"true"`
	Prober field.Text `yaml:"from" doc:"Who looks."`
	world  *world
}

func (s *targetSpec) Check(*field.Checker)  {}
func (s *targetSpec) Target() string        { return string(s.Whom) }
func (s *targetSpec) Traits() pharos.Traits { return pharos.Traits{Class: pharos.Local} }

func (s *targetSpec) Prepare(_ *probe.Engine, w pharos.Watcher) (probe.Run, error) {
	return func(ctx context.Context, t *probe.Trace) probe.Measurement {
		t.Enter("answer")
		return s.world.look(string(s.Prober), s.Target())
	}, nil
}

// world is targets, NATS, probers and dashboards.
type world struct {
	t          testing.TB
	server     *server
	names      []string // of the targets
	more       string   // watchers that the file has besides
	probers    map[string]*process
	dashboards []*dashboard
	start      time.Time

	mu   sync.Mutex // guards all below
	down map[string]bool
	log  []saw
}

// saw is what a prober saw of a target.
type saw struct {
	prober, target string
	at             time.Time
	ok             bool
}

// process is one prober that runs.
type process struct {
	conn   *conn
	cancel context.CancelFunc
	ended  chan error
}

type dashboard struct {
	board  *board.Board
	conn   *conn
	cancel context.CancelFunc
	ended  chan struct{}
}

func newWorld(t testing.TB, targets int) *world {
	w := &world{t: t, server: newServer(), probers: map[string]*process{}, start: time.Now(), down: map[string]bool{}}
	for i := range targets {
		w.names = append(w.names, fmt.Sprintf("t%02d", i))
	}
	return w
}

func (w *world) look(prober, target string) probe.Measurement {
	time.Sleep(5 * time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	ok := !w.down[target]
	w.log = append(w.log, saw{prober, target, time.Now(), ok})
	if !ok {
		return pharos.Failure(errors.New("it is down"))
	}
	return probe.Measurement{}
}

func (w *world) set(target string, down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down[target] = down
}

// file is what a prober is given.
func (w *world) file(name string, more string) *config.Config {
	kinds := prober.Kinds(target)
	var text strings.Builder
	fmt.Fprintf(&text, "site: berlin\nprober: %s\n%ssets:\n  - name: S\n    watchers:\n", name, more)
	for _, one := range w.names {
		fmt.Fprintf(&text, "      - {name: %s, target: %s, from: %s, interval: %s}\n", one, one, name, every(one))
	}
	text.WriteString(w.more)
	c, err := config.Parse("sim.yaml", []byte(text.String()), func(string) (string, bool) { return "", false }, kinds...)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range c.Watchers {
		if spec, ok := c.Watchers[i].Spec.(*targetSpec); ok {
			spec.world = w
		}
	}
	return c
}

func (w *world) startProber(name, more string) *process {
	p := &process{ended: make(chan error, 1)}
	made := make(chan *conn, 1)
	r, err := prober.New(prober.Options{
		Config: w.file(name, more), Version: "sim", Log: slog.New(slog.DiscardHandler), Clock: clock.New(clock.Never), CoarseTimer: true,
		Connect: func(_ context.Context, o bus.Options) (prober.Conn, error) {
			c := w.server.connect(o.OnLink)
			made <- c
			for range 20 { // it waits for the first attempt, as bus.Connect does
				if c.Link().Up {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			return c, nil
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() { p.ended <- r.Run(ctx) }()
	p.conn = <-made
	w.probers[name] = p
	return p
}

// stop ends a prober: cleanly, or as kill -9 does.
func (w *world) stop(name string, cleanly bool) {
	p := w.probers[name]
	delete(w.probers, name)
	if !cleanly {
		p.conn.change(func() { p.conn.cut = true })
	}
	p.cancel()
	if err := <-p.ended; err != nil {
		w.t.Errorf("prober %s: %v", name, err)
	}
}

func (w *world) startDashboard() *dashboard {
	d := &dashboard{ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	refresh := make(chan string, 16)
	d.board = board.New(board.Options{Title: "sim", Clock: clock.New(clock.Never), Refresh: func(who string) {
		select {
		case refresh <- who:
		default:
		}
	}})
	var all sync.WaitGroup
	all.Go(func() {
		if err := d.board.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	d.conn = w.server.connect(func(l bus.Link) { d.board.SetLink(board.Link{Up: l.Up, Store: l.Store}) })
	apply := func(m bus.Message) { d.board.Apply(m.Subject, m.Data, m.Age, !m.Snapshot) }
	all.Go(func() {
		if err := d.conn.Listen(ctx, apply, pharos.SubjectAll); err != nil {
			w.t.Error(err)
		}
	})
	all.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-d.conn.Connected():
				for _, m := range d.conn.stored() {
					apply(m)
				}
				_ = d.conn.Publish(pharos.SubjectRefresh, nil) // there may be no store
			case who := <-refresh:
				_ = d.conn.Publish(pharos.SubjectRefresh, []byte(fmt.Sprintf(`{"prober":%q}`, who)))
			}
		}
	})
	go func() {
		all.Wait()
		close(d.ended)
	}()
	w.dashboards = append(w.dashboards, d)
	return d
}

func (w *world) stopDashboard(d *dashboard) {
	d.cancel()
	<-d.ended
	_ = d.conn.Close(context.Background())
}

func (w *world) close() {
	for name := range w.probers {
		w.stop(name, true)
	}
	for _, d := range w.dashboards {
		w.stopDashboard(d)
	}
	synctest.Wait()
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// notices returns what a dashboard says is wrong.
func (d *dashboard) notices() []string { return d.board.State(context.Background()).Notices }

// tiles returns what a dashboard says of each target.
func (d *dashboard) tiles() map[string]board.Tile {
	out := map[string]board.Tile{}
	s := d.board.State(context.Background())
	for _, set := range s.Sets {
		for _, t := range set.Tiles {
			out[t.Name] = t
		}
	}
	return out
}

// runs returns who ran each target since a moment, and how often.
func (w *world) runs(since time.Time) map[string]map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]map[string]int{}
	for _, s := range w.log {
		if s.at.After(since) {
			if out[s.target] == nil {
				out[s.target] = map[string]int{}
			}
			out[s.target][s.prober]++
		}
	}
	return out
}

// gap returns the longest time between two runs of one target since a moment.
func (w *world) gap(since time.Time) (longest time.Duration, of string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := map[string]time.Time{}
	for _, s := range w.log {
		if s.at.Before(since) {
			continue
		}
		if d := s.at.Sub(cmp.Or(last[s.target], since)); d > longest {
			longest, of = d, s.target
		}
		last[s.target] = s.at
	}
	for _, name := range w.names {
		if d := time.Since(cmp.Or(last[name], since)); d > longest {
			longest, of = d, name
		}
	}
	return longest, of
}
