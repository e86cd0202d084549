// Command dashboard shows on a board what all probers say over NATS.
package main

import (
	"context"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"

	"pharos/internal/cli"
	"pharos/internal/config"
	"pharos/internal/dashboard"
	"pharos/internal/keys"
	"pharos/internal/pharos"
)

func main() {
	var flags struct {
		cli.Flags
		cli.NATSFlags
		cli.ListenFlags
		Serve  struct{} `cmd:"" default:"1" help:"Serve the board; what is done where no command is named."`
		Forget struct {
			Prober  string `placeholder:"SITE/PROBER" xor:"what" required:"" help:"A prober, with all that it watches."`
			Watcher string `placeholder:"SITE.SET.WATCHER" xor:"what" required:"" help:"One watcher."`
		} `cmd:"" help:"Have every dashboard drop what is gone for good."`
		Passwd cli.PasswdCommand `cmd:"" help:"Make the line of somebody who may sign in at the board."`
		Keys   cli.KeysCommand   `cmd:"" help:"Make the keys with which programs prove to NATS who they are."`
	}
	cli.Main(cli.Program{
		Name: "dashboard", Help: "Shows what the probers see, live, on a board for every screen.",
		Flags: &flags, Common: &flags.Flags,
		Overrides: []cli.Override{&flags.NATSFlags, &flags.ListenFlags},
		Fixed:     dashboard.Fixed(),
		Check:     dashboard.Check,
		Alone:     flags.Passwd.Alone,
		Default:   func(string) ([]byte, error) { return []byte("title: Pharos\n"), nil },
		Run: func(ctx context.Context, s *cli.Setup) error {
			if strings.HasPrefix(s.Command, "keys ") {
				return flags.Keys.Run(s.Command, keysOf, os.Stdout, os.Stderr)
			}
			name, err := os.Hostname()
			if err != nil {
				name = "dashboard"
			}
			r := keys.Role{Kind: keys.Dashboard, Name: name}
			if s.Command == "forget" {
				r.Kind = keys.Admin
			}
			o, err := cli.BusOfAllInOne(s.Config, flags.File(), r)
			if err != nil {
				return err
			}
			if r.Kind == keys.Admin {
				return forget(ctx, o, pharos.Forget{Prober: flags.Forget.Prober, Watcher: pharos.WatcherID(flags.Forget.Watcher)})
			}
			l, err := cli.Listen(ctx, s.Config)
			if err != nil {
				return err
			}
			d := dashboard.New(dashboard.Options{Config: s.Config, Name: pharos.Token(name), Version: pharos.Version, Bus: o, Listener: l, Log: s.Log})
			g, ctx := errgroup.WithContext(ctx)
			g.Go(func() error { return d.Run(ctx) })
			g.Go(func() error {
				return s.Follow(ctx, func(c *config.Config) error { d.Apply(c); return nil }, d.Reject)
			})
			g.Go(func() error { return s.ServeHealth(ctx, d.Alive) })
			return g.Wait()
		},
	})
}
