package allinone_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pharos/internal/bus"
	"pharos/internal/cli"
	"pharos/internal/config"
	"pharos/internal/dashboard"
	"pharos/internal/keys"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
	"pharos/internal/prober"
)

// keyFor makes a key in the folder of an all-in-one, and returns its file.
func keyFor(t *testing.T, c *config.Config, kind, name string) string {
	t.Helper()
	r, err := keys.ParseRole(kind, name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := keys.MakeInside(c.NATS, "", []string{c.NATS.Listen})
	if err != nil {
		t.Fatal(err)
	}
	k, err := f.Add(r, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "its.key")
	if err := os.WriteFile(path, k.Format(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOtherMachinesHaveKeys has a prober, a dashboard, an admin and a push come
// with keys to an all-in-one, and one of them have its key taken away.
func TestOtherMachinesHaveKeys(t *testing.T) {
	t.Parallel()
	c := parse(t, fmt.Sprintf(`
nats: {listen: %q, keys: %q}
sets: [{name: Here, watchers: [{name: Near, command: "true", interval: 100ms}]}]`, pharostest.FreeAddress(t), t.TempDir()))
	first := keyFor(t, c, "prober", "oslo/p1") // before it runs
	p := start(t, c)
	s := p.screen()
	s.AwaitStatus(t, "Near", "ok")

	far := func(path, place string) func() {
		t.Helper()
		flags := cli.NATSFlags{Key: path}
		fc := parse(t, place+`
sets: [{name: There, watchers: [{name: Far, command: "true", interval: 100ms}]}]`)
		if err := flags.Override(fc); err != nil {
			t.Fatal(err)
		}
		o, err := cli.Bus(fc, keys.Role{Kind: keys.Prober, Site: fc.Site, Name: fc.Prober})
		if err != nil {
			t.Fatal(err)
		}
		r, err := prober.New(prober.Options{Config: fc, Version: "test", Bus: o, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return pharostest.Run(t, r.Run)
	}
	stop := far(first, "")
	if site := s.AwaitStatus(t, "Far", "ok")["id"]; !strings.HasPrefix(fmt.Sprint(site), "oslo.") {
		t.Errorf("the tile is %v, want one of the key's site", site)
	}
	stop()
	s.AwaitStatus(t, "Far", "stale")
	stop = far(first, "") // what it remembers is read
	s.AwaitStatus(t, "Far", "ok")

	// A dashboard of another machine, with a key that is added while all run.
	dashboardKey := keyFor(t, c, "dashboard", "lobby")
	l := pharostest.Listen(t)
	dc := parse(t, "title: Lobby")
	dc.NATS.Key = dashboardKey
	o, err := cli.Bus(dc, keys.Role{Kind: keys.Dashboard, Name: "lobby"})
	if err != nil {
		t.Fatal(err)
	}
	d := dashboard.New(dashboard.Options{Config: dc, Name: "lobby", Version: "test", Bus: o, Listener: l, Log: slog.New(slog.DiscardHandler)})
	pharostest.Run(t, d.Run)
	lobby := (&pharosOf{url: "http://" + l.Addr().String(), t: t}).screen()
	lobby.AwaitStatus(t, "Far", "ok")
	lobby.AwaitStatus(t, "Near", "ok")
	lobby.Await(t, "nothing is refused", func(v *pharostest.View) bool {
		n := v.Hops.NATS
		return n.Up && n.Store && n.Error == ""
	})

	// A push, and one of another job.
	pushKey := keyFor(t, c, "push", "ci.jobs.backup")
	k, err := keys.Load(pushKey)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bus.Connect(t.Context(), bus.Options{URL: k.URL(), NKey: pushKey, CAFile: pushKey, OwnCA: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	<-conn.Connected()
	for _, watcher := range []pharos.WatcherID{"ci.jobs.other", "ci.jobs.backup"} {
		if err := conn.Publish(pharos.PushSubject(watcher), []byte(`{"status":"ok"}`)); err != nil {
			t.Fatal(err)
		}
	}
	s.AwaitStatus(t, "backup", "ok")
	if s.Tile("other") != nil {
		t.Error("a push has reached what is not its own")
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}

	// The file of the all-in-one is enough for an admin, and forgets.
	ao, err := cli.BusOfAllInOne(c, "", keys.Role{Kind: keys.Admin, Name: "me"})
	if err != nil {
		t.Fatal(err)
	}
	ao.Log = slog.New(slog.DiscardHandler)
	if n, err := dashboard.Forget(t.Context(), ao, pharos.Forget{Watcher: "ci.jobs.backup"}); n != 1 || err != nil {
		t.Errorf("forgetting: %d deleted, %v", n, err)
	}
	s.Await(t, "the push is gone", func(v *pharostest.View) bool { return v.Tile("backup") == nil })

	// Who has a prober's key is no dashboard.
	dc.NATS.Key = first
	if _, err := cli.Bus(dc, keys.Role{Kind: keys.Dashboard, Name: "lobby"}); err == nil || !strings.Contains(err.Error(), "prober oslo/p1") {
		t.Errorf("a dashboard with a prober's key: %v", err)
	}

	f, err := keys.MakeInside(c.NATS, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Revoke(keys.Role{Kind: keys.Prober, Site: "oslo", Name: "p1"}); err != nil {
		t.Fatal(err)
	}
	s.AwaitStatus(t, "Far", "stale")
	stop()
	// The site gets a key for all of its probers.
	far(keyFor(t, c, "prober", "oslo/*"), "prober: p7")
	s.AwaitStatus(t, "Far", "ok")
}
