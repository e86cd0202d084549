package probe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"pharos/internal/pharos"
)

// outOfFiles leaves this process no file to open until the test ends.
func outOfFiles(t *testing.T) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = uint64(f.Fd()) + 1
	var held []*os.File
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Fatal(err)
		}
		for _, f := range append(held, f) {
			f.Close()
		}
	})
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return
		}
		held = append(held, f)
	}
}

func TestOurOwnFaultIsNotTheTargets(t *testing.T) {
	page := pageAt("http://" + listen(t, says("HTTP/1.1 200 OK\r\n\r\n")) + "/")
	named := pageAt("http://name.example/")
	e := New(Options{})
	defer e.Close()
	e.nameServer = func(context.Context, string, string) (net.Conn, error) { // as it is where no file tells of a server
		return nil, &net.OpError{Op: "dial", Net: "udp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	for name, w := range map[string]pharos.Watcher{"a page": page, "a page with a name": named, "a command": shell("true")} {
		t.Run(name, func(t *testing.T) {
			p, err := e.Prepare(w, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			outOfFiles(t)
			if r := run(t, p, 0); r.Status != pharos.Unknown || r.Summary != "the prober has too many files open: raise its limit (ulimit -n)" {
				t.Errorf("got %v %q", r.Status, r.Summary)
			}
		})
	}
	for _, number := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.EAGAIN, syscall.EADDRNOTAVAIL} {
		for _, op := range []string{"socket", "connect", "fork/exec"} {
			if ownFault(&net.OpError{Op: "dial", Err: os.NewSyscallError(op, number)}) == "" {
				t.Errorf("%s: %v is taken for the target's fault", op, number)
			}
		}
	}
	for _, number := range []syscall.Errno{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ETIMEDOUT, syscall.EHOSTUNREACH} {
		if own := ownFault(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", number)}); own != "" {
			t.Errorf("%v is taken for our own fault: %s", number, own)
		}
	}
}

// asRoot makes the test binary a process that its prober may not kill; asNobody
// makes it that prober, and names the file of such a process.
const (
	asRoot   = "PHAROS_TEST_AS_ROOT"
	asNobody = "PHAROS_TEST_AS_NOBODY"
)

func stayAsRoot() {
	if err := syscall.Setuid(0); err != nil {
		fmt.Println("setuid:", err)
		os.Exit(1)
	}
	time.Sleep(time.Minute)
	os.Exit(0)
}

func beNobody(tool string) {
	e := New(Options{})
	w := of(cmd{Args: []string{tool}, Env: []string{asRoot + "=1"}}.spec())
	w.Timeout = 500 * time.Millisecond
	for range 2 {
		p, err := e.Prepare(w, nil)
		if err != nil {
			panic(err)
		}
		began := time.Now()
		r := run2(p, w.Timeout)
		fmt.Printf("%v|%s|%v\n", r.Status, r.Summary, time.Since(began) < 10*time.Second)
	}
	e.Close()
	fmt.Println("end")
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// asKilled makes the test binary a prober whose command has descendants of every
// sort, which write their numbers to the file that it names.
const asKilled = "PHAROS_TEST_AS_KILLED"

func beKilled(file string) {
	w := shell("(setsid sh -c 'echo $$ >> " + file + "; exec sleep 1000' >/dev/null 2>&1 &); sh -c 'echo $$ >> " + file + "; exec sleep 1000' & echo $$ >> " + file + "; wait")
	p, err := New(Options{}).Prepare(w, nil)
	if err != nil {
		panic(err)
	}
	run2(p, time.Minute)
	os.Exit(1)
}

func TestNothingOutlivesAProberThatIsKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells whose a process is")
	}
	file := filepath.Join(t.TempDir(), "pids")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asKilled+"="+file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if written, _ := os.ReadFile(file); strings.Count(string(written), "\n") == 3 {
			break
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	gone(t, file, 3)
}

func TestARunIsOverThoughItCannotBeKilled(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("only root can start what a prober may not kill")
	}
	dir, err := os.MkdirTemp("", "pharos")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	tool := filepath.Join(dir, "tool")
	if out, err := exec.Command("cp", os.Args[0], tool).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	os.Chmod(dir, 0o755)
	os.Chmod(tool, 0o755|os.ModeSetuid)
	cmd := exec.Command(tool)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), asNobody+"="+tool)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	// The prober is nobody in truth: its copy has no such bit.
	plain := filepath.Join(dir, "prober")
	if out, err := exec.Command("cp", os.Args[0], plain).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	os.Chmod(plain, 0o755)
	cmd.Path, cmd.Args = plain, []string{plain}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stdin.Close()
		cmd.Wait()
	}()
	var lines []string
	for in := bufio.NewScanner(stdout); in.Scan() && in.Text() != "end"; {
		lines = append(lines, in.Text())
	}
	if len(lines) != 2 {
		t.Fatalf("got %q", lines)
	}
	if strings.Contains(lines[0], "setuid") || strings.Contains(lines[0], "nosuid") {
		t.Skip("the folder for temporary files does not let a program be root's: ", lines)
	}
	var pid int
	if _, err := fmt.Sscanf(lines[0], "critical|timed out after 500 ms; process %d (tool) cannot be killed|true", &pid); err != nil {
		t.Fatalf("got %q: %v", lines[0], err)
	}
	defer syscall.Kill(pid, syscall.SIGKILL)
	if want := fmt.Sprintf("critical|not run: process %d (tool) cannot be killed, which an earlier run has left|true", pid); lines[1] != want {
		t.Errorf("got %q, want %q", lines[1], want)
	}
}
