package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"pharos/internal/config"
	"pharos/internal/keys"
	"pharos/internal/pharostest"
	"pharos/internal/prober"
)

func TestMain(m *testing.M) {
	if os.Getenv(pharostest.AsProgram) != "" {
		Main(program())
		return
	}
	goleak.VerifyTestMain(m)
}

// told is what the program says that it was run with.
type told struct{ Listen, NATS, Credentials, Site, Prober, Title, ID string }

// program says what it was run with, and waits to be stopped if its title
// wants it.
func program() Program {
	var flags struct {
		Flags
		NATSFlags
		PlaceFlags
		ListenFlags
	}
	return Program{
		Kinds: prober.Kinds(),
		Name:  "example", Help: "Says what it was run with.", Flags: &flags, Common: &flags.Flags,
		Overrides: []Override{&flags.NATSFlags, &flags.PlaceFlags, &flags.ListenFlags},
		Check: func(c *config.Config) error {
			if c.Title == "cannot run" {
				return errors.New("this cannot run")
			}
			return nil
		},
		Default: func(string) ([]byte, error) {
			return []byte("title: built in\nnats: {url: 'nats://built-in:4222'}\n"), nil
		},
		Run: func(ctx context.Context, s *Setup) error {
			bus, err := Bus(s.Config, keys.Role{Kind: keys.Prober, Site: s.Config.Site, Name: s.Config.Prober})
			if err != nil {
				return err
			}
			out := told{Listen: s.Config.Dashboard.Listen, NATS: bus.URL, Credentials: filepath.Base(bus.Credentials), Site: s.Config.Site, Prober: s.Config.Prober, Title: s.Config.Title}
			for _, w := range s.Config.Watchers {
				out.ID = string(w.ID)
			}
			if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
				return err
			}
			s.Log.Info("an info")
			s.Log.Debug("a debug")
			switch s.Config.Title {
			case "waits":
				<-ctx.Done()
			case "is well":
				return s.ServeHealth(ctx, func(context.Context) error { return nil })
			case "is ill":
				return s.ServeHealth(ctx, func(context.Context) error { return errors.New("the board does not answer") })
			case "hangs":
				select {}
			case "is asked before it follows":
				if _, err := io.ReadAll(os.Stdin); err != nil { // until the test has asked
					return err
				}
				following, end := context.WithCancel(ctx)
				defer end()
				return s.Follow(following, func(*config.Config) error { end(); return nil }, func(error) {})
			case "fails":
				return errors.New("running: it was asked to fail")
			}
			return nil
		},
	}
}

// runProgram runs the program to its end.
func runProgram(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := pharostest.Self(t, env, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pharos.yaml")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const whole = `
title: Whole
site: berlin
prober: file
sets:
  - name: Shop
    watchers:
      - {name: home, page: "https://shop.example/"}
nats: {url: "nats://file:4222", credentials: file.creds}
dashboard: {listen: "127.0.0.1:1"}
`

func TestAFlagGoesBeforeItsVariableAndThatBeforeTheFile(t *testing.T) {
	path, more := file(t, whole), file(t, "sets: [{name: Shop, watchers: [{name: more, page: 'https://more.example/'}]}]\n")
	fromFile := told{Listen: "127.0.0.1:1", NATS: "nats://file:4222", Credentials: "file.creds", Site: "berlin", Prober: "file", Title: "Whole", ID: "berlin.shop--2afk4237.home"}
	with := func(change func(want *told)) told {
		want := fromFile
		change(&want)
		return want
	}
	for _, tt := range []struct {
		name string
		env  []string
		args []string
		want told
	}{
		{"file", nil, []string{"-c", path}, fromFile},
		{"file of the variable", []string{"PHAROS_CONFIG=" + path}, nil, fromFile},
		{"file of the flag", []string{"PHAROS_CONFIG=/nowhere"}, []string{"--config", path}, fromFile},
		{"several files", nil, []string{"-c", path, "-c", more}, with(func(w *told) { w.ID = "berlin.shop--2afk4237.more" })},
		{"several files of the variable", []string{"PHAROS_CONFIG=" + path + "," + more}, nil, with(func(w *told) { w.ID = "berlin.shop--2afk4237.more" })},
		{"built-in file", nil, []string{"--site", "oslo", "--prober", "p"},
			told{Listen: ":8811", NATS: "nats://built-in:4222", Credentials: ".", Site: "oslo", Prober: "p", Title: "built in"}},
		{"listen: variable", []string{"PHAROS_LISTEN=127.0.0.1:2"}, []string{"-c", path}, with(func(w *told) { w.Listen = "127.0.0.1:2" })},
		{"listen: flag", []string{"PHAROS_LISTEN=127.0.0.1:2"}, []string{"-c", path, "--listen", "127.0.0.1:3"}, with(func(w *told) { w.Listen = "127.0.0.1:3" })},
		{"port: flag", []string{"PHAROS_LISTEN=127.0.0.1:2"}, []string{"-c", path, "-P", "5"}, with(func(w *told) { w.Listen = ":5" })},
		{"port: any", nil, []string{"-c", path, "-P", "0", "--listen", "127.0.0.1:3"}, with(func(w *told) { w.Listen = ":0" })},
		{"empty variables", []string{"PHAROS_LOG_FORMAT=", "PHAROS_LISTEN=", "PHAROS_NATS_URL=", "PHAROS_SITE=", "PHAROS_PROBER="}, []string{"-c", path}, fromFile},
		{"nats: variables", []string{"PHAROS_NATS_URL=nats://env:1", "PHAROS_NATS_CREDENTIALS=env.creds"}, []string{"-c", path},
			with(func(w *told) { w.NATS, w.Credentials = "nats://env:1", "env.creds" })},
		{"nats: flags", []string{"PHAROS_NATS_URL=nats://env:1", "PHAROS_NATS_CREDENTIALS=env.creds"}, []string{"-c", path, "--nats-url", "nats://flag:1", "--nats-credentials=flag.creds"},
			with(func(w *told) { w.NATS, w.Credentials = "nats://flag:1", "flag.creds" })},
		{"place: variables", []string{"PHAROS_SITE=Oslo", "PHAROS_PROBER=env"}, []string{"-c", path},
			with(func(w *told) { w.Site, w.Prober, w.ID = "Oslo", "env", "oslo--imkszsl7.shop--2afk4237.home" })},
		{"place: flags", []string{"PHAROS_SITE=Oslo", "PHAROS_PROBER=env"}, []string{"-c", path, "--site=oslo", "--prober=flag"},
			with(func(w *told) { w.Site, w.Prober, w.ID = "oslo", "flag", "oslo.shop--2afk4237.home" })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := runProgram(t, tt.env, tt.args...)
			var got told
			if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 || stderr != "" {
				t.Fatalf("exit code %d, %v\n%s%s", code, err, stdout, stderr)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error("want -, got +\n" + diff)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	good := file(t, whole)
	bad := file(t, strings.Replace(whole, "title", "tittle", 1))
	for _, tt := range []struct {
		name           string
		env            []string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"a good file is checked", nil, []string{"--check", "-c", good}, 0, good + ": fine: 1 watcher in 1 set\n", ""},
		{"a bad file is checked", nil, []string{"--check", "-c", bad}, 1, "", "example: " + bad + `: line 2: unknown key "tittle" (did you mean "title"?)` + "\n"},
		{"no file is checked", nil, []string{"--check"}, 1, "", "example: --check: no file is given: say which with -c FILE\n"},
		{"a file that is not there", nil, []string{"-c", "/nowhere/pharos.yaml"}, 1, "", `example: reading "/nowhere/pharos.yaml": no such file or directory` + "\n"},
		{"a bad site is checked", nil, []string{"--check", "-c", good, "--site", " x"}, 1, "", `example: naming the site " x": spaces at an end of " x"` + "\n"},
		{"a bad prober", nil, []string{"--prober", strings.Repeat("x", 81)}, 1, "", "want at most 80 characters, got 81\n"},
		{"a file that cannot be run is checked", nil, []string{"--check", "-c", file(t, "title: cannot run\n")}, 1, "", "/pharos.yaml\": this cannot run\n"},
		{"no port", nil, []string{"--port", "65536"}, 1, "", "example: --port 65536: want 0 to 65535\n"},
		{"a negative port", nil, []string{"--port=-1"}, 1, "", "example: --port -1: want 0 to 65535\n"},
		{"no NATS", nil, []string{"-c", file(t, "title: none\n")}, 1, "", "example: no address of NATS: give a key file with --key, an address with --nats-url nats://host:4222"},
		{"a failure", nil, []string{"-c", file(t, "title: fails\nnats: {url: 'nats://x:4222'}\n")}, 1, `{"Listen":":8811"`, "example: running: it was asked to fail\n"},
		{"the version", nil, []string{"--version"}, 0, "pharos 0.1.0\n", ""},
		{"help", nil, []string{"--help"}, 0, "$PHAROS_NATS_URL", ""},
		{"an unknown flag", nil, []string{"--confg", "x"}, 80, "", `unknown flag --confg, did you mean "--config"?`},
		{"an unknown format", []string{"PHAROS_LOG_FORMAT=xml"}, nil, 80, "", `must be one of "text","json" but got "xml"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := runProgram(t, tt.env, tt.args...)
			if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit code %d, want %d\nstdout %swant   %s\nstderr %swant   %s", code, tt.code, stdout, tt.stdout, stderr, tt.stderr)
			}
			if tt.stdout == "" && stdout != "" || tt.stderr == "" && stderr != "" {
				t.Errorf("more than wanted: stdout %q, stderr %q", stdout, stderr)
			}
		})
	}
}

func TestLogs(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{nil, nil},
		{[]string{"-v"}, []string{`level=INFO msg="an info"`}},
		{[]string{"-vv"}, []string{`level=INFO msg="an info"`, `level=DEBUG msg="a debug"`}},
		{[]string{"-vvvv", "--log-format=json"}, []string{`"level":"INFO","msg":"an info"}`, `"level":"DEBUG","msg":"a debug"}`}},
		{[]string{"--verbose=-1"}, nil},
	} {
		code, _, stderr := runProgram(t, nil, tt.args...)
		lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
		if stderr == "" {
			lines = nil
		}
		if code != 0 || len(lines) != len(tt.want) {
			t.Errorf("%v: exit code %d, %q", tt.args, code, lines)
			continue
		}
		for i, want := range tt.want {
			if !strings.HasSuffix(lines[i], want) {
				t.Errorf("%v: got %s, want %s", tt.args, lines[i], want)
			}
		}
	}
}

// titled returns the program with a file that has this title.
func titled(t *testing.T, title string) *exec.Cmd {
	t.Helper()
	return pharostest.Self(t, nil, "-c", file(t, "title: "+title+"\nnats: {url: 'nats://x:4222'}\n"))
}

func TestASignalEndsItWell(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := pharostest.Start(t, titled(t, "waits"))
		p.Signal(signal)
		if code := p.Wait(); code != 0 {
			t.Errorf("%v: exit code %d", signal, code)
		}
	}
}

func TestASecondSignalEndsOneThatHangs(t *testing.T) {
	if code := pharostest.Start(t, titled(t, "hangs")).Insist(); code == 0 {
		t.Error("it ended by itself")
	}
}

func TestASignalThatComesBeforeItFollowsIsAnswered(t *testing.T) {
	cmd := titled(t, "is asked before it follows")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := pharostest.Start(t, cmd)
	p.Signal(syscall.SIGHUP)
	if err := stdin.Close(); err != nil {
		t.Error(err)
	}
	if code := p.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestListen(t *testing.T) {
	c := &config.Config{Dashboard: config.Dashboard{Listen: "127.0.0.1:0"}}
	l, err := Listen(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	want := fmt.Sprintf("listening on %q: another program does already; choose another port with -P", taken)
	c.Dashboard.Listen = taken
	if _, err := Listen(t.Context(), c); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	c.Dashboard.Listen = "127.0.0.1:none"
	if _, err := Listen(t.Context(), c); err == nil || !strings.HasPrefix(err.Error(), `listening on "127.0.0.1:none": `) {
		t.Errorf("got %v", err)
	} else if _, ok := errors.AsType[*net.OpError](err); !ok {
		t.Errorf("the cause of %v cannot be found", err)
	}
}

// followed is a Setup whose Follow runs; what happens comes by the channel.
func followed(t *testing.T, path string, seen string, hup <-chan os.Signal, p Program, apply func(*config.Config) error) <-chan string {
	t.Helper()
	c, err := config.Parse(path, []byte(seen), os.LookupEnv, prober.Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	p.Common = &Flags{Config: []string{path}}
	s := &Setup{Config: c, Log: slog.New(slog.DiscardHandler), program: p, hup: hup}
	if err := p.override(c); err != nil {
		t.Fatal(err)
	}
	events := make(chan string, 10)
	pharostest.Run(t, func(ctx context.Context) error {
		return s.Follow(ctx, func(c *config.Config) error {
			err := apply(c)
			if err == nil {
				events <- "applied " + c.Title + " of " + c.Site
			}
			return err
		}, func(err error) { events <- "rejected: " + err.Error() })
	})
	return events
}

func wantEvent(t *testing.T, events <-chan string, want string) {
	t.Helper()
	if got := pharostest.Await(t, want, events); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFollow(t *testing.T) {
	path := file(t, "title: two\n")
	hup := make(chan os.Signal)
	write := func(content string) { // and asks for it
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		hup <- syscall.SIGHUP
	}
	p := Program{
		Kinds:     prober.Kinds(),
		Overrides: []Override{&PlaceFlags{Site: "oslo"}, &NATSFlags{NATSURL: "nats://flag:4222"}},
		Fixed:     []config.Keys{config.PlaceKeys, config.BrokerKeys},
	}
	events := followed(t, path, "title: one\n", hup, p, func(c *config.Config) error {
		if c.Title == "three" {
			return errors.New("applying: three is too many")
		}
		return nil
	})
	wantEvent(t, events, "applied two of oslo") // was there when it began
	write("title: three\n")
	wantEvent(t, events, "rejected: applying: three is too many")
	write("title: [\n")
	wantEvent(t, events, "rejected: "+path+": line 2: reading YAML: something here is not YAML")
	write("title: four\nsite: berlin\nnats: {url: 'nats://file:4222'}\n") // flags go before all that
	wantEvent(t, events, "applied four of oslo")
	write("title: five\nprober: another\nnats: {user: anna, password: hunter2}\n")
	wantEvent(t, events, "rejected: applying the file: a change of prober, nats.user, nats.password takes a restart")
	write("title: six\ndashboard: {listen: ':1'}\n") // which is no matter of this program
	wantEvent(t, events, "applied six of oslo")
}

func TestAVariableCanBeInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TEST_FILED_FILE", path)
	t.Setenv("TEST_BOTH_FILE", path)
	t.Setenv("TEST_BOTH", "from the variable")
	t.Setenv("TEST_GONE_FILE", path+".gone")
	for name, want := range map[string]string{"TEST_FILED": "from a file true", "TEST_BOTH": "from the variable true", "TEST_GONE": " false", "TEST_NONE": " false"} {
		if v, ok := lookup(name); fmt.Sprint(v, " ", ok) != want {
			t.Errorf("%s: got %q, %v, want %q", name, v, ok, want)
		}
	}
}

func TestOverridesThatAreWrongAreRefused(t *testing.T) {
	for _, o := range []Override{&PlaceFlags{Site: " "}, &PlaceFlags{Prober: " "}, &ListenFlags{Port: new(-1)}} {
		p := Program{Overrides: []Override{o}}
		if err := p.override(config.Default()); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestFollowWithoutAFile(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := &Setup{Log: slog.New(slog.DiscardHandler), program: Program{Common: &Flags{}}}
	if err := s.Follow(ctx, nil, nil); err != nil {
		t.Error(err)
	}
}

func TestBusOfAllInOne(t *testing.T) {
	dir := t.TempDir()
	if _, err := keys.Make(dir, []string{"hq:4222"}, nil, keys.Role{Kind: keys.Admin, Name: "a"}); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ nats, url, wrong string }{
		"another NATS":        {"url: nats://a:1, listen: ':4222', keys: " + dir + "", "nats://a:1", ""},
		"inside, here":        {"listen: '127.0.0.1:4222'", "nats://127.0.0.1:4222", ""},
		"inside, not run yet": {"listen: ':4222', keys: /nowhere", "nats://127.0.0.1:4222", "has not run yet"},
		"inside, everywhere":  {"listen: ':4222', keys: " + dir + "", "nats://127.0.0.1:4222", ""},
		"inside, version 6":   {"listen: '[::]:4222', keys: " + dir + "", "nats://127.0.0.1:4222", ""},
		"inside, one address": {"listen: '192.0.2.1:4222', keys: " + dir + "", "nats://192.0.2.1:4222", ""},
		"inside, any port":    {"listen: '127.0.0.1:0'", "", "nobody knows the port"},
		"nowhere":             {"", "", "no address of NATS"},
	} {
		c := pharostest.Config(t, "title: T\nnats: {"+row.nats+"}\n")
		o, err := BusOfAllInOne(c, "", keys.Role{Kind: keys.Admin, Name: "x"})
		if o.URL != row.url || (err == nil) != (row.wrong == "") || err != nil && !strings.Contains(err.Error(), row.wrong) {
			t.Errorf("%s: got %q, %v; want %q, %q", name, o.URL, err, row.url, row.wrong)
		}
	}
}

func TestDescribe(t *testing.T) {
	for form, want := range map[string]string{
		"man":  ".B \\-\\-check\nCheck the file and exit.",
		"bash": "complete -o filenames -F _example example",
		"zsh":  "#compdef example\n",
		"fish": "complete -c example -l check -d 'Check the file and exit.'\n",
	} {
		code, stdout, stderr := runProgram(t, nil, "--describe", form)
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("%s: exit code %d, %s%s", form, code, stdout, stderr)
		}
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	_, script, _ := runProgram(t, nil, "--describe", "bash")
	script += "COMP_WORDS=(example --conf); COMP_CWORD=1; _example; echo ${COMPREPLY[@]}\n"
	if out, err := exec.Command(bash, "-c", script).CombinedOutput(); err != nil || string(out) != "--config\n" {
		t.Errorf("%v: it completes %q", err, out)
	}
}
