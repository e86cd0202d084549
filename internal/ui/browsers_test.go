package ui

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Chromium 68 and Safari 12 are the oldest browsers of the televisions that the page runs on. These are the things that a
// writer of today reaches for, and that they do not have; and what would let text become more than text.
var forbidden = map[string]*regexp.Regexp{
	".js": regexp.MustCompile(`\?\.[\w\[(]|\?\?|\|\|=|&&=|\d_\d|#\w+ ?[=(;]|\bstatic\b|\bawait\b|import\(|` +
		`\.(replaceAll|matchAll|at|flat|flatMap|fromEntries|replaceChildren|allSettled|any|findLast|toSorted|hasOwn|toReversed|trimStart|trimEnd)\(|` +
		`\b(globalThis|queueMicrotask|structuredClone|ResizeObserver|BigInt|WeakRef|AbortController|PointerEvent|requestIdleCallback|setInterval|debugger|console)\b|` +
		"`|[=(,:&|?!]\\s*/|" + // which leanScript does not know
		`\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval|Function)\b|(?m)^\s*\.\.\.\w+,?$|\{\.\.\.`),
	".css": regexp.MustCompile(`\b(inset|aspect-ratio|place-\w+|accent-color|content-visibility|scrollbar-\w+|row-gap|column-gap)\s*:|[\s;{]gap\s*:|` +
		`[^a-z-](min|max|clamp|round|color-mix|env)\(|:(is|where|has|focus-visible|focus-within|dir)\b|@(container|layer|supports|property|import)\b|` +
		`\d(dvh|svh|lvh|cqw|cqh|lh)\b|rgba?\([^,)]*\)|&|url\("?[^"d]|overflow:\s*clip`),
	".html": regexp.MustCompile(`style=|\son\w+=|<script>|<style|https?:|//|<dialog|="/`),
}

// comments of whole lines, in which anything may be said.
var comments = regexp.MustCompile(`(?m)^[ \t]*//.*\n`)

func TestOldBrowsersUnderstandThePage(t *testing.T) {
	entries, err := embedded.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := embedded.ReadFile("assets/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		text := string(leanPage(string(data)))
		if path.Ext(e.Name()) == ".js" {
			text = comments.ReplaceAllString(text, "")
		}
		for n, line := range strings.Split(text, "\n") {
			if path.Ext(e.Name()) == ".css" {
				line = strings.ReplaceAll(line, "minmax(", "")
				line, _, _ = strings.Cut(line, "url(\"data:image/svg")
			}
			if found := forbidden[path.Ext(e.Name())].FindString(line); found != "" {
				t.Errorf("%s: line %d, without comments: got %q in %q, wanted nothing that Chromium 68 or Safari 12 lacks", e.Name(), n+1, found, line)
			}
		}
	}
}

func TestForbiddenWordsAreFound(t *testing.T) {
	for kind, lines := range map[string][]string{
		".js":   {"a?.b", "a ?? b", "a?.[0]", "x ||= 1", "s.replaceAll(a, b)", "list.at(-1)", "  #secret = 1;", "await f()", "e.innerHTML = x", "const n = 1_000;", "({...a})"},
		".css":  {"a { inset: 0 }", "a { gap: 1px }", "a { width: min(1px, 2px) }", ":is(a) {}", "a { width: clamp(1px, 2px, 3px) }", "a { color: rgb(0 0 0 / 50%) }", "a { height: 100dvh }", "a:focus-visible {}"},
		".html": {`<p style="x">`, `<p onclick="x">`, `<script>`, `<img src="https://x">`, `<a href="/x">`},
	} {
		for _, line := range lines {
			if !forbidden[kind].MatchString(line) {
				t.Errorf("%s: %q passes, wanted it to be found", kind, line)
			}
		}
	}
}

// TestContrast holds the colours to 7:1 for names and values and 4.5:1 for the rest, in every theme and palette.
func TestContrast(t *testing.T) {
	css, err := embedded.ReadFile("assets/board.css")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?s)(:root[^{]*)\{([^}]*)\}`)
	variable := regexp.MustCompile(`--([\w-]+):\s*(#[0-9a-f]{3,6});`)
	rules := map[string]map[string]string{}
	for _, m := range block.FindAllStringSubmatch(string(css), -1) {
		colours := map[string]string{}
		for _, v := range variable.FindAllStringSubmatch(m[2], -1) {
			colours[v[1]] = v[2]
		}
		rules[strings.TrimSpace(m[1])] = colours
	}
	for _, look := range [][]string{
		{":root"},
		{":root", ":root[data-palette=blue]"},
		{":root", ":root[data-theme=light]"},
		{":root", ":root[data-palette=blue]", ":root[data-theme=light]", ":root[data-theme=light][data-palette=blue]"},
		{":root", ":root[data-theme=contrast]"},
		{":root", ":root[data-palette=blue]", ":root[data-theme=contrast]", ":root[data-theme=contrast][data-palette=blue]"},
	} {
		colours := map[string]string{}
		for _, rule := range look {
			if rules[rule] == nil {
				t.Fatalf("finding the rule %q in board.css: got none of %d", rule, len(rules))
			}
			for name, value := range rules[rule] {
				colours[name] = value
			}
		}
		type pair struct {
			front, back string
			least       float64
		}
		pairs := []pair{{"text", "back", 7}, {"soft", "back", 4.5}, {"text", "sheet", 7}, {"soft", "sheet", 4.5}, {"critical-glow", "ok", 4.5}, {"warning-glow", "ok", 4.5}, {"unknown-glow", "ok", 4.5}, {"warning-glow", "back", 4.5}}
		for _, state := range []string{"ok", "critical", "warning", "unknown", "stale", "waiting"} {
			pairs = append(pairs, pair{state + "-text", state, 7}, pair{state + "-soft", state, 4.5})
		}
		for _, state := range []string{"stale", "waiting"} {
			pairs = append(pairs, pair{state + "-text", state + "-stripe", 7}, pair{state + "-soft", state + "-stripe", 4.5})
		}
		for _, p := range pairs {
			if got := contrast(t, colours[p.front], colours[p.back]); got < p.least {
				t.Errorf("%v: %s %s on %s %s: got %.2f:1, wanted %v:1", look[1:], p.front, colours[p.front], p.back, colours[p.back], got, p.least)
			}
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	hex := strings.TrimPrefix(colour, "#")
	if len(hex) == 3 {
		hex = fmt.Sprintf("%c%c%c%c%c%c", hex[0], hex[0], hex[1], hex[1], hex[2], hex[2])
	}
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatalf("reading colour %q: %v", colour, err)
		}
		c := float64(v) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
