package board

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"pharos/internal/pharos"
)

const (
	// offsetShown is from when on a prober's wall clock is said to be off.
	offsetShown = 2 * time.Second
	// A prober that has no tiles is forgotten so long after its goodbye, or its
	// last heartbeat.
	forgetLeft, forgetSilent = time.Minute, 10 * time.Minute
	maxProbers               = 1000
	maxSiteProbers           = 250
)

// prober is one prober as this board knows it.
type prober struct {
	id         string // "<site>/<prober>", tokens
	site, name string // human
	token      string // the site's
	heartbeat  pharos.Heartbeat
	heard      time.Duration // when it was there last: of its last heartbeat, or of the prober at all where there was none
	newest     time.Duration // when the heartbeat came
	replaced   time.Duration // when this process took the place of one that said no goodbye; 0: it did not
	up         bool
	left       bool          // said goodbye
	back       time.Duration // when it was heard again after it had been silent
	delay      delay
	offset     time.Duration
	rosters
	owns      map[*tile]bool            // tiles whose last result is its
	said      map[pharos.WatcherID]said // the last of each watcher
	agreement agreement
	asks      asks
	backwards time.Duration // when numbers ran backwards last; 0: not lately
	trouble   trouble
	missed    missed
	duplicate duplicate
}

// rosters is what a prober says that it watches.
type rosters struct {
	roster  *pharos.Roster             // in force, complete; nil: none yet
	parts   []*pharos.Roster           // of one that is not complete
	pending *pharos.Roster             // complete, but no heartbeat names it
	listed  map[pharos.WatcherID]bool  // the watchers of the one in force
	watches map[pharos.WatcherID]*tile // those of them that are on the board
	missing time.Duration              // since when the newest one has not arrived; 0: it has
	late    bool                       // it has been missing for too long
}

// duplicate is another process of the prober's name that sends heartbeats beside it.
type duplicate struct {
	first, last time.Duration // when its heartbeats came
}

const (
	// A process that is being replaced may send one more heartbeat; a duplicate sends heartbeats for longer.
	duplicateAfter = pharos.HeartbeatTimeout
	duplicateFor   = 10 * time.Second // how long it is told after its last heartbeat
)

func (p *prober) isDuplicated() bool { return p.duplicate.last-p.duplicate.first > duplicateAfter }

// noticeDuplicate takes the heartbeat of an older process while the newer one is there.
func (b *Board) noticeDuplicate(p *prober) {
	if p.duplicate == (duplicate{}) {
		p.duplicate.first = b.now
	}
	p.duplicate.last = b.now
}

// missed tells ticks missed lately from those of long ago.
type missed struct {
	before uint64        // that have been forgotten
	last   time.Duration // when the count grew last
}

// missedFor is how long missed ticks are told after the last one.
const missedFor = time.Minute

// missedLately returns how many ticks the prober missed in the minute that ended
// less than a minute ago.
func (p *prober) missedLately() uint64 {
	return p.heartbeat.Missed - min(p.missed.before, p.heartbeat.Missed)
}

// delay tells messages that have waited somewhere, in a process that was stopped
// or a cable that was cut, from those that are as young as they look: by the
// sender's own clock they come later than the quickest did.
type delay struct {
	uptime   time.Duration // that the last heartbeat told; zero: none yet
	at       time.Duration // when it came
	late     time.Duration // by how much later than the quickest
	quickest time.Duration // the time between the two clocks as the quickest heartbeat had it: when it came, less its uptime
}

const (
	// lateFrom is from when on a message is taken for older than it looks.
	lateFrom = pharos.HeartbeatInterval
	// clocksDrift is by how much two clocks may differ in a second at the most.
	clocksDrift = time.Second / 1000
)

// hear takes the uptime that a heartbeat tells, zero for a sender that does not.
func (d *delay) hear(uptime, at time.Duration) {
	gap, first := at-d.at, d.uptime == 0 || uptime < d.uptime
	d.uptime, d.at = uptime, at
	d.quickest += time.Duration(gap.Seconds() * float64(clocksDrift))
	late := at - uptime - d.quickest
	// What waited comes in a heap. Beats that come late one by one, each at its
	// time, are those of a machine whose clocks stood still for a while.
	steady := d.late >= lateFrom && gap > pharos.HeartbeatInterval/2 && late > d.late-lateFrom/4
	if uptime == 0 || first || late < 0 || steady {
		d.quickest, late = at-uptime, 0
	}
	d.late = late
}

// age returns how old a message is that has come since the last heartbeat.
func (d *delay) age() time.Duration {
	if d.late < lateFrom {
		return 0
	}
	return d.late
}

// prober returns the prober of a subject, a new one if need be; nil when there
// are too many. A new one is taken to be there until it has been silent for too
// long: its heartbeat may be on its way.
func (b *Board) prober(in *input) *prober {
	s, id := in.subject, in.subject.ProberID()
	p := b.probers[id]
	if p == nil {
		if !b.roomForProber(s.Site, in.result == nil) {
			return nil
		}
		p = &prober{id: id, site: s.Site, name: s.Prober, token: s.Site, heard: b.now - in.age, owns: map[*tile]bool{}, said: map[pharos.WatcherID]said{}}
		p.up = in.age < pharos.HeartbeatTimeout
		b.probers[id] = p
	}
	return p
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

func (b *Board) applyHeartbeat(in *input) {
	p := b.prober(in)
	if p == nil {
		b.refuseProber(in.subject.ProberID())
		return
	}
	beat, old := in.heartbeat, p.heartbeat
	switch { // the newest wins; of an older process only when the newer is silent
	case beat.Incarnation == old.Incarnation && beat.Seq <= old.Seq:
		if !in.live || b.now-p.newest < orderWindow {
			if in.live && beat.Seq < old.Seq { // the process is there, whatever its numbers are
				p.heard = b.now
			}
			return
		}
		p.backwards = b.now
	case beat.Incarnation < old.Incarnation && !in.live:
		return
	case beat.Incarnation < old.Incarnation && p.up:
		if !beat.Leaving {
			b.noticeDuplicate(p)
		}
		return
	}
	switch {
	case beat.Incarnation != old.Incarnation:
		p.missed = missed{last: b.now} // a new process counts from nothing
	case beat.Missed > old.Missed:
		p.missed.last = b.now
	case beat.Missed > p.missed.before && b.now-p.missed.last > missedFor:
		p.missed.before = beat.Missed
	}
	sent := b.now - in.age
	if in.live {
		p.delay.hear(beat.Uptime.Duration(), b.now)
		sent -= p.delay.age()
	}
	if beat.Incarnation != old.Incarnation {
		p.agreement = agreement{}
		p.replaced = b.now
		if old.Leaving || old.Incarnation == 0 {
			p.replaced = 0
		}
	}
	p.heartbeat, p.heard, p.newest, p.left = *beat, sent, b.now, beat.Leaving
	p.takeNames(beat.Site, beat.Prober)
	offset := time.Duration(0)
	if in.live && !beat.At.IsZero() {
		offset = (time.Until(beat.At) + p.delay.age()).Round(time.Second)
		if offset.Abs() < offsetShown {
			offset = 0
		}
	}
	p.offset = offset
	wasUp := p.up
	b.judgeProber(p)
	if !wasUp && p.up && in.live && old.Incarnation != 0 {
		// What it saw meanwhile is on its way, or was missed.
		p.back = b.now
		for t := range p.owns {
			b.show(t)
		}
		b.askFor(p)
	}
	if q := p.pending; q != nil && q.Incarnation == beat.Incarnation && q.Seq == beat.Roster {
		p.pending = nil
		b.adopt(p, q)
	}
	if in.live && !beat.Leaving {
		b.judgeRoster(p)
		if b.inbox.empty() { // else what it speaks of may wait there
			b.compare(p)
		}
	}
}

// rosterLate is how long the newest roster may be on its way before the board
// says that it does not arrive.
const rosterLate = 3 * time.Second

// rosterIsNewest reports whether the roster in force is the one that the
// heartbeat speaks of. A sender whose heartbeats do not say has the newest.
func (p *prober) rosterIsNewest() bool {
	return p.roster != nil && p.roster.Incarnation == p.heartbeat.Incarnation && (p.roster.Seq == p.heartbeat.Roster || p.heartbeat.Roster == 0)
}

// judgeRoster asks for a roster that has not arrived.
func (b *Board) judgeRoster(p *prober) {
	switch {
	case p.rosterIsNewest() || p.heartbeat.Roster == 0: // what has no roster need not send it
		p.missing = 0
	default:
		if p.missing == 0 {
			p.missing = b.now
		}
		b.askFor(p)
	}
	p.late = p.missing > 0 && b.now-p.missing >= rosterLate
}

// takeNames takes human names that belong to the tokens of the subject.
func (p *prober) takeNames(site, name string) {
	_, token, _ := strings.Cut(p.id, "/")
	if pharos.Token(site) == p.token {
		p.site = site
	}
	if pharos.Token(name) == token {
		p.name = name
	}
}

// showAll brings all tiles of a prober up to date.
func (b *Board) showAll(p *prober) {
	for _, t := range p.tiles() {
		b.show(t)
	}
}

// takeOver asks for what others see of a tile that its prober has left.
func (b *Board) takeOver(t *tile) {
	if t.owner == nil || t.owner.watching(t, t.owner.heartbeat.Incarnation) {
		return
	}
	for _, p := range t.announcers {
		if p.up {
			b.askFor(p)
		}
	}
}

// judgeProber brings a prober's tiles up to date with its being there or not.
func (b *Board) judgeProber(p *prober) {
	up := !p.left && b.now-p.heard < pharos.HeartbeatTimeout
	if up != p.up {
		p.up = up
		b.footer.soon, b.urgent = true, true
		for _, t := range p.tiles() {
			b.show(t)
			b.takeOver(t)
		}
	}
	if p.duplicate != (duplicate{}) && b.now-p.duplicate.last > duplicateFor {
		p.duplicate = duplicate{}
	}
	if p.backwards > 0 && b.now-p.backwards > backwardsFor {
		p.backwards = 0
	}
	silent := b.now - p.heard
	if !up && (p.left && silent > forgetLeft || silent > forgetSilent) && !p.needed() {
		b.drop(p)
	}
}

// tiles returns those that are its by its roster or by its results.
func (p *prober) tiles() []*tile {
	out := slices.AppendSeq(make([]*tile, 0, len(p.watches)), maps.Values(p.watches))
	for t := range p.owns {
		if p.watches[t.id] == nil {
			out = append(out, t)
		}
	}
	return out
}

// needed reports whether there is a tile that nobody else speaks for.
func (p *prober) needed() bool {
	for _, t := range p.watches {
		if t.owner == nil {
			return true
		}
	}
	return len(p.owns) > 0
}

// watching reports whether the prober's process of an epoch is there and looks
// at a tile. A newer process has not looked yet.
func (p *prober) watching(t *tile, epoch int64) bool {
	return p.up && (p.roster == nil || p.watches[t.id] != nil) && epoch >= p.heartbeat.Incarnation
}

// setOwner makes a tile the prober's, or that of a sender without a name.
func (b *Board) setOwner(t *tile, p *prober) {
	if t.owner == p {
		return
	}
	if t.owner != nil {
		delete(t.owner.owns, t)
	}
	if t.owner = p; p != nil {
		p.owns[t] = true
	}
}

func (b *Board) announce(t *tile, p *prober) {
	t.announcers = append(t.announcers, p)
	delete(b.unlisted, t)
}

// withdraw is the contrary of announce.
func (b *Board) withdraw(t *tile, p *prober) {
	t.announcers = slices.DeleteFunc(t.announcers, func(q *prober) bool { return q == p })
	if len(t.announcers) == 0 {
		b.unlisted[t] = true
	}
}

// drop forgets a prober that owns nothing.
func (b *Board) drop(p *prober) {
	delete(b.probers, p.id)
	for _, t := range p.watches {
		b.withdraw(t, p)
	}
	b.unsorted = true
}

func (b *Board) applyRoster(in *input) {
	p := b.prober(in)
	if p == nil {
		b.refuseProber(in.subject.ProberID())
		return
	}
	r := in.roster
	if r.Part != in.subject.Part {
		b.drops.count(pharos.ReasonInvalid, in.subject.ProberID(), errWrongPart)
		return
	}
	if old := p.roster; old != nil && r.Incarnation == old.Incarnation && r.Seq == old.Seq {
		return
	}
	if len(p.parts) == 0 || p.parts[0] == nil && !slices.ContainsFunc(p.parts, func(q *pharos.Roster) bool { return q != nil }) || !samePieces(p.parts, r) {
		p.parts = make([]*pharos.Roster, r.Parts)
	}
	if n := countNames(r); n > 0 && b.names()+n > rostersOf*b.o.MaxWatchers {
		b.drops.count(pharos.ReasonFull, in.subject.ProberID(), errFull)
		b.refuse(fmt.Sprintf("not all that prober %q watches is shown: its roster is too long for max_watchers %d", p.id, b.o.MaxWatchers))
		r.Sets = nil
	}
	p.parts[r.Part] = r
	if slices.Contains(p.parts, nil) {
		return
	}
	whole := *r
	whole.Sets = nil
	for _, part := range p.parts {
		whole.Sets = append(whole.Sets, part.Sets...)
	}
	p.parts = nil
	old := p.roster
	named := whole.Incarnation == p.heartbeat.Incarnation && whole.Seq == p.heartbeat.Roster
	newer := old == nil || whole.Incarnation > old.Incarnation || whole.Incarnation == old.Incarnation && whole.Seq > old.Seq
	switch {
	case named || newer && p.heartbeat.Roster == 0:
		p.pending = nil
		b.adopt(p, &whole)
	default: // the newest is the one that the heartbeat names
		p.pending = &whole
	}
}

// rostersOf is how many names the rosters may have together for each tile that
// the board may hold: several probers may name the same watchers, and one that
// restarts names them twice for a moment.
const rostersOf = 4

// names is how many watchers the rosters name, those that are not complete yet
// included.
func (b *Board) names() int {
	n := 0
	for _, p := range b.probers {
		n += len(p.listed) + countNames(p.pending)
		for _, part := range p.parts {
			n += countNames(part)
		}
	}
	return n
}

func countNames(r *pharos.Roster) int {
	n := 0
	if r != nil {
		for _, set := range r.Sets {
			n += 1 + len(set.Watchers)
		}
	}
	return n
}

// samePieces reports whether r belongs to the roster that parts were collected
// of; one part at least is there.
func samePieces(parts []*pharos.Roster, r *pharos.Roster) bool {
	for _, q := range parts {
		if q != nil {
			return q.Incarnation == r.Incarnation && q.Seq == r.Seq && q.Parts == r.Parts
		}
	}
	return false
}

// adopt puts a complete roster in force: what it names gets a tile, what only
// the one before it named goes.
func (b *Board) adopt(p *prober, r *pharos.Roster) {
	old, seen := p.watches, map[pharos.WatcherID]bool{}
	p.roster, p.watches, p.listed = r, map[pharos.WatcherID]*tile{}, seen
	p.takeNames(r.Site, r.Prober)
	for _, set := range r.Sets {
		for _, w := range set.Watchers {
			s := pharos.Subject{Type: pharos.MessageResult, Site: p.token, Set: pharos.Token(set.Name), Watcher: pharos.Token(w.Name)}
			id := s.ID()
			if seen[id] {
				continue
			}
			seen[id] = true
			t := b.tiles[id]
			if t == nil {
				if b.full() && !b.evict(p) {
					b.drops.count(pharos.ReasonFull, string(id), errFull)
					continue
				}
				t = b.newTile(id, s)
			}
			p.watches[id] = t
			if old[id] == nil {
				b.announce(t, p)
			}
			t.setName, t.name, t.siteName = set.Name, w.Name, p.site
			t.kind, t.address, t.interval = w.Kind, w.Target, w.Interval
			t.network, t.reference = w.Network, w.Reference
			t.bound = 0
			if w.Interval > 0 && w.Timeout > 0 {
				t.bound = (w.Interval + w.Timeout).Duration() + ttlMargin
			}
			b.show(t)
		}
	}
	maps.DeleteFunc(p.said, func(id pharos.WatcherID, _ said) bool { return !seen[id] })
	for id, t := range old {
		if p.watches[id] == nil {
			b.withdraw(t, p)
		}
	}
	for _, t := range slices.AppendSeq(slices.Collect(maps.Values(old)), maps.Keys(p.owns)) {
		switch {
		case p.watches[t.id] != nil || b.tiles[t.id] != t:
		case len(t.announcers) == 0 && (t.owner == p || t.owner == nil):
			b.remove(t)
		default:
			b.show(t)
			b.takeOver(t)
		}
	}
	b.unsorted = true
}

// restore gives the watchers of a prober's roster that are not on the board
// their tiles, once there is room.
func (b *Board) restore(p *prober) {
	if p.up && len(p.watches) < len(p.listed) && (!b.full() || len(b.unlisted) > 0) {
		b.adopt(p, p.roster)
		b.askFor(p)
	}
}

// applyForget takes away what is gone for good. What is alive is not forgotten.
// What a living prober lists as well comes back, without what the forgotten one
// said of it.
func (b *Board) applyForget(in *input) {
	f := in.forget
	if f.Watcher != "" {
		t := b.tiles[f.Watcher]
		switch {
		case t == nil:
		case slices.ContainsFunc(t.announcers, func(p *prober) bool { return p.up }) || t.owner != nil && t.owner.up:
			b.refuseForget(string(f.Watcher))
		default:
			b.remove(t)
		}
		return
	}
	p := b.probers[f.Prober]
	switch {
	case p == nil:
		return
	case p.up:
		b.refuseForget(p.id)
		return
	}
	tiles := p.tiles()
	for t := range p.owns {
		b.disown(t)
	}
	b.drop(p)
	for _, t := range tiles {
		if t.owner == nil && len(t.announcers) == 0 {
			b.remove(t)
		}
	}
}

// disown makes a tile one of which nothing is known.
func (b *Board) disown(t *tile) {
	b.setOwner(t, nil)
	t.result, t.known, t.since, t.heard, t.outage = pharos.Result{}, false, b.now, b.now, outage{}
	b.show(t)
	for _, p := range t.announcers {
		b.askFor(p)
	}
}

// refuseForget counts and says that something alive was to be forgotten.
func (b *Board) refuseForget(id string) {
	b.drops.count(pharos.ReasonAlive, id, errAlive)
	b.refuse(fmt.Sprintf("%q is alive and was not forgotten", id))
}

// sortedProbers returns the probers by site and name.
func (b *Board) sortedProbers() []*prober {
	return slices.SortedFunc(maps.Values(b.probers), func(x, y *prober) int {
		return cmp.Or(cmp.Compare(x.site, y.site), cmp.Compare(x.name, y.name), cmp.Compare(x.id, y.id))
	})
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
