package ui

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// Chromium 68 and Safari 12 are the oldest browsers of the televisions that the page runs on. These are the things that a
// writer of today reaches for, and that they do not have; and what would let text become more than text.
var forbidden = map[string]*regexp.Regexp{
	".js": regexp.MustCompile(`\?\.[\w\[(]|\?\?|\|\|=|&&=|\d_\d|#\w+ ?[=(;]|\bstatic\b|\bawait\b|import\(|` +
		`\.(replaceAll|matchAll|at|flat|flatMap|fromEntries|replaceChildren|allSettled|any|findLast|toSorted|hasOwn|toReversed|trimStart|trimEnd)\(|` +
		`\b(globalThis|queueMicrotask|structuredClone|ResizeObserver|BigInt|WeakRef|AbortController|PointerEvent|requestIdleCallback|setInterval|debugger|console)\b|` +
		"`|" +
		`\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval|Function)\b|(?m)^\s*\.\.\.\w+,?$|\{\.\.\.`),
	".css": regexp.MustCompile(`\b(inset|aspect-ratio|place-\w+|accent-color|content-visibility|scrollbar-\w+|row-gap|column-gap)\s*:|[\s;{]gap\s*:|` +
		`[^a-z-](min|max|clamp|round|color-mix|env)\(|:(is|where|has|focus-visible|focus-within|dir)\b|@(container|layer|supports|property|import)\b|` +
		`\d(dvh|svh|lvh|cqw|cqh|lh)\b|rgba?\([^,)]*\)|&|url\("?[^"d]|overflow:\s*clip`),
	".html": regexp.MustCompile(`style=|\son\w+=|<script>|<style|https?:|//|<dialog|="/`),
}

// comments of whole lines, in which anything may be said.
var comments = regexp.MustCompile(`(?ms)^[ \t]*//[^\n]*\n|^[ \t]*/\*.*?\*/\n`)

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
		text := comments.ReplaceAllString(string(data), "")
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
