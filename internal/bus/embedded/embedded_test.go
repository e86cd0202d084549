package embedded_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"pharos/internal/bus/embedded"
	"pharos/internal/pharostest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t *testing.T, url string, opts ...nats.Option) (*nats.Conn, error) {
	t.Helper()
	nc, err := nats.Connect(url, opts...)
	if err == nil {
		t.Cleanup(nc.Close)
	}
	return nc, err
}

func TestStartSaysWhyItDoesNot(t *testing.T) {
	taken := pharostest.Listen(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	users := []embedded.User{{Name: "hq", Password: "secret"}}
	for name, row := range map[string]struct {
		options embedded.Options
		want    string
	}{
		"port taken":                 {embedded.Options{Listen: taken.Addr().String()}, "address already in use"},
		"store is a file":            {embedded.Options{StoreDir: file}, "not a directory"},
		"store below a file":         {embedded.Options{StoreDir: filepath.Join(file, "below")}, "not a directory"},
		"no port":                    {embedded.Options{Listen: "127.0.0.1"}, `listening on "127.0.0.1": want host:port`},
		"port is no number":          {embedded.Options{Listen: "127.0.0.1:nats"}, `port "nats" is not a number`},
		"all interfaces, no users":   {embedded.Options{Listen: ":4222"}, "no users are set"},
		"any address, no users":      {embedded.Options{Listen: "0.0.0.0:4222"}, "no users are set"},
		"a name, no users":           {embedded.Options{Listen: "broker.example:4222"}, "no users are set"},
		"user without password":      {embedded.Options{Listen: "127.0.0.1:0", Users: []embedded.User{{Name: "hq"}}}, `user "hq": want a name and a password`},
		"port taken, also for users": {embedded.Options{Listen: taken.Addr().String(), Users: users}, "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			row.options.Log = slog.New(slog.DiscardHandler)
			s, err := embedded.Start(row.options)
			if err == nil {
				s.Close()
				t.Fatal("started")
			}
			if !strings.HasPrefix(err.Error(), "starting the embedded NATS server: ") || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %q, want one with %q", err, row.want)
			}
		})
	}
}

func TestServer(t *testing.T) {
	t.Run("without Listen has no socket but connections from inside", func(t *testing.T) {
		s := pharostest.Broker(t, embedded.Options{})
		if got := s.Addr(); got != "" {
			t.Errorf("address %q, want none", got)
		}
		nc, err := connect(t, "", nats.InProcessServer(s))
		if err != nil {
			t.Fatal(err)
		}
		if err := nc.FlushTimeout(5 * time.Second); err != nil {
			t.Error(err)
		}
	})
	t.Run("on loopback lets everyone in", func(t *testing.T) {
		s := pharostest.Broker(t, embedded.Options{Listen: "127.0.0.1:0"})
		if _, err := connect(t, "nats://"+s.Addr()); err != nil {
			t.Error(err)
		}
	})
	t.Run("with users asks everyone, and lets its own program in", func(t *testing.T) {
		s := pharostest.Broker(t, embedded.Options{Listen: "127.0.0.1:0", Users: []embedded.User{{Name: "hq", Password: "secret"}}})
		url := "nats://" + s.Addr()
		if _, err := connect(t, url); err == nil {
			t.Error("connected without a password")
		}
		if _, err := connect(t, url, nats.UserInfo("hq", "wrong")); err == nil {
			t.Error("connected with a wrong password")
		}
		if _, err := connect(t, url, nats.UserInfo("hq", "secret")); err != nil {
			t.Error(err)
		}
		user, password := s.Login()
		if _, err := connect(t, "", nats.InProcessServer(s), nats.UserInfo(user, password)); err != nil {
			t.Error(err)
		}
	})
	t.Run("without StoreDir leaves nothing behind", func(t *testing.T) {
		dir := t.TempDir()
		t.Setenv("TMPDIR", dir)
		s := pharostest.Broker(t, embedded.Options{})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 0 {
			t.Errorf("left %v, %v", left, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("closing twice: %v", err)
		}
	})
}
