// Package config reads the YAML file that says what is watched: strictly, with
// all of its errors at once, and again when it changes.
package config

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"

	"golang.org/x/text/unicode/norm"
	"gopkg.in/yaml.v3"

	"pharos/internal/pharos"
	"pharos/internal/redact"
)

// The defaults of what is not a watcher's.
const (
	DefaultTitle       = "Pharos"
	DefaultSite        = "local"
	DefaultListen      = ":8811"
	DefaultMaxWatchers = 10_000
	DefaultMaxScreens  = 5_000
	DefaultPerAddress  = 1_000
)

// internalUser is who the all-in-one's own connections are, where its server
// knows users.
const internalUser = "pharos-internal"

// Config is one file, read and checked. It is not changed once it is in use.
type Config struct {
	Title, Tagline string
	Site, Prober   string           // human names
	Watchers       []pharos.Watcher // of all sets, in the file's order
	NATS           NATS
	Dashboard      Dashboard
	Hash           [sha256.Size]byte // of the file's content

	// Redactor hides the file's secrets: passwords, tokens, the values of headers
	// that carry them, those in addresses and after a command's -u, and what came
	// from a variable whose name says that it is secret.
	Redactor *redact.Redactor
}

// NATS is the way to NATS, and what the all-in-one's own server does. Files
// are paths from the working directory.
type NATS struct {
	URL         string // addresses, separated by commas
	Credentials string // file
	NKey        string // file with the seed
	User        string
	Password    string
	Token       string
	CAFile      string
	CertFile    string
	KeyFile     string

	Listen   string // host:port of the all-in-one's server; empty: it does not listen
	StoreDir string // its folder, or StoreMemory; empty: the state folder
	Users    []User // who may connect to it
}

// User may connect to the all-in-one's server.
type User struct{ Name, Password string }

// Default returns what holds where there is no file: nothing is watched.
func Default() *Config {
	return &Config{
		Title: DefaultTitle, Site: DefaultSite, Prober: hostName(),
		Dashboard: Dashboard{Listen: DefaultListen, Limits: Limits{DefaultMaxWatchers, DefaultMaxScreens, DefaultPerAddress}},
	}
}

// Load reads a file. getenv is os.LookupEnv, where the environment is the
// process's own. What is wrong with the content is returned as Errors.
func Load(path string, getenv func(string) (string, bool)) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, getenv)
}

func readFile(path string) ([]byte, error) {
	data, err := pharos.ReadFile(path, MaxFile)
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", path, err)
	}
	return data, nil
}

// Parse reads the content of a file. name is its path: the errors are told
// under it, and relative paths in the file start at its folder. The error is
// of type Errors.
func Parse(name string, data []byte, getenv func(string) (string, bool)) (*Config, error) {
	r := &reader{file: name, getenv: getenv, secrets: make(redact.Secrets), keys: make(map[reflect.Type]keyTable)}
	c := r.parse(data)
	redactor := r.secrets.Redactor(r.own...)
	if len(r.errs) > 0 {
		all := r.errs.told()
		for i := range all {
			all[i].Message = printable(redactor.Values(r.secrets.HideCut(all[i].Message, cut)))
		}
		return nil, all
	}
	c.Hash = sha256.Sum256(data)
	c.Redactor = redactor
	return c, nil
}

// parse returns nil only after an error was told.
func (r *reader) parse(data []byte) *Config {
	if len(data) > MaxFile {
		r.fail(nil, "more than %d MiB", MaxFile>>20)
		return nil
	}
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		r.errs = append(r.errs, syntaxError(r.file, data, err))
		return nil
	}
	if len(document.Content) == 0 || isNull(document.Content[0]) {
		r.fail(nil, `nothing in it: write what to watch, such as "sets: [{name: First, watchers: [{name: Home page, page: \"https://example.com/\"}]}]"`)
		return nil
	}
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		r.errs = append(r.errs, syntaxError(r.file, data, err))
		return nil
	default:
		r.fail(&second, `a second document begins here ("---"): one file holds one`)
		return nil
	}
	r.own = ownVariables(document.Content[0])
	var f file
	r.read(document.Content[0], "", fieldOf(&f))
	return r.config(&f)
}

// fieldOf returns what a pointer points to, ready to be filled.
func fieldOf(pointer any) reflect.Value { return reflect.ValueOf(pointer).Elem() }

func (r *reader) config(f *file) *Config {
	c := &Config{
		Title: string(f.Title), Tagline: string(f.Tagline),
		Site: string(f.Site), Prober: string(f.Prober),
		NATS:      r.nats(&f.NATS),
		Dashboard: r.dashboard(&f.Dashboard),
	}
	silent := Default()
	orDefault(&c.Title, silent.Title)
	orDefault(&c.Site, silent.Site)
	orDefault(&c.Prober, silent.Prober)
	c.Watchers = r.watchers(f, pharos.Token(c.Site))
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
	if host = norm.NFC.String(host); err != nil || checkName(host) != nil {
		return "prober"
	}
	return host
}

// Place sets the site and the prober, where they are not empty: flags and
// variables go before the file. The watchers' IDs follow the site.
func (c *Config) Place(site, prober string) error {
	site, prober = norm.NFC.String(site), norm.NFC.String(prober)
	if site != "" {
		if err := checkName(site); err != nil {
			return fmt.Errorf("naming the site %q: %w", short(site), err)
		}
		c.Site = site
		token := pharos.Token(site)
		for i := range c.Watchers {
			w := &c.Watchers[i]
			w.ID = pharos.MakeID(token, pharos.Token(w.Set), pharos.Token(w.Name))
		}
	}
	if prober != "" {
		if err := checkName(prober); err != nil {
			return fmt.Errorf("naming the prober %q: %w", short(prober), err)
		}
		c.Prober = prober
	}
	return nil
}

// ownVariables returns the names of the variables that only the program itself
// uses: those of every section but the watchers'.
func ownVariables(root *yaml.Node) []string {
	var own []string
	seen := make(map[*yaml.Node]bool)
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n = resolve(n); seen[n] {
			return
		}
		seen[n] = true
		for _, m := range variable.FindAllStringSubmatch(n.Value, -1) {
			own = append(own, m[1])
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if key := root.Content[i].Value; key == "nats" || key == "dashboard" {
			walk(root.Content[i+1])
		}
	}
	return own
}

func (r *reader) nats(k *natsKeys) NATS {
	n := NATS{
		URL: string(k.URL), Credentials: string(k.Credentials), NKey: string(k.NKey),
		User: string(k.User), Password: string(k.Password), Token: string(k.Token),
		CAFile: string(k.CAFile), CertFile: string(k.CertFile), KeyFile: string(k.KeyFile),
		Listen: strings.ToLower(string(k.Listen)), StoreDir: string(k.StoreDir), // localhost is known by its small letters alone
	}
	var ways []string
	for _, key := range []string{"credentials", "nkey", "user", "token"} {
		if k.has(key) {
			ways = append(ways, key)
		}
	}
	if len(ways) > 1 {
		r.fail(k.at(ways[1]), "nats.%s beside nats.%s: one way to sign in is enough", ways[1], ways[0])
	}
	r.together(&k.section, "nats.", "user", "password")
	r.together(&k.section, "nats.", "cert_file", "key_file")
	names := make(map[string]int)
	for i := range k.Users {
		u := &k.Users[i]
		if u.Name == "" {
			r.fail(u.at("name"), "nats.users: a user wants a name")
			continue
		}
		if u.Name == internalUser {
			r.fail(u.at("name"), "nats.users: %q is the all-in-one's own name: choose another", string(u.Name))
		}
		if u.Password == "" {
			r.fail(u.at("password"), "nats.users: user %q wants a password", string(u.Name))
		}
		if first, doubled := names[string(u.Name)]; doubled {
			r.fail(u.at("name"), "nats.users: user %q is there twice (first on line %d)", string(u.Name), first)
		}
		names[string(u.Name)] = u.at("name").Line
		n.Users = append(n.Users, User{Name: string(u.Name), Password: string(u.Password)})
	}
	if err := n.CheckListen(); err != nil {
		r.fail(k.at("listen"), "nats.listen: %v", err)
	}
	return n
}

// together complains about one of two keys that only make sense as a pair.
func (r *reader) together(s *section, prefix, a, b string) {
	switch {
	case s.has(a) && !s.has(b):
		r.fail(s.at(a), "%s%s wants %s%s beside it", prefix, a, prefix, b)
	case s.has(b) && !s.has(a):
		r.fail(s.at(b), "%s%s wants %s%s beside it", prefix, b, prefix, a)
	}
}

// CheckFiles says which of the files on the way to NATS cannot be read.
func (n NATS) CheckFiles() error {
	var all []error
	for _, f := range []struct{ key, path string }{
		{"credentials", n.Credentials}, {"nkey", n.NKey}, {"ca_file", n.CAFile}, {"cert_file", n.CertFile}, {"key_file", n.KeyFile},
	} {
		if f.path == "" {
			continue
		}
		if _, err := readFile(f.path); err != nil {
			all = append(all, fmt.Errorf("nats.%s: %w", f.key, err))
		}
	}
	return errors.Join(all...)
}

// CheckListen refuses an address beyond loopback that anybody could connect
// to. It is for the caller too, who may set Listen otherwise than the file.
func (n NATS) CheckListen() error {
	if n.Listen == "" {
		return nil
	}
	host, _, err := hostPort(n.Listen)
	if err != nil {
		return err
	}
	switch {
	case loopback(host):
		return nil
	case len(n.Users) == 0:
		return fmt.Errorf("listening on %q without users: whoever reaches it could write anything on the board; name users under nats.users, or listen on 127.0.0.1", n.Listen)
	case n.CertFile == "":
		return fmt.Errorf("listening on %q without a certificate: the users' passwords would travel in the clear; name one with nats.cert_file and nats.key_file, or listen on 127.0.0.1", n.Listen)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func hostPort(s string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(s)
	if err != nil {
		return "", "", fmt.Errorf(`want an address such as "127.0.0.1:4222" or ":8811", got %s`, shown(s))
	}
	if port != "0" && (port == "" || !validPort(port)) { // 0: any that is free
		return "", "", fmt.Errorf("want a port from 0 to 65535, got %s", shown(port))
	}
	return host, port, nil
}
