package ui

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
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

// northwind is a shop of n watchers with the names that people give: long ones, that begin alike.
func northwind(n int) func(at float64) object {
	services := []string{"payments-gateway", "checkout", "catalogue", "orders", "invoice-renderer", "login", "session-store", "search", "recommendations", "inventory", "price-engine", "mail-relay", "image-proxy",
		"kafka-bridge", "ledger", "fraud-score", "address-check", "parcel-tracking", "newsletter", "cms", "artifactory", "grafana", "vault", "keycloak", "postgres-primary", "postgres-replica", "redis", "rabbitmq",
		"elasticsearch", "minio", "dns", "vpn", "printer 3rd floor", "coffee machine"}
	tails := []string{"", " eu-west-1", " us-east-1 /healthz", "", " ap-southeast-2 /v2/orders", " eu-central-1", ""}
	names := []string{"Shop", "Payments", "Login & accounts", "Search", "Warehouse", "Mail", "Infrastructure", "Databases", "Kubernetes prod", "Kubernetes staging", "Partners", "CDN"}
	shares := []int{17, 12, 26, 10, 23, 18, 9, 22, 14, 19, 11, 16}
	return func(at float64) object {
		tiles := []object{}
		for i := range n {
			tile := object{"name": services[i%len(services)] + tails[(i*3+i/len(services))%len(tails)], "s": "ok", "v": fmt.Sprint(20 + (i*37)%170), "u": "ms", "f": at - 86400*float64(1+i%11) - 100}
			switch i % 9 {
			case 4:
				tile["v"], tile["u"] = fmt.Sprintf("%.2f", 0.4+float64(i%17)/7), "s"
			case 7:
				tile["v"], tile["u"] = fmt.Sprint(30+i%60), "%"
			}
			tiles = append(tiles, tile)
		}
		put := func(i int, change object) {
			if i < n {
				maps.Copy(tiles[i], change)
			}
		}
		put(3, object{"s": "critical", "m": "502, wanted 2xx", "f": at - 28})
		put(9, object{"k": object{"s": "critical", "l": 3.1, "e": at - 65}})
		put(14, object{"s": "warning", "v": "458", "u": "ms", "m": "over 300 ms; first byte 354 ms", "f": at - 28})
		put(25, object{"s": "critical", "v": "", "u": "", "m": "connection refused", "f": at - 190})
		put(33, object{"s": "critical", "v": "", "u": "", "m": "connection refused", "f": at - 2})
		put(40, object{"s": "unknown", "v": "", "u": "", "m": "plugin exit 3: no such table", "f": at - 3900})
		put(52, object{"s": "warning", "v": "564", "u": "ms", "m": "over 300 ms; first byte 512 ms", "f": at - 420})
		put(77, object{"k": object{"s": "warning", "l": 2, "e": at - 210}})
		put(130, object{"s": "critical", "m": "404, wanted 2xx", "f": at - 29})
		put(160, object{"s": "unknown", "v": "", "u": "", "m": "no number in \"Build 4711 passed, 12 of 13\"", "f": at - 29})
		sets, sizes := []string{}, []int{}
		for left, k := n, 0; left > 0; k++ {
			size := min(left, max(1, shares[k%12]*n/197))
			if k == 11 {
				size = left
			}
			sets, sizes, left = append(sets, names[k%12]), append(sizes, size), left-size
		}
		b := board(sets, sizes, tiles)
		b["title"], b["tagline"] = "Northwind Operations", "Shop, payments, and everything under them"
		return b
	}
}

// silent is a day on which the prober of one site is not heard, and its tiles are hatched for it.
func silent(n int) func(at float64) object {
	return truthful(func(at float64) object {
		b := wallAt(n, at)
		for _, tile := range b["tiles"].([]object) {
			if tile["s"] == "stale" {
				tile["site"], tile["f"] = "virginia", at-14
			}
		}
		return b
	})
}

// truthful names the probers of a board's tiles below it: one whose tiles are all hatched is silent.
func truthful(board func(at float64) object) func(at float64) object {
	return func(at float64) object {
		b := board(at)
		probers, of := []object{}, map[any]object{}
		for _, tile := range b["tiles"].([]object) {
			site := tile["site"]
			if site == nil {
				site = "berlin"
			}
			if of[site] == nil {
				of[site] = object{"site": site, "name": "p1", "up": false, "f": tile["f"], "watchers": 0, "version": "1.0"}
				probers = append(probers, of[site])
			}
			of[site]["watchers"] = of[site]["watchers"].(int) + 1
			of[site]["up"] = of[site]["up"].(bool) || tile["s"] != "stale"
		}
		b["hops"].(object)["probers"] = probers
		return b
	}
}

// departments has more sets than fit with all that there is to say.
func departments(at float64) object {
	b := silent(480)(at)
	sets := []string{"Shop", "Payments", "Search", "Mail", "Storage", "Network", "Offices", "Partners"}
	b["sets"] = board(sets, slices.Repeat([]int{60}, len(sets)), b["tiles"].([]object))["sets"]
	return b
}

// broken is a worse day: a file is wrong as well.
func broken(n int) func(at float64) object {
	return func(at float64) object {
		b := silent(n)(at)
		b["hops"].(object)["notices"] = []string{`pharos.yaml: line 14: unknown key "thresold" (did you mean "thresholds"?)`}
		return b
	}
}

// cut is a day on which four of eight sites are not heard.
func cut(n int) func(at float64) object {
	return func(at float64) object {
		b := wallAt(n, at)
		probers := []object{}
		for i, site := range []string{"berlin", "oslo", "virginia", "singapore", "frankfurt", "tokyo", "sydney", "s\u00e3o paulo"} {
			probers = append(probers, object{"site": site, "name": "p1", "up": i%2 == 0, "f": at - 20 - float64(i), "watchers": (n + 7 - i) / 8, "version": "1.0"})
		}
		for i, tile := range b["tiles"].([]object) {
			tile["site"] = nil
			if site := probers[i%8]; site["up"] == false {
				tile["site"], tile["s"], tile["m"], tile["f"] = site["site"], "stale", "", site["f"]
			}
		}
		b["hops"].(object)["probers"] = probers
		return b
	}
}

// away is a day without NATS: nobody is heard, and nothing is known.
func away(n int) func(at float64) object {
	return truthful(func(at float64) object {
		b := wallAt(n, at)
		for _, tile := range b["tiles"].([]object) {
			tile["s"], tile["m"], tile["k"], tile["f"] = "stale", "", nil, at-23
		}
		b["hops"].(object)["nats"] = object{"up": false, "f": at - 23, "store": true, "error": ""}
		return b
	})
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
func well(n int) func(at float64) object { return calm(wall(n)) }

// calm is a board on which all is well.
func calm(board func(at float64) object) func(at float64) object {
	return func(at float64) object {
		b := board(at)
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
	began := time.Now().Add(-time.Second) // files keep coarser time
	d := newDashboard(t, wall(1))
	d.set(func(d *dashboard) { d.details["berlin.set-0.tile-1"] = checkout() })
	empty := truthful(func(float64) object { return board(nil, nil, []object{}) })
	for _, view := range []struct {
		name, query   string
		width, height int64
		board         func(at float64) object
		n             int          // tiles of it
		then          func(p *tab) // what is done before the picture
	}{
		{"one-problem", "", 1920, 1080, truthful(only1(northwind(192), 33)), 192, nil},
		{"one-problem-18", "", 1920, 1080, truthful(only1(northwind(18), 3)), 18, nil},
		{"calm-18", "", 1920, 1080, truthful(calm(northwind(18))), 18, nil},
		{"calm-60", "", 1920, 1080, truthful(calm(northwind(60))), 60, nil},
		{"calm-192", "", 1920, 1080, truthful(calm(northwind(192))), 192, nil},
		{"calm-500", "", 1920, 1080, truthful(calm(northwind(500))), 500, nil},
		{"calm-1000", "", 1920, 1080, truthful(calm(northwind(1000))), 1000, nil},
		{"states", "", 1920, 1080, truthful(states), 9, nil},
		{"states-light", "?theme=light", 1920, 1080, truthful(states), 9, nil},
		{"states-contrast", "?theme=contrast", 1920, 1080, truthful(states), 9, nil},
		{"states-blue", "?palette=blue", 1920, 1080, truthful(states), 9, nil},
		{"states-forced", "", 1920, 1080, truthful(states), 9, forced},
		{"light", "?theme=light", 1920, 1080, truthful(northwind(60)), 60, nil},
		{"contrast", "?theme=contrast", 1920, 1080, truthful(northwind(60)), 60, nil},
		{"blue", "?palette=blue", 1920, 1080, truthful(northwind(60)), 60, nil},
		{"light-blue", "?theme=light&palette=blue", 1920, 1080, truthful(northwind(60)), 60, nil},
		{"forced", "", 1920, 1080, truthful(northwind(192)), 192, forced},
		{"night", "?night=00:00-23:59&title=Night+shift&logo=any", 1920, 1080, truthful(northwind(60)), 60, nil},
		{"zoom", "?zoom=1.4", 1920, 1080, truthful(northwind(60)), 60, nil},
		{"rotate", "?rotate=20s", 1920, 1080, departments, 480, turned(1)},
		{"rotate-2", "?rotate=3s", 1920, 1080, departments, 480, turned(2)},
		{"broken-hop", "", 1920, 1080, broken(18), 18, nil},
		{"broken-hops", "", 1920, 1080, cut(60), 60, nil},
		{"broken-hops-720p", "", 1280, 720, cut(60), 60, nil},
		{"broken-hops-portrait", "", 1080, 1920, cut(60), 60, nil},
		{"nats-away", "", 1920, 1080, away(18), 18, nil},
		{"empty", "", 1920, 1080, empty, 0, nil},
		{"merged", "?merge=majority&collapse=Nodes&collapse=More+nodes", 1920, 1080, truthful(abroad), 6, nil},
		{"merged-open", "?merge=worst&collapse=Nodes&collapse=More+nodes", 1920, 1080, truthful(abroad), 6, click("tile-10")},
		{"merged-worst", "?merge=worst&set=Shop", 1920, 1080, truthful(abroad), 44, nil},
		{"detail", "", 1920, 1080, silent(18), 18, opened},
		{"detail-portrait", "", 1080, 1920, silent(18), 18, opened},
		{"detail-phone", "", 390, 844, silent(18), 18, opened},
		{"watcher-phone", "/w/berlin.set-0.tile-1", 390, 844, silent(18), 1, nil},
		{"keys", "", 1920, 1080, silent(18), 18, func(p *tab) { p.do(chromedp.KeyEvent("?")) }},
		{"focus", "", 1920, 1080, silent(18), 18, func(p *tab) { p.do(chromedp.KeyEvent(kb.ArrowDown)) }},
	} {
		if !strings.HasPrefix(view.name, *only) {
			continue
		}
		t.Run(view.name, func(t *testing.T) { // which closes its tab: a browser has six connections to one server
			d.set(func(d *dashboard) { d.board = view.board })
			p := open(t, d.URL+view.query, view.width, view.height)
			shown(p, view.n)
			if view.then != nil {
				view.then(p)
			}
			shoot(p, view.name)
		})
	}
	for _, size := range []struct {
		name          string
		width, height int64
		odd           bool
	}{{"1080p", 1920, 1080, true}, {"720p", 1280, 720, true}, {"1440p-wide", 3440, 1440, false}, {"2160p", 3840, 2160, false}, {"768-lines", 1024, 768, false}, {"portrait", 1080, 1920, true}, {"phone", 390, 844, true}} {
		for _, kind := range []struct {
			name  string
			board func(n int) func(at float64) object
			some  []int
		}{{size.name, func(n int) func(at float64) object { return truthful(northwind(n)) }, []int{1, 7, 18, 60, 192, 500, 1000}}, {"odd-" + size.name, func(n int) func(at float64) object { return truthful(odd(n)) }, []int{18, 192, 1000}}} {
			if !size.odd && strings.HasPrefix(kind.name, "odd-") {
				continue
			}
			t.Run(kind.name, func(t *testing.T) {
				p := open(t, d.URL, size.width, size.height)
				for _, n := range kind.some {
					if name := fmt.Sprintf("%s-%d", kind.name, n); strings.HasPrefix(name, *only) {
						d.show(kind.board(n))
						shown(p, n)
						shoot(p, name)
					}
				}
			})
		}
	}
	if name := "first-minute"; strings.HasPrefix(name, *only) {
		t.Run(name, func(t *testing.T) {
			d.set(func(d *dashboard) { d.board, d.sample = firstMinute, true })
			defer d.set(func(d *dashboard) { d.sample = false })
			p := open(t, d.URL, 1920, 1080)
			shown(p, 8)
			shoot(p, name)
		})
	}
	if name := "overlay"; strings.HasPrefix(name, *only) {
		t.Run(name, func(t *testing.T) {
			d.set(func(d *dashboard) { d.board = silent(18) })
			p := open(t, d.URL, 1920, 1080)
			shown(p, 18)
			d.set(func(d *dashboard) { d.silent = true })
			p.wait("!document.getElementById('overlay').hidden")
			shoot(p, name)
		})
	}
	if *only == "" {
		found, err := filepath.Glob(filepath.Join(*screenshots, "*.png"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			if info, err := os.Stat(path); err != nil || info.ModTime().Before(began) {
				t.Errorf("%s: nothing makes this picture any more: remove it", path)
			}
		}
	}
}

// shown waits until so many tiles stand where they belong, and no colour fades any more.
func shown(p *tab, n int) {
	p.t.Helper()
	p.wait(fmt.Sprintf("document.querySelectorAll('.tile[aria-label]').length === %d && !document.querySelector('.tile:not([aria-label])') && document.getElementById('pulse').textContent.includes('live')", n))
	p.do(chromedp.Sleep(400 * time.Millisecond))
}

// firstMinute is the built-in sample.
func firstMinute(at float64) object {
	tile := func(name, value, unit string) object {
		return object{"name": name, "s": "ok", "v": value, "u": unit, "f": at - 22}
	}
	red := object{"name": "Critical on purpose", "s": "critical", "m": "exit code 1", "f": at - 22}
	return truthful(func(float64) object {
		return board([]string{"Commands", "Pages of this program", "This machine"}, []int{2, 3, 3}, []object{
			tile("Always ok", "", ""), red, tile("Always quick", "0.5", "ms"), tile("Slow twice a minute", "84", "ms"), tile("Fails 3 s, twice a minute", "0.4", "ms"),
			tile("Free disk", "67", "%"), tile("Load", "0.88", ""), tile("Starting a shell", "", ""),
		})
	})(at)
}

// only1 is a board on which one watcher is not well.
func only1(board func(at float64) object, i int) func(at float64) object {
	return func(at float64) object {
		b := calm(board)(at)
		maps.Copy(b["tiles"].([]object)[i], object{"s": "critical", "v": "", "u": "", "m": "connection refused", "f": at - 28})
		return b
	}
}

func forced(p *tab) {
	p.prefer("forced-colors", "active", "prefers-color-scheme", "dark")
	p.do(chromedp.Sleep(400 * time.Millisecond))
}

func opened(p *tab) {
	click("tile-1")(p)
	p.wait("document.querySelector('#detail pre')")
}

func click(id string) func(p *tab) {
	return func(p *tab) {
		p.do(chromedp.Evaluate[chromedp.Void]("document.getElementById('" + id + "').click()"))
		p.wait("!document.getElementById('detail').hidden")
	}
}

func turned(page int) func(p *tab) {
	return func(p *tab) {
		p.wait(fmt.Sprintf("document.getElementById('pulse').textContent.startsWith('page %d of ')", page))
		p.do(chromedp.Sleep(400 * time.Millisecond))
	}
}

// shoot writes the picture with the 256 colours that it has most of, in a third of the space.
func shoot(p *tab, name string) {
	p.t.Helper()
	data, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		p.t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, fewColours(picture)); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), out.Bytes(), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func fewColours(picture image.Image) image.Image {
	counts := map[color.RGBA]int{}
	box := picture.Bounds()
	each := func(do func(x, y int, c color.RGBA)) {
		for y := box.Min.Y; y < box.Max.Y; y++ {
			for x := box.Min.X; x < box.Max.X; x++ {
				do(x, y, color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA))
			}
		}
	}
	each(func(x, y int, c color.RGBA) { counts[c]++ })
	found := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int {
		return cmp.Or(counts[b]-counts[a], int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B))
	})
	var palette color.Palette
	for _, c := range found {
		like := func(other color.Color) bool {
			o := other.(color.RGBA)
			return max(o.R, c.R)-min(o.R, c.R) < 5 && max(o.G, c.G)-min(o.G, c.G) < 5 && max(o.B, c.B)-min(o.B, c.B) < 5
		}
		if len(palette) < 256 && !slices.ContainsFunc(palette, like) {
			palette = append(palette, c)
		}
	}
	out := image.NewPaletted(box, palette)
	nearest := map[color.RGBA]uint8{}
	for _, c := range found {
		nearest[c] = uint8(palette.Index(c))
	}
	each(func(x, y int, c color.RGBA) { out.SetColorIndex(x, y, nearest[c]) })
	return out
}
