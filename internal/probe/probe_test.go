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
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

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
	if p := w.Page; p != nil {
		s.AddLogin(p.User, p.Password)
		s.Add(p.Bearer)
		for _, h := range p.Headers {
			s.AddHeader(h.Name, h.Value)
		}
		if u, err := url.Parse(p.URL); err == nil {
			s.AddURL(u)
		}
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
	return p.Run(ctx)
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
	r := p.Run(ctx)
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

func none() pharos.Watcher {
	w := pharos.Watcher{ID: "local.set.name", Set: "Set", Name: "Name", Thresholds: pharos.NoThresholds()}
	for i := range w.PhaseThresholds {
		w.PhaseThresholds[i] = pharos.NoThresholds()
	}
	return w
}

func pageAt(url string) pharos.Watcher {
	w := none()
	w.Page = &pharos.Page{URL: url}
	return w
}

func shell(line string) pharos.Watcher {
	w := none()
	w.Command = &pharos.Command{Shell: line}
	return w
}

// contextOf returns a context that ends by itself.
func contextOf(timeout time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// Places in pharos.PhaseNames.
const (
	phaseTLS       = 2
	phaseFirstByte = 3
	phaseTransfer  = 4
)
