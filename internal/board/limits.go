package board

import (
	"fmt"
	"time"

	"pharos/internal/pharos"
)

// limits is what the board lets in, and what it says of whom it did not.
type limits struct {
	newcomers bucket        // of watchers that no roster names
	budget    budget        // of bytes to be read
	behind    time.Duration // when messages last waited for too long; 0: not lately
	refused   refusal
}

// refusedFor is how long the board says that it had no room for something.
const refusedFor = time.Minute

// refusal is what the board says of whom it had no room for.
type refusal struct {
	text string
	seen time.Duration // last
}

func (b *Board) full() bool { return len(b.tiles) >= b.o.MaxWatchers }

// refuseWatcher counts and tells a watcher that has no room; the roster's
// are told with their prober.
func (b *Board) refuseWatcher(id pharos.WatcherID) {
	b.drops.count(pharos.ReasonFull, string(id), fmt.Errorf("%d watchers are on the board, max_watchers allows no more", len(b.tiles)))
	b.refuse(fmt.Sprintf("%q is not shown: max_watchers is %d", id, b.o.MaxWatchers))
}

func (b *Board) refuseProber(id string) {
	b.drops.count(pharos.ReasonFull, id, errTooMany)
	b.refuse(fmt.Sprintf("prober %q and its watchers are not shown: a board has room for %d", id, maxProbers))
}

// refuse keeps the first of several.
func (b *Board) refuse(text string) {
	b.refused.seen = b.now
	if b.refused.text == "" {
		b.refused.text = text
	}
}

// bucket lets through so many a second.
type bucket struct {
	left float64
	at   time.Duration
}

func (u *bucket) take(now time.Duration, perSecond, burst float64) bool {
	u.left = min(burst, u.left+(now-u.at).Seconds()*perSecond)
	u.at = now
	if u.left < 1 {
		return false
	}
	u.left--
	return true
}

// evict makes room for a watcher of a prober with a roster, at the cost of one
// that nobody has announced.
func (b *Board) evict(p *prober) bool {
	if p == nil || p.roster == nil {
		return false
	}
	for t := range b.unlisted {
		b.remove(t)
		return true
	}
	return false
}

// roomForProber reports whether another prober of a site may come. Whoever sends
// a heartbeat or a roster takes the place of one that sent results alone.
func (b *Board) roomForProber(site string, says bool) bool {
	ofSite := 0
	var unheard *prober
	for _, p := range b.probers {
		if p.token == site {
			ofSite++
		}
		if p.heartbeat.Seq == 0 && p.roster == nil && (unheard == nil || p.token == site) {
			unheard = p
		}
	}
	full := ofSite >= maxSiteProbers
	switch {
	case !full && len(b.probers) < maxProbers:
		return true
	case !says || unheard == nil || full && unheard.token != site:
		return false
	}
	for t := range unheard.owns {
		if len(t.announcers) == 0 {
			b.remove(t)
		} else {
			b.disown(t)
		}
	}
	b.drop(unheard)
	return true
}
