package bus_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"pharos/internal/bus"
	"pharos/internal/pharostest"
)

// fakeServer says hello to each connection, and answers each ping; dialed
// receives at each connection.
func fakeServer(t *testing.T, hello string) (address string, dialed <-chan struct{}) {
	t.Helper()
	count := make(chan struct{}, 1<<16)
	return pharostest.Serve(t, func(conn net.Conn) {
		count <- struct{}{}
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
	}), count
}

func TestServersThatAreNotThereAreEachSaidOnce(t *testing.T) {
	t.Parallel()
	address, dialed := fakeServer(t, "this is no NATS")
	addresses := []string{address, pharostest.Unused(t), pharostest.Unused(t)}
	var log pharostest.Log
	l := &links{news: make(chan struct{})}
	c, err := bus.Connect(context.Background(), bus.Options{URL: strings.Join(addresses, ","), Log: slog.New(slog.NewTextHandler(&log, nil)), OnLink: l.add})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(t, c) })
	for range 5 { // rounds through all three
		pharostest.Await(t, "an attempt at the one that is there", dialed)
	}
	seen := map[string]int{}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	for _, line := range lines {
		_, reason, _ := strings.Cut(line, " error=")
		seen[reason]++
	}
	if len(seen) < 2 || len(seen) > 3 || len(lines) > len(seen) {
		t.Errorf("want one line for each server in the log, got:\n%s", strings.Join(lines, "\n"))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) > 5 {
		t.Errorf("the link was told %d times: %+v", len(l.all), l.all)
	}
}

func TestAHandshakeThatFailsIsSaidAlsoAfterTheFirstAttempt(t *testing.T) {
	t.Parallel()
	address := pharostest.FreeAddress(t)
	_, heard := connect(t, bus.Options{URL: address}) // at the first attempt nobody is there
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("another has taken %s: %v", address, err)
	}
	pharostest.ServeOn(t, l, func(c net.Conn) { fmt.Fprint(c, "this is no NATS\r\n") })
	heard.wait(t, "down for what the server says", func(l bus.Link) bool { return strings.Contains(l.Error, "INFO not received") })
}

func TestAServerThatIsTooOldIsNamedWithWhatIsNeeded(t *testing.T) {
	t.Parallel()
	for version, old := range map[string]bool{"2.9.25": true, "2.10.0": false, "1.4.0": true, "3.0.0": false, "2.12.0-beta.1": false} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			address, _ := fakeServer(t, fmt.Sprintf(`INFO {"server_id":"x","version":%q,"proto":1,"headers":true,"max_payload":1048576,"jetstream":true}`, version))
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
	t.Parallel()
	address, _ := fakeServer(t, `INFO {"server_id":"x","version":"2.12.0","proto":1,"headers":true,"max_payload":1048576}`)
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
			t.Parallel()
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
