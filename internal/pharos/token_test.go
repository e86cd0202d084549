package pharos

import (
	"strings"
	"testing"
)

func TestToken(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"home-page", "home-page"},
		{"berlin_2", "berlin_2"},
		{"_", "_"},
		{strings.Repeat("a", 40), strings.Repeat("a", 40)},
		{"Is Google Up?", "is-google-up--pabrrfza"},
		{"日本", "x--z4vl6dc3"},
		{"a.b", "a-b--fzztnxeo"},
		{"", "x--4oymiquy"},
		{"Shop", "shop--2afk4237"},
		{"shop ", "shop--mdc2io7z"},
		{"a--b", "a-b--scbhulsw"},
		{"-a", "a--yj2isf4q"},
		{"a-", "a--toxuibza"},
		{"a_B", "a-b--rkg5h3ks"},
		{strings.Repeat("a", 41), strings.Repeat("a", 32) + "--yd4l2tn4"},
		{strings.Repeat("a", 31) + " b", strings.Repeat("a", 31) + "--kp4hpsxo"},
		{"*.>", "x--uvp6upvo"},
		{"a\x00b", "a-b--lgzhdlq3"},
	} {
		if got := Token(tt.name); got != tt.want {
			t.Errorf("Token(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestValidToken(t *testing.T) {
	long := strings.Repeat("a", 40)
	for _, token := range []string{"a", "a-b", "a_b", "_", "0", long, "x--z4vl6dc3", "is-google-up--pabrrfza", long[:32] + "--abcdefgh"} {
		if !ValidToken(token) {
			t.Errorf("%q is refused", token)
		}
	}
	for _, token := range []string{
		"", "-", "-a", "a-", "A", "a b", "a.b", "*", ">", "é", "a\x00", "a\n", long + "a",
		"--abcdefgh", "a--", "a--abcdefg", "a--abcdefghi", "a--abcdefg1", "a--ABCDEFGH", "a---abcdefgh", "-a--abcdefgh",
		"a_b--abcdefgh", "a--b--abcdefgh", long[:33] + "--abcdefgh", "A--abcdefgh",
	} {
		if ValidToken(token) {
			t.Errorf("%q is taken, and no name has it", token)
		}
	}
}

func FuzzToken(f *testing.F) {
	for _, name := range []string{"", "Is Google Up?", "日本", "a--b", "-", strings.Repeat("a ", 40), "\xff"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		token := Token(name)
		if !ValidToken(token) {
			t.Errorf("Token(%q) = %q, which is not a token", name, token)
		}
		if len(token) > 42 {
			t.Errorf("Token(%q) = %q, %d bytes", name, token, len(token))
		}
		if plainToken(name) != (token == name) {
			t.Errorf("Token(%q) = %q, plain %v", name, token, plainToken(name))
		}
	})
}

func FuzzValidToken(f *testing.F) {
	for _, s := range []string{"a", "a--b", "a_b--abcdefgh", "x--z4vl6dc3", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !ValidToken(s) {
			return
		}
		slug, _, hashed := strings.Cut(s, "--")
		if !hashed {
			if Token(s) != s {
				t.Errorf("%q is a plain token, but its own is %q", s, Token(s))
			}
			return
		}
		// Some name of another hash has that slug. A trailing space makes the
		// name no token of its own.
		if got, _, _ := strings.Cut(Token(slug+" "), "--"); got != slug {
			t.Errorf("no name has the slug of %q: Token(%q) begins with %q", s, slug+" ", got)
		}
	})
}

func TestFits(t *testing.T) {
	for _, tt := range []struct {
		name, token string
		want        bool
	}{
		{"backup", "backup", true}, {"Backup", "backup", true}, {"Home page", "home-page", true}, {"Home page", Token("Home page"), true},
		{"Berlin", "oslo", false}, {"", "oslo", false}, {"Home page", Token("Home  page"), false}, {"backup", Token("Backup"), false},
	} {
		if got := Fits(tt.name, tt.token); got != tt.want {
			t.Errorf("%q for %q: %v, want %v", tt.name, tt.token, got, tt.want)
		}
	}
}
