package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"pharos/internal/field"
)

// internalUser is who the all-in-one's own connections are, where its server
// knows users.
const internalUser = "pharos-internal"

// NATS is the way to NATS, and what the all-in-one's own server does. Files
// are paths from the working directory.
type NATS struct {
	URL         string // addresses, separated by commas
	Key         string // key file
	Credentials string // file
	NKey        string // file with the seed
	User        string
	Password    string
	Token       string
	CAFile      string
	CertFile    string
	KeyFile     string

	Replicas int // of the streams; 0: 1

	Listen   string // host:port of the all-in-one's server; empty: it does not listen
	Keys     string // folder in which keys are made; empty: in the state folder
	StoreDir string // its folder, or StoreMemory; empty: the state folder
	Users    []User // who may connect to it
}

// User may connect to the all-in-one's server.
type User struct{ Name, Password string }

// StoreMemory is the word that stands for no folder at all in nats.store_dir.
const StoreMemory = "memory"

// storeDir is a folder or StoreMemory. A folder of that name is "./memory".
type storeDir string

// Read implements field.Value.
func (d *storeDir) Read(r *field.Reader, n *field.Node, key string) {
	s, ok := r.Text(n, key)
	switch {
	case !ok:
	case s == "":
		r.Fail(n, "%sa path cannot be empty", field.Label(key))
	case s == StoreMemory:
		*d = StoreMemory
	default:
		if *d = storeDir(r.FromHere(n, s)); *d == StoreMemory {
			*d = "./" + *d
		}
	}
}

// Shape implements field.Value.
func (storeDir) Shape() field.Shape { return text("").Shape() }

// brokers are one or more addresses of NATS, separated by commas.
type brokers string

// Read implements field.Value.
func (b *brokers) Read(r *field.Reader, n *field.Node, key string) {
	s, ok := r.Text(n, key)
	if !ok {
		return
	}
	for one := range strings.SplitSeq(s, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		got := field.Shown(s)
		if !strings.Contains(s, "@") { // else a comma may have cut a password
			got = field.Shown(strings.TrimSpace(one))
		}
		switch {
		case err != nil:
			r.Fail(n, `%swant addresses such as "nats://broker:4222", separated by commas%s`, field.Label(key), field.Escapes(s))
			return
		case u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss", u.Hostname() == "":
			r.Fail(n, `%swant addresses such as "nats://broker:4222" (or tls://, ws://, wss://), got %s`, field.Label(key), got)
			return
		case !field.ValidPort(u.Port()):
			r.Fail(n, "%swant a port from 1 to 65535, got %s%s", field.Label(key), got, field.Escapes(s))
			return
		}
		r.Secrets.AddURL(u)
		if u.User != nil {
			if _, ok := u.User.Password(); !ok { // nats://token@host
				r.Secrets.Add(u.User.Username())
			}
		}
	}
	*b = brokers(s)
}

// Shape implements field.Value.
func (brokers) Shape() field.Shape { return text("").Shape() }

func (p *parser) nats(k *natsKeys) NATS {
	n := NATS{
		URL: string(k.URL), Key: string(k.Key), Credentials: string(k.Credentials), NKey: string(k.NKey),
		User: string(k.User), Password: string(k.Password), Token: string(k.Token),
		CAFile: string(k.CAFile), CertFile: string(k.CertFile), KeyFile: string(k.KeyFile), Replicas: int(k.Replicas),
		Listen: strings.ToLower(string(k.Listen)), Keys: string(k.Keys), StoreDir: string(k.StoreDir), // localhost is known by its small letters alone
	}
	var ways []string
	for _, key := range []string{"key", "credentials", "nkey", "user", "token"} {
		if k.Has(key) {
			ways = append(ways, key)
		}
	}
	if len(ways) > 1 {
		p.Fail(k.At(ways[1]), "nats.%s beside nats.%s: one way to sign in is enough", ways[1], ways[0])
	}
	if n.Replicas > 5 || n.Replicas != 0 && n.Replicas%2 == 0 {
		p.Fail(k.At("replicas"), "nats.replicas: want 1, 3 or 5, got %d", n.Replicas)
	}
	p.Together(&k.Section, "nats.", "user", "password")
	p.Together(&k.Section, "nats.", "cert_file", "key_file")
	names := make(map[string]*field.Node)
	for i := range k.Users {
		u := &k.Users[i]
		if u.Name == "" {
			p.Fail(u.At("name"), "nats.users: a user wants a name")
			continue
		}
		if u.Name == internalUser {
			p.Fail(u.At("name"), "nats.users: %q is the all-in-one's own name: choose another", string(u.Name))
		}
		if u.Password == "" {
			p.Fail(u.At("password"), "nats.users: user %q wants a password", string(u.Name))
		}
		if first, doubled := names[string(u.Name)]; doubled {
			p.Fail(u.At("name"), "nats.users: user %q is there twice (first on %s)", string(u.Name), p.Line(first, u.At("name")))
		}
		names[string(u.Name)] = u.At("name")
		n.Users = append(n.Users, User{Name: string(u.Name), Password: string(u.Password)})
	}
	if err := n.CheckListen(); err != nil {
		p.Fail(k.At("listen"), "nats.listen: %v", err)
	}
	return n
}

// CheckFiles says which of the files on the way to NATS cannot be read.
func (n NATS) CheckFiles() error {
	var all []error
	for _, f := range []struct{ key, path string }{
		{"key", n.Key}, {"credentials", n.Credentials}, {"nkey", n.NKey}, {"ca_file", n.CAFile}, {"cert_file", n.CertFile}, {"key_file", n.KeyFile},
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

// CheckListen says what is wrong with the address to listen on. It is for the
// caller too, who may set Listen otherwise than the file.
func (n NATS) CheckListen() error {
	if n.Listen == "" {
		return nil
	}
	_, _, err := hostPort(n.Listen)
	return err
}

// Beyond reports whether other machines can reach the all-in-one's server.
func (n NATS) Beyond() bool {
	host, _, err := hostPort(n.Listen)
	return n.Listen != "" && (err != nil || !loopback(host))
}
