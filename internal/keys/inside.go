package keys

import (
	"errors"
	"io/fs"
	"net"

	"pharos/internal/config"
)

// ownAdmin is who forgets what is gone for good, on the all-in-one's own machine.
var ownAdmin = Role{Kind: Admin, Name: "all-in-one"}

// MakeInside opens the folder in which the all-in-one of a file makes keys, and
// makes what is missing there. addresses are those under which other machines
// reach it; none: those given before, or what this machine is called.
func MakeInside(n config.NATS, file string, addresses []string, with ...Role) (*Folder, error) {
	if n.Listen == "" {
		return nil, errors.New(`its server listens nowhere, so that a key would open nothing: add nats: {listen: ":4222"} to the file, and start it anew`)
	}
	if file == "" && n.Keys == "" {
		return nil, errors.New("listening for other machines takes a folder for keys: name one with nats.keys")
	}
	dir, err := n.KeysDir(file)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(n.Listen)
	if err != nil || port == "0" { // nobody knows it
		return Make(dir, addresses, nil)
	}
	return Make(dir, addresses, Guess(port), append(with, ownAdmin)...)
}

// Guarded reports whether the all-in-one of a file asks everybody for a key or a
// password, and speaks TLS alone: where others could reach it, and where a key was
// made.
func Guarded(n config.NATS, file string) bool {
	if n.Listen == "" || n.Beyond() {
		return n.Listen != ""
	}
	if file == "" && n.Keys == "" {
		return false
	}
	dir, err := n.KeysDir(file)
	if err == nil {
		_, err = Open(dir, nil)
	}
	return !errors.Is(err, fs.ErrNotExist) // an error of another kind opens no door
}
