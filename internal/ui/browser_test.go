package ui

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"
)

// errNoBrowser is an error where CI is set; elsewhere the tests that need one are skipped.
var errNoBrowser = errors.New("looking for a browser: got none, wanted chromium: apt-get install chromium")

var browser struct {
	ctx context.Context
	err error
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		browser.err = errNoBrowser
		return m.Run()
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1920, 1080), chromedp.WSURLReadTimeout(60*time.Second),
		chromedp.Flag("enable-precise-memory-info", true), chromedp.Flag("js-flags", "--expose-gc"), chromedp.Flag("hide-scrollbars", false))...)
	ctx, cancel := chromedp.NewContext(alloc)
	if err := chromedp.Do(ctx); err != nil {
		browser.err = fmt.Errorf("starting %q (apt-get install chromium): %w", path, err)
	}
	browser.ctx = ctx
	code := m.Run()
	chromedp.Cancel(ctx)
	cancel()
	stop()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// tab is one page of the one browser, and what it complained of.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu         sync.Mutex // guards all below: the browser tells of complaints from a goroutine of its own
	complaints []string
	allowed    []string
}

// open opens the address in a new tab. The tab fails the test if its console says anything that was not allowed.
func open(t testing.TB, address string, width, height int64, allowed ...string) *tab {
	t.Helper()
	if browser.err == errNoBrowser && os.Getenv("CI") == "" {
		t.Skip(browser.err)
	}
	if browser.err != nil {
		t.Fatal(browser.err)
	}
	p := &tab{t: t, allowed: allowed}
	ctx, cancel := chromedp.NewContext(browser.ctx, chromedp.WithListener(func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			text := e.ExceptionDetails.Text
			if e.ExceptionDetails.Exception != nil {
				text += " " + e.ExceptionDetails.Exception.Description
			}
			p.complain(text)
		case *runtime.EventConsoleAPICalled:
			for _, arg := range e.Args {
				p.complain(string(arg.Value))
			}
		case *log.EventEntryAdded:
			p.complain(e.Entry.Text + " " + e.Entry.URL)
		}
	}))
	t.Cleanup(func() {
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, text := range p.complaints {
			if !slices.ContainsFunc(p.allowed, func(ok string) bool { return strings.Contains(text, ok) }) {
				t.Errorf("the page complained: %s", text)
			}
		}
	})
	// The context of the first action bounds the life of the tab: only what follows gets a deadline.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height)); err != nil {
		t.Fatal(err)
	}
	var cancelTimeout context.CancelFunc
	p.ctx, cancelTimeout = context.WithTimeout(ctx, 80*time.Second+*soak/5+time.Duration(*frames)*time.Millisecond)
	t.Cleanup(cancelTimeout)
	p.do(chromedp.Navigate(address))
	return p
}

// allow lets the page complain of what the test does to it.
func (p *tab) allow(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = append(p.allowed, text)
}

func (p *tab) complain(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = append(p.complaints, text)
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// eval runs a script in the page and returns its value.
func eval[T any](p *tab, script string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script))
	if err != nil {
		p.t.Fatalf("running %s: %v", script, err)
	}
	return value
}

// painted runs a script right after the page has painted a frame. Between two,
// tiles may have been moved and not been filled yet, which nobody sees.
func painted[T any](p *tab, script string) T {
	p.t.Helper()
	script = "new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(" + script + "))))"
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("running %s: %v", script, err)
	}
	return value
}

// wait waits until the script's value is true, as the page paints. What is not there yet is not true yet.
func (p *tab) wait(script string) {
	p.t.Helper()
	script = "(() => { try { return " + script + " } catch (e) { return false } })()"
	poll := chromedp.Poll[chromedp.Void](script, chromedp.WithPollingTimeout(15*time.Second))
	_, err := chromedp.Run(p.ctx, poll)
	for range 10 {
		if err == nil || !strings.Contains(err.Error(), "navigated") && !strings.Contains(err.Error(), "context") {
			break
		}
		_, err = chromedp.Run(p.ctx, poll) // the page reloaded itself
	}
	if err != nil {
		p.t.Fatalf("waiting for %s: %v; the page shows %q", script, err, eval[string](p, "document.body.innerText.slice(0, 600)"))
	}
}

func (p *tab) resize(width, height int64) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(width, height))
}
