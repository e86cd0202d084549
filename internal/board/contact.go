package board

import (
	"time"

	"pharos/internal/pharos"
)

// Link is how this dashboard stands with NATS.
type Link struct {
	Up    bool
	Store bool   // a last-value store is there
	Error string // why not, or a missing permission with its subject
}

// contact is how the dashboard has stood with NATS.
type contact struct {
	link      Link
	linkSince time.Duration // when it came or went
	lost      bool          // it was there before, and is not now
	hearing   time.Duration // when it was there again after a silence
	isolation isolation
}

// deaf reports whether NATS has been away for so long that what was heard
// before may not hold any more.
func (b *Board) deaf() bool { return b.lost && b.now-b.linkSince >= pharos.HeartbeatTimeout }
