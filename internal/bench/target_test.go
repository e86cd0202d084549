//go:build bench && linux

package bench

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// Visit is what the target knows of one probe. Times are unix nanoseconds.
type Visit struct {
	Watcher  int
	Came     int64 // the connection was accepted
	Served   time.Duration
	Answered int64 // just before the answer was written
	Status   int
}

// Target is the page that is watched. The path says how it behaves:
// "/steady/7" takes 20 ms, "/vary/7" takes 12 to 28 ms in turn, "/flip/7" is
// 200 and 503 in turn. 7 is the watcher.
type Target struct {
	mu     sync.Mutex // guards what follows
	visits []Visit
	turns  map[string]int
}

// Listen starts the target and returns its address.
func (t *Target) Listen(_ struct{}, address *string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	t.turns = map[string]int{}
	*address = l.Addr().String()
	go func() { // ends with the process
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			came := time.Now()
			go t.serve(c, came)
		}
	}()
	return nil
}

// Take returns the visits since it was last asked.
func (t *Target) Take(_ struct{}, visits *[]Visit) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	*visits, t.visits = t.visits, nil
	return nil
}

func (t *Target) serve(c net.Conn, came time.Time) {
	defer c.Close()
	request := make([]byte, 1024)
	n, err := c.Read(request)
	if err != nil || !bytes.HasSuffix(request[:n], []byte("\r\n\r\n")) {
		return
	}
	asked := time.Now()
	path, _, _ := bytes.Cut(bytes.TrimPrefix(request[:n], []byte("GET /")), []byte(" "))
	kind, number, _ := bytes.Cut(path, []byte("/"))
	watcher, err := strconv.Atoi(string(number))
	if err != nil {
		return
	}
	delay, status := t.behave(string(kind), string(path))
	time.Sleep(delay)
	answer := fmt.Appendf(nil, "HTTP/1.1 %d It is so\r\nContent-Length: 12\r\nConnection: close\r\n\r\nall is well\n", status)
	done := time.Now()
	c.Write(answer)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.visits = append(t.visits, Visit{watcher, came.UnixNano(), done.Sub(asked), done.UnixNano(), status})
}

func (t *Target) behave(kind, path string) (delay time.Duration, status int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turns[path]++
	turn := t.turns[path]
	switch kind {
	case "vary":
		return 12*time.Millisecond + 4*time.Millisecond*time.Duration(turn%5), 200
	case "flip":
		return 5 * time.Millisecond, [...]int{200, 503}[turn%2]
	}
	return 20 * time.Millisecond, 200
}
