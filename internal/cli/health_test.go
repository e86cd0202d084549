package cli

import (
	"bufio"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pharos/internal/pharostest"
)

func TestHealth(t *testing.T) {
	for title, row := range map[string]struct {
		code int
		said string
	}{
		"is well": {0, "ok\n"},
		"is ill":  {1, `example: it says "the board does not answer"` + "\n"},
	} {
		t.Run(title, func(t *testing.T) {
			path := file(t, "title: "+title+"\nnats: {url: 'nats://x:4222'}\n")
			p := pharostest.Start(t, pharostest.Self(t, nil, "-c", path, "-P", "7"))
			ask := func(args ...string) (int, string) {
				code, out, said := runProgram(t, nil, append(args, "--health")...)
				return code, out + said
			}
			// A mistake in the file is not the program's illness.
			if err := os.WriteFile(path, []byte("tittle: "+title), 0o600); err != nil {
				t.Fatal(err)
			}
			var code int
			var said string
			pharostest.Eventually(t, func() error {
				if code, said = ask("-c", path, "-P", "7"); strings.Contains(said, "no example runs here") {
					return errors.New(said)
				}
				return nil
			})
			if code != row.code || said != row.said {
				t.Errorf("exit code %d and %q, want %d and %q", code, said, row.code, row.said)
			}
			for name, args := range map[string][]string{"another file": {"-c", path + "x", "-P", "7"}, "other flags": {"-c", path, "-P", "8"}, "no file": nil} {
				if code, said := ask(args...); code != 1 || !strings.Contains(said, "no example runs here with this file and these flags") {
					t.Errorf("with %s: exit code %d and %q, want it not found", name, code, said)
				}
			}
			if code := p.End(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if code, said := ask("-c", path, "-P", "7"); code != 1 || !strings.Contains(said, "no example runs here") {
				t.Errorf("after its end: exit code %d and %q", code, said)
			}
		})
	}
}

// TestSystemdIsTold wants the words that systemd waits for, and none of being well
// where it is not so.
func TestSystemdIsTold(t *testing.T) {
	for title, want := range map[string][]string{
		"is well": {"READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"},
		"is ill":  {"READY=1", "STOPPING=1"},
	} {
		t.Run(title, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "notify")
			l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: socket})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			cmd := pharostest.Self(t, []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=300000"}, "-c", file(t, "title: "+title+"\nnats: {url: 'nats://x:4222'}\n"))
			said, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(said)
			for i, word := range want {
				if word == "STOPPING=1" {
					for title == "is ill" && lines.Scan() && !strings.Contains(lines.Text(), "this program is not well") {
					}
					if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
						t.Error(err)
					}
				}
				buf := make([]byte, 100)
				n, err := l.Read(buf)
				for err == nil && word == "STOPPING=1" && string(buf[:n]) == "WATCHDOG=1" && title == "is well" { // it may just have said so
					n, err = l.Read(buf)
				}
				if err != nil || string(buf[:n]) != word {
					t.Errorf("word %d is %q, %v, want %q", i, buf[:n], err, word)
				}
			}
			for lines.Scan() {
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}
