package ui

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
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

// sighted is a tile as it is rendered.
type sighted struct {
	State   string    `json:"state"`
	Back    []float64 `json:"back"` // red, green, blue from 0 to 255
	Mark    []float64 `json:"mark"`
	Sign    string    `json:"sign"` // the drawing of the mark; empty: none is seen
	Hatched bool      `json:"hatched"`
	Edge    []float64 `json:"edge"`
}

const looks = `["ok", "warning", "critical", "unknown", "stale"].map((state) => {
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
	for _, query := range []string{"", "?theme=light", "?theme=contrast", "?palette=blue", "?theme=light&palette=blue", "?theme=contrast&palette=blue"} {
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

// TestTypeIsLargeEnough holds the floors under what is read from afar.
func TestTypeIsLargeEnough(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, wall(1))
	p := open(t, d.URL, 1920, 1080)
	heights := func(selector string) []float64 {
		return painted[[]float64](p, fmt.Sprintf("[...document.querySelectorAll(%q)].map(e => e.getBoundingClientRect().height).filter(h => h > 0)", selector))
	}
	for _, row := range []struct {
		n             int
		width, height int64
		selector      string
		some          int // how many there are at least
		least         float64
	}{
		{18, 1920, 1080, ".plain .value", 10, 72},
		{18, 1920, 1080, ".head", 18, 26},
		{60, 1920, 1080, ".plain .value", 30, 40},
		{192, 1920, 1080, ".plain .value", 150, 26},
		{192, 1920, 1080, ".head", 192, 14},
		{500, 1920, 1080, ".plain .value", 400, 16},
		{1000, 1920, 1080, ".tile:not([data-s=ok]) .mark", 8, 16},
		{1000, 1920, 1080, "#rail .name", 8, 30},
		{18, 3840, 2160, ".plain .value", 10, 144},
		{192, 390, 844, ".plain .value", 100, 24},
	} {
		d.show(wall(row.n))
		p.resize(row.width, row.height)
		p.wait(fmt.Sprintf("innerWidth === %d && document.querySelectorAll('.tile[aria-label]').length === %d && !document.querySelector('.tile:not([aria-label])')", row.width, row.n))
		p.wait(fmt.Sprintf("document.querySelectorAll(%q).length >= %d", row.selector, row.some))
		got := heights(row.selector)
		least := math.Inf(1)
		for _, h := range got {
			least = min(least, h)
		}
		t.Logf("%d at %dx%d: %s: %.0f px", row.n, row.width, row.height, row.selector, least)
		if least < row.least {
			t.Errorf("%d at %dx%d: height of %s: got %.1f px, wanted %v", row.n, row.width, row.height, row.selector, least, row.least)
		}
	}
	// The telephone is the last: it scrolls, but only up and down.
	if got := eval[[]int](p, "[document.scrollingElement.scrollWidth - innerWidth, document.scrollingElement.scrollHeight > innerHeight ? 1 : 0]"); got[0] > 0 || got[1] != 1 {
		t.Errorf("192 on a telephone: got %d px too wide, and %d for being longer than the screen, wanted 0 and 1", got[0], got[1])
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
	duration := func() string {
		return eval[string](p, "getComputedStyle(document.querySelector('.tile')).transitionDuration")
	}
	if got := duration(); got != "0.25s" {
		t.Errorf("change of a colour: got %s, wanted 0.25s", got)
	}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}}); err != nil {
		t.Fatal(err)
	}
	if got := duration(); got != "0s" {
		t.Errorf("change of a colour for who wants no motion: got %s, wanted 0s", got)
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
