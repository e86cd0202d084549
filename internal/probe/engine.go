// Package probe runs one watcher once: a page, a command, and all the other kinds,
// each in a file of its own. It owns no loop and no memory, and it does not judge;
// internal/schedule does.
package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpproxy"

	"pharos/internal/pharos"
	"pharos/internal/redact"
)

// Options are what all probes of an engine share.
type Options struct {
	Version string       // the user agent is Pharos/<version>
	Log     *slog.Logger // nil: nothing is logged
	// Last returns what was reported last of a watcher; false: nothing yet. nil:
	// nothing is known of any.
	Last func(pharos.WatcherID) (pharos.Result, bool)
	// Pushed returns what others have pushed for a watcher. nil: nobody listens.
	Pushed func(pharos.WatcherID) Push
}

// Push is what others have pushed for a watcher.
type Push struct {
	Came   bool          // anything did
	Result pharos.Result // the last one, as it came
	Age    time.Duration // of that
	For    time.Duration // how long it has been listened
	Deaf   bool          // something may have come that was not heard
}

// Engine is what kinds prepare their watchers with. Make it with New and end it
// with Close, after the last run has returned.
type Engine struct {
	*shared
	// Redactor takes the secrets out of what a run tells, before it is cut. What
	// a Measurement holds is redacted by the engine.
	Redactor *redact.Redactor
	closers  *[]func() // of the watcher that is being prepared
	through  string    // the ssh host from which its connections are made; empty: this one
}

// shared is what all probes of an engine share: buffers, the processes that they
// started, the connections of ssh.
type shared struct {
	agent     string
	last      func(pharos.WatcherID) (pharos.Result, bool)
	pushed    func(pharos.WatcherID) Push
	log       *slog.Logger
	scratches sync.Pool   // of *scratch
	tls       *tls.Config // of whoever says nothing else
	http      *http.Transport
	http2     *http.Transport                  // speaks nothing else
	proxy     func(*url.URL) (*url.URL, error) // of the environment
	reaper    *reaper
	stuck     sync.Map // of *stuckError, by watcher: processes that could not be killed
	ssh       *sshHosts
	// nameServer connects to a name server, as net.Resolver.Dial does.
	nameServer func(ctx context.Context, network, server string) (net.Conn, error)
}

// New returns an engine.
func New(o Options) *Engine {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Last == nil {
		o.Last = func(pharos.WatcherID) (pharos.Result, bool) { return pharos.Result{}, false }
	}
	if o.Pushed == nil {
		o.Pushed = func(pharos.WatcherID) Push { return Push{} }
	}
	r := theReaper()
	return &Engine{shared: &shared{
		agent: "Pharos/" + cmp.Or(o.Version, "dev"), last: o.Last, pushed: o.Pushed, log: o.Log, tls: visitorTLS(), http: newTransport(false), http2: newTransport(true), proxy: httpproxy.FromEnvironment().ProxyFunc(), reaper: r,
		ssh: newSSHHosts(r, o.Log), nameServer: dialNameServer,
	}}
}

// Close ends the connections of ssh and waits for them. Closing twice is fine.
func (e *Engine) Close() error { return e.ssh.close() }

// OnClose has a function called when the watcher that is being prepared is run no
// more.
func (e *Engine) OnClose(f func()) { *e.closers = append(*e.closers, f) }

// Probe is a watcher made ready to be run, as often as one likes. One run at a
// time.
type Probe struct {
	engine  *Engine
	watcher pharos.Watcher
	run     Run
	closers []func()
}

// Prepare makes a watcher ready. r takes the secrets out of whatever a run tells.
// The errors name the watcher.
func (e *Engine) Prepare(w pharos.Watcher, r *redact.Redactor) (*Probe, error) {
	p := &Probe{watcher: w}
	p.engine = &Engine{e.shared, r, &p.closers, w.SSHHost}
	spec, ok := w.Spec.(Spec)
	err := fmt.Errorf("kind %q is not known", w.Kind)
	if ok {
		p.run, err = spec.Prepare(p.engine, w)
	}
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("preparing watcher %q of set %q: %w", w.Name, w.Set, err)
	}
	return p, nil
}

// Run runs once. The deadline of ctx is the timeout: a run that meets it has
// failed.
func (p *Probe) Run(ctx context.Context, t *Trace) (m Measurement) {
	defer func() {
		if broken := recover(); broken != nil {
			p.engine.log.Error("a probe broke", "watcher", p.watcher.ID, "panic", broken, "stack", string(debug.Stack()))
			m = Measurement{Outcome: pharos.Unclear, Reason: fmt.Sprintf("the probe broke: %v", broken)}
		}
		t.CountTo(time.Now())
		t.Stop()
		p.complete(ctx, t, &m)
	}()
	return p.run(ctx, t)
}

// complete adds what all kinds have in common: the trace, words for what went
// wrong, and what is left without secrets.
func (p *Probe) complete(ctx context.Context, t *Trace, m *Measurement) {
	traits := p.watcher.Traits
	if m.Unit == "" {
		m.Unit = traits.Unit
	}
	m.Phases = t.Phases()
	if m.Outcome == pharos.Failed && m.Cause != nil {
		late := p.explain(ctx, t, m)
		if m.Detail == "" && !late {
			m.Detail = m.Cause.Error()
		}
		if late && traits.Timed {
			m.Value = pharos.Num(t.Total().Seconds())
		}
	} else if traits.Timed && !m.Value.OK && m.Outcome != pharos.Unable {
		m.Value = pharos.Num(t.Total().Seconds())
	}
	m.Reason, m.Detail, m.Text = p.engine.Redactor.Text(m.Reason), p.engine.Redactor.Text(m.Detail), p.engine.Redactor.Text(m.Text)
	for i := range m.Facts {
		m.Facts[i].Value = p.engine.Redactor.Text(m.Facts[i].Value)
	}
}

// explain says in words why a run failed, or that it is the prober's own fault. It
// reports whether the run met its deadline.
func (p *Probe) explain(ctx context.Context, t *Trace, m *Measurement) (late bool) {
	err := m.Cause
	_, bounded := ctx.Deadline()
	late = bounded && (ctx.Err() == context.DeadlineExceeded || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded))
	there, through := errors.AsType[*sshError](err)
	switch own := ownFault(err); {
	case late:
		m.Reason = "timed out after " + pharos.SayTime(waited(ctx, t.Start(), p.watcher.Timeout))
		if through {
			m.Reason += " connecting to " + there.host
		} else if phase := t.Under(); phase != "" {
			m.Reason += " in " + sayPhase(phase)
		} else if p.watcher.SSHHost != "" {
			m.Reason += " through ssh to " + p.watcher.SSHHost
		}
		if stuck, ok := errors.AsType[*stuckError](err); ok {
			m.Reason += "; " + stuck.Error()
		}
	case own != "":
		m.Outcome, m.Reason = pharos.Unable, own
	default:
		m.Reason = describe(err, t.Under())
	}
	return late
}

// waited returns how long a run was waited for: the timeout of the watcher, unless
// it began so late that it had clearly less.
func waited(ctx context.Context, start time.Time, timeout time.Duration) time.Duration {
	deadline, _ := ctx.Deadline()
	waited := deadline.Sub(start)
	if late := timeout - waited; late >= 0 && late < timeout/10 {
		return timeout
	}
	return waited
}

// sayPhase returns the name of a phase as people write it.
func sayPhase(name string) string { return strings.ReplaceAll(name, "_", " ") }

// Close closes what the watcher kept. Closing twice is fine.
func (p *Probe) Close() {
	for _, f := range p.closers {
		f()
	}
	p.closers = nil
}
