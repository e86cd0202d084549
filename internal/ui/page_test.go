package ui

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"pharos/internal/pharos"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

func few(at float64) object {
	return board([]string{"Shop"}, []int{3}, []object{
		{"id": "berlin.shop.home-page", "name": "Home page", "s": "ok", "v": "133", "u": "ms", "f": at - 2*86400 - 10},
		{"id": "berlin.shop.checkout", "name": "Checkout", "s": "warning", "v": "1.84", "u": "s", "m": "slower than 1 s", "f": at - 12.3},
		{"id": "oslo.shop.search", "name": "Search", "site": "oslo", "s": "ok", "v": "412", "u": "ms", "f": at - 3900},
	})
}

// texts are the visible texts of a tile: name, value, unit, note and last row.
func texts(p *tab, i int) []string {
	p.t.Helper()
	return eval[[]string](p, fmt.Sprintf(`['.name', '.value', '.unit', '.note', '.line'].map(s => document.querySelector('#tile-%d ' + s).textContent)`, i))
}

func TestBoardIsShown(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, func(at float64) object {
		b := few(at)
		b["tiles"].([]object)[1]["f"] = at - 130 // a second more does not matter
		return b
	})
	p := open(t, d.URL+"/?set=Shop&site=oslo&theme=light", 1920, 1080)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3")
	got := [][]string{texts(p, 0), texts(p, 1), texts(p, 2)}
	want := [][]string{
		{"Home page", "133", "ms", "", ""},
		{"Checkout", "1.84", "s", "slower than 1 s", "for 2 minutes"},
		{"Search \u00b7 oslo", "412", "ms", "", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tiles (-want +got):\n%s", diff)
	}
	p.wait("document.title === '! 1 \u00b7 Pharos'")
	for script, want := range map[string]string{
		"document.getElementById('tagline').textContent":                               "Watching so you don't have to",
		"document.querySelector('.set-name').textContent":                              "Shop",
		"document.getElementById('pills').innerText.replace(/\\s+/g, ' ')":             "1 warning 2 ok",
		"document.getElementById('tile-1').getAttribute('aria-label')":                 "Checkout, warning, 1.84 s, slower than 1 s, for 2 minutes",
		"[...document.querySelectorAll('#hops li')].map(e => e.textContent).join('|')": "dashboard|NATS|berlin \u00b7 14 watchers|oslo \u00b7 3 watchers",
		"document.getElementById('icon').href.slice(0, 22)":                            "data:image/png;base64,",
		"getComputedStyle(document.body).backgroundColor":                              "rgb(242, 244, 246)",
	} {
		if got := eval[string](p, script); got != want {
			t.Errorf("%s: got %q, wanted %q", script, got, want)
		}
	}
	d.set(func(d *dashboard) {
		if diff := cmp.Diff([]string{"set=Shop&site=oslo&shows=&build=" + Build()}, d.asked); diff != "" {
			t.Errorf("queries of /events (-want +got):\n%s", diff)
		}
	})
}

func TestFlickerLeavesAnAfterglow(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := open(t, d.URL, 1920, 1080)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3")
	d.frame(object{"i": 0, "s": "critical", "m": "status 503, wanted 2xx", "f": d.now() + 60}) // the moment lasts until the test has looked
	p.wait("document.querySelector('#tile-0[data-s=critical] .note').textContent === 'status 503, wanted 2xx'")
	p.wait("document.title.startsWith('\u2715 1')")
	if got := texts(p, 0)[4]; got != "just now" {
		t.Errorf("last row of the red tile: got %q, wanted %q", got, "just now")
	}
	p.wait("document.getElementById('announce').textContent === 'critical: Home page'")
	now := d.now()
	d.frame(object{"i": 0, "s": "ok", "m": "", "f": now, "k": object{"s": "critical", "l": 3.1, "e": now - 70}})
	p.wait("document.querySelector('#tile-0[data-s=ok][data-was=critical] .line').textContent === 'was critical 3 s, 1 minute ago'")
	for _, row := range []struct {
		ago  float64
		step string
	}{{70, "3"}, {150, "2"}, {250, "1"}} {
		d.frame(object{"i": 0, "k": object{"s": "critical", "l": 3.1, "e": now - row.ago}})
		p.wait(fmt.Sprintf("document.getElementById('tile-0').getAttribute('data-glow') === %q", row.step))
	}
	d.frame(object{"i": 0, "k": object{"s": "critical", "l": 3.1, "e": now - 299}})
	p.wait("!document.querySelector('#tile-0').hasAttribute('data-was') && document.querySelector('#tile-0 .line').textContent === 'just now'")
}

func TestDurationsTickByThemselves(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := open(t, d.URL, 1920, 1080)
	later(p, "document.querySelector('#tile-1[aria-label] .line').textContent", `^for (\d+) seconds$`, 12, 3)
}

// later waits until a text tells seconds: that many at least, and then more of them, so often. It returns the last.
func later(p *tab, text, pattern string, least float64, times int) float64 {
	p.t.Helper()
	for range times + 1 {
		p.wait(fmt.Sprintf("(window.seconds = Number((%s).trim().match(/%s/)[1])) >= %v", text, pattern, least))
		least = eval[float64](p, "window.seconds") + 1
	}
	return least - 1
}

func TestSilenceDrawsTheVeil(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := open(t, d.URL, 1920, 1080, "ERR_INCOMPLETE_CHUNKED_ENCODING", "503 (Service Unavailable)")
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3 && document.getElementById('overlay').hidden")

	d.set(func(d *dashboard) { d.silent = true })
	const veil, after = "document.getElementById('overlay').textContent", `^no contact with the dashboard for (\d+) sthe board`
	seconds := later(p, veil, after, 3, 0)
	p.wait("!document.getElementById('overlay').hidden")
	p.wait("document.title.includes('no contact') && getComputedStyle(document.getElementById('wall')).filter.includes('grayscale')")
	frozen := texts(p, 1)[4]
	seconds = later(p, veil, after, seconds+2, 0)
	if got := texts(p, 1)[4]; got != frozen {
		t.Errorf("a duration behind the veil: got %q, wanted it to stand at %q", got, frozen)
	}
	p.do(chromedp.Evaluate[chromedp.Void]("window.was = document.getElementById('tile-0')"))

	// A connection that ends and is refused for a while: the page stays, and comes back with what is true by then.
	d.set(func(d *dashboard) { d.refuse = true })
	d.drop()
	later(p, veil, after, seconds+3, 0)
	d.set(func(d *dashboard) {
		d.refuse, d.silent = false, false
		d.board = func(at float64) object {
			b := few(at)
			b["tiles"].([]object)[2]["s"] = "critical"
			return b
		}
	})
	p.wait("document.getElementById('overlay').hidden && document.querySelector('#tile-2[data-s=critical]')")
	p.wait("document.title.startsWith('\u2715 1')")
	if !eval[bool](p, "window.was === document.getElementById('tile-0')") {
		t.Error("a board of the same shape built its tiles anew")
	}
}

func TestDashboardThatIsNotThere(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	d.set(func(d *dashboard) { d.refuse = true })
	p := prepared(t, d.URL, "document.addEventListener('DOMContentLoaded', () => { window.first = document.getElementById('overlay').textContent; })")
	p.allow("503 (Service Unavailable)")
	p.wait("window.first.includes('connecting to the dashboard')") // which the page's script has said by then
	p.wait("/no dashboard for [0-9]+ s, still trying/.test(document.getElementById('overlay').textContent)")
	d.set(func(d *dashboard) { d.refuse = false })
	p.wait("document.getElementById('overlay').hidden && document.querySelectorAll('.tile[aria-label]').length === 3")
}

func TestBrokenHopsAreNamed(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, func(at float64) object {
		b := few(at)
		b["hops"] = object{
			"nats": object{"up": false, "f": at - 7.5*60, "error": "permissions violation"},
			"probers": []object{
				{"site": "berlin", "name": "p1", "up": true, "watchers": 14, "missed": 3},
				{"site": "berlin", "name": "p2", "up": false, "f": at - 9.5*60, "watchers": 14},
				{"site": "oslo", "name": "p1", "up": false, "left": true, "f": at - 100, "watchers": 1},
			},
			"notices": []string{`pharos.yaml: line 14: unknown key "thresold" (did you mean "thresholds"?)`},
		}
		return b
	})
	p := open(t, d.URL, 1920, 1080)
	p.wait("document.querySelectorAll('#hops li').length === 5")
	got := eval[[]string](p, "[...document.querySelectorAll('#hops li')].map(e => e.className + ': ' + e.textContent)")
	want := []string{
		"bad: NATS down for 7 min \u00b7 permissions violation",
		"up: dashboard",
		"odd: berlin/p1: too slow: 3 checks skipped in 10 min \u00b7 14 watchers",
		"odd: berlin/p2: not known while NATS is down \u00b7 14 watchers",
		"odd: oslo was shut down 1 min ago \u00b7 1 watcher",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hops (-want +got):\n%s", diff)
	}
	p.wait("document.querySelector('#notices').textContent.includes('thresold')")
	d.show(func(at float64) object {
		b := few(at)
		b["hops"].(object)["probers"].([]object)[0]["up"] = false
		b["hops"].(object)["probers"].([]object)[0]["f"] = at - 9
		return b
	})
	later(p, "document.querySelector('#hops li.bad').textContent", `^berlin: no contact for (\d+) s`, 9, 1)
	if got := eval[string](p, "document.getElementById('pulse').textContent"); got != "live" {
		t.Errorf("the pulse: got %q, wanted it to be live", got)
	}
}

func TestDetailIsHeldWhileTheTileLives(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	d.set(func(d *dashboard) { d.details["berlin.shop.checkout"] = checkout() })
	p := open(t, d.URL, 1920, 1080)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3")
	p.do(chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight)) // the first press takes hold, the second moves
	p.wait("document.activeElement.id === 'tile-1'")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait("document.querySelector('#detail pre') && document.querySelector('#detail pre').textContent === 'line one\\nline two'")
	shown := eval[string](p, "document.querySelector('#detail').innerText")
	for _, want := range []string{"Checkout", "Shop \u00b7 berlin", "status 503, wanted 2xx", "name lookup\n1 ms", "first byte\n100 ms", "certificate", "71 days", "critical for 3 s, 1 min ago", "berlin/p1", "paused at"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the detail shows %q, wanted %q in it", shown, want)
		}
	}
	d.set(func(d *dashboard) {
		later := checkout()
		later["detail"] = "line three"
		d.details["berlin.shop.checkout"] = later
	})
	d.frame(object{"i": 1, "s": "critical", "v": "2.01", "f": d.now() + 60, "m": "status 500"})
	p.wait("document.querySelector('.sheet-head[data-s=critical] .value').textContent === '2.01' && document.querySelector('.since').textContent.startsWith('critical \u00b7 just now')")
	if got := eval[string](p, "document.querySelector('#detail pre').textContent"); got != "line one\nline two" {
		t.Errorf("the held output: got %q, wanted it to stand still", got)
	}
	p.do(chromedp.Click(chromedp.CSS(".held button")))
	p.wait("document.querySelector('#detail pre').textContent === 'line three' && document.querySelector('.held').innerText.includes('following')")
	p.do(chromedp.KeyEvent(kb.Escape))
	p.wait("document.getElementById('detail').hidden && document.activeElement.id === 'tile-1'")

	// One that is not there says so.
	p.allow("404 (Not Found)")
	p.do(chromedp.Click(chromedp.CSS("#tile-0")))
	p.wait("document.querySelector('.held') && document.querySelector('.held').textContent.includes('the dashboard answered 404')")
}

func checkout() object {
	return object{
		"id": "berlin.shop.checkout", "site": "berlin", "set": "Shop", "name": "Checkout", "kind": "page", "target": "https://shop.example/checkout", "interval": 2,
		"status": "critical", "stale": false, "value": 1.84, "unit": "s", "display": "1.84 s", "summary": "status 503, wanted 2xx", "detail": "line one\nline two",
		"facts":  []pharos.Fact{{Name: "status", Value: "503"}, {Name: "address", Value: "93.184.216.34:443"}, {Name: "certificate", Value: "71 days"}},
		"phases": []object{{"name": "lookup", "took": 0.001}, {"name": "connect", "took": 0.02}, {"name": "tls", "took": 0.03}, {"name": "first_byte", "took": 0.1}, {"name": "transfer", "took": 0.01}}, "for": 12.1,
		"flickers": []object{{"status": "critical", "lasted": 3.1, "ago": 61.0}}, "running": false, "within": 6, "age": 0.8, "prober": "p1", "lag": 0.0001, "missed": 0,
		"at": "2026-01-02T15:04:05.123Z",
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, well(18))
	p := open(t, d.URL, 1920, 1080)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 18")
	p.do(chromedp.KeyEvent(kb.ArrowDown)) // the first press takes hold
	if got := eval[string](p, "document.activeElement.id"); got != "tile-0" {
		t.Fatalf("after the first press: got %s, wanted tile-0", got)
	}
	const at = "(b => [b.left, b.top])(document.activeElement.getBoundingClientRect())"
	for _, step := range []struct {
		key  string
		x, y float64
	}{{kb.ArrowDown, 0, 1}, {kb.ArrowRight, 1, 0}, {kb.ArrowDown, 0, 1}, {kb.ArrowLeft, -1, 0}, {kb.ArrowLeft, 0, 0}, {kb.ArrowUp, 0, -1}} {
		before := eval[[]float64](p, at)
		p.do(chromedp.KeyEvent(step.key))
		after := eval[[]float64](p, at)
		if x, y := after[0]-before[0], after[1]-before[1]; x*step.x < 0 || y*step.y < 0 || (x == 0) != (step.x == 0) || (y == 0) != (step.y == 0) {
			t.Fatalf("after %q: the focus moved by %v, %v", step.key, x, y)
		}
	}
	if got := eval[int](p, "document.querySelectorAll('.tile[tabindex=\"0\"]').length"); got != 1 {
		t.Errorf("tiles to be reached by Tab: got %d, wanted 1", got)
	}
	p.do(chromedp.KeyEvent("?"))
	p.wait("document.getElementById('keys').innerText.includes('full screen')")
	p.do(chromedp.KeyEvent(kb.Escape))
	p.wait("document.getElementById('keys').hidden")
	p.wait("document.documentElement.classList.contains('idle')")
}

func TestHostileTextsStayText(t *testing.T) {
	t.Parallel()
	evil := `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>{{.}}&amp;`
	d := newDashboard(t, func(at float64) object {
		b := board([]string{evil}, []int{2}, []object{
			{"id": "a.b.c", "name": evil, "site": evil, "s": "critical", "v": evil, "u": evil, "m": evil, "f": at - 20.5*60},
			{"name": "\u202eevil\u202e", "s": "ok", "v": "1", "u": "", "f": at - 20},
		})
		b["title"], b["tagline"] = evil, evil
		b["hops"] = object{"nats": object{"up": false, "f": at, "error": evil}, "probers": []object{{"site": evil, "name": evil, "up": false, "f": at, "watchers": 2}}, "notices": []string{evil}}
		return b
	})
	d.set(func(d *dashboard) {
		detail := checkout()
		for _, key := range []string{"set", "site", "name", "target", "summary", "detail", "prober"} {
			detail[key] = evil
		}
		detail["facts"] = []pharos.Fact{{Name: evil, Value: evil}}
		d.details["a.b.c"] = detail
	})
	p := open(t, d.URL, 1920, 1080)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 2")
	p.do(chromedp.Evaluate[chromedp.Void]("document.getElementById('tile-0').click()"))
	p.wait("document.querySelector('#detail pre')")
	if got := texts(p, 0); !slices.Equal(got, []string{got[0], evil, evil, evil, got[4]}) {
		t.Errorf("texts: got %q", got)
	}
	if n := eval[int](p, "document.querySelectorAll('img:not(#logo), body script:not(#state)').length"); n != 0 {
		t.Errorf("elements made of text: got %d, wanted none", n)
	}
	if got := eval[string](p, "document.title"); !strings.HasSuffix(got, evil) {
		t.Errorf("title: got %q, wanted it to end with the text itself", got)
	}
}

// TestHugeAndUnprintableTexts: whatever a plugin says, the board stands and goes on.
func TestHugeAndUnprintableTexts(t *testing.T) {
	t.Parallel()
	control := ""
	for c := rune(0); c < 0xa0; c++ {
		if c < ' ' || c > '~' {
			control += string(c)
		}
	}
	control += "\u00ad\u200b\u200d\u200e\u2028\u2029\u202e\u2066\ufeff\ufffd\uffff"
	texts := []string{strings.Repeat("word ", 20_000), strings.Repeat("x", 100_000), strings.Repeat("line\n", 20_000), control}
	const unit = "WWWWWWWWWWWWWWWW" // no prober tells a longer one
	n := 4 * len(texts)
	d := newDashboard(t, func(at float64) object {
		tiles := []object{}
		for i, text := range texts { // each where it does harm; all of it everywhere would take the browser its time
			tiles = append(tiles,
				object{"name": text, "s": "ok", "v": "5", "u": unit, "f": at - 20},
				object{"name": "site", "site": text, "s": "warning", "v": strings.Repeat("0", 100), "u": unit, "m": control, "f": at - 20},
				object{"name": "value", "s": []string{"ok", "critical"}[i%2], "v": text, "f": at - 20},
				object{"name": "summary", "s": "unknown", "v": []string{"", "7"}[i%2], "m": text, "f": at - 20})
		}
		b := board([]string{texts[0], control}, []int{n / 2, n / 2}, tiles)
		b["title"], b["tagline"] = texts[1], texts[0]
		b["hops"] = object{"nats": object{"up": false, "f": at, "error": texts[0][:300]}, "probers": []object{{"site": texts[1], "name": texts[0], "up": false, "f": at, "watchers": 2}}, "notices": texts[:3]}
		return b
	})
	p := open(t, d.URL, 1920, 1080)
	for _, size := range [][2]int64{{1920, 1080}, {390, 844}} {
		p.resize(size[0], size[1])
		p.wait(fmt.Sprintf("innerWidth === %d && document.querySelectorAll('.tile[aria-label]').length === %d && document.getElementById('pulse').textContent.startsWith('live')", size[0], n))
		if found := painted[[]string](p, flaws); len(found) > 0 {
			t.Errorf("at %dx%d:\n  %.2000s", size[0], size[1], strings.Join(found, "\n  "))
		}
	}
	d.set(func(d *dashboard) {
		detail := checkout()
		detail["summary"], detail["detail"], detail["facts"] = control, texts[0]+texts[1], []pharos.Fact{{Name: "x", Value: texts[1]}, {Name: "certificate", Value: control}}
		d.details["berlin.set-0.tile-0"] = detail
	})
	p.do(chromedp.Evaluate[chromedp.Void]("document.getElementById('tile-0').click()"))
	p.wait(fmt.Sprintf("document.querySelector('#detail pre').textContent.length > %d", len(texts[0])))
	if wide := eval[float64](p, "(e => e.scrollWidth - e.clientWidth)(document.querySelector('.sheet-body'))"); wide > 0 {
		t.Errorf("the detail is %v px wider than its sheet", wide)
	}
	d.frame(object{"i": 0, "s": "critical", "v": "7", "u": "", "f": d.now()})
	p.wait("document.querySelector('#tile-0[data-s=critical] .value').textContent === '7' && document.querySelector('.sheet-head .value').textContent === '7'")
}

func TestNewBuildReloadsThePage(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := open(t, d.URL, 1280, 720)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3")
	p.do(chromedp.Evaluate[chromedp.Void]("window.old = true"))
	d.set(func(d *dashboard) { d.build, d.carry = "0123456789ab", true })
	d.show(few)
	p.wait("!window.old && document.querySelectorAll('.tile[aria-label]').length === 3")
}

// TestPageOfAnotherBuildComesToLife: two dashboards of different age behind one address.
func TestPageOfAnotherBuildComesToLife(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	d.set(func(d *dashboard) { d.another = true })
	p := open(t, d.URL, 1280, 720)
	p.wait(fmt.Sprintf("document.querySelector('meta[name=pharos-build]').content === %q && document.querySelectorAll('.tile[aria-label]').length === 3", Build()))
}

func TestAssets(t *testing.T) {
	page := string(Page(Moment{}))
	if !strings.Contains(page, `<meta name="pharos-build" content="`+Build()+`">`) || strings.Contains(page, "{{") {
		t.Errorf("the page does not carry its build %q, or has something that was not filled in:\n%s", Build(), page)
	}
	for name, a := range pages().assets {
		if !strings.Contains(name, Build()) || !strings.Contains(page, name) {
			t.Errorf("asset %q: wanted the build in its name, and the page to name it", name)
		}
		r, err := gzip.NewReader(bytes.NewReader(a.Gzip))
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(r); err != nil || !bytes.Equal(data, a.Data) {
			t.Errorf("asset %q, uncompressed: got %d bytes and %v, wanted %d", name, len(data), err, len(a.Data))
		}
	}
	if _, ok := Find("app.js"); ok {
		t.Error(`Find("app.js"): got one without a hash, wanted none`)
	}
	if kind := http.DetectContentType([]byte(page)); kind != "text/html; charset=utf-8" {
		t.Errorf("kind of the page: got %q", kind)
	}
}

func TestBoardWithoutWatchersSaysSo(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := open(t, d.URL, 1280, 720)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3")
	d.show(func(float64) object {
		return object{"title": "Pharos", "tagline": "", "sets": []object{}, "tiles": []object{}, "hops": object{"nats": object{"up": true, "f": 1, "store": true}, "probers": []object{}, "notices": []string{}}}
	})
	p.wait("!document.getElementById('empty').hidden && document.querySelectorAll('.tile, #pills li').length === 0 && document.title === 'Pharos'")
	p.wait("document.getElementById('hops').textContent.includes('no prober yet')")
	d.show(few)
	p.wait("document.getElementById('empty').hidden && document.querySelectorAll('.tile[aria-label]').length === 3")
}

func TestRotationWalksThroughAllSets(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, wall(60))
	p := open(t, d.URL+"/?rotate=1s&zoom=2", 1280, 720)
	seen := map[string]bool{}
	for n := 1; n <= 3; n++ {
		p.wait(fmt.Sprintf("document.getElementById('pulse').textContent.startsWith('page %d of ') && document.querySelector('.tile[aria-label]') && "+
			"(window.names = [...document.querySelectorAll('.set')].filter(e => !e.hidden).map(e => e.firstChild.textContent))", n))
		for _, name := range eval[[]string](p, "window.names") { // the page may have turned since
			seen[name] = true
		}
		if got := eval[string](p, "document.querySelector('#problems .row[data-s=critical] .name').textContent"); got != "Checkout" {
			t.Errorf("what is not well, on page %d: got %q, wanted Checkout on every page", n, got)
		}
		if found := painted[[]string](p, flaws); len(found) > 0 {
			t.Errorf("page %d:\n  %s", n, strings.Join(found, "\n  "))
		}
	}
	if len(seen) < 3 {
		t.Errorf("sets seen on three pages: got %v, wanted three or more", seen)
	}
}

func TestHiddenTabIsLeftAlone(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := open(t, d.URL, 1280, 720)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3")
	// A hidden tab gets no animation frames: hold them back as a browser would. It may change its title, and the counts that go with it.
	p.do(chromedp.Evaluate[chromedp.Void](`
		window.away = true;
		Object.defineProperty(document, "hidden", {get: () => window.away});
		window.paint = window.requestAnimationFrame;
		window.held = [];
		window.requestAnimationFrame = (f) => window.held.push(f);
		window.changes = [];
		const own = (node) => node && (node.closest ? node : node.parentElement || document.head).closest("head, #pills");
		new MutationObserver((list) => list.filter((m) => !own(m.target)).forEach((m) => window.changes.push(m.type + " of " + (m.target.id || m.target.className || m.target.nodeName))))
			.observe(document.documentElement, {subtree: true, childList: true, characterData: true, attributes: true});
		document.dispatchEvent(new Event("visibilitychange"));
		undefined`))
	until := func(script string) {
		t.Helper()
		if _, err := chromedp.Run(p.ctx, chromedp.Poll[chromedp.Void](script, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(15*time.Second))); err != nil {
			t.Fatalf("waiting in the hidden tab for %s: %v", script, err)
		}
	}
	d.frame(object{"i": 0, "s": "critical", "v": "9", "f": d.now()})
	until("document.title.startsWith('\u2715 1')")
	d.set(func(d *dashboard) {
		hops := hopsUp()
		hops["nats"] = object{"up": false, "f": d.now() - 9, "error": "no route"}
		hops["notices"] = []string{"a file is wrong"}
		d.sendLocked("frame", object{"u": []object{{"i": 0, "v": "10"}, {"i": 1, "s": "critical", "f": d.now()}}, "hops": hops})
	})
	until("document.title.startsWith('\u2715 2')")
	d.show(func(at float64) object {
		return board([]string{"Shop"}, []int{4}, []object{{"name": "A", "s": "critical", "v": "11", "f": at}, {"name": "B", "s": "critical", "f": at}, {"name": "C", "s": "critical", "f": at}, {"name": "D", "s": "ok", "f": at}})
	})
	until("document.title.startsWith('\u2715 3') && (window.at = window.at || Date.now()) < Date.now() - 2000") // seconds in which it ticks
	if got := eval[[]string](p, "changes"); len(got) > 0 {
		t.Errorf("changes of the hidden tab: got %d, wanted none: %.500q", len(got), got)
	}
	p.do(chromedp.Evaluate[chromedp.Void](`
		window.away = false;
		window.requestAnimationFrame = window.paint;
		document.dispatchEvent(new Event("visibilitychange"));
		window.held.forEach((f) => f(performance.now()));
		undefined`))
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 4 && document.querySelector('#tile-0[data-s=critical] .value').textContent === '11' && document.querySelectorAll('#notices li').length === 0")
}

func TestStateWithoutReasonHasItsWord(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, func(at float64) object {
		tiles := []object{}
		for _, state := range []string{"warning", "critical", "unknown", "stale", "waiting"} {
			tiles = append(tiles, object{"name": "Some name of usual length", "s": state, "v": "7", "u": "s", "f": at - 70}, object{"name": "Some name of usual length", "s": state, "f": at - 70})
		}
		return board([]string{""}, []int{10}, tiles)
	})
	p := open(t, d.URL, 1920, 1080)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 10")
	var got [][]string
	for i := range 10 {
		got = append(got, texts(p, i)[1:])
	}
	want := [][]string{
		{"7", "s", "warning", "for 1 minute"}, {"warning", "", "", "for 1 minute"},
		{"7", "s", "critical", "for 1 minute"}, {"critical", "", "", "for 1 minute"},
		{"7", "s", "unknown", "for 1 minute"}, {"unknown", "", "", "for 1 minute"},
		{"no data", "", "", "for 1 minute"}, {"no data", "", "", "for 1 minute"},
		{"first check running", "", "", ""}, {"first check running", "", "", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tiles (-want +got):\n%s", diff)
	}
	p.resize(1280, 100) // no room for a row of its own
	p.wait("document.getElementById('board').getAttribute('data-note') === '0'")
}
