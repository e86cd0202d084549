package board

import (
	"fmt"
	"time"

	"pharos/internal/pharos"
)

const (
	// disagreeAsk is how long a digest may differ before the prober is asked to
	// publish again: what changed just now may be on its way.
	disagreeAsk = 900 * time.Millisecond
	// disagreeStale is how long it may differ before nothing that the prober said
	// is believed.
	disagreeStale = 3500 * time.Millisecond
)

// agreement is whether a prober and this board know the same of its watchers.
type agreement struct {
	known   bool          // they did once, since the prober's process started
	differs time.Duration // since when they do not; 0: they do, or nobody can tell
	text    string        // what differs, for people
}

// lost reports whether messages of the prober do not arrive here.
func (a *agreement) lost(now time.Duration) bool {
	return a.differs > 0 && now-a.differs >= disagreeStale
}

// compare holds the digest of a live heartbeat against what has arrived.
func (b *Board) compare(p *prober) {
	theirs := p.heartbeat.Digest
	watchers, known := p.digested()
	if theirs == nil || !known || !p.rosterIsNewest() {
		return
	}
	a := &p.agreement
	if ours := p.digest(watchers); ours != *theirs {
		if a.differs == 0 {
			a.differs = b.now
		}
		a.text = difference(ours, *theirs)
		if b.now-a.differs >= disagreeAsk {
			b.askFor(p)
		}
		if a.lost(b.now) {
			b.showAll(p)
		}
		return
	}
	p.asks.wellAgain(b.now)
	tell := !a.known || a.lost(b.now)
	*a = agreement{known: true}
	if tell {
		b.showAll(p)
	}
}

// digest sums up what has arrived of the process that sends the heartbeats.
func (p *prober) digest(watchers map[pharos.WatcherID]bool) pharos.Digest {
	var d pharos.Digest
	for id := range watchers {
		s := p.said[id]
		if s.incarnation != p.heartbeat.Incarnation {
			s = said{}
		}
		d.Add(id, s.status, s.change)
	}
	return d
}

// difference says in words what a prober knows and the board does not.
func difference(ours, theirs pharos.Digest) string {
	for _, c := range []struct {
		word         string
		ours, theirs int
	}{
		{"critical", ours.Critical, theirs.Critical}, {"warning", ours.Warning, theirs.Warning},
		{"unknown", ours.Unknown, theirs.Unknown}, {"ok", ours.OK, theirs.OK},
	} {
		if c.ours != c.theirs {
			return fmt.Sprintf("it has %d %s, here are %d", c.theirs, c.word, c.ours)
		}
	}
	return "what arrives is not what it sends"
}
