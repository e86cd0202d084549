package bus_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"pharos/internal/bus"
	"pharos/internal/bus/embedded"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
)

// Tests that run beside each other wait for most of their time.
func TestMain(m *testing.M) { os.Exit(pharostest.Main(m, 16)) }

var quiet = slog.New(slog.DiscardHandler)

// links collects what OnLink hears.
type links struct {
	mu   sync.Mutex
	all  []bus.Link
	news chan struct{}
}

func (l *links) add(link bus.Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, link)
	close(l.news)
	l.news = make(chan struct{})
}

// wait returns the first link, of those heard so far and yet to come, that is
// as wanted.
func (l *links) wait(t testing.TB, what string, want func(bus.Link) bool) bus.Link {
	t.Helper()
	end := time.After(pharostest.Patience)
	for {
		l.mu.Lock()
		all, news := l.all, l.news
		l.mu.Unlock()
		for _, link := range all {
			if want(link) {
				return link
			}
		}
		select {
		case <-news:
		case <-end:
			t.Fatalf("waiting for a link that is %s: got %+v", what, all)
		}
	}
}

func connect(t testing.TB, o bus.Options) (*bus.Conn, *links) {
	t.Helper()
	l := &links{news: make(chan struct{})}
	o.Log, o.OnLink = quiet, l.add
	c, err := bus.Connect(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(t, c) })
	return c, l
}

func closeNow(t testing.TB, c *bus.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), pharostest.Patience)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		t.Error(err)
	}
}

// connected waits for the connection: Publish is an error before.
func connected(t testing.TB, c *bus.Conn) *bus.Conn {
	t.Helper()
	pharostest.Await(t, "the connection", c.Connected())
	return c
}

func publish(t testing.TB, c *bus.Conn, subject, data string) {
	t.Helper()
	if err := c.Publish(subject, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

// inBackground runs what ends with its connection at the latest.
func inBackground(t testing.TB, run func(context.Context) error) (stop func()) {
	t.Helper()
	return pharostest.Run(t, func(ctx context.Context) error {
		if err := run(ctx); !errors.Is(err, bus.ErrClosed) {
			return err
		}
		return nil
	})
}

// listening makes sure that c's subscriptions are known to the server before
// it returns.
func listen(t testing.TB, c *bus.Conn, subjects ...string) <-chan bus.Message {
	t.Helper()
	ch := make(chan bus.Message, 1<<16)
	inBackground(t, func(ctx context.Context) error {
		return c.Listen(ctx, func(m bus.Message) { ch <- m }, append(subjects, "test.ready")...)
	})
	for {
		publish(t, c, "test.ready", "")
		select {
		case m := <-ch:
			if m.Subject == "test.ready" {
				return others(t, ch)
			}
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// others passes on what is no test.ready.
func others(t testing.TB, in <-chan bus.Message) <-chan bus.Message {
	out := make(chan bus.Message, 1<<16)
	inBackground(t, func(ctx context.Context) error {
		for {
			select {
			case m := <-in:
				if m.Subject != "test.ready" {
					out <- m
				}
			case <-ctx.Done():
				return nil
			}
		}
	})
	return out
}

func TestConnectSaysWhichOptionIsBad(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		options bus.Options
		want    string
	}{
		"no URL":                 {bus.Options{}, "no URL"},
		"no host":                {bus.Options{URL: "nats://"}, `URL "nats://": want nats://host:port`},
		"scheme of the web":      {bus.Options{URL: "http://broker:4222"}, `scheme "http", want nats, tls, ws or wss`},
		"secret in a bad URL":    {bus.Options{URL: "nats://hq:secret@bro ker:4222"}, `URL "nats://bro ker:4222"`},
		"credentials missing":    {bus.Options{URL: "nats://a", Credentials: "/nowhere/prober.creds"}, "/nowhere/prober.creds"},
		"nkey missing":           {bus.Options{URL: "nats://a", NKey: "/nowhere/nkey"}, "/nowhere/nkey"},
		"CA missing":             {bus.Options{URL: "nats://a", CAFile: "/nowhere/ca.pem"}, "/nowhere/ca.pem"},
		"certificate and no key": {bus.Options{URL: "nats://a", CertFile: "cert.pem"}, "want both or none"},
		"inbox is no token":      {bus.Options{URL: "nats://a", Inbox: "a.>"}, `inbox "a.>": ">" is not a token`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row.options.Log = quiet
			c, err := bus.Connect(context.Background(), row.options)
			if err == nil {
				closeNow(t, c)
				t.Fatal("connected")
			}
			if !strings.HasPrefix(err.Error(), "connecting to NATS: ") || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q, want one with %q", err, row.want)
			}
		})
	}
}

func TestPublishSaysWhyItCannot(t *testing.T) {
	t.Parallel()
	broker := pharostest.Broker(t, embedded.Options{})
	c, _ := connect(t, bus.Options{InProcess: broker})
	connected(t, c)
	away, _ := connect(t, bus.Options{URL: "nats://" + pharostest.Unused(t)})
	closed, _ := connect(t, bus.Options{InProcess: broker})
	closeNow(t, closed)
	subject := pharos.ResultSubject("p1", "hq.shop.home")
	for name, row := range map[string]struct {
		conn    *bus.Conn
		subject string
		data    []byte
		want    string
	}{
		"no server":         {away, subject, nil, `publishing on "pharos.result.hq.p1.shop.home": not connected to NATS`},
		"closed":            {closed, subject, nil, "not connected"},
		"message too large": {c, subject, make([]byte, pharos.MaxMessage+1), "16385 bytes, want at most 16384"},
		"subject too long":  {c, "pharos." + strings.Repeat("a", 250), nil, "a subject of 257 bytes, want at most 256"},
		"subject of blanks": {c, "pharos. .b", nil, "invalid subject"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			err := row.conn.Publish(row.subject, row.data)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want one with %q", err, row.want)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	if err := away.Publish(subject, nil); !errors.Is(err, bus.ErrNotConnected) {
		t.Errorf("error %v, want ErrNotConnected", err)
	}
	if got := c.Stats(); got.Unpublished != 3 || got.Published != 0 {
		t.Errorf("stats %+v, want 3 unpublished", got)
	}
}

func TestConnectBeforeTheServerIsThere(t *testing.T) {
	t.Parallel()
	address := pharostest.FreeAddress(t)
	c, heard := connect(t, bus.Options{URL: "nats://hq:secret@" + address, User: "hq", Password: "secret"})
	down := heard.wait(t, "down for a reason", func(l bus.Link) bool { return !l.Up && strings.Contains(l.Error, "refused") })
	if down.URL != "nats://"+address {
		t.Errorf("URL %q, want %q", down.URL, "nats://"+address)
	}
	pharostest.Broker(t, embedded.Options{Listen: address, Users: []embedded.User{{Name: "hq", Password: "secret"}}})
	connected(t, c)
	got := heard.wait(t, "up", func(l bus.Link) bool { return l.Up })
	if want := (bus.Link{Up: true, URL: "nats://" + address, Connects: 1}); got != want {
		t.Errorf("link %+v, want %+v", got, want)
	}
	publish(t, c, "pharos.result.hq.p1.shop.home", "{}")
}

func TestConnectWithAWrongPasswordKeepsTrying(t *testing.T) {
	t.Parallel()
	address := pharostest.FreeAddress(t)
	first := pharostest.Broker(t, embedded.Options{Listen: address, Users: []embedded.User{{Name: "hq", Password: "old"}}})
	c, heard := connect(t, bus.Options{URL: "nats://" + address, User: "hq", Password: "new"})
	heard.wait(t, "down for its password", func(l bus.Link) bool { return strings.Contains(l.Error, "refuses our key or password") })
	// Twice the same refusal is where the library would give up.
	time.Sleep(2 * time.Second)
	first.Close()
	pharostest.Broker(t, embedded.Options{Listen: address, Users: []embedded.User{{Name: "hq", Password: "new"}}})
	connected(t, c)
}

func TestLink(t *testing.T) {
	t.Parallel()
	t.Run("tells of an outage and signals each connect", func(t *testing.T) {
		t.Parallel()
		address := pharostest.FreeAddress(t)
		broker := pharostest.Broker(t, embedded.Options{Listen: address})
		c, heard := connect(t, bus.Options{URL: address})
		connected(t, c)
		broker.Close()
		heard.wait(t, "down", func(l bus.Link) bool { return !l.Up && l.Connects == 1 && l.Error != "" })
		pharostest.Broker(t, embedded.Options{Listen: address})
		connected(t, c)
		heard.wait(t, "up again", func(l bus.Link) bool { return l.Up && l.Connects == 2 && l.Error == "" })
	})
	t.Run("names a right that is missing", func(t *testing.T) {
		t.Parallel()
		s := pharostest.PlainBroker(t, &server.Options{Users: []*server.User{{Username: "hq", Password: "secret", Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{"pharos.result.hq.>"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_hq.>"}},
		}}}})
		c, heard := connect(t, bus.Options{URL: s.ClientURL(), User: "hq", Password: "secret", Inbox: "hq"})
		connected(t, c)
		publish(t, c, "pharos.result.oslo.p1.shop.home", "{}")
		heard.wait(t, "refused to publish", func(l bus.Link) bool {
			return l.Up && l.Error == `not allowed to publish on "pharos.result.oslo.p1.shop.home"`
		})
		inBackground(t, func(ctx context.Context) error { return c.Listen(ctx, func(bus.Message) {}, pharos.SubjectRefresh) })
		heard.wait(t, "refused to subscribe", func(l bus.Link) bool {
			return l.Up && l.Error == `not allowed to subscribe to "pharos.refresh"`
		})
		if got := c.Stats().Denied; got != 2 {
			t.Errorf("%d denied, want 2", got)
		}
	})
}

func TestRefusedSubscriptionsAreNamed(t *testing.T) {
	t.Parallel()
	s := pharostest.PlainBroker(t, &server.Options{MaxSubs: 2})
	c, heard := connect(t, bus.Options{URL: s.ClientURL()})
	connected(t, c)
	follow(t, c, bus.Follow{})
	heard.wait(t, "refused", func(l bus.Link) bool {
		return l.Up && l.Error == "it takes no more subscriptions: max_subscriptions of the server or the account is reached"
	})
}

func TestAnotherServerIsTried(t *testing.T) {
	t.Parallel()
	first, second := pharostest.PlainBroker(t, &server.Options{}), pharostest.PlainBroker(t, &server.Options{})
	c, _ := connect(t, bus.Options{URL: first.ClientURL()})
	connected(t, c)
	if c.TryAnother() {
		t.Error("another server is tried, and there is none")
	}
	c, heard := connect(t, bus.Options{URL: first.ClientURL() + "," + second.ClientURL()})
	connected(t, c)
	before := c.Link().URL
	if !c.TryAnother() {
		t.Fatal("no other server is tried")
	}
	heard.wait(t, "connected to the other", func(l bus.Link) bool { return l.Up && l.Connects == 2 && l.URL != before })
}

func TestClose(t *testing.T) {
	t.Parallel()
	t.Run("sends what was published, and can be done twice", func(t *testing.T) {
		t.Parallel()
		const messages = 2000
		broker := pharostest.Broker(t, embedded.Options{Listen: "127.0.0.1:0"})
		there, _ := connect(t, bus.Options{InProcess: broker})
		got := listen(t, connected(t, there), "pharos.result.>")
		c, heard := connect(t, bus.Options{URL: broker.Addr()})
		connected(t, c)
		for range messages {
			publish(t, c, "pharos.result.hq.p1.shop.home", "{}")
		}
		closeNow(t, c)
		closeNow(t, c)
		for range messages {
			pharostest.Await(t, "all messages", got)
		}
		heard.wait(t, "closed", func(l bus.Link) bool { return !l.Up && l.Error == "closed" })
	})
	t.Run("ends what listens", func(t *testing.T) {
		t.Parallel()
		broker := pharostest.Broker(t, embedded.Options{})
		c, _ := connect(t, bus.Options{InProcess: broker})
		connected(t, c)
		ended := make(chan error, 2)
		go func() { ended <- c.Listen(context.Background(), func(bus.Message) {}, pharos.SubjectRefresh) }()
		go func() { ended <- c.Follow(context.Background(), bus.Follow{Handle: func(bus.Message) {}}) }()
		closeNow(t, c)
		for range 2 {
			if err := pharostest.Await(t, "the end", ended); !errors.Is(err, bus.ErrClosed) {
				t.Errorf("error %v, want ErrClosed", err)
			}
		}
	})
	t.Run("does not wait for a server that is not there", func(t *testing.T) {
		t.Parallel()
		c, _ := connect(t, bus.Options{URL: pharostest.Unused(t)})
		began := time.Now()
		closeNow(t, c)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
	t.Run("ends with its context", func(t *testing.T) {
		t.Parallel()
		broker := pharostest.Broker(t, embedded.Options{})
		c, _ := connect(t, bus.Options{InProcess: broker})
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := c.Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want none or that of the context", err)
		}
	})
}
