package web

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

const (
	// screenPatience is how long a screen may take no byte.
	screenPatience = 10 * time.Second
	// sendBuffer bounds what the kernel holds for a screen that has stopped
	// reading.
	sendBuffer = 128 << 10
	// A screen is sent nothing new while something has been under way to it for
	// longer than maxUnderWay.
	maxUnderWay = time.Second
	// A line is measured by its largest event, if that is at least large.
	large = 8 << 10
)

// sink is where a stream goes: a connection that was taken over, or a stream of
// HTTP/2.
type sink interface {
	Write([]byte) (int, error)
	SetWriteDeadline(time.Time) error
	Close() error
}

// line is the way to one screen, and what is known of how it takes what is sent.
type line struct {
	sink
	packed bool // what is sent is a gzip stream

	meter   meter     // nil: nothing is known of what arrives
	plain   bool      // each byte that is written is one of the connection's
	written uint64    // of those, since it was made
	under   []sending // what has not arrived
	arrived uint64
	waiting int
	moved   time.Time // when something arrived last
	rate    float64   // bytes a second, by the largest event since it was measured anew; 0: not known
	by      int       // bytes of that event
}

// meter says how many bytes of a connection have arrived, and how many have not;
// ok is false where nobody knows.
type meter interface {
	underWay() (arrived uint64, waiting int, ok bool)
}

// sending is an event that has not arrived.
type sending struct {
	end uint64 // of it, among the bytes of the connection
	at  time.Time
}

func newLine(to sink, packed bool) *line {
	l := &line{sink: to, packed: packed}
	switch conn := to.(type) {
	case *net.TCPConn:
		l.meter, l.plain = socket{conn}, true
	case *tls.Conn:
		if tcp, ok := conn.NetConn().(*net.TCPConn); ok {
			l.meter = socket{tcp}
		}
	case meter:
		l.meter, l.plain = conn, true
	}
	if l.meter != nil {
		var ok bool
		if l.arrived, l.waiting, ok = l.meter.underWay(); !ok {
			l.meter = nil
		}
		l.written = l.arrived + uint64(l.waiting)
	}
	return l
}

// tune bounds what the kernel holds for the screen, and how long.
func (l *line) tune() error {
	if s, ok := l.meter.(socket); ok {
		return s.tune()
	}
	return nil
}

// errCut is the end of a line that takes nothing.
var errCut = errors.New("it took no byte for too long")

// isStuck reports whether a line ended because nothing was taken any more. The
// kernel's patience may end a moment before ours.
func isStuck(err error) bool {
	return errors.Is(err, errCut) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.ETIMEDOUT)
}

// send writes an event. The line is measured by a large one.
func (l *line) send(ctx context.Context, event []byte) error {
	if len(event) >= max(large, l.by) {
		return l.measure(ctx, event)
	}
	return l.write(ctx, event)
}

// measure writes an event and waits for its arrival.
func (l *line) measure(ctx context.Context, event []byte) error {
	began := time.Now()
	if err := l.write(ctx, event); err != nil {
		return err
	}
	if err := l.settle(ctx, 0); err != nil {
		return err
	}
	l.by, l.rate = len(event), float64(len(event))/max(time.Since(began), time.Millisecond).Seconds()
	return nil
}

// write writes an event piece by piece: a slow line may take long for all of it,
// one that takes nothing is given up.
func (l *line) write(ctx context.Context, event []byte) error {
	began := time.Now()
	for rest := event; len(rest) > 0; {
		_ = l.SetWriteDeadline(time.Now().Add(screenPatience)) // a broken connection shows at the write
		if ctx.Err() != nil {                                  // the deadline of close may be gone
			return ctx.Err()
		}
		n, err := l.Write(rest[:min(len(rest), piece)])
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	if l.meter != nil {
		l.sent(began, len(event))
	}
	return nil
}

func (l *line) sent(began time.Time, n int) {
	if len(l.under) == 0 {
		l.moved = began
	}
	if l.written += uint64(n); !l.plain {
		if arrived, waiting, ok := l.meter.underWay(); ok {
			l.written = arrived + uint64(waiting)
		}
	}
	l.under = append(l.under, sending{l.written, began})
}

// look finds out what has arrived.
func (l *line) look(now time.Time) {
	arrived, waiting, ok := l.meter.underWay()
	if !ok {
		l.meter, l.under = nil, nil // the next write says why
		return
	}
	if arrived != l.arrived || waiting < l.waiting {
		l.moved = now
	}
	l.arrived, l.waiting = arrived, waiting
	n := 0
	for n < len(l.under) && (waiting == 0 || l.under[n].end <= arrived) {
		n++
	}
	l.under = append(l.under[:0], l.under[n:]...)
}

// late returns for how long the oldest has been under way.
func (l *line) late(now time.Time) time.Duration {
	if len(l.under) == 0 {
		return 0
	}
	return now.Sub(l.under[0].at)
}

// settle waits until nothing has been under way for longer than that, or at 0
// until all has arrived. The error is errCut or the context's.
func (l *line) settle(ctx context.Context, most time.Duration) error {
	const longest = 50 * time.Millisecond
	for pause := time.Millisecond; l.late(time.Now()) > most || most == 0 && len(l.under) > 0; pause = min(2*pause, longest) {
		now := time.Now()
		l.look(now)
		switch late := l.late(now); {
		case len(l.under) == 0 || most > 0 && late <= most:
			return nil
		case now.Sub(l.moved) > screenPatience:
			return errCut
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return nil
}
