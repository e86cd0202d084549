package allinone_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// errNoBrowser is an error where CI is set; elsewhere the tests that need one are skipped.
var errNoBrowser = errors.New("looking for a browser: got none, wanted chromium: apt-get install chromium")

// browser is the one Chromium that the tests share.
var browser struct {
	ctx context.Context
	err error
}

func startBrowser() (stop func()) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		browser.err = errNoBrowser
		return func() {}
	}
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1920, 1080), chromedp.WSURLReadTimeout(time.Minute))...)
	ctx, cancel := chromedp.NewContext(alloc)
	if err := chromedp.Do(ctx); err != nil {
		browser.err = fmt.Errorf("starting %q (apt-get install chromium): %w", path, err)
	}
	browser.ctx = ctx
	return func() {
		chromedp.Cancel(ctx)
		cancel()
		stopAlloc()
	}
}

// tab is one page in the browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func openTab(t *testing.T, url string) *tab {
	t.Helper()
	if browser.err == errNoBrowser && os.Getenv("CI") == "" {
		t.Skip(browser.err)
	}
	if browser.err != nil {
		t.Fatal(browser.err)
	}
	var mu sync.Mutex // guards complaints
	var complaints []string
	ctx, cancel := chromedp.NewContext(browser.ctx, chromedp.WithListener(func(event any) {
		if e, ok := event.(*runtime.EventExceptionThrown); ok {
			mu.Lock()
			complaints = append(complaints, e.ExceptionDetails.Text)
			mu.Unlock()
		}
	}))
	// The context of the first action bounds the life of the tab: only what
	// follows gets a deadline.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1920, 1080)); err != nil {
		t.Fatal(err)
	}
	timed, stop := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(func() {
		stop()
		cancel()
		mu.Lock()
		defer mu.Unlock()
		if len(complaints) > 0 {
			t.Errorf("the page complained: %s", strings.Join(complaints, "\n"))
		}
	})
	if err := chromedp.Do(timed, chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	return &tab{t, timed}
}

// until waits until an expression is true in the page. What is not there yet is
// not true yet.
func (b *tab) until(expression string) {
	b.t.Helper()
	script := "(() => { try { return " + expression + " } catch (e) { return false } })()"
	if err := chromedp.Do(b.ctx, chromedp.Poll[chromedp.Void](script, chromedp.WithPollingTimeout(patience))); err != nil {
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText")) // only for the message below
		b.t.Fatalf("waiting for %s: %v\n%s", expression, err, text)
	}
}

func TestInARealBrowser(t *testing.T) {
	x := newTarget(t)
	p := start(t, parse(t, fmt.Sprintf(`
title: Glass
sets: [{name: Shop, watchers: [{name: Home page, page: %q, interval: 100ms}]}]`, x.URL)))
	b := openTab(t, p.url)
	shows := func(text string) string {
		return fmt.Sprintf(`document.querySelector(".tile").innerText.includes(%q)`, text)
	}
	status := func(s string) string { return fmt.Sprintf(`document.querySelector(".tile").dataset.s === %q`, s) }
	b.until(status("ok"))
	b.until(shows("Home page"))
	x.status.Store(500)
	b.until(status("critical"))
	b.until(`document.title.includes("✕ 1")`)
	b.until(`/for (\d+ seconds|\d+ minutes?)/.test(document.querySelector(".tile").innerText)`) // no more "just now": it ticks by itself
	x.status.Store(200)
	b.until(status("ok"))
	b.until(shows("was critical"))
	if err := chromedp.Do(b.ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector(".tile").click()`)); err != nil {
		t.Fatal(err)
	}
	b.until(`document.querySelector("#detail").innerText.includes("first byte")`)
	p.stop()
	b.until(`document.querySelector("#overlay").innerText.includes("no contact with the dashboard")`)
}
