package ui

import (
	"fmt"
	"os"
	"testing"
)

// typefaces are those that screens have, and the Debian package of each.
var typefaces = map[string]string{"Roboto": "fonts-roboto", "Inter": "fonts-inter", "Noto Sans": "fonts-noto-core", "Liberation Sans": "fonts-liberation", "DejaVu Sans": "fonts-dejavu-core"}

// TestEveryTypeface: texts stay in their tiles and are read from afar, whichever font the screen has.
func TestEveryTypeface(t *testing.T) {
	t.Parallel()
	for face, deb := range typefaces {
		t.Run(face, func(t *testing.T) {
			d := newDashboard(t, wall(1))
			p := prepared(t, d.URL, fmt.Sprintf(`document.addEventListener("readystatechange", () => { if (document.readyState === "interactive") document.body.style.fontFamily = %q; })`, face+", monospace"))
			wide := func(font string) float64 {
				return eval[float64](p, fmt.Sprintf(`(g => { g.font = "100px %s"; return g.measureText("Wide and narrow").width; })(document.createElement("canvas").getContext("2d"))`, font))
			}
			if wide(face+", monospace") == wide("monospace") {
				if os.Getenv("CI") != "" {
					t.Fatalf("looking for the typeface %s: got none: apt-get install %s", face, deb)
				}
				t.Skipf("%s is not here: apt-get install %s", face, deb)
			}
			sizes := [][]int{even(18), even(60), even(192)}
			if testing.Short() {
				sizes = sizes[1:2]
			}
			for _, size := range sizes {
				n := 0
				for _, some := range size {
					n += some
				}
				d.show(sick(size, 3))
				readFromAfar(t, p, n, 3)
			}
			d.show(odd(60))
			p.resize(1366, 768)
			p.wait("innerWidth === 1366 && document.querySelectorAll('.tile[aria-label]').length === 60 && document.querySelectorAll('.tile[data-s=unknown]').length > 1")
			for _, flaw := range painted[[]string](p, flaws) {
				t.Errorf("odd names: %s", flaw)
			}
		})
	}
}

// TestLeastSizeOfLetters: people have their browser draw no small letters. Two rows of a name survive it, and nothing leaves
// its tile.
func TestLeastSizeOfLetters(t *testing.T) {
	d := newDashboard(t, wall(1))
	p := openWith(t, "blink-settings", "minimumFontSize=18", d.URL, 1920, 1080)
	for name, board := range map[string]func(at float64) object{"odd names": odd(60), "names of 40 letters": sick(even(60), 3), "many": northwind(192), "calm": well(192)} {
		d.show(board)
		p.wait(fmt.Sprintf("document.querySelectorAll('.tile[aria-label]').length === %d", map[bool]int{true: 192, false: 60}[name == "many" || name == "calm"]))
		for _, size := range [][2]int64{{1366, 768}, {1920, 1080}, {1080, 1920}} {
			p.resize(size[0], size[1])
			p.wait(fmt.Sprintf("innerWidth === %d", size[0]))
			for _, flaw := range painted[[]string](p, flaws) {
				t.Errorf("%s at %dx%d: %s", name, size[0], size[1], flaw)
			}
			if got := painted[[]string](p, twins); len(got) > 0 && name != "odd names" {
				t.Errorf("%s at %dx%d: two tiles of a set show %q", name, size[0], size[1], got[0])
			}
		}
		rows := painted[[]float64](p, `[...document.querySelectorAll(".tile .name")].filter((e) => e.getClientRects().length && e.children.length > 1 && e.children[1].textContent)
			.map((e) => (e.getBoundingClientRect().bottom - e.children[1].getBoundingClientRect().bottom))`)
		for _, below := range rows {
			if below < -0.6 {
				t.Errorf("%s: the second row of a name is cut by %.1f px", name, -below)
				break
			}
		}
	}
	d.show(odd(18))
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 18")
	if least := painted[float64](p, `Math.min(...[...document.querySelectorAll(".tile .name span:not(:empty), .tile .value:not(:empty)")].filter((e) => e.getClientRects().length).map((e) => e.getBoundingClientRect().height))`); least < 18 {
		t.Errorf("the browser draws letters of %.1f px, wanted at least 18: is the setting not known any more?", least)
	}
}
