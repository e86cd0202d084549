package ui

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// streams are how many connections to /events are open.
func (d *dashboard) streams() (n int) {
	d.set(func(d *dashboard) { n = len(d.screens) })
	return n
}

// TestManyTabsShareOneStream: a browser has six connections to one server. Eight boards are live, and each opens a tile.
func TestManyTabsShareOneStream(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	d.set(func(d *dashboard) { d.details["berlin.shop.checkout"] = checkout() })
	var tabs []*tab
	for range 8 {
		p := open(t, d.URL, 1280, 720, "ERR_INCOMPLETE_CHUNKED_ENCODING")
		p.wait("document.querySelectorAll('.tile[aria-label]').length === 3 && document.getElementById('pulse').textContent === 'live'")
		tabs = append(tabs, p)
	}
	if n := d.streams(); n != 1 {
		t.Errorf("streams of eight tabs: got %d, wanted 1", n)
	}
	d.frame(object{"i": 0, "s": "critical", "v": "9", "f": d.now()})
	for i, p := range tabs {
		p.wait("document.querySelector('#tile-0[data-s=critical]')")
		p.do(chromedp.Evaluate[chromedp.Void]("document.getElementById('tile-1').click()"))
		p.wait("document.querySelector('#detail pre')")
		if i < 4 {
			p.do(chromedp.Navigate("about:blank")) // which leaves the stream to the others
		}
	}
	d.frame(object{"i": 2, "s": "warning", "v": "9", "f": d.now()})
	tabs[7].wait("document.querySelector('#tile-2[data-s=warning]')")
	// All of them come back after a silence, by one stream again.
	d.drop()
	d.show(func(at float64) object {
		b := few(at)
		b["tiles"].([]object)[0]["v"] = "77"
		return b
	})
	for _, p := range tabs[4:] {
		p.wait("document.querySelector('#tile-0 .value').textContent === '77' && document.getElementById('pulse').textContent === 'live'")
	}
	if n := d.streams(); n != 1 {
		t.Errorf("streams after a reconnect: got %d, wanted 1", n)
	}
	for _, p := range tabs[4:] {
		p.do(chromedp.Navigate("about:blank"))
	}
	gone(t, d)
}

// gone waits until no stream is open any more.
func gone(t *testing.T, d *dashboard) {
	t.Helper()
	for range 600 {
		if d.streams() == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("streams of a browser that shows no board: got %d, wanted none", d.streams())
}

// TestBoardWithoutSharedWorkers: not all browsers have them, and a worker's script may not load.
func TestBoardWithoutSharedWorkers(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"there are none":        "delete window.SharedWorker",
		"they are forbidden":    "window.SharedWorker = function () { throw new Error('forbidden'); }",
		"the script is missing": "{ const Worker = window.SharedWorker; window.SharedWorker = function () { return new Worker('/nothing'); } }",
		"they never answer":     "{ const Worker = window.SharedWorker; window.SharedWorker = function () { return {port: {postMessage: () => 0}}; } }",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDashboard(t, few)
			p := prepared(t, d.URL, script)
			p.allow("404 (Not Found)")
			p.allow("Failed to fetch a worker script")
			p.wait("document.querySelectorAll('.tile[aria-label]').length === 3 && document.getElementById('pulse').textContent === 'live'")
			d.frame(object{"i": 0, "s": "critical", "v": "9", "f": d.now()})
			p.wait("document.querySelector('#tile-0[data-s=critical]')")
			if n := d.streams(); n != 1 {
				t.Errorf("streams: got %d, wanted 1", n)
			}
		})
	}
}

// TestBrowserThatIsFullSaysSo: six boards that show different things take the browser's six connections.
func TestBrowserThatIsFullSaysSo(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	d.set(func(d *dashboard) { d.details["berlin.shop.checkout"] = checkout() })
	var p *tab
	for i := range 6 {
		p = open(t, fmt.Sprintf("%s/?set=%d", d.URL, i), 1280, 720)
		p.wait("document.querySelectorAll('.tile[aria-label]').length === 3 && document.getElementById('pulse').textContent === 'live'")
	}
	p.do(chromedp.Evaluate[chromedp.Void]("document.getElementById('tile-1').click()"))
	p.wait("document.querySelector('.held') && document.querySelector('.held').textContent.includes('are too many boards open in this browser?')")
}
