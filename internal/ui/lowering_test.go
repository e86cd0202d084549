package ui

import (
	"path"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/google/go-cmp/cmp"
)

// lowered returns the text as the oldest browsers need it, and as it would be for the newest.
func lowered(t *testing.T, name, text string) (oldest, newest string) {
	t.Helper()
	loaders := map[string]api.Loader{".js": api.LoaderJS, ".css": api.LoaderCSS}
	options := api.TransformOptions{Loader: loaders[path.Ext(name)], Sourcefile: name}
	write := func() string {
		out := api.Transform(text, options)
		for _, m := range append(out.Errors, out.Warnings...) {
			t.Errorf("%s for %v: %s: %+v", name, options.Engines, m.Text, m.Location)
		}
		return string(out.Code)
	}
	newest = write()
	options.Engines = []api.Engine{{Name: api.EngineChrome, Version: "68"}, {Name: api.EngineSafari, Version: "12"}}
	return write(), newest
}

// TestNothingNeedsLowering has a compiler read what is sent, which fails where two modules use one name, and say what the
// oldest browsers cannot read: it would have to write it anew.
func TestNothingNeedsLowering(t *testing.T) {
	for name, a := range pages().assets {
		if ext := path.Ext(name); ext != ".js" && ext != ".css" {
			continue
		}
		oldest, newest := lowered(t, name, string(a.Data))
		if diff := cmp.Diff(newest, oldest); diff != "" {
			t.Errorf("%s: wanted it unchanged for Chromium 68 and Safari 12 (-as written +as they need it):\n%s", name, diff)
		}
	}
}

func TestLoweringIsSeen(t *testing.T) {
	for _, row := range []struct{ name, text string }{
		{"chain.js", "a?.b()"},
		{"nullish.js", "x = a ?? b"},
		{"assign.js", "a ||= b"},
		{"field.js", "class A { b = 1 }"},
		{"private.js", "class A { #b; c() { return this.#b } }"},
		{"nesting.css", "a { & b { color: red } }"},
		{"inset.css", "a { inset: 0 }"},
		{"colour.css", "a { color: rgb(0 0 0 / 50%) }"},
	} {
		if oldest, newest := lowered(t, row.name, row.text); oldest == newest {
			t.Errorf("%s: %q passes for Chromium 68 and Safari 12, wanted it to be changed for them", row.name, row.text)
		}
	}
}
