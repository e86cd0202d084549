package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"pharos/internal/bus"
	"pharos/internal/bus/embedded"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
)

// event is what a follower hears: a message, or the end of a snapshot.
type event struct {
	message bus.Message
	done    bool
}

func follow(t testing.TB, c *bus.Conn, f bus.Follow) (heard <-chan event, stop func()) {
	t.Helper()
	ch := make(chan event, 1<<17)
	f.Handle = func(m bus.Message) { ch <- event{message: m} }
	f.SnapshotDone = func() { ch <- event{done: true} }
	return ch, inBackground(t, func(ctx context.Context) error { return c.Follow(ctx, f) })
}

// untilDone returns the messages up to the end of the snapshot.
func untilDone(t testing.TB, heard <-chan event) []bus.Message {
	t.Helper()
	var all []bus.Message
	for {
		e := pharostest.Await(t, "the end of the snapshot", heard)
		if e.done {
			return all
		}
		all = append(all, e.message)
	}
}

// untilData returns the first message with that data.
func untilData(t testing.TB, heard <-chan event, data string) bus.Message {
	t.Helper()
	for {
		if e := pharostest.Await(t, "message "+data, heard); !e.done && string(e.message.Data) == data {
			return e.message
		}
	}
}

// texts are the messages as "subject=data", sorted.
func texts(messages []bus.Message) []string {
	var out []string
	for _, m := range messages {
		out = append(out, m.Subject+"="+string(m.Data))
	}
	slices.Sort(out)
	return out
}

func hasStore(l bus.Link) bool { return l.Up && l.Store && l.Error == "" }

func TestFollow(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]struct {
		dir    string
		memory bool
	}{"in memory": {"", true}, "in files": {t.TempDir(), false}} {
		t.Run("brings the last value of each subject with its age, then what is live, "+name, func(t *testing.T) {
			t.Parallel()
			broker := pharostest.Broker(t, embedded.Options{StoreDir: o.dir})
			c, heard := connect(t, bus.Options{InProcess: broker})
			first, stop := follow(t, c, bus.Follow{Create: true, Memory: o.memory})
			untilDone(t, first)
			heard.wait(t, "with a store", hasStore)
			began := time.Now()
			for _, m := range []string{"pharos.result.hq.p1.shop.home=1", "pharos.roster.hq.p1.0=2", "pharos.result.hq.p1.shop.home=3", "pharos.heartbeat.hq.p1=4", "pharos.forget=5"} {
				subject, data, _ := strings.Cut(m, "=")
				publish(t, c, subject, data)
			}
			last := untilData(t, first, "5")
			if last.Snapshot || last.Age != 0 {
				t.Errorf("live message %+v, want no age", last)
			}
			untilStored(t, "PHAROS", 4, "", nats.InProcessServer(broker))
			stop()
			stored := time.Now()

			second, _ := follow(t, c, bus.Follow{})
			got := untilDone(t, second)
			if diff := cmp.Diff([]string{"pharos.heartbeat.hq.p1=4", "pharos.result.hq.p1.shop.home=3", "pharos.roster.hq.p1.0=2"}, texts(got)); diff != "" {
				t.Errorf("snapshot (-want +got):\n%s", diff)
			}
			for _, m := range got {
				// An age is known to half the way of a question to the broker and back.
				if most := time.Since(began) + time.Second; !m.Snapshot || m.Age <= 0 || m.Age > most {
					t.Errorf("message %+v, want an age of at most %v, at least %v", m, most, time.Since(stored))
				}
			}
			publish(t, c, "pharos.result.hq.p1.shop.home", "6")
			untilData(t, second, "6")
		})
	}

	t.Run("misses nothing and never goes back while messages arrive", func(t *testing.T) {
		t.Parallel()
		const subjects = 50
		broker := pharostest.Broker(t, embedded.Options{Listen: "127.0.0.1:0"})
		maker, _ := connect(t, bus.Options{InProcess: broker})
		made, stop := follow(t, maker, bus.Follow{Create: true, Memory: true})
		untilDone(t, made)
		stop()

		sender, _ := connect(t, bus.Options{URL: broker.Addr()})
		connected(t, sender)
		running, enough := make(chan struct{}), make(chan struct{})
		rounds := make(chan int, 1)
		inBackground(t, func(ctx context.Context) error {
			pace := time.NewTicker(5 * time.Millisecond) // 10,000 messages a second
			defer pace.Stop()
			for n := 0; ; n++ {
				for s := range subjects {
					if err := sender.Publish(fmt.Sprintf("pharos.result.hq.p1.shop.w%d", s), []byte(strconv.Itoa(n))); err != nil {
						return err
					}
				}
				if n == 20 {
					close(running)
				}
				select {
				case <-enough:
					rounds <- n
					return sender.Publish(pharos.SubjectForget, []byte("end"))
				case <-ctx.Done():
					return nil
				case <-pace.C:
				}
			}
		})
		pharostest.Await(t, "the first messages", running)
		c, _ := connect(t, bus.Options{URL: broker.Addr()})
		heard, _ := follow(t, c, bus.Follow{})
		newest := make(map[string]int)
		done, end, last, missing := false, false, -1, subjects
		for missing > 0 {
			if end && last < 0 {
				last = pharostest.Await(t, "the last round", rounds)
				for _, n := range newest {
					if n == last {
						missing--
					}
				}
				continue
			}
			// One that was too early to be heard and too late to be read comes with
			// the next look at the store.
			e := pharostest.Await(t, fmt.Sprintf("the last round, %d, of %d of %d watchers", last, missing, subjects), heard)
			if e.done {
				if !done {
					close(enough)
				}
				done = true
				continue
			}
			if e.message.Subject == pharos.SubjectForget {
				end = true
				continue
			}
			n, err := strconv.Atoi(string(e.message.Data))
			if err != nil {
				t.Fatal(err)
			}
			if before, ok := newest[e.message.Subject]; ok && n <= before {
				t.Errorf("%s: %d after %d (snapshot: %t)", e.message.Subject, n, before, e.message.Snapshot)
			}
			newest[e.message.Subject] = n
			if n == last {
				missing--
			}
		}
	})

	t.Run("finds what was stored in files before a restart", func(t *testing.T) {
		t.Parallel()
		dir, address := t.TempDir(), pharostest.FreeAddress(t)
		broker := pharostest.Broker(t, embedded.Options{StoreDir: dir, Listen: address})
		c, _ := connect(t, bus.Options{URL: address})
		heard, _ := follow(t, c, bus.Follow{Create: true})
		untilDone(t, heard)
		publish(t, c, "pharos.result.hq.p1.shop.home", "before")
		untilData(t, heard, "before")
		untilStored(t, "PHAROS", 1, broker.Addr())
		broker.Close()
		pharostest.Broker(t, embedded.Options{StoreDir: dir, Listen: address})
		m := untilData(t, heard, "before")
		if !m.Snapshot || m.Age <= 0 {
			t.Errorf("message %+v, want it from the snapshot", m)
		}
	})

	t.Run("asks for everything again after a restart that lost it", func(t *testing.T) {
		t.Parallel()
		address := pharostest.FreeAddress(t)
		broker := pharostest.Broker(t, embedded.Options{Listen: address})
		prober, proberLinks := connect(t, bus.Options{URL: address})
		connected(t, prober)
		c, links := connect(t, bus.Options{URL: address})
		// By the same connection: another may be back too late to hear it.
		refreshes := listen(t, connected(t, c), pharos.SubjectRefresh)
		heard, _ := follow(t, c, bus.Follow{Create: true, Memory: true})
		untilDone(t, heard)
		pharostest.Await(t, "the refresh for a new store", refreshes)
		broker.Close()
		pharostest.Broker(t, embedded.Options{Listen: address})
		links.wait(t, "connected again", func(l bus.Link) bool { return hasStore(l) && l.Connects == 2 })
		pharostest.Await(t, "the refresh for an empty store", refreshes)
		proberLinks.wait(t, "connected again", func(l bus.Link) bool { return l.Up && l.Connects == 2 })
		publish(t, prober, "pharos.result.hq.p1.shop.home", "again")
		untilData(t, heard, "again")
	})

	t.Run("makes a store anew that was deleted", func(t *testing.T) {
		t.Parallel()
		broker := pharostest.Broker(t, embedded.Options{Listen: "127.0.0.1:0"})
		c, _ := connect(t, bus.Options{InProcess: broker})
		refreshes := listen(t, connected(t, c), pharos.SubjectRefresh)
		heard, _ := follow(t, c, bus.Follow{Create: true, Memory: true})
		untilDone(t, heard)
		pharostest.Await(t, "the refresh for a new store", refreshes)
		publish(t, c, "pharos.result.hq.p1.shop.home", "1")
		untilData(t, heard, "1")

		js := stream(t, broker.Addr())
		if err := js.DeleteStream(t.Context(), "PHAROS"); err != nil {
			t.Fatal(err)
		}
		pharostest.Await(t, "the refresh for the store made anew", refreshes)
		if _, err := js.Publish(t.Context(), "pharos.result.hq.p1.shop.home", []byte("2")); err != nil { // returns when it is stored
			t.Fatal(err)
		}
		untilData(t, heard, "2")
		late, _ := connect(t, bus.Options{InProcess: broker})
		second, _ := follow(t, late, bus.Follow{})
		if diff := cmp.Diff([]string{"pharos.result.hq.p1.shop.home=2"}, texts(untilDone(t, second))); diff != "" {
			t.Errorf("snapshot (-want +got):\n%s", diff)
		}
	})

	t.Run("reads a store that another made anew, and is told when there is none", func(t *testing.T) {
		t.Parallel()
		broker := pharostest.Broker(t, embedded.Options{Listen: "127.0.0.1:0"})
		c, links := connect(t, bus.Options{InProcess: broker})
		heard, _ := follow(t, c, bus.Follow{})
		untilDone(t, heard)
		links.wait(t, "without a store", func(l bus.Link) bool {
			return l.Up && !l.Store && l.Error == "NATS keeps no last values: there is no stream PHAROS"
		})
		js := stream(t, broker.Addr())
		read := 0
		for _, n := range []string{"1", "2"} {
			if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "PHAROS", Subjects: []string{"pharos.result.>"}, Storage: jetstream.MemoryStorage}); err != nil {
				t.Fatal(err)
			}
			if _, err := js.Publish(t.Context(), "pharos.result.hq.p1.shop.home", []byte(n)); err != nil {
				t.Fatal(err)
			}
			// A look between the two calls above finds it empty, and hears of it live.
			all := slices.DeleteFunc(untilDone(t, heard), func(m bus.Message) bool { return string(m.Data) != n })
			if len(all) == 0 {
				all = append(all, untilData(t, heard, n))
			}
			if all[len(all)-1].Snapshot {
				read++
			}
			if err := js.DeleteStream(t.Context(), "PHAROS"); err != nil {
				t.Fatal(err)
			}
		}
		if read == 0 {
			t.Error("neither store was read")
		}
	})

	t.Run("takes another snapshot when it was too slow", func(t *testing.T) {
		t.Parallel()
		const messages = 500
		broker := pharostest.Broker(t, embedded.Options{})
		c, _ := connect(t, bus.Options{InProcess: broker})
		events := make(chan event, 1<<16)
		held := make(chan struct{})
		first := true
		inBackground(t, func(ctx context.Context) error {
			return c.Follow(ctx, bus.Follow{Create: true, Memory: true, Pending: 4,
				Handle: func(m bus.Message) {
					if first {
						first = false
						<-held
					}
					events <- event{message: m}
				},
				SnapshotDone: func() { events <- event{done: true} },
			})
		})
		untilDone(t, events)
		sender, _ := connect(t, bus.Options{InProcess: broker})
		connected(t, sender)
		for n := range messages {
			publish(t, sender, fmt.Sprintf("pharos.result.hq.p1.shop.w%d", n), "1")
		}
		closeNow(t, sender) // all are at the server
		if err := pharostest.Connect(t, "", nats.InProcessServer(broker)).FlushTimeout(pharostest.Patience); err != nil {
			t.Fatal(err)
		}
		close(held)
		seen := make(map[string]bool)
		for done := false; len(seen) < messages || !done; {
			e := pharostest.Await(t, "all messages and the end of a snapshot", events)
			if done = e.done; !done {
				seen[e.message.Subject] = true
			}
		}
		if got := c.Stats(); got.Dropped == 0 || got.Snapshots < 2 {
			t.Errorf("stats %+v, want some dropped and two snapshots", got)
		}
	})

	t.Run("works live and asks for a refresh without JetStream", func(t *testing.T) {
		t.Parallel()
		s := pharostest.PlainBroker(t, &server.Options{})
		c, links := connect(t, bus.Options{URL: s.ClientURL()})
		refreshes := listen(t, connected(t, c), pharos.SubjectRefresh)
		heard, _ := follow(t, c, bus.Follow{Create: true})
		untilDone(t, heard)
		pharostest.Await(t, "the refresh", refreshes)
		links.wait(t, "without a store", func(l bus.Link) bool {
			return l.Up && !l.Store && l.Error == "NATS keeps no last values: no JetStream here"
		})
		publish(t, c, "pharos.result.hq.p1.shop.home", "live")
		untilData(t, heard, "live")
	})

	t.Run("without rights on the store works live and names the right", func(t *testing.T) {
		t.Parallel()
		s := pharostest.PlainBroker(t, &server.Options{JetStream: true, Users: []*server.User{{Username: "wall", Password: "secret", Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{"pharos.refresh"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"pharos.>", "_INBOX_wall.>"}},
		}}, {Username: "hq", Password: "secret"}}})
		c, links := connect(t, bus.Options{URL: s.ClientURL(), User: "wall", Password: "secret", Inbox: "wall"})
		heard, _ := follow(t, c, bus.Follow{Create: true})
		links.wait(t, "refused", func(l bus.Link) bool {
			return l.Up && !l.Store && l.Error == `not allowed to publish on "$JS.API.STREAM.INFO.PHAROS"`
		})
		untilDone(t, heard)
		hq, _ := connect(t, bus.Options{URL: s.ClientURL(), User: "hq", Password: "secret"})
		publish(t, connected(t, hq), "pharos.result.hq.p1.shop.home", "live")
		untilData(t, heard, "live")
	})

	t.Run("with the least rights takes its snapshot", func(t *testing.T) {
		t.Parallel()
		s := pharostest.PlainBroker(t, &server.Options{JetStream: true, Users: []*server.User{{Username: "wall", Password: "secret", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: []string{"pharos.refresh", "$JS.API.STREAM.INFO.PHAROS", "$JS.API.CONSUMER.CREATE.PHAROS.>", "$JS.API.CONSUMER.MSG.NEXT.PHAROS.*",
				"$JS.API.STREAM.INFO.PHAROS_PUSH", "$JS.API.CONSUMER.CREATE.PHAROS_PUSH.>", "$JS.API.CONSUMER.MSG.NEXT.PHAROS_PUSH.*"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"pharos.>", "_INBOX_wall.>"}},
		}}, {Username: "hq", Password: "secret"}}})
		hq, _ := connect(t, bus.Options{URL: s.ClientURL(), User: "hq", Password: "secret"})
		made, _ := follow(t, hq, bus.Follow{Create: true})
		untilDone(t, made)
		publish(t, hq, "pharos.result.hq.p1.shop.home", "1")
		untilData(t, made, "1")
		untilStored(t, "PHAROS", 1, s.ClientURL(), nats.UserInfo("hq", "secret"))
		c, _ := connect(t, bus.Options{URL: s.ClientURL(), User: "wall", Password: "secret", Inbox: "wall"})
		heard, _ := follow(t, c, bus.Follow{Create: true})
		if diff := cmp.Diff([]string{"pharos.result.hq.p1.shop.home=1"}, texts(untilDone(t, heard))); diff != "" {
			t.Errorf("snapshot (-want +got):\n%s", diff)
		}
		if got := c.Stats().Denied; got != 0 {
			t.Errorf("%d denied, want none: %+v", got, c.Link())
		}
	})

	t.Run("takes no answer of the store for a message", func(t *testing.T) {
		t.Parallel()
		s := pharostest.PlainBroker(t, &server.Options{JetStream: true})
		c, _ := connect(t, bus.Options{URL: s.ClientURL()})
		heard, _ := follow(t, c, bus.Follow{Create: true})
		untilDone(t, heard)
		publish(t, c, "pharos.result.hq.p1.shop.home", "ok")
		untilData(t, heard, "ok")
		untilStored(t, "PHAROS", 1, s.ClientURL())
		nc, err := nats.Connect(s.ClientURL())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		consumer, err := js.CreateConsumer(t.Context(), "PHAROS", jetstream.ConsumerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		for request, data := range map[string]string{
			"$JS.API.DIRECT.GET.PHAROS.pharos.result.hq.p1.shop.home":        "",
			"$JS.API.DIRECT.GET.PHAROS.pharos.result.hq.p1.shop.none":        "",
			"$JS.API.CONSUMER.MSG.NEXT.PHAROS." + consumer.CachedInfo().Name: `{"batch":1}`,
		} {
			subject := "pharos.result.oslo.p2.shop.home"
			if data != "" {
				subject = "pharos.result.oslo.p3.shop.home"
			}
			if err := nc.PublishRequest(request, subject, []byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		untilStored(t, "PHAROS", 4, s.ClientURL())
		publish(t, c, "pharos.result.hq.p1.shop.home", "the end")
		for e := (event{}); string(e.message.Data) != "the end"; {
			if e = pharostest.Await(t, "the end", heard); e.message.Subject != "pharos.result.hq.p1.shop.home" {
				t.Errorf("%q says %q", e.message.Subject, e.message.Data)
			}
		}
		if n := c.Stats().Diverted; n != 3 {
			t.Errorf("%d diverted, want 3", n)
		}
		// Those of a consumer are stored as any other; only a dashboard can ask for them.
		late, _ := connect(t, bus.Options{URL: s.ClientURL()})
		heard, _ = follow(t, late, bus.Follow{})
		for _, m := range untilDone(t, heard) {
			if m.Subject == "pharos.result.oslo.p2.shop.home" && len(m.Data) > 0 {
				t.Errorf("who comes late is told %q", m.Data)
			}
		}
	})

	t.Run("reads past what looks like a word of the server", func(t *testing.T) {
		t.Parallel()
		s := pharostest.PlainBroker(t, &server.Options{JetStream: true})
		c, _ := connect(t, bus.Options{URL: s.ClientURL()})
		heard, _ := follow(t, c, bus.Follow{Create: true})
		untilDone(t, heard)
		odd := nats.NewMsg("pharos.push.ci.jobs.a")
		odd.Header = nats.Header{"Status": {"409"}, "Description": {"Consumer Deleted"}}
		if err := pharostest.Connect(t, s.ClientURL()).PublishMsg(odd); err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			subject := fmt.Sprintf("pharos.push.ci.jobs.b%d", n)
			if _, err := stream(t, s.ClientURL()).Publish(t.Context(), subject, []byte("ok")); err != nil {
				t.Fatal(err)
			}
		}
		late, _ := connect(t, bus.Options{URL: s.ClientURL()})
		heard, _ = follow(t, late, bus.Follow{})
		want := []string{"pharos.push.ci.jobs.b0=ok", "pharos.push.ci.jobs.b1=ok", "pharos.push.ci.jobs.b2=ok"}
		if diff := cmp.Diff(want, texts(untilDone(t, heard))); diff != "" {
			t.Errorf("snapshot (-want +got):\n%s", diff)
		}
	})

	t.Run("makes the store as small as the server wants it", func(t *testing.T) {
		t.Parallel()
		s := pharostest.PlainBroker(t, &server.Options{JetStream: true, JetStreamMaxMemory: 20 << 20, JetStreamMaxStore: 20 << 20})
		c, links := connect(t, bus.Options{URL: s.ClientURL()})
		heard, _ := follow(t, c, bus.Follow{Create: true})
		untilDone(t, heard)
		links.wait(t, "with a store", hasStore)
		info, err := stream(t, s.ClientURL()).Stream(t.Context(), "PHAROS")
		if err != nil {
			t.Fatal(err)
		}
		if got := info.CachedInfo().Config.MaxBytes; got != 16<<20 {
			t.Errorf("%d bytes, want %d", got, 16<<20)
		}
	})

	t.Run("brings ten thousand", func(t *testing.T) {
		t.Parallel()
		const messages = 10_000
		broker := pharostest.Broker(t, embedded.Options{})
		c, _ := connect(t, bus.Options{InProcess: broker})
		made, _ := follow(t, c, bus.Follow{Create: true, Memory: true})
		untilDone(t, made)
		for n := range messages {
			publish(t, c, fmt.Sprintf("pharos.result.hq.p1.shop.w%d", n), strconv.Itoa(n))
		}
		untilData(t, made, strconv.Itoa(messages-1))
		untilStored(t, "PHAROS", messages, "", nats.InProcessServer(broker))
		late, _ := connect(t, bus.Options{InProcess: broker})
		began := time.Now()
		heard, _ := follow(t, late, bus.Follow{})
		if got := len(untilDone(t, heard)); got != messages {
			t.Errorf("%d messages, want %d", got, messages)
		}
		t.Logf("%d messages in %v", messages, time.Since(began))
	})
}

// untilStored waits until a store, which runs behind whoever listens, has
// taken as many messages since it was made.
func untilStored(t testing.TB, name string, messages uint64, url string, opts ...nats.Option) {
	t.Helper()
	js, err := jetstream.New(pharostest.Connect(t, url, opts...))
	if err != nil {
		t.Fatal(err)
	}
	pharostest.Eventually(t, func() error {
		s, err := js.Stream(t.Context(), name)
		if err != nil {
			return err
		}
		if got := s.CachedInfo().State.LastSeq; got < messages {
			return fmt.Errorf("the store has taken %d messages, want %d", got, messages)
		}
		return nil
	})
}

func stream(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(pharostest.Connect(t, url))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func TestLast(t *testing.T) {
	t.Parallel()
	mark := bus.Message{Subject: pharos.HeartbeatSubject("hq", "p1"), Data: []byte("{}")}
	short := func(t *testing.T) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), pharostest.Patience)
		t.Cleanup(cancel)
		return ctx
	}
	prober := &server.User{Username: "hq", Password: "secret", Permissions: &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{"pharos.result.hq.>", "pharos.heartbeat.hq.>", "$JS.API.DIRECT.GET.PHAROS.>"}},
		Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_hq.>"}},
	}}

	t.Run("returns what is stored, with its age, and needs few rights", func(t *testing.T) {
		t.Parallel()
		const watchers = 600 // more than are asked for at once
		s := pharostest.PlainBroker(t, &server.Options{JetStream: true, Users: []*server.User{prober, {Username: "wall", Password: "secret"}}})
		wall, _ := connect(t, bus.Options{URL: s.ClientURL(), User: "wall", Password: "secret"})
		heard, _ := follow(t, wall, bus.Follow{Create: true})
		untilDone(t, heard)
		var subjects, want []string
		began := time.Now()
		for n := range watchers {
			subject := fmt.Sprintf("pharos.result.hq.p1.shop.w%d", n)
			subjects = append(subjects, subject)
			if n%2 == 0 {
				publish(t, wall, subject, "old")
				publish(t, wall, subject, strconv.Itoa(n))
				want = append(want, subject+"="+strconv.Itoa(n))
			}
		}
		slices.Sort(want)
		untilData(t, heard, strconv.Itoa(watchers-2))
		untilStored(t, "PHAROS", watchers, s.ClientURL(), nats.UserInfo("wall", "secret"))
		c, _ := connect(t, bus.Options{URL: s.ClientURL(), User: "hq", Password: "secret", Inbox: "hq"})
		stored := time.Now()
		time.Sleep(100 * time.Millisecond)
		got, err := c.Last(short(t), mark, subjects...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, texts(got)); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
		for _, m := range got {
			if m.Age < 100*time.Millisecond || m.Age > time.Since(began)+time.Second || !m.Snapshot {
				t.Fatalf("age %v, want %v to %v", m.Age, time.Since(stored), time.Since(began))
			}
		}
		if got := c.Stats().Denied; got != 0 {
			t.Errorf("%d denied, want none: %+v", got, c.Link())
		}
		if e := untilData(t, heard, "{}"); e.Subject != mark.Subject {
			t.Errorf("mark on %q, want %q", e.Subject, mark.Subject)
		}
	})
	t.Run("says that there is no store, though a dashboard listens", func(t *testing.T) {
		t.Parallel()
		for name, s := range map[string]*server.Server{
			"no JetStream": pharostest.PlainBroker(t, &server.Options{}),
			"no stream":    pharostest.PlainBroker(t, &server.Options{JetStream: true}),
		} {
			wall, _ := connect(t, bus.Options{URL: s.ClientURL()})
			listen(t, connected(t, wall), "pharos.>")
			c, _ := connect(t, bus.Options{URL: s.ClientURL()})
			if _, err := c.Last(short(t), mark, "pharos.result.hq.p1.shop.home"); !errors.Is(err, bus.ErrNoStore) {
				t.Errorf("%s: error %v, want ErrNoStore", name, err)
			}
		}
	})
	t.Run("waits for the connection, no longer than it may", func(t *testing.T) {
		t.Parallel()
		c, _ := connect(t, bus.Options{URL: pharostest.Unused(t)})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := c.Last(ctx, mark); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want that of the context", err)
		}
	})
	t.Run("without rights ends with its context", func(t *testing.T) {
		t.Parallel()
		s := pharostest.PlainBroker(t, &server.Options{JetStream: true, Users: []*server.User{{Username: "hq", Password: "secret", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: []string{"pharos.result.hq.>"}},
		}}}})
		c, links := connect(t, bus.Options{URL: s.ClientURL(), User: "hq", Password: "secret"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Last(ctx, mark); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want that of the context", err)
		}
		links.wait(t, "refused", func(l bus.Link) bool { return strings.Contains(l.Error, "$JS.API.DIRECT.GET.PHAROS") })
	})
}

// One connection is used by many goroutines at once.
func TestConnIsShared(t *testing.T) {
	t.Parallel()
	broker := pharostest.Broker(t, embedded.Options{})
	c, _ := connect(t, bus.Options{InProcess: broker})
	connected(t, c)
	heard, _ := follow(t, c, bus.Follow{Create: true, Memory: true})
	untilDone(t, heard)
	for worker := range 8 {
		inBackground(t, func(context.Context) error {
			for n := range 200 {
				if err := c.Publish(fmt.Sprintf("pharos.result.hq.p1.shop.w%d", worker), []byte(strconv.Itoa(n))); err != nil {
					return err
				}
				c.Link()
				c.Stats()
			}
			return nil
		})
	}
	for range 8 * 200 {
		pharostest.Await(t, "all messages", heard)
	}
}

// BenchmarkPublishToHandle is the way of one message: from Publish through the
// server in this process to Handle.
func BenchmarkPublishToHandle(b *testing.B) {
	broker := pharostest.Broker(b, embedded.Options{})
	c, _ := connect(b, bus.Options{InProcess: broker})
	heard := make(chan struct{}, 1)
	ready := make(chan struct{}, 1)
	inBackground(b, func(ctx context.Context) error {
		return c.Follow(ctx, bus.Follow{Create: true, Memory: true,
			Handle: func(bus.Message) { heard <- struct{}{} }, SnapshotDone: func() { ready <- struct{}{} }})
	})
	pharostest.Await(b, "the store", ready)
	result := pharos.Result{Status: pharos.OK, Value: pharos.Num(0.133), Unit: "s", Prober: "p1", Incarnation: 1, TTL: pharos.Seconds(time.Second)}
	data, err := result.Encode(pharos.MaxMessage)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Publish("pharos.result.hq.p1.shop.home", data); err != nil {
			b.Fatal(err)
		}
		<-heard
	}
}

// TestAFloodOfPushesTakesNoValueAway: what is seldom published stays, however much
// is pushed.
func TestAFloodOfPushesTakesNoValueAway(t *testing.T) {
	t.Parallel()
	broker := pharostest.Broker(t, embedded.Options{Listen: "127.0.0.1:0"})
	c, _ := connect(t, bus.Options{InProcess: broker})
	heard, _ := follow(t, c, bus.Follow{Create: true, Memory: true})
	untilDone(t, heard)
	publish(t, c, "pharos.result.hq.p1.shop.seldom", "1")
	big := strings.Repeat("x", pharos.MaxMessage)
	pusher, err := nats.Connect("nats://" + broker.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer pusher.Close()
	for n := range 5000 { // 80 MB
		if err := pusher.Publish(fmt.Sprintf("pharos.push.hq.shop.w%d", n), []byte(big)); err != nil {
			t.Fatal(err)
		}
		if n%100 == 0 {
			if err := pusher.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := pusher.Flush(); err != nil {
		t.Fatal(err)
	}
	untilStored(t, "PHAROS_PUSH", 5000, "", nats.InProcessServer(broker))
	js := stream(t, broker.Addr())
	for name, want := range map[string]func(jetstream.StreamState) bool{
		"PHAROS":      func(s jetstream.StreamState) bool { return s.Msgs == 1 },
		"PHAROS_PUSH": func(s jetstream.StreamState) bool { return s.Bytes <= 64<<20 && s.Msgs > 1000 },
	} {
		s, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if state := s.CachedInfo().State; !want(state) {
			t.Errorf("%s has %d messages, %d bytes", name, state.Msgs, state.Bytes)
		}
	}
}

func TestAStoreWithOtherSettingsIsNamed(t *testing.T) {
	t.Parallel()
	ours := jetstream.StreamConfig{
		Name: "PHAROS", Subjects: []string{"pharos.result.>", "pharos.roster.>", "pharos.heartbeat.>"}, Storage: jetstream.MemoryStorage, MaxMsgsPerSubject: 1, AllowDirect: true,
	}
	for want, change := range map[string]func(c *jetstream.StreamConfig){
		"-1 messages a subject, want 1":                                                                 func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 0 },
		"direct access off, want on":                                                                    func(c *jetstream.StreamConfig) { c.AllowDirect = false },
		"messages of at most 1024 bytes, want 16384":                                                    func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1024 },
		"at most 10 messages, want no limit":                                                            func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 },
		"messages are deleted after 1m0s, want never":                                                   func(c *jetstream.StreamConfig) { c.MaxAge = time.Minute },
		"at most 1000000 bytes, want 4194304 or more":                                                   func(c *jetstream.StreamConfig) { c.MaxBytes = 1e6 },
		"new messages are discarded when it is full, want old ones":                                     func(c *jetstream.StreamConfig) { c.Discard, c.MaxBytes = jetstream.DiscardNew, 1e8 },
		`subjects ["pharos.result.>"], want ["pharos.result.>" "pharos.roster.>" "pharos.heartbeat.>"]`: func(c *jetstream.StreamConfig) { c.Subjects = c.Subjects[:1] },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			broker := pharostest.Broker(t, embedded.Options{Listen: "127.0.0.1:0"})
			config := ours
			change(&config)
			if _, err := stream(t, broker.Addr()).CreateStream(t.Context(), config); err != nil {
				t.Fatal(err)
			}
			c, links := connect(t, bus.Options{InProcess: broker})
			follow(t, c, bus.Follow{Create: true, Memory: true})
			links.wait(t, "named", func(l bus.Link) bool {
				return l.Up && l.Store && l.Error == "stream PHAROS has settings of its own: "+want
			})
		})
	}
}
