package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Keys are some of the file's keys that a program takes once, when it starts.
type Keys int

// What is among none of these can change while a program runs.
const (
	PlaceKeys  Keys = iota // who the prober is
	BrokerKeys             // the way to NATS
	ServerKeys             // the all-in-one's own NATS
	BoardKeys              // where the board is served, and how much it holds
)

// CheckReload refuses another configuration that differs in what is fixed while
// a program runs, and names the keys.
func (c *Config) CheckReload(other *Config, fixed ...Keys) error {
	var changed []string
	for _, keys := range fixed {
		then, now := c.fixed(keys), other.fixed(keys)
		for i := range then {
			if !slices.Contains(changed, then[i].key) && !reflect.DeepEqual(then[i].value, now[i].value) {
				changed = append(changed, then[i].key)
			}
		}
	}
	if changed != nil {
		return fmt.Errorf("applying the file: a change of %s takes a restart", strings.Join(changed, ", "))
	}
	return nil
}

type fixedKey struct {
	key   string
	value any
}

// fixed returns keys and their values, always in the same order.
func (c *Config) fixed(k Keys) []fixedKey {
	n, d := &c.NATS, &c.Dashboard
	switch k {
	case PlaceKeys:
		return []fixedKey{{"site", c.Site}, {"prober", c.Prober}, {"share", c.Share}, {"weight", c.Weight}}
	case BrokerKeys:
		return []fixedKey{
			{"nats.url", n.URL}, {"nats.key", n.Key}, {"nats.credentials", n.Credentials}, {"nats.nkey", n.NKey}, {"nats.user", n.User}, {"nats.password", n.Password},
			{"nats.token", n.Token}, {"nats.replicas", n.Replicas}, {"nats.ca_file", n.CAFile}, {"nats.cert_file", n.CertFile}, {"nats.key_file", n.KeyFile},
		}
	case ServerKeys:
		return []fixedKey{
			{"nats.listen", n.Listen}, {"nats.keys", n.Keys}, {"nats.store_dir", n.StoreDir}, {"nats.users", n.Users}, {"nats.cert_file", n.CertFile}, {"nats.key_file", n.KeyFile},
		}
	case BoardKeys:
		return []fixedKey{
			{"dashboard.listen", d.Listen}, {"dashboard.admin", d.Admin}, {"dashboard.tls", d.TLS}, {"dashboard.max_watchers", d.Limits.Watchers},
			{"dashboard.max_screens", d.Limits.Screens}, {"dashboard.max_screens_per_address", d.Limits.PerAddress},
		}
	}
	panic(fmt.Sprintf("config: no keys %d", k))
}
