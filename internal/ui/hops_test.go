package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
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

// TestBrokenHopsAreReadOnEveryScreen: each silent prober is named, with its age, in letters that are not cut off.
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
		for _, size := range [][2]int64{{1280, 720}, {1920, 1080}, {1080, 1920}, {390, 844}} {
			p.resize(size[0], size[1])
			unread := fmt.Sprintf(`(() => {
				const bad = [...document.querySelectorAll("#hops .bad")], text = bad.map((e) => e.textContent).join(" | ");
				const out = %s.filter((name) => !text.includes(name)).concat(bad.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => "cut at " + e.clientWidth + ": " + e.textContent));
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
	want := []string{"bad: NATS away for 2 min", "up: dashboard", "odd: berlin unheard \u00b7 14 watchers", "odd: oslo left 2 min ago \u00b7 14 watchers", "up: virginia \u00b7 14 watchers"}
	p := open(t, d.URL, 1920, 1080)
	p.wait("document.getElementById('pulse').textContent.startsWith('live')")
	if diff := cmp.Diff(want, eval[[]string](p, hopTexts)); diff != "" {
		t.Errorf("hops (-want +got):\n%s", diff)
	}
	want = append(want[:1], want[2:]...) // the page that stands still names no dashboard
	if diff := cmp.Diff(want, eval[[]string](still(t, d.URL, 1920, 1080), hopTexts)); diff != "" {
		t.Errorf("hops without scripts (-want +got):\n%s", diff)
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
		"odd: o \u00b7 3 runs missed \u00b7 clock 5 s behind \u00b7 14 watchers", "up: v \u00b7 14 watchers"}
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
	p.wait("/NATS away for 2[0-9] s/.test(document.getElementById('hops').textContent)")
	p.do(chromedp.Evaluate[chromedp.Void]("window.was = document.querySelector('#hops .bad').textContent; undefined"))
	p.wait("document.querySelector('#hops .bad').textContent !== window.was && document.getElementById('pulse').textContent.startsWith('live')")
}
