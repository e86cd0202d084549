package ui

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// screens are the sizes that a board is looked at.
var screens = [][2]int64{{1280, 720}, {1366, 768}, {1920, 1080}, {2560, 1440}, {3840, 2160}, {3440, 1440}, {1080, 1920}, {1024, 768}, {390, 844}}

// many are the names of n watchers, half of which are of 40 letters, the most that must be read whole.
func many(n int) []string {
	names := make([]string, n)
	for i := range n {
		names[i] = []string{"payments-gateway eu-central-1 /v2/orders", "Home page", "LDAP", "invoice renderer of the Copenhagen shops", "DNS resolver"}[i%5]
		if i > 4 {
			tail := fmt.Sprint(" ", i)
			names[i] = names[i][:min(len(names[i]), 40-len(tail))] + tail
		}
	}
	return names
}

// sick is a board of n watchers of these sets, so many of which are not well.
func sick(sizes []int, bad int) func(at float64) object {
	return func(at float64) object {
		n := 0
		sets := make([]string, len(sizes))
		for k, size := range sizes {
			n += size
			sets[k] = fmt.Sprint("Set ", k+1)
		}
		tiles := []object{}
		for i, name := range many(n) {
			tile := object{"name": name, "s": "ok", "v": fmt.Sprint(20 + i%170), "u": "ms", "f": at - 90000}
			if i%max(1, n/max(1, bad)) == 0 && i/max(1, n/max(1, bad)) < bad {
				tile["s"], tile["m"], tile["f"] = []string{"critical", "warning", "unknown"}[i%3], "connection refused", at-30-float64(i)
			}
			tiles = append(tiles, tile)
		}
		return board(sets, sizes, tiles)
	}
}

// even are n watchers in sets as they are in most files.
func even(n int) []int {
	sizes := []int{}
	for left := n; left > 0; {
		size := min(left, max(1, n/7+len(sizes)%3))
		sizes = append(sizes, size)
		left -= size
	}
	return sizes
}

// shown are the names of what is not well as they are read from afar: the largest of each, and whether all of it is there.
const shownNames = `(() => {
  const out = {};
  for (const e of document.querySelectorAll(".tile:not([data-s=ok]) .name, .row:not([data-s=ok]) .name")) {
    if (!e.getClientRects().length || e.getBoundingClientRect().width < 1) continue;
    const cut = [...e.children].some((s) => s.scrollWidth > s.clientWidth + 1) || e.scrollHeight > e.clientHeight + 2;
    const id = e.closest(".row") ? e.closest(".row").getAttribute("data-i") : e.closest(".tile").id.slice(5);
    const one = {text: e.textContent, size: cut ? 0 : parseFloat(getComputedStyle(e).fontSize)};
    (out[id] = out[id] || []).push(one);
  }
  return Object.keys(out).map((id) => out[id]);
})()`

type readName struct {
	Text string  `json:"text"`
	Size float64 `json:"size"`
}

// twins lists the tiles of a set that show the same text.
const twins = `[...document.querySelectorAll(".set")].reduce((all, set) => {
  const seen = {};
  for (const e of set.querySelectorAll(".tile .name")) {
    if (!e.getClientRects().length) continue;
    if (seen[e.textContent]) all.push(e.textContent);
    seen[e.textContent] = true;
  }
  return all;
}, [])`

// TestProblemsAreReadFromFiveMetres: on every screen, of however many watchers, the name of each problem that is shown has
// 40 px of 1080 lines, and 32 px from eight problems on, and up to 40 letters of it are there.
func TestProblemsAreReadFromFiveMetres(t *testing.T) {
	t.Parallel()
	boards := map[string][]int{"1": even(1), "3": even(3), "7": even(7), "18": even(18), "40": even(40), "60": even(60), "100": even(100), "192": even(192), "300": even(300), "500": even(500), "1000": even(1000),
		"1+1+60": {1, 1, 60}, "17x3": {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}, "2+30+1+5+1+12": {2, 30, 1, 5, 1, 12}}
	for name, sizes := range boards {
		n := 0
		for _, size := range sizes {
			n += size
		}
		if testing.Short() && n > 60 && n != 192 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			d := newDashboard(t, wall(1))
			p := open(t, d.URL, 1920, 1080)
			for _, bad := range []int{1, 3, 8} {
				if bad <= n {
					d.show(sick(sizes, bad))
					readFromAfar(t, p, n, bad)
				}
			}
		})
	}
}

func readFromAfar(t *testing.T, p *tab, n, bad int) {
	for _, size := range screens {
		p.resize(size[0], size[1])
		p.wait(fmt.Sprintf("innerWidth === %d && document.querySelectorAll('.tile[aria-label]').length === %d && document.querySelectorAll('.tile:not([data-s=ok])').length === %d", size[0], n, bad))
		where := fmt.Sprintf("%d problems at %dx%d", bad, size[0], size[1])
		wantReadFromAfar(t, painted[[][]readName](p, shownNames), bad, size)
		if got := eval[[]string](p, twins); len(got) > 0 {
			t.Errorf("%s: two tiles of a set show %q", where, got[0])
		}
		if found := painted[[]string](p, flaws); len(found) > 0 {
			t.Errorf("%s:\n  %s", where, strings.Join(found[:min(3, len(found))], "\n  "))
		}
	}
}

// wantReadFromAfar fails the test where a name of so many problems is too small or cut on a screen of that size.
func wantReadFromAfar(t *testing.T, names [][]readName, bad int, size [2]int64) {
	t.Helper()
	where := fmt.Sprintf("%d problems at %dx%d", bad, size[0], size[1])
	least := 40.0
	if bad >= 8 {
		least = 32
	}
	least *= float64(min(size[0], size[1])) / 1080
	if size[0] < 600 {
		least = 16 // a telephone is held in the hand
	}
	if len(names) != bad {
		t.Errorf("%s: got %d names, wanted all", where, len(names))
	}
	for _, of := range names {
		best := readName{}
		for _, one := range of {
			if one.Size > best.Size && !strings.Contains(one.Text, "\u2026") {
				best = one
			}
		}
		if best.Size < math.Floor(least*10)/10 {
			t.Errorf("%s: the name %q: got %.1f px, wanted %.1f", where, of[0].Text, best.Size, least)
		}
	}
}

// TestNamesOfOneBeginning: what all names of a set begin with goes before what tells them apart.
func TestNamesOfOneBeginning(t *testing.T) {
	t.Parallel()
	ends := []string{"/v2/orders", "/v2/refunds", "/v2/invoices", "/healthz", "/metrics", "/login", "/checkout", "/cart", "/search"}
	d := newDashboard(t, func(at float64) object {
		tiles := []object{}
		for i := range 18 {
			tiles = append(tiles, object{"name": "payments-gateway-eu-west-" + fmt.Sprint(1+i/9) + " " + ends[i%9], "s": "ok", "v": "32", "u": "ms", "f": at - 9000})
		}
		return board([]string{"Payments"}, []int{18}, tiles)
	})
	p := open(t, d.URL, 1920, 1080)
	for _, size := range screens {
		p.resize(size[0], size[1])
		p.wait(fmt.Sprintf("innerWidth === %d && document.querySelectorAll('.tile[aria-label]').length === 18", size[0]))
		if got := painted[[]string](p, twins); len(got) > 0 {
			t.Errorf("%dx%d: two tiles show %q", size[0], size[1], got[0])
		}
		for i, text := range painted[[]string](p, `[...document.querySelectorAll(".tile .name")].map((e) => e.textContent)`) {
			if end := ends[i%9]; !strings.HasSuffix(text, end) && !strings.Contains(text, end[:5]) {
				t.Errorf("%dx%d: tile %d shows %q, wanted what tells it apart: %q", size[0], size[1], i, text, end)
			}
		}
	}
}
