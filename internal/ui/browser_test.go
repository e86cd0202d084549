package ui

import (
	"context"
	"os"
	"testing"

	"github.com/chromedp/chromedp"

	"pharos/internal/pharostest"
)

func TestMain(m *testing.M) { os.Exit(pharostest.Main(m, 0)) }

// tab is a page of the one browser.
type tab struct {
	*pharostest.Tab
	t   testing.TB
	ctx context.Context
}

// open opens the address in a new tab. The tab fails the test if its console says anything that was not allowed.
func open(t testing.TB, address string, width, height int64, allowed ...string) *tab {
	t.Helper()
	p := pharostest.OpenTab(t, address, width, height, allowed...)
	return &tab{p, t, p.Ctx}
}

// allow lets the page complain of what the test does to it.
func (p *tab) allow(text string) { p.Allow(text) }

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	p.Do(actions...)
}

// eval runs a script in the page and returns its value.
func eval[T any](p *tab, script string) T {
	p.t.Helper()
	return pharostest.Eval[T](p.Tab, script)
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
	pharostest.Until[chromedp.Void](p.Tab, script)
}

func (p *tab) resize(width, height int64) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(width, height))
}

// openWith is open in a browser of the test's own, which is started with a flag.
func openWith(t testing.TB, flag, value, address string, width, height int64) *tab {
	t.Helper()
	p := pharostest.OpenTabWith(t, flag, value, address, width, height)
	return &tab{p, t, p.Ctx}
}
