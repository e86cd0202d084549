package pharostest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// AsProgram is the variable that makes a test binary the program that it tests:
// its TestMain looks for it.
const AsProgram = "PHAROS_TEST_AS_PROGRAM"

// Self returns the test binary as the program that it tests, with these variables
// and no others.
func Self(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append([]string{AsProgram + "=1", "GOCOVERDIR=" + t.TempDir()}, env...) // else -cover complains on stderr
	return cmd
}

// Program is one that runs as a process of its own, until the test ends.
type Program struct {
	*exec.Cmd
	First string        // the first line that it said
	Ended chan struct{} // closed when it has

	t   testing.TB
	log Log
}

// Start starts a program and waits for its first line.
func Start(t testing.TB, cmd *exec.Cmd) *Program {
	t.Helper()
	p := &Program{Cmd: cmd, Ended: make(chan struct{}), t: t}
	cmd.Stderr = &p.log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make(chan string, 1)
	go func() {
		defer close(p.Ended)
		r := bufio.NewReader(stdout)
		line, _ := r.ReadString('\n')
		fmt.Fprint(&p.log, line)
		first <- line
		_, _ = io.Copy(&p.log, r)
		_ = cmd.Wait() // how it ended is for the test to judge
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // where it has not ended yet
		<-p.Ended
	})
	if p.First = Await(t, "the first line of a program", first); p.First == "" {
		t.Fatalf("it said nothing but %q, and ended with exit code %d", p.Said(), p.Wait())
	}
	return p
}

// Said returns all that the program has said, on both of its outputs.
func (p *Program) Said() string { return p.log.String() }

// Signal sends the program a signal.
func (p *Program) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// Wait waits for the end of the program and returns its exit code; -1 where a
// signal ended it.
func (p *Program) Wait() int {
	p.t.Helper()
	Await(p.t, "the end of a program", p.Ended)
	return p.ProcessState.ExitCode()
}

// End asks the program to stop and returns its exit code.
func (p *Program) End() int {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	return p.Wait()
}

// Insist asks the program to stop again and again, and returns its exit code.
func (p *Program) Insist() int {
	p.t.Helper()
	for limit := time.After(Patience); ; {
		_ = p.Process.Signal(syscall.SIGTERM) // it may have ended meanwhile
		select {
		case <-p.Ended:
			return p.ProcessState.ExitCode()
		case <-limit:
			p.t.Fatalf("it has not ended after %v; it said: %s", Patience, p.Said())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
