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

func TestEachFileHasAStateFolderOfItsOwn(t *testing.T) {
	for name, row := range map[string]struct {
		env  map[string]string
		want string // where the folder is
	}{
		"of systemd":              {map[string]string{"STATE_DIRECTORY": "/var/lib/pharos", "XDG_STATE_HOME": "/x"}, "/var/lib/pharos"},
		"the first of systemd's":  {map[string]string{"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "/var/lib/a"},
		"of the desktop":          {map[string]string{"XDG_STATE_HOME": "/x"}, "/x/pharos"},
		"a relative one is none":  {map[string]string{"STATE_DIRECTORY": "here", "XDG_STATE_HOME": "there"}, "/home/anna/.local/state/pharos"},
		"of the home":             {nil, "/home/anna/.local/state/pharos"},
		"without a home an error": {map[string]string{"HOME": ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, key := range []string{"STATE_DIRECTORY", "XDG_STATE_HOME"} {
				t.Setenv(key, "")
			}
			t.Setenv("HOME", "/home/anna")
			for key, value := range row.env {
				t.Setenv(key, value)
			}
			one, err := stateDir("/etc/pharos/pharos.yaml")
			if row.want == "" {
				if err == nil {
					t.Fatalf("got %q, want an error", one)
				}
				return
			}
			if err != nil || filepath.Dir(one) != row.want || !strings.HasPrefix(filepath.Base(one), "pharos-") {
				t.Errorf("got %q, %v, want a folder in %q", one, err, row.want)
			}
			if other, _ := stateDir("/srv/pharos.yaml"); other == one {
				t.Errorf("two files share %q", other)
			}
		})
	}
}

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
