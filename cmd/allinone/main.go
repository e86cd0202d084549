// Command allinone is a whole Pharos in one process: prober, NATS, dashboard.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"

	"pharos/internal/allinone"
	"pharos/internal/cli"
	"pharos/internal/config"
	"pharos/internal/dashboard"
	"pharos/internal/pharos"
)

func main() {
	var flags struct {
		cli.Flags
		cli.ListenFlags
		cli.PlaceFlags
		Serve  struct{}          `cmd:"" default:"1" help:"Watch and serve; what is done where no command is named."`
		Passwd cli.PasswdCommand `cmd:"" help:"Make the line of somebody who may sign in at the board."`
		Keys   cli.KeysCommand   `cmd:"" help:"Make the keys with which probers and others on other machines prove who they are."`
	}
	var l net.Listener
	cli.Main(cli.Program{
		Name: "allinone", Help: "Watches systems and shows them on a board: prober, NATS and dashboard in one.",
		Flags: &flags, Common: &flags.Flags,
		Overrides: []cli.Override{&flags.ListenFlags, &flags.PlaceFlags},
		Fixed:     allinone.Fixed(),
		Kinds:     allinone.Kinds(),
		Check:     allinone.Check,
		Alone:     flags.Passwd.Alone,
		Default: func(command string) (data []byte, err error) {
			if strings.HasPrefix(command, "keys ") {
				return nil, errors.New("whose keys? name the all-in-one's file with -c FILE")
			}
			// The sample watches the program's own pages: it needs their address.
			c := config.Default()
			if err = flags.ListenFlags.Override(c); err != nil {
				return nil, err
			}
			if l, err = cli.Listen(context.Background(), c); err != nil {
				return nil, err
			}
			return config.Sample(dashboard.URL(l, c)), nil
		},
		Run: func(ctx context.Context, s *cli.Setup) (err error) {
			if strings.HasPrefix(s.Command, "keys ") {
				return flags.Keys.Run(s.Command, keysOf(s.Config.NATS, flags.File()), os.Stdout, os.Stderr)
			}
			hint := ""
			if l != nil {
				hint = "This is the built-in sample. To watch your own: write pharos.yaml (docs/config.md) and add -c pharos.yaml\n"
			} else if l, err = cli.Listen(ctx, s.Config); err != nil {
				return err
			}
			a, err := allinone.New(allinone.Options{Config: s.Config, File: flags.File(), Version: pharos.Version, Listener: l, Sample: hint != "", Log: s.Log})
			if err != nil {
				return err
			}
			fmt.Printf("Pharos is watching: %s/\n%s", dashboard.URL(l, s.Config), hint)
			g, ctx := errgroup.WithContext(ctx)
			g.Go(func() error { return a.Run(ctx) })
			g.Go(func() error { return s.Follow(ctx, a.Apply, a.Reject) })
			g.Go(func() error { return s.ServeHealth(ctx, a.Alive) })
			return g.Wait()
		},
	})
}
