// Package config reads the YAML file that says what is watched: strictly, with
// all of its errors at once, and again when it changes.
package config

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/text/unicode/norm"

	"pharos/internal/field"
	"pharos/internal/pharos"
	"pharos/internal/redact"
)

// The defaults of what is not a watcher's.
const (
	DefaultTitle       = "Pharos"
	DefaultSite        = "local"
	DefaultListen      = ":8811"
	DefaultDetail      = "redacted"
	DefaultMaxWatchers = 10_000
	DefaultMaxScreens  = 5_000
	DefaultPerAddress  = 1_000
)

// Config is one file, read and checked. It is not changed once it is in use.
type Config struct {
	Title, Tagline string
	Site, Prober   string           // human names
	Share          bool             // with the other probers of the site
	Weight         int              // beside them; at least 1
	Watchers       []pharos.Watcher // of all sets, in the file's order
	NATS           NATS
	Dashboard      Dashboard
	Hash           [sha256.Size]byte // of the file's content

	// Redactor hides the file's secrets: passwords, tokens, the values of headers
	// that carry them, those in addresses and after a command's -u, and what came
	// from a variable whose name says that it is secret.
	Redactor *redact.Redactor
}

// Default returns what holds where there is no file: nothing is watched.
func Default() *Config {
	return &Config{
		Title: DefaultTitle, Site: DefaultSite, Prober: hostName(), Share: true, Weight: 1,
		Dashboard: Dashboard{Listen: DefaultListen, Access: Access{Detail: DefaultDetail}, Limits: Limits{DefaultMaxWatchers, DefaultMaxScreens, DefaultPerAddress}},
	}
}

// Load reads a file, or several, which Files finds. getenv is os.LookupEnv, where the
// environment is the process's own. What is wrong with the content is returned as
// field.Errors.
func Load(path string, getenv func(string) (string, bool), kinds ...Kind) (*Config, error) {
	names, err := Files(path)
	if err != nil {
		return nil, err
	}
	files := make([]File, len(names))
	for i, name := range names {
		data, err := readFile(name)
		if err != nil {
			return nil, err
		}
		files[i] = File{name, data}
	}
	return ParseAll(files, getenv, kinds...)
}

func readFile(path string) ([]byte, error) {
	data, err := pharos.ReadFile(path, field.MaxFile)
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", path, err)
	}
	return data, nil
}

// Parse reads the content of a file. name is its path: the errors are told
// under it, and relative paths in the file start at its folder. kinds are those
// that a watcher can be of; who hands none runs no watchers, and what the file
// says of them is not looked at. The error is of type field.Errors.
func Parse(name string, data []byte, getenv func(string) (string, bool), kinds ...Kind) (*Config, error) {
	return ParseAll([]File{{name, data}}, getenv, kinds...)
}

// ParseAll is Parse of several files, as if they were one: the sets of one name are
// one set, and every other key is in one of them.
func ParseAll(files []File, getenv func(string) (string, bool), kinds ...Kind) (*Config, error) {
	p := &parser{Reader: field.New(getenv), kinds: kinds}
	c := p.parse(files)
	if errs := p.Errors(); errs != nil {
		return nil, errs
	}
	c.Hash = hashOf(files)
	c.Redactor = p.Secrets.Redactor(p.own...)
	for i := range c.Watchers {
		w := &c.Watchers[i]
		w.Target, w.Description, w.Link = c.Redactor.Text(w.Target), c.Redactor.Text(w.Description), c.Redactor.Text(w.Link)
	}
	return c, nil
}

// parser reads a file into a Config.
type parser struct {
	*field.Reader
	kinds []Kind
	own   []string // variables that only the program itself uses
}

const example = `sets: [{name: First, watchers: [{name: Home page, page: "https://example.com/"}]}]`

// parse returns nil only after an error was told.
func (p *parser) parse(files []File) *Config {
	root := p.root(files)
	if root == nil {
		return nil
	}
	p.own = ownVariables(root)
	f := file{Share: true}
	var w watched
	into := []any{&f}
	if len(p.kinds) > 0 {
		into = append(into, &w)
	}
	p.ReadKeys(root, "", func(k field.Pair) bool {
		return strings.HasPrefix(k.Name, "x-") || len(p.kinds) == 0 && (k.Name == "sets" || k.Name == "defaults")
	}, into...)
	return p.config(&f, &w)
}

func (p *parser) config(f *file, w *watched) *Config {
	c := &Config{
		Title: string(f.Title), Tagline: string(f.Tagline),
		Site: string(f.Site), Prober: string(f.Prober), Share: bool(f.Share), Weight: int(f.Weight),
		NATS:      p.nats(&f.NATS),
		Dashboard: p.dashboard(&f.Dashboard),
	}
	silent := Default()
	orDefault(&c.Title, silent.Title)
	orDefault(&c.Site, silent.Site)
	orDefault(&c.Prober, silent.Prober)
	orDefault(&c.Weight, silent.Weight)
	c.Watchers = p.watchers(w, pharos.Token(c.Site))
	return c
}

func orDefault[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}

// hostName is the prober's name where the file gives none.
func hostName() string {
	host, err := os.Hostname()
	if host = norm.NFC.String(host); err != nil || field.CheckName(host) != nil {
		return "prober"
	}
	return host
}

// SetWeight sets the weight, unless it is 0: the flag goes before the file.
func (c *Config) SetWeight(weight int) error {
	if weight < 0 || weight > pharos.MaxWeight {
		return fmt.Errorf("weight %d: want 1 to %d", weight, pharos.MaxWeight)
	}
	c.Weight = cmp.Or(weight, c.Weight)
	return nil
}

// Place sets the site and the prober, where they are not empty: flags and
// variables go before the file. The watchers' IDs follow the site.
func (c *Config) Place(site, prober string) error {
	site, prober = norm.NFC.String(site), norm.NFC.String(prober)
	if site != "" {
		if err := field.CheckName(site); err != nil {
			return fmt.Errorf("naming the site %q: %w", field.Short(site), err)
		}
		c.Site = site
		token := pharos.Token(site)
		for i := range c.Watchers {
			w := &c.Watchers[i]
			w.ID = w.ID.At(token)
			for j := range w.Traits.Of {
				w.Traits.Of[j].ID = w.Traits.Of[j].ID.At(token)
			}
		}
	}
	if prober != "" {
		if err := field.CheckName(prober); err != nil {
			return fmt.Errorf("naming the prober %q: %w", field.Short(prober), err)
		}
		c.Prober = prober
	}
	return nil
}

// ownVariables returns the names of the variables that only the program itself
// uses: those of every section but the watchers'.
func ownVariables(root *field.Node) (own []string) {
	for i := 0; i+1 < len(root.Content); i += 2 {
		if key := root.Content[i].Value; key == "nats" || key == "dashboard" {
			own = append(own, field.Variables(root.Content[i+1])...)
		}
	}
	return own
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func hostPort(s string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(s)
	if err != nil {
		return "", "", fmt.Errorf(`want an address such as "127.0.0.1:4222" or ":8811", got %s`, field.Shown(s))
	}
	if port != "0" && (port == "" || !field.ValidPort(port)) { // 0: any that is free
		return "", "", fmt.Errorf("want a port from 0 to 65535, got %s", field.Shown(port))
	}
	return host, port, nil
}
