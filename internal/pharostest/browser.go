package pharostest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
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

// browser is the one Chromium that the tests of a room share. The first tab
// starts it, Main ends it.
var browser struct {
	sync.Once
	ctx  context.Context
	stop func()
	err  error
}

func startBrowser() { browser.ctx, browser.stop, browser.err = newBrowser() }

// newBrowser starts a browser. stop is nil where there is none.
func newBrowser(more ...chromedp.ExecAllocatorOption) (ctx context.Context, stop func(), err error) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return nil, nil, errNoBrowser
	}
	alloc, end := chromedp.NewExecAllocator(context.Background(), append(append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1920, 1080), chromedp.WSURLReadTimeout(Patience),
		chromedp.Flag("enable-precise-memory-info", true), chromedp.Flag("js-flags", "--expose-gc"), chromedp.Flag("hide-scrollbars", false)), more...)...)
	ctx, cancel := chromedp.NewContext(alloc)
	if err = chromedp.Do(ctx); err != nil {
		err = fmt.Errorf("starting %q (apt-get install chromium): %w", path, err)
	}
	return ctx, func() {
		_ = chromedp.Cancel(ctx) // it may never have started
		cancel()
		end()
	}, err
}

// Main runs the tests of a room, so many beside each other (0: as many as go test
// would), and finds what they left running.
func Main(m *testing.M, parallel int) (code int) {
	if parallel > 0 {
		if err := flag.Set("test.parallel", strconv.Itoa(parallel)); err != nil {
			panic(err)
		}
	}
	code = m.Run()
	if browser.stop != nil {
		browser.stop()
	}
	http.DefaultClient.CloseIdleConnections()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// Tab is one page of the browser, and what it complained of.
type Tab struct {
	Ctx context.Context
	t   testing.TB

	mu         sync.Mutex // guards all below: the browser tells of complaints from a goroutine of its own
	complaints []string
	allowed    []string
}

// OpenTab opens the address in a new tab. The tab fails the test if its console
// says anything that was not allowed.
func OpenTab(t testing.TB, address string, width, height int64, allowed ...string) *Tab {
	t.Helper()
	browser.Do(startBrowser)
	return openTab(t, browser.ctx, browser.err, address, width, height, allowed...)
}

// OpenTabWith is OpenTab in a browser of the test's own, which is started with a
// flag.
func OpenTabWith(t testing.TB, flag, value, address string, width, height int64) *Tab {
	t.Helper()
	ctx, stop, err := newBrowser(chromedp.Flag(flag, value))
	if stop != nil {
		t.Cleanup(stop)
	}
	return openTab(t, ctx, err, address, width, height)
}

func openTab(t testing.TB, in context.Context, err error, address string, width, height int64, allowed ...string) *Tab {
	t.Helper()
	if err == errNoBrowser && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &Tab{t: t, allowed: allowed}
	ctx, cancel := chromedp.NewContext(in, chromedp.WithListener(func(event any) {
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
	p.Ctx = ctx
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
	p.Do(chromedp.Navigate(address))
	return p
}

// Allow lets the page complain of what the test does to it.
func (p *Tab) Allow(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = append(p.allowed, text)
}

func (p *Tab) complain(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = append(p.complaints, text)
}

// Do does things in the tab.
func (p *Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.Ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// Eval runs a script in the page and returns its value.
func Eval[T any](p *Tab, script string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.Ctx, Patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		p.t.Fatalf("running %s: %v", script, err)
	}
	return value
}

// Until waits until a script's value is true, as the page paints, and returns
// the value and when it was. What is not there yet is not true yet, and a page
// may load itself anew meanwhile.
func Until[T any](p *Tab, script string) (value T, at time.Time) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.Ctx, Patience)
	defer cancel()
	script = "(() => { try { return " + script + " } catch (e) { return false } })()"
	poll := chromedp.Poll[T](script, chromedp.WithPollingTimeout(0))
	value, err := chromedp.Run(ctx, poll)
	for err != nil && ctx.Err() == nil && (strings.Contains(err.Error(), "navigated") || strings.Contains(err.Error(), "context")) {
		value, err = chromedp.Run(ctx, poll)
	}
	if err != nil {
		p.t.Fatalf("waiting for %s: %v; the page shows %q", script, err, Eval[string](p, "document.body.innerText.slice(0, 600)"))
	}
	return value, time.Now()
}
