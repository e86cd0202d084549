//go:build bench && linux

package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// roleEnv makes the test binary one of the parts that are measured against, in
// a process of its own, so that what each costs is told apart.
const roleEnv = "PHAROS_BENCH_ROLE"

// descriptors is how many open files each process may have.
const descriptors = 8192

func TestMain(m *testing.M) {
	if err := raiseDescriptors(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var part any
	switch role := os.Getenv(roleEnv); role {
	case "":
		os.Exit(m.Run())
	case "target":
		part = new(Target)
	case "screens":
		part = new(Screens)
	case "engine":
		part = new(Engine)
	case "floor":
		part = new(Floor)
	default:
		fmt.Fprintf(os.Stderr, "taking the role %q: there is none of that name\n", role)
		os.Exit(1)
	}
	server := rpc.NewServer()
	if err := server.RegisterName("Part", part); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server.ServeConn(stdio{}) // until the test closes our input, or is gone
}

func raiseDescriptors() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("reading the limit of open files: %w", err)
	}
	if limit.Max < descriptors {
		return fmt.Errorf("raising the limit of open files: the hard limit is %d, want %d (ulimit -Hn)", limit.Max, descriptors)
	}
	limit.Cur = descriptors
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raising the limit of open files: %w", err)
	}
	return nil
}

type stdio struct{}

func (stdio) Read(b []byte) (int, error)  { return os.Stdin.Read(b) }
func (stdio) Write(b []byte) (int, error) { return os.Stdout.Write(b) }
func (stdio) Close() error                { return os.Stdin.Close() }

// process is a child whose cost is measured.
type process struct {
	cmd  *exec.Cmd
	ask  *rpc.Client // nil: one of the programs
	line string      // the first line of its output; of a program
}

// part starts the test binary in a role.
func part(t *testing.T, role string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := start(cmd); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, ask: rpc.NewClient(struct {
		io.Reader
		io.WriteCloser
	}{stdout, stdin})}
	t.Cleanup(p.stop)
	return p
}

// program starts one of Pharos's own. One that says where it serves is waited
// for until it has.
func program(t *testing.T, speaks bool, path string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := start(cmd); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd}
	t.Cleanup(p.stop)
	if speaks {
		if p.line, err = bufio.NewReader(stdout).ReadString('\n'); err != nil {
			t.Fatalf("starting %q: %v", filepath.Base(path), err)
		}
	}
	return p
}

// start starts a child that goes before all other work on the machine, where
// that is permitted: what is measured is what Pharos and what it is compared
// with do, not who else was there. A child inherits this from the thread that
// started it.
func start(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: 1}, 0); err != nil {
		return cmd.Start()
	}
	err := cmd.Start()
	return errors.Join(err, unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}, 0))
}

// call asks a part for something.
func (p *process) call(t *testing.T, method string, args, reply any) {
	t.Helper()
	if err := p.ask.Call("Part."+method, args, reply); err != nil {
		t.Fatalf("calling %s: %v", method, err)
	}
}

// stop ends the process and waits for it. Stopping twice is fine.
func (p *process) stop() {
	if p.cmd.ProcessState != nil {
		return
	}
	if p.ask != nil {
		p.ask.Close()
	} else {
		p.cmd.Process.Signal(syscall.SIGTERM)
	}
	late := time.AfterFunc(5*time.Second, func() { p.cmd.Process.Kill() })
	defer late.Stop()
	p.cmd.Wait()
}

// cpu returns the processor time that the process has used, exact to the
// nanosecond: its clock's number is made of its pid, as clock_getcpuclockid
// makes it.
func (p *process) cpu(t *testing.T) time.Duration {
	t.Helper()
	var spent unix.Timespec
	if err := unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|2), &spent); err != nil {
		t.Fatalf("reading the processor time of process %d: %v", p.cmd.Process.Pid, err)
	}
	return time.Duration(spent.Nano())
}

// resident returns the process's memory in MB.
func (p *process) resident(t *testing.T) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		t.Fatalf("reading the memory of process %d: no VmRSS", p.cmd.Process.Pid)
	}
	kb, err := strconv.ParseFloat(string(fields[0]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb / 1024
}

// busy returns the processor time that the whole machine has used.
func busy(t *testing.T) time.Duration {
	t.Helper()
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	sum := 0.0
	for i, word := range strings.Fields(line)[1:9] {
		ticks, err := strconv.ParseFloat(word, 64)
		if err != nil {
			t.Fatal(err)
		}
		if i != 3 && i != 4 { // idle, iowait
			sum += ticks
		}
	}
	return time.Duration(sum * float64(10*time.Millisecond))
}

// calm waits for a second in which others leave the machine mostly alone, but
// not for long.
func calm(t *testing.T) {
	t.Helper()
	for range 3 {
		before := busy(t)
		time.Sleep(time.Second)
		if busy(t)-before < 400*time.Millisecond {
			return
		}
	}
}
