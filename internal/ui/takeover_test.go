package ui

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// carrying is a dashboard whose pages carry the state.
func carrying(t testing.TB, board func(at float64) object) *dashboard {
	d := newDashboard(t, board)
	d.set(func(d *dashboard) { d.carry = true })
	return d
}

// still opens the address in a tab that runs no scripts.
func still(t testing.TB, address string, width, height int64) *tab {
	t.Helper()
	p := open(t, "about:blank", width, height)
	if _, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.Navigate(address))
	return p
}

func TestPageWithoutScriptsSaysSo(t *testing.T) {
	t.Parallel()
	p := still(t, carrying(t, few).URL, 1920, 1080)
	p.wait("/^This board is drawn by JavaScript/.test(document.body.innerText.trim())")
}

func TestScriptThatDoesNotStartDrawsTheVeil(t *testing.T) {
	t.Parallel()
	d := carrying(t, few)
	d.set(func(d *dashboard) { d.bare = true })
	p := open(t, d.URL, 1920, 1080, "404 (Not Found)", "not executable")
	opacity := "getComputedStyle(document.getElementById('overlay')).opacity"
	p.wait(opacity + " === '0' && document.readyState === 'complete'")
	after := eval[float64](p, "document.getAnimations()[0].effect.getComputedTiming().endTime")
	if after != 9000 {
		t.Errorf("the veil comes after %v ms, wanted 9,000", after)
	}
	p.do(chromedp.Evaluate[chromedp.Void]("document.getAnimations()[0].finish()"))
	p.wait(opacity + " === '1' && document.getElementById('overlay').textContent.startsWith('This page’s script did not load')")
}

// behind is a dashboard behind another address, where some paths answer as the test says until it is done.
func behind(t *testing.T, d *dashboard, suffix string, answer http.HandlerFunc) (address string, done func()) {
	t.Helper()
	var open atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !open.Load() && strings.HasSuffix(r.URL.Path, suffix) {
			answer(w, r)
			return
		}
		d.serve(w, r)
	}))
	t.Cleanup(func() {
		d.drop()
		front.CloseClientConnections()
		front.Close()
	})
	return front.URL, func() { open.Store(true) }
}

func TestPageWhoseScriptDidNotLoadIsLoadedAnew(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"not found": http.NotFound,
		"cut off":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Bool
			address, done := behind(t, carrying(t, few), "/app.js", func(w http.ResponseWriter, r *http.Request) {
				asked.Store(true)
				answer(w, r)
			})
			p := open(t, address, 1920, 1080, "404 (Not Found)", "ERR_EMPTY_RESPONSE")
			p.wait("document.readyState === 'complete' && document.documentElement.classList.contains('still')")
			if !asked.Load() {
				t.Error("the page did not ask for its script")
			}
			done()
			p.wait("document.querySelectorAll('.tile[aria-label]').length === 3 && !document.documentElement.classList.contains('still')")
		})
	}
}

// TestPageWaitsForTheNewScript: a new dashboard whose script is not there yet is not worth a reload.
func TestPageWaitsForTheNewScript(t *testing.T) {
	t.Parallel()
	d := carrying(t, few)
	var refused atomic.Int32
	address, done := behind(t, d, "/app.js", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Sec-Fetch-Dest") == "script" {
			d.serve(w, r)
			return
		}
		refused.Add(1)
		http.NotFound(w, r)
	})
	p := open(t, address, 1280, 720, "404 (Not Found)", "not executable")
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3")
	p.do(chromedp.Evaluate[chromedp.Void]("window.old = true"))
	d.set(func(d *dashboard) { d.build = "0123456789ab" })
	d.show(few)
	for range 300 {
		if refused.Load() > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if refused.Load() == 0 {
		t.Fatal("the page did not ask for the new script")
	}
	p.wait("window.old") // it stays
	done()
	d.show(few)
	p.wait("!window.old && document.querySelectorAll('.tile[aria-label]').length === 3")
}

// TestNothingScrollsWhileThePageLoads: what is only heard takes no room below the board.
func TestNothingScrollsWhileThePageLoads(t *testing.T) {
	t.Parallel()
	d := carrying(t, few)
	d.set(func(d *dashboard) { d.bare = true })
	p := open(t, d.URL, 1920, 1080, "404 (Not Found)", "not executable")
	p.wait("document.readyState === 'complete'")
	if got := eval[int](p, "document.documentElement.scrollHeight"); got > 1080 {
		t.Errorf("height of a page of 1080 px that still loads: got %d px", got)
	}
}

func TestCarriedStateGoesOnWithoutADashboard(t *testing.T) {
	t.Parallel()
	d := carrying(t, few)
	d.set(func(d *dashboard) { d.refuse = true })
	// Silence draws the veil after three seconds, for which a test must not race: the page itself notes what it showed before.
	p := prepared(t, d.URL, `(function look() {
		const line = document.querySelector("#tile-1[aria-label] .line"), veil = document.getElementById("overlay");
		if (line && line.textContent && veil && veil.hidden) window.showed = [line.textContent, document.getElementById("pulse").textContent];
		else requestAnimationFrame(look);
	})()`)
	p.allow("503 (Service Unavailable)")
	p.wait("/^for \\d+ seconds$/.test(window.showed[0])")
	if got := eval[string](p, "window.showed[1]"); got != "connecting" {
		t.Errorf("the pulse of a page that has heard nothing yet: got %q", got)
	}
	p.wait("!document.getElementById('overlay').hidden && document.getElementById('overlay').textContent.includes('still trying')")
	d.set(func(d *dashboard) { d.refuse = false })
	p.wait("document.getElementById('overlay').hidden && document.getElementById('pulse').textContent.startsWith('live')")
}

func TestCarriedTextsStayText(t *testing.T) {
	t.Parallel()
	const evil = `</script><!--<script><img src=x onerror="document.title='owned'">{{state}}&amp;'` + "`"
	d := carrying(t, func(at float64) object {
		b := board([]string{evil}, []int{1}, []object{{"name": evil, "site": evil, "s": "critical", "v": evil, "u": evil, "m": evil, "f": at - 20}})
		b["title"], b["tagline"] = evil, evil
		b["hops"] = object{"nats": object{"up": true}, "probers": []object{{"site": evil, "name": evil, "up": false, "f": at, "watchers": 2}}, "notices": []string{evil}}
		return b
	})
	address := d.URL + "/?theme=" + url.QueryEscape(evil) + "&x=" + url.QueryEscape(evil)
	dead := still(t, address, 1920, 1080)
	for script, want := range map[string]any{
		"document.querySelectorAll('img:not(#logo), body script:not(#state)').length":        0.0,
		"JSON.parse(document.getElementById('state').textContent).title":                     evil,
		"document.documentElement.getAttribute('data-theme')":                                evil,
		"new URLSearchParams(document.querySelector('[name=pharos-view]').content).get('x')": evil,
	} {
		if got := eval[any](dead, script); got != want {
			t.Errorf("%s: got %q, wanted %q", script, got, want)
		}
	}
	p := open(t, address, 1920, 1080)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 1 && document.getElementById('pulse').textContent.startsWith('live')")
	if n := eval[int](p, "document.querySelectorAll('img:not(#logo), body script:not(#state)').length"); n != 0 {
		t.Errorf("elements made of text: got %d, wanted none", n)
	}
}

func BenchmarkPage(b *testing.B) {
	data, err := json.Marshal(wallAt(200, 1000))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Page(Moment{Board: data, Now: 1000 * time.Second})
	}
}
