package ui

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestFirstMinute: the built-in sample says what it is and how to watch one's own, until that is closed for good.
func TestFirstMinute(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, well(7))
	d.set(func(d *dashboard) { d.sample = true })
	p := open(t, d.URL, 1280, 720)
	hint := "document.getElementById('hint')"
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 7 && /built-in sample.*pharos.yaml.*lists the keys/.test(" + hint + ".innerText)")
	for _, flaw := range painted[[]string](p, flaws) {
		t.Error(flaw)
	}
	before := eval[float64](p, "document.getElementById('tile-0').getBoundingClientRect().top")
	p.do(chromedp.Click(chromedp.CSS("#hint button")))
	p.wait(hint + ".hidden")
	if after := painted[float64](p, "document.getElementById('tile-0').getBoundingClientRect().top"); after >= before {
		t.Errorf("the tiles stand at %v px, wanted them to take the room of the line that was closed, above %v px", after, before)
	}
	for _, flaw := range painted[[]string](p, flaws) {
		t.Error(flaw)
	}
	p.do(chromedp.Navigate(d.URL))
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 7")
	if !eval[bool](p, hint+".hidden") {
		t.Error("a line that was closed is back after a reload")
	}
	p.do(chromedp.Evaluate[chromedp.Void]("localStorage.clear()"))
	d.set(func(d *dashboard) { d.sample = false })
	p.do(chromedp.Navigate(d.URL))
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 7")
	if !eval[bool](p, hint+".hidden") {
		t.Error("a file of one's own is called a sample")
	}
}

// TestMouseTellsAllOfATile: what there is no room for on its face.
func TestMouseTellsAllOfATile(t *testing.T) {
	t.Parallel()
	p := open(t, newDashboard(t, few).URL, 1280, 720)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3")
	at := eval[[]float64](p, "(b => [b.left + 5, b.top + 5])(document.getElementById('tile-0').getBoundingClientRect())")
	p.do(chromedp.MouseEvent("mouseMoved", at[0], at[1]))
	p.wait("document.getElementById('tile-0').title === 'Home page, ok, 133 ms, for 2 days'")
	if got := eval[string](p, "getComputedStyle(document.getElementById('tile-0')).cursor + ' ' + getComputedStyle(document.getElementById('tile-0'), '::before').display"); got != "pointer block" {
		t.Errorf("a tile under the mouse: got %q, wanted it to show that it opens", got)
	}
}
