package prober

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"pharos/internal/bus"
	"pharos/internal/config"
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
	// valueDelay is how long a result may wait for others if it tells nothing
	// but another value: ten that leave together cost little more than one.
	valueDelay = 10 * time.Millisecond
)

// outbox holds the last result of every watcher, and sends what is new. Its one
// goroutine is the only one that touches NATS: publishing can block for two
// seconds. A change of status leaves at once; mere values wait a moment for each
// other. Nothing queues up: of a watcher that changes faster than it can be
// sent, the newest state is sent; while there is no connection, nothing is, and
// everything once there is.
type outbox struct {
	p     *Prober
	began time.Time
	slept time.Duration // by the machine, before the process began
	wake  chan struct{} // holds one signal
	lazy  *time.Timer   // signals when values have waited long enough

	mu       sync.Mutex // guards all below
	items    map[pharos.WatcherID]*item
	queue    []*item
	config   *config.Config
	epoch    int64
	n        uint64 // of results and heartbeats
	roster   uint64 // number of the newest roster; grows when it changes
	told     bool   // it was published
	rejected string
	again    bool // everything is to be published again
}

type item struct {
	report schedule.Report
	slept  time.Duration // by the machine, before the report
	queued bool
	change uint64 // how often the status has changed
	sent   sent
}

// sent is what was published last of a watcher: what the digest is made of.
type sent struct {
	status pharos.Status
	change uint64
}

func newOutbox(p *Prober, epoch int64) *outbox {
	o := &outbox{p: p, began: time.Now(), slept: pharos.Slept(), epoch: epoch, wake: make(chan struct{}, 1), items: map[pharos.WatcherID]*item{}}
	o.lazy = time.AfterFunc(time.Hour, o.signal)
	return o
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// put takes a report; it never waits for NATS.
func (o *outbox) put(r schedule.Report) {
	o.mu.Lock()
	defer o.mu.Unlock()
	it := o.items[r.ID]
	if it == nil {
		it = &item{}
		o.items[r.ID] = it
	}
	news := r.Result.Status != it.report.Result.Status || r.Result.Running != it.report.Result.Running
	if r.Result.Status != it.report.Result.Status {
		it.change++
	}
	it.report, it.slept = r, pharos.Slept()
	if !it.queued {
		it.queued = true
		o.queue = append(o.queue, it)
		if len(o.queue) == 1 {
			o.lazy.Reset(valueDelay)
		}
	}
	if news {
		o.signal()
	}
}

// adopt makes the file's roster the newest and forgets watchers that are no
// more.
func (o *outbox) adopt(c *config.Config, drop []pharos.WatcherID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range drop {
		delete(o.items, id)
	}
	o.config, o.rejected, o.told = c, "", false
	o.roster++
	o.signal()
}

func (o *outbox) reject(why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rejected = why
}

// refresh has everything published again.
func (o *outbox) refresh() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.again, o.told = true, false
	o.signal()
}

// run sends until ctx is done.
func (o *outbox) run(ctx context.Context, conn *bus.Conn) error {
	beat := time.NewTicker(pharos.HeartbeatInterval)
	defer beat.Stop()
	step := time.NewTimer(time.Hour)
	defer step.Stop()
	defer o.lazy.Stop()
	var (
		round    []*item // of everything, what is still to be sent
		portion  int
		began    time.Time // the last round that was asked for
		unasked  bool      // the next round is that of a new connection
		greeting bool      // this one is
		told     time.Time // the roster, asked for or not
		ready    bool      // connected once, and what an earlier process remembered has been taken over
	)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-conn.Connected():
			o.sendHeartbeat(conn, false)
			if !ready {
				o.restore(ctx, conn)
			}
			ready, unasked = true, true
			o.refresh()
			continue
		case <-beat.C:
			if ready {
				o.sendHeartbeat(conn, false)
			}
			continue
		case <-step.C:
		case <-o.wake:
		}
		if !ready {
			continue
		}
		// Rosters are what a board asks for first; they do not wait for the round.
		if time.Since(told) > rosterGap && o.sendRoster(conn) {
			told = time.Now()
		}
		o.sendQueue(conn)
		if len(round) > 0 {
			n := min(portion, len(round))
			for _, it := range round[:n] {
				o.send(conn, it)
			}
			round = round[n:]
		}
		again, roster := o.owed()
		switch wait := againGap - time.Since(began); {
		case again && (wait <= 0 || unasked) && (len(round) == 0 || greeting):
			// Who comes just after the connection was made has missed a part of the
			// round that greets everybody: it begins anew.
			if greeting = unasked; !greeting {
				began = time.Now()
			}
			unasked = false
			// It says which roster is the newest, and that what follows is from a prober
			// that is there: a board believes no result that came before.
			o.sendHeartbeat(conn, false)
			round = o.takeAll()
			portion = max(spreadLeast, (len(round)*int(spreadStep)+int(spread)-1)/int(spread))
			step.Reset(0)
		case len(round) > 0:
			step.Reset(spreadStep)
		case again:
			step.Reset(min(wait, rosterGap))
		case roster:
			step.Reset(rosterGap)
		}
	}
}

// owed reports whether everything is to be published again, and the roster.
func (o *outbox) owed() (again, roster bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.again, o.config != nil && !o.told
}

// takeAll returns everything, to be published again.
func (o *outbox) takeAll() []*item {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.again = false
	all := make([]*item, 0, len(o.items))
	for _, it := range o.items {
		all = append(all, it)
	}
	// What is not well first: a board that has missed it shows nothing meanwhile.
	slices.SortStableFunc(all, func(x, y *item) int {
		return cmp.Compare(y.report.Result.Status, x.report.Result.Status)
	})
	return all
}

func (o *outbox) sendQueue(conn *bus.Conn) {
	o.mu.Lock()
	queue := o.queue
	o.queue = nil
	for _, it := range queue {
		it.queued = false
	}
	o.mu.Unlock()
	for _, it := range queue {
		o.send(conn, it)
	}
}

func (o *outbox) send(conn *bus.Conn, it *item) {
	o.mu.Lock()
	report := it.report
	if o.items[report.ID] != it { // dropped meanwhile
		o.mu.Unlock()
		return
	}
	o.n++
	r := report.Result.Aged(time.Since(report.At) + pharos.Slept() - it.slept)
	r.Incarnation, r.Seq, r.Change = o.epoch, o.n, it.change
	it.sent = sent{r.Status, it.change}
	o.mu.Unlock()
	data, err := r.Encode(conn.MaxPayload())
	if err != nil {
		o.p.o.Log.Error("publishing a result", "watcher", report.ID, "error", err)
		return
	}
	o.publish(conn, pharos.ResultSubject(o.p.name, report.ID), data)
}

// publish hands a message to NATS. What cannot be sent while there is no
// connection is sent after the next one is made, with everything.
func (o *outbox) publish(conn *bus.Conn, subject string, data []byte) {
	if err := conn.Publish(subject, data); err != nil && !errors.Is(err, bus.ErrNotConnected) {
		o.p.o.Log.Debug("publishing", "subject", subject, "error", err)
	}
}

// sendRoster sends the roster if it has changed or was asked for, and reports
// whether it did.
func (o *outbox) sendRoster(conn *bus.Conn) bool {
	o.mu.Lock()
	c, number, epoch := o.config, o.roster, o.epoch
	told := o.told
	o.told = true
	o.mu.Unlock()
	if c == nil || told {
		return false
	}
	parts, err := rosterOf(c, epoch, number).Split(conn.MaxPayload())
	if err != nil {
		o.p.o.Log.Error("publishing the roster", "error", err)
		return true // as often as if it could be
	}
	for i, part := range parts {
		o.publish(conn, pharos.RosterSubject(o.p.site, o.p.name, i), part)
	}
	return true
}

func rosterOf(c *config.Config, epoch int64, number uint64) pharos.Roster {
	r := pharos.Roster{Site: c.Site, Prober: c.Prober, Incarnation: epoch, Seq: number}
	for i := range c.Watchers {
		w := &c.Watchers[i]
		if n := len(r.Sets); n == 0 || r.Sets[n-1].Name != w.Set {
			r.Sets = append(r.Sets, pharos.RosterSet{Name: w.Set})
		}
		set := &r.Sets[len(r.Sets)-1]
		set.Watchers = append(set.Watchers, pharos.RosterWatcher{
			Name: w.Name, Kind: w.Kind, Target: w.Target, Interval: pharos.Seconds(w.Interval), Timeout: pharos.Seconds(w.Timeout),
			Network: w.Traits.Network, Reference: w.Reference,
		})
	}
	return r
}

func (o *outbox) heartbeatNow(conn *bus.Conn, leaving bool) (subject string, data []byte) {
	stats := o.p.scheduler.Stats()
	o.mu.Lock()
	o.n++
	b := pharos.Heartbeat{
		Incarnation: o.epoch, Seq: o.n, Version: o.p.o.Version, Missed: stats.Missed, Lag: pharos.Seconds(stats.WorstLag),
		Roster: o.roster, Rejected: o.rejected, Unable: stats.Unable, Leaving: leaving, At: time.Now().UTC(),
		Site: o.p.o.Config.Site, Prober: o.p.o.Config.Prober,
		Uptime: pharos.Seconds((time.Since(o.began) + pharos.Slept() - o.slept).Round(time.Millisecond)),
	}
	if o.config != nil {
		b.Watchers, b.Digest = len(o.config.Watchers), o.digest()
	}
	o.mu.Unlock()
	if l := conn.Link(); l.Up { // of the prober, nobody else would know
		b.Denied = l.Error
		if limit := conn.MaxPayload(); b.Denied == "" && limit < pharos.MaxMessage {
			b.Denied = fmt.Sprintf("messages are cut to %d bytes, its max_payload; set it to %d or more", limit, pharos.MaxMessage)
		}
	}
	data, err := json.Marshal(b)
	if err != nil { // no field of a heartbeat can refuse
		panic(err)
	}
	return pharos.HeartbeatSubject(o.p.site, o.p.name), data
}

// digest sums up what has been published. o.mu is held.
func (o *outbox) digest() *pharos.Digest {
	var d pharos.Digest
	for i := range o.config.Watchers {
		id, last := o.config.Watchers[i].ID, sent{}
		if it := o.items[id]; it != nil {
			last = it.sent
		}
		d.Add(id, last.status, last.change)
	}
	return &d
}

func (o *outbox) sendHeartbeat(conn *bus.Conn, leaving bool) {
	subject, data := o.heartbeatNow(conn, leaving)
	o.publish(conn, subject, data)
}

// goodbye tells every board that nothing more will come.
func (o *outbox) goodbye(conn *bus.Conn) { o.sendHeartbeat(conn, true) }

// restore takes over what an earlier process of this name remembered, before
// the first result of this one overwrites it. It is tried once: later the store
// has nothing but what this process sent.
func (o *outbox) restore(ctx context.Context, conn *bus.Conn) {
	ctx, cancel := context.WithTimeout(ctx, restoreLimit)
	defer cancel()
	o.p.mu.Lock()
	subjects := make([]string, 0, len(o.p.watchers))
	for id := range o.p.watchers {
		subjects = append(subjects, pharos.ResultSubject(o.p.name, id))
	}
	o.p.mu.Unlock()
	subject, data := o.heartbeatNow(conn, false)
	messages, err := conn.Last(ctx, bus.Message{Subject: subject, Data: data}, subjects...)
	if err != nil && !errors.Is(err, bus.ErrNoStore) {
		o.p.o.Log.Warn("remembering what an earlier process saw", "error", err)
	}
	past := make(map[pharos.WatcherID]pharos.Result, len(messages))
	newest := int64(0)
	for _, m := range messages {
		s, err := pharos.ParseSubject(m.Subject)
		if err != nil {
			continue
		}
		r, err := pharos.ParseResult(m.Data)
		if err != nil {
			continue
		}
		newest = max(newest, r.Incarnation)
		past[s.ID()] = r.Aged(m.Age)
	}
	// Boards take the newer epoch for the newer process: a clock that was turned
	// back must not make this one the older.
	o.mu.Lock()
	o.epoch = max(o.epoch, newest+1)
	o.mu.Unlock()
	o.p.scheduler.Restore(past)
}
