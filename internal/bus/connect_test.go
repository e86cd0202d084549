package bus_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"pharos/internal/bus"
)

// fakeServer says hello to each connection, and answers each ping; dialed
// receives at each connection.
func fakeServer(t *testing.T, hello string) (address string, dialed <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	count := make(chan struct{})
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(t.Context(), func() { conn.Close() }) // and whoever reads from it finds out
			wg.Go(func() {
				defer stop()
				defer conn.Close()
				wg.Go(func() {
					select {
					case count <- struct{}{}:
					case <-ended:
					}
				})
				if _, err := io.WriteString(conn, hello+"\r\n"); err != nil || !strings.HasPrefix(hello, "INFO") {
					return
				}
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					if strings.HasPrefix(lines.Text(), "PING") {
						if _, err := io.WriteString(conn, "PONG\r\n"); err != nil {
							return
						}
					}
				}
			})
		}
	})
	t.Cleanup(func() { close(ended); l.Close(); wg.Wait() })
	return l.Addr().String(), count
}

// ignore lets a server's connections be.
func ignore(t *testing.T, dialed <-chan struct{}) {
	go func() {
		for {
			select {
			case <-dialed:
			case <-t.Context().Done():
				return
			}
		}
	}()
}

// logged is a log that can be read while it is written.
type logged struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.text.String()), "\n")
}

func TestServersThatAreNotThereAreEachSaidOnce(t *testing.T) {
	address, dialed := fakeServer(t, "this is no NATS")
	addresses := []string{address}
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, l.Addr().String())
		l.Close()
	}
	var log logged
	l := &links{news: make(chan struct{})}
	c, err := bus.Connect(context.Background(), bus.Options{URL: strings.Join(addresses, ","), Log: slog.New(slog.NewTextHandler(&log, nil)), OnLink: l.add})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(t, c) })
	for range 5 { // rounds through all three
		await(t, "an attempt at the one that is there", dialed)
	}
	seen := map[string]int{}
	for _, line := range log.lines() {
		_, reason, _ := strings.Cut(line, " error=")
		seen[reason]++
	}
	if len(seen) < 2 || len(seen) > 3 || len(log.lines()) > len(seen) {
		t.Errorf("want one line for each server in the log, got:\n%s", strings.Join(log.lines(), "\n"))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) > 5 {
		t.Errorf("the link was told %d times: %+v", len(l.all), l.all)
	}
}

func TestAHandshakeThatFailsIsSaidAlsoAfterTheFirstAttempt(t *testing.T) {
	// At the first attempt nobody is there.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, heard := connect(t, bus.Options{URL: address})
	if l, err = net.Listen("tcp", address); err != nil {
		t.Skipf("another has taken %s: %v", address, err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "this is no NATS\r\n")
			conn.Close()
		}
	})
	defer wg.Wait()
	defer l.Close()
	heard.wait(t, "down for what the server says", func(l bus.Link) bool { return strings.Contains(l.Error, "INFO not received") })
}

func TestAServerThatIsTooOldIsNamedWithWhatIsNeeded(t *testing.T) {
	for version, old := range map[string]bool{"2.9.25": true, "2.10.0": false, "1.4.0": true, "3.0.0": false, "2.12.0-beta.1": false} {
		t.Run(version, func(t *testing.T) {
			address, dialed := fakeServer(t, fmt.Sprintf(`INFO {"server_id":"x","version":%q,"proto":1,"headers":true,"max_payload":1048576,"jetstream":true}`, version))
			ignore(t, dialed)
			c, l := connect(t, bus.Options{URL: address})
			inBackground(t, func(ctx context.Context) error { return c.Follow(ctx, bus.Follow{Handle: func(bus.Message) {}}) })
			link := l.wait(t, "without a store", func(l bus.Link) bool { return l.Up && l.Error != "" })
			want := "nats-server " + version + " is too old, want 2.10.0 or newer"
			if got := strings.Contains(link.Error, want); got != old {
				t.Errorf("the link says %q; want %q in it: %v", link.Error, want, old)
			}
		})
	}
}

func TestAPasswordDoesNotTravelWithoutTLS(t *testing.T) {
	address, dialed := fakeServer(t, `INFO {"server_id":"x","version":"2.12.0","proto":1,"headers":true,"max_payload":1048576}`)
	ignore(t, dialed)
	_, port, _ := net.SplitHostPort(address)
	beyond := "nats://0.0.0.0:" + port // this machine, but nothing says so
	for name, row := range map[string]struct {
		options bus.Options
		refused bool
	}{
		"on this machine":    {bus.Options{URL: "nats://" + address, User: "anna", Password: "secret"}, false},
		"without a password": {bus.Options{URL: beyond}, false},
		"a password":         {bus.Options{URL: beyond, User: "anna", Password: "secret"}, true},
		"a token":            {bus.Options{URL: beyond, Token: "secret"}, true},
		"one in the address": {bus.Options{URL: "nats://anna:secret@0.0.0.0:" + port}, true},
		"one server of two":  {bus.Options{URL: "nats://" + address + "," + beyond, User: "anna", Password: "secret"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, l := connect(t, row.options)
			link := l.wait(t, "up, or refused", func(l bus.Link) bool { return l.Up || strings.Contains(l.Error, "TLS") })
			if link.Up == row.refused {
				t.Errorf("up: %v (%s); want it refused: %v", link.Up, link.Error, row.refused)
			}
		})
	}
	if _, err := bus.Connect(t.Context(), bus.Options{URL: "ws://anna:secret@pharos.test:1", Log: quiet}); err == nil || !strings.Contains(err.Error(), "wss") || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v, want one that names wss and no password", err)
	}
}
