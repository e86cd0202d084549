// Package pharostest holds what the tests of several rooms share. Tests alone
// import it.
package pharostest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"pharos/internal/config"
)

// Patience bounds every wait for something that is to happen. Nothing waits
// that long unless it is broken.
const Patience = time.Minute

// Eventually waits until nothing is wrong any more.
func Eventually(t testing.TB, wrong func() error) {
	t.Helper()
	for limit := time.Now().Add(Patience); ; time.Sleep(20 * time.Millisecond) {
		err := wrong()
		if err == nil {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("after %v: %v", Patience, err)
		}
	}
}

// Await waits for a value.
func Await[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(Patience):
		t.Fatalf("waiting for %s: nothing came in %v", what, Patience)
		panic("unreachable")
	}
}

// Run runs a blocking call in the background until the test ends or stop is
// called, and wants it to end without an error then.
func Run(t testing.TB, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		t.Helper()
		cancel()
		if err := Await(t, "the end", ended); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// Log is one that can be read while it is written.
type Log struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Config reads a file that may have watchers of the kinds, and no variables.
func Config(t testing.TB, text string, kinds ...config.Kind) *config.Config {
	t.Helper()
	c, err := config.Parse("test.yaml", []byte(text), func(string) (string, bool) { return "", false }, kinds...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Listen listens on the loopback, at a port that was free, until the test ends.
// Who connects and is not accepted hears nothing.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// FreeAddress returns an address of the loopback for something that is to listen
// there later. No connection takes it meanwhile: those get higher ports.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.N(22_000)))
		if err == nil {
			l.Close()
			return l.Addr().String()
		}
	}
}

// Unused returns an address where nobody listens, and nobody will before the test
// ends: it is one end of a connection.
func Unused(t testing.TB) string {
	t.Helper()
	c, err := net.Dial("tcp", Listen(t).Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String()
}

// Serve hands each connection to handle, until the test ends: then all are
// closed, and handle is waited for.
func Serve(t testing.TB, handle func(net.Conn)) (address string) {
	t.Helper()
	return ServeOn(t, Listen(t), handle)
}

// ServeOn is Serve with a listener of one's own, which ends with the test.
func ServeOn(t testing.TB, l net.Listener, handle func(net.Conn)) (address string) {
	var serving sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { c.Close() })()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// Get fetches an address.
func Get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(data)
}

// GetJSON fetches an answer and reads it.
func GetJSON[T any](t testing.TB, url string) (answer T) {
	t.Helper()
	status, body := Get(t, url)
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("reading the answer %d of %s: %v", status, url, err)
	}
	return answer
}
