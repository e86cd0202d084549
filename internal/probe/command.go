package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"pharos/internal/pharos"
	"pharos/internal/redact"
)

// command runs a program and judges its exit code, or a number that it says.
type command struct {
	engine   *Engine
	watcher  pharos.Watcher
	redactor *redact.Redactor
	argv     []string
	dir      string
	env      []string
	script   string         // through ssh: what argv reads
	value    *regexp.Regexp // its first group is the value; nil: the exit code is
}

// number is a number that does not begin within a word: in "load1=0.5 s" it is
// 0.5. A dash between two words is no sign.
var number = regexp.MustCompile(`(?:^|[^\w.])([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)`)

const maxValueText = 64 << 10 // bytes of the output in which a value is looked for

func newCommand(e *Engine, w pharos.Watcher, r *redact.Redactor) (*command, error) {
	spec := w.Command
	c := &command{engine: e, watcher: w, redactor: r, dir: spec.Dir, value: spec.Pattern}
	if spec.Number {
		c.value = number
	}
	if c.value != nil && c.value.NumSubexp() < 1 {
		return nil, fmt.Errorf("reading pattern %q: want a group, (...), around the value", c.value)
	}
	switch {
	case spec.Shell != "" && len(spec.Args) == 0:
		c.argv = []string{"sh", "-c", spec.Shell}
	case spec.Shell == "" && len(spec.Args) > 0:
		c.argv = spec.Args
	default:
		return nil, fmt.Errorf("reading the command: want a line for the shell or a list of arguments")
	}
	for _, v := range spec.Env {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" {
			return nil, fmt.Errorf("reading environment entry %q: want NAME=value", name)
		}
	}
	if w.SSHHost == "" {
		c.env = append(r.Environ(os.Environ()), spec.Env...)
		return c, nil
	}
	for _, v := range spec.Env {
		if name, _, _ := strings.Cut(v, "="); !identifier(name) {
			return nil, fmt.Errorf("reading environment entry %q: want a name of letters, digits and _", name)
		}
	}
	c.script = remote{argv: c.argv, env: spec.Env, dir: spec.Dir}.script(e.nursery.mark)
	c.dir = ""
	var err error
	c.argv, err = e.ssh.argv(w.SSHHost)
	return c, err
}

func (c *command) close() error { return nil }

func (c *command) look(ctx context.Context, r *pharos.Result) {
	start := time.Now()
	var shown capture
	var said *capture
	if c.value != nil {
		said = &capture{head: make([]byte, 0, 256), most: maxValueText}
	}
	state, err := c.run(ctx, &shown, said)
	r.Detail = shown.text(c.redactor)
	switch {
	case ctx.Err() == context.DeadlineExceeded:
		summary := sayTimeout(ctx, start, c.watcher.Timeout)
		if _, connecting := errors.AsType[*sshError](err); connecting {
			summary += " connecting to " + c.watcher.SSHHost
		}
		fail(r, summary)
	case err != nil:
		fail(r, describeStart(err, c.argv[0], c.dir))
	case c.script != "" && state.ExitCode() == sshFailed && !c.engine.ssh.alive(c.watcher.SSHHost):
		fail(r, (&sshError{c.watcher.SSHHost, errors.New(shown.lastLine(c.redactor))}).Error())
	default:
		c.judge(r, state, &shown, said)
	}
}

// run runs the command once. The error is an *sshError or says why it was not
// started.
func (c *command) run(ctx context.Context, shown, said *capture) (*os.ProcessState, error) {
	if c.script != "" {
		if err := c.engine.ssh.ready(ctx, c.watcher.SSHHost); err != nil {
			return nil, err
		}
	}
	return c.engine.run(ctx, running{argv: c.argv, env: c.env, dir: c.dir, input: c.script, shown: shown, said: said})
}

// judge sets value, status and summary of a run that ended by itself.
func (c *command) judge(r *pharos.Result, state *os.ProcessState, shown, said *capture) {
	code := state.ExitCode()
	numberless := ""
	if c.value == nil {
		if code >= 0 {
			r.Value = pharos.Num(float64(code))
		}
	} else {
		r.Unit = c.watcher.Command.Unit
		r.Value, numberless = c.valueIn(said.head)
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		fail(r, fmt.Sprintf("killed by signal %d (%s)", status.Signal(), unix.SignalName(status.Signal())))
		return
	}
	if code != 0 {
		summary := "exit code " + strconv.Itoa(code)
		if line := shown.firstLine(c.redactor); line != "" {
			summary += ": " + line
		}
		fail(r, summary)
		return
	}
	if numberless != "" {
		r.Status, r.Summary = pharos.Unknown, numberless
		return
	}
	judgeValue(r, c.watcher.Thresholds)
}

// valueIn returns the number that the pattern's first group holds, or why
// there is none.
func (c *command) valueIn(output []byte) (pharos.Number, string) {
	at := c.value.FindSubmatchIndex(output)
	if at == nil {
		if c.value == number {
			return pharos.Number{}, "no number in the output"
		}
		return pharos.Number{}, "no match for " + strconv.Quote(c.value.String()) + " in the output"
	}
	from, to := max(at[2], 0), max(at[3], 0) // -1: not part of the match
	v, err := strconv.ParseFloat(string(bytes.TrimSpace(output[from:to])), 64)
	if err != nil || v-v != 0 { // NaN and infinities are no values
		return pharos.Number{}, fmt.Sprintf("%.40q in the output is not a number", c.redactor.Part(string(output), from, to))
	}
	return pharos.Num(v), ""
}

func describeStart(err error, program, dir string) string {
	if _, ok := errors.AsType[*sshError](err); ok {
		return err.Error()
	}
	if dir != "" { // the error does not tell its lack from the program's
		if _, err := os.Stat(dir + "/."); err != nil {
			return fmt.Sprintf("folder %q: %v", dir, errors.Unwrap(err))
		}
	}
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return fmt.Sprintf("%q not found", program)
	case errors.Is(err, os.ErrPermission):
		return fmt.Sprintf("no permission to run %q", program)
	}
	return fmt.Sprintf("starting %q: %v", program, err)
}
