package ui

import (
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/google/go-cmp/cmp"
)

func TestLeanScriptMeansTheSame(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"// all\n// of it\n", ""},
		{"const a = 1; // one\nlet b = a / 2 // half\nb\n", "let a=1;let b=a/2\nb\n"},
		{"f(\"a  // 'b' \\\" ; c\", 'x \"y\" = z');\n", "f(\"a  // 'b' \\\" ; c\",'x \"y\" = z');"},
		{"a = b + +c - -d - e;\n", "a=b+ +c- -d-e;"},
		{"if (a) {\n  return -1;\n} else if (!b) return;\nelse c();\n", "if(a){return-1}else if(!b)return;else c();"},
		{"x = {}\ny = []\n  .map((n) => [n, 2])\n  .join()\nfor (const k of [1]) k\n", "x={}\ny=[].map(n=>[n,2]).join()\nfor(let k of[1])k\n"},
		{"case \"a\":\n  return typeof x === \"y\" ? in_of : \"\";\n", "case\"a\":return typeof x===\"y\"?in_of:\"\";"},
		{"a\n(b)\n", "a\n(b)\n"},
		{"function a() {\n  b();\n}\nlet constant = (x, y) => {};\nreturn (x_) => (x) + 1;\n", "function a(){b()}let constant=(x,y)=>{};return x_=>(x)+1;"},
		{"a = true;\nb = { c: false, untrue: x.true };\nfalsehood(\"true\");\n", "a=!0;b={c:!1,untrue:x.true};falsehood(\"true\");"},
		{"\"open", "\"open"},
		{"/", "/"},
	} {
		if got := string(leanScript(tt.in)); got != tt.want {
			t.Errorf("%q: got %q, wanted %q", tt.in, got, tt.want)
		}
	}
}

// TestLeanAssetsMeanTheSame has a compiler read what screens get, and what it was made of.
func TestLeanAssetsMeanTheSame(t *testing.T) {
	for name, a := range pages().assets {
		raw, err := embedded.ReadFile("assets/" + path.Base(name))
		if err != nil {
			t.Fatal(err)
		}
		read := func(text string) string {
			options := api.TransformOptions{Loader: api.LoaderJS, MinifyWhitespace: true, MinifySyntax: true}
			if path.Ext(name) == ".css" {
				options.Loader = api.LoaderCSS
				text = short(text)
			} else {
				text = regexp.MustCompile(`\bconst `).ReplaceAllString(text, "let ")
			}
			out := api.Transform(text, options)
			for _, m := range append(out.Errors, out.Warnings...) {
				t.Errorf("%s: %s: %+v", name, m.Text, m.Location)
			}
			return strings.NewReplacer(", ", ",", ": ", ":", ") * ", ")*", " 0.", " .").Replace(string(out.Code)) // the spaces of custom properties
		}
		if diff := cmp.Diff(read(string(raw)), read(string(a.data))); diff != "" {
			t.Errorf("%s (-as written +as sent):\n%s", name, diff)
		}
	}
}

func TestLeanStyleMeansTheSame(t *testing.T) {
	if got, want := short("--ok: var(--critical-text) --warning --waiting-stripe var(--stale-icon)"), "--ok: var(--c-te) --y --i-st var(--stale-icon)"; got != want {
		t.Errorf("names of colours: got %q, wanted %q", got, want)
	}
	const in = "/* all\n   of it */\na > b, .c {\n  margin: 0 0.5em 10.5px;\n  color: red;\n}\n@media (x: 1px) { d { top: 0; } }\n"
	const want = "a>b,.c{margin:0 .5em 10.5px;color:red}@media (x:1px){d{top:0}}"
	if got := string(leanStyle(in)); got != want {
		t.Errorf("got %q, wanted %q", got, want)
	}
}
