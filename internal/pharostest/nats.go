package pharostest

import (
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"pharos/internal/bus/embedded"
	"pharos/internal/pharos"
)

// Broker starts a NATS server that ends with the test.
func Broker(t testing.TB, o embedded.Options) *embedded.Server {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	s, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// PlainBroker starts a NATS server with options that the embedded one does not have.
func PlainBroker(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	o.Host, o.Port, o.NoSigs, o.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	if o.JetStream {
		o.StoreDir = t.TempDir()
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(Patience) {
		t.Fatal("the server is not ready")
	}
	return s
}

// Connect connects a client that is none of ours; nats.InProcessServer takes the
// place of a URL.
func Connect(t testing.TB, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, append([]nats.Option{nats.Timeout(Patience)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// Ear hears everything that programs of ours send.
type Ear struct {
	*nats.Conn
	t        testing.TB
	messages chan *nats.Msg
}

// Hear returns an ear that hears from now on.
func Hear(t testing.TB, url string, opts ...nats.Option) *Ear {
	t.Helper()
	e := &Ear{Connect(t, url, opts...), t, make(chan *nats.Msg, 10_000)}
	if _, err := e.ChanSubscribe(pharos.SubjectAll, e.messages); err != nil {
		t.Fatal(err)
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	return e
}

// Until listens until the message comes that the test is waiting for. The
// messages before it are heard no more.
func (e *Ear) Until(what string, is func(s pharos.Subject, data []byte) bool) {
	e.t.Helper()
	for limit := time.After(Patience); ; {
		select {
		case m := <-e.messages:
			if s, err := pharos.ParseSubject(m.Subject); err == nil && is(s, m.Data) {
				return
			}
		case <-limit:
			e.t.Fatalf("waited %v for %s", Patience, what)
		}
	}
}

// Forget forgets what was heard and is not listened to yet.
func (e *Ear) Forget() {
	for len(e.messages) > 0 {
		<-e.messages
	}
}

// Say publishes a message and waits until the server has it.
func Say(t testing.TB, nc *nats.Conn, subject, data string) {
	t.Helper()
	if err := nc.Publish(subject, []byte(data)); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

// Say is what an ear can say, too.
func (e *Ear) Say(subject, data string) {
	e.t.Helper()
	Say(e.t, e.Conn, subject, data)
}
