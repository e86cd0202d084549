package keys

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nkeys"

	"pharos/internal/pharos"
)

// The files of a Folder, but for those of the roles.
const (
	caFile       = "ca.pem"
	caKeyFile    = "ca.key"
	addressFile  = "addresses" // what was given; a line each
	serverDir    = "server"    // what the server needs
	authFile     = "auth.conf" // of it, for a nats-server that includes it
	publicSuffix = ".pub"      // of a role's file: what is known of its key
	renewBefore  = 365 * 24 * time.Hour
)

// Folder is where the keys of one installation are made. It holds the CA, and of
// each role's key the public part; whoever deletes a role's file revokes its key.
// What the server needs is in a folder of its own, and so is each key that Make has
// made: a machine gets its own and no other.
type Folder struct {
	dir   string
	guess []string
}

// Member is somebody who has a key.
type Member struct {
	Role  Role
	NKey  string // public
	Since time.Time
}

// Open opens a folder that Make has made. guess are the addresses of the server
// where nobody gave any.
func Open(dir string, guess []string) (*Folder, error) {
	if _, err := os.Stat(filepath.Join(dir, caFile)); err != nil {
		return nil, fmt.Errorf("opening the folder of keys: %w", err)
	}
	return &Folder{dir, guess}, nil
}

// Make makes what is missing in a folder, and the folder: the CA, the server's
// certificate, and a key for each of the roles. Where addresses are given, they are those of the server
// from now on, and it gets a certificate for them.
func Make(dir string, addresses, guess []string, roles ...Role) (*Folder, error) {
	f := &Folder{dir, guess}
	if err := f.make(addresses, roles); err != nil {
		return nil, fmt.Errorf("making keys in %q: %w", dir, err)
	}
	return f, nil
}

func (f *Folder) make(addresses []string, roles []Role) error {
	for _, a := range addresses {
		if err := CheckAddress(a); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return err
	}
	ca, err := f.authority()
	if errors.Is(err, fs.ErrNotExist) {
		var secret []byte
		if ca, secret, err = newAuthority(); err != nil {
			return err
		}
		if err = f.write(caKeyFile, secret, 0o600); err != nil {
			return err
		}
		err = f.write(caFile, ca.pem, 0o644)
	}
	if err != nil {
		return err
	}
	if len(addresses) > 0 {
		if err := f.write(addressFile, []byte(strings.Join(addresses, "\n")+"\n"), 0o644); err != nil {
			return err
		}
	}
	if err := f.write(filepath.Join(serverDir, caFile), ca.pem, 0o644); err != nil { // by which servers know each other
		return err
	}
	if err := f.certify(ca); err != nil {
		return err
	}
	members, err := f.List()
	if err != nil {
		return err
	}
	for _, r := range roles {
		if slices.ContainsFunc(members, r.has) {
			continue
		}
		k, err := f.add(r, nil, false)
		if err != nil {
			return err
		}
		if err := f.write(ownKey(r), k.Format(), 0o600); err != nil {
			return err
		}
	}
	return f.writeAuth()
}

// ServerFiles returns the paths of the server's certificate and its key.
func (f *Folder) ServerFiles() (certificate, key string) {
	return filepath.Join(f.dir, serverDir, "server.pem"), filepath.Join(f.dir, serverDir, "server.key")
}

// OwnKey returns the path of the key that Make has made for a role.
func (f *Folder) OwnKey(r Role) string { return filepath.Join(f.dir, ownKey(r)) }

// ownKey is "admin/admin.key", and "oslo/prober.key" where there can be several.
func ownKey(r Role) string {
	folder := string(r.Kind)
	if r.Kind == Prober || r.Kind == Push {
		folder = r.Slug()
	}
	return filepath.Join(folder, string(r.Kind)+".key")
}

// certify gives the server a certificate, unless it has a good one.
func (f *Folder) certify(ca *authority) error {
	addresses, err := f.addresses()
	if err != nil {
		return err
	}
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	for _, a := range addresses {
		if host, _, err := net.SplitHostPort(a); err == nil && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	certificate, key := f.ServerFiles()
	if pair, err := tls.LoadX509KeyPair(certificate, key); err == nil && good(pair.Leaf, ca, hosts) {
		return nil
	}
	chain, secret, err := ca.server(hosts)
	if err != nil {
		return err
	}
	if err := f.write(filepath.Join(serverDir, filepath.Base(key)), secret, 0o600); err != nil {
		return err
	}
	return f.write(filepath.Join(serverDir, filepath.Base(certificate)), chain, 0o644)
}

// good reports whether a certificate is for all hosts, and lasts.
func good(c *x509.Certificate, ca *authority, hosts []string) bool {
	return time.Until(c.NotAfter) > renewBefore && c.CheckSignatureFrom(ca.certificate) == nil &&
		!slices.ContainsFunc(hosts, func(h string) bool { return c.VerifyHostname(h) != nil })
}

// addresses returns the server's.
func (f *Folder) addresses() ([]string, error) {
	data, err := os.ReadFile(filepath.Join(f.dir, addressFile))
	if errors.Is(err, fs.ErrNotExist) {
		return f.guess, nil
	}
	return strings.Fields(string(data)), err
}

func (f *Folder) authority() (*authority, error) {
	certificate, err := os.ReadFile(filepath.Join(f.dir, caFile))
	if err != nil {
		return nil, err
	}
	secret, err := os.ReadFile(filepath.Join(f.dir, caKeyFile))
	if err != nil {
		return nil, fmt.Errorf("the CA is there, its key is not: %v", err) // and no other is made in its place
	}
	a, err := readAuthority(certificate, secret)
	if err != nil {
		return nil, fmt.Errorf("reading the CA: %w", err)
	}
	return a, nil
}

// Add makes a key for a role. addresses are those under which it reaches the
// server; none: those of everybody. With system, it trusts who the system trusts,
// and not the folder's CA.
func (f *Folder) Add(r Role, addresses []string, system bool) (File, error) {
	for _, a := range addresses {
		if err := CheckAddress(a); err != nil {
			return File{}, err
		}
	}
	k, err := f.add(r, addresses, system)
	if err == nil {
		err = f.writeAuth()
	}
	if err != nil {
		return File{}, fmt.Errorf("adding %s: %w", r, err)
	}
	return k, nil
}

func (f *Folder) add(r Role, addresses []string, system bool) (File, error) {
	members, err := f.List()
	if err != nil {
		return File{}, err
	}
	if i := slices.IndexFunc(members, r.has); i >= 0 {
		return File{}, fmt.Errorf("it has a key since %s: revoke that one first", members[i].Since.Format(time.DateOnly))
	}
	k := File{Role: r, Addresses: addresses}
	if len(k.Addresses) == 0 {
		if k.Addresses, err = f.addresses(); err != nil {
			return File{}, err
		}
	}
	if len(k.Addresses) == 0 {
		return File{}, errors.New("nobody has said under which address the server is reached")
	}
	if !system {
		if k.CA, err = os.ReadFile(filepath.Join(f.dir, caFile)); err != nil {
			return File{}, err
		}
	}
	seed, public, err := newSeed()
	if err != nil {
		return File{}, err
	}
	k.Seed = seed
	return k, f.write(r.fileName(), fmt.Appendf(nil, "role: %s\nnkey: %s\nsince: %s\n", r, public, time.Now().UTC().Format(time.RFC3339)), 0o644)
}

// has reports whether a member has the role, also under another name that means
// the same.
func (r Role) has(m Member) bool { return Inbox(m.Role) == Inbox(r) }

func (r Role) fileName() string {
	return strings.ReplaceAll(Inbox(r), "*", "+") + publicSuffix // not every system takes a star
}

// Revoke makes the key of a role worthless.
func (f *Folder) Revoke(r Role) error {
	members, err := f.List()
	if err == nil && !slices.ContainsFunc(members, r.has) {
		known := make([]string, len(members))
		for i, m := range members {
			known[i] = m.Role.String()
		}
		err = fmt.Errorf("it has no key; these have: %s", strings.Join(known, ", "))
	}
	if err == nil {
		if err = os.Remove(filepath.Join(f.dir, r.fileName())); err == nil {
			err = f.writeAuth()
		}
	}
	if err != nil {
		return fmt.Errorf("revoking %s: %w", r, err)
	}
	return nil
}

// List returns who has a key, in the order of their roles.
func (f *Folder) List() ([]Member, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("listing the keys: %w", err)
	}
	var all []Member
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), publicSuffix) {
			continue
		}
		path := filepath.Join(f.dir, e.Name())
		data, err := pharos.ReadFile(path, maxKeyFile)
		if errors.Is(err, fs.ErrNotExist) { // revoked meanwhile
			continue
		}
		var m Member
		if err == nil {
			m, err = parseMember(string(data))
		}
		if err == nil && m.Role.fileName() != e.Name() {
			err = fmt.Errorf("the file of %s has the name %q", m.Role, m.Role.fileName())
		}
		if err != nil {
			return nil, fmt.Errorf("listing the keys: reading %q: %w", path, err)
		}
		all = append(all, m)
	}
	return all, nil
}

func parseMember(data string) (m Member, err error) {
	for line := range strings.Lines(data) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "role":
			kind, name, _ := strings.Cut(value, " ")
			m.Role, err = ParseRole(kind, name)
		case "nkey":
			m.NKey = value
		case "since":
			m.Since, err = time.Parse(time.RFC3339, value)
		}
		if err != nil {
			return Member{}, err
		}
	}
	if m.Role.Kind == "" || !nkeys.IsValidPublicUserKey(m.NKey) {
		return Member{}, errors.New("want a role and a public NKey")
	}
	return m, nil
}

// writeAuth writes what a nats-server includes. Another process may be adding a
// key at the same time: the last to look sees both.
func (f *Folder) writeAuth() error {
	for {
		members, err := f.List()
		if err != nil {
			return err
		}
		conf, err := authConf(members)
		if err != nil {
			return err
		}
		if err := f.write(filepath.Join(serverDir, authFile), conf, 0o644); err != nil {
			return err
		}
		now, err := f.List()
		if err != nil || slices.Equal(members, now) {
			return err
		}
	}
}

// authConf returns what a nats-server wants to know of the members.
func authConf(members []Member) ([]byte, error) {
	if len(members) == 0 {
		// A server without users lets everybody in: here is one whose secret nobody has.
		_, public, err := newSeed()
		if err != nil {
			return nil, err
		}
		members = []Member{{NKey: public}}
	}
	var b bytes.Buffer
	b.WriteString("# Who may say what over NATS: for nats-server, include \"" + authFile + "\".\n# It is made anew with every key that is added or revoked.\nauthorization {\n  timeout: 5\n  users: [\n")
	for _, m := range members {
		r := m.Role.Rights()
		fmt.Fprintf(&b, "    # %s\n    {nkey: %s, permissions: {publish: %s, subscribe: %s}}\n", m.Role, m.NKey, subjects(r.Publish), subjects(r.Subscribe))
	}
	b.WriteString("  ]\n}\n")
	return b.Bytes(), nil
}

func subjects(allowed []string) string {
	if len(allowed) == 0 {
		return `{deny: ">"}`
	}
	return `{allow: ["` + strings.Join(allowed, `", "`) + `"]}`
}

// write puts a file in its place, whole.
func (f *Folder) write(name string, data []byte, mode fs.FileMode) error {
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}
