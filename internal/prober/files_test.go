package prober

import (
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pharos/internal/config"
	"pharos/internal/pharos"
)

// authority writes a certificate to a file that a watcher can name.
func authority(t *testing.T) (file string, content []byte) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	file = filepath.Join(t.TempDir(), "ca.pem")
	content = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	write(t, file, content)
	return file, content
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAReloadReadsTheFilesOfAWatcherAgain(t *testing.T) {
	file, content := authority(t)
	c := parse(t, fmt.Sprintf(`sets: [{name: Set, watchers: [
  {name: Plain, page: "https://127.0.0.1:1/"},
  {name: Page, page: "https://127.0.0.1:1/", tls: {ca_file: %q}},
  {name: Over there, page: "https://127.0.0.1:1/", tls: {ca_file: /no/such/file}, ssh_host: nowhere}]}]`, file))
	p, err := New(Options{Config: c, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.engine.Close()
	changed := func() (names []string) {
		t.Helper()
		to, err := p.prepare(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, job := range to.put {
			names = append(names, job.Watcher.Name)
			job.Close()
		}
		return names
	}
	if names := changed(); names != nil {
		t.Errorf("nothing has changed, and %q are made anew", names)
	}
	write(t, file, append(content, content...))
	if names := changed(); fmt.Sprint(names) != "[Page]" {
		t.Errorf("the authorities have changed, and %q are made anew, want the one that names them", names)
	}
	if err := p.Apply(c); err != nil {
		t.Error(err)
	}
	if names := changed(); names != nil {
		t.Errorf("it is in force, and %q are made anew", names)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(c); err == nil || !strings.Contains(err.Error(), `"Page"`) || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v, want one that names the watcher and its file", err)
	}
}

func TestCheckNamesEachWatcherThatCannotBePrepared(t *testing.T) {
	file, _ := authority(t)
	const one = `{name: %s, page: "https://127.0.0.1/", tls: {ca_file: %q}}`
	c := parse(t, fmt.Sprintf("sets: [{name: Set, watchers: ["+one+","+one+","+one+"]}]", "First", "/gone.pem", "Second", file, "Third", "/gone too.pem"))
	err := Check(c)
	if err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), `"First"`) || !strings.Contains(err.Error(), `"Third"`) {
		t.Errorf("error %v, want a line for First and one for Third", err)
	}
	c.NATS.CAFile = "/gone/ca.pem"
	if err := Check(c); err == nil || !strings.HasPrefix(err.Error(), `nats.ca_file: reading "/gone/ca.pem": no such file or directory`) || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("error %v, want a line for the file on the way to NATS, too", err)
	}
	c.Watchers, c.NATS.CAFile = c.Watchers[1:2], file
	if err := Check(c); err != nil {
		t.Error(err)
	}
}

func TestNoPartOfASecretIsLeftWhereTheOutputIsCut(t *testing.T) {
	c, err := config.Parse("test.yaml", []byte(`
sets: [{name: Set, watchers: [{name: Leaky, command: "i=0; while [ $i -lt 400 ]; do echo ${THE_SECRET}; i=$((i+1)); done; exit 1"}]}]`),
		func(name string) (string, bool) { return "xyzzy-plugh-plover-y2-fee-fie-foe-foo", name == "THE_SECRET" }, Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Options{Config: c, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.engine.Close()
	p.watchers = nil // nothing of it runs: let it be prepared once more
	to, err := p.prepare(c)
	if err != nil || len(to.put) != 1 {
		t.Fatal(to.put, err)
	}
	defer to.put[0].Close()
	r := to.put[0].Run(t.Context(), pharos.NewTrace(nil))
	if !strings.Contains(r.Detail, "•••") {
		t.Errorf("the detail is %q, want dots for what the command says", r.Detail)
	}
	for _, word := range []string{"xyzzy", "plugh", "plover", "fee", "fie", "foe", "foo"} {
		if strings.Contains(r.Reason+r.Detail, word) {
			t.Errorf("%q of the secret is left in %q and %q", word, r.Reason, r.Detail)
		}
	}
}
