// Command prober looks at what its file says and publishes each result to
// NATS.
package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"

	"pharos/internal/cli"
	"pharos/internal/keys"
	"pharos/internal/pharos"
	"pharos/internal/prober"
)

func main() {
	var flags struct {
		cli.Flags
		cli.NATSFlags
		cli.PlaceFlags
		Watch  struct{}             `cmd:"" default:"1" help:"Watch and publish; what is done where no command is named."`
		Try    prober.TryCommand    `cmd:"" help:"Run watchers once, now, and say what they see; nothing is published."`
		Import prober.ImportCommand `cmd:"" help:"Write a file of what Gatus, Uptime Kuma, blackbox_exporter and Prometheus, or the first Pharos watch."`
	}
	cli.Main(cli.Program{
		Name: "prober", Help: "Looks at systems as a user would, and publishes what it sees to NATS.",
		Flags: &flags, Common: &flags.Flags,
		Overrides: []cli.Override{&flags.NATSFlags, &flags.PlaceFlags},
		Fixed:     prober.Fixed(),
		Kinds:     prober.Kinds(),
		Check:     prober.Check,
		Alone:     flags.Import.Alone,
		Default: func(string) ([]byte, error) {
			return nil, errors.New("no file says what to watch: give one with -c FILE")
		},
		Run: func(ctx context.Context, s *cli.Setup) error {
			if strings.HasPrefix(s.Command, "try") {
				return flags.Try.Run(ctx, s.Config, os.Stdout)
			}
			o, err := cli.Bus(s.Config, keys.Role{Kind: keys.Prober, Site: s.Config.Site, Name: s.Config.Prober})
			if err != nil {
				return err
			}
			p, err := prober.New(prober.Options{Config: s.Config, Version: pharos.Version, Bus: o, Log: s.Log})
			if err != nil {
				return err
			}
			g, ctx := errgroup.WithContext(ctx)
			g.Go(func() error { return p.Run(ctx) })
			g.Go(func() error { return s.Follow(ctx, p.Apply, p.Reject) })
			g.Go(func() error { return s.ServeHealth(ctx, p.Alive) })
			return g.Wait()
		},
	})
}
