package main

import (
	"cmp"

	"pharos/internal/cli"
	"pharos/internal/config"
	"pharos/internal/keys"
)

// keysOf are the keys of the NATS server inside.
func keysOf(n config.NATS, file string) cli.KeysOf {
	of := cli.KeysOf{System: n.CertFile != ""}
	if !keys.Guarded(n, file) {
		of.After = "start the all-in-one anew, which asks everybody for a key from then on"
	}
	of.Make = func(folder string, addresses []string, with ...keys.Role) (*keys.Folder, error) {
		n.Keys = cmp.Or(folder, n.Keys)
		return keys.MakeInside(n, file, addresses, with...)
	}
	of.Open = func(folder string) (*keys.Folder, error) { return of.Make(folder, nil) }
	return of
}
