//go:build bench && linux

package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"sync"
	"time"
)

// Screens reads the streams of many screens.
type Screens struct {
	reading sync.WaitGroup
	conns   []net.Conn

	mu      sync.Mutex // guards what follows
	tally   Tally
	updates []int // of each screen
	names   map[int]string
	err     error
}

// Watch says what to watch, and by how many screens.
type Watch struct {
	Address string
	Screens int
}

// Tally is what all screens got since it was last taken.
type Tally struct {
	Frames, Bytes int
	Fewest        int             // updates that the worst served screen got
	Boards        int             // whole boards after a screen's first: it was too far behind
	Ways          []time.Duration // of each frame from its stamp to its arrival: of the board's clock, so up to a constant; of the floor's, as it is
	Changes       []Change        // of status
	Names         map[int]string  // of the tiles, by their number
}

// Change is a tile's status that one screen read.
type Change struct {
	Tile   int
	Status string
	Came   int64 // unix nanoseconds
}

// Watch lets the screens in and returns when all are.
func (s *Screens) Watch(o Watch, _ *struct{}) error {
	s.updates, s.names, s.err = make([]int, o.Screens), map[int]string{}, nil
	s.conns = s.conns[:0]
	in := make(chan struct{}, o.Screens)
	for i := range o.Screens {
		c, err := net.Dial("tcp", o.Address)
		if err != nil {
			return err
		}
		s.conns = append(s.conns, c)
		if _, err := io.WriteString(c, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			return err
		}
		s.reading.Go(func() {
			if err := s.read(c, i, func() { in <- struct{}{} }); !errors.Is(err, net.ErrClosed) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.err = err
			}
		})
	}
	late := time.After(20 * time.Second)
	for i := range o.Screens {
		select {
		case <-in:
		case <-late:
			return fmt.Errorf("letting %d screens in: %d are after 20 s", o.Screens, i)
		}
	}
	return nil
}

// Leave ends all screens.
func (s *Screens) Leave(struct{}, *struct{}) error {
	for _, c := range s.conns {
		c.Close()
	}
	s.reading.Wait()
	return s.err
}

// Take returns the tally and begins a new one. Its error is that of a screen
// whose stream ended.
func (s *Screens) Take(_ struct{}, t *Tally) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	*t, s.tally = s.tally, Tally{}
	t.Fewest, t.Names = math.MaxInt, s.names
	for i, n := range s.updates {
		t.Fewest = min(t.Fewest, n)
		s.updates[i] = 0
	}
	return s.err
}

func (s *Screens) read(c net.Conn, screen int, in func()) error {
	buffer := make([]byte, 16<<10)
	held := 0
	first := true
	for {
		n, err := c.Read(buffer[held:])
		if err != nil {
			return err
		}
		came := time.Now()
		held += n
		rest := buffer[:held]
		for {
			event, after, whole := bytes.Cut(rest, []byte("\n\n"))
			if !whole {
				break
			}
			s.take(event, screen, came, first)
			if first && (bytes.HasPrefix(event, []byte("event: board")) || bytes.HasPrefix(event, []byte("event: frame"))) {
				first = false
				in()
			}
			rest = after
		}
		held = copy(buffer, rest)
		if held == len(buffer) {
			buffer = append(buffer, make([]byte, len(buffer))...)
		}
	}
}

func (s *Screens) take(event []byte, screen int, came time.Time, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case bytes.HasPrefix(event, []byte("event: frame")):
		s.tally.Frames++
		s.tally.Bytes += len(event) + 2
		s.tally.Ways = append(s.tally.Ways, time.Duration(came.UnixNano())-stamp(event))
		s.updates[screen] += bytes.Count(event, []byte(`{"i":`))
		s.changes(event, came)
	case bytes.HasPrefix(event, []byte("event: board")) && !first:
		s.tally.Boards++
	case bytes.HasPrefix(event, []byte("event: board")) && len(s.names) == 0:
		_, data, _ := bytes.Cut(event, []byte("data: "))
		var board struct {
			Tiles []struct {
				I    int    `json:"i"`
				Name string `json:"name"`
			} `json:"tiles"`
		}
		if err := json.Unmarshal(data, &board); err != nil {
			s.err = fmt.Errorf("reading a board: %w", err)
			return
		}
		for _, t := range board.Tiles {
			s.names[t.I] = t.Name
		}
	}
}

// stamp returns the frame's own time.
func stamp(event []byte) time.Duration {
	_, rest, _ := bytes.Cut(event, []byte(`"t":`))
	end := bytes.IndexAny(rest, ",}")
	seconds, err := strconv.ParseFloat(string(rest[:max(end, 0)]), 64)
	if err != nil {
		return 0
	}
	return time.Duration(seconds * 1e9)
}

func (s *Screens) changes(event []byte, came time.Time) {
	for {
		_, rest, found := bytes.Cut(event, []byte(`{"i":`))
		if !found {
			return
		}
		event = rest
		number, rest, _ := bytes.Cut(rest, []byte(","))
		status, is := bytes.CutPrefix(rest, []byte(`"s":"`))
		if !is {
			continue
		}
		tile, err := strconv.Atoi(string(number))
		if err != nil {
			continue
		}
		status = status[:max(bytes.IndexByte(status, '"'), 0)]
		s.tally.Changes = append(s.tally.Changes, Change{tile, string(status), came.UnixNano()})
	}
}
