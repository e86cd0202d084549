package probe

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// fakeSSH stands in for the system's ssh: it notes its arguments, keeps a
// master open, and runs what it is told here.
const fakeSSH = `#!/bin/sh
echo "$@" >> "$FAKE_SSH/log"
master=
while [ $# -gt 0 ]; do
	case $1 in
	-M) master=1 ;;
	-S) socket=$2; shift ;;
	-o) shift ;;
	--) shift; break ;;
	esac
	shift
done
host=$1
shift
if [ "$host" = down ]; then
	echo "ssh: connect to host down port 22: Connection refused" >&2
	exit 255
fi
if [ "$master" ]; then
	echo $$ > "$FAKE_SSH/master"
	if [ "$FAKE_MUX" ]; then
		PHAROS_TEST_MUX=$socket exec "$FAKE_MUX"
	fi
	echo up
	exec sleep 300
fi
exec sh -c "$*"
`

// withFakeSSH puts the stand-in first on PATH and returns its folder.
func withFakeSSH(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte(fakeSSH), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("FAKE_SSH", dir)
	t.Setenv("TMPDIR", dir)
	return dir
}

func there(w pharos.Watcher) pharos.Watcher {
	w.SSHHost = "slw"
	return w
}

func TestCommandThroughSSH(t *testing.T) {
	dir := withFakeSSH(t)
	nasty := "it's \"$HOME\" `id` \\ $(id); & | > * ? é\t!"
	for name, test := range map[string]struct {
		command cmd
		status  pharos.Status
		summary string
		detail  string
	}{
		"ok":                   {cmd{Shell: "echo hello"}, pharos.OK, "", "hello\n"},
		"an exit code":         {cmd{Shell: "echo out; echo err >&2; exit 3"}, pharos.Critical, "out", "out\nerr\n"},
		"arguments survive":    {cmd{Args: []string{"printf", "%s|", nasty, "", "-n", "a\nb"}}, pharos.OK, "", nasty + "||-n|a\nb|"},
		"environment survives": {cmd{Shell: `printf %s "$A"`, Env: []string{"A=" + nasty}}, pharos.OK, "", nasty},
		"a folder":             {cmd{Shell: "pwd", Dir: "/"}, pharos.OK, "", "/\n"},
		"input is empty":       {cmd{Shell: "cat; echo end"}, pharos.OK, "", "end\n"},
		"a child left behind":  {cmd{Shell: "sleep 300 & echo x"}, pharos.OK, "", "x\n"},
		"no such program":      {cmd{Args: []string{"no-such-thing"}}, pharos.Critical, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := there(none())
			w.Spec = test.command.spec()
			r := watch(t, w)
			if name == "no such program" {
				if r.Status != pharos.Critical || fact(r, "exit code") != "127" || !strings.Contains(r.Summary, "no-such-thing") {
					t.Errorf("got %v %v %q", r.Status, r.Facts, r.Summary)
				}
				return
			}
			if r.Status != test.status || r.Summary != test.summary || r.Detail != test.detail {
				t.Errorf("got  %v %q %q\nwant %v %q %q", r.Status, r.Summary, r.Detail, test.status, test.summary, test.detail)
			}
		})
	}
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "hello") {
		t.Errorf("a watcher's command is on the command line of ssh:\n%s", log)
	}
	for line := range strings.Lines(string(log)) {
		if !strings.Contains(line, "-o BatchMode=yes") || !regexp.MustCompile(`-- slw( exec sh)?\n$`).MatchString(line) {
			t.Errorf("ssh was run as %q", line)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "pharos-ssh-*")); left != nil {
		t.Errorf("left over: %q", left)
	}
}

func TestOneConnectionAHost(t *testing.T) {
	dir := withFakeSSH(t)
	e := New(Options{})
	p, err := e.Prepare(there(shell("true")), nil)
	if err != nil {
		t.Fatal(err)
	}
	masters := func() int {
		log, err := os.ReadFile(filepath.Join(dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(log), " -M ")
	}
	for range 3 {
		if r := run(t, p, 0); r.Status != pharos.OK {
			t.Fatalf("got %v %q", r.Status, r.Summary)
		}
	}
	if n := masters(); n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
	e.ssh.mu.Lock()
	m := e.ssh.masters["slw"]
	e.ssh.mu.Unlock()
	pid, err := os.ReadFile(filepath.Join(dir, "master"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("kill", "-9", strings.TrimSpace(string(pid))).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	<-m.dead
	if r := run(t, p, 0); r.Status != pharos.OK {
		t.Errorf("after the connection ended: %v %q", r.Status, r.Summary)
	}
	if n := masters(); n != 2 {
		t.Errorf("%d connections were made, want another one", n)
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	gone(t, filepath.Join(dir, "master"), 1)
}

func TestHostThatIsDown(t *testing.T) {
	withFakeSSH(t)
	for name, w := range map[string]pharos.Watcher{"a command": shell("true"), "a page": pageAt("http://127.0.0.1/")} {
		t.Run(name, func(t *testing.T) {
			w.SSHHost = "down"
			r := watch(t, w)
			if want := "ssh to down: ssh: connect to host down port 22: Connection refused"; r.Status != pharos.Critical || r.Summary != want {
				t.Errorf("got %v %q, want critical %q", r.Status, r.Summary, want)
			}
		})
	}
}

func TestTimeoutThroughSSH(t *testing.T) {
	dir := withFakeSSH(t)
	file := filepath.Join(dir, "pids")
	w := there(shell(`echo so far; echo $$ >> "$PIDS"; sleep 300; true`))
	w.Spec.(*commandSpec).Env = field.Dictionary{{Name: "PIDS", Value: file}}
	if r := watchUntil(t, w, file, 1); r.Status != pharos.Critical || r.Summary != "timed out after 60 s through ssh to slw" || r.Detail != "so far\n" {
		t.Errorf("got %v %q %q", r.Status, r.Summary, r.Detail)
	}
	gone(t, file, 1)
}

// What runs on the far side ends when its ssh client is gone, of which it
// hears only by the end of its input.
func TestScriptEndsWithItsInput(t *testing.T) {
	cmd := exec.Command("sh")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	over, held, err := os.Pipe() // held by all of them, and by what ends them
	if err != nil {
		t.Fatal(err)
	}
	defer over.Close()
	cmd.ExtraFiles = []*os.File{held, held} // the script has a use of its own for the first
	err = cmd.Start()
	held.Close()
	if err != nil {
		t.Fatal(err)
	}
	// Another run there, of a script whose number begins with this one's.
	other := exec.Command("sleep", "300")
	other.Env = []string{fmt.Sprintf("%s=END-%d0_", remoteMarkName, cmd.Process.Pid)}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Process.Kill() })
	io.WriteString(stdin, remote{argv: []string{"sh", "-c", "sleep 300 & setsid sleep 300 & echo begun; sleep 300; true"}}.script("END"))
	if _, err := io.ReadFull(stdout, make([]byte, len("begun\n"))); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	if _, err := io.ReadAll(over); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the script ended well, want the exit code of a killed command")
	}
	other.Process.Signal(syscall.SIGTERM)
	other.Wait()
	if how := other.ProcessState.Sys().(syscall.WaitStatus); how.Signal() != syscall.SIGTERM {
		t.Error("the script killed another run's process")
	}
}

func TestPageThroughSSH(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") == "" {
			t.Skip("pages through ssh need curl: apt-get install curl")
		}
		t.Fatal("pages through ssh need curl (apt-get install curl): ", err)
	}
	dir := withFakeSSH(t)
	away, seenAway := recorder(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "away") })
	home, seenHome := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, away.URL+"/x", http.StatusFound)
		case "/503":
			w.WriteHeader(503)
			io.WriteString(w, "no more")
		case "/long":
			for range 300 {
				io.WriteString(w, strings.Repeat("x", 1000))
				w.(http.Flusher).Flush()
			}
		default:
			io.WriteString(w, "all is well")
		}
	})
	t.Run("the request arrives as it would from here", func(t *testing.T) {
		edit := func(w pharos.Watcher) pharos.Watcher {
			pageOf(w).Method, pageOf(w).Body, pageOf(w).BasicAuth.User, pageOf(w).BasicAuth.Password = "PUT", "a \"b\" \\n\n\t'c' @d", "anna", "pass"
			pageOf(w).Headers = field.Dictionary{{Name: "X-Nasty", Value: "\"$HOME\" \\ 'x'"}, {Name: "X-Empty", Value: ""}}
			pageOf(w).Match = []*regexp.Regexp{regexp.MustCompile("^all is well$")}
			return w
		}
		r := watch(t, there(edit(pageAt(home.URL+"/a b?c=d e[1]"))))
		if r.Status != pharos.OK {
			t.Fatalf("got %v %q\n%s", r.Status, r.Summary, r.Detail)
		}
		watch(t, edit(pageAt(home.URL+"/a b?c=d e[1]")))
		seen := seenHome()
		if diff := cmp.Diff(seen[1], seen[0]); diff != "" {
			t.Errorf("asked from there (-from here +from there):\n%s", diff)
		}
		if phase(r, "connect") == 0 || phase(r, "first_byte") == 0 || fact(r, "address") != strings.TrimPrefix(home.URL, "http://") {
			t.Errorf("phases %+v, facts %v", r.Phases, r.Facts)
		}
		var sum time.Duration
		for _, p := range r.Phases {
			sum += p.Took.Duration()
		}
		if (sum - time.Duration(r.Value.V*1e9)).Abs() > 10*time.Microsecond {
			t.Errorf("phases sum up to %v, total %v", sum, time.Duration(r.Value.V*1e9))
		}
	})
	t.Run("a redirect keeps credentials at home", func(t *testing.T) {
		w := there(pageAt(home.URL + "/away"))
		pageOf(w).Bearer, pageOf(w).FollowRedirects = "token-1", true
		pageOf(w).Match = []*regexp.Regexp{regexp.MustCompile("away")}
		r := watch(t, w)
		if r.Status != pharos.OK || fact(r, "final address") != away.URL+"/x" {
			t.Errorf("got %v %q %v", r.Status, r.Summary, r.Facts)
		}
		if seen := seenAway(); len(seen) != 1 || seen[0].Header["Authorization"] != "" {
			t.Errorf("asked away: %v", seen)
		}
	})
	for name, test := range map[string]struct {
		url  string
		want string
	}{
		"a status is wrong":             {home.URL + "/503", "503, wanted 2xx"},
		"a server that does not listen": {"http://" + unused(t) + "/", "connection refused"},
		"no answer":                     {"http://" + listen(t, says("")) + "/", "the connection was closed without an answer"},
		"a body cut short":              {"http://" + listen(t, says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n012")) + "/", "the answer was cut short"},
		"a long page":                   {home.URL + "/long", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := there(pageAt(test.url))
			pageOf(w).MaxBody = 100_000
			if r := watch(t, w); r.Summary != test.want || (r.Status == pharos.OK) != (test.want == "") {
				t.Errorf("got %v %q, want %q\n%s", r.Status, r.Summary, test.want, r.Detail)
			}
		})
	}
	t.Run("HEAD has no body", func(t *testing.T) {
		w := there(pageAt("http://" + listen(t, hangs("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")) + "/"))
		pageOf(w).Method = "HEAD"
		if r := watch(t, w); r.Status != pharos.OK {
			t.Errorf("got %v %q\n%s", r.Status, r.Summary, r.Detail)
		}
	})
	t.Run("a page without end is fetched up to the limit", func(t *testing.T) {
		sent := make(chan int, 1)
		w := there(pageAt("http://" + listen(t, func(c net.Conn) {
			says("HTTP/1.1 200 OK\r\n\r\n")(c)
			n := 0
			for chunk := []byte(strings.Repeat("x", 64<<10)); ; {
				more, err := c.Write(chunk)
				if n += more; err != nil {
					sent <- n
					return
				}
			}
		}) + "/"))
		pageOf(w).MaxBody = 100_000
		r := watch(t, w)
		if r.Status != pharos.OK || fact(r, "size") != "100000 bytes, then cut off" || phase(r, "first_byte") == 0 {
			t.Errorf("got %v %q %v %+v\n%s", r.Status, r.Summary, r.Facts, r.Phases, r.Detail)
		}
		if n := <-sent; n > 20<<20 { // sockets and pipes hold some
			t.Errorf("%d bytes were sent", n)
		}
	})
	t.Run("a stall is a timeout", func(t *testing.T) {
		w := there(pageAt("http://" + listen(t, hangs("")) + "/"))
		w.Timeout = 3 * time.Second
		if r := watch(t, w); r.Status != pharos.Critical || r.Summary != "timed out after 3 s through ssh to slw" || r.Detail != "curl on slw had not ended\n" {
			t.Errorf("got %v %q %q", r.Status, r.Summary, r.Detail)
		}
	})
	t.Run("there is no curl", func(t *testing.T) {
		for _, program := range []string{"sh", "head", "cat", "sleep", "grep", "kill"} {
			path, err := exec.LookPath(program)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(path, filepath.Join(dir, program)); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", dir)
		if r := watch(t, there(pageAt(home.URL))); r.Status != pharos.Critical || r.Summary != "no curl on slw" {
			t.Errorf("got %v %q\n%s", r.Status, r.Summary, r.Detail)
		}
	})
}
