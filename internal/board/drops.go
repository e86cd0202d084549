package board

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"pharos/internal/pharos"
)

// drops counts what was dropped, by reason, and logs each reason at most once a
// minute.
type drops struct {
	log    *slog.Logger
	mu     sync.Mutex // guards counts and logged
	counts map[string]uint64
	logged map[string]time.Time
}

func reasonOf(err error) string {
	if bad, ok := errors.AsType[*pharos.BadMessage](err); ok {
		return bad.Reason
	}
	return pharos.ReasonInvalid
}

func (d *drops) count(reason, subject string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.counts == nil {
		d.counts, d.logged = map[string]uint64{}, map[string]time.Time{}
	}
	d.counts[reason]++
	if now := time.Now(); d.log != nil && now.Sub(d.logged[reason]) >= time.Minute {
		d.logged[reason] = now
		d.log.Warn("dropping a message", "reason", reason, "subject", pharos.CleanLine(subject, pharos.MaxText), "error", err, "so_far", d.counts[reason])
	}
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

// Drops returns how many messages were dropped, by reason.
func (b *Board) Drops() map[string]uint64 {
	b.drops.mu.Lock()
	defer b.drops.mu.Unlock()
	return maps.Clone(b.drops.counts)
}
