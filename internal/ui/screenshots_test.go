package ui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var (
	screenshots = flag.String("screenshots", "", "write pictures of the board to this folder")
	only        = flag.String("only", "", "write only the pictures whose names begin so")
)

// wall is a day on the wall: n tiles, most of them well.
func wall(n int) func(at float64) object {
	return func(at float64) object { return wallAt(n, at) }
}

func wallAt(n int, at float64) object {
	names := []string{"Home page", "Checkout", "Search", "Login", "API /v2/orders", "CDN image", "Postgres primary", "Replica lag", "Disk on db1", "Queue depth", "DNS resolver", "Certificate", "Home page", "Home page", "VPN gateway", "Backup job", "SMTP relay", "LDAP"}
	values := [][2]string{{"133", "ms"}, {"1.84", "s"}, {"412", "ms"}, {"98", "ms"}, {"57", "ms"}, {"21", "ms"}, {"0", ""}, {"0.4", "s"}, {"71", "%"}, {"18", ""}, {"3", "ms"}, {"6", "days"}, {"166", "ms"}, {"166", "ms"}, {"9", "ms"}, {"", ""}, {"44", "ms"}, {"2", ""}}
	tiles := []object{}
	for i := range n {
		k := i % len(names)
		tile := object{"name": names[k], "s": "ok", "v": values[k][0], "u": values[k][1], "f": at - 86400*float64(1+i%11) - 100}
		if n > 60 {
			tile["name"] = fmt.Sprintf("edge-%03d", i)
			tile["v"], tile["u"] = fmt.Sprint(20+(i*37)%170), "ms"
		}
		tiles = append(tiles, tile)
	}
	put := func(i int, change object) {
		if i < n {
			for k, v := range change {
				tiles[i][k] = v
			}
		}
	}
	put(1, object{"s": "critical", "m": "status 503, wanted 2xx", "f": at - 12})
	put(2, object{"s": "warning", "m": "slower than 400 ms", "f": at - 2})
	put(3, object{"k": object{"s": "critical", "l": 3.1, "e": at - 65}})
	put(5, object{"k": object{"s": "warning", "l": 2.2, "e": at - 240}})
	put(11, object{"s": "warning", "m": "expires on 3 March", "f": at - 90000})
	put(12, object{"site": "oslo"})
	put(13, object{"site": "virginia", "s": "stale", "f": at - 14})
	put(16, object{"k": object{"s": "critical", "l": 8, "e": at - 200}})
	put(17, object{"s": "critical", "v": "", "u": "", "m": "connection refused", "f": at - 190})
	put(33, object{"s": "unknown", "v": "", "u": "", "m": "plugin exit 3: no such table", "f": at - 3900})
	put(40, object{"s": "waiting", "v": "", "u": "", "f": at - 3})
	put(77, object{"k": object{"s": "warning", "l": 2, "e": at - 30}})
	put(120, object{"s": "stale", "f": at - 9})
	switch {
	case n == 18:
		return board([]string{"Shop", "Infrastructure", "From elsewhere"}, []int{6, 6, 6}, tiles)
	case n == 60:
		return board([]string{"Shop", "Infrastructure", "Offices", "Partners", "Jobs"}, []int{18, 14, 12, 9, 7}, tiles)
	case n > 60:
		return board([]string{"Edge nodes", "Origin"}, []int{n * 2 / 3, n - n*2/3}, tiles)
	}
	return board([]string{"Shop"}, []int{n}, tiles)
}

// broken is a bad day: a prober is silent, a file is wrong.
func broken(n int) func(at float64) object {
	return func(at float64) object {
		b := wallAt(n, at)
		b["hops"] = object{
			"nats": object{"up": true, "f": 1, "store": true, "error": ""},
			"probers": []object{
				{"site": "berlin", "name": "p1", "up": true, "watchers": 14},
				{"site": "oslo", "name": "p1", "up": true, "watchers": 3},
				{"site": "virginia", "name": "p1", "up": false, "f": at - 14, "watchers": 1},
			},
			"notices": []string{`pharos.yaml: line 14: unknown key "thresold" (did you mean "thresholds"?)`},
		}
		return b
	}
}

// states has a tile of every kind.
func states(at float64) object {
	return board([]string{"States", "Memories"}, []int{6, 3}, []object{
		{"name": "Well", "s": "ok", "v": "133", "u": "ms", "f": at - 3*86400},
		{"name": "Warning", "s": "warning", "v": "412", "u": "ms", "m": "slower than 400 ms", "f": at - 40},
		{"name": "Critical", "s": "critical", "v": "1.84", "u": "s", "m": "status 503, wanted 2xx", "f": at - 12},
		{"name": "Unknown", "s": "unknown", "m": "plugin exit 3: no such table", "f": at - 3900},
		{"name": "No data", "s": "stale", "v": "166", "u": "ms", "f": at - 14},
		{"name": "Waiting", "s": "waiting", "f": at - 6},
		{"name": "Was red", "s": "ok", "v": "98", "u": "ms", "f": at - 65, "k": object{"s": "critical", "l": 3.1, "e": at - 65}},
		{"name": "Was yellow", "s": "ok", "v": "21", "u": "ms", "f": at - 140, "k": object{"s": "warning", "l": 2.2, "e": at - 140}},
		{"name": "Still running", "s": "ok", "v": "57", "u": "ms", "m": "running 3 s", "r": true, "f": at - 7200},
	})
}

// well is a day on which nothing happens.
func well(n int) func(at float64) object {
	return func(at float64) object {
		b := wallAt(n, at)
		for _, tile := range b["tiles"].([]object) {
			tile["s"], tile["m"], tile["k"], tile["f"] = "ok", "", nil, at-86400*3
		}
		return b
	}
}

// TestScreenshots makes pictures to look at. It does so only when asked to.
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		return
	}
	if err := os.MkdirAll(*screenshots, 0o755); err != nil {
		t.Fatal(err)
	}
	d := newDashboard(t, wall(1))
	d.set(func(d *dashboard) { d.details["berlin.set-0.tile-1"] = checkout() })
	p := open(t, d.URL, 1920, 1080)
	snap := func(name string, board func(float64) object, n int, width, height int64) {
		t.Helper()
		if !strings.HasPrefix(name, *only) {
			return
		}
		p.resize(width, height)
		d.show(board)
		p.wait(fmt.Sprintf("document.querySelectorAll('.tile[aria-label]').length === %d && !document.querySelector('.tile:not([aria-label])')", n))
		p.do(chromedp.Sleep(400 * time.Millisecond))
		shoot(p, name)
	}
	for _, size := range []struct {
		name          string
		width, height int64
		counts        []int
	}{
		{"1080p", 1920, 1080, []int{1, 7, 18, 60, 192, 500, 1000}},
		{"720p", 1280, 720, []int{18, 60, 192, 500, 1000}},
		{"2160p", 3840, 2160, []int{18, 192}},
		{"portrait", 1080, 1920, []int{7, 18, 60, 192, 1000}},
		{"phone", 390, 844, []int{18, 192}},
	} {
		for _, n := range size.counts {
			snap(fmt.Sprintf("%s-%d", size.name, n), wall(n), n, size.width, size.height)
		}
	}
	for _, n := range []int{7, 18, 60, 192, 500, 1000} {
		snap(fmt.Sprintf("odd-%d", n), odd(n), n, 1920, 1080)
	}
	snap("odd-phone", odd(18), 18, 390, 844)
	snap("states", states, 9, 1920, 1080)
	snap("well-18", well(18), 18, 1920, 1080)
	snap("well-1000", well(1000), 1000, 1920, 1080)
	snap("broken-18", broken(18), 18, 1920, 1080)

	for name, query := range map[string]string{
		"light": "?theme=light", "contrast": "?theme=contrast", "blue": "?palette=blue", "light-blue": "?theme=light&palette=blue", "zoom": "?zoom=1.4", "rotate": "?rotate=20s&zoom=1.4",
	} {
		if strings.HasPrefix(name, *only) {
			p.do(chromedp.Navigate(d.URL + query))
			snap(name, wall(60), 60, 1920, 1080)
		}
	}
	d.show(abroad)
	for name, query := range map[string]string{"merged": "?merge=worst&set=Shop", "merged-few": "?merge=majority&collapse=Nodes&collapse=More+nodes", "merged-light": "?theme=light&merge=worst&collapse=Nodes"} {
		if strings.HasPrefix(name, *only) {
			p.resize(1920, 1080)
			p.do(chromedp.Navigate(d.URL + query))
			p.wait("document.querySelectorAll('.tile[aria-label]').length > 3")
			p.do(chromedp.Sleep(400 * time.Millisecond))
			shoot(p, name)
			p.do(chromedp.Evaluate[chromedp.Void]("document.getElementById('tile-' + (document.getElementById('tile-10').textContent.includes('Nodes') ? 10 : 3)).click()"), chromedp.Sleep(300*time.Millisecond))
			shoot(p, name+"-open")
		}
	}
	for _, n := range []int{18, 192} {
		if name := fmt.Sprintf("still-%d", n); strings.HasPrefix(name, *only) {
			d := carrying(t, wall(n))
			shoot(still(t, d.URL, 1920, 1080), name)
		}
	}
	p.do(chromedp.Navigate(d.URL))
	for name, size := range map[string][2]int64{"detail": {1920, 1080}, "detail-portrait": {1080, 1920}, "detail-phone": {390, 844}} {
		if strings.HasPrefix(name, *only) {
			snap(name, wall(18), 18, size[0], size[1])
			p.do(chromedp.Evaluate[chromedp.Void]("document.getElementById('tile-1').click()"))
			p.wait("document.querySelector('#detail pre')")
			shoot(p, name)
			p.do(chromedp.KeyEvent(kb.Escape))
		}
	}
	snap("keys", wall(18), 18, 1920, 1080)
	p.do(chromedp.KeyEvent("?"))
	shoot(p, "keys")
	p.do(chromedp.KeyEvent(kb.Escape), chromedp.KeyEvent(kb.ArrowDown))
	shoot(p, "focus")
	d.set(func(d *dashboard) { d.silent = true })
	p.wait("!document.getElementById('veil').hidden")
	shoot(p, "veil")
}

func shoot(p *tab, name string) {
	p.t.Helper()
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), picture, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
