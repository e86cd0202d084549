// Package allinone is the all-in-one program: a prober and a dashboard, with
// the NATS server inside.
package allinone

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"golang.org/x/sync/errgroup"

	"pharos/internal/bus"
	"pharos/internal/bus/embedded"
	"pharos/internal/config"
	"pharos/internal/dashboard"
	"pharos/internal/pharos"
	"pharos/internal/prober"
	"pharos/internal/web"
)

// Options are what an AllInOne needs.
type Options struct {
	Config   *config.Config
	File     string // the path of the file that Config was read from; empty: it is built in, and nothing is kept over a restart
	Version  string
	Listener net.Listener // of the board
	Sample   bool         // serve the pages that the built-in sample watches
	Log      *slog.Logger
}

// AllInOne is a whole Pharos in one process.
type AllInOne struct {
	o         Options
	store     *store
	keys      *folder // nil: nobody has any
	server    *embedded.Server
	inside    bus.Options
	prober    *prober.Prober
	dashboard *dashboard.Dashboard
}

// New starts the NATS server inside, on a socket only where the file says so.
// Run sets the rest going, and stops all.
func New(o Options) (*AllInOne, error) {
	n := o.Config.NATS
	if err := n.CheckListen(); err != nil {
		return nil, fmt.Errorf("starting: %w", err)
	}
	users := make([]embedded.User, len(n.Users))
	for i, u := range n.Users {
		users[i] = embedded.User(u)
	}
	folder, err := openKeys(n, o.File)
	if err != nil {
		return nil, fmt.Errorf("starting: %w", err)
	}
	members, err := folder.members()
	if err != nil {
		return nil, fmt.Errorf("starting: %w", err)
	}
	certificate, err := serverCertificate(n, folder)
	if err != nil {
		return nil, fmt.Errorf("starting: %w", err)
	}
	kept, err := openStore(n.StoreDir, o.File, o.Log)
	if err != nil {
		return nil, fmt.Errorf("starting: %w", err)
	}
	server, err := embedded.Start(embedded.Options{StoreDir: kept.dir, Listen: n.Listen, Users: users, Members: members, Certificate: certificate, Log: o.Log})
	if err != nil {
		return nil, errors.Join(err, kept.Close())
	}
	inside := bus.Options{InProcess: server}
	inside.User, inside.Password = server.Login()
	p, err := prober.New(prober.Options{Config: o.Config, Version: o.Version, Bus: inside, Log: o.Log})
	if err != nil {
		return nil, errors.Join(err, server.Close(), kept.Close())
	}
	var sample http.Handler
	if o.Sample {
		sample = web.Sample()
	}
	d := dashboard.New(dashboard.Options{
		Config: o.Config, Name: "allinone", Version: o.Version, Bus: inside, Memory: kept.dir == "",
		Listener: o.Listener, Sample: sample, Log: o.Log,
	})
	return &AllInOne{o, kept, folder, server, inside, p, d}, nil
}

// Fixed is what Apply cannot change. What the file says of the way to NATS is
// for the other programs.
func Fixed() []config.Keys {
	return []config.Keys{config.PlaceKeys, config.ServerKeys, config.BoardKeys}
}

// Kinds are all kinds of watchers that it runs.
func Kinds() []config.Kind { return prober.Kinds() }

// Check says what would keep the all-in-one from running a file.
func Check(c *config.Config) error {
	_, err := serverCertificate(c.NATS, nil)
	return errors.Join(err, prober.CheckWatchers(c), dashboard.CheckPage(c))
}

// NATS returns the "host:port" on which remote probers reach the server inside,
// or nothing.
func (a *AllInOne) NATS() string { return a.server.Addr() }

// Run probes and serves until ctx is done.
func (a *AllInOne) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	if c := a.o.Config; a.store.dir != "" && c.NATS.Listen == "" {
		// Nobody else could: the server is not to be reached.
		g.Go(func() error {
			o := a.inside
			o.Name, o.Log = "pharos-forget", slog.New(slog.DiscardHandler)
			if err := dashboard.ForgetOthers(ctx, o, pharos.Token(c.Site)+"/"+pharos.Token(c.Prober)); err != nil && ctx.Err() == nil {
				a.o.Log.Warn("forgetting what the prober was called before", "error", err)
			}
			return nil
		})
	}
	if a.keys != nil {
		g.Go(func() error { return a.keys.follow(ctx, a.server.SetMembers, a.o.Log) })
	}
	g.Go(func() error { return a.dashboard.Run(ctx) })
	g.Go(func() error { return a.prober.Run(ctx) })
	return errors.Join(g.Wait(), a.server.Close(), a.store.Close())
}

// Alive says what of it does not answer.
func (a *AllInOne) Alive(ctx context.Context) error {
	return errors.Join(a.dashboard.Alive(ctx), a.prober.Alive(ctx))
}

// Apply puts another file in force, all of it, or nothing and an error.
func (a *AllInOne) Apply(c *config.Config) error {
	if err := a.prober.Apply(c); err != nil {
		return err
	}
	a.dashboard.Apply(c)
	return nil
}

// Reject tells every screen why the newest file is not in force. That the
// prober is the same process needs no second line.
func (a *AllInOne) Reject(err error) { a.dashboard.Reject(err) }
