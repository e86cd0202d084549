//go:build bench && linux

package bench

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Floor is what any fan-out costs at the least: one thread that writes the same
// bytes to every socket by write(2), with nothing behind it.
type Floor struct {
	mu      sync.Mutex // guards sockets
	sockets []*os.File
}

// Burst says what a Floor writes.
type Burst struct {
	Size   int // bytes of a frame
	Gap    time.Duration
	Frames int
}

// Listen starts to take connections and returns the address.
func (f *Floor) Listen(_ struct{}, address *string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	*address = l.Addr().String()
	go func() { // ends with the process
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			socket, err := c.(*net.TCPConn).File() // a second name of the socket, and blocking
			if err != nil {
				return
			}
			c.Close()
			f.mu.Lock()
			f.sockets = append(f.sockets, socket)
			f.mu.Unlock()
			syscall.Write(int(socket.Fd()), frame(64)) // lets the screen in; it says itself when nothing came
		}
	}()
	return nil
}

// Write writes the frames, stamped with the moment at which the round of all
// screens begins.
func (f *Floor) Write(o Burst, _ *struct{}) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := time.Now()
	for range o.Frames {
		next = next.Add(o.Gap)
		time.Sleep(time.Until(next))
		bytes := frame(o.Size)
		for _, socket := range f.sockets {
			if n, err := syscall.Write(int(socket.Fd()), bytes); err != nil || n != len(bytes) {
				return fmt.Errorf("writing a frame of %d bytes: %d were written: %w", len(bytes), n, err)
			}
		}
	}
	return nil
}

// frame returns an event as the board's are, of so many bytes.
func frame(size int) []byte {
	b := fmt.Appendf(nil, "event: frame\ndata: {\"t\":%.9f,\"u\":\"", float64(time.Now().UnixNano())/1e9)
	b = append(b, bytes.Repeat([]byte("x"), max(size-len(b)-4, 0))...)
	return append(b, "\"}\n\n"...)
}
