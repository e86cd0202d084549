package ui

import (
	"flag"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
)

var (
	frames = flag.Int("frames", 10_000, "frames after which the page must be no larger")
	soak   = flag.Duration("soak", 0, "an hour's worth of frames is -soak 1h; it is sent at ten times the speed")
	slow   = flag.Float64("slow", 1, "slow the browser's processor down by this factor, where its cost is measured")
	counts = flag.Bool("counts", false, "print what the page costs with 18, 60 and 1,000 watchers as well")
)

// prepared opens the address in a tab that runs the script before those of the page.
func prepared(t testing.TB, address, script string) *tab {
	t.Helper()
	p := open(t, "about:blank", 1920, 1080)
	if _, err := chromedp.Call(p.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script}); err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.Navigate(address))
	return p
}

// metrics are the browser's own counts of the tab. Durations are seconds of processor time of its main thread.
func (p *tab) metrics() map[string]float64 {
	p.t.Helper()
	answer, err := chromedp.Call(p.ctx, performance.GetMetrics, struct{}{})
	if err != nil {
		p.t.Fatal(err)
	}
	out := map[string]float64{}
	for _, m := range answer.Metrics {
		out[m.Name] = m.Value
	}
	return out
}

func (p *tab) meter() {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks}); err != nil {
		p.t.Fatal(err)
	}
}

// plainest writes 500 values once a second into boxes of fixed size: as little as a page can do that shows them.
const plainest = `<!doctype html><title>plainest</title><body><script>
for (let i = 0; i < 500; i++) {
  const e = document.createElement("div");
  e.style.cssText = "position:absolute;width:70px;height:40px;overflow:hidden;font:700 20px sans-serif;left:" + (i % 25) * 75 + "px;top:" + Math.floor(i / 25) * 45 + "px";
  e.textContent = "0";
  document.body.appendChild(e);
}
let n = 0;
setInterval(() => {
  n++;
  [...document.querySelectorAll("div")].forEach((e, i) => { e.firstChild.data = String(20 + (i * 37 + n) % 170); });
}, 1000);
</script>`

// TestCost holds the main thread's work for boards on which each value changes once a second: to a twentieth of a core,
// which the page sees to by resting, and each time that it paints to what that costs the plainest page. It is not run beside
// others.
func TestCost(t *testing.T) {
	reference := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte(plainest))
	}))
	t.Cleanup(func() {
		reference.CloseClientConnections()
		reference.Close()
	})
	tabs := []*tab{open(t, reference.URL, 1920, 1080, "favicon")}
	names := []string{"the plainest page of 500"}
	sizes := []int{192, 500}
	if *counts {
		sizes = []int{18, 60, 192, 500, 1000}
	}
	stop := make(chan struct{})
	var feeding sync.WaitGroup
	t.Cleanup(func() {
		close(stop)
		feeding.Wait()
	})
	for _, n := range sizes {
		d := newDashboard(t, well(n))
		p := open(t, d.URL, 1920, 1080)
		p.wait(fmt.Sprintf("document.querySelectorAll('.tile[aria-label]').length === %d", n))
		tabs, names = append(tabs, p), append(names, fmt.Sprintf("%d watchers", n))
		feeding.Go(func() { feed(d, n, stop) })
	}
	for _, p := range tabs {
		p.meter()
		if _, err := chromedp.Call(p.ctx, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: *slow}); err != nil {
			t.Fatal(err)
		}
	}
	wait := func(d time.Duration) { tabs[0].do(chromedp.Sleep(d)) }
	wait(3500 * time.Millisecond) // the pointer is hidden after three seconds, once
	before := make([]map[string]float64, len(tabs))
	began := time.Now()
	for i, p := range tabs {
		before[i] = p.metrics()
	}
	wait(6 * time.Second)
	seconds := time.Since(began).Seconds()
	cost, each := make([]float64, len(tabs)), make([]float64, len(tabs)) // percent of a core, in all and for a layout a second
	for i, p := range tabs {
		after := p.metrics()
		share := func(name string) float64 { return (after[name] - before[i][name]) / seconds * 100 }
		cost[i] = share("TaskDuration")
		each[i] = cost[i] / share("LayoutCount") * 100
		t.Logf("%s: %.2f %% of a core (script %.2f, style %.2f, layout %.2f), %.1f layouts a second", names[i], cost[i],
			share("ScriptDuration"), share("RecalcStyleDuration"), share("LayoutDuration"), share("LayoutCount")/100)
	}
	for i := 1; i < len(tabs); i++ {
		if cost[i] > 5 && *slow == 1 {
			t.Errorf("%s: got %.1f %% of a core, wanted 5 at most", names[i], cost[i])
		}
		if ratio := each[i] / each[0]; ratio > 2 {
			t.Errorf("%s: a layout costs %.1f times that of %s, wanted 2 at most", names[i], ratio, names[0])
		}
	}
}

// feed changes each of n values once a second, in four frames, as a busy dashboard does.
func feed(d *dashboard, n int, stop <-chan struct{}) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for at := 0; ; {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		updates := make([]object, 0, n/4+1)
		for range (n + 3) / 4 {
			updates = append(updates, object{"i": at % n, "v": fmt.Sprint(20 + (at*37)%170)})
			at++
		}
		d.frame(updates...)
	}
}

// census counts what a page holds on to: connections, timers and animation frames that are still to come.
const census = `(() => {
  const c = window.census = {sources: 0, heard: 0, timers: new Set(), frames: 0};
  const Source = window.EventSource, later = window.setTimeout, never = window.clearTimeout, frame = window.requestAnimationFrame;
  window.EventSource = function (address) {
    c.sources++;
    return new Source(address);
  };
  const Worker = window.SharedWorker;
  window.SharedWorker = function (address) {
    c.sources++;
    const worker = new Worker(address);
    worker.port.addEventListener("message", (event) => { if (event.data.kind === "frame") c.heard++; });
    return worker;
  };
  window.setTimeout = (f, wait) => {
    const id = later(() => { c.timers.delete(id); f(); }, wait);
    if (!(wait > 10000)) c.timers.add(id); // the test's own wait for longer
    return id;
  };
  window.clearTimeout = (id) => { c.timers.delete(id); never(id); };
  window.setInterval = () => { throw new Error("an interval"); };
  window.requestAnimationFrame = (f) => { c.frames++; return frame((t) => { c.frames--; f(t); }); };
})()`

// held is what a page holds.
type held struct {
	heap                                      float64 // in MB
	nodes, listeners, sources, timers, frames int
}

// hold counts what stays: a busy browser does not collect everything at the first word.
func hold(p *tab) held {
	p.t.Helper()
	m := map[string]float64{"Nodes": math.Inf(1)}
	for range 5 {
		painted[bool](p, "(gc(), gc(), true)")
		if now := p.metrics(); now["Nodes"] <= m["Nodes"] {
			m = now
		}
	}
	return held{
		heap: eval[float64](p, "performance.memory.usedJSHeapSize / 1e6"), nodes: int(m["Nodes"]), listeners: int(m["JSEventListeners"]),
		sources: eval[int](p, "census.sources"), timers: eval[int](p, "census.timers.size"), frames: eval[int](p, "census.frames"),
	}
}

// compare fails the test where the page holds more than it did.
func compare(t *testing.T, what string, before, after held) {
	t.Helper()
	t.Logf("%s: heap %.2f to %.2f MB, nodes %d to %d, listeners %d to %d, timers %d to %d", what, before.heap, after.heap, before.nodes, after.nodes, before.listeners, after.listeners, before.timers, after.timers)
	if after.heap > before.heap+1 {
		t.Errorf("heap after %s: got %.1f MB, wanted about %.1f MB", what, after.heap, before.heap)
	}
	if after.nodes > before.nodes+20 || after.listeners > before.listeners {
		t.Errorf("after %s: got %d nodes and %d listeners, wanted %d and %d", what, after.nodes, after.listeners, before.nodes, before.listeners)
	}
	if after.sources != 1 || after.timers > 4 || after.frames > 1 {
		t.Errorf("after %s: got %d connections, %d timers and %d animation frames, wanted 1, 4 and 1 at most", what, after.sources, after.timers, after.frames)
	}
}

// change is the nth frame of a lively board of 192.
func change(d *dashboard, n, size int) []object {
	states := []string{"ok", "warning", "critical", "ok", "unknown", "stale"}
	updates := make([]object, 0, size)
	for i := range size {
		update := object{"i": (n*7 + i*3) % 192, "v": fmt.Sprint(n + i)}
		if i%8 == 0 {
			update["s"], update["f"], update["k"] = states[(n+i)%len(states)], d.now(), object{"s": "critical", "l": 1, "e": d.now()}
		}
		updates = append(updates, update)
	}
	return updates
}

func TestPageGrowsNotOverManyFrames(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, wall(192))
	p := prepared(t, d.URL, census)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 192")
	p.meter()
	n := 0
	run := func(many int) {
		for end := n + many; n < end; {
			for range min(2000, end-n) { // what the server keeps for a screen is bounded
				d.frame(change(d, n, 4)...)
				n++
			}
			p.wait(fmt.Sprintf("census.heard === %d", n))
		}
	}
	run(1000)
	before := hold(p)
	run(*frames)
	compare(t, fmt.Sprintf("%d frames", *frames), before, hold(p))
}

// TestSoak sends hours of frames at ten times the speed. It does so only when asked to.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		return
	}
	d := newDashboard(t, wall(192))
	p := prepared(t, d.URL, census)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 192")
	p.meter()
	tick := time.NewTicker(25 * time.Millisecond) // four frames a second, ten times as fast
	defer tick.Stop()
	total := int(soak.Seconds() * 4)
	var first held
	for n := range total {
		<-tick.C
		d.frame(change(d, n, 48)...)
		switch {
		case n == total/10:
			first = hold(p)
		case n > 0 && n%(total/10) == 0:
			compare(t, fmt.Sprintf("%d of %d frames", n, total), first, hold(p))
		}
	}
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 192")
	compare(t, fmt.Sprintf("%d frames", total), first, hold(p))
}

// arrival notes when the tiles stood there, and when the script had taken them over: milliseconds since the navigation began.
const arrival = `(() => {
  const on = (there, name) => requestAnimationFrame(() => there() ? requestAnimationFrame(() => { window[name] = performance.now(); }) : on(there, name));
  on(() => document.querySelectorAll(".tile[data-s]").length === 200, "seen");
  on(() => document.querySelector(".tile[aria-label]") && !document.documentElement.classList.contains("still"), "live");
})()`

// TestFirstBoard compares the way to a board of 200 watchers with that to a page of as many words. It is not run beside others.
func TestFirstBoard(t *testing.T) {
	d := carrying(t, wall(200))
	words := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>words</title>", strings.Repeat(`<p class="tile" data-s="ok">word</p>`, 200))
	}))
	t.Cleanup(func() {
		words.CloseClientConnections()
		words.Close()
	})
	plain, p := prepared(t, words.URL, arrival), prepared(t, d.URL, arrival)
	after := func(p *tab, address, what string) float64 {
		p.do(chromedp.Navigate(address))
		p.wait("window." + what + " > 0")
		return eval[float64](p, "window."+what)
	}
	// The least of each, in turns: what else the machine does comes and goes.
	word, seen, live := math.Inf(1), math.Inf(1), math.Inf(1)
	for range 10 {
		word = min(word, after(plain, words.URL, "seen"))
		live = min(live, after(p, d.URL, "live"))
		seen = min(seen, eval[float64](p, "window.seen || 1e9"))
		if seen <= 300 && live <= 600 {
			break
		}
	}
	t.Logf("200 watchers: seen after %.0f ms, live after %.0f ms; 200 words: seen after %.0f ms", seen, live, word)
	if seen > 300 && seen > word*8 {
		t.Errorf("200 watchers are seen: got %.0f ms after the navigation, wanted 300 ms, or 8 times the %.0f ms of as many words", seen, word)
	}
	if live > 600 && live > word*14 {
		t.Errorf("200 watchers are live: got %.0f ms after the navigation, wanted 600 ms, or 14 times the %.0f ms of as many words", live, word)
	}
}

// TestGreenValuesStand: of the values of what is well, no more than a tenth is painted; a large change soon, and a change of
// status at once.
func TestGreenValuesStand(t *testing.T) {
	t.Parallel()
	const n = 60
	d := newDashboard(t, func(at float64) object {
		b := well(n)(at)
		for _, tile := range b["tiles"].([]object) {
			tile["v"], tile["u"] = "100", "ms"
		}
		return b
	})
	p := open(t, d.URL, 1920, 1080)
	p.wait(fmt.Sprintf("document.querySelectorAll('.tile[aria-label]').length === %d && document.getElementById('pulse').textContent === 'live'", n))
	// How many pixels of tiles have changed, as a share of a tile, and at which moments.
	p.do(chromedp.Evaluate[chromedp.Void](`
		window.painted = 0;
		window.moments = [];
		new MutationObserver((list) => {
			const some = new Set(list.map((m) => (m.target.closest ? m.target : m.target.parentElement).closest(".tile")).filter(Boolean));
			window.painted += some.size;
			if (some.size > 10) window.moments.push([window.painted, performance.now()]);
		}).observe(document.getElementById("board"), {subtree: true, childList: true, characterData: true, attributes: true});
		undefined`))
	stop := make(chan struct{})
	var feeding sync.WaitGroup
	t.Cleanup(func() {
		close(stop)
		feeding.Wait()
	})
	feeding.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for at := 0; ; at++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			updates := []object{}
			for i := range n - 2 {
				updates = append(updates, object{"i": i, "v": fmt.Sprint(100 + (at*37+i)%40)})
			}
			d.frame(updates...)
		}
	})
	for range 4 { // until they have been painted twice
		p.wait("window.moments.length > 2 || (window.until = window.until || performance.now() + 14000) < performance.now()")
		if eval[int](p, "window.moments.length") > 2 {
			break
		}
		p.do(chromedp.Evaluate[chromedp.Void]("window.until = 0"))
	}
	got := eval[[][]float64](p, "window.moments")
	if len(got) < 3 {
		t.Fatalf("the values of what is well were painted %d times in a minute, wanted them every ten seconds", len(got))
	}
	first, last := got[0], got[len(got)-1]
	seconds := (last[1] - first[1]) / 1000
	if each := (last[0] - first[0]) / n / seconds; each > 0.105 {
		t.Errorf("values of what is well: got %.2f painted a second, wanted a tenth of the one that comes", each)
	}
	// A large change waits no ten seconds, and a status not at all.
	p.do(chromedp.Evaluate[chromedp.Void]("window.began = performance.now(), window.moments = [], undefined"))
	d.frame(object{"i": n - 1, "v": "900"}, object{"i": n - 2, "s": "critical", "v": "7", "f": d.now()})
	p.wait(fmt.Sprintf("document.querySelector('#tile-%d[data-s=critical] .value').textContent === '7' && document.querySelector('#tile-%d .value').textContent === '900'", n-2, n-1))
}
