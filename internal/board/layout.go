package board

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"pharos/internal/pharos"
)

// layout is the order in which the tiles stand.
type layout struct {
	order    []*tile // by number
	sets     []section
	unlisted map[*tile]bool // that no roster names
	unsorted bool           // tiles came, went or moved since
}

// section is a set of tiles, in order.
type section struct {
	name  string
	token string
	tiles []*tile
}

// sort lays the structure anew: sets and watchers in the order of the rosters,
// those of the first prober first; a watcher of several sites stands once for
// each, side by side; what no roster names comes last. It depends on what is
// known alone, not on the order in which it became known, so that all
// dashboards show the same.
func (b *Board) sort() {
	type place struct{ set, watcher int }
	setOrder := map[string]int{}
	places := map[string]int{} // "<set>.<watcher>" in the order of rosters
	for _, p := range b.sortedProbers() {
		if p.roster == nil {
			continue
		}
		for _, set := range p.roster.Sets {
			token := pharos.Token(set.Name)
			if _, ok := setOrder[token]; !ok {
				setOrder[token] = len(setOrder)
			}
			for _, w := range set.Watchers {
				key := token + "." + pharos.Token(w.Name)
				if _, ok := places[key]; !ok {
					places[key] = len(places)
				}
			}
		}
	}
	b.order = slices.Collect(maps.Values(b.tiles))
	sites := map[string]int{}
	at := func(m map[string]int, key string) int {
		if n, ok := m[key]; ok {
			return n
		}
		return math.MaxInt
	}
	keys := make(map[*tile]place, len(b.order))
	for _, t := range b.order {
		keys[t] = place{at(setOrder, t.setToken()), at(places, t.key())}
		sites[t.key()]++
	}
	slices.SortFunc(b.order, func(x, y *tile) int {
		p, q := keys[x], keys[y]
		return cmp.Or(cmp.Compare(p.set, q.set), cmp.Compare(x.setToken(), y.setToken()),
			cmp.Compare(p.watcher, q.watcher), cmp.Compare(x.key(), y.key()), cmp.Compare(x.siteName, y.siteName), cmp.Compare(x.id, y.id))
	})
	b.sets = b.sets[:0:0]
	for i, t := range b.order {
		t.i, t.manySites, t.changed = i, sites[t.key()] > 1, 0
		token := t.setToken()
		if len(b.sets) == 0 || b.sets[len(b.sets)-1].token != token {
			b.sets = append(b.sets, section{name: t.setName, token: token})
		}
		last := &b.sets[len(b.sets)-1]
		last.tiles = append(last.tiles, t)
	}
	b.dirty = b.dirty[:0]
	b.unsorted = false
}

// key is the tile's id without the site.
func (t *tile) key() string { return string(t.id)[len(t.site)+1:] }

func (t *tile) setToken() string {
	key := t.key()
	for i := range len(key) {
		if key[i] == '.' {
			return key[:i]
		}
	}
	return key
}
