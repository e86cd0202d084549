package keys

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/nats-io/nkeys"

	"pharos/internal/pharos"
)

// File is all that a program needs to reach NATS: a key file, which is a secret.
type File struct {
	Role      Role
	Addresses []string // host:port of the servers, of which any will do
	Seed      string   // of the NKey
	CA        []byte   // PEM; empty: the server's certificate is one that everybody trusts
}

const maxKeyFile = 1 << 20

// URL returns the servers as bus.Options wants them.
func (f File) URL() string {
	return "tls://" + strings.Join(f.Addresses, ",tls://")
}

// Format returns the content of the file. Tools that want a file with an NKey's
// seed, or with the certificates of a CA, take it as well.
func (f File) Format() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Pharos: the key of one %s. Whoever has this file may say what it says.\n", f.Role.Kind)
	fmt.Fprintf(&b, "role: %s\n", f.Role)
	for _, a := range f.Addresses {
		fmt.Fprintf(&b, "nats: %s\n", a)
	}
	fmt.Fprintf(&b, "%s\n", f.Seed)
	b.Write(f.CA)
	return b.Bytes()
}

// Load reads a key file.
func Load(path string) (File, error) {
	data, err := pharos.ReadFile(path, maxKeyFile)
	if err != nil {
		return File{}, fmt.Errorf("reading key %q: %w", path, err)
	}
	f, err := parseFile(data)
	if err != nil {
		return File{}, fmt.Errorf("reading key %q: %w; want a file that \"keys add\" has made", path, err)
	}
	return f, nil
}

func parseFile(data []byte) (f File, err error) {
	head, _, ca := bytes.Cut(data, []byte("-----BEGIN"))
	for line := range strings.Lines(string(head)) {
		line = strings.TrimSpace(line)
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case line == "" || line[0] == '#':
		case key == "role":
			kind, name, _ := strings.Cut(value, " ")
			if f.Role, err = ParseRole(kind, name); err != nil {
				return File{}, err
			}
		case key == "nats":
			if err := CheckAddress(value); err != nil {
				return File{}, err
			}
			f.Addresses = append(f.Addresses, value)
		default:
			if _, err := nkeys.ParseDecoratedUserNKey([]byte(line)); err != nil {
				return File{}, errors.New("a line is neither a role, an address nor an NKey's seed")
			}
			f.Seed = line
		}
	}
	switch {
	case f.Role.Kind == "":
		return File{}, errors.New("it does not say whose it is")
	case len(f.Addresses) == 0:
		return File{}, errors.New("it has no address of NATS")
	case f.Seed == "":
		return File{}, errors.New("it has no NKey's seed")
	}
	if ca {
		if f.CA = data[len(head):]; !x509.NewCertPool().AppendCertsFromPEM(f.CA) {
			return File{}, errors.New("its CA is no certificate")
		}
	}
	return f, nil
}

// CheckAddress says what is wrong with a server's address.
func CheckAddress(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err == nil && (host == "" || port == "" || port == "0") || strings.ContainsAny(s, "/,@ \t") {
		err = errors.New("want a host and a port")
	}
	if err != nil {
		return fmt.Errorf("address %q: want one such as nats.example.com:4222: %w", s, err)
	}
	return nil
}

// newSeed returns a fresh NKey.
func newSeed() (seed, public string, err error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", "", err
	}
	secret, err := pair.Seed()
	if err != nil {
		return "", "", err
	}
	public, err = pair.PublicKey()
	return string(secret), public, err
}

// decode returns the first block of a PEM file.
func decode(data []byte, kind string) ([]byte, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("want a PEM file that begins with a %s", kind)
	}
	return block.Bytes, nil
}
