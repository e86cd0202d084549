package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pharos/internal/pharostest"
)

// as runs the program to its end, in a folder and with a home, and returns what it
// says to people.
func as(t *testing.T, home, folder string, out *os.File, args ...string) (said string, err error) {
	t.Helper()
	cmd := pharostest.Self(t, []string{"HOME=" + home}, args...)
	var words bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, out, &words
	err = cmd.Run()
	return words.String(), err
}

// TestASecondMachineInThreeLines makes a key on one machine, and has a prober with
// another file use it.
func TestASecondMachineInThreeLines(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "prober")
	if out, err := exec.Command("go", "build", "-o", bin, "pharos/cmd/prober").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, port, _ := net.SplitHostPort(pharostest.FreeAddress(t))
	home, here, there := t.TempDir(), t.TempDir(), t.TempDir()
	write := func(folder, name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(here, "pharos.yaml", fmt.Sprintf("nats: {listen: ':%s'}\nsets: [{name: Set, watchers: [{name: Near, command: 'true', interval: 100ms}]}]\n", port))
	write(there, "pharos.yaml", "sets: [{name: Set, watchers: [{name: Far, command: 'true', interval: 100ms}]}]\n")
	p := runAtHome(t, home, "-c", filepath.Join(here, "pharos.yaml"), "--listen", "127.0.0.1:0")

	key, err := os.Create(filepath.Join(there, "oslo.key"))
	if err != nil {
		t.Fatal(err)
	}
	defer key.Close()
	said, err := as(t, home, here, key, "-c", "pharos.yaml", "keys", "add", "prober", "oslo/p1")
	if err != nil || !strings.Contains(said, "prober -c pharos.yaml --key oslo.key") {
		t.Fatalf("%v; it said: %s", err, said)
	}
	if info, err := key.Stat(); err != nil || info.Mode() != 0o600 {
		t.Errorf("others can read the key: %v, %v", info.Mode(), err)
	}
	prober := exec.Command(bin, "-c", "pharos.yaml", "--key", "oslo.key")
	prober.Dir, prober.Env = there, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	if err := prober.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = prober.Process.Signal(syscall.SIGTERM)
		_ = prober.Wait()
	})
	has := func(name, status string) func(board) bool {
		return func(b board) bool {
			for _, set := range b.Sets {
				for _, w := range set.Watchers {
					if w.Name == name && w.Status == status {
						return true
					}
				}
			}
			return false
		}
	}
	p.until("the far tile", has("Far", "ok"))
	if said, err := as(t, home, here, nil, "-c", "pharos.yaml", "keys", "revoke", "prober", "oslo/p1"); err != nil {
		t.Fatalf("%v; it said: %s", err, said)
	}
	p.until("the far tile is stale", has("Far", "stale"))
	p.End()
	if strings.Contains(p.Said(), "Plaintext") {
		t.Errorf("it said: %s", p.Said())
	}
}

func TestKeysSaysWhatIsWrong(t *testing.T) {
	home, folder := t.TempDir(), t.TempDir()
	for name, nats := range map[string]string{"mute.yaml": "{}", "pharos.yaml": "{listen: ':4222'}"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("nats: "+nats+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "there.key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"keys list":                                             "name the all-in-one's file with -c FILE",
		"-c mute.yaml keys add prober a/b":                      `add nats: {listen: ":4222"} to the file`,
		"-c pharos.yaml keys add prober a":                      "want SITE/PROBER",
		"-c pharos.yaml keys add push a.b.C":                    `"C" is not a token`,
		"-c pharos.yaml keys add boss a":                        `must be one of "prober","dashboard","admin","push"`,
		"-c pharos.yaml keys revoke prober a/b":                 "it has no key; these have: admin all-in-one",
		"-c pharos.yaml keys add prober a/b -o there.key":       "file exists",
		"-c pharos.yaml keys --nats hq add prober a/b -o a.key": "want one such as nats.example.com:4222",
	} {
		if said, err := as(t, home, folder, nil, strings.Fields(line)...); err == nil || !strings.Contains(said, want) {
			t.Errorf("%s: %v; it said %q, want %q", line, err, said, want)
		}
	}
	if said, err := as(t, home, folder, nil, strings.Fields("-c pharos.yaml keys --nats hq:4222 add prober a/b -o a.key")...); err != nil {
		t.Errorf("%v: %s", err, said)
	}
	if data, err := os.ReadFile(filepath.Join(folder, "a.key")); err != nil || !strings.Contains(string(data), "nats: hq:4222\n") {
		t.Errorf("%v: %s", err, data)
	}
}
