package board

import (
	"time"

	"pharos/internal/pharos"
)

// elsewhereEvery is how often another server of NATS is tried while no prober is
// heard.
const elsewhereEvery = 30 * time.Second

// isolation is that all probers fell silent together, although NATS is there: it
// is more likely that its server is cut off from the others.
type isolation struct {
	here  bool
	tried time.Duration // when another server was tried last
}

// judgeIsolation looks whether it is the server, and has another one tried.
func (b *Board) judgeIsolation() {
	silent := 0
	first, last := b.now, -time.Hour
	for _, p := range b.probers {
		switch {
		case p.up:
			b.isolation.here = false
			return
		case !p.left:
			silent++
			first, last = min(first, p.heard), max(last, p.heard)
		}
	}
	b.isolation.here = b.link.Up && silent > 1 && last-first < pharos.HeartbeatTimeout
	if b.isolation.here && (b.isolation.tried == 0 || b.now-b.isolation.tried >= elsewhereEvery) {
		b.isolation.tried = b.now
		b.o.Elsewhere()
	}
}
