package ui

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// tones notes what is played, and lets a test move the time between two tones.
const tones = `{
	window.played = [];
	window.later = 0;
	const tick = performance.now.bind(performance);
	performance.now = () => tick() + window.later;
	window.AudioContext = function () {
		const node = () => ({connect: () => 0, gain: {setValueAtTime: () => 0, linearRampToValueAtTime: () => 0, exponentialRampToValueAtTime: () => 0}});
		return {currentTime: 0, resume: () => 0, createGain: node, createOscillator: () => {
			const o = Object.assign(node(), {frequency: {value: 0}, start: () => window.played.push(o.frequency.value), stop: () => 0});
			return o;
		}};
	};
}`

// TestSound: a tone at a new critical, another when the last one ends, no two within ten seconds, and none that was not
// asked for.
func TestSound(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, well(7))
	p := prepared(t, d.URL+"/?sound=1", tones)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 7 && document.getElementById('pulse').textContent === 'live'")
	const both = "document.getElementById('announce').textContent === "
	d.frame(object{"i": 0, "s": "critical", "f": d.now()})
	p.wait("window.played.join() === '660,495'")
	d.frame(object{"i": 1, "s": "critical", "f": d.now()})
	p.wait(both + "'critical: Checkout'")
	d.frame(object{"i": 0, "s": "ok", "f": d.now()})
	p.wait(both + "'ok again: Home page'")
	d.frame(object{"i": 1, "s": "ok", "f": d.now()})
	p.wait(both + "'ok again: Checkout'")
	if got := eval[string](p, "window.played.join()"); got != "660,495" {
		t.Errorf("tones within ten seconds: got %s, wanted one", got)
	}
	p.do(chromedp.Evaluate[chromedp.Void]("window.later = 11000"))
	p.wait("window.played.join() === '660,495,495,660'") // that the last one has ended is still news

	silent := prepared(t, d.URL, tones)
	silent.wait("document.querySelectorAll('.tile[aria-label]').length === 7 && document.getElementById('pulse').textContent === 'live'")
	d.frame(object{"i": 0, "s": "critical", "f": d.now()})
	silent.wait(both + "'critical: Home page'")
	if got := eval[string](silent, "window.played.join()"); got != "" {
		t.Errorf("tones that were not asked for: got %s", got)
	}
}

// TestChangesAreAnnouncedTogether: what turned critical, yellow or ok again within a second is one sentence.
func TestChangesAreAnnouncedTogether(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := open(t, d.URL, 1280, 720)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3 && document.getElementById('pulse').textContent === 'live'")
	for n := range 3 { // the second may be over in between
		states := []string{"critical", "ok", "warning"}
		d.frame(object{"i": 0, "s": states[n%3], "f": d.now()}, object{"i": 1, "s": states[(n+1)%3], "f": d.now()}, object{"i": 2, "s": states[(n+2)%3], "f": d.now()})
		name := func(state int) string { return []string{"Home page", "Checkout", "Search, oslo"}[(3+state-n)%3] }
		p.wait(fmt.Sprintf("document.getElementById('announce').textContent === %q", "critical: "+name(0)+"; warning: "+name(2)+"; ok again: "+name(1)))
		d.frame(object{"i": 0, "s": "unknown", "f": d.now()}, object{"i": 1, "s": "unknown", "f": d.now()}, object{"i": 2, "s": "unknown", "f": d.now()})
		p.wait("document.querySelectorAll('.tile[data-s=unknown]').length === 3")
	}
}

// TestRoomComesBackCalmly: once all is well, the tiles take the room of the problems list in one movement, and in none where
// the system wants that.
func TestRoomComesBackCalmly(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, wall(1))
	p := open(t, d.URL, 1920, 1080)
	for _, row := range []struct {
		motion string
		want   float64
	}{{"no-preference", 0.7}, {"reduce", 0}} {
		p.prefer("prefers-reduced-motion", row.motion)
		d.show(sick(even(60), 1))
		p.wait("!document.getElementById('problems').hidden && document.querySelectorAll('.tile:not([data-s=ok])').length === 1")
		d.frame(object{"i": 0, "s": "ok", "m": "", "f": d.now() - 100})
		p.wait("document.getElementById('problems').hidden && document.getElementById('board').classList.contains('calm')")
		if got := eval[float64](p, "parseFloat(getComputedStyle(document.getElementById('board')).animationDuration)"); got != row.want {
			t.Errorf("%s: the movement takes %v s, wanted %v", row.motion, got, row.want)
		}
		if wide := eval[float64](p, "parseFloat(document.getElementById('board').offsetWidth)"); wide < 1800 {
			t.Errorf("%s: the tiles have %v px, wanted all of the screen", row.motion, wide)
		}
	}
}

// TestKeysReachEverything: the rows of the problems list and the hops, too, and Enter opens them.
func TestKeysReachEverything(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, silent(60))
	p := open(t, d.URL, 1920, 1080)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 60 && document.querySelectorAll('.row').length > 3")
	reached := map[string]bool{}
	for range 40 {
		p.do(chromedp.KeyEvent("\t"))
		reached[eval[string](p, "(e => e.className.split(' ')[0] || (e.closest('#hops') ? 'hop' : e.id))(document.activeElement)")] = true
	}
	for _, want := range []string{"tile", "row", "hop", "ask"} {
		if !reached[want] && !(want == "hop" && (reached["up"] || reached["bad"])) {
			t.Errorf("by the Tab key: got %v, wanted %s among them", reached, want)
		}
	}
	for _, script := range []string{"document.querySelector('.row').focus()", "document.querySelector('#hops li').focus()"} {
		p.do(chromedp.Evaluate[chromedp.Void](script))
		p.do(chromedp.KeyEvent("\r"))
		p.wait("!document.getElementById('detail').hidden && document.querySelector('#detail [role=dialog]')")
		p.allow("404 (Not Found)")
		p.do(chromedp.KeyEvent("\u001b"))
		p.wait("document.getElementById('detail').hidden")
	}
}
