// Package cli is what the three programs' command lines have in common: flags
// and variables, the file and its reloads, the log, the signals, the exit code.
package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"pharos/internal/bus"
	"pharos/internal/config"
	"pharos/internal/keys"
	"pharos/internal/pharos"
)

const formatVariable = "PHAROS_LOG_FORMAT"

const maxSecret = 64 << 10 // bytes of a file that holds a variable

// patience is how long a program that was asked to stop may take.
const patience = 1900 * time.Millisecond

// Flags are those of every program. A flag goes before its variable, the
// variable before the file.
type Flags struct {
	Config    []string         `short:"c" env:"PHAROS_CONFIG" placeholder:"FILE" help:"The file that says what is watched; a folder, or several with commas or several times -c, are read as one."`
	Check     bool             `help:"Check the file and exit."`
	Health    bool             `help:"Ask the program that runs here with the same file and flags whether it is well, and exit."`
	Verbose   int              `short:"v" type:"counter" help:"Log more; twice: everything."`
	LogFormat string           `env:"PHAROS_LOG_FORMAT" enum:"text,json" default:"text" help:"text or json."`
	Describe  string           `enum:",man,bash,zsh,fish" default:"" placeholder:"man|bash|zsh|fish" help:"Print this command line as a manual page, or what completes it in a shell, and exit."`
	Version   kong.VersionFlag `help:"Print the version and exit."`
}

// File is what config.Files takes; empty: no file was named.
func (f *Flags) File() string { return strings.Join(f.Config, ",") }

// Override is a group of flags that go before the file.
type Override interface {
	// Override writes what the flags say into the configuration.
	Override(c *config.Config) error
}

// NATSFlags say where NATS is.
type NATSFlags struct {
	NATSURL         string `name:"nats-url" env:"PHAROS_NATS_URL" placeholder:"URL" help:"Address of NATS: nats://host:4222, several with commas."`
	Key             string `env:"PHAROS_KEY" placeholder:"FILE" help:"Key file, as \"keys add\" makes it: who this is, and where NATS is."`
	NATSCredentials string `name:"nats-credentials" env:"PHAROS_NATS_CREDENTIALS" placeholder:"FILE" help:"Credentials file for NATS."`
}

// Override implements Override.
func (f *NATSFlags) Override(c *config.Config) error {
	if f.NATSURL != "" {
		c.NATS.URL = f.NATSURL
	}
	if f.NATSCredentials != "" {
		c.NATS.Credentials = f.NATSCredentials
	}
	if f.Key != "" {
		c.NATS.Key = f.Key
	}
	if c.NATS.Key == "" {
		return nil
	}
	// A key says who its prober is; it goes before the file.
	k, err := keys.Load(c.NATS.Key)
	if err != nil {
		return err
	}
	switch {
	case k.Role.Kind != keys.Prober:
		return nil
	case k.Role.Name == "*":
		return c.Place(k.Role.Site, "")
	}
	return c.Place(k.Role.Site, k.Role.Name)
}

// PlaceFlags say who this prober is.
type PlaceFlags struct {
	Site   string `env:"PHAROS_SITE" help:"Where this prober stands."`
	Prober string `env:"PHAROS_PROBER" help:"Its name; the host's where nobody says."`
	Weight int    `env:"PHAROS_WEIGHT" placeholder:"N" help:"How much it takes beside the others of its site that share its watchers: 1 to 100."`
}

// Override implements Override.
func (f *PlaceFlags) Override(c *config.Config) error {
	return errors.Join(c.SetWeight(f.Weight), c.Place(f.Site, f.Prober))
}

// ListenFlags say where the board is served.
type ListenFlags struct {
	Listen string `env:"PHAROS_LISTEN" placeholder:"HOST:PORT" help:"Where the board is served."`
	Port   *int   `short:"P" placeholder:"PORT" help:"The same, on all addresses; 0: a free port. Goes before --listen."`
}

// Override implements Override.
func (f *ListenFlags) Override(c *config.Config) error {
	switch {
	case f.Port == nil:
		if f.Listen != "" {
			c.Dashboard.Listen = f.Listen
		}
	case *f.Port < 0 || *f.Port > 65535:
		return fmt.Errorf("--port %d: want 0 to 65535", *f.Port)
	default:
		c.Dashboard.Listen = ":" + strconv.Itoa(*f.Port)
	}
	return nil
}

// Listen opens the listener of the board.
func Listen(ctx context.Context, c *config.Config) (net.Listener, error) {
	address := c.Dashboard.Listen
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listening on %q: another program does already; choose another port with -P", address)
	}
	if err != nil {
		return nil, fmt.Errorf("listening on %q: %w", address, err)
	}
	return l, nil
}

// Bus returns how a program of a role connects to the user's NATS.
func Bus(c *config.Config, r keys.Role) (bus.Options, error) {
	n := c.NATS
	o := bus.Options{
		URL: n.URL, Credentials: n.Credentials, NKey: n.NKey, User: n.User, Password: n.Password, Token: n.Token,
		CAFile: n.CAFile, CertFile: n.CertFile, KeyFile: n.KeyFile, Inbox: keys.Inbox(r),
	}
	if n.Key != "" {
		if err := useKey(&o, n.Key, r); err != nil {
			return o, err
		}
	}
	if o.URL == "" {
		return o, errors.New(`no address of NATS: give a key file with --key, an address with --nats-url nats://host:4222, or "nats: {url: ...}" in the file (the all-in-one has NATS inside)`)
	}
	return o, nil
}

// useKey takes from a key file what else the options do not say.
func useKey(o *bus.Options, path string, r keys.Role) error {
	k, err := keys.Load(path)
	if err != nil {
		return err
	}
	if k.Role.Kind == keys.Admin && r.Kind == keys.Dashboard {
		r.Kind = keys.Admin // who may do what a dashboard does, but for making the store
	}
	switch {
	case k.Role.Kind != r.Kind:
		return fmt.Errorf("key %q is that of %s: want one of a %s", path, k.Role, r.Kind)
	case r.Kind == keys.Prober:
		if !k.Role.Covers(r) {
			return fmt.Errorf("key %q is that of %s, and this is %s: leave out --site and --prober, or take another key", path, k.Role, r)
		}
	default:
		r = k.Role
	}
	o.Inbox = keys.Inbox(r)
	o.NKey = path
	if o.URL == "" {
		o.URL = k.URL()
	}
	if k.CA != nil && o.CAFile == "" {
		o.CAFile, o.OwnCA = path, true
	}
	return nil
}

// BusOfAllInOne is Bus for a file that may be that of an all-in-one on this
// machine: where it names no other NATS, it is the server inside.
func BusOfAllInOne(c *config.Config, file string, r keys.Role) (bus.Options, error) {
	n := c.NATS
	if n.URL != "" || n.Key != "" || n.Listen == "" {
		return Bus(c, r)
	}
	host, port, err := net.SplitHostPort(n.Listen)
	if err != nil || port == "0" {
		return bus.Options{}, fmt.Errorf("nats.listen is %q: nobody knows the port of the all-in-one's NATS; give its address with --nats-url", n.Listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	o := bus.Options{URL: "nats://" + net.JoinHostPort(host, port), ServerCert: n.CertFile, Inbox: keys.Inbox(r)}
	if keys.Guarded(n, file) {
		dir, err := n.KeysDir(file)
		if err != nil {
			return o, err
		}
		folder, err := keys.Open(dir, nil)
		if err != nil {
			return o, fmt.Errorf("the all-in-one of %q has not run yet: %w", file, err)
		}
		return o, useKey(&o, folder.OwnKey(keys.Role{Kind: keys.Admin}), r)
	}
	if len(n.Users) > 0 {
		o.User, o.Password = n.Users[0].Name, n.Users[0].Password
	}
	return o, nil
}

// Setup is what a program is run with.
type Setup struct {
	Config  *config.Config
	Log     *slog.Logger
	Command string // of those that the program's flags name; empty: they name none
	program Program
	hup     <-chan os.Signal
}

// Program is one of the three.
type Program struct {
	Name, Help string
	Flags      any    // pointer to a struct that embeds Flags
	Common     *Flags // the one that is embedded
	// Overrides are those flags that go before the file.
	Overrides []Override
	// Fixed is what a reload cannot change.
	Fixed []config.Keys
	// Kinds are those of the watchers that it runs; none: it runs none.
	Kinds []config.Kind
	// Check, if not nil, says what --check finds wrong with a file that can be
	// read.
	Check func(*config.Config) error
	// Default returns the file that a command uses when none is given; an error
	// says that one must be.
	Default func(command string) ([]byte, error)
	// Alone, if not nil, runs a command that needs no file; it reports false where
	// that is none of them.
	Alone func(ctx context.Context, command string) (bool, error)
	// Run runs the program until ctx is done.
	Run func(ctx context.Context, s *Setup) error
}

// Main runs a program with the process's arguments and exits: 0 when it was
// asked to stop and did, 1 with an error.
func Main(p Program) {
	// From here on: unheard, the signal ends the process.
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	if os.Getenv(formatVariable) == "" { // as every other empty variable; kong takes it for a format
		os.Unsetenv(formatVariable)
	}
	parsed := kong.Parse(p.Flags, kong.Name(p.Name), kong.Description(p.Help), kong.Vars{"version": "pharos " + pharos.Version})
	if form := p.Common.Describe; form != "" {
		describe(os.Stdout, parsed.Model.Node, form)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		stop()                            // a second signal ends the process at once
		time.AfterFunc(patience, func() { // whatever it waits for
			fmt.Fprintf(os.Stderr, "%s: not all of it ended within %v of the signal\n", p.Name, patience)
			os.Exit(1)
		})
	})
	if os.Getenv("GOGC") == "" {
		// Nearly all memory is the watchers' and lives as long as they do: half as
		// much again is room enough for what comes and goes.
		debug.SetGCPercent(50)
	}
	if err := run(ctx, p, parsed.Command(), hup); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, p Program, command string, hup <-chan os.Signal) error {
	if p.Common.Health {
		return askHealth(&p)
	}
	if p.Alone != nil {
		if done, err := p.Alone(ctx, command); done {
			return err
		}
	}
	c, err := read(p, command)
	if err != nil {
		return err
	}
	if p.Common.Check {
		if p.Check != nil {
			if err := p.Check(c); err != nil {
				return fmt.Errorf("checking %q: %w", p.Common.File(), err)
			}
		}
		if len(p.Kinds) == 0 {
			fmt.Printf("%s: fine\n", p.Common.File())
			return nil
		}
		sets := map[string]bool{}
		for _, w := range c.Watchers {
			sets[w.Set] = true
		}
		for _, w := range c.Watchers {
			if p.Common.Verbose > 0 {
				fmt.Printf("%s\t%s\t%s / %s\n", w.ID, pharos.ResultSubject(pharos.Token(c.Prober), w.ID), w.Set, w.Name)
			}
		}
		fmt.Printf("%s: fine: %s in %s\n", p.Common.File(), plural(len(c.Watchers), "watcher"), plural(len(sets), "set"))
		return nil
	}
	return p.Run(ctx, &Setup{Config: c, Log: logger(p.Common), Command: command, program: p, hup: hup})
}

// plural returns "1 set" and "2 sets".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func read(p Program, command string) (*config.Config, error) {
	var c *config.Config
	var err error
	switch {
	case p.Common.File() != "":
		c, err = config.Load(p.Common.File(), lookup, p.Kinds...)
	case p.Common.Check:
		return nil, errors.New("--check: no file is given: say which with -c FILE")
	default:
		var data []byte
		if data, err = p.Default(command); err == nil {
			c, err = config.Parse("the built-in file", data, lookup, p.Kinds...)
		}
	}
	if err == nil {
		err = p.override(c)
	}
	return c, err
}

// lookup returns a variable, or what is in the file that the variable of the same
// name with _FILE behind it names: containers are handed secrets like that.
func lookup(name string) (string, bool) {
	if v, ok := os.LookupEnv(name); ok {
		return v, true
	}
	path := os.Getenv(name + "_FILE")
	if path == "" {
		return "", false
	}
	data, err := pharos.ReadFile(path, maxSecret)
	return strings.TrimRight(string(data), "\r\n"), err == nil
}

func (p *Program) override(c *config.Config) error {
	for _, o := range p.Overrides {
		if err := o.Override(c); err != nil {
			return err
		}
	}
	return nil
}

func logger(f *Flags) *slog.Logger {
	level := [...]slog.Level{slog.LevelWarn, slog.LevelInfo, slog.LevelDebug}[min(max(f.Verbose, 0), 2)]
	o := &slog.HandlerOptions{Level: level}
	if f.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}

// Follow hands each new content of the file to apply, as soon as it is there or
// SIGHUP asks for it, until ctx is done. A content that cannot be read, that
// changes what is fixed, or that apply refuses, goes to reject, and nothing else
// happens.
func (s *Setup) Follow(ctx context.Context, apply func(*config.Config) error, reject func(error)) error {
	refuse := func(err error) {
		s.Log.Error("the new file is not in force, the old one stays", "error", err)
		reject(err)
	}
	path := s.program.Common.File()
	if path == "" {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-s.hup:
				s.Log.Warn("there is no file to be read again")
			}
		}
	}
	o := config.Options{Path: path, Getenv: lookup, Kinds: s.program.Kinds, Seen: s.Config.Hash, Hup: s.hup}
	return config.Follow(ctx, o, func(c *config.Config) {
		err := s.program.override(c)
		if err == nil {
			err = s.Config.CheckReload(c, s.program.Fixed...)
		}
		if err == nil {
			err = apply(c)
		}
		if err != nil {
			refuse(err)
			return
		}
		s.Log.Info("the new file is in force", "watchers", len(c.Watchers))
	}, refuse)
}
