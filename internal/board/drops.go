package board

import (
	"errors"
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

// Drops returns how many messages were dropped, by reason.
func (b *Board) Drops() map[string]uint64 {
	b.drops.mu.Lock()
	defer b.drops.mu.Unlock()
	return maps.Clone(b.drops.counts)
}
