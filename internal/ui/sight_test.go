package ui

import (
	"encoding/json"
	"fmt"
	"math"
	"pharos/internal/pharos"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

// visions are what remains of linear red, green and blue (Machado, Oliveira and Fernandes 2009, severity 1).
var visions = map[string][3][3]float64{
	"usual":        {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
	"no colours":   {{0.2126, 0.7152, 0.0722}, {0.2126, 0.7152, 0.0722}, {0.2126, 0.7152, 0.0722}},
}

var themes = []string{"", "?theme=light", "?theme=contrast", "?palette=blue", "?theme=light&palette=blue", "?theme=contrast&palette=blue"}

// sighted is a tile as it is rendered.
type sighted struct {
	State   string    `json:"state"`
	Back    []float64 `json:"back"` // red, green, blue from 0 to 255
	Mark    []float64 `json:"mark"`
	Sign    string    `json:"sign"` // the drawing of the mark; empty: none is seen
	Hatched bool      `json:"hatched"`
	Edge    []float64 `json:"edge"`
}

const looks = `["ok", "warning", "critical", "unknown", "stale", "waiting"].map((state) => {
  const tile = document.querySelector(".tile[data-s=" + state + "]"), mark = tile.querySelector(".mark");
  const style = getComputedStyle(tile), drawn = getComputedStyle(mark), numbers = (c) => c.match(/[\d.]+/g).slice(0, 3).map(Number);
  return {state: state, back: numbers(style.backgroundColor), mark: numbers(drawn.backgroundColor), hatched: style.backgroundImage !== "none", edge: numbers(style.boxShadow),
    sign: mark.getBoundingClientRect().width > 0 ? drawn.webkitMaskImage || drawn.maskImage : ""};
})`

// linear is what the vision makes of a colour: linear red, green and blue from 0 to 1.
func linear(vision [3][3]float64, colour []float64) (out [3]float64) {
	var in [3]float64
	for i, v := range colour {
		if v /= 255; v <= 0.04045 {
			in[i] = v / 12.92
		} else {
			in[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	for i, row := range vision {
		out[i] = min(1, max(0, row[0]*in[0]+row[1]*in[1]+row[2]*in[2]))
	}
	return out
}

func brightness(c [3]float64) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] }

// lightness is the L* of CIE Lab: 0 is black, 100 white.
func lightness(c [3]float64) float64 {
	if y := brightness(c); y > 0.008856 {
		return 116*math.Cbrt(y) - 16
	} else {
		return 903.3 * y
	}
}

func apart(a, b [3]float64) float64 {
	x, y := brightness(a), brightness(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestStatesAreToldApartWithoutColours: two states differ in lightness, or else in a mark that is well seen, or in hatching.
func TestStatesAreToldApartWithoutColours(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, states)
	p := open(t, "about:blank", 1920, 1080)
	for _, query := range themes {
		p.do(chromedp.Navigate(d.URL + query))
		p.wait("document.querySelectorAll('.tile[aria-label]').length === 9 && !document.documentElement.classList.contains('still')")
		p.do(chromedp.Evaluate[chromedp.Void]("document.querySelectorAll('.tile').forEach(e => { e.style.transition = 'none' }); undefined"))
		list := eval[[]sighted](p, looks)
		for name, vision := range visions {
			for i, a := range list {
				back := linear(vision, a.Back)
				if a.State != "ok" && (a.Sign == "" || apart(back, linear(vision, a.Mark)) < 4.5) {
					t.Errorf("%q, %s: the mark of %s: got a contrast of %.1f:1, wanted 4.5:1", query, name, a.State, apart(back, linear(vision, a.Mark)))
				}
				for _, b := range list[i+1:] {
					by := math.Abs(lightness(back) - lightness(linear(vision, b.Back)))
					if by < 12 && a.Sign == b.Sign && a.Hatched == b.Hatched {
						t.Errorf("%q, %s: %s and %s: got %.0f of lightness between them and one mark for both, wanted 12 or two marks", query, name, a.State, b.State, by)
					}
					// From where marks are not seen, what is well must not look like what is not: by its face, or by its edge.
					edge := math.Abs(lightness(back) - lightness(linear(vision, b.Edge)))
					if a.State == "ok" && (b.State == "warning" || b.State == "critical") && by < 12 && edge < 20 {
						t.Errorf("%q, %s: %s and %s: got %.0f of lightness between them and %.0f to the edge, wanted 12 or 20", query, name, a.State, b.State, by, edge)
					}
				}
			}
		}
		text := ""
		for _, l := range list {
			text += fmt.Sprintf(" %s %.0f/%.0f/%.0f", l.State, lightness(linear(visions["usual"], l.Back)), lightness(linear(visions["protanopia"], l.Back)), lightness(linear(visions["deuteranopia"], l.Back)))
		}
		t.Logf("%q: lightness as usual, with protanopia, with deuteranopia:%s", query, text)
	}
}

// faint lists the texts that are seen and have too little contrast to what is behind them, as it is rendered: 7:1 for names
// and values, 4.5:1 for the rest. Behind a hatched tile there are two colours. The last of the list is how many texts there are.
const faint = `(() => {
  const out = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const colours = (text) => (text.match(/rgba?\([^)]*\)/g) || []).map((c) => c.match(/[\d.]+/g).map(Number)).map((c) => c.length < 4 ? c.concat(1) : c);
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
  const linear = (v) => v / 255 <= 0.04045 ? v / 255 / 12.92 : Math.pow((v / 255 + 0.055) / 1.055, 2.4);
  const bright = (c) => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const apart = (a, b) => (Math.max(bright(a), bright(b)) + 0.05) / (Math.min(bright(a), bright(b)) + 0.05);
  const behind = (e) => {
    if (!e) return [[255, 255, 255]];
    const style = getComputedStyle(e), own = colours(style.backgroundColor)[0], stripes = colours(style.backgroundImage).filter((c) => c[3] > 0);
    const flat = own[3] === 1 ? [own] : behind(e.parentElement).map((c) => over(own, c));
    return stripes.reduce((all, stripe) => all.concat(flat.map((c) => over(stripe, c))), flat);
  };
  let n = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement, box = e.getBoundingClientRect();
    if (!node.data.trim() || box.width < 2 || box.height < 2 || getComputedStyle(e).visibility !== "visible") continue;
    let front = colours(getComputedStyle(e).color)[0].slice();
    for (let up = e; up; up = up.parentElement) front[3] *= getComputedStyle(up).opacity;
    if (!front[3]) continue;
    n++;
    const least = Math.min(...behind(e).map((c) => apart(over(front, c), c))), want = e.closest(".name, .value") ? 7 : 4.5;
    const of = e.closest("[data-s]");
    if (least < want) out.push((e.id || e.className || e.tagName) + " " + (of ? of.getAttribute("data-s") + " " : "") + JSON.stringify(node.data.slice(0, 30)) + ": got " + least.toFixed(2) + ":1, wanted " + want + ":1");
  }
  return out.concat(String(n));
})()`

func TestContrast(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, states)
	day := func(board func(at float64) object) func(at float64) object {
		return func(at float64) object {
			b := board(at)
			b["hops"] = object{
				"nats": object{"up": false, "f": at - 9, "error": "permissions violation"},
				"probers": []object{
					{"site": "berlin", "name": "p1", "up": true, "watchers": 14, "missed": 3},
					{"site": "oslo", "name": "p1", "up": false, "f": at - 9, "watchers": 14},
					{"site": "virginia", "name": "p1", "up": false, "left": true, "f": at - 100, "watchers": 1},
				},
				"notices": []string{"pharos.yaml: line 14: unknown key"},
			}
			return b
		}
	}
	d.set(func(d *dashboard) {
		for i := range 6 {
			d.details[fmt.Sprintf("berlin.set-0.tile-%d", i)] = checkout()
		}
	})
	p := open(t, "about:blank", 1920, 1080)
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}}); err != nil {
		t.Fatal(err) // a colour that fades in is none that is read
	}
	check := func(query, what string, some int) {
		t.Helper()
		list := painted[[]string](p, faint)
		if n, err := strconv.Atoi(list[len(list)-1]); err != nil || n < some {
			t.Errorf("%q, %s: got %d texts, wanted %d or more", query, what, n, some)
		}
		for _, text := range list[:len(list)-1] {
			t.Errorf("%q, %s: contrast of %s", query, what, text)
		}
	}
	for _, query := range themes {
		d.show(day(states))
		p.do(chromedp.Navigate(d.URL + query))
		p.wait("document.querySelectorAll('.tile[aria-label]').length === 9 && document.getElementById('pulse').textContent.startsWith('live')")
		check(query, "nine tiles", 40)
		for i := range 6 {
			p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("document.getElementById('tile-%d').click()", i)))
			p.wait("document.querySelector('#detail pre')")
			check(query, "one opened", 80)
			p.do(chromedp.KeyEvent(kb.Escape))
		}
		p.do(chromedp.KeyEvent("?"))
		check(query, "the keys", 50)
		d.show(day(wall(1000)))
		p.wait("document.querySelectorAll('.tile[aria-label]').length === 1000 && document.querySelectorAll('#problems .row').length > 3")
		check(query, "a thousand tiles and the rail", 20)
	}
}

// hears is a piece of the accessibility tree: what who hears the board is told.
type hears struct{ role, name, of string }

func hearing(p *tab) (list []hears) {
	p.t.Helper()
	tree, err := chromedp.Call(p.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		p.t.Fatal(err)
	}
	word := func(v *accessibility.Value) (out string) {
		if v != nil && json.Unmarshal(v.Value, &out) != nil {
			p.t.Fatalf("reading the accessibility tree: got %s, wanted a text", v.Value)
		}
		return out
	}
	nodes := map[accessibility.NodeID]*accessibility.Node{}
	for _, n := range tree.Nodes {
		nodes[n.NodeID] = n
	}
	for _, n := range tree.Nodes {
		if n.Ignored {
			continue
		}
		of := nodes[n.ParentID]
		for of != nil && (of.Ignored || word(of.Name) == "" || word(of.Role) == "listitem") {
			of = nodes[of.ParentID]
		}
		one := hears{role: word(n.Role), name: word(n.Name)}
		if of != nil {
			one.of = word(of.Role) + " " + word(of.Name)
		}
		list = append(list, one)
	}
	return list
}

// TestBoardIsHeard: the accessibility tree has the board as lists of named items.
func TestBoardIsHeard(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, states)
	d.set(func(d *dashboard) { d.details["berlin.set-0.tile-2"] = checkout() })
	p := open(t, d.URL, 1920, 1080)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 9 && document.title.startsWith('\u2715 1')")
	list := hearing(p)
	defer func() {
		if t.Failed() {
			t.Logf("the accessibility tree: %q", list)
		}
	}()
	const page = "RootWebArea \u2715 1 \u00b7 Pharos"
	for _, want := range []hears{
		{"heading", "Pharos", page}, {"list", "Watchers by state", page}, {"list", "How the news gets here", page}, {"main", "Watchers", page},
		{"heading", "States", "main Watchers"}, {"list", "States", "main Watchers"}, {"list", "Memories", "main Watchers"},
		{"button", "Well, ok, 133 ms, for 3 days", "list States"}, {"button", "Warning, warning, 412 ms, slower than 400 ms, for less than a minute", "list States"},
		{"button", "Critical, critical, 1.84 s, status 503, wanted 2xx, for less than a minute", "list States"},
		{"button", "Unknown, unknown, plugin exit 3: no such table, for 1 hour", "list States"}, {"button", "No data, no data, for less than a minute", "list States"},
		{"button", "Waiting, waiting, first check running", "list States"},
		{"button", "Was red, ok, 98 ms, for 1 minute, was critical 3 s", "list Memories"}, {"button", "Was yellow, ok, 21 ms, for 2 minutes, was warning 2 s", "list Memories"},
		{"button", "Still running, ok, 57 ms, for 2 hours", "list Memories"},
	} {
		if !slices.Contains(list, want) {
			t.Errorf("the accessibility tree: got no %s %q in the %s", want.role, want.name, want.of)
		}
	}
	for _, one := range list {
		if one.name == "" && slices.Contains([]string{"button", "list", "main", "heading", "dialog"}, one.role) {
			t.Errorf("the accessibility tree: got a %s without a name in the %s", one.role, one.of)
		}
	}
	d.frame(object{"i": 0, "s": "critical", "f": d.now()})
	p.wait("document.getElementById('announce').textContent === 'critical: Well'")
	if list = hearing(p); !slices.ContainsFunc(list, func(one hears) bool { return one.role == "StaticText" && one.name == "critical: Well" }) {
		t.Errorf("the accessibility tree: got nothing of what is announced")
	}
	p.do(chromedp.Evaluate[chromedp.Void]("document.getElementById('tile-2').click()"))
	p.wait("document.querySelector('#detail pre')")
	list = hearing(p)
	for _, want := range [][2]string{{"button", "close"}, {"button", "update"}, {"heading", "Critical"}, {"term", "certificate"}} {
		if !slices.Contains(list, hears{want[0], want[1], "dialog Critical"}) {
			t.Errorf("the accessibility tree: got no %s %q in the dialog that is open", want[0], want[1])
		}
	}
	if got := eval[string](p, "document.documentElement.lang + ' ' + document.getElementById('announce').getAttribute('aria-live')"); got != "en polite" {
		t.Errorf("language of the page, and how news are told: got %q, wanted English and politely", got)
	}
}

// TestTextsRunTheirOwnWay: what people wrote runs from the right to the left where it begins so, whatever stands around it.
func TestTextsRunTheirOwnWay(t *testing.T) {
	t.Parallel()
	const hebrew = "\u05e9\u05e8\u05ea"
	foreign := func(n int) func(at float64) object {
		return func(at float64) object {
			tiles := []object{}
			for i := range n {
				tiles = append(tiles, object{"name": hebrew, "site": hebrew, "s": []string{"ok", "critical", "stale"}[i%3], "v": []string{"5", ""}[i%2], "m": hebrew, "f": at - 700})
			}
			b := board([]string{hebrew, hebrew}, []int{n / 2, n - n/2}, tiles)
			b["title"], b["tagline"] = hebrew, hebrew
			b["hops"] = object{"nats": object{"up": true}, "probers": []object{{"site": hebrew, "name": hebrew, "up": false, "left": true, "f": at - 9, "watchers": 2}}, "notices": []string{hebrew}}
			return b
		}
	}
	d := newDashboard(t, foreign(9))
	d.set(func(d *dashboard) {
		detail := checkout()
		for _, key := range []string{"set", "site", "name", "summary", "detail", "prober"} {
			detail[key] = hebrew
		}
		detail["facts"] = []pharos.Fact{{Name: "status", Value: hebrew}}
		d.details["berlin.set-0.tile-0"] = detail
	})
	p := open(t, d.URL, 1920, 1080)
	// Of a row that is put together, the words of ours that it begins with say the way.
	const against = `[...document.querySelectorAll("body, body *:not(script)")].filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && /^[^A-Za-z]*[\u0590-\u06ff]/.test(n.data))
		&& getComputedStyle(e).direction !== "rtl").map((e) => e.tagName + " " + (e.id || e.className) + " " + e.textContent)`
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 9 && document.getElementById('notices').textContent")
	if got := painted[[]string](p, against); len(got) > 0 {
		t.Errorf("texts that run the wrong way: %q", got)
	}
	if got := eval[string](p, "getComputedStyle(document.querySelector('#tile-0 .line')).direction"); got != "ltr" {
		t.Errorf("the duration in a tile of such a name: got %s, wanted ltr", got)
	}
	p.do(chromedp.Evaluate[chromedp.Void]("document.getElementById('tile-0').click()"))
	p.wait("document.querySelector('#detail pre')")
	if got := painted[[]string](p, against); len(got) > 0 {
		t.Errorf("texts of a detail that run the wrong way: %q", got)
	}
	d.show(foreign(1000))
	p.wait("document.querySelectorAll('#problems .row').length > 3")
	if got := painted[[]string](p, against); len(got) > 0 {
		t.Errorf("texts of the rail that run the wrong way: %q", got)
	}
}

func TestScreenIsKeptAwake(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := prepared(t, d.URL, `
		window.locks = [];
		window.away = false;
		Object.defineProperty(Document.prototype, "hidden", {get: () => window.away});
		Object.defineProperty(Navigator.prototype, "wakeLock", {value: {request: (kind) => { window.locks.push(kind); return Promise.reject(new Error("low battery")); }}});`)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3")
	turn := func(away bool) []string {
		p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("window.away = %v; document.dispatchEvent(new Event('visibilitychange')); undefined", away)))
		return eval[[]string](p, "locks")
	}
	got := [][]string{eval[[]string](p, "locks"), turn(true), turn(false)}
	want := [][]string{{"screen"}, {"screen"}, {"screen", "screen"}} // the browser lets go of it when the tab is hidden
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("locks at first, once hidden, and once seen again (-want +got):\n%s", diff)
	}
}

// TestShiftMovesTheWall: a few pixels each minute, none of it where it is not asked for, and nothing is cut off.
func TestShiftMovesTheWall(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := prepared(t, d.URL+"/?shift=1", `{ const now = Date.now; window.minutes = 0; Date.now = () => now() + window.minutes * 60000; }`)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3")
	places := map[string]bool{}
	for minute := range 4 {
		p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("window.was = document.getElementById('clock').textContent; window.minutes = %d; undefined", minute)))
		p.wait("document.getElementById('clock').textContent !== window.was && document.getElementById('wall').style.transform !== ''")
		at := eval[[]float64](p, "(b => [b.left, b.top])(document.getElementById('wall').getBoundingClientRect())")
		if math.Abs(at[0]) > 4 || math.Abs(at[1]) > 4 {
			t.Errorf("minute %d: the wall stands at %v, wanted it within 4 px", minute, at)
		}
		places[fmt.Sprint(at)] = true
	}
	if len(places) < 3 {
		t.Errorf("places of the wall in four minutes: got %v, wanted three or more", places)
	}
	for _, flaw := range painted[[]string](p, flaws) {
		if !strings.HasPrefix(flaw, "scrolls") { // the wall's own margin may leave the screen
			t.Errorf("the shifted wall: %s", flaw)
		}
	}
	p.do(chromedp.Navigate(d.URL))
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3 && document.getElementById('clock').textContent")
	if got := eval[string](p, "document.getElementById('wall').style.transform"); got != "" {
		t.Errorf("a wall that was not asked to move: got %q", got)
	}
}

func TestMotionIsReducedOnRequest(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := open(t, d.URL, 1280, 720)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3")
	ring := func(i int, v string) float64 {
		d.frame(object{"i": i, "s": "critical", "v": v, "f": d.now()})
		p.wait(fmt.Sprintf("document.querySelector('#tile-%d[data-s=critical].worse .value').textContent === %q", i, v))
		return eval[float64](p, fmt.Sprintf("parseFloat(getComputedStyle(document.getElementById('tile-%d')).animationDuration)", i))
	}
	if got := ring(0, "9"); got != 0.6 {
		t.Errorf("the ring around what has become worse: got %v s, wanted 0.6", got)
	}
	if got := eval[string](p, "(s => s.transitionProperty + ' ' + s.transitionDuration)(getComputedStyle(document.getElementById('tile-0')))"); got != "all 0s" {
		t.Errorf("a colour that changes to the worse: got %s, wanted it at once", got)
	}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}}); err != nil {
		t.Fatal(err)
	}
	if got := ring(2, "8"); got != 0 {
		t.Errorf("the ring for who wants no motion: got %v s, wanted none", got)
	}
	// And nothing blinks, for anybody: no animation runs twice.
	css, err := embedded.ReadFile("assets/board.css")
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`infinite|animation-iteration-count|animation:[^;]*\b[2-9]\b[^s;]*;`).Find(css); found != nil {
		t.Errorf("board.css: got %q, wanted nothing that moves again and again", found)
	}
}
