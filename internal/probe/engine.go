// Package probe looks at one thing once: a page or a command, here or through
// ssh. It owns no loop and no memory; internal/schedule says when.
package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"pharos/internal/pharos"
	"pharos/internal/redact"
)

// Options are what all probes of an engine share.
type Options struct {
	Version string       // the user agent is Pharos/<version>
	Log     *slog.Logger // nil: nothing is logged
}

// Engine owns what probes share: buffers, the processes that they started, the
// connections of ssh. Make it with New and end it with Close, after the last
// run has returned.
type Engine struct {
	agent     string
	log       *slog.Logger
	scratches sync.Pool   // of *scratch
	tls       *tls.Config // of pages for which the file says nothing else
	http      *http.Transport
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
	if o.Version == "" {
		o.Version = "dev"
	}
	r := theReaper()
	return &Engine{agent: "Pharos/" + o.Version, log: o.Log, tls: visitorTLS(), http: newTransport(), reaper: r, ssh: newSSHHosts(r, o.Log), nameServer: dialNameServer}
}

// Close ends the connections of ssh and waits for them. Closing twice is fine.
func (e *Engine) Close() error { return e.ssh.close() }

// looker is one kind of watcher. look fills what it saw into r; it need not
// look at how ctx ended.
type looker interface {
	look(ctx context.Context, r *pharos.Result)
	close() error
}

// Probe is a watcher made ready to be looked at, as often as one likes. One
// run at a time.
type Probe struct {
	engine   *Engine
	id       pharos.WatcherID
	kind     looker
	redactor *redact.Redactor
}

// Prepare reads the files that the watcher names and compiles everything that
// does not change from run to run. r takes the secrets out of whatever a run
// tells, before it is cut. The errors name the watcher.
func (e *Engine) Prepare(w pharos.Watcher, r *redact.Redactor) (*Probe, error) {
	kind, err := e.prepare(w, r)
	if err != nil {
		return nil, fmt.Errorf("preparing watcher %q of set %q: %w", w.Name, w.Set, err)
	}
	return &Probe{engine: e, id: w.ID, kind: kind, redactor: r}, nil
}

func (e *Engine) prepare(w pharos.Watcher, r *redact.Redactor) (looker, error) {
	if err := checkSSHHost(w.SSHHost); err != nil {
		return nil, err
	}
	switch {
	case (w.Page == nil) == (w.Command == nil):
		return nil, fmt.Errorf("want one of page and command")
	case w.Page != nil:
		return newPage(e, w, r)
	default:
		return newCommand(e, w, r)
	}
}

// Run looks once. The deadline of ctx is the timeout: a run that meets it is
// critical. A run whose ctx was canceled says nothing: its status is Waiting.
// Run fills Status, Value, Unit, Summary, Detail, Facts, Phases and At; all
// else is the scheduler's.
func (p *Probe) Run(ctx context.Context) (r pharos.Result) {
	at := time.Now()
	defer func() {
		if broken := recover(); broken != nil {
			p.engine.log.Error("a probe broke", "watcher", p.id, "panic", broken, "stack", string(debug.Stack()))
			r = pharos.Result{Status: pharos.Unknown, Summary: fmt.Sprintf("the probe broke: %v", broken)}
		}
		if ctx.Err() == context.Canceled {
			r = pharos.Result{Status: pharos.Waiting}
		}
		r.Summary, r.Detail, r.Text = p.redactor.Text(r.Summary), p.redactor.Text(r.Detail), p.redactor.Text(r.Text)
		for i := range r.Facts {
			r.Facts[i].Value = p.redactor.Text(r.Facts[i].Value)
		}
		r.At = at
	}()
	p.kind.look(ctx, &r)
	return r
}

// Close closes the connection that the probe kept. Closing twice is fine.
func (p *Probe) Close() error { return p.kind.close() }
