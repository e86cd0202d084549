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

// What the file's reader takes for safe is what the server takes for it.
func TestTheFileIsRefusedWhereTheServerWouldNotListen(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "[::1%lo]", "0.0.0.0", "[::]", "", "localhost.", "127.1", "nats.example"} {
		c, wrong := parseNATS(host+":0", "[]")
		o := embedded.Options{Listen: host + ":0", Log: slog.New(slog.DiscardHandler)}
		if wrong == nil {
			o.Listen = c.NATS.Listen
		}
		s, err := embedded.Start(o)
		if err == nil {
			if wrong != nil {
				t.Errorf("%q: the server listens there, and the file is refused: %v", host, wrong)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		} else if wrong == nil && strings.Contains(err.Error(), "no users") {
			t.Errorf("%q: the file is taken, and the server says %v", host, err)
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
