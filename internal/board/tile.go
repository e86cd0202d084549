package board

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pharos/internal/pharos"
)

const (
	newcomersPerSecond = 100  // watchers without a roster that may appear
	newcomersBurst     = 1000 // of them at once
	sameMoment         = 500 * time.Millisecond
	conflictFor        = 10 * time.Second // how long two senders of one watcher are named after the last sign, at the least
)

// tile is one watcher on the board.
type tile struct {
	id    pharos.WatcherID
	i     int     // its number in frames
	site  string  // token
	owner *prober // of the last result; nil: a sender without a name
	listing
	last
	memory
	rival   rival
	shown   shown
	changed field // of shown, not yet in a frame
}

// listing is what the rosters say of a tile, or its result where none names it.
type listing struct {
	setName, name, siteName string
	kind, address           string
	description, link       string // for people
	command                 bool   // address is a command line
	pushed                  bool   // others push how it is
	interval                pharos.Seconds
	bound                   time.Duration // the longest ttl that is believed; 0: that of a push
	network, reference      bool
	announcers              []*prober // whose rosters name it
	manySites               bool
}

// last is the last result of a tile.
type last struct {
	result   pharos.Result // its durations were true at heard
	known    bool          // there is one
	live     bool          // it came as it was published, and not out of the store
	heard    time.Duration // when it was sent, by the board's clock
	arrived  time.Duration
	deadline time.Duration // when the next is due
	since    time.Duration // of its status
	held     time.Duration // when the store had nothing newer, for a sender without a name
}

func (b *Board) applyResult(in *input) {
	id, r := in.subject.ID(), in.result
	t := b.tiles[id]
	listed := t != nil && t.isListed()
	var p *prober
	if in.subject.Type == pharos.MessageResult {
		if p = b.prober(in); p == nil {
			b.refuseProber(in.subject.ProberID())
			return
		}
		if p.roster != nil && !p.listed[id] || p.roster == nil && listed {
			return // of a watcher that its prober does not list, or no more
		}
		if !b.hear(p, id, in) {
			if t != nil {
				b.noticeRival(t, p, in)
				b.show(t)
			}
			return
		}
	} else if listed {
		if !t.pushed { // else its prober hears it, too
			b.drops.count(pharos.ReasonListed, string(id), errListed)
		}
		return
	}
	if t == nil {
		if b.full() && !b.evict(p) {
			p.forgetSaid(id)
			b.refuseWatcher(id)
			return
		}
		if in.live && !b.newcomers.take(b.now, newcomersPerSecond, newcomersBurst) {
			p.forgetSaid(id)
			b.drops.count(pharos.ReasonFlood, string(id), fmt.Errorf("more than %d new watchers a second", newcomersPerSecond))
			return
		}
		t = b.newTile(id, in.subject)
	}
	sent := b.now - in.age
	if p != nil && in.live {
		sent -= p.delay.age()
	}
	if p == nil && t.owner == nil && !in.live {
		t.held = b.now
	}
	if t.known && !b.newer(t, p, r, in, sent) {
		if p != nil && !p.runs(id) && p.agrees() { // should it be its own after all, its digest will say that this is missing
			delete(p.said, id)
		}
		b.show(t)
		return
	}
	if len(t.announcers) == 0 {
		b.rename(t, r)
	}
	wasKnown, was := t.known, t.result.Status
	t.remember(p, r, sent)
	b.setOwner(t, p)
	t.keepRival(b, r)
	t.result, t.heard, t.known, t.live = *r, sent, true, in.live
	t.deadline = sent + min(r.TTLOrDefault(), b.longestTTL(t))
	since := sent - r.For.Duration()
	if !wasKnown || was != r.Status || since < t.since-sameMoment || since > t.since+sameMoment {
		t.since = since
	}
	t.flickers = t.flickers[:0]
	for _, f := range r.Flickers {
		t.flickers = append(t.flickers, flicker{f.Status, f.Lasted.Duration(), sent - f.Ago.Duration()})
	}
	t.arrived = in.at
	b.show(t)
}

// defaultPushTTL is for how long a push is believed at the most.
const defaultPushTTL = 8 * 24 * time.Hour

// ttlMargin is granted to a listed watcher beyond its interval and timeout.
const ttlMargin = 10 * time.Second

// longestTTL returns for how long a result of the tile is believed at the most.
func (b *Board) longestTTL(t *tile) time.Duration {
	if t.bound > 0 {
		return t.bound
	}
	return b.o.PushTTL
}

// isListed reports whether the roster of a prober that is there, or silent, names
// the tile.
func (t *tile) isListed() bool {
	return slices.ContainsFunc(t.announcers, func(p *prober) bool { return !p.left })
}

// newer reports whether a result is to replace the tile's: the last of one
// prober wins, and of several that live the first by name, on all dashboards;
// a push comes last.
func (b *Board) newer(t *tile, p *prober, r *pharos.Result, in *input, sent time.Duration) bool {
	old := &t.result
	if p != t.owner {
		if t.owner == nil || b.stale(t) {
			return in.live || sent > t.heard
		}
		if sharing(p, t.owner) { // the one takes over from the other
			return p.runs(t.id) && (in.live || sent > t.heard)
		}
		first := p != nil && p.id < t.owner.id && sent+r.TTLOrDefault() > b.now && p.watching(t, r.Incarnation)
		switch {
		case in.live && first:
			b.conflict(t, p, t.owner, old.TTLOrDefault())
		case in.live:
			b.conflict(t, t.owner, p, r.TTLOrDefault())
		}
		return first
	}
	return p != nil || in.live || sent > t.heard
}

func (b *Board) newTile(id pharos.WatcherID, s pharos.Subject) *tile {
	t := &tile{id: id, i: -1, site: s.Site, listing: listing{setName: s.Set, name: s.Watcher, siteName: s.Site}, last: last{since: b.now, heard: b.now}}
	t.shown.since = b.now
	b.tiles[id] = t
	b.unlisted[t] = true
	b.unsorted = true
	return t
}

// rename takes the human names that a push gives, where they belong to the tokens
// of its subject.
func (b *Board) rename(t *tile, r *pharos.Result) {
	set := func(have *string, token, given string) {
		if given != "" && *have != given && pharos.Fits(given, token) {
			*have = given
			b.unsorted = true
		}
	}
	set(&t.name, strings.TrimPrefix(t.key(), t.setToken()+"."), r.Name)
	set(&t.setName, t.setToken(), r.Set)
	set(&t.siteName, t.site, r.Site)
}

func (b *Board) remove(t *tile) {
	t.owner.forgetSaid(t.id)
	b.setOwner(t, nil)
	for _, p := range t.announcers {
		delete(p.watches, t.id)
	}
	delete(b.tiles, t.id)
	delete(b.unlisted, t)
	delete(b.conflicts, t.id)
	t.i = -1
	b.unsorted = true
}

// stale reports whether nothing that is known of the tile is to be believed any
// more: its next message is overdue, or its prober is silent, gone, another
// process by now, or watches it no more; or there was a silence in which a
// message may have been missed, and none has come since.
func (b *Board) stale(t *tile) bool {
	if t.known && b.now > t.deadline {
		return true
	}
	if p := t.owner; p != nil {
		return !p.watching(t, t.result.Incarnation) || t.arrived < p.back || p.agreement.lost(b.now) ||
			!t.live && p.heartbeat.Digest != nil && !p.agreement.known
	}
	if t.known {
		return b.deaf() || max(t.arrived, t.held) < b.hearing
	}
	for _, p := range t.announcers {
		if p.up {
			return false
		}
	}
	return len(t.announcers) > 0 // and nobody is there to look
}
