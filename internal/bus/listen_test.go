package bus

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"pharos/internal/pharos"
	"pharos/internal/pharostest"
)

func TestClockAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := time.Now()
		time.Sleep(200 * time.Millisecond)
		theirs := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC) // years away from ours
		c := newClock(theirs, asked)
		time.Sleep(time.Second)
		for _, row := range []struct {
			stored time.Time
			want   time.Duration
		}{
			{theirs.Add(-time.Hour), time.Hour + 1100*time.Millisecond},
			{theirs, 1100 * time.Millisecond},
			{theirs.Add(time.Second), 100 * time.Millisecond},
			{theirs.Add(time.Minute), 0},
		} {
			if got := c.age(row.stored); got != row.want {
				t.Errorf("stored at %v: age %v, want %v", row.stored, got, row.want)
			}
		}
	})
}

// A subscription that was refused is made again, since the server does not
// tell when the right is given.
func TestListenerSubscribesAgainWhenARightIsGiven(t *testing.T) {
	permissions := func(subscribe ...string) *server.Options {
		return &server.Options{Users: []*server.User{{Username: "hq", Password: "secret",
			Permissions: &server.Permissions{Subscribe: &server.SubjectPermission{Allow: subscribe}}}}}
	}
	o := permissions("_INBOX.>")
	s := pharostest.PlainBroker(t, o)
	denied := make(chan Link, 64)
	c, err := Connect(context.Background(), Options{URL: s.ClientURL(), User: "hq", Password: "secret", Log: slog.New(slog.DiscardHandler),
		OnLink: func(l Link) {
			if l.Up && l.Error != "" {
				denied <- l
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	<-c.Connected()
	l, err := c.listen([]string{pharos.SubjectRefresh}, 16)
	if err != nil {
		t.Fatal(err)
	}
	defer l.stop()
	pharostest.Await(t, "the refusal of the subscription", denied)

	given := permissions("_INBOX.>", "pharos.refresh")
	given.Host, given.Port, given.NoSigs, given.NoLog = o.Host, o.Port, true, true
	if err := s.ReloadOptions(given); err != nil {
		t.Fatal(err)
	}
	l.check(true)
	select {
	case <-l.gaps[0]:
	default:
		t.Error("no gap is signalled, want one")
	}
	if err := c.Publish(pharos.SubjectRefresh, nil); err != nil {
		t.Fatal(err)
	}
	if m := pharostest.Await(t, "the message", l.queue); m.Subject != pharos.SubjectRefresh {
		t.Errorf("message on %q", m.Subject)
	}
}
