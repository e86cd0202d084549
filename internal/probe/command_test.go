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
