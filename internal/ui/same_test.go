package ui

import (
	"fmt"
	"testing"
)

// TestSamePictureAtEveryResolution: what tiles show, how they are dealt to columns, and whether there is a list beside them
// is decided on a screen of 1080 lines. Screens of one shape show the same, and a few pixels more or less change nothing.
func TestSamePictureAtEveryResolution(t *testing.T) {
	t.Parallel()
	for _, n := range []int{7, 18, 60, 192, 300, 500, 1000} {
		for _, bad := range []int{0, 3} {
			if testing.Short() && n != 60 && n != 300 {
				continue
			}
			t.Run(fmt.Sprintf("%d watchers, %d problems", n, bad), func(t *testing.T) {
				p := open(t, newDashboard(t, sick(even(n), bad)).URL, 1920, 1080)
				p.wait(fmt.Sprintf("document.querySelectorAll('.tile[aria-label]').length === %d && document.querySelectorAll('.tile:not([data-s=ok])').length === %d", n, bad))
				samePictures(t, p)
			})
		}
	}
}

func samePictures(t *testing.T, p *tab) {
	picture := func(width, height int64) string {
		p.resize(width, height)
		p.wait(fmt.Sprintf("innerWidth === %d && innerHeight === %d", width, height))
		return painted[string](p, `document.getElementById("board").dataset.level + (document.getElementById("problems").hidden ? " " : " with a list, ") +
			[...document.querySelectorAll(".tiles")].map((e) => e.style.gridTemplateColumns.match(/\d+/)[0]).join()`)
	}
	want := picture(1920, 1080)
	for _, size := range screens {
		if size[0] < 600 {
			continue // a telephone scrolls
		}
		own := picture(size[0], size[1])
		if size[0]*9/16 == size[1] && own != want {
			t.Errorf("%dx%d: got level and columns %s, wanted %s as at 1920x1080", size[0], size[1], own, want)
		}
		for _, by := range [][2]int64{{-6, 0}, {6, 0}, {0, -6}, {0, 6}} {
			if got := picture(size[0]+by[0], size[1]+by[1]); got != own {
				t.Errorf("%dx%d: got level and columns %s, wanted %s as without these pixels", size[0]+by[0], size[1]+by[1], got, own)
			}
		}
	}
}
