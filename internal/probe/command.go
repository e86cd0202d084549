package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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
	path     string         // where argv[0] is looked up; empty: where the prober's programs are
	script   string         // through ssh: what argv reads
	numeric  bool           // the value is the first number of the output
	value    *regexp.Regexp // or its first group; neither: there is none
}

const maxValueText = 64 << 10 // bytes of the output in which a value is looked for

func newCommand(e *Engine, w pharos.Watcher, r *redact.Redactor) (*command, error) {
	spec := w.Command
	c := &command{engine: e, watcher: w, redactor: r, dir: spec.Dir, numeric: spec.Number, value: spec.Pattern}
	if c.value != nil && c.value.NumSubexp() < 1 {
		return nil, fmt.Errorf("reading pattern %q: want a group, (...), around the value", pharos.PatternText(c.value))
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
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("reading environment entry %q: want NAME=value", name)
		}
		if w.SSHHost != "" && !identifier(name) {
			return nil, fmt.Errorf("reading environment entry %q: want a name of letters, digits and _", name)
		}
		if name == "PATH" && spec.Shell == "" {
			c.path = value
		}
	}
	if w.SSHHost == "" {
		c.env = commandEnv(r.Environ(os.Environ()), spec.Env)
		return c, nil
	}
	c.script = remote{argv: c.argv, env: spec.Env, dir: spec.Dir, plainNumbers: !setsNumbers(spec.Env)}.script(e.reaper.mark)
	c.dir, c.path = "", ""
	var err error
	c.argv, err = e.ssh.argv(w.SSHHost)
	return c, err
}

// commandEnv returns the environment of a command: numbers are written with a
// point, unless the file says otherwise.
func commandEnv(environ, own []string) []string {
	if setsNumbers(own) {
		return append(environ, own...)
	}
	var env []string
	for _, v := range environ {
		if all, ok := strings.CutPrefix(v, "LC_ALL="); !ok {
			env = append(env, v)
		} else if all != "" { // it would go before LC_NUMERIC
			env = append(env, "LANG="+all)
		}
	}
	return append(append(env, "LC_NUMERIC=C"), own...)
}

// setsNumbers reports whether an environment says how numbers are written.
func setsNumbers(env []string) bool {
	return slices.ContainsFunc(env, func(v string) bool {
		return strings.HasPrefix(v, "LC_ALL=") || strings.HasPrefix(v, "LC_NUMERIC=")
	})
}

func (c *command) close() error { return nil }

func (c *command) look(ctx context.Context, r *pharos.Result) {
	start := time.Now()
	if left, ok := c.engine.stuck.Load(c.watcher.ID); ok { // no second run starts beside it
		if left := left.(*stuckError); left.lives() {
			fail(r, "not run: "+left.Error()+", which an earlier run has left")
			return
		}
		c.engine.stuck.Delete(c.watcher.ID)
	}
	var shown capture
	var said *capture
	if c.numeric || c.value != nil {
		said = &capture{head: make([]byte, 0, 256), most: maxValueText}
	}
	state, err := c.run(ctx, &shown, said)
	r.Detail = shown.text(c.redactor)
	stuck, isStuck := errors.AsType[*stuckError](err)
	if isStuck {
		c.engine.stuck.Store(c.watcher.ID, stuck)
	}
	switch {
	case ctx.Err() == context.DeadlineExceeded:
		summary := sayTimeout(ctx, start, c.watcher.Timeout)
		if _, connecting := errors.AsType[*sshError](err); connecting {
			summary += " connecting to " + c.watcher.SSHHost
		}
		if isStuck {
			summary += "; " + stuck.Error()
		}
		fail(r, summary)
	case isStuck:
		fail(r, "left a process behind: "+stuck.Error())
	case err != nil:
		if own := ownFault(err); own != "" {
			unable(r, own)
		} else {
			fail(r, describeStart(err, c.argv[0], c.dir))
		}
	case c.script != "" && state.ExitCode() == sshFailed && !c.engine.ssh.alive(c.watcher.SSHHost):
		fail(r, (&sshError{c.watcher.SSHHost, errors.New(shown.lastLine(c.redactor))}).Error())
	default:
		c.judge(r, state, &shown, said)
	}
}

// run runs the command once. The error is an *sshError, a *stuckError, or says
// why it was not started.
func (c *command) run(ctx context.Context, shown, said *capture) (*os.ProcessState, error) {
	if c.script != "" {
		if err := c.engine.ssh.ready(ctx, c.watcher.SSHHost); err != nil {
			return nil, err
		}
	}
	program := c.argv[0]
	if c.path != "" && !strings.Contains(program, "/") {
		var err error
		if program, err = lookPath(program, c.path, c.dir); err != nil {
			return nil, err
		}
	}
	return c.engine.run(ctx, running{program: program, argv: c.argv, env: c.env, dir: c.dir, input: c.script, shown: shown, said: said})
}

// lookPath returns where a program is that a PATH finds in a working directory.
func lookPath(name, path, dir string) (string, error) {
	for _, folder := range filepath.SplitList(path) {
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(dir, folder)
		}
		at := filepath.Join(folder, name)
		if !filepath.IsAbs(at) {
			at = "./" + at
		}
		if info, err := os.Stat(at); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return at, nil
		}
	}
	return "", exec.ErrNotFound
}

// judge sets value, status and summary of a run that ended by itself.
func (c *command) judge(r *pharos.Result, state *os.ProcessState, shown, said *capture) {
	code := state.ExitCode()
	numberless := ""
	if said != nil {
		r.Unit = c.watcher.Command.Unit
		r.Value, numberless = c.valueIn(said)
	} else if code == 0 {
		r.Text = "ok"
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		fail(r, fmt.Sprintf("killed by signal %d (%s)", status.Signal(), unix.SignalName(status.Signal())))
		return
	}
	if code != 0 {
		r.Facts = append(r.Facts, pharos.Fact{Name: "exit code", Value: strconv.Itoa(code)})
		summary := shown.firstLine(c.redactor)
		if summary == "" {
			summary = "exit code " + strconv.Itoa(code)
		}
		fail(r, summary)
		return
	}
	if numberless != "" {
		r.Status, r.Summary = pharos.Unknown, numberless
		return
	}
	if !r.Value.OK {
		r.Status = pharos.OK
		return
	}
	judgeValue(r, c.watcher.Thresholds)
}

// valueIn returns the value that an output holds, or why there is none.
func (c *command) valueIn(said *capture) (pharos.Number, string) {
	output := asShown(string(said.head))
	where := " in the output"
	if said.dropped {
		where = " in the first " + sayBytes(maxValueText) + " of the output"
	}
	if c.numeric {
		v, problem := firstNumber(output, c.watcher.Command.Unit)
		if problem != "" {
			return pharos.Number{}, strings.Replace(problem, " in the output", where, 1)
		}
		return pharos.Num(v), ""
	}
	at := c.value.FindStringSubmatchIndex(output)
	if at == nil {
		return pharos.Number{}, "no match for " + quotePattern(c.value) + where
	}
	from, to := max(at[2], 0), max(at[3], 0) // -1: not part of the match
	v, err := strconv.ParseFloat(strings.TrimSpace(output[from:to]), 64)
	if err != nil || v-v != 0 { // NaN and infinities are no values
		return pharos.Number{}, fmt.Sprintf("%.40q%s is not a number", c.redactor.Part(output, from, to), where)
	}
	if whole := around(output, from, to, from == at[0], to == at[1]); whole != output[from:to] {
		return pharos.Number{}, fmt.Sprintf("%.40q%s is a part of %.40q", output[from:to], where, whole)
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
