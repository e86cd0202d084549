package board

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"pharos/internal/clock"
	"pharos/internal/pharos"
)

const (
	expireAfter = 24 * time.Hour         // from when on a tile that no roster lists is gone, after its deadline
	sweepEvery  = 200 * time.Millisecond // how often freshness is judged
	batch       = 512                    // inputs taken before frames are looked at again
)

// Options are what a Board needs.
type Options struct {
	Title, Tagline string
	Build          string // of the page; a page of another build reloads itself
	MaxWatchers    int    // tiles held at most; 0: 10,000
	Log            *slog.Logger
	// PushTTL bounds for how long a pushed result is believed; 0: 8 days.
	PushTTL time.Duration
	// Refresh, if not nil, is called when a prober ("<site>/<prober>", tokens)
	// should publish its state again, or all of them (""). It is called from the
	// board's goroutine and must not block.
	Refresh func(prober string)
	// Elsewhere, if not nil, is called when another server of NATS should be tried:
	// no prober is heard through this one. It must not block.
	Elsewhere func()
	Clock     *clock.Clock // nil: the machine's
}

// Board is the state of a dashboard. Make it with New, and let Run own it. It is
// the sum of its parts; each of them has a file.
type Board struct {
	o     Options
	clock *clock.Clock
	inbox inbox
	in    chan input // what does not come from NATS
	ended chan struct{}

	// Owned by Run's goroutine.
	now     time.Duration // of the input under way
	tiles   map[pharos.WatcherID]*tile
	probers map[string]*prober // by "<site>/<prober>"
	contact
	limits
	layout
	sending
	conflicts map[pharos.WatcherID]conflict
	forgotten map[string]time.Duration // when a prober was
	footer    footer
	asking    bool   // some prober is to be asked to publish again
	notice    string // of this dashboard itself
	state     *State // that was handed out last

	// Safe for concurrent use.
	drops drops
	delay delays
}

// input is one thing that happened. Just one of its parts is set.
type input struct {
	subject   pharos.Subject
	result    *pharos.Result
	roster    *pharos.Roster
	heartbeat *pharos.Heartbeat
	forget    *pharos.Forget
	link      *Link
	do        func()
	age       time.Duration
	live      bool
	at        time.Duration // of arrival
}

// New returns a board without tiles.
func New(o Options) *Board {
	if o.MaxWatchers == 0 {
		o.MaxWatchers = 10_000
	}
	if o.PushTTL == 0 {
		o.PushTTL = defaultPushTTL
	}
	if o.Clock == nil {
		o.Clock = clock.New(nil)
	}
	if o.Refresh == nil {
		o.Refresh = func(string) {}
	}
	if o.Elsewhere == nil {
		o.Elsewhere = func() {}
	}
	b := &Board{
		o: o, clock: o.Clock, inbox: newInbox(), in: make(chan input, 64), ended: make(chan struct{}),
		tiles: map[pharos.WatcherID]*tile{}, probers: map[string]*prober{}, conflicts: map[pharos.WatcherID]conflict{}, forgotten: map[string]time.Duration{},
		limits: limits{newcomers: bucket{left: newcomersBurst}, budget: budget{left: readBurst}},
		layout: layout{unlisted: map[*tile]bool{}}, sending: sending{feeds: map[string]*feed{}},
	}
	b.drops.log = o.Log
	b.pace = pace{frame: -time.Hour, urgent: -time.Hour, structure: -time.Hour}
	b.deriveFooter()
	b.Name(nil)
	return b
}

// Apply takes a message that arrived from NATS: age is how old it is by the
// broker's own clock, live whether it came as it was published and not out of
// the store. It keeps data. It never blocks: of what arrives faster than it can be
// read, the newest of each subject is kept. What cannot be understood, and what
// finds no room, is dropped and counted.
func (b *Board) Apply(subject string, data []byte, age time.Duration, live bool) {
	s, err := pharos.ParseSubject(subject)
	switch {
	case err != nil:
		b.drops.count(pharos.ReasonSubject, subject, err)
	case len(data) > pharos.MaxMessage:
		b.drops.count(pharos.ReasonTooLarge, subject, errTooLarge)
	case s.Type == pharos.MessageForget && !live: // it was for those who were there
	case !b.inbox.put(&message{s, subject, data, age, live, b.clock.Now()}):
		b.drops.count(pharos.ReasonBehind, subject, errBehind)
	}
}

// SetLink tells how this dashboard stands with NATS.
func (b *Board) SetLink(l Link) { b.send(input{link: &l, at: b.clock.Now()}) }

// SetNotice shows a line in the footer of every screen, such as why the newest
// file was refused; empty takes it away.
func (b *Board) SetNotice(text string) {
	b.send(input{at: b.clock.Now(), do: func() {
		b.notice = pharos.CleanLine(text, pharos.MaxSummary)
		b.footer.soon = true
	}})
}

// Describe changes the title, the tagline and the build of the page.
func (b *Board) Describe(title, tagline, build string) {
	b.send(input{at: b.clock.Now(), do: func() {
		if b.o.Title != title || b.o.Tagline != tagline || b.o.Build != build {
			b.o.Title, b.o.Tagline, b.o.Build, b.unsorted = title, tagline, build, true
		}
	}})
}

func (b *Board) send(in input) {
	select {
	case b.in <- in:
	case <-b.ended:
	}
}

// ask runs f on the board's goroutine and waits for it; false when the board
// has ended.
func (b *Board) ask(ctx context.Context, f func()) bool {
	done := make(chan struct{})
	select {
	case b.in <- input{at: b.clock.Now(), do: func() { f(); close(done) }}:
	case <-b.ended:
		return false
	case <-ctx.Done():
		return false
	}
	select {
	case <-done:
		return true
	case <-b.ended:
		return false
	}
}

// Run owns the board until ctx is done. It is called once.
func (b *Board) Run(ctx context.Context) error {
	defer close(b.ended)
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	flush := time.NewTimer(time.Hour)
	defer flush.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.inbox.wake:
			b.takeMessages()
		case in := <-b.in:
			b.take(in)
			for i := 0; i < batch && len(b.in) > 0; i++ {
				b.take(<-b.in)
			}
		case <-sweep.C:
			b.clock.Notice()
			b.now = b.clock.Now()
			b.takeMessages()
			b.now = b.clock.Now()
			b.sweep()
		case <-flush.C:
		}
		b.sendAsks()
		b.now = b.clock.Now()
		if wait := b.flush(); wait > 0 {
			flush.Reset(wait)
		} else {
			flush.Stop()
		}
	}
}

func (b *Board) take(in input) {
	b.now = in.at
	if !in.live && b.isForgotten(in.subject) {
		return
	}
	switch {
	case in.result != nil:
		b.applyResult(&in)
	case in.heartbeat != nil:
		b.applyHeartbeat(&in)
	case in.roster != nil:
		b.applyRoster(&in)
	case in.forget != nil:
		b.applyForget(&in)
	case in.link != nil:
		if *in.link != b.link {
			if in.link.Up != b.link.Up {
				if b.deaf() {
					b.hearing = b.now
				}
				b.linkSince, b.lost = b.now, !in.link.Up
				for _, p := range b.probers { // what was asked while NATS was away has reached nobody
					p.asks.gap = 0
				}
			}
			b.link, b.footer.soon, b.urgent = *in.link, true, true
		}
	case in.do != nil:
		in.do()
	}
}

// sweep judges what only the passing of time changes.
func (b *Board) sweep() {
	for _, p := range b.probers {
		b.judgeProber(p)
		b.restore(p)
	}
	for _, t := range b.tiles {
		if p := t.owner; t.known && b.now > t.deadline && p != nil && p.up && p.runs(t.id) {
			p.asks.overdue = b.now
			b.askFor(p) // what came instead was lost, though it changed nothing that the digest sums up
		}
		if b.stale(t) != t.shown.stale || t.rival != (rival{}) {
			b.show(t)
		}
		if b.now >= t.rival.until {
			t.rival = rival{}
		}
	}
	if b.behind > 0 && b.now-b.behind > behindFor {
		b.behind = 0
	}
	for t := range b.unlisted {
		if t.known && b.now-t.deadline > expireAfter {
			b.refuse(fmt.Sprintf("%q is gone: nobody lists it, and nothing was heard of it for a day after it was due", t.id))
			b.remove(t)
		}
	}
	maps.DeleteFunc(b.forgotten, func(_ string, at time.Duration) bool { return b.now-at > forgottenFor })
	b.judgeIsolation()
	b.judgeCauses()
	b.forgetConflicts()
	if b.refused.text != "" && b.now-b.refused.seen > refusedFor {
		b.refused = refusal{}
	}
	b.dropFeeds()
}
