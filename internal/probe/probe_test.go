package probe

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pharos/internal/pharos"
)

func TestMain(m *testing.M) {
	if os.Getenv(serveEnv) != "" {
		serve()
	}
	if os.Getenv(asPIDOne) != "" {
		wrong := bePIDOne()
		for _, line := range wrong {
			fmt.Println(line)
		}
		os.Exit(min(len(wrong), 1))
	}
	goleak.VerifyTestMain(m)
}

// watch returns what one run of a watcher sees.
func watch(t testing.TB, w pharos.Watcher) pharos.Result {
	t.Helper()
	e := New(Options{Version: "test"})
	t.Cleanup(func() { e.Close() })
	p, err := e.Prepare(w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return run(t, p, w.Timeout)
}

func run(t testing.TB, p *Probe, timeout time.Duration) pharos.Result {
	t.Helper()
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return p.Run(ctx)
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
