package prober

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"pharos/internal/bus"
	"pharos/internal/pharos"
	"pharos/internal/schedule"
)

const (
	spread       = time.Second // over which everything is published again
	spreadStep   = 20 * time.Millisecond
	spreadLeast  = 25                           // results in a step: few watchers need no second
	againGap     = 2 * time.Second              // between two such rounds at the least
	rosterGap    = spread / 5                   // and between two rosters that are asked for
	restoreLimit = 2 * time.Second              // for reading what an earlier process remembered
	takeLimit    = pharos.HeartbeatInterval / 2 // for reading it between two heartbeats
	peersEvery   = 200 * time.Millisecond       // how often it is looked who is there
	answerGap    = 100 * time.Millisecond       // between two heartbeats at the least, for those who join
	// stalled is how long no heartbeat was sent for others to have taken over, or to be
	// about to.
	stalled = pharos.HeartbeatTimeout - pharos.HeartbeatInterval/2
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
	sharing   *sharing
	ears      *ears
	scheduler *schedule.Scheduler
	conn      Conn
	log       *slog.Logger

	phase       phase
	reconnected bool // the next round greets a new connection
	round       round
	sent        times
	stopped     bool          // others may have taken its share over meanwhile
	joined      time.Duration // when it is known who else is there
	step        *time.Timer
}

// times are when something was sent last.
type times struct {
	heartbeat time.Duration // by the outbox's clock
	roster    time.Time
	answer    time.Time // the beginning of a round that was asked for
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
	joining                // heartbeats alone are sent, until it is known who else is there
	steady                 // nothing more
	greeting               // everything is sent, because a connection was made
	answering              // everything is sent, because a board has asked
)

// run sends until ctx is done.
func (p *publisher) run(ctx context.Context) error {
	beat := time.NewTicker(pharos.HeartbeatInterval)
	defer beat.Stop()
	peers := time.NewTicker(peersEvery)
	defer peers.Stop()
	p.step = time.NewTimer(time.Hour)
	defer p.step.Stop()
	defer p.outbox.lazy.Stop()
	if !p.conn.Link().Up { // probing waits for nobody
		p.assign(everything)
	}
	for {
		select {
		case <-ctx.Done():
			p.sendNews()
			p.sendHeartbeat(true)
			return nil
		case <-p.conn.Connected():
			p.join()
		case <-beat.C:
			p.notice()
			if p.phase != starting {
				p.sendHeartbeat(false)
			}
		case <-peers.C:
			p.checkPeers(ctx)
		case <-p.sharing.wake:
			p.checkPeers(ctx)
		case <-p.step.C:
			p.turn()
		case <-p.outbox.wake:
			p.turn()
		}
	}
}

// notice looks whether this process was stopped, or the machine suspended, for so
// long that others may have taken its share over. Then it joins anew before it
// publishes anything.
func (p *publisher) notice() {
	p.outbox.clock.Notice()
	if p.phase > joining && p.sharing.on() && p.outbox.clock.Now()-p.sent.heartbeat > stalled {
		p.stopped = true
		p.join()
	}
}

// join begins to find out who else is there.
func (p *publisher) join() {
	p.phase = joining
	p.joined = p.outbox.clock.Now() + joinWait
	p.sharing.join()
	p.ears.connected()
	p.sendHeartbeat(false)
}

// checkPeers answers those who join, and shares anew when somebody came or went.
func (p *publisher) checkPeers(ctx context.Context) {
	p.notice()
	switch {
	case p.phase == starting:
	case p.phase == joining:
		if p.sharing.on() && p.outbox.clock.Now() < p.joined {
			return
		}
		p.share(ctx)
		p.phase, p.reconnected = steady, true
		p.sendHeartbeat(false) // boards believe what follows only of who has joined
		p.outbox.refresh()
	case p.share(ctx) || p.sharing.newcomers() && p.outbox.clock.Now()-p.sent.heartbeat > answerGap:
		p.sendHeartbeat(false)
	}
}

// share takes the watchers that are this prober's from now on, with what is
// remembered of them, and gives up the others. It reports whether anything moved.
func (p *publisher) share(ctx context.Context) bool {
	before, now, changed := p.sharing.settle()
	if !changed {
		return false
	}
	mine := everything
	if p.sharing.on() {
		mine = func(id pharos.WatcherID) bool { return owner(id, now) == p.self.proberToken }
	}
	p.sendNews()
	if p.stopped { // what others saw meanwhile is newer
		p.assign(nothing)
	}
	taken := p.outbox.taken(mine, p.stopped || before == nil)
	p.stopped = false
	past := p.recall(ctx, taken, before, now)
	p.assign(mine)
	p.scheduler.Restore(past)
	return true
}

func (p *publisher) assign(mine func(pharos.WatcherID) bool) {
	p.outbox.assign(mine)
	p.scheduler.Assign(mine)
}

// turn sends what is news and the next step of a round, begins a round that is
// owed, and sets the timer for the next step.
func (p *publisher) turn() {
	p.notice()
	if p.phase <= joining {
		return
	}
	// Rosters are what a board asks for first; they do not wait for the round.
	if time.Since(p.sent.roster) > rosterGap && p.sendRoster() {
		p.sent.roster = time.Now()
	}
	p.sendNews()
	for _, it := range p.round.take() {
		p.send(it)
	}
	if len(p.round.items) == 0 {
		p.phase = steady
	}
	all, roster := p.outbox.owed()
	switch wait := againGap - time.Since(p.sent.answer); {
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
		p.phase, p.sent.answer = answering, time.Now()
	}
	p.reconnected = false
	// The heartbeat says which roster is the newest, and that what follows is from a
	// prober that is there: a board believes no result that came before.
	p.sendHeartbeat(false)
	all := p.outbox.takeAll()
	p.round = round{all, max(spreadLeast, (len(all)*int(spreadStep)+int(spread)-1)/int(spread))}
	p.step.Reset(0)
}

func (p *publisher) sendNews() {
	if p.phase <= joining {
		return
	}
	for _, it := range p.outbox.takeNews() {
		p.send(it)
	}
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
	p.sent.heartbeat = p.outbox.clock.Now()
	m := p.heartbeat(leaving)
	p.publish(m.Subject, m.Data)
}

func (p *publisher) heartbeat(leaving bool) bus.Message {
	stats := p.scheduler.Stats()
	p.sharing.load(stats.WorstLag, stats.Missed)
	b := p.outbox.heartbeat()
	b.Site, b.Prober, b.Version, b.At = p.self.site, p.self.prober, p.self.version, time.Now().UTC()
	b.Share = p.sharing.said()
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

// recall returns what is remembered of watchers that are taken: by an earlier
// process of this name, by who had them before, or by who had them while this one
// was not there.
func (p *publisher) recall(ctx context.Context, taken []pharos.WatcherID, before, now []pharos.Member) map[pharos.WatcherID]pharos.Result {
	if len(taken) == 0 || p.phase == starting {
		return nil
	}
	limit := takeLimit
	if p.phase == joining {
		limit = restoreLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	others := slices.DeleteFunc(slices.Clone(now), func(m pharos.Member) bool { return m.Prober == p.self.proberToken })
	var subjects []string
	for _, id := range taken {
		from := []string{p.self.proberToken}
		for _, earlier := range [][]pharos.Member{before, others} {
			if o := owner(id, earlier); o != "" && !slices.Contains(from, o) {
				from = append(from, o)
			}
		}
		for _, prober := range from {
			subjects = append(subjects, pharos.ResultSubject(prober, id))
		}
	}
	messages, err := p.conn.Last(ctx, p.heartbeat(false), subjects...)
	if err != nil && !errors.Is(err, bus.ErrNoStore) {
		p.log.Warn("remembering what was seen earlier", "error", err)
	}
	past, ages := map[pharos.WatcherID]pharos.Result{}, map[pharos.WatcherID]time.Duration{}
	for _, m := range messages {
		s, err := pharos.ParseSubject(m.Subject)
		if err != nil {
			continue
		}
		r, err := pharos.ParseResult(m.Data)
		if err != nil {
			continue
		}
		if s.Prober == p.self.proberToken && before == nil { // of an earlier process
			p.outbox.follow(r.Incarnation)
		}
		if age, ok := ages[s.ID()]; !ok || m.Age < age {
			past[s.ID()], ages[s.ID()] = r.Aged(m.Age), m.Age
		}
	}
	return past
}
