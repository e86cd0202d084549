package prober

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"pharos/internal/clock"
	"pharos/internal/config"
	"pharos/internal/pharos"
	"pharos/internal/schedule"
)

// valueDelay is how long a result may wait for others if it tells nothing but
// another value: ten that leave together cost little more than one.
const valueDelay = 10 * time.Millisecond

// outbox holds the last result of every watcher, and which of them the publisher
// has still to send. Nothing queues up: of a watcher that changes faster than it
// can be sent, the newest state is sent. A change of status wakes the publisher at
// once; mere values wait a moment for each other.
type outbox struct {
	clock *clock.Clock  // of the reports' times
	wake  chan struct{} // holds one signal for the publisher
	lazy  *time.Timer   // signals when values have waited long enough

	mu          sync.Mutex // guards all below
	items       map[pharos.WatcherID]*item
	queue       []*item                     // what is news
	all         bool                        // everything is to be published again
	mine        func(pharos.WatcherID) bool // what this prober runs
	plan        plan
	incarnation int64
	seq         uint64 // of the last result or heartbeat
}

// plan is the file that is in force, and what boards have been told of it.
type plan struct {
	config    *config.Config
	seq       uint64 // of the roster; grows with each file
	published bool   // the roster was
	rejected  string // why a newer file is not in force
}

type item struct {
	report schedule.Report
	queued bool
	change uint64 // how often the status has changed
	sent   sent
}

// sent is what was published last of a watcher: what the digest is made of.
type sent struct {
	status pharos.Status
	change uint64
}

func newOutbox(c *clock.Clock, incarnation int64) *outbox {
	o := &outbox{clock: c, wake: make(chan struct{}, 1), items: map[pharos.WatcherID]*item{}, incarnation: incarnation, mine: everything}
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
	if !o.mine(r.ID) {
		return
	}
	it := o.items[r.ID]
	if it == nil {
		it = &item{}
		o.items[r.ID] = it
	}
	urgent := r.Result.Status != it.report.Result.Status || r.Result.Running != it.report.Result.Running
	if r.Result.Status != it.report.Result.Status {
		it.change++
	}
	it.report = r
	if !it.queued {
		it.queued = true
		o.queue = append(o.queue, it)
		if len(o.queue) == 1 {
			o.lazy.Reset(valueDelay)
		}
	}
	if urgent {
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
	o.plan = plan{config: c, seq: o.plan.seq + 1}
	o.signal()
}

// assign says which watchers this prober runs, and forgets the others.
func (o *outbox) assign(mine func(pharos.WatcherID) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mine = mine
	for id := range o.items {
		if !mine(id) {
			delete(o.items, id)
		}
	}
}

func everything(pharos.WatcherID) bool { return true }

func nothing(pharos.WatcherID) bool { return false }

// reject keeps why a newer file is not in force, for the heartbeats.
func (o *outbox) reject(why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.plan.rejected = why
}

// refresh has everything published again.
func (o *outbox) refresh() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all, o.plan.published = true, false
	o.signal()
}

// owed reports whether everything is to be published again, and the roster.
func (o *outbox) owed() (all, roster bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all, o.plan.config != nil && !o.plan.published
}

// takeAll returns everything, to be published again.
func (o *outbox) takeAll() []*item {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = false
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

// takeNews returns what is news, to be published.
func (o *outbox) takeNews() []*item {
	o.mu.Lock()
	defer o.mu.Unlock()
	news := o.queue
	o.queue = nil
	for _, it := range news {
		it.queued = false
	}
	return news
}

// next returns an item's state as it is to be published now; false if its watcher
// was dropped meanwhile.
func (o *outbox) next(it *item) (pharos.WatcherID, pharos.Result, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	report := it.report
	if o.items[report.ID] != it {
		return "", pharos.Result{}, false
	}
	r := report.Result.Aged(o.clock.Now() - report.At)
	o.seq++
	r.Incarnation, r.Seq, r.Change = o.incarnation, o.seq, it.change
	it.sent = sent{r.Status, it.change}
	return report.ID, r, true
}

// takeRoster returns the file's roster if it was not published since it changed or
// was asked for.
func (o *outbox) takeRoster() (pharos.Roster, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.plan.config == nil || o.plan.published {
		return pharos.Roster{}, false
	}
	o.plan.published = true
	r := rosterOf(o.plan.config)
	r.Incarnation, r.Seq = o.incarnation, o.plan.seq
	return r, true
}

// rosterOf returns what a file's roster says.
func rosterOf(c *config.Config) pharos.Roster {
	r := pharos.Roster{Site: c.Site, Prober: c.Prober}
	for i := range c.Watchers {
		w := &c.Watchers[i]
		if n := len(r.Sets); n == 0 || r.Sets[n-1].Name != w.Set {
			r.Sets = append(r.Sets, pharos.RosterSet{Name: w.Set})
		}
		set := &r.Sets[len(r.Sets)-1]
		set.Watchers = append(set.Watchers, pharos.RosterWatcher{
			Name: w.Name, Kind: w.Kind, Target: w.Target, Interval: pharos.Seconds(w.Interval), Timeout: pharos.Seconds(w.Timeout),
			Description: w.Description, Link: w.Link, Command: w.Traits.Class == pharos.Process, Pushed: w.Traits.Pushed, Network: w.Traits.Network, Reference: w.Reference,
		})
	}
	return r
}

// taken returns the watchers of the file that this prober runs from now on; those
// that it runs already with all.
func (o *outbox) taken(mine func(pharos.WatcherID) bool, all bool) []pharos.WatcherID {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.plan.config == nil {
		return nil
	}
	var ids []pharos.WatcherID
	for i := range o.plan.config.Watchers {
		if id := o.plan.config.Watchers[i].ID; mine(id) && (all || !o.mine(id)) {
			ids = append(ids, id)
		}
	}
	return ids
}

// heartbeat returns the next heartbeat, as far as the outbox knows what it says.
func (o *outbox) heartbeat() pharos.Heartbeat {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seq++
	b := pharos.Heartbeat{
		Incarnation: o.incarnation, Seq: o.seq, Roster: o.plan.seq, Rejected: o.plan.rejected,
		Uptime: pharos.Seconds(o.clock.Now().Round(time.Millisecond)),
	}
	if o.plan.config == nil {
		return b
	}
	b.Watchers, b.Digest = len(o.plan.config.Watchers), &pharos.Digest{}
	for i := range o.plan.config.Watchers {
		id, last := o.plan.config.Watchers[i].ID, sent{}
		if !o.mine(id) {
			continue
		}
		if it := o.items[id]; it != nil {
			last = it.sent
		}
		b.Digest.Add(id, last.status, last.change)
	}
	return b
}

// follow makes the incarnation newer than the one given: boards take the newer for
// the newer process, and a clock that was turned back must not make this one the
// older.
func (o *outbox) follow(earlier int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.incarnation = max(o.incarnation, earlier+1)
}
