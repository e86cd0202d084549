package board

import (
	"fmt"
	"strings"

	"pharos/internal/pharos"
)

// maxThere is how many names are told of what there is instead.
const maxThere = 10

// missing returns a sentence for each set and site that a filter asks for and
// that has nothing on the board: it must not look as if all were well there.
// While nothing at all is known there is nothing to compare with.
func (p *picture) missing(c *choice) []string {
	if c.all() || len(p.tiles) == 0 {
		return nil
	}
	var sets, sites names
	for _, set := range p.sets {
		sets.add(set.token, set.name)
	}
	seen := map[string]bool{} // sets and sites of tiles that are shown
	for i := range p.tiles {
		t := &p.tiles[i]
		sites.add(t.site, t.siteName)
		if c.match(t.set, t.site) {
			seen["set "+t.set], seen["site "+t.site] = true, true
		}
	}
	var out []string
	for _, asked := range []struct {
		what   string
		tokens []string
		there  *names
	}{{"set", c.sets, &sets}, {"site", c.sites, &sites}} {
		var none []string
		for _, token := range asked.tokens {
			if asked.there.human[token] == "" {
				none = append(none, fmt.Sprintf("%q", pharos.CleanLine(c.names[token], pharos.MaxName)))
			}
		}
		if len(none) > 0 {
			out = append(out, fmt.Sprintf("no %s %s: %s", asked.what, listed(none, len(none)), asked.there.say()))
		}
	}
	knownSets, knownSites := sets.known(c.sets), sites.known(c.sites)
	for _, token := range c.sets {
		if sets.human[token] != "" && len(knownSites) > 0 && !seen["set "+token] {
			out = append(out, fmt.Sprintf("nothing of set %q at %s", sets.human[token], listed(knownSites, maxThere)))
		}
	}
	for _, token := range c.sites {
		if sites.human[token] != "" && len(knownSets) > 1 && !seen["site "+token] { // of one set it is said already
			out = append(out, fmt.Sprintf("nothing of %s at %q", listed(knownSets, maxThere), sites.human[token]))
		}
	}
	return out
}

// names are the human names of tokens, in the order of the board.
type names struct {
	order []string
	human map[string]string
}

func (n *names) add(token, name string) {
	if n.human == nil {
		n.human = map[string]string{}
	}
	if n.human[token] == "" {
		n.order = append(n.order, name)
		n.human[token] = name
	}
}

// known returns the names of these tokens, quoted, as far as they are known.
func (n *names) known(tokens []string) []string {
	var all []string
	for _, token := range tokens {
		if name := n.human[token]; name != "" {
			all = append(all, fmt.Sprintf("%q", name))
		}
	}
	return all
}

// say tells what there is.
func (n *names) say() string {
	if len(n.order) == 1 {
		return "there is " + n.order[0]
	}
	return "there are " + listed(n.order, maxThere)
}

// listed joins so many names, and counts the rest.
func listed(all []string, most int) string {
	if more := len(all) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), more)
	}
	return strings.Join(all, ", ")
}
