// Package prober is the prober program: it runs the file's watchers on the
// schedule and publishes what they say.
package prober

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"pharos/internal/bus"
	"pharos/internal/clock"
	"pharos/internal/config"
	"pharos/internal/field"
	"pharos/internal/pharos"
	"pharos/internal/probe"
	"pharos/internal/redact"
	"pharos/internal/schedule"
)

// Options are what a Prober needs.
type Options struct {
	Config  *config.Config
	Version string
	Bus     bus.Options // Name, Inbox and Log are set by the prober
	Log     *slog.Logger
	// Connect returns the connection to NATS; nil: bus.Connect.
	Connect func(context.Context, bus.Options) (Conn, error)
	Clock   *clock.Clock // nil: the machine's
	// CoarseTimer keeps the schedule to Go's own timers, as a fake clock needs it.
	CoarseTimer bool
}

// Conn is what a prober needs of a connection to NATS: a *bus.Conn, or what stands
// for it in a simulation. Its methods are described there.
type Conn interface {
	Connected() <-chan struct{}
	Link() bus.Link
	MaxPayload() int
	Publish(subject string, data []byte) error
	Last(ctx context.Context, mark bus.Message, subjects ...string) ([]bus.Message, error)
	Listen(ctx context.Context, handle func(bus.Message), subjects ...string) error
	Close(ctx context.Context) error
}

func connect(ctx context.Context, o bus.Options) (Conn, error) { return bus.Connect(ctx, o) }

// Prober runs one file's watchers.
type Prober struct {
	o         Options
	self      identity
	scheduler *schedule.Scheduler
	engine    *probe.Engine
	outbox    *outbox
	sharing   *sharing
	ears      *ears

	mu       sync.Mutex // guards watchers
	watchers map[pharos.WatcherID]watched
}

// watched is a watcher that is in force.
type watched struct {
	*pharos.Watcher
	files    [sha256.Size]byte // of what the files hold that it names
	redactor *redact.Redactor
}

// change is what another file changes.
type change struct {
	watchers map[pharos.WatcherID]watched // all that are in force then
	put      []schedule.Job               // those that differ from what runs
	drop     []pharos.WatcherID           // those that are no more
}

// New returns a prober that Run sets going. The error says which watcher cannot
// be prepared.
func New(o Options) (*Prober, error) {
	c := o.Config
	p := &Prober{o: o, self: identity{c.Site, c.Prober, pharos.Token(c.Site), pharos.Token(c.Prober), o.Version}}
	if o.Clock == nil {
		o.Clock = clock.New(nil)
	}
	if p.o.Connect == nil {
		p.o.Connect = connect
	}
	p.outbox = newOutbox(o.Clock, time.Now().UnixMilli())
	p.sharing = newSharing(o.Clock, p.self.proberToken)
	p.ears = newEars(o.Clock, p.self, p.sharing, o.Log)
	p.ears.pushed, p.ears.changed = func(id pharos.WatcherID) { p.scheduler.Hurry(id) }, func(id pharos.WatcherID) { p.scheduler.Changed(id) }
	p.engine = probe.New(probe.Options{Version: o.Version, Log: o.Log, Last: p.last, Pushed: p.ears.push})
	p.scheduler = schedule.New(schedule.Options{Report: p.outbox.put, Clock: o.Clock, CoarseTimer: o.CoarseTimer})
	if c.Share { // until it is known who else is there
		p.outbox.assign(nothing)
		p.scheduler.Assign(nothing)
	}
	if err := p.apply(o.Config); err != nil {
		return nil, fmt.Errorf("starting the prober: %w", p.closeAfter(err))
	}
	return p, nil
}

// Fixed is what Apply cannot change.
func Fixed() []config.Keys { return []config.Keys{config.PlaceKeys, config.BrokerKeys} }

// Check says what would keep a prober from running a file: the files on the way
// to NATS and the watchers that cannot be prepared, each on its line.
func Check(c *config.Config) error { return errors.Join(c.NATS.CheckFiles(), CheckWatchers(c)) }

// CheckWatchers says which watchers cannot be prepared, each with its line. What
// is wrong with many for the same reason, such as a file that is not there, is said
// of the first.
func CheckWatchers(c *config.Config) error {
	e := probe.New(probe.Options{})
	var reasons []string
	first, more := map[string]error{}, map[string]int{}
	for _, w := range c.Watchers {
		run, err := e.Prepare(w, c.Redactor)
		if err == nil {
			run.Close()
			continue
		}
		reason := errors.Unwrap(err).Error()
		if more[reason]++; more[reason] == 1 {
			first[reason] = at(w, err)
			reasons = append(reasons, reason)
		}
	}
	var all []error
	for _, reason := range reasons {
		err := first[reason]
		switch n := more[reason] - 1; {
		case n == 1:
			err = fmt.Errorf("%w (and one more watcher)", err)
		case n > 1:
			err = fmt.Errorf("%w (and %d more watchers)", err, n)
		}
		all = append(all, err)
	}
	return errors.Join(append(all, e.Close())...)
}

// at adds the line of a watcher to an error about it.
func at(w pharos.Watcher, err error) error {
	if w.Where == "" {
		return err
	}
	return fmt.Errorf("%s: %w", w.Where, err)
}

func (p *Prober) closeAfter(err error) error {
	if closing := p.engine.Close(); closing != nil {
		p.o.Log.Warn("closing the probes", "error", closing)
	}
	return err
}

// Run probes and publishes until ctx is done, then says goodbye.
func (p *Prober) Run(ctx context.Context) error {
	o := p.o.Bus
	o.Name = "pharos-prober/" + p.self.String()
	o.Log = p.o.Log
	g, work := errgroup.WithContext(ctx)
	// Probing waits for nobody.
	g.Go(func() error { return p.scheduler.Run(work) })
	g.Go(func() error { return p.publish(work, o) })
	if err := p.closeAfter(g.Wait()); err != nil {
		return fmt.Errorf("running the prober: %w", err)
	}
	return nil
}

// Alive says that the schedule or the outbox does not answer, where it does not
// before ctx is done.
func (p *Prober) Alive(ctx context.Context) error {
	done := make(chan struct{})
	go func() { // never ends where something holds a lock for ever
		defer close(done)
		p.scheduler.Update(nil, nil)
		p.outbox.mu.Lock()
		defer p.outbox.mu.Unlock()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.New("the schedule or the outbox does not answer")
	}
}

// publish connects, publishes until ctx is done, and says goodbye.
func (p *Prober) publish(ctx context.Context, o bus.Options) error {
	conn, err := p.o.Connect(ctx, o)
	if err != nil {
		return stopped(ctx, err)
	}
	g, work := errgroup.WithContext(ctx)
	subjects := []string{pharos.SubjectRefresh}
	if p.sharing.on() {
		subjects = append(subjects, pharos.HeartbeatSubject(p.self.siteToken, "*"))
	}
	g.Go(func() error { return conn.Listen(work, p.hear, subjects...) })
	out := &publisher{self: p.self, outbox: p.outbox, sharing: p.sharing, ears: p.ears, scheduler: p.scheduler, conn: conn, log: p.o.Log}
	g.Go(func() error { return out.run(work) })
	g.Go(func() error { return p.ears.run(work, conn, func() bus.Message { return out.heartbeat(false) }) })
	err = g.Wait()
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if closing := conn.Close(leave); closing != nil {
		p.o.Log.Warn("leaving NATS", "error", closing)
	}
	return err
}

// hear takes a message that arrived from NATS.
func (p *Prober) hear(m bus.Message) {
	if m.Subject == pharos.SubjectRefresh {
		if who := pharos.ParseRefresh(m.Data).Prober; who == "" || who == p.self.String() {
			p.outbox.refresh()
		}
		return
	}
	s, err := pharos.ParseSubject(m.Subject)
	if err != nil || s.Type != pharos.MessageHeartbeat {
		return
	}
	if b, err := pharos.ParseHeartbeat(m.Data); err == nil {
		p.sharing.hear(s.Prober, &b)
	}
}

// last returns what is known of a watcher, from here or from the prober that runs
// it; false: nothing yet.
func (p *Prober) last(id pharos.WatcherID) (pharos.Result, bool) {
	if r, ok := p.scheduler.Last(id); ok {
		return r, true
	}
	return p.ears.member(id)
}

// stopped returns nil instead of an error that only says that ctx is done.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Apply puts another file in force while Run runs: all of it, or nothing and an
// error. What is fixed is as it was.
func (p *Prober) Apply(c *config.Config) error {
	if err := p.apply(c); err != nil {
		return fmt.Errorf("applying the file: %w", err)
	}
	return nil
}

// Reject tells every board why the newest file is not in force.
func (p *Prober) Reject(err error) { p.outbox.reject(field.Brief(err)) }

func (p *Prober) apply(c *config.Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	to, err := p.prepare(c)
	if err != nil {
		for _, job := range to.put {
			job.Close()
		}
		return err
	}
	p.watchers = to.watchers
	p.outbox.adopt(c, to.drop)
	p.sharing.adopt(c)
	p.ears.adopt(c)
	p.scheduler.Update(to.put, to.drop)
	return nil
}

// prepare returns what putting a file in force changes; also with an error, for
// its jobs to be closed.
func (p *Prober) prepare(c *config.Config) (change, error) {
	to := change{watchers: make(map[pharos.WatcherID]watched, len(c.Watchers))}
	redactor := c.Redactor.WithEnvironment(os.Environ())
	for i := range c.Watchers {
		w := &c.Watchers[i]
		now := watched{w, filesOf(w), redactor} // before they are read for good: what changes meanwhile differs the next time
		to.watchers[w.ID] = now
		if old, ok := p.watchers[w.ID]; ok && old.Same(w) && old.files == now.files && old.redactor.Same(redactor) {
			continue
		}
		look, err := p.engine.Prepare(*w, redactor)
		if err != nil {
			return to, at(*w, err)
		}
		to.put = append(to.put, schedule.Job{
			Watcher: *w,
			Run:     look.Run,
			Close:   look.Close,
		})
	}
	for id := range p.watchers {
		if _, stays := to.watchers[id]; !stays {
			to.drop = append(to.drop, id)
		}
	}
	return to, nil
}

// filesOf returns a sum of what the files hold that a watcher names: they are
// read when it is prepared, and a certificate that was changed wants that done
// again.
func filesOf(w *pharos.Watcher) (sum [sha256.Size]byte) {
	if len(w.Traits.Files) == 0 {
		return sum
	}
	all := sha256.New()
	for _, name := range w.Traits.Files {
		data, err := pharos.ReadFile(name, 4<<20)
		fmt.Fprintf(all, "%x %v\n", sha256.Sum256(data), err)
	}
	return [sha256.Size]byte(all.Sum(nil))
}

// Kinds returns all kinds of watchers that there are, and more, for the file's
// reader.
func Kinds(more ...probe.Kind) []config.Kind {
	all := slices.Concat(probe.Kinds, more)
	kinds := make([]config.Kind, len(all))
	for i, k := range all {
		kinds[i] = config.Kind{Key: k.Key, Doc: k.Doc, Phases: k.Phases, Remote: k.Remote, Through: k.Through, New: func() config.Spec { return k.New() }}
	}
	return kinds
}
