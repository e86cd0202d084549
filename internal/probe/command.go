package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"pharos/internal/field"
	"pharos/internal/pharos"
	"pharos/internal/redact"
)

var command = Kind{
	Key: "command", Doc: commandDoc, Remote: true,
	New: func() Spec { return new(commandSpec) },
}

const commandDoc = `Runs a command. Exit code 0 is ok; any other is critical, with the first line of the output. With a ${value}, the number that it says is judged.

${value: number} is the first number of the output, read whole or not at all: ${1,234 ms} can be read in two ways, and is unknown. ${120ms} is 0.12 where ${unit: s} says so.
${value: {pattern: "lag=(\\d+)"}} takes the first group of a regular expression, ${value: {json: $.queue.length}} what stands at a path (RFC 9535) of the output, which is JSON: a number, a text
that is one, or a list, whose length it is. A value is looked for in the first 64 KiB. Commands write numbers with a point (${LC_NUMERIC=C}), unless
${env} sets ${LC_NUMERIC} or ${LC_ALL}. A ${unit} goes with any of these. Colours of a terminal are taken out of all output.

With ${protocol: nagios} the exit codes 0 to 3 are ok, warning, critical and unknown, and the value is the first performance value, whose unit is brought to ${s}, ${B} or ${%}:
${{name: Disk, command: "check_disk -w 20% -c 10% -p /", protocol: nagios}} is enough. By its own bounds it has judged itself: they are
facts. ${thresholds} judge the value besides; they want the ${unit}, unless they are plain numbers.

A command is over at its timeout, and whatever it has started is killed when it is over, or when the prober dies. If a process cannot be killed (one that ${sudo} has started, say), that is
critical, names it, and the command is not run again while the process lives.`

type commandSpec struct {
	field.Section
	Command  commandLine      `yaml:"command" also:"exec script cmd shell run" doc:"A command to run: a text goes through sh -c, a list is run as it is." required:"true"`
	Unit     field.Text       `yaml:"unit" doc:"The value's unit: s, %, days, B, or any other word of at most 16 bytes."`
	Value    valueRule        `yaml:"value" doc:"What the value is: exit_code, number (the first of the output), a pattern's first group, or what stands at a path of JSON." default:"exit_code"`
	Protocol field.Word       `yaml:"protocol" words:"nagios" doc:"nagios: it is a plugin of Nagios." default:"none"`
	Env      field.Dictionary `yaml:"env" also:"environment" doc:"Variables on top of the prober's own."`
	Dir      field.Text       `yaml:"dir" also:"cwd workdir working_directory" doc:"Working directory; with ssh_host, one over there." default:"the prober's"`
}

// commandLine is a shell's line, or a program and its arguments.
type commandLine struct {
	shell string
	args  []string
}

// Read implements field.Value.
func (c *commandLine) Read(r *field.Reader, n *field.Node, key string) {
	if field.IsList(n) {
		var args field.Texts
		args.Read(r, n, key)
		switch items := field.OneOrMore(n); {
		case len(args) < len(items): // one was no text
		case len(args) == 0 || args[0] == "":
			r.Fail(n, "%swant a program, got nothing", field.Label(key))
		default:
			c.args = args
		}
		return
	}
	s, ok := r.Text(n, key)
	if ok && strings.TrimSpace(s) == "" {
		r.Fail(n, "%swant a command, got nothing", field.Label(key))
		return
	}
	c.shell = s
}

// Shape implements field.Value.
func (commandLine) Shape() field.Shape {
	return field.Shape{Word: "text, list", Schema: field.AnyOf(field.Object{"type": "string", "minLength": 1},
		field.Object{"type": "array", "items": field.Object{"type": "string"}, "minItems": 1})}
}

// argv returns the program and its arguments.
func (c *commandLine) argv() []string {
	if c.args != nil {
		return c.args
	}
	return []string{"sh", "-c", c.shell}
}

// valueRule says what a command's value is: neither number nor pattern is the
// exit code, if it is not a mistake that has been told.
type valueRule struct {
	exitCode bool
	number   bool
	pattern  *regexp.Regexp
	json     jsonPath
}

type valueKeys struct {
	field.Section
	Pattern field.Text `yaml:"pattern" also:"regexp regex match" doc:"A regular expression (RE2); its first group is the value."`
	JSON    field.Text `yaml:"json" also:"jsonpath path" doc:"A path into the output, which is JSON (RFC 9535)."`
}

// Read implements field.Value.
func (v *valueRule) Read(r *field.Reader, n *field.Node, key string) {
	if field.IsMapping(n) {
		var p valueKeys
		r.Read(n, key, &p)
		switch {
		case p.Has("json") == p.Has("pattern"):
			r.Fail(n, "%swant either a pattern or json", field.Label(key))
			return
		case p.Has("json"):
			var wrong string
			if v.json, wrong = parseJSONPath(string(p.JSON)); wrong != "" {
				r.Fail(p.At("json"), "%s.json: %s", key, wrong)
			}
			return
		}
		switch re := r.Pattern(p.At("pattern"), key+".pattern", string(p.Pattern)); {
		case re == nil:
		case re.NumSubexp() == 0:
			r.Fail(p.At("pattern"), `%s.pattern: no group in %q: put what is the value into brackets, as in "lag=(\\d+)"`, key, string(p.Pattern))
		default:
			v.pattern = re
		}
		return
	}
	s, ok := r.Scalar(n, key, "exit_code, number, {pattern: ...} or {json: ...}")
	switch {
	case !ok:
	case s.Text == "exit_code":
		v.exitCode = true
	case s.Text == "number":
		v.number = true
	default:
		r.Fail(n, `%swant exit_code, number, {pattern: "..."} or {json: "..."}, got %s`, field.Label(key), s.Describe())
	}
}

// Nested implements the field's schema: there is a section within.
func (valueRule) Nested(s *field.Schemas) field.Shape {
	return field.Shape{Word: "word, {pattern}, {json}", Schema: field.AnyOf(field.Object{"enum": []string{"exit_code", "number"}}, s.Struct(reflect.TypeFor[valueKeys]()))}
}

// Shape implements field.Value.
func (v valueRule) Shape() field.Shape { return v.Nested(&field.Schemas{Defs: field.Object{}}) }

var envWord = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Check implements Spec.
func (s *commandSpec) Check(c *field.Checker) {
	c.Path(&s.Section, "", "dir", &s.Dir)
	if len(s.Unit) > pharos.MaxUnit || pharos.CleanLine(string(s.Unit), pharos.MaxUnit) != string(s.Unit) {
		c.Fail(s.At("unit"), "unit: want a word of at most %d bytes, got %q", pharos.MaxUnit, field.Short(string(s.Unit)))
	}
	if s.Unit != "" && s.plain() {
		c.Fail(s.At("unit"), "unit: an exit code has none; write value: number, or a pattern")
	}
	if s.Protocol != "" && s.Has("value") {
		c.Fail(s.At("value"), "value: a plugin of Nagios says itself what it measures")
	}
	for _, e := range s.Env {
		if !envWord.MatchString(e.Name) {
			c.Fail(e.Key, "env: %q cannot be the name of a variable", field.Short(e.Name))
		}
		if strings.ContainsRune(e.Value, 0) {
			c.Fail(e.Node, "env.%s: a variable cannot hold a zero byte", e.Name)
		}
		c.Secrets.AddNamed(e.Name, e.Value)
	}
}

// plain reports whether the value is the exit code.
func (s *commandSpec) plain() bool { return s.Protocol == "" && (s.Value.exitCode || !s.Has("value")) }

// Target implements Spec.
func (s *commandSpec) Target() string {
	if s.Command.args != nil {
		return strings.Join(s.Command.args, " ")
	}
	return s.Command.shell
}

// Traits implements Spec.
func (s *commandSpec) Traits() pharos.Traits {
	unbounded := ""
	if s.plain() {
		unbounded = "an exit code has none, all but 0 is critical; write value: number, or a pattern"
	}
	return pharos.Traits{Class: pharos.Process, Unit: string(s.Unit), Unbounded: unbounded}
}

// commander runs one command again and again.
type commander struct {
	engine   *Engine
	spec     *commandSpec
	watcher  pharos.Watcher
	redactor *redact.Redactor
	argv     []string
	dir      string
	env      []string
	path     string // where argv[0] is looked up; empty: where the prober's programs are
	script   string // through ssh: what argv reads
}

const maxValueText = 64 << 10 // bytes of the output in which a value is looked for

// Prepare implements Spec.
func (s *commandSpec) Prepare(e *Engine, w pharos.Watcher) (Run, error) {
	c, err := s.prepare(e, w)
	if err != nil {
		return nil, err
	}
	return c.run, nil
}

func (s *commandSpec) prepare(e *Engine, w pharos.Watcher) (c *commander, err error) {
	c = &commander{engine: e, spec: s, watcher: w, redactor: e.Redactor, argv: s.Command.argv(), dir: string(s.Dir)}
	var env []string
	for _, v := range s.Env {
		env = append(env, v.Name+"="+v.Value)
		if v.Name == "PATH" && s.Command.args != nil {
			c.path = v.Value
		}
	}
	if w.SSHHost == "" {
		c.env = commandEnv(c.redactor.Environ(os.Environ()), env)
		return c, nil
	}
	c.script = remote{argv: c.argv, env: env, dir: c.dir, plainNumbers: !setsNumbers(env)}.script(e.reaper.mark)
	c.dir, c.path = "", ""
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

func (c *commander) run(ctx context.Context, t *Trace) (m Measurement) {
	if left, ok := c.engine.stuck.Load(c.watcher.ID); ok { // no second run starts beside it
		if left := left.(*stuckError); left.lives() {
			m.Fail("not run: " + left.Error() + ", which an earlier run has left")
			return m
		}
		c.engine.stuck.Delete(c.watcher.ID)
	}
	var shown capture
	var said *capture
	if v := &c.spec.Value; v.number || v.pattern != nil || v.json.path != nil || c.spec.Protocol != "" {
		said = &capture{head: make([]byte, 0, 256), most: maxValueText}
	}
	state, err := c.start(ctx, &shown, said)
	m.Detail = shown.text(c.redactor)
	stuck, isStuck := errors.AsType[*stuckError](err)
	if isStuck {
		c.engine.stuck.Store(c.watcher.ID, stuck)
	}
	switch {
	case ctx.Err() == context.DeadlineExceeded:
		m.Outcome, m.Cause = pharos.Failed, cmp.Or(err, context.DeadlineExceeded)
	case isStuck:
		m.Fail("left a process behind: " + stuck.Error())
	case err != nil && ownFault(err) != "":
		m.Outcome, m.Cause = pharos.Failed, err
	case err != nil:
		m.Fail(describeStart(err, c.argv[0], c.dir))
	case c.script != "" && state.ExitCode() == sshFailed && !c.engine.ssh.alive(c.watcher.SSHHost):
		m.Fail((&sshError{c.watcher.SSHHost, errors.New(shown.lastLine(c.redactor))}).Error())
	default:
		c.look(&m, state, &shown, said)
	}
	return m
}

// start runs the command once. The error is an *sshError, a *stuckError, or says
// why it was not started.
func (c *commander) start(ctx context.Context, shown, said *capture) (*os.ProcessState, error) {
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

// look says what a run that ended by itself came to.
func (c *commander) look(m *Measurement, state *os.ProcessState, shown, said *capture) {
	code := state.ExitCode()
	status, ok := state.Sys().(syscall.WaitStatus)
	killed := ok && status.Signaled()
	numberless := ""
	switch {
	case c.spec.Protocol != "" && !killed:
		c.lookAtPlugin(m, code, shown, said)
		return
	case c.spec.Protocol != "":
	case said != nil:
		m.Value, numberless = c.valueIn(said)
	case code == 0:
		m.Text = "ok"
	}
	switch {
	case killed:
		m.Fail(fmt.Sprintf("killed by signal %d (%s)", status.Signal(), signalName(status.Signal())))
	case code != 0:
		m.AddFact("exit code", strconv.Itoa(code))
		m.Fail(cmp.Or(shown.firstLine(c.redactor), "exit code "+strconv.Itoa(code)))
	case numberless != "":
		m.Outcome, m.Reason = pharos.Unclear, numberless
	}
}

// lookAtPlugin says what a plugin of Nagios came to.
func (c *commander) lookAtPlugin(m *Measurement, code int, shown, said *capture) {
	p := parsePlugin(asShown(string(said.head)))
	m.Text = "ok"
	if p.measured {
		m.Value, m.Unit, m.Text = pharos.Num(p.value), p.unit, ""
		m.AddFact("measures", p.label)
		m.AddFact("its warning", p.warning)
		m.AddFact("its critical", p.critical)
	}
	text := pharos.CleanLine(c.redactor.Part(p.text, 0, len(p.text)), pharos.MaxSummary)
	text = cmp.Or(text, shown.firstLine(c.redactor), "exit code "+strconv.Itoa(code))
	switch code {
	case 0:
		if unit := string(c.spec.Unit); p.measured && unit != "" && unit != p.unit {
			m.Outcome, m.Reason = pharos.Unclear, fmt.Sprintf("the plugin measures in %q, and the file says %q", p.unit, unit)
		}
		m.AddFact("says", text)
	case 1:
		m.Outcome, m.Reason = pharos.Warned, text
	case 2:
		m.Fail(text)
	case 3:
		m.Outcome, m.Reason = pharos.Unclear, text
	default:
		m.AddFact("exit code", strconv.Itoa(code))
		m.Fail(text)
	}
	if m.Outcome != pharos.Measured && !p.measured {
		m.Text = ""
	}
}

// valueIn returns the value that an output holds, or why there is none.
func (c *commander) valueIn(said *capture) (pharos.Number, string) {
	output := asShown(string(said.head))
	where := " in the output"
	if said.dropped {
		where = " in the first " + sayBytes(maxValueText) + " of the output"
	}
	if c.spec.Value.json.path != nil {
		return c.jsonIn(output, said.dropped)
	}
	if c.spec.Value.number {
		v, problem := firstNumber(output, string(c.spec.Unit))
		if problem != "" {
			return pharos.Number{}, strings.Replace(problem, " in the output", where, 1)
		}
		return pharos.Num(v), ""
	}
	at := c.spec.Value.pattern.FindStringSubmatchIndex(output)
	if at == nil {
		return pharos.Number{}, "no match for " + quotePattern(c.spec.Value.pattern) + where
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

// jsonIn returns the value that stands at a path of an output, or why there is none.
func (c *commander) jsonIn(output string, cut bool) (pharos.Number, string) {
	document, err := decodeJSON([]byte(output))
	switch {
	case cut:
		return pharos.Number{}, "the output is longer than " + sayBytes(maxValueText) + ", and no JSON can be read"
	case err != nil:
		return pharos.Number{}, "the output is no JSON: " + err.Error()
	}
	path := &c.spec.Value.json
	switch found := path.path.Select(document); len(found) {
	case 0:
		return pharos.Number{}, "nothing at " + path.text + " in the output"
	case 1:
		v, ok := jsonNumber(found[0])
		if !ok {
			return pharos.Number{}, fmt.Sprintf("%s at %s in the output is not a number", shownJSON(found[0], c.redactor), path.text)
		}
		return pharos.Num(v), ""
	default:
		return pharos.Number{}, fmt.Sprintf("%d values at %s in the output, wanted one", len(found), path.text)
	}
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
