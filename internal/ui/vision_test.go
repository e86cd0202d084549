package ui

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// prefer has the page meet a preference of the system.
func (p *tab) prefer(features ...string) {
	p.t.Helper()
	var list []*emulation.MediaFeature
	for i := 0; i < len(features); i += 2 {
		list = append(list, &emulation.MediaFeature{Name: features[i], Value: features[i+1]})
	}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: list}); err != nil {
		p.t.Fatal(err)
	}
}

// picture is what the screen shows.
func (p *tab) picture() image.Image {
	p.t.Helper()
	data, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		p.t.Fatal(err)
	}
	return picture
}

// colour is one of a picture, as linear red, green and blue.
func colour(picture image.Image, x, y float64) [3]float64 {
	r, g, b, _ := picture.At(int(x), int(y)).RGBA()
	return linear(visions["usual"], []float64{float64(r >> 8), float64(g >> 8), float64(b >> 8)})
}

// faces returns a colour of the empty middle of the tile of each state.
func faces(p *tab) map[string][3]float64 {
	p.t.Helper()
	type place struct {
		State string
		X, Y  float64
	}
	places := eval[[]place](p, `["ok", "warning", "critical", "unknown", "stale", "waiting"].map((state) => {
		const b = document.querySelector(".tile[data-s=" + state + "]").getBoundingClientRect();
		return {State: state, X: b.left + b.width / 2, Y: b.top + b.height * 0.4};
	})`)
	picture, out := p.picture(), map[string][3]float64{}
	for _, at := range places {
		out[at.State] = colour(picture, at.X, at.Y)
	}
	return out
}

// TestRedShoutsInEveryVision: as Chromium paints it for those who see fewer colours, what is critical differs from what is
// well by 3:1, and in the dark it is not much less bright than a warning.
func TestRedShoutsInEveryVision(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, states)
	p := open(t, "about:blank", 1920, 1080)
	for _, query := range themes {
		p.do(chromedp.Navigate(d.URL + query))
		shown(p, 9)
		for _, kind := range []emulation.SetEmulatedVisionDeficiencyType{"none", "protanopia", "deuteranopia", "tritanopia", "achromatopsia"} {
			if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedVisionDeficiency, emulation.SetEmulatedVisionDeficiencyParams{Type: kind}); err != nil {
				t.Fatal(err)
			}
			list := faces(p)
			if by := apart(list["critical"], list["ok"]); by < 3 {
				t.Errorf("%q, %s: critical to ok: got %.2f:1, wanted 3:1", query, kind, by)
			}
			dark := brightness(list["ok"]) < 0.2
			if by := brightness(list["critical"]) / brightness(list["warning"]); dark && kind == "none" && by < 0.4 {
				t.Errorf("%q: critical has %.2f of the luminance of warning, wanted 0.4", query, by)
			}
			for _, state := range []string{"warning", "critical"} {
				for _, calm := range []string{"ok", "waiting", "stale"} {
					if by := apart(list[state], list[calm]); dark && by < 3 {
						t.Errorf("%q, %s: %s to %s: got %.2f:1, wanted 3:1", query, kind, state, calm, by)
					}
				}
			}
		}
	}
}

// TestForcedColours: where the system chooses the colours, each state still has a look of its own, by more than its mark.
func TestForcedColours(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, states)
	p := open(t, "about:blank", 1920, 1080)
	for _, scheme := range []string{"dark", "light"} {
		p.prefer("forced-colors", "active", "prefers-color-scheme", scheme)
		p.do(chromedp.Navigate(d.URL))
		shown(p, 9)
		list := faces(p)
		if by := apart(list["critical"], list["ok"]); by < 3 {
			t.Errorf("%s: critical to ok: got %.2f:1, wanted 3:1", scheme, by)
		}
		looks := eval[map[string]string](p, `["ok", "warning", "critical", "unknown", "stale"].reduce((all, state) => {
			const e = document.querySelector(".tile[data-s=" + state + "]:not([data-was])"), style = getComputedStyle(e), mark = getComputedStyle(e.querySelector(".mark"));
			all[state] = [style.backgroundColor, style.outlineStyle, style.outlineWidth].join();
			if (state !== "ok" && (mark.display === "none" || mark.backgroundColor === style.backgroundColor)) all[state] = "no mark";
			return all;
		}, {was: (s => [s.backgroundColor, s.outlineStyle, s.outlineWidth].join())(getComputedStyle(document.querySelector(".tile[data-was]")))})`)
		seen := map[string]string{}
		for state, look := range looks {
			if twin := seen[look]; twin != "" {
				t.Errorf("%s: %s and %s look the same: %s", scheme, state, twin, look)
			}
			seen[look] = state
		}
		for _, flaw := range painted[[]string](p, flaws) {
			t.Errorf("%s: %s", scheme, flaw)
		}
	}
}

// TestPreferencesOfTheSystem: contrast and the colour scheme, where the address does not say otherwise.
func TestPreferencesOfTheSystem(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := open(t, "about:blank", 1280, 720)
	for _, row := range []struct{ query, feature, value, want string }{
		{"", "prefers-contrast", "more", "contrast"},
		{"?theme=auto", "prefers-contrast", "more", "contrast"},
		{"?theme=light", "prefers-contrast", "more", "light"},
		{"", "prefers-color-scheme", "light", "dark"},
		{"?theme=auto", "prefers-color-scheme", "light", "light"},
		{"?theme=auto", "prefers-color-scheme", "dark", "dark"},
	} {
		p.prefer(row.feature, row.value)
		p.do(chromedp.Navigate(d.URL + row.query))
		p.wait("document.querySelectorAll('.tile[aria-label]').length === 3")
		if got := eval[string](p, "document.documentElement.getAttribute('data-theme')"); got != row.want {
			t.Errorf("%q where %s is %s: got the theme %s, wanted %s", row.query, row.feature, row.value, got, row.want)
		}
	}
	p.prefer("prefers-color-scheme", "light") // and while the page is open
	p.wait("document.documentElement.getAttribute('data-theme') === 'light'")
}

// TestAfterglowIsSeenUntilItEnds: its edge has 3:1 to what it is the edge of, in each of its three steps, at every size.
func TestAfterglowIsSeenUntilItEnds(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, wall(1))
	p := open(t, "about:blank", 1920, 1080)
	for _, query := range themes {
		p.do(chromedp.Navigate(d.URL + query))
		for _, n := range []int{9, 60, 1000} {
			d.show(func(at float64) object {
				b := well(n)(at)
				tiles := b["tiles"].([]object)
				for i, ago := range []float64{5, 150, 290} {
					tiles[i]["k"] = object{"s": "critical", "l": 3, "e": at - ago}
					tiles[i+3]["k"] = object{"s": "warning", "l": 3, "e": at - ago}
				}
				return b
			})
			p.wait(fmt.Sprintf("document.querySelectorAll('.tile[aria-label]').length === %d && document.querySelectorAll('.tile[data-was]').length === 6", n))
			type edge struct {
				Face, Edge    []float64
				Width, Corner float64
			}
			for i, e := range painted[[]edge](p, `[0, 1, 2, 3, 4, 5].map((i) => {
				const style = getComputedStyle(document.getElementById("tile-" + i)), corner = getComputedStyle(document.getElementById("tile-" + i), "::after");
				const numbers = (c) => c.match(/[\d.]+/g).map(Number);
				return {Face: numbers(style.backgroundColor).slice(0, 3), Edge: numbers(style.boxShadow).slice(0, 3), Width: numbers(style.boxShadow.split(")")[1])[3], Corner: parseFloat(corner.borderTopWidth)};
			})`) {
				if by := apart(linear(visions["usual"], e.Face), linear(visions["usual"], e.Edge)); by < 3 {
					t.Errorf("%q, step %d: the afterglow: got %.2f:1, wanted 3:1", query, i%3+1, by)
				}
				if e.Width < 1 || e.Corner < 2 {
					t.Errorf("%q, %d tiles, step %d: an edge of %.1f px and a corner of %.1f px, wanted 1 and 2", query, n, i%3+1, e.Width, e.Corner)
				}
			}
		}
	}
}
