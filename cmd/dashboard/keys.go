package main

import (
	"cmp"

	"pharos/internal/cli"
	"pharos/internal/keys"
)

// keysOf are the keys of a NATS server that includes what the folder holds.
var keysOf = cli.KeysOf{
	Make: func(folder string, addresses []string, with ...keys.Role) (*keys.Folder, error) {
		with = append(with, keys.Role{Kind: keys.Admin, Name: "first"}, keys.Role{Kind: keys.Dashboard, Name: "first"})
		return keys.Make(cmp.Or(folder, "keys"), addresses, keys.Guess("4222"), with...)
	},
	Open: func(folder string) (*keys.Folder, error) {
		return keys.Open(cmp.Or(folder, "keys"), keys.Guess("4222"))
	},
	After: "nats-server --signal reload",
}
