package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pharos/internal/field"
	"pharos/internal/pharos"
	"pharos/internal/redact"
)

func TestMain(m *testing.M) {
	if os.Getenv(serveEnv) != "" {
		serve()
	}
	if os.Getenv(asRoot) != "" {
		stayAsRoot()
	}
	if tool := os.Getenv(asNobody); tool != "" {
		beNobody(tool)
	}
	if file := os.Getenv(asKilled); file != "" {
		beKilled(file)
	}
	if socket := os.Getenv(asMaster); socket != "" {
		beMaster(strings.ReplaceAll(socket, "%%", "%"))
	}
	if os.Getenv(asPIDOne) != "" {
		wrong := bePIDOne()
		for _, line := range wrong {
			fmt.Println(line)
		}
		os.Exit(min(len(wrong), 1))
	}
	// With a folder that may not be read, a program that is nowhere is "permission
	// denied", not "not found".
	os.Setenv("PATH", strings.Join(slices.DeleteFunc(filepath.SplitList(os.Getenv("PATH")), func(folder string) bool {
		_, err := os.Stat(filepath.Join(folder, "no-such-thing"))
		return errors.Is(err, fs.ErrPermission)
	}), string(filepath.ListSeparator)))
	goleak.VerifyTestMain(m)
}

// watch returns what one run of a watcher sees.
func watch(t testing.TB, w pharos.Watcher) pharos.Result {
	t.Helper()
	e := New(Options{Version: "test"})
	t.Cleanup(func() { e.Close() })
	p, err := e.Prepare(w, redactorOf(w))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return run(t, p, w.Timeout)
}

// redactorOf knows the secrets that the file would have held for a watcher.
func redactorOf(w pharos.Watcher) *redact.Redactor {
	s := make(redact.Secrets)
	if p, ok := w.Spec.(*pageSpec); ok {
		s.AddLogin(string(p.BasicAuth.User), string(p.BasicAuth.Password))
		s.Add(string(p.Bearer))
		for _, h := range p.Headers {
			s.AddHeader(h.Name, h.Value)
		}
		s.AddURL(p.Page.URL)
	}
	return s.Redactor()
}

func run(t testing.TB, p *Probe, timeout time.Duration) pharos.Result {
	t.Helper()
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return seen(p.Run(ctx, pharos.NewTrace(nil)))
}

// run2 is run outside of a test.
func run2(p *Probe, timeout time.Duration) pharos.Result {
	return seen(p.Run(contextOf(timeout), pharos.NewTrace(nil)))
}

// seen is what a measurement comes to without bounds.
func seen(m Measurement) pharos.Result {
	status := map[pharos.Outcome]pharos.Status{
		pharos.Measured: pharos.OK, pharos.Warned: pharos.Warning, pharos.Failed: pharos.Critical, pharos.Unclear: pharos.Unknown, pharos.Unable: pharos.Unknown,
	}[m.Outcome]
	return pharos.Result{Status: status, Summary: m.Reason, Value: m.Value, Unit: m.Unit, Text: m.Text, Detail: m.Detail, Facts: m.Facts, Phases: m.Phases}
}

// watchUntil is watch with a timeout that comes when enough processes have
// written their number to a file, however slow the machine is.
func watchUntil(t testing.TB, w pharos.Watcher, file string, enough int) pharos.Result {
	t.Helper()
	w.Timeout = time.Minute
	e := New(Options{Version: "test"})
	defer e.Close()
	p, err := e.Prepare(w, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx := due{t.Context(), time.Now().Add(w.Timeout), make(chan struct{})}
	go func() {
		defer close(ctx.met)
		for range 10_000 {
			if written, _ := os.ReadFile(file); bytes.Count(written, []byte("\n")) >= enough {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	r := seen(p.Run(ctx, pharos.NewTrace(nil)))
	<-ctx.met
	return r
}

// due is a context whose deadline is met when a test says so.
type due struct {
	context.Context
	deadline time.Time
	met      chan struct{}
}

func (d due) Deadline() (time.Time, bool) { return d.deadline, true }
func (d due) Done() <-chan struct{}       { return d.met }
func (d due) Err() error {
	if isClosed(d.met) {
		return context.DeadlineExceeded
	}
	return nil
}

func none() pharos.Watcher { return pharos.Watcher{ID: "local.set.name", Set: "Set", Name: "Name"} }

// of returns a watcher with a spec, and the traits that the file's reader gives it.
func of(spec Spec) pharos.Watcher {
	w := none()
	w.Spec, w.Traits = spec, spec.Traits()
	if w.Traits.Timed {
		w.Traits.Unit = "s"
	}
	return w
}

// pageAt returns a watcher of a page that follows no redirects.
func pageAt(address string) pharos.Watcher {
	spec := page.New().(*pageSpec)
	spec.FollowRedirects = false
	u := address2url(address)
	if u.User != nil { // as the file's reader does it
		password, _ := u.User.Password()
		spec.BasicAuth.User, spec.BasicAuth.Password, u.User = field.Text(u.User.Username()), field.Secret(password), nil
	}
	spec.Page.URL = u
	return of(spec)
}

func address2url(address string) *url.URL {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return u
}

func pageOf(w pharos.Watcher) *pageSpec { return w.Spec.(*pageSpec) }

// cmd says in short what a command's keys are.
type cmd struct {
	Shell     string
	Args, Env []string
	Dir, Unit string
	Number    bool
	Pattern   *regexp.Regexp
	JSON      string
	Nagios    bool
}

func (c cmd) spec() *commandSpec {
	s := &commandSpec{Command: commandLine{c.Shell, c.Args}, Dir: field.Text(c.Dir), Unit: field.Text(c.Unit), Value: valueRule{number: c.Number, pattern: c.Pattern}}
	if c.JSON != "" {
		s.Value.json, _ = parseJSONPath(c.JSON)
	}
	if c.Nagios {
		s.Protocol = "nagios"
	}
	for _, v := range c.Env {
		name, value, _ := strings.Cut(v, "=")
		s.Env = append(s.Env, field.Entry{Name: name, Value: value})
	}
	return s
}

func shell(line string) pharos.Watcher { return of(cmd{Shell: line}.spec()) }

// contextOf returns a context that ends by itself.
func contextOf(timeout time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	context.AfterFunc(ctx, cancel)
	return ctx
}
