// Package dashboard is the dashboard program: what comes over NATS goes to the
// board, and the board to the screens.
package dashboard

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"pharos/internal/board"
	"pharos/internal/bus"
	"pharos/internal/config"
	"pharos/internal/field"
	"pharos/internal/pharos"
	"pharos/internal/ui"
	"pharos/internal/web"
)

// Options are what a Dashboard needs.
type Options struct {
	Config   *config.Config
	Name     string // of this dashboard, for NATS's lists
	Version  string
	Bus      bus.Options // Name, Inbox, Log and OnLink are set by the dashboard
	Memory   bool        // a store that the dashboard has to make is in memory
	Listener net.Listener
	Sample   http.Handler // below /sample/; nil: none
	Log      *slog.Logger
}

// Dashboard shows what all probers say.
type Dashboard struct {
	o       Options
	board   *board.Board
	web     *web.Server
	conn    atomic.Pointer[bus.Conn] // nil until the first attempt to connect has ended
	refresh chan string              // who is to publish again; empty: everybody
}

// New returns a dashboard that Run sets going.
func New(o Options) *Dashboard {
	d := &Dashboard{o: o, refresh: make(chan string, 16)}
	first := settings(o.Config)
	d.board = board.New(board.Options{
		Title: o.Config.Title, Tagline: o.Config.Tagline, Build: build(first.Views),
		MaxWatchers: o.Config.Dashboard.Limits.Watchers, Log: o.Log, Refresh: d.askAgain, Elsewhere: d.tryAnother,
	})
	d.web = web.New(web.Options{
		Board: d.board, Version: o.Version, Log: o.Log, Sample: o.Sample, NATS: d.counters, Push: d.push,
		Limits: web.Limits{Screens: o.Config.Dashboard.Limits.Screens, PerAddress: o.Config.Dashboard.Limits.PerAddress},
		Admin:  o.Config.Dashboard.Admin != "",
	})
	d.web.Apply(first)
	return d
}

// Run serves until ctx is done. It stops in the reverse order of its start:
// HTTP, NATS, the board.
func (d *Dashboard) Run(ctx context.Context) error {
	var admin net.Listener
	if address := d.o.Config.Dashboard.Admin; address != "" {
		var err error
		if admin, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address); err != nil {
			return errors.Join(fmt.Errorf("listening on dashboard.admin %q: %w", address, err), d.o.Listener.Close())
		}
	}
	listener := d.o.Listener
	if files := d.o.Config.Dashboard.TLS; files != (config.TLS{}) {
		c, err := readCertificate(files, d.o.Log)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		listener = tls.NewListener(listener, c.config())
	}
	d.warnOfPlain()
	o := d.o.Bus
	o.Name = "pharos-dashboard/" + d.o.Name
	o.Log = d.o.Log
	o.OnLink = func(l bus.Link) { d.board.SetLink(board.Link{Up: l.Up, Store: l.Store, Error: l.Error}) }

	// The board outlives what feeds it and what reads it.
	boardCtx, stopBoard := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBoard()
	owner, boardCtx := errgroup.WithContext(boardCtx)
	owner.Go(func() error { return d.board.Run(boardCtx) })

	// What comes over NATS is followed until the screens have been let go.
	g, serving := errgroup.WithContext(ctx)
	following, stopFollowing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFollowing()
	g.Go(func() error {
		defer stopFollowing()
		return d.web.Serve(serving, listener)
	})
	if admin != nil {
		g.Go(func() error { return d.web.ServeAdmin(serving, admin) })
	}
	g.Go(func() error { return d.follow(following, o) })
	err := g.Wait()
	stopBoard()
	if err = errors.Join(err, owner.Wait()); err != nil {
		return fmt.Errorf("running the dashboard: %w", err)
	}
	return nil
}

// warnOfPlain says that passwords and keys could be read on their way.
func (d *Dashboard) warnOfPlain() {
	c := &d.o.Config.Dashboard
	address, _ := d.o.Listener.Addr().(*net.TCPAddr)
	if address == nil || address.IP.IsLoopback() || c.TLS != (config.TLS{}) || len(c.Guard.TrustedProxies) > 0 || len(c.Access.Users)+len(c.Access.Screens) == 0 {
		return
	}
	d.o.Log.Warn("people sign in without encryption: name a certificate under dashboard.tls, or the proxy that speaks TLS for this dashboard under dashboard.trusted_proxies")
}

// URL returns the address by which this machine reaches what is served on l,
// without a slash at its end.
func URL(l net.Listener, c *config.Config) string {
	scheme := "http"
	if c.Dashboard.TLS != (config.TLS{}) {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err == nil && net.ParseIP(host).IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Alive asks the board, and the page that says whether the process lives.
func (d *Dashboard) Alive(ctx context.Context) error {
	if d.board.State(ctx) == nil {
		return errors.New("the board does not answer")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, URL(d.o.Listener, d.o.Config)+"/healthz", nil)
	if err != nil {
		return err
	}
	// It is ourselves that we ask, past every proxy, and by a name that our
	// certificate need not have.
	own := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	answer, err := own.Do(request)
	if err != nil {
		return err
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
		return errors.Join(err, errors.New("/healthz: "+answer.Status))
	}
	return nil
}

// follow connects, and hands the board what comes until ctx is done.
func (d *Dashboard) follow(ctx context.Context, o bus.Options) error {
	conn, err := bus.Connect(ctx, o)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	d.conn.Store(conn)
	g, work := errgroup.WithContext(ctx)
	g.Go(func() error {
		return conn.Follow(work, bus.Follow{
			Create: true, Memory: d.o.Memory, Replicas: d.o.Config.NATS.Replicas,
			Handle: func(m bus.Message) { d.board.Apply(m.Subject, m.Data, m.Age, !m.Snapshot) },
		})
	})
	g.Go(func() error { return d.forwardRefreshes(work, conn) })
	err = g.Wait()
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if closing := conn.Close(leave); closing != nil {
		d.o.Log.Warn("leaving NATS", "error", closing)
	}
	return err
}

// push publishes what came over HTTP.
func (d *Dashboard) push(ctx context.Context, subject string, data []byte) error {
	conn := d.conn.Load()
	if conn == nil {
		return bus.ErrNotConnected
	}
	return conn.Push(ctx, subject, data)
}

// counters are the connection's, by name, for /metrics.
func (d *Dashboard) counters() map[string]uint64 {
	conn := d.conn.Load()
	if conn == nil {
		return nil
	}
	n := conn.Stats()
	return map[string]uint64{
		"connects": n.Connects, "received": n.Received, "lost": n.Dropped, "snapshots": n.Snapshots,
		"refreshes": n.Refreshes, "denied": n.Denied, "diverted": n.Diverted, "unpublished": n.Unpublished,
	}
}

// Fixed is what Apply cannot change.
func Fixed() []config.Keys { return []config.Keys{config.BrokerKeys, config.BoardKeys} }

// Check says what would keep a dashboard from running with a file.
func Check(c *config.Config) error { return errors.Join(c.NATS.CheckFiles(), CheckPage(c)) }

// CheckPage says what a file's board refers to and cannot be shown.
func CheckPage(c *config.Config) error {
	_, err := c.Dashboard.ReadLogos()
	if c.Dashboard.TLS != (config.TLS{}) {
		_, unread := readCertificate(c.Dashboard.TLS, slog.New(slog.DiscardHandler))
		err = errors.Join(err, unread)
	}
	return err
}

// Apply puts another file in force, but for what is fixed.
func (d *Dashboard) Apply(c *config.Config) {
	now := settings(c)
	d.web.Apply(now) // before the screens are told of the new build
	d.board.Describe(c.Title, c.Tagline, build(now.Views))
	d.board.SetNotice("")
}

// settings are those of the web server that a file says. A logo that cannot be
// read any more, after Check, is none.
func settings(c *config.Config) web.Settings {
	a := c.Dashboard.Access
	screens := make([]web.Screen, len(a.Screens))
	for i, s := range a.Screens {
		screens[i] = web.Screen(s)
	}
	out := web.Settings{Views: maps.Clone(c.Dashboard.Views), Logos: map[string]web.Logo{}, Guard: web.Guard(c.Dashboard.Guard), Access: web.Access{
		SignedIn: a.SignedIn, Users: a.Users, Screens: screens, UserHeader: a.UserHeader, Detail: web.Detail(a.Detail),
	}}
	out.Push.Site = c.Site
	for _, token := range a.Push {
		out.Push.Tokens = append(out.Push.Tokens, web.PushToken(token))
	}
	logos, _ := c.Dashboard.ReadLogos()
	for view, logo := range logos {
		sum := sha256.Sum256(logo.Data)
		name := hex.EncodeToString(sum[:6])
		out.Logos[name] = web.Logo(logo)
		out.Views[view] = maps.Clone(out.Views[view])
		out.Views[view].Set("logo", name)
	}
	return out
}

// build is what a page of this program and these views is known by: one of
// another build loads itself anew.
func build(views map[string]url.Values) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(views)) {
		fmt.Fprintf(sum, "%q %q\n", name, views[name].Encode())
	}
	return ui.Build() + "-" + hex.EncodeToString(sum.Sum(nil))[:8]
}

// Reject tells every screen why the newest file is not in force.
func (d *Dashboard) Reject(err error) { d.board.SetNotice(field.Brief(err)) }

// askAgain has a prober asked to publish again; empty: all of them.
func (d *Dashboard) askAgain(prober string) {
	select {
	case d.refresh <- prober:
	default: // the board asks again while it does not help
	}
}

// tryAnother leaves a server of NATS through which no prober is heard.
func (d *Dashboard) tryAnother() {
	if conn := d.conn.Load(); conn != nil && conn.TryAnother() {
		d.o.Log.Warn("no prober is heard through this server of NATS; trying another")
	}
}

func (d *Dashboard) forwardRefreshes(ctx context.Context, conn *bus.Conn) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case prober := <-d.refresh:
			data, err := json.Marshal(pharos.Refresh{Prober: prober})
			if err == nil {
				err = conn.Publish(pharos.SubjectRefresh, data)
			}
			if err != nil {
				d.o.Log.Debug("asking the probers to publish again", "error", err)
			}
		}
	}
}
