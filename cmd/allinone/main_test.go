package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pharos/internal/allinone"
	"pharos/internal/config"
	"pharos/internal/pharostest"
)

func TestMain(m *testing.M) {
	if os.Getenv(pharostest.AsProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is the all-in-one as a process of its own.
type program struct {
	*pharostest.Program
	t      *testing.T
	url    string // of the board, as its first line says
	folder string // of its temporary files
}

// run starts the program with a path of the slimmest of machines and a home of
// its own, and waits for its first line.
func run(t *testing.T, args ...string) *program {
	t.Helper()
	return runAtHome(t, t.TempDir(), args...)
}

func runAtHome(t *testing.T, home string, args ...string) *program {
	t.Helper()
	tools := t.TempDir()
	for _, name := range []string{"awk", "cat", "df", "false", "sed", "sh", "true"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(tools, name)); err != nil {
			t.Fatal(err)
		}
	}
	p := &program{t: t, folder: t.TempDir()}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	p.Program = pharostest.Start(t, pharostest.Self(t, []string{"PATH=" + tools, "HOME=" + home, "TMPDIR=" + p.folder}, args...))
	url, ok := strings.CutPrefix(strings.TrimSpace(p.First), "Pharos is watching: ")
	if !ok {
		p.Wait()
		t.Fatalf("it began with %q; all it said: %s", p.First, p.Said())
	}
	p.url = url
	return p
}

type board struct {
	Notices []string
	Sets    []struct {
		Watchers []struct {
			Name, Status string
			Flickers     []struct{ Status string }
		}
	}
}

func (p *program) until(what string, is func(b board) bool) {
	p.t.Helper()
	pharostest.Eventually(p.t, func() error {
		if b := pharostest.GetJSON[board](p.t, p.url+"api/v1/board"); !is(b) {
			return fmt.Errorf("waiting for %s: the board is %+v, and it said: %s", what, b, p.Said())
		}
		return nil
	})
}

func TestWithoutAFileItShowsTheSampleAndEndsWell(t *testing.T) {
	home := t.TempDir()
	p := runAtHome(t, home, "--listen", "127.0.0.1:0")
	sample, err := config.Parse("sample.yaml", config.Sample("http://127.0.0.1:1"), os.LookupEnv, allinone.Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	p.until("a judged tile for each watcher of the sample", func(b board) bool {
		left := map[string]bool{}
		for _, w := range sample.Watchers {
			left[w.Name] = true
		}
		for _, set := range b.Sets {
			for _, w := range set.Watchers {
				if !left[w.Name] || w.Status != "ok" && w.Status != "warning" && w.Status != "critical" {
					return false
				}
				delete(left, w.Name)
			}
		}
		return len(left) == 0
	})
	if code := p.End(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if said := p.Said(); strings.Count(said, "\n") > 5 || !strings.Contains(said, p.url) {
		t.Errorf("want at most five lines and the address %s in them, got:\n%s", p.url, said)
	}
	for _, folder := range []string{p.folder, home} {
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("it left %v behind (%v)", left, err)
		}
	}
}

func TestARestartForgetsNothingUnlessItIsAskedTo(t *testing.T) {
	for name, row := range map[string]struct {
		store string
		keeps bool
	}{
		"the state folder": {"", true},
		"a folder":         {"store_dir: kept", true},
		"memory":           {"store_dir: memory", false},
	} {
		t.Run(name, func(t *testing.T) {
			home, folder := t.TempDir(), t.TempDir()
			broken := filepath.Join(folder, "broken")
			file := filepath.Join(folder, "pharos.yaml")
			text := fmt.Sprintf("prober: p1\nnats: {listen: '127.0.0.1:0', %s}\nsets: [{name: Set, watchers: [{name: One, command: 'if test -e %s; then false; fi', interval: 100ms}]}]\n", row.store, broken)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			start := func() *program { return runAtHome(t, home, "-c", file, "--listen", "127.0.0.1:0") }
			status := func(want string) func(board) bool {
				return func(b board) bool {
					return len(b.Sets) == 1 && b.Sets[0].Watchers[0].Status == want
				}
			}
			p := start()
			p.until("One is ok", status("ok"))
			if err := os.WriteFile(broken, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			p.until("One is critical", status("critical"))
			if err := os.Remove(broken); err != nil {
				t.Fatal(err)
			}
			p.until("One is ok again", status("ok"))
			p.Signal(os.Kill)
			p.Wait()

			p = start()
			p.until("One is ok after kill -9", status("ok"))
			flickers := 0
			p.until("the flicker, or none", func(b board) bool {
				flickers = len(b.Sets[0].Watchers[0].Flickers)
				return (flickers > 0) == row.keeps
			})
			p.End()
			var left []string
			for _, folder := range []string{home, folder} {
				entries, err := os.ReadDir(folder)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range entries {
					left = append(left, e.Name())
				}
			}
			want := map[string]string{"the state folder": "[.local pharos.yaml]", "a folder": "[kept pharos.yaml]", "memory": "[pharos.yaml]"}[name]
			if fmt.Sprint(left) != want {
				t.Errorf("in its home and beside the file are %v, want %s", left, want)
			}
		})
	}
}

func TestAReloadOfWhatTakesARestartIsRefusedOnTheBoard(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pharos.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text+"sets: [{name: Set, watchers: [{name: One, command: 'true', interval: 100ms}]}]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("dashboard: {max_screens: 7}\nnats: {url: 'nats://a:4222'}\n")
	p := run(t, "-c", file, "--listen", "127.0.0.1:0")
	write("dashboard: {max_screens: 8}\nnats: {store_dir: elsewhere}\n")
	p.Signal(syscall.SIGHUP)
	p.until("the keys that take a restart", func(b board) bool {
		return fmt.Sprint(b.Notices) == "[applying the file: a change of nats.store_dir, dashboard.max_screens takes a restart]"
	})
	write("dashboard: {max_screens: 7, listen: ':1'}\nnats: {url: 'nats://b:4222'}\n") // a flag goes before the one, the other is not for this program
	p.Signal(syscall.SIGHUP)
	p.until("no notice", func(b board) bool { return len(b.Notices) == 0 })
	if code := p.End(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestASecondSignalEndsItThoughAScreenDoesNotRead(t *testing.T) {
	p := run(t, "--listen", "127.0.0.1:0")
	screen, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(p.url, "http://"), "/"))
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	// More pages than the kernel holds, and nobody reads them.
	if _, err := io.WriteString(screen, strings.Repeat("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 1000)); err != nil {
		t.Fatal(err)
	}
	p.Insist()
}
