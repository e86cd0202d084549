package prober

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestImportCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(`endpoints: [{name: a, url: "https://a.example/", alerts: [{type: x}]}, {name: b, url: "tcp://b.example:99999"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, said strings.Builder
	if err := (&ImportCommand{Files: []string{file}}).run(&out, &said); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "page: https://a.example/\n") {
		t.Errorf("got\n%s", &out)
	}
	want := "watchers: 2; not carried over, each a comment in the file: 1\nto be mended by hand:\nthe file: line 10: tcp: want a port from 1 to 65535, got \"b.example:99999\"\n"
	if said.String() != want {
		t.Errorf("it says %q, want %q", said.String(), want)
	}
	if err := (&ImportCommand{Files: []string{file + "x"}}).run(&out, &said); err == nil {
		t.Error("a file that is not there is no error")
	}
}
