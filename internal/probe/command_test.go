package probe

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

func TestCommandOutcomes(t *testing.T) {
	t.Setenv("LC_ALL", "")
	type outcome struct {
		Status        pharos.Status
		Value         pharos.Number
		Unit, Summary string
		Detail        string
	}
	number := func(line string) cmd { return cmd{Shell: line, Number: true, Unit: "s"} }
	pattern := func(line, p string) cmd {
		return cmd{Shell: line, Pattern: patternsOf(p)[0]}
	}
	args := func(argv ...string) cmd { return cmd{Args: argv} }
	line := func(l string) cmd { return cmd{Shell: l} }
	num, no := pharos.Num, pharos.Number{}
	for name, test := range map[string]struct {
		command cmd
		want    outcome
	}{
		"exit 0 is ok":                      {line("true"), outcome{pharos.OK, no, "", "", ""}},
		"exit 3 is critical":                {line("echo out; echo err >&2; exit 3"), outcome{pharos.Critical, no, "", "out", "out\nerr\n"}},
		"an exit without a word":            {line("exit 1"), outcome{pharos.Critical, no, "", "exit code 1", ""}},
		"no such command in the shell":      {line("no-such-thing"), outcome{pharos.Critical, no, "", "sh: 1: no-such-thing: not found", "sh: 1: no-such-thing: not found\n"}},
		"no such program":                   {args("no-such-thing"), outcome{pharos.Critical, no, "", `"no-such-thing" not found`, ""}},
		"a folder is not a program":         {args("/tmp"), outcome{pharos.Critical, no, "", `no permission to run "/tmp"`, ""}},
		"no such folder":                    {cmd{Shell: "true", Dir: "/no/such/dir"}, outcome{pharos.Critical, no, "", `folder "/no/such/dir": no such file or directory`, ""}},
		"a program is not a folder":         {cmd{Shell: "true", Dir: "/bin/sh"}, outcome{pharos.Critical, no, "", `folder "/bin/sh": not a directory`, ""}},
		"no such program in a folder":       {cmd{Args: []string{"no-such-thing"}, Dir: "/"}, outcome{pharos.Critical, no, "", `"no-such-thing" not found`, ""}},
		"arguments are left alone":          {args("printf", "%s|", "a b", "$HOME", "*"), outcome{pharos.OK, no, "", "", "a b|$HOME|*|"}},
		"a signal is named":                 {line("kill -TERM $$"), outcome{pharos.Critical, no, "", "killed by signal 15 (SIGTERM)", ""}},
		"input is empty":                    {line("cat; echo end"), outcome{pharos.OK, no, "", "", "end\n"}},
		"a number":                          {number("echo lag: 2.5 s of 7"), outcome{pharos.OK, num(2.5), "s", "", "lag: 2.5 s of 7\n"}},
		"a number with an exponent":         {number("echo 1e2"), outcome{pharos.OK, num(100), "s", "", "1e2\n"}},
		"a negative number":                 {number("echo offset -3"), outcome{pharos.OK, num(-3), "s", "", "offset -3\n"}},
		"a digit within a word is none":     {number("echo load1=0.5"), outcome{pharos.OK, num(0.5), "s", "", "load1=0.5\n"}},
		"a dash between words is no sign":   {number("echo load-2"), outcome{pharos.OK, num(2), "s", "", "load-2\n"}},
		"a number and a bad exit":           {number("echo 1; exit 2"), outcome{pharos.Critical, num(1), "s", "1", "1\n"}},
		"a number on standard error is not": {number("echo 1 >&2"), outcome{pharos.Unknown, no, "s", "no number in the output", "1\n"}},
		"no number":                         {number("echo none"), outcome{pharos.Unknown, no, "s", "no number in the output", "none\n"}},
		"a pattern":                         {pattern("echo 10 of 25 MB", `of (\d+)`), outcome{pharos.OK, num(25), "", "", "10 of 25 MB\n"}},
		"a pattern that is not there":       {pattern("echo 10 MB", `of (\d+)`), outcome{pharos.Unknown, no, "", "no match for \"of (\\\\d+)\" in the output", "10 MB\n"}},
		"a pattern that is no number":       {pattern("echo of x", `of (\w+)`), outcome{pharos.Unknown, no, "", `"x" in the output is not a number`, "of x\n"}},
		"infinity is no number":             {pattern("echo of inf", `of (\w+)`), outcome{pharos.Unknown, no, "", `"inf" in the output is not a number`, "of inf\n"}},
		"half of a number is none":          {pattern("echo lag=1,234", `lag=(\d+)`), outcome{pharos.Unknown, no, "", `"1" in the output is a part of "1,234"`, "lag=1,234\n"}},
		"a part that is meant":              {pattern("echo lag=12.7", `lag=(\d+)\.`), outcome{pharos.OK, num(12), "", "", "lag=12.7\n"}},
		"a line of several":                 {pattern("printf 'a\n7\nb\n'", `^(\d+)$`), outcome{pharos.OK, num(7), "", "", "a\n7\nb\n"}},
		"two ways to read it":               {number("echo 1,234 ms"), outcome{pharos.Unknown, no, "s", `"1,234" in the output can be read as 1234 or as 1.234`, "1,234 ms\n"}},
		"colours are none of it":            {number(`printf '\033[1;31m2.5\033[0m\n'`), outcome{pharos.OK, num(2.5), "s", "", "2.5\n"}},
		"what was overwritten is not seen":  {number(`printf '10%%\r20%%\r3\n'`), outcome{pharos.OK, num(3), "s", "", "3\n"}},
		"a number behind the limit":         {number("head -c 70000 /dev/zero | tr '\\0' x; echo 5"), outcome{pharos.Unknown, no, "s", "no number in the first 64 KiB of the output", "long"}},
		"numbers with a point":              {cmd{Shell: `echo "$LC_ALL$LC_NUMERIC"`}, outcome{pharos.OK, no, "", "", "C\n"}},
		"numbers as the file says":          {cmd{Shell: `echo "$LC_NUMERIC"`, Env: []string{"LC_NUMERIC=de_DE"}}, outcome{pharos.OK, no, "", "", "de_DE\n"}},
		"a PATH of its own":                 {cmd{Args: []string{"sh", "-c", "echo $0"}, Env: []string{"PATH=/bin"}}, outcome{pharos.OK, no, "", "", "sh\n"}},
		"a PATH where it is not":            {cmd{Args: []string{"sh", "-c", "echo $0"}, Env: []string{"PATH=/no/such"}}, outcome{pharos.Critical, no, "", `"sh" not found`, ""}},
		"an environment":                    {cmd{Shell: "echo $FOO; pwd", Env: []string{"FOO=a b"}, Dir: "/"}, outcome{pharos.OK, no, "", "", "a b\n/\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := watch(t, of(test.command.spec()))
			r.Detail = strings.ReplaceAll(r.Detail, "/bin/sh", "sh")
			if len(r.Detail) > 1000 {
				r.Detail = "long"
			}
			if (r.Text == "ok") != (r.Status == pharos.OK && !r.Value.OK) {
				t.Errorf("the tile shows %q", r.Text)
			}
			if diff := cmp.Diff(test.want, outcome{r.Status, r.Value, r.Unit, r.Summary, r.Detail}); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNagiosPlugins(t *testing.T) {
	type outcome struct {
		Status              pharos.Status
		Value               pharos.Number
		Unit, Text, Summary string
		Facts               string
	}
	num, no := pharos.Num, pharos.Number{}
	for name, test := range map[string]struct {
		output string
		code   int
		unit   string
		want   outcome
	}{
		"ok":                      {"PING OK - 2 ms|rta=2.5ms;100;500;0 pl=0%;20;60;0", 0, "", outcome{pharos.OK, num(0.0025), "s", "", "", "measures: rta, its warning: 100, its critical: 500, says: PING OK - 2 ms"}},
		"nothing measured":        {"SSH OK", 0, "", outcome{pharos.OK, no, "", "ok", "", "says: SSH OK"}},
		"warning":                 {"DISK WARNING | /=2643MB;5948;5958;0;5968", 1, "", outcome{pharos.Warning, num(2643 << 20), "B", "", "DISK WARNING", "measures: /, its warning: 5948, its critical: 5958"}},
		"critical":                {"LOAD CRITICAL|load1=12.5", 2, "", outcome{pharos.Critical, num(12.5), "", "", "LOAD CRITICAL", "measures: load1"}},
		"unknown":                 {"UNKNOWN: no such host", 3, "", outcome{pharos.Unknown, no, "", "", "UNKNOWN: no such host", ""}},
		"no code of its":          {"what", 42, "", outcome{pharos.Critical, no, "", "", "what", "exit code: 42"}},
		"no word":                 {"", 2, "", outcome{pharos.Critical, no, "", "", "exit code 2", ""}},
		"only what is measured":   {"|a=1", 1, "", outcome{pharos.Warning, num(1), "", "", "|a=1", "measures: a"}},
		"long":                    {"OK - all\nline two\nline three | b=5%;@10:20;~:30", 0, "", outcome{pharos.OK, num(5), "%", "", "", "measures: b, its warning: @10:20, its critical: ~:30, says: OK - all"}},
		"the first line counts":   {"OK | a=1\nmore | b=2", 0, "", outcome{pharos.OK, num(1), "", "", "", "measures: a, says: OK"}},
		"a label in quotes":       {"OK | 'it''s full'=-1.5e2c;;;", 0, "", outcome{pharos.OK, num(-150), "", "", "", "measures: it's full, says: OK"}},
		"an undetermined value":   {"OK | a=U b=7", 0, "", outcome{pharos.OK, num(7), "", "", "", "measures: b, says: OK"}},
		"something else behind":   {"OK | nothing to measure", 0, "", outcome{pharos.OK, no, "", "ok", "", "says: OK"}},
		"the unit of the file":    {"OK | a=200ms", 0, "s", outcome{pharos.OK, num(0.2), "s", "", "", "measures: a, says: OK"}},
		"another than the file's": {"OK | a=5%", 0, "s", outcome{pharos.Unknown, num(5), "%", "", `the plugin measures in "%", and the file says "s"`, "measures: a, says: OK"}},
		"a unit of its own":       {"OK | temp=21C", 0, "", outcome{pharos.OK, num(21), "C", "", "", "measures: temp, says: OK"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := watch(t, of(cmd{Args: []string{"sh", "-c", `printf '%b\n' "$0"; exit $1`, test.output, strconv.Itoa(test.code)}, Nagios: true, Unit: test.unit}.spec()))
			var facts []string
			for _, f := range r.Facts {
				facts = append(facts, f.Name+": "+f.Value)
			}
			if diff := cmp.Diff(test.want, outcome{r.Status, r.Value, r.Unit, r.Text, r.Summary, strings.Join(facts, ", ")}); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			if last := strings.ReplaceAll(test.output, `\n`, "\n"); !strings.Contains(r.Detail, last) {
				t.Errorf("got detail %q", r.Detail)
			}
		})
	}
	if r := watch(t, of(cmd{Shell: "kill -9 $$", Nagios: true}.spec())); r.Status != pharos.Critical || r.Summary != "killed by signal 9 (SIGKILL)" || r.Text != "" {
		t.Errorf("got %+v", r)
	}
}

func TestJSONOfACommand(t *testing.T) {
	for _, row := range []struct {
		output, path string
		want         float64
		problem      string
	}{
		{`{"a": {"b": [1, 2.5]}}`, "$.a.b[1]", 2.5, ""},
		{`{"a": {"b": [1, 2.5]}}`, "a.b[-1]", 2.5, ""},
		{`[{"n": "x", "v": 7}, {"n": "y", "v": 8}]`, `$[?@.n == "y"].v`, 8, ""},
		{`[5]`, "[0]", 5, ""},
		{`{"a": "12.5 "}`, "a", 12.5, ""},
		{`{"a": [1, 2, 3]}`, "a", 3, ""},
		{`{"a-b": 1}`, `$["a-b"]`, 1, ""},
		{`5`, "$", 5, ""},
		{`{"a": true}`, "a", 0, "true at a in the output is not a number"},
		{`{"a": "x"}`, "a", 0, `"x" at a in the output is not a number`},
		{`{"a": {"b": 1}}`, "a", 0, `{"b":1} at a in the output is not a number`},
		{`{"a": null}`, "a", 0, "null at a in the output is not a number"},
		{`{"a": 1}`, "b", 0, "nothing at b in the output"},
		{`{"a": [1, 2]}`, "a[*]", 0, "2 values at a[*] in the output, wanted one"},
		{`{"a": 1} x`, "a", 0, "the output is no JSON: something stands behind it"},
		{`a: 1`, "a", 0, "the output is no JSON: invalid character 'a' looking for beginning of value"},
		{``, "a", 0, "the output is no JSON: there is nothing"},
		{`{"a": 1`, "a", 0, "the output is no JSON: unexpected EOF"},
		{`{"a": 1e999}`, "a", 0, "1e999 at a in the output is not a number"},
		{`{"a": 1` + strings.Repeat(" ", 70_000) + "}", "a", 0, "the output is longer than 64 KiB, and no JSON can be read"},
	} {
		file := filepath.Join(t.TempDir(), "json")
		if err := os.WriteFile(file, []byte(row.output), 0o600); err != nil {
			t.Fatal(err)
		}
		r := watch(t, of(cmd{Args: []string{"cat", file}, JSON: row.path, Unit: "B"}.spec()))
		if r.Summary != row.problem || r.Value.OK != (row.problem == "") || r.Value.V != row.want || (r.Status == pharos.Unknown) != (row.problem != "") {
			t.Errorf("%s at %s: got %v %v %q, want %v %q", row.output[:min(len(row.output), 30)], row.path, r.Status, r.Value, r.Summary, row.want, row.problem)
		}
	}
}

func TestLongOutputIsCutInTheMiddle(t *testing.T) {
	r := watch(t, shell("head -c 5000000 /dev/zero | tr '\\0' x; echo; echo the end"))
	if r.Status != pharos.OK || len(r.Detail) > pharos.MaxDetail || !strings.HasPrefix(r.Detail, "xxx") ||
		!strings.Contains(r.Detail, "\n…\n") || !strings.HasSuffix(r.Detail, "x\nthe end\n") {
		t.Errorf("got %v, %d bytes of detail: %.20q ... %q", r.Status, len(r.Detail), r.Detail, r.Detail[max(0, len(r.Detail)-20):])
	}
}

// gone fails the test if a process of the pids that a command wrote to a file
// lives on. One that was killed may take a moment to die.
func gone(t *testing.T, file string, want int) {
	t.Helper()
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pids := strings.Fields(string(written))
	if len(pids) != want {
		t.Fatalf("%d processes wrote their number, want %d", len(pids), want)
	}
	for _, field := range pids {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		if lives(pid, 10*time.Second) {
			t.Errorf("process %d survived", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// lives reports whether a process is alive after the patience.
func lives(pid int, patience time.Duration) bool {
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, dead := parentOf(pid); dead || syscall.Kill(pid, 0) != nil {
			return false
		}
		if time.Now().After(end) {
			return true
		}
	}
}

func TestNoDescendantSurvives(t *testing.T) {
	// Each says its number, then outstays any run.
	const stay = `sh -c 'echo $$ >> "$PIDS"; sleep 300; true'`
	for name, test := range map[string]struct {
		line      string
		processes int
		late      bool
	}{
		"a child in the background":            {stay + " & until [ -s $PIDS ]; do :; done", 1, false},
		"a child in a session of its own":      {"setsid " + stay + " & until [ -s $PIDS ]; do :; done", 1, false},
		"one that holds nothing of the run":    {"setsid " + stay + " >/dev/null 2>&1 </dev/null & until [ -s $PIDS ]; do :; done", 1, false},
		"one that has wiped all of it":         {`env -i PIDS="$PIDS" PATH="$PATH" setsid ` + stay + ` >/dev/null 2>&1 </dev/null & until [ -s $PIDS ]; do :; done`, 1, false},
		"one that has left by two forks":       {"(setsid sh -c '(" + strings.ReplaceAll(stay, "'", `'\''`) + ") & exit' >/dev/null 2>&1 </dev/null); until [ -s $PIDS ]; do :; done", 1, false},
		"a child that is waited for":           {stay, 1, true},
		"a session of its own, at the timeout": {"setsid " + stay + " & setsid " + stay + " >/dev/null 2>&1 & wait", 2, true},
		"a tree of sessions, at the timeout":   {`setsid sh -c "setsid ` + strings.ReplaceAll(strings.ReplaceAll(stay, `"`, `\"`), "$", `\$`) + ` & wait" & ` + stay, 2, true},
		"a child that ignores signals":         {`trap "" TERM HUP INT; ` + stay, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pids")
			w := shell(test.line)
			w.Spec.(*commandSpec).Env = field.Dictionary{{Name: "PIDS", Value: file}}
			if test.late {
				if r := watchUntil(t, w, file, test.processes); r.Status != pharos.Critical || r.Summary != "timed out after 60 s" {
					t.Errorf("got %v %q, want a timeout", r.Status, r.Summary)
				}
			} else if r := watch(t, w); r.Status != pharos.OK {
				t.Errorf("got %v %q, want ok", r.Status, r.Summary)
			}
			gone(t, file, test.processes)
		})
	}
}

func TestTimedOutCommandShowsItsOutput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	w := shell(`echo so far; echo $$ > "$PIDS"; sleep 300`)
	w.Spec.(*commandSpec).Env = field.Dictionary{{Name: "PIDS", Value: file}}
	if r := watchUntil(t, w, file, 1); r.Detail != "so far\n" || r.Value.OK {
		t.Errorf("got detail %q and value %v", r.Detail, r.Value)
	}
}

func TestPIDOneReapsWhatFallsToIt(t *testing.T) {
	if out, err := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "true").CombinedOutput(); err != nil {
		t.Skipf("the kernel refuses a namespace of processes: %v %s", err, out)
	}
	w := of(cmd{Args: []string{"unshare", "--pid", "--fork", "--mount-proc", os.Args[0], "-test.run=^$"}, Env: []string{asPIDOne + "=1"}}.spec())
	w.Timeout = time.Minute
	if r := watch(t, w); r.Status != pharos.OK {
		t.Errorf("got %v %q:\n%s", r.Status, r.Summary, r.Detail)
	}
}

// asPIDOne makes the test binary a prober that is PID 1 of its namespace.
const asPIDOne = "PHAROS_TEST_PID_ONE"

// bePIDOne runs commands that leave orphans and returns what went wrong.
func bePIDOne() (wrong []string) {
	e := New(Options{})
	defer e.Close()
	for i := range 50 {
		// The orphan leaves group, environment and pipe, dies in its own time
		// and falls to PID 1.
		p, err := e.Prepare(shell("env -i setsid sh -c 'sleep 0.0"+strconv.Itoa(i%10)+"' >/dev/null 2>&1 & exit 3"), nil)
		if err != nil {
			return []string{err.Error()}
		}
		if r := run2(p, 10*time.Second); fact(r, "exit code") != "3" {
			wrong = append(wrong, "status stolen: "+r.Summary)
		}
	}
	var zombies []string
	last, err := e.Prepare(shell("true"), nil)
	if err != nil {
		return []string{err.Error()}
	}
	for range 500 { // until the last orphan has died, and a run after it
		run2(last, 10*time.Second)
		zombies = nil
		for _, pid := range processes() {
			if _, dead := parentOf(pid); dead || pid != 1 {
				zombies = append(zombies, strconv.Itoa(pid))
			}
		}
		if zombies == nil {
			return wrong
		}
		time.Sleep(20 * time.Millisecond)
	}
	return append(wrong, "left over: "+strings.Join(zombies, " "))
}
