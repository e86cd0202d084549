package allinone

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pharos/internal/config"
)

func TestAStoreThatCannotBeHadIsSaid(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	first, err := openStore("", "pharos.yaml", log)
	if err != nil || first.dir == "" || said.Len() > 0 {
		t.Fatalf("got %+v, %v, and the log %q", first, err, &said)
	}

	second, err := openStore("", "pharos.yaml", log)
	if err != nil || second.dir != "" || !strings.Contains(said.String(), errTaken.Error()) {
		t.Errorf("beside another of the same file: got %+v, %v, and the log %q", second, err, &said)
	}
	if _, err := openStore(first.dir, "pharos.yaml", log); !errors.Is(err, errTaken) {
		t.Errorf("a folder of the file that another uses: error %v, want %v", err, errTaken)
	}
	if err := errors.Join(first.Close(), first.Close()); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	again, err := openStore("", "pharos.yaml", log)
	if err != nil || again.dir == "" {
		t.Errorf("after the other has ended: got %+v, %v", again, err)
	}
	again.Close()

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	said.Reset()
	t.Setenv("STATE_DIRECTORY", file)
	if s, err := openStore("", "pharos.yaml", log); err != nil || s.dir != "" || !strings.Contains(said.String(), "nats.store_dir") {
		t.Errorf("a state folder that cannot be made: got %+v, %v, and the log %q", s, err, &said)
	}
	for name, args := range map[string][2]string{"memory": {config.StoreMemory, "pharos.yaml"}, "no file": {"", ""}} {
		if s, err := openStore(args[0], args[1], log); err != nil || s.dir != "" {
			t.Errorf("%s: got %+v, %v, want nothing kept", name, s, err)
		}
	}
}
