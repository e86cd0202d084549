package board

import (
	"cmp"
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

	// Of the roster, or of the result where there is none.
	setName, name, siteName string
	kind, address           string
	interval                pharos.Seconds
	bound                   time.Duration // the longest ttl that is believed; 0: that of a push
	network, reference      bool
	announcers              []*prober // whose rosters name it
	manySites               bool

	result   pharos.Result // the last, its durations true at heard
	heard    time.Duration // when the result was sent, by the board's clock
	deadline time.Duration // when the next is due; only where there is a result
	known    bool          // there is a result
	since    time.Duration // of the result's status
	flickers []flicker     // newest first
	before   []flicker     // those that the board saw before the process that has the tile now
	outage   outage        // under way; zero while ok
	rival    rival
	shown    shown
	changed  field // not yet in a frame
	arrived  time.Duration
	live     bool          // the result came as it was published, and not out of the store
	held     time.Duration // when the store had nothing newer, for a sender without a name
}

// outage is a time in which a tile is not ok, and that goes on.
type outage struct {
	status pharos.Status // the worst so far
	began  time.Duration // board's clock
	ours   bool          // its beginning is known to the board, and perhaps not to the sender
}

type flicker struct {
	status pharos.Status
	lasted time.Duration
	ended  time.Duration // board's clock
}

// shown is what the screens have been told, or are about to be.
type shown struct {
	status  pharos.Status
	stale   bool
	value   string
	unit    string
	summary string
	since   time.Duration
	flicker flicker // zero: none
	running bool
}

// field is a set of the parts of shown.
type field uint8

const (
	fieldStatus field = 1 << iota
	fieldValue
	fieldUnit
	fieldSummary
	fieldSince
	fieldFlicker
	fieldRunning
)

// lean returns what of a set a screen on a slow line is told: what is not well,
// and since when. The reason comes with the status.
func (f field) lean() field {
	out := f & (fieldStatus | fieldSince | fieldFlicker)
	if f&fieldStatus != 0 {
		out |= f & fieldSummary
	}
	return out
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
		b.drops.count(pharos.ReasonListed, string(id), errListed)
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

// remember adds to a result what its sender does not know: of one that keeps no
// memory, for how long the status and the outage last and what is over; of a
// process that has just taken over, what the board saw before.
func (t *tile) remember(p *prober, r *pharos.Result, sent time.Duration) {
	took := p == nil || p != t.owner || r.Incarnation != t.result.Incarnation
	if took {
		t.before = append(t.before[:0], t.flickers...)
	}
	if p == nil && t.known && r.For == 0 && r.Status == t.result.Status {
		r.For = pharos.Seconds(sent - t.since)
	}
	t.continueOutage(r, sent, took)
	told := r.Flickers
	for _, f := range t.before {
		ago := sent - f.ended
		if ago > pharos.FlickerSpan {
			continue
		}
		// Two that overlap are one: a watcher has one outage at a time.
		same := slices.IndexFunc(told, func(g pharos.Flicker) bool {
			return ago <= (g.Ago+g.Lasted).Duration()+sameMoment && g.Ago.Duration() <= ago+f.lasted+sameMoment
		})
		switch {
		case same < 0:
			r.Flickers = append(r.Flickers, pharos.Flicker{Status: f.status, Lasted: pharos.Seconds(f.lasted), Ago: pharos.Seconds(max(0, ago))})
		case f.status > r.Flickers[same].Status: // its worse part was over when the sender came
			g := &r.Flickers[same]
			g.Status, g.Lasted = f.status, max(g.Ago+g.Lasted, pharos.Seconds(ago+f.lasted))-g.Ago
		}
	}
	slices.SortStableFunc(r.Flickers, func(f, g pharos.Flicker) int { return cmp.Compare(f.Ago, g.Ago) })
	r.Flickers = r.Flickers[:min(len(r.Flickers), pharos.MaxFlickers)]
}

// continueOutage takes a result into the outage under way, begins one or ends it. Of one
// that began with another sender, or with one that keeps no memory, the board
// tells how long and how bad it was.
func (t *tile) continueOutage(r *pharos.Result, sent time.Duration, took bool) {
	s := &t.outage
	if r.Status == pharos.Waiting { // nobody has looked: it goes on, or has ended since
		s.ours = s.ours || took
		return
	}
	if !r.Status.Bad() {
		if s.status.Bad() && (took || s.ours) {
			t.before = append([]flicker{{s.status, sent - s.began, sent}}, t.before...)
		}
		*s = outage{}
		return
	}
	told := r.OpenOutage()
	now := outage{status: told.Status, began: sent - told.Lasted.Duration()}
	if s.status.Bad() && (took || s.ours) {
		now = outage{pharos.Worst(s.status, now.status), min(s.began, now.began), true}
		if all := (pharos.Outage{Status: now.status, Lasted: pharos.Seconds(sent - now.began)}); all.Status != r.Status || all.Lasted > r.For+pharos.Seconds(sameMoment) {
			r.Outage = all
		}
	}
	*s = now
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
	t := &tile{id: id, i: -1, site: s.Site, setName: s.Set, name: s.Watcher, siteName: s.Site, since: b.now, heard: b.now}
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

// show brings what the screens are told up to date with the tile.
func (b *Board) show(t *tile) {
	s, r := &t.shown, &t.result
	var changed field
	stale := b.stale(t)
	status, summary := b.verdict(t)
	since := t.since
	if stale {
		since = t.heard
	}
	if s.status != status || s.stale != stale {
		s.status, s.stale = status, stale
		changed |= fieldStatus
	}
	if s.since != since {
		s.since = since
		changed |= fieldSince
	}
	var unit string
	b.scratch, unit = pharos.AppendDisplay(b.scratch[:0], r.Value, r.Unit, r.Text)
	if string(b.scratch) != s.value {
		s.value = string(b.scratch)
		changed |= fieldValue
	}
	if unit != s.unit {
		s.unit = unit
		changed |= fieldUnit
	}
	if summary != s.summary {
		s.summary = summary
		changed |= fieldSummary
	}
	if r.Running != s.running {
		s.running = r.Running
		changed |= fieldRunning
	}
	var f flicker
	if len(t.flickers) > 0 {
		f = t.flickers[0]
	}
	if !sameFlicker(f, s.flicker) {
		s.flicker = f
		changed |= fieldFlicker
	}
	if changed == 0 {
		return
	}
	if t.changed == 0 && t.i >= 0 {
		b.dirty = append(b.dirty, t)
	}
	t.changed |= changed
	if changed&(fieldStatus|fieldFlicker) != 0 {
		b.urgent = true
	}
}

func sameFlicker(a, b flicker) bool {
	near := func(x, y time.Duration) bool { return x-y <= sameMoment && y-x <= sameMoment }
	return a.status == b.status && near(a.lasted, b.lasted) && near(a.ended, b.ended)
}

// conflict is a watcher that two probers publish.
type conflict struct {
	owner, other string // other is empty for a sender without a name
	until        time.Duration
}

// conflict names two senders of a watcher for as long as the next message of the
// one that is not shown may take.
func (b *Board) conflict(t *tile, owner, other *prober, due time.Duration) {
	d := conflict{owner: owner.id, until: b.now + max(conflictFor, due)}
	if other != nil {
		d.other = other.id
	}
	b.conflicts[t.id] = d
}

func (b *Board) forgetConflicts() {
	for id, d := range b.conflicts {
		if b.now > d.until || b.handedOver(d.owner, id) || b.handedOver(d.other, id) {
			delete(b.conflicts, id)
		}
	}
}

// handedOver reports whether a prober is known to publish a watcher no more.
func (b *Board) handedOver(owner string, id pharos.WatcherID) bool {
	p := b.probers[owner]
	return p != nil && (p.left || p.roster != nil && p.watches[id] == nil)
}
