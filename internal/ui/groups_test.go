package ui

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

func TestGroupIsWhatItsMembersAre(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := open(t, d.URL, 1280, 720)
	p.do(chromedp.Evaluate[chromedp.Void](`import("./modules/groups.js").then((m) => { window.groups = m; }); undefined`))
	p.wait("window.groups")
	// A member is its status, when that began, and its flicker: status and end.
	type member struct {
		s  string
		f  float64
		ks string
		ke float64
	}
	type row struct {
		S, V, M string
		F, K    float64
	}
	for _, tt := range []struct {
		name, how string
		members   []member
		want      row
	}{
		{"worst: the worst of those that speak", "worst", []member{{s: "ok", f: 1}, {s: "critical", f: 7}, {s: "warning", f: 3}}, row{"critical", "v1", "site1: why1", 7, 0}},
		{"worst: the first of equals, since the first of them", "worst", []member{{s: "warning", f: 9}, {s: "ok", f: 1}, {s: "warning", f: 4}}, row{"warning", "v0", "site0, site2: why0", 4, 0}},
		{"worst: all are bad, and no site is named", "worst", []member{{s: "critical", f: 9}, {s: "critical", f: 4}}, row{"critical", "v0", "why0", 4, 0}},
		{"worst: yellow since the red is over", "worst", []member{{s: "warning", f: 2}, {s: "ok", f: 6, ks: "critical", ke: 6}}, row{"warning", "v0", "site0: why0", 6, 6}},
		{"worst: well since the last of them is", "worst", []member{{s: "ok", f: 2}, {s: "ok", f: 6, ks: "warning", ke: 6}, {s: "ok", f: 5, ks: "critical", ke: 5}}, row{"ok", "v0", "why0", 6, 6}},
		{"worst: the silent have no say", "worst", []member{{s: "stale", f: 9}, {s: "ok", f: 4}}, row{"ok", "v1", "why1", 4, 0}},
		{"worst: not well before all have spoken", "worst", []member{{s: "waiting", f: 9}, {s: "ok", f: 4}}, row{"waiting", "v0", "site0: why0", 9, 0}},
		{"worst: all are silent", "worst", []member{{s: "stale", f: 9}, {s: "stale", f: 4}}, row{"stale", "v0", "why0", 4, 0}},
		{"majority: most of them", "majority", []member{{s: "critical", f: 9}, {s: "ok", f: 4}, {s: "ok", f: 2}}, row{"ok", "v1", "why1", 4, 0}},
		{"majority: of a tie the worse", "majority", []member{{s: "ok", f: 4}, {s: "critical", f: 9}}, row{"critical", "v1", "site1: why1", 9, 0}},
		{"majority: of a tie of three the worst", "majority", []member{{s: "ok", f: 4}, {s: "unknown", f: 5}, {s: "warning", f: 9}}, row{"warning", "v2", "site2: why2", 9, 0}},
		{"majority: the silent have no say", "majority", []member{{s: "stale", f: 9}, {s: "stale", f: 9}, {s: "ok", f: 4}}, row{"ok", "v2", "why2", 4, 0}},
		{"majority: all are silent", "majority", []member{{s: "stale", f: 9}, {s: "stale", f: 4}}, row{"stale", "v0", "why0", 4, 0}},
		{"set: counts and names, the worst first", "set", []member{{s: "ok", f: 1}, {s: "warning", f: 3}, {s: "critical", f: 7}, {s: "ok", f: 2}, {s: "critical", f: 5}}, row{"critical", "2\u00a0critical, 1\u00a0warning, 2\u00a0ok", "n2, n4, n1", 5, 0}},
		{"set: one that is silent is not known to be well", "set", []member{{s: "ok", f: 1}, {s: "stale", f: 3}}, row{"stale", "1\u00a0no data, 1\u00a0ok", "n1", 3, 0}},
		{"set: all are well", "set", []member{{s: "ok", f: 1}, {s: "ok", f: 3, ks: "unknown", ke: 2}}, row{"ok", "2\u00a0ok", "", 3, 2}},
	} {
		members := []object{}
		for i, m := range tt.members {
			one := object{"i": i, "id": fmt.Sprint("id", i), "name": fmt.Sprint("n", i), "site": fmt.Sprint("site", i), "s": m.s, "v": fmt.Sprint("v", i), "u": "", "m": fmt.Sprint("why", i), "f": m.f, "k": nil, "r": false}
			if m.ks != "" {
				one["k"] = object{"s": m.ks, "l": 1, "e": m.ke}
			}
			members = append(members, one)
		}
		all, err := json.Marshal(object{"of": members, "how": tt.how})
		if err != nil {
			t.Fatal(err)
		}
		got := eval[row](p, fmt.Sprintf(`((all) => { groups.regroup(all); return {S: all.s, V: all.v, M: all.m, F: all.f, K: all.k ? all.k.e : 0}; })(%s)`, all))
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// abroad is a shop that three sites look at, and the works below it.
func abroad(at float64) object {
	tiles := []object{}
	for _, name := range []string{"Home page", "Checkout", "Search"} {
		for i, site := range []string{"berlin", "oslo", "virginia"} {
			tiles = append(tiles, object{"id": site + ".shop." + strings.ToLower(strings.ReplaceAll(name, " ", "-")), "name": name, "site": site, "s": "ok", "v": fmt.Sprint(133 + 40*i), "u": "ms", "f": at - 7300})
		}
	}
	tiles = append(tiles, object{"name": "Login", "s": "ok", "v": "98", "u": "ms", "f": at - 86500})
	for i := range 40 {
		tiles = append(tiles, object{"name": fmt.Sprintf("node-%02d", i), "s": "ok", "v": "3", "u": "ms", "f": at - 9000})
	}
	for i, change := range map[int]object{
		4:  {"s": "critical", "v": "", "u": "", "m": "status 503, wanted 2xx", "f": at - 12},
		8:  {"s": "stale", "f": at - 14},
		12: {"s": "warning", "m": "slower than 2 ms", "f": at - 200},
		20: {"s": "critical", "m": "timed out after 10 s", "f": at - 70},
		30: {"k": object{"s": "critical", "l": 3.1, "e": at - 40}},
	} {
		for k, v := range change {
			tiles[i][k] = v
		}
	}
	return board([]string{"Shop", "Nodes", "More nodes"}, []int{10, 20, 20}, tiles)
}

func TestSitesOfOneWatcherAreOneTile(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, abroad)
	d.set(func(d *dashboard) {
		for _, site := range []string{"berlin", "oslo", "virginia"} {
			detail := checkout()
			detail["site"] = site
			d.details[site+".shop.checkout"] = detail
		}
	})
	p := open(t, d.URL+"/?set=Shop&merge=worst", 1920, 1080)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 44")
	row := "(e => [...e.querySelectorAll('.name, .what')].map((e) => e.textContent).filter(Boolean).join('|'))(document.querySelector('.row[data-id=\"worst berlin.shop.%s\"]'))"
	if got := eval[string](p, fmt.Sprintf(row, "checkout")); got != "Checkout|oslo: status 503, wanted 2xx|Shop" {
		t.Errorf("the row of a watcher that one site sees red: got %q", got)
	}
	dots := func(i int) string {
		return eval[string](p, fmt.Sprintf("[...document.querySelectorAll('#tile-%d .dot')].map((e) => e.getAttribute('data-s')).join()", i))
	}
	for i, want := range map[int]string{0: "ok,ok,ok", 3: "ok,critical,ok", 6: "ok,ok,stale", 9: ""} {
		if got := dots(i); got != want {
			t.Errorf("dots of tile %d: got %q, wanted %q", i, got, want)
		}
	}
	pills := "[...document.querySelectorAll('#pills li')].map((e) => e.textContent).join()"
	if got := eval[string](p, pills); got != "2 critical,1 warning,41 ok" {
		t.Errorf("pills: got %q", got)
	}
	if found := painted[[]string](p, flaws); len(found) > 0 {
		t.Errorf("flaws:\n  %s", strings.Join(found, "\n  "))
	}

	d.frame(object{"i": 7, "s": "warning", "v": "900", "m": "slow", "f": d.now()})
	p.wait("document.querySelector('#tile-6[data-s=warning] .value').textContent === '900' && " + fmt.Sprintf(row, "search") + " === 'Search|900 ms \u00b7 oslo: slow|Shop'")
	if got := dots(6); got != "ok,warning,stale" {
		t.Errorf("dots after a frame: got %q", got)
	}
	d.frame(object{"i": 4, "s": "ok", "v": "150", "u": "ms", "m": "", "f": d.now(), "k": object{"s": "critical", "l": 12, "e": d.now()}})
	p.wait("document.querySelector('#tile-3[data-s=ok][data-was=critical]') && " + pills + " === '1 critical,2 warning,41 ok'")
	d.frame(object{"i": 5, "s": "critical", "m": "status 500", "f": d.now()})
	p.wait("document.querySelector('#tile-3[data-s=critical]') && document.getElementById('announce').textContent.includes('critical: Checkout')")

	p.do(chromedp.Evaluate[chromedp.Void]("document.getElementById('tile-3').click()"))
	list := "[...document.querySelectorAll('.member')].map((e) => e.getAttribute('data-s') + ' ' + e.children[1].textContent + ' ' + e.children[2].textContent).join()"
	if got := eval[string](p, list); got != "critical virginia 213 ms,ok berlin 133 ms,ok oslo 150 ms" {
		t.Errorf("the sites: got %q", got)
	}
	d.frame(object{"i": 3, "v": "134"})
	p.wait(list + ".includes('ok berlin 134 ms')")
	p.do(chromedp.Evaluate[chromedp.Void]("document.querySelectorAll('.member')[2].click()"))
	p.wait("document.querySelector('#detail .where').textContent === 'Shop \u00b7 oslo' && document.querySelector('#detail pre')")
	p.do(chromedp.KeyEvent(kb.Escape))
	p.wait("document.getElementById('detail').hidden && document.activeElement.id === 'tile-3'")

	// The same board told again keeps its tiles; a site that comes is a dot more.
	p.do(chromedp.Evaluate[chromedp.Void]("window.was = document.getElementById('tile-3')"))
	d.show(abroad)
	p.wait("document.querySelector('#tile-3[data-s=critical]') && window.was === document.getElementById('tile-3') && " + pills + " === '2 critical,1 warning,41 ok'")
}

func TestSetsAreCollapsed(t *testing.T) {
	t.Parallel()
	d := carrying(t, abroad)
	p := open(t, d.URL+"/?merge=majority&collapse=nodes&collapse=More+nodes", 1920, 1080)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 6 && document.getElementById('pulse').textContent.startsWith('live')")
	got := [][]string{texts(p, 10)[:4], texts(p, 30)[:4]}
	want := [][]string{{"Nodes", "1\u00a0critical, 1\u00a0warning, 18\u00a0ok", "", "node-10, node-02"}, {"More nodes", "20\u00a0ok", "", ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tiles of sets (-want +got):\n%s", diff)
	}
	if got := eval[string](p, "[...document.querySelectorAll('#pills li')].map((e) => e.textContent).join()"); got != "1 critical,1 warning,42 ok" {
		t.Errorf("pills: got %q", got)
	}
	if got := eval[string](p, "document.getElementById('tile-30').getAttribute('data-was')"); got != "critical" {
		t.Errorf("the flicker of a watcher in a set: got %q", got)
	}
	for _, size := range [][2]int64{{1280, 720}, {1080, 1920}, {390, 844}, {1920, 1080}} {
		p.resize(size[0], size[1])
		p.wait(fmt.Sprintf("innerWidth === %d && new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))", size[0]))
		if found := painted[[]string](p, flaws); len(found) > 0 {
			t.Errorf("flaws at %dx%d:\n  %s", size[0], size[1], strings.Join(found, "\n  "))
		}
		if cut := eval[int](p, "((e) => e.scrollHeight - e.clientHeight)(document.querySelector('#tile-10 .value'))"); cut > 2 {
			t.Errorf("at %dx%d the last %d pixels of what a set consists of are cut", size[0], size[1], cut)
		}
	}
	d.frame(object{"i": 20, "s": "ok", "m": "", "f": d.now(), "k": object{"s": "critical", "l": 70, "e": d.now()}}, object{"i": 33, "s": "stale", "f": d.now() - 9})
	p.wait("document.querySelector('#tile-10[data-s=warning] .value').textContent === '1\u00a0warning, 19\u00a0ok' && document.querySelector('#tile-30[data-s=stale] .value').textContent === '1\u00a0no data, 19\u00a0ok'")
	p.do(chromedp.Evaluate[chromedp.Void]("document.getElementById('tile-30').click()"))
	p.wait("document.querySelectorAll('.member').length === 20 && document.querySelector('.member .who').textContent === 'node-23'")
	p.do(chromedp.Click(chromedp.CSS("#detail a")))
	p.wait("new URLSearchParams(location.search).get('set') === 'More nodes' && document.querySelectorAll('.tile[aria-label]').length > 6 && document.getElementById('pulse').textContent.startsWith('live')")
	d.set(func(d *dashboard) {
		if got := d.asked[len(d.asked)-1]; !strings.HasPrefix(got, "set=More+nodes&shows=&") {
			t.Errorf("query of /events: got %q", got)
		}
	})
}
