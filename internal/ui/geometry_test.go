package ui

import (
	"fmt"
	"strings"
	"testing"
)

// odd is a board of n tiles with the names, values and texts that break layouts.
func odd(n int) func(at float64) object {
	names := []string{
		"Home page", "x", "A name of eighty characters, which is as long as any sensible person would make it",
		"\u05e9\u05e8\u05ea \u05d4\u05d3\u05d5\u05d0\u05e8", "\u062e\u0627\u062f\u0645 \u0627\u0644\u0628\u0631\u064a\u062f \u0627\u0644\u0631\u0626\u064a\u0633\u064a", "\U0001f680 launch \U0001f469\u200d\U0001f469\u200d\U0001f467", "\u6570\u636e\u5e93\u4e3b\u670d\u52a1\u5668",
		"Donaudampfschifffahrtselektrizit\u00e4tenhauptbetriebswerkbauunterbeamtengesellschaft", "e\u0301\u0302\u0303\u0304 Z\u0351\u0343\u0342alg\u0315o",
	}
	values := [][2]string{{"133", "ms"}, {"123456789012", "ms"}, {"", ""}, {"1.84", "s"}, {"SERVFAIL from upstream", ""}, {"-0.0001", "days"}, {"99.999", "%"}}
	states := []string{"ok", "ok", "critical", "ok", "warning", "stale", "ok", "unknown", "waiting", "ok", "ok"}
	return func(at float64) object {
		tiles := []object{}
		for i := range n {
			value := values[i%len(values)]
			tile := object{"name": names[i%len(names)], "s": states[i%len(states)], "v": value[0], "u": value[1], "f": at - float64(i*i*7)}
			if tile["s"] != "ok" {
				tile["m"] = "a summary that is longer than any tile, as people who write plugins are fond of them"
			}
			if i%5 == 3 {
				tile["site"] = []string{"oslo", "a-very-long-name-of-a-site"}[i%2]
			}
			if i%7 == 3 {
				tile["k"] = object{"s": "critical", "l": 3, "e": at - float64(i%290)}
			}
			tiles = append(tiles, tile)
		}
		var sets []string
		var sizes []int
		for left, k := n, 0; left > 0; k++ {
			size := min(left, []int{6, 1, 19, 40, 3, 200}[k%6])
			sets, sizes, left = append(sets, names[k%len(names)]), append(sizes, size), left-size
		}
		b := board(sets, sizes, tiles)
		b["hops"].(object)["notices"] = []string{names[2] + names[2] + names[2] + names[2]}
		return b
	}
}

// flaws is a script that lists what is wrong with where things stand.
const flaws = `(() => {
  const out = [], W = innerWidth, H = innerHeight;
  const say = (text) => { if (out.length < 12) out.push(text); };
  const box = (e) => e.getBoundingClientRect();
  const ink = (e) => { // of its text, as far as it is not cut off
    const whole = box(e), range = document.createRange();
    range.selectNodeContents(e);
    const text = e.textContent ? range.getBoundingClientRect() : whole;
    return {left: Math.max(whole.left, text.left), right: Math.min(whole.right, text.right), top: Math.max(whole.top, text.top), bottom: Math.min(whole.bottom, text.bottom)};
  };
  const wide = (e) => { // as far as it is not cut off
    const range = document.createRange();
    range.selectNodeContents(e);
    return range.getBoundingClientRect().width;
  };
  const seen = (e) => e && e.getClientRects().length && box(e).width > 0;
  const cross = (a, b) => a.left < b.right - 0.6 && b.left < a.right - 0.6 && a.top < b.bottom - 0.6 && b.top < a.bottom - 0.6;
  const within = (a, b) => a.left >= b.left - 0.6 && a.right <= b.right + 0.6 && a.top >= b.top - 0.6 && a.bottom <= b.bottom + 0.6;
  const page = {left: 0, top: 0, right: W, bottom: document.documentElement.classList.contains("scrolls") ? Infinity : H};
  const el = document.documentElement;
  if (el.scrollWidth > W) say("scrolls sideways: " + el.scrollWidth + " > " + W);
  if (page.bottom === H && el.scrollHeight > H) say("scrolls: " + el.scrollHeight + " > " + H);
  const tiles = [...document.querySelectorAll(".tile")].filter(seen).map((e) => [e, box(e)]);
  const rail = document.getElementById("problems");
  const foot = box(document.getElementById("foot")), top = box(document.getElementById("top"));
  for (const [e, b] of tiles) {
    if (!within(b, page)) say(e.id + " is outside of the page");
    if (b.width < 8 || b.height < 8) say(e.id + " is " + b.width + "x" + b.height);
    if (Math.abs(b.width - tiles[0][1].width) > 24 || Math.abs(b.height - tiles[0][1].height) > 1) say(e.id + " is of another size");
    if (cross(b, foot) || cross(b, top)) say(e.id + " crosses a bar");
    if (seen(rail) && cross(b, box(rail))) say(e.id + " crosses the rail");
    const parts = [...e.querySelectorAll(".name span:not(:empty), .value, .unit, .reading > .mark, .note, .line, .dots")].filter(seen);
    for (const p of parts) if (p.parentNode.className === "name" && !/[\u0000-\u001f\u007f-\u009f\u2026\u3000-\u9fff]/.test(p.textContent) && wide(p) > box(p).width) say(e.id + " has its name cut without a sign: " + p.textContent);
    for (const p of parts) if (!within(box(p), b)) say(e.id + " lets its " + (p.className || "name") + " out");
    for (let i = 0; i < parts.length; i++) for (let j = i + 1; j < parts.length; j++) {
      if (cross(ink(parts[i]), ink(parts[j]))) say(e.id + ": " + (parts[i].className || "name") + " crosses " + (parts[j].className || "name") + " " + parts[i].textContent);
    }
    if (e.getAttribute("data-s") !== "ok" && !seen(e.querySelector(".reading > .mark"))) say(e.id + " has lost its mark");
  }
  for (let i = 0; i < tiles.length; i++) for (let j = i + 1; j < tiles.length; j++) if (cross(tiles[i][1], tiles[j][1])) say(tiles[i][0].id + " crosses " + tiles[j][0].id);
  for (const t of document.querySelectorAll(".set-name")) if (seen(t)) for (const [e, b] of tiles) if (cross(box(t), b)) say("a set's name crosses " + e.id);
  for (const group of ["#top > *", "#foot > *", "#problems li"]) {
    const list = [...document.querySelectorAll(group)].filter(seen).map((e) => [e, box(e)]);
    list.forEach(([e, b], i) => {
      if (!within(b, page)) say((e.id || group) + " is outside of the page: " + JSON.stringify(b));
      for (const [f, c] of list.slice(i + 1)) if (cross(b, c)) say(group + ": " + (e.id || e.textContent) + " crosses " + (f.id || f.textContent));
    });
  }
  for (const li of document.querySelectorAll("#problems .row")) {
    const parts = [...li.querySelectorAll(".mark, .name, .what, .long")].filter(seen);
    for (const p of parts) if (!within(box(p), box(li))) say("the rail lets its " + p.className + " out");
    for (let i = 0; i < parts.length; i++) for (let j = i + 1; j < parts.length; j++) if (cross(box(parts[i]), box(parts[j]))) say("the rail: " + parts[i].className + " crosses " + parts[j].className);
  }
  return out;
})()`

func TestAllFitsOnEveryScreen(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, odd(1))
	p := open(t, d.URL, 1920, 1080)
	for _, n := range []int{1, 7, 18, 60, 192, 500, 1000} {
		d.show(odd(n))
		for _, size := range [][2]int64{{1280, 720}, {1920, 1080}, {3840, 2160}, {1080, 1920}, {390, 844}} {
			p.resize(size[0], size[1])
			p.wait(fmt.Sprintf("innerWidth === %d && document.querySelectorAll('.tile[aria-label]').length === %d && !document.querySelector('.tile:not([aria-label])')", size[0], n))
			if found := painted[[]string](p, flaws); len(found) > 0 {
				t.Errorf("%d tiles at %dx%d:\n  %s", n, size[0], size[1], strings.Join(found, "\n  "))
			}
		}
	}
}
