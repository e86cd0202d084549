package config

import (
	"path/filepath"
	"strings"
	"testing"
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
			one, err := StateDir("/etc/pharos/pharos.yaml")
			if row.want == "" {
				if err == nil {
					t.Fatalf("got %q, want an error", one)
				}
				return
			}
			if err != nil || filepath.Dir(one) != row.want || !strings.HasPrefix(filepath.Base(one), "pharos-") {
				t.Errorf("got %q, %v, want a folder in %q", one, err, row.want)
			}
			if other, _ := StateDir("/srv/pharos.yaml"); other == one {
				t.Errorf("two files share %q", other)
			}
		})
	}
}
