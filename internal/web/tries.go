package web

import (
	"net/netip"
	"sync"
	"time"
)

const (
	freeTries   = 5 // that may fail before one has to wait
	longestWait = time.Minute
	triesFor    = 15 * time.Minute // for how long an address's are remembered
	maxTries    = 10_000           // addresses that are
)

// tries slows guessing down: an address whose tries fail waits longer before each
// that follows. Who waits is not heard, even with the right word.
type tries struct {
	mu sync.Mutex // guards what follows
	of map[netip.Prefix]*try
}

type try struct {
	failed int
	until  time.Time // before which there is no other
	last   time.Time
	busy   bool // one is under way
}

// begin returns how long the address has to wait for its next try. At 0 it has
// begun, and wants an end.
func (k *tries) begin(of netip.Prefix) time.Duration {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.of[of]
	switch {
	case t == nil:
		if len(k.of) >= maxTries {
			k.tidy(now)
		}
		if k.of == nil {
			k.of = map[netip.Prefix]*try{}
		}
		t = &try{}
		k.of[of] = t
	case t.busy:
		return time.Second
	case now.Before(t.until):
		return t.until.Sub(now)
	}
	t.busy, t.last = true, now
	return 0
}

// end tells how a try went.
func (k *tries) end(of netip.Prefix, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.of[of]
	if t == nil {
		return
	}
	if t.busy = false; ok {
		delete(k.of, of)
		return
	}
	if t.failed++; t.failed >= freeTries {
		wait := time.Second << min(t.failed-freeTries, 10)
		t.until = time.Now().Add(min(wait, longestWait))
	}
}

// tidy forgets what is old, or else whoever tried longest ago.
func (k *tries) tidy(now time.Time) {
	var oldest netip.Prefix
	for of, t := range k.of {
		switch {
		case t.busy:
		case now.Sub(t.last) > triesFor:
			delete(k.of, of)
		case !oldest.IsValid() || t.last.Before(k.of[oldest].last):
			oldest = of
		}
	}
	if len(k.of) >= maxTries {
		delete(k.of, oldest)
	}
}
