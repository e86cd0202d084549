package ui

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

// hopsOf is a board of n tiles with those hops.
func hopsOf(n int, hops func(at float64) object) func(at float64) object {
	return func(at float64) object {
		b := wallAt(n, at)
		b["hops"] = hops(at)
		return b
	}
}

// probers are so many, the first of which are silent.
func probers(names []string, silent int, at float64) []object {
	list := []object{}
	for i, name := range names {
		list = append(list, object{"site": name, "name": "p1", "up": i >= silent, "left": false, "f": at - 130, "watchers": 14, "version": "1.0", "missed": 0, "offset": 0})
	}
	return list
}

// list is a list of texts as JavaScript.
func list(texts []string) string { return `["` + strings.Join(texts, `","`) + `"]` }

const hopTexts = "[...document.querySelectorAll('#hops li')].map(e => e.className + ': ' + e.textContent)"

// TestBrokenHopsAreReadOnEveryScreen: each silent prober is named, with its age, in letters that are not cut off; the banner
// is read from five metres, and says at least how many they are.
func TestBrokenHopsAreReadOnEveryScreen(t *testing.T) {
	t.Parallel()
	names := []string{"new-york", "oslo", "singapore", "virginia", "amsterdam", "berlin", "frankfurt", "london"}
	for i := range 22 {
		names = append(names, fmt.Sprintf("datacentre-%02d", i))
	}
	d := newDashboard(t, wall(18))
	p := open(t, d.URL, 1920, 1080)
	for _, n := range []int{3, 8, 30} {
		d.show(hopsOf(18, func(at float64) object {
			return object{"nats": object{"up": true, "f": 1, "store": true}, "probers": probers(names[:n], min(n, 4), at), "notices": []string{}}
		}))
		for _, size := range screens {
			p.resize(size[0], size[1])
			unread := fmt.Sprintf(`(() => {
				const bad = [...document.querySelectorAll("#hops .bad")], text = bad.map((e) => e.textContent).join(" | ");
				const banner = document.getElementById("banner"), out = %s.filter((name) => !text.includes(name) || !banner.textContent.includes(name) && !/^([a-z-]+ and [0-9]+ more|[0-9]+ probers):/.test(banner.textContent));
				if (banner.scrollHeight > banner.clientHeight * 1.1 || banner.scrollWidth > banner.clientWidth + 1) out.push("the banner is cut");
				if (parseFloat(getComputedStyle(banner).fontSize) < (innerWidth < 600 ? 20 : 40 * Math.min(innerWidth, innerHeight) / 1080 - 0.1)) out.push("the banner is small");
				return innerWidth === %d && text.includes("2 min") ? out.concat(%s) : ["not yet"];
			})()`, list(names[:min(n, 4)]), size[0], flaws)
			var got []string
			for range 100 { // the row is dealt anew on the second
				if got = painted[[]string](p, unread); len(got) == 0 {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			if len(got) > 0 {
				t.Errorf("%d probers at %dx%d:\n  %s", n, size[0], size[1], strings.Join(got, "\n  "))
			}
		}
	}
}

func TestProbersAreUnheardWhileNATSIsAway(t *testing.T) {
	t.Parallel()
	d := carrying(t, hopsOf(3, func(at float64) object {
		list := probers([]string{"berlin", "oslo", "virginia"}, 2, at)
		list[1]["left"] = true
		return object{"nats": object{"up": false, "f": at - 130}, "probers": list, "notices": []string{}}
	}))
	want := []string{"bad: NATS down for 2 min", "up: dashboard", "odd: berlin: not known while NATS is down \u00b7 14 watchers", "odd: oslo was shut down 2 min ago \u00b7 14 watchers", "up: virginia \u00b7 14 watchers"}
	p := open(t, d.URL, 1920, 1080)
	p.wait("document.getElementById('pulse').textContent.startsWith('live')")
	if diff := cmp.Diff(want, eval[[]string](p, hopTexts)); diff != "" {
		t.Errorf("hops (-want +got):\n%s", diff)
	}
}

// TestHopsSayWhatIsOff: a clock that is off, runs that were missed, and versions where they differ.
func TestHopsSayWhatIsOff(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, hopsOf(3, func(at float64) object {
		list := probers([]string{"b", "o", "v"}, 0, at)
		list[0]["offset"], list[1]["offset"], list[1]["missed"] = 3600, -5, 3
		return object{"nats": object{"up": true, "f": 1, "error": "no luck"}, "probers": list, "notices": []string{}}
	}))
	p := open(t, d.URL, 1920, 1080)
	p.wait("document.getElementById('pulse').textContent.startsWith('live')")
	want := []string{"up: dashboard", "odd: NATS \u00b7 no luck", "odd: b \u00b7 clock 1 h ahead \u00b7 14 watchers",
		"odd: o: too slow: 3 checks skipped in 10 min \u00b7 clock 5 s behind \u00b7 14 watchers", "up: v \u00b7 14 watchers"}
	if diff := cmp.Diff(want, eval[[]string](p, hopTexts)); diff != "" {
		t.Errorf("hops (-want +got):\n%s", diff)
	}
	if got := eval[string](p, "document.querySelector('#hops li:last-child').title"); got != "1.0" {
		t.Errorf("version behind a prober: got %q, wanted 1.0", got)
	}
	d.show(hopsOf(3, func(at float64) object {
		list := probers([]string{"berlin", "oslo"}, 0, at)
		list[1]["version"] = "1.1"
		return object{"nats": object{"up": true, "f": 1}, "probers": list, "notices": []string{}}
	}))
	p.wait("document.querySelectorAll('#hops li').length === 4 && document.getElementById('hops').textContent.includes('berlin \u00b7 14 watchers \u00b7 1.0oslo \u00b7 14 watchers \u00b7 1.1')")
}

// TestFooterOfABoardWithoutWatchersTicks: it is all that such a board has to say.
func TestFooterOfABoardWithoutWatchersTicks(t *testing.T) {
	t.Parallel()
	lost := -1.0
	d := carrying(t, func(at float64) object {
		if lost < 0 {
			lost = at - 20
		}
		return object{"title": "Pharos", "tagline": "", "sets": []object{}, "tiles": []object{}, "hops": object{"nats": object{"up": false, "f": lost}, "probers": []object{}, "notices": []string{}}}
	})
	p := open(t, d.URL, 1920, 1080)
	p.wait("/NATS down for 2[0-9] s/.test(document.getElementById('hops').textContent)")
	p.do(chromedp.Evaluate[chromedp.Void]("window.was = document.querySelector('#hops .bad').textContent; undefined"))
	p.wait("document.querySelector('#hops .bad').textContent !== window.was && document.getElementById('pulse').textContent.startsWith('live')")
}

// abroadMany are n watchers that so many sites look at.
func abroadMany(n, sites int) func(at float64) object {
	return func(at float64) object {
		tiles := []object{}
		for w := range n {
			for s, site := range []string{"berlin", "oslo", "virginia", "tokyo", "sydney", "lima", "cairo", "delhi"}[:sites] {
				tile := object{"id": fmt.Sprintf("%s.shop.w%d", site, w), "name": fmt.Sprintf("edge-%03d", w), "site": site, "s": "ok", "v": fmt.Sprint(100 + s), "u": "ms", "f": at - 750}
				switch {
				case s == 1 && w%7 == 1:
					tile["s"], tile["m"] = "critical", "status 503, wanted 2xx"
				case s == 1 && w%7 == 2:
					tile["k"] = object{"s": "critical", "l": 3, "e": at - 30}
				}
				tiles = append(tiles, tile)
			}
		}
		return board([]string{"Shop"}, []int{n * sites}, tiles)
	}
}

// cutOff lists the texts of a kind that do not end before their tile does.
const cutOff = `[...document.querySelectorAll(%q)].filter((e) => e.clientWidth && e.scrollWidth > e.clientWidth + 1).map((e) => e.parentNode.textContent + " at " + e.clientWidth)`

// TestMergedTilesKeepTheirLastRow: the dots of the sites have a row of their own.
func TestMergedTilesKeepTheirLastRow(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, wall(1))
	p := open(t, d.URL+"/?merge=worst", 1920, 1080)
	for _, sites := range []int{3, 5, 8} {
		d.show(abroadMany(6, sites))
		p.wait(fmt.Sprintf("document.querySelectorAll('.tile[aria-label]').length === 6 && document.querySelector('#tile-%d .line').textContent", 5*sites))
		got := painted[[]string](p, fmt.Sprintf(cutOff, ".name span, .note, .line")+".concat("+flaws+")")
		for i, want := range map[int]string{0: "for 12 minutes", sites: "for 12 minutes", 2 * sites: "was critical 3 s"} {
			if text := texts(p, i)[4]; !strings.HasPrefix(text, want) {
				got = append(got, fmt.Sprintf("last row of tile %d: %q, wanted %q", i, text, want))
			}
		}
		if text := texts(p, sites)[3]; text != "oslo: status 503, wanted 2xx" {
			got = append(got, fmt.Sprintf("reason: %q", text))
		}
		if len(got) > 0 {
			t.Errorf("6 watchers of %d sites:\n  %s", sites, strings.Join(got, "\n  "))
		}
	}
	if got := eval[string](p, "document.querySelector('#tile-8').innerText.replace(/\\s/g, '') + document.querySelector('#tile-8 .dot').getAttribute('data-s')"); got != "edge-001101msoslo:status503,wanted2xxfor12minutes+3critical" {
		t.Errorf("eight sites: got %q, wanted five dots, the red one first, and how many more there are", got)
	}
}

// TestEachTileSaysItsSite: beside the name, in the last row, or beside the value.
func TestEachTileSaysItsSite(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, wall(1))
	p := open(t, d.URL, 1920, 1080)
	for _, row := range []struct{ n, sites int }{{6, 3}, {18, 3}, {60, 3}, {60, 5}} {
		d.show(abroadMany(row.n, row.sites))
		p.wait(fmt.Sprintf("document.querySelectorAll('.tile[aria-label]').length === %d", row.n*row.sites))
		got := painted[[]string](p, fmt.Sprintf(cutOff, ".name span, .unit")+`.concat([...document.querySelectorAll(".tile")].filter((e) => !/\d\d\d.*(berlin|oslo|virginia|tokyo|sydney)/.test(e.innerText.replace(/\n/g, " "))).map((e) => e.innerText))`)
		if len(got) > 0 {
			t.Errorf("%d watchers of %d sites: got %d without their site, or cut:\n  %s", row.n, row.sites, len(got), strings.Join(got[:min(8, len(got))], "\n  "))
		}
	}
}

// TestMemoriesAreReadWhole, whatever the type: how wide they are is measured.
func TestMemoriesAreReadWhole(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, wall(18))
	p := open(t, d.URL, 1920, 1080)
	for _, size := range [][2]int64{{1280, 720}, {1920, 1080}, {1080, 1920}, {390, 844}} {
		p.resize(size[0], size[1])
		p.wait(fmt.Sprintf("innerWidth === %d && document.querySelectorAll('.tile[data-was] .line').length === 3", size[0]))
		if got := painted[[]string](p, fmt.Sprintf(cutOff, ".tile[data-was] .line")); len(got) > 0 {
			t.Errorf("%dx%d: got %q cut off", size[0], size[1], got)
		}
	}
}

// TestValuesAreAsLargeOnceRed: what is not well has its mark besides, and yet no smaller a value.
func TestValuesAreAsLargeOnceRed(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, wall(1))
	p := open(t, d.URL, 1920, 1080)
	for _, n := range []int{9, 18, 60} {
		d.show(func(at float64) object {
			b := well(n)(at)
			for i, tile := range b["tiles"].([]object) {
				tile["s"], tile["v"], tile["u"], tile["m"] = []string{"ok", "critical"}[i%2], "412", "ms", "slow"
			}
			return b
		})
		p.wait(fmt.Sprintf("document.querySelectorAll('.tile[aria-label]').length === %d", n))
		size := func(state string) float64 {
			return painted[float64](p, "parseFloat(getComputedStyle(document.querySelector('.tile[data-s="+state+"] .value')).fontSize)")
		}
		if ok, critical := size("ok"), size("critical"); ok < 10 || critical < ok-0.1 {
			t.Errorf("size of the values of %d tiles: got %v, and %v of those that are critical", n, ok, critical)
		}
	}
}

// TestHiddenTabIsNotTouched: but for its title and its counts, until it is seen again.
func TestHiddenTabIsNotTouched(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := open(t, d.URL, 1280, 720)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3 && document.getElementById('pulse').textContent.startsWith('live')")
	// A hidden tab gets no animation frames, and its timers hardly ever.
	p.do(chromedp.Evaluate[chromedp.Void](`
		window.away = true;
		Object.defineProperty(document, "hidden", {get: () => window.away});
		window.requestAnimationFrame = (f) => { window.held = f; };
		for (let i = setTimeout(() => 0, 0); i > 0; i--) clearTimeout(i);
		window.changes = [];
		new MutationObserver((list) => {
			for (const m of list) if (!(m.target.nodeType === 1 ? m.target : m.target.parentNode).closest("#pills")) window.changes.push(m.target.id || m.target.className);
		}).observe(document.getElementById("wall"), {subtree: true, childList: true, characterData: true, attributes: true});
		undefined`))
	title := func(want string) {
		t.Helper()
		if _, err := chromedp.Run(p.ctx, chromedp.Poll[chromedp.Void](fmt.Sprintf("document.title.startsWith(%q)", want), chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(10*time.Second))); err != nil {
			t.Fatalf("waiting for the title %q of the hidden tab: %v", want, err)
		}
	}
	d.frame(object{"i": 0, "s": "critical", "v": "9", "f": d.now()})
	title("\u2715 1")
	d.set(func(d *dashboard) {
		hops := hopsUp()
		hops["notices"] = []string{"one", "two"}
		d.sendLocked("frame", object{"u": []object{{"i": 2, "s": "critical", "f": d.now()}}, "hops": hops})
	})
	title("\u2715 2")
	d.show(wall(18))
	title("\u2715 2 \u00b7 Pharos")
	d.frame(object{"i": 0, "s": "critical", "f": d.now()})
	title("\u2715 3")
	if got := eval[[]string](p, "changes"); len(got) > 0 {
		t.Errorf("changes of a page that nobody sees: got %q", got)
	}
	p.do(chromedp.Evaluate[chromedp.Void](`window.away = false; window.requestAnimationFrame = (f) => setTimeout(f, 0);
		document.dispatchEvent(new Event("visibilitychange")); window.held && window.held(); undefined`))
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 18 && document.querySelector('#tile-0[data-s=critical]')")
}

// TestRotationKeepsTheKeys: on each page a tile is within reach of the Tab key and of the arrows.
func TestRotationKeepsTheKeys(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, wall(60))
	p := open(t, d.URL+"/?rotate=5s&zoom=2", 1280, 720)
	p.wait("document.getElementById('pulse').textContent.startsWith('page 2')")
	p.wait("(list => list.length === 1 && list[0].getClientRects().length > 0)([...document.querySelectorAll('.tile[tabindex=\"0\"]')])")
	p.do(chromedp.KeyEvent(kb.ArrowDown))
	p.wait("document.activeElement.classList.contains('tile')")
}

func TestZoomLeavesAllOnTheScreen(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, wall(1))
	for _, zoom := range []string{"0.5", "1.4", "2", "3"} {
		p := open(t, d.URL+"/?zoom="+zoom, 1920, 1080)
		for _, n := range []int{18, 192} {
			d.show(wall(n))
			for _, size := range [][2]int64{{1280, 720}, {1920, 1080}, {1080, 1920}, {390, 844}} {
				p.resize(size[0], size[1])
				p.wait(fmt.Sprintf("innerWidth === %d && document.querySelectorAll('.tile[aria-label]').length === %d && !document.querySelector('.tile:not([aria-label])')", size[0], n))
				if found := painted[[]string](p, flaws); len(found) > 0 {
					t.Errorf("zoom=%s, %d tiles at %dx%d:\n  %s", zoom, n, size[0], size[1], strings.Join(found, "\n  "))
				}
			}
		}
	}
}

// TestNoticesMoveNoTile to another column: they come when somebody looks.
func TestNoticesMoveNoTile(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, wall(1))
	p := open(t, d.URL, 1920, 1080)
	for _, n := range []int{36, 50, 120} {
		var want string
		for _, notices := range []int{0, 1, 2, 3, 0} {
			d.show(func(at float64) object {
				b := wallAt(n, at)
				b["hops"].(object)["notices"] = []string{"one", "two", "three"}[:notices]
				return b
			})
			p.wait(fmt.Sprintf("document.querySelectorAll('.tile[aria-label]').length === %d && (document.getElementById('notices').textContent.match(/ more$/) ? parseInt(document.getElementById('notices').textContent.slice(-7).match(/\\d+/)[0]) + 1 : document.getElementById('notices').textContent ? 1 : 0) === %d", n, notices))
			got := painted[string](p, "document.getElementById('board').dataset.level + ' ' + [...document.querySelectorAll('.tiles')].map((e) => e.style.gridTemplateColumns).join()")
			if want == "" {
				want = got
			}
			if got != want {
				t.Errorf("%d tiles, %d notices: got level and columns %s, wanted %s", n, notices, got, want)
			}
			if found := painted[[]string](p, flaws); len(found) > 0 {
				t.Errorf("%d tiles, %d notices:\n  %s", n, notices, strings.Join(found, "\n  "))
			}
		}
	}
}

func TestRotationKnowsMinutes(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, wall(60))
	p := open(t, d.URL+"/?rotate=2m&zoom=2", 1280, 720)
	p.wait("document.getElementById('pulse').textContent.startsWith('page ')")
	page := eval[string](p, "document.getElementById('pulse').textContent.slice(0, 6)")
	p.do(chromedp.Sleep(3 * time.Second)) // two seconds are not two minutes
	if got := eval[string](p, "document.getElementById('pulse').textContent.slice(0, 6)"); got != page {
		t.Errorf("after seconds: got %s, wanted %s still", got, page)
	}
}

// TestValuesAreCutNotWrapped: a value of several words has one row, a reason may have more.
func TestValuesAreCutNotWrapped(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, func(at float64) object {
		b := wallAt(7, at)
		b["tiles"].([]object)[0]["v"] = "SERVFAIL from the resolver upstream of the one that was asked"
		maps.Copy(b["tiles"].([]object)[4], object{"s": "critical", "v": "", "u": "", "m": "connection refused by the peer"})
		return b
	})
	p := open(t, d.URL, 1920, 1080)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 7")
	if got := painted[float64](p, "(e => e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).fontSize))(document.querySelector('#tile-0 .value'))"); got > 1.5 {
		t.Errorf("height of a value of many words: got %.1f of its letters, wanted one row", got)
	}
	if got := painted[float64](p, "(e => e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).fontSize))(document.querySelector('#tile-4 .value'))"); got < 2 {
		t.Errorf("height of a reason of several words: got %.1f of its letters, wanted two rows", got)
	}
}
