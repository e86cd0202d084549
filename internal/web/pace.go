package web

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"pharos/internal/board"
)

const (
	// A screen skips to a snapshot when what it needs next is older than
	// maxBehind. With what may be under way, what it shows is less than three
	// seconds old.
	maxBehind = 1500 * time.Millisecond
	// One that falls behind again within fallAgain is sent no values for leanFor,
	// and for longer each time.
	fallAgain = 15 * time.Second
	leanFor   = 30 * time.Second
	leanMost  = 10 * time.Minute
	// leanFirst is a snapshot that is too large to begin with where it is not
	// compressed.
	leanFirst = 64 << 10
	// riseTime is how long a snapshot with values may take, by what the line did
	// last, for values to be sent again.
	riseTime = time.Second
)

// pace decides what a screen is sent, by how its line takes it.
type pace struct {
	*line
	screen  *board.Screen
	orders  <-chan order
	contact *atomic.Int64 // when the screen was last known to take what it is sent, unix nanoseconds

	lean      bool // no values
	fell      time.Time
	rose      time.Time // when values were tried again
	probed    time.Time
	wait      time.Duration // how long lean is to last
	whole     int           // bytes on the line of a snapshot with values
	last      int           // bytes of the last snapshot, not compressed
	told      time.Time     // when the screen was told how far behind it is
	toldLater bool          // and that was something
}

// play sends the screen what it needs until ctx is done, the board has ended, or
// the line takes nothing any more.
func (p *pace) play(ctx context.Context) error {
	for {
		if err := p.settle(ctx, maxUnderWay); err != nil {
			return err
		}
		now := time.Now()
		p.contact.Store(now.Add(-p.late(now)).UnixNano())
		if err := p.choose(ctx, now); err != nil {
			return err
		}
		event := p.screen.Next(ctx)
		if event == nil {
			return ctx.Err()
		}
		if err := p.obey(ctx); err != nil {
			return err
		}
		data := p.bytes(event)
		if event.Whole() {
			first := p.whole == 0
			if !p.lean {
				p.whole = len(data)
			}
			if first && !p.packed && p.whole > leanFirst {
				p.lean, p.fell = true, time.Now()
				if err := p.skip(ctx, 0); err != nil {
					return err
				}
				continue
			}
			p.last = len(event.Bytes)
		}
		if err := p.send(ctx, data); err != nil {
			return err
		}
	}
}

// obey tells the screen what it is to do. There is an event each second, before
// which it comes.
func (p *pace) obey(ctx context.Context) error {
	for {
		select {
		case o := <-p.orders:
			data, err := o.event()
			if err == nil {
				err = p.send(ctx, p.bytes(&board.Event{Bytes: data}))
			}
			if err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// choose skips to a snapshot where the line is too slow for what is next, or
// fast enough again for values.
func (p *pace) choose(ctx context.Context, now time.Time) error {
	behind := p.screen.Behind()
	backlog, kept := p.screen.Backlog()
	switch {
	case behind > maxBehind && (!p.lean || !kept || backlog > p.last):
		if p.lean || !p.fell.IsZero() && now.Sub(p.fell) < fallAgain || !p.rose.IsZero() && now.Sub(p.rose) < fallAgain {
			p.lean = true
			p.wait = min(max(leanFor, 2*p.wait), leanMost)
		}
		p.fell, p.by = now, 0
		return p.skip(ctx, behind)
	case behind > maxBehind && now.Sub(p.told) >= time.Second: // what is kept is less than a snapshot
		return p.tell(ctx, behind)
	case behind > 0:
	case p.lean && now.Sub(p.fell) >= p.wait && p.rate > 0 && float64(p.whole)/p.rate <= riseTime.Seconds():
		p.lean, p.rose = false, now
		return p.skip(ctx, 0)
	case p.lean && now.Sub(p.fell) >= p.wait && now.Sub(p.probed) >= max(p.wait, leanFor):
		p.probed = now
		return p.probe(ctx)
	case p.toldLater && p.late(now) < maxUnderWay/2:
		return p.tell(ctx, 0)
	}
	return nil
}

// skip lets a snapshot come next, after the word how far the screen is behind.
func (p *pace) skip(ctx context.Context, behind time.Duration) error {
	if err := p.tell(ctx, behind); err != nil {
		return err
	}
	p.screen.Skip(ctx, p.lean) // else Next finds out
	return nil
}

// probe measures the line by comments, each larger than the one before it, as
// long as they arrive soon.
func (p *pace) probe(ctx context.Context) error {
	p.by, p.rate = 0, 0
	for size := large / 2; size < 64<<10; size *= 4 {
		comment := append(append([]byte(":"), bytes.Repeat([]byte(" "), size-3)...), "\n\n"...)
		if p.packed {
			comment = board.Store(comment)
		}
		began := time.Now()
		if err := p.measure(ctx, comment); err != nil {
			return err
		}
		if time.Since(began) > maxUnderWay/4 {
			break
		}
	}
	return nil
}

// tell says how far the screen is behind, and whether it gets values.
func (p *pace) tell(ctx context.Context, behind time.Duration) error {
	now := time.Now()
	if behind > 0 && p.meter != nil {
		p.look(now)
		behind += p.late(now)
	}
	p.told, p.toldLater = now, behind > 0
	return p.send(ctx, p.bytes(&board.Event{Bytes: fmt.Appendf(nil, "event: line\ndata: {\"behind\":%.1f,\"values\":%v}\n\n", behind.Seconds(), !p.lean)}))
}

func (p *pace) bytes(e *board.Event) []byte {
	if p.packed {
		return e.Packed()
	}
	return e.Bytes
}
