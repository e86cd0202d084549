package allinone_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pharos/internal/allinone"
	"pharos/internal/bus/embedded"
	"pharos/internal/config"
)

func parseNATS(listen, users string) (*config.Config, error) {
	text := fmt.Sprintf("nats: {listen: %q, users: %s}", listen, users)
	return config.Parse("test.yaml", []byte(text), func(string) (string, bool) { return "", false }, allinone.Kinds()...)
}

// What the file's reader takes for this machine alone is what the server takes for
// it, which asks nobody there.
func TestTheServerAsksWhoeverComesFromElsewhere(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "[::1%lo]", "0.0.0.0", "[::]", "", "localhost.", "127.1", "nats.example"} {
		c, err := parseNATS(host+":0", "[]")
		if err != nil {
			t.Fatal(err)
		}
		s, err := embedded.Start(embedded.Options{Listen: c.NATS.Listen, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			if c.NATS.Beyond() {
				t.Errorf("%q: the server listens there, and the file takes it for a place that others reach", host)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		} else if !c.NATS.Beyond() && strings.Contains(err.Error(), "no users") {
			t.Errorf("%q: the file takes it for this machine alone, and the server says %v", host, err)
		}
	}
}

func TestNobodyTakesTheNameOfTheProgramItself(t *testing.T) {
	users := []embedded.User{{Name: "hq", Password: "secret-word"}}
	s, err := embedded.Start(embedded.Options{Users: users, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	name, _ := s.Login()
	_, err = parseNATS("127.0.0.1:0", fmt.Sprintf("[{name: %q, password: secret-word}]", name))
	if err == nil || !strings.Contains(err.Error(), "nats.users") {
		t.Errorf("error %v, want one of nats.users", err)
	}
}

func TestCheckPreparesTheProbes(t *testing.T) {
	c := parse(t, `sets: [{name: Set, watchers: [{name: TLS, page: "https://127.0.0.1/", tls: {ca_file: /gone.pem}}]}]`)
	if err := allinone.Check(c); err == nil || !strings.Contains(err.Error(), "/gone.pem") {
		t.Errorf("error %v, want one that names the file", err)
	}
}
