package ui

import "testing"

func TestLeanScriptMeansTheSame(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"// all\n// of it\n", ""},
		{"const a = 1; // one\nlet b = a / 2 // half\nb\n", "const a=1;let b=a/2\nb\n"},
		{"f(\"a  // 'b' \\\" ; c\", 'x \"y\" = z');\n", "f(\"a  // 'b' \\\" ; c\",'x \"y\" = z');"},
		{"a = b + +c - -d - e;\n", "a=b+ +c- -d-e;"},
		{"if (a) {\n  return -1;\n} else if (!b) return;\nelse c();\n", "if(a){return-1}else if(!b)return;else c();"},
		{"x = {}\ny = []\n  .map((n) => [n, 2])\n  .join()\nfor (const k of [1]) k\n", "x={}\ny=[].map((n)=>[n,2]).join()\nfor(const k of[1])k\n"},
		{"case \"a\":\n  return typeof x === \"y\" ? in_of : \"\";\n", "case\"a\":return typeof x===\"y\"?in_of:\"\";"},
		{"a\n(b)\n", "a\n(b)\n"},
		{"\"open", "\"open"},
		{"/", "/"},
	} {
		if got := string(leanScript(tt.in)); got != tt.want {
			t.Errorf("%q: got %q, wanted %q", tt.in, got, tt.want)
		}
	}
}

func TestLeanStyleMeansTheSame(t *testing.T) {
	const in = "/* all\n   of it */\na > b, .c {\n  margin: 0 0.5em 10.5px;\n  color: red;\n}\n@media (x: 1px) { d { top: 0; } }\n"
	const want = "a>b,.c{margin:0 .5em 10.5px;color:red}@media (x:1px){d{top:0}}"
	if got := string(leanStyle(in)); got != want {
		t.Errorf("got %q, wanted %q", got, want)
	}
}
