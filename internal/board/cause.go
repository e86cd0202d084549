package board

import (
	"fmt"
	"slices"
	"time"

	"pharos/internal/pharos"
)

const (
	// togetherFor is within what time watchers turn red for it to look like one
	// cause; with longer intervals they need as long to notice.
	togetherFor = 2 * time.Second
	togetherMax = 10 * time.Second
	// togetherMin is how many it takes at least.
	togetherMin = 3
)

// trouble is what looks like a prober's own trouble.
type trouble struct {
	text      string // for the footer; empty: none
	cutOff    bool   // its references fail as well: what it says of others is not to be believed
	reference string // the name of one of them
}

// group is watchers of one prober that turned red together.
type group struct {
	p           *prober
	n, of       int
	first, last time.Duration // when they turned
	window      time.Duration // within which that is together
	reference   string        // one that fails as well
	cutOff      bool          // all do
}

// judgeCauses looks for probers most of whose watchers turned red together. It
// says so, unless others saw the same at the same time: then it is not this
// one's network. What they show stays red, unless the references that the file
// names fail as well.
func (b *Board) judgeCauses() {
	var groups []group
	for _, p := range b.probers {
		if g := b.turnedTogether(p); g.n > 0 {
			groups = append(groups, g)
		}
	}
	troubles := map[*prober]trouble{}
	for i := range groups {
		if g := &groups[i]; !g.seenByOthers(groups) {
			troubles[g.p] = g.trouble()
		}
	}
	for _, p := range b.probers {
		now := troubles[p]
		if now == p.trouble {
			continue
		}
		was := p.trouble
		p.trouble = now
		if was.cutOff != now.cutOff {
			for t := range p.owns {
				b.show(t)
			}
		}
	}
}

func (g *group) seenByOthers(groups []group) bool {
	for i := range groups {
		h := &groups[i]
		if window := max(g.window, h.window); h.p != g.p && h.first-g.last <= window && g.first-h.last <= window {
			return true
		}
	}
	return false
}

// turnedTogether returns the largest group of a prober; none if it is well,
// silent, or its watchers turned red one by one. What was red from the start is
// no sign of the prober's own trouble, unless its references are red as well.
func (b *Board) turnedTogether(p *prober) group {
	if !p.up {
		return group{}
	}
	var red, turned []time.Duration
	var references []*tile
	out := group{p: p, window: togetherFor}
	for _, t := range p.watches {
		if t.owner != p || !t.known || b.stale(t) {
			continue
		}
		if t.reference {
			references = append(references, t)
			continue
		}
		if !t.network {
			continue
		}
		out.of++
		out.window = max(out.window, within(t))
		if t.result.Status != pharos.Critical {
			continue
		}
		red = append(red, t.since)
		if !p.fromStart(t) {
			turned = append(turned, t.since)
		}
	}
	if g := out.largest(red); g.n > 0 {
		if g.cutOff, g.reference = g.fail(references); g.cutOff {
			return g
		}
	}
	return out.largest(turned)
}

// fromStart reports whether a watcher has been as it is since the first run of
// the prober's process.
func (p *prober) fromStart(t *tile) bool {
	return p.delay.uptime > 0 && t.since <= p.delay.quickest+t.bound
}

// largest returns the group of most that turned red together, or none.
func (g group) largest(since []time.Duration) group {
	slices.Sort(since)
	for first, last := 0, 0; last < len(since); last++ {
		for since[last]-since[first] > g.window {
			first++
		}
		if n := last - first + 1; n > g.n {
			g.n, g.first, g.last = n, since[first], since[last]
		}
	}
	if g.n < togetherMin || 2*g.n <= g.of {
		return group{}
	}
	return g
}

// within is how long a watcher may take to notice what others have.
func within(t *tile) time.Duration {
	return min(togetherMax, t.interval.Duration()+pharos.HeartbeatInterval)
}

// fail reports whether all references turned red with the group, and the name of
// one. One that has been red for longer has nothing to say of it.
func (g *group) fail(references []*tile) (all bool, one string) {
	for _, t := range references {
		red := t.result.Status == pharos.Critical
		switch {
		case red && t.since < g.first-g.window:
		case !red || t.since > g.last+max(g.window, within(t)):
			return false, ""
		case one == "" || t.name < one:
			one = t.name
		}
	}
	return one != "", one
}

// trouble puts a group into words.
func (g *group) trouble() trouble {
	p := g.p
	at := fmt.Sprintf("%d of %d turned critical at once", g.n, g.of)
	if g.cutOff {
		return trouble{fmt.Sprintf("%s is cut off: its reference %q fails, and %s", p.place(), g.reference, at), true, g.reference}
	}
	return trouble{text: fmt.Sprintf("%s: is it %s's own network?", at, p.place())}
}

// place is the prober's site, and its name where the site's is not enough.
func (p *prober) place() string {
	if p.site == p.name {
		return p.site
	}
	return p.site + " " + p.name
}

// verdict returns the status and the summary that a tile is shown with: its
// result's, or a rival's. What a prober that is cut off says of others is unknown.
// own is what of the summary the board itself says.
func (b *Board) verdict(t *tile) (status pharos.Status, summary, own string) {
	r := &t.result
	if v, ok := b.rivalFor(t); ok {
		another := "another " + t.owner.place() + " says"
		return v.status, another + ": " + v.summary, another + " so"
	}
	if r.Status != pharos.Critical || !t.network || t.reference {
		return r.Status, r.Summary, ""
	}
	if p := t.owner; p != nil && p.trouble.cutOff {
		own = fmt.Sprintf("%s is cut off, its reference %q fails", p.place(), p.trouble.reference)
		return pharos.Unknown, own + "; it says: " + r.Summary, own
	}
	return r.Status, r.Summary, ""
}
