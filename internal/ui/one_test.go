package ui

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestPageOfOneWatcher: it is open from the start, follows what happens, and leads to the whole board.
func TestPageOfOneWatcher(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]*dashboard{"a state with the page": carrying(t, few), "no state with the page": newDashboard(t, few)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d.set(func(d *dashboard) {
				d.details["berlin.shop.checkout"] = checkout()
				d.details["berlin.shop.checkout"]["description"], d.details["berlin.shop.checkout"]["link"] = "What people pay with", "https://wiki.example/checkout"
			})
			p := open(t, d.URL+"/w/berlin.shop.checkout", 390, 844)
			p.wait("document.querySelector('#detail pre') && document.querySelector('.held').innerText.includes('following')")
			p.wait("document.title === '! 1 \u00b7 Checkout' && document.querySelectorAll('.tile').length === 1 && document.getElementById('pulse').textContent === 'live'")
			shown := eval[string](p, "document.querySelector('#detail').innerText")
			for _, want := range []string{"Checkout", "1.84", "slower than 1 s", "What people pay with", "https://wiki.example/checkout", "first byte"} {
				if !strings.Contains(shown, want) {
					t.Errorf("the page shows %q, wanted %q in it", shown, want)
				}
			}
			if wide := eval[float64](p, "document.documentElement.scrollWidth"); wide > 390 {
				t.Errorf("the page is %v px wide on a screen of 390", wide)
			}
			d.set(func(d *dashboard) { d.details["berlin.shop.checkout"]["detail"] = "line three" })
			d.frame(object{"i": 1, "s": "critical", "v": "2.01", "f": d.now() + 60, "m": "500"}, object{"i": 0, "s": "critical", "f": d.now()})
			p.wait("document.querySelector('.sheet-head[data-s=critical] .value').textContent === '2.01' && document.title === '\u2715 1 \u00b7 Checkout'")
			p.wait("document.querySelector('#detail pre').textContent === 'line three'")
			p.do(chromedp.KeyEvent(kb.Escape))
			if eval[bool](p, "document.getElementById('detail').hidden") {
				t.Error("Escape closes the page's one watcher")
			}
			p.do(chromedp.Evaluate[chromedp.Void]("document.querySelector('.whole').click()"))
			p.wait("document.querySelectorAll('.tile[aria-label]').length === 3 && location.pathname === '/'")
			p.do(chromedp.Evaluate[chromedp.Void]("document.getElementById('tile-1').click()"))
			p.wait("document.querySelector('.sheet-body > a[href$=\"/w/berlin.shop.checkout\"]')")
		})
	}
}

func TestPageOfAWatcherThatIsNotThere(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := open(t, d.URL+"/w/berlin.shop.nope", 1280, 720)
	p.wait("document.getElementById('empty').textContent === 'no watcher \u201cberlin.shop.nope\u201d' && document.getElementById('detail').hidden")
	d.show(func(at float64) object {
		b := few(at)
		b["tiles"].([]object)[2]["id"] = "berlin.shop.nope"
		return b
	})
	p.allow("404 (Not Found)")
	p.wait("document.querySelector('#detail-name').textContent === 'Search'")
}

// TestViewsHaveATitleAndALogo, both of which give way to what is broken.
func TestViewsHaveATitleAndALogo(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := open(t, d.URL+"/?title=Lobby&logo=abc", 1280, 720)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3 && document.getElementById('logo').naturalWidth > 0 && document.title === '! 1 \u00b7 Lobby'")
	for _, flaw := range painted[[]string](p, flaws) {
		t.Error(flaw)
	}
	d.show(silent(18))
	p.wait("document.querySelector('.alarm') && getComputedStyle(document.getElementById('logo')).display === 'none'")
	p.do(chromedp.Navigate(d.URL))
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 18 && document.getElementById('logo').hidden")
}
