package prober

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"pharos/internal/bus"
	"pharos/internal/pharos"
	"pharos/internal/schedule"
)

const (
	spread       = time.Second // over which everything is published again
	spreadStep   = 20 * time.Millisecond
	spreadLeast  = 25              // results in a step: few watchers need no second
	againGap     = 2 * time.Second // between two such rounds at the least
	rosterGap    = spread / 5      // and between two rosters that are asked for
	restoreLimit = 2 * time.Second // for reading what an earlier process remembered
)

// identity is how a prober is called.
type identity struct {
	site, prober           string // names for people
	siteToken, proberToken string // in subjects
	version                string
}

func (i identity) String() string { return i.siteToken + "/" + i.proberToken }

// publisher sends what the outbox holds. Its one goroutine is the only one that
// touches NATS: publishing can block for two seconds. While there is no
// connection nothing is sent, and everything once there is.
type publisher struct {
	self      identity
	outbox    *outbox
	scheduler *schedule.Scheduler
	conn      *bus.Conn
	log       *slog.Logger

	phase       phase
	reconnected bool // the next round greets a new connection
	round       round
	asked       time.Time // when the last round began that was asked for
	rosterSent  time.Time
	step        *time.Timer
}

// round is what is still to be sent of everything.
type round struct {
	items   []*item
	portion int // how many of them are sent in one step
}

// take returns the items of the next step.
func (r *round) take() []*item {
	n := min(r.portion, len(r.items))
	next := r.items[:n]
	r.items = r.items[n:]
	return next
}

// phase is what the publisher is about, besides sending news as it comes.
type phase int

const (
	starting  phase = iota // no connection was made yet: nothing is sent
	steady                 // nothing more
	greeting               // everything is sent, because a connection was made
	answering              // everything is sent, because a board has asked
)

// run sends until ctx is done.
func (p *publisher) run(ctx context.Context) error {
	beat := time.NewTicker(pharos.HeartbeatInterval)
	defer beat.Stop()
	p.step = time.NewTimer(time.Hour)
	defer p.step.Stop()
	defer p.outbox.lazy.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.conn.Connected():
			p.connected(ctx)
		case <-beat.C:
			if p.phase != starting {
				p.sendHeartbeat(false)
			}
		case <-p.step.C:
			p.turn()
		case <-p.outbox.wake:
			p.turn()
		}
	}
}

func (p *publisher) connected(ctx context.Context) {
	p.sendHeartbeat(false)
	if p.phase == starting {
		p.restore(ctx)
		p.phase = steady
	}
	p.reconnected = true
	p.outbox.refresh()
}

// turn sends what is news and the next step of a round, begins a round that is
// owed, and sets the timer for the next step.
func (p *publisher) turn() {
	if p.phase == starting {
		return
	}
	// Rosters are what a board asks for first; they do not wait for the round.
	if time.Since(p.rosterSent) > rosterGap && p.sendRoster() {
		p.rosterSent = time.Now()
	}
	for _, it := range p.outbox.takeNews() {
		p.send(it)
	}
	for _, it := range p.round.take() {
		p.send(it)
	}
	if len(p.round.items) == 0 {
		p.phase = steady
	}
	all, roster := p.outbox.owed()
	switch wait := againGap - time.Since(p.asked); {
	// A board that comes just after the connection was made has missed a part of
	// the round that greets everybody: that round begins anew.
	case all && (wait <= 0 || p.reconnected) && p.phase != answering:
		p.begin()
	case p.phase != steady:
		p.step.Reset(spreadStep)
	case all:
		p.step.Reset(min(wait, rosterGap))
	case roster:
		p.step.Reset(rosterGap)
	}
}

// begin starts a round of everything.
func (p *publisher) begin() {
	if p.phase = greeting; !p.reconnected {
		p.phase, p.asked = answering, time.Now()
	}
	p.reconnected = false
	// The heartbeat says which roster is the newest, and that what follows is from a
	// prober that is there: a board believes no result that came before.
	p.sendHeartbeat(false)
	all := p.outbox.takeAll()
	p.round = round{all, max(spreadLeast, (len(all)*int(spreadStep)+int(spread)-1)/int(spread))}
	p.step.Reset(0)
}

func (p *publisher) send(it *item) {
	id, r, ok := p.outbox.next(it)
	if !ok {
		return
	}
	data, err := r.Encode(p.conn.MaxPayload())
	if err != nil {
		p.log.Error("publishing a result", "watcher", id, "error", err)
		return
	}
	p.publish(pharos.ResultSubject(p.self.proberToken, id), data)
}

// publish hands a message to NATS. What cannot be sent while there is no
// connection is sent after the next one is made, with everything.
func (p *publisher) publish(subject string, data []byte) {
	if err := p.conn.Publish(subject, data); err != nil && !errors.Is(err, bus.ErrNotConnected) {
		p.log.Debug("publishing", "subject", subject, "error", err)
	}
}

// sendRoster sends the roster if it is owed, and reports whether it was.
func (p *publisher) sendRoster() bool {
	roster, owed := p.outbox.takeRoster()
	if !owed {
		return false
	}
	parts, err := roster.Split(p.conn.MaxPayload())
	if err != nil {
		p.log.Error("publishing the roster", "error", err)
		return true // as often as if it could be
	}
	for i, part := range parts {
		p.publish(pharos.RosterSubject(p.self.siteToken, p.self.proberToken, i), part)
	}
	return true
}

func (p *publisher) sendHeartbeat(leaving bool) {
	m := p.heartbeat(leaving)
	p.publish(m.Subject, m.Data)
}

func (p *publisher) heartbeat(leaving bool) bus.Message {
	stats := p.scheduler.Stats()
	b := p.outbox.heartbeat()
	b.Site, b.Prober, b.Version, b.At = p.self.site, p.self.prober, p.self.version, time.Now().UTC()
	b.Missed, b.Lag, b.Unable, b.Leaving = stats.Missed, pharos.Seconds(stats.WorstLag), stats.Unable, leaving
	if l := p.conn.Link(); l.Up { // of the prober, nobody else would know
		b.Denied = l.Error
		if limit := p.conn.MaxPayload(); b.Denied == "" && limit < pharos.MaxMessage {
			b.Denied = fmt.Sprintf("messages are cut to %d bytes, its max_payload; set it to %d or more", limit, pharos.MaxMessage)
		}
	}
	data, err := json.Marshal(b)
	if err != nil { // no field of a heartbeat can refuse
		panic(err)
	}
	return bus.Message{Subject: pharos.HeartbeatSubject(p.self.siteToken, p.self.proberToken), Data: data}
}

// restore takes over what an earlier process of this name remembered, before
// the first result of this one overwrites it. It is tried once: later the store
// has nothing but what this process sent.
func (p *publisher) restore(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, restoreLimit)
	defer cancel()
	ids := p.outbox.ids()
	subjects := make([]string, len(ids))
	for i, id := range ids {
		subjects[i] = pharos.ResultSubject(p.self.proberToken, id)
	}
	messages, err := p.conn.Last(ctx, p.heartbeat(false), subjects...)
	if err != nil && !errors.Is(err, bus.ErrNoStore) {
		p.log.Warn("remembering what an earlier process saw", "error", err)
	}
	past := make(map[pharos.WatcherID]pharos.Result, len(messages))
	for _, m := range messages {
		s, err := pharos.ParseSubject(m.Subject)
		if err != nil {
			continue
		}
		r, err := pharos.ParseResult(m.Data)
		if err != nil {
			continue
		}
		p.outbox.follow(r.Incarnation)
		past[s.ID()] = r.Aged(m.Age)
	}
	p.scheduler.Restore(past)
}
