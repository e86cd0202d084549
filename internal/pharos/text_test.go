package pharos

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for _, tt := range []struct {
		what, s    string
		limit      int
		line, text string
	}{
		{"plain", "status 503, wanted 2xx", 40, "status 503, wanted 2xx", "status 503, wanted 2xx"},
		{"empty", "", 40, "", ""},
		{"other scripts", "größer 日本 🔦", 40, "größer 日本 🔦", "größer 日本 🔦"},
		{"several lines", "a\nb\tc\r\n", 40, "a b c", "a\nb\tc"},
		{"separators of lines", "a\u2028b\u2029c", 40, "a b c", "a b c"},
		{"controls", "a\x00b\x1b[31mc\x7fd\u0085e", 40, "ab[31mcde", "ab[31mcde"},
		{"overrides of direction", "a\u202eb\u2066c\u2069\u202a", 40, "abc", "abc"},
		{"byte order mark", "\ufeffa", 40, "a", "a"},
		{"marks of direction stay", "\u200fשלום", 40, "\u200fשלום", "\u200fשלום"},
		{"markup is text", "<b>&amp;</b>", 40, "<b>&amp;</b>", "<b>&amp;</b>"},
		{"invalid UTF-8", "a\xff\xfeb\xe6\x97", 40, "a\ufffd\ufffdb\ufffd\ufffd", "a\ufffd\ufffdb\ufffd\ufffd"},
		{"just fits", "abcdefgh", 8, "abcdefgh", "abcdefgh"},
		{"a byte too long", "abcdefghi", 8, "abcde…", "abcde…"},
		{"cut at a whole rune", "日本日本", 10, "日本…", "日本…"},
		{"dropped runes do not count", "abcdefgh\x00\x00", 8, "abcdefgh", "abcdefgh"},
		{"replaced runes do", "\xff\xff\xff", 8, "\ufffd…", "\ufffd…"},
	} {
		if got := CleanLine(tt.s, tt.limit); got != tt.line {
			t.Errorf("%s: CleanLine(%q, %d) = %q, want %q", tt.what, tt.s, tt.limit, got, tt.line)
		}
		if got := CleanText(tt.s, tt.limit); got != tt.text {
			t.Errorf("%s: CleanText(%q, %d) = %q, want %q", tt.what, tt.s, tt.limit, got, tt.text)
		}
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		s     string
		limit int
		want  string
	}{
		{"abc", 3, "abc"}, {"abc", 2, "ab"}, {"abc", 0, ""}, {"abc", -1, ""}, {"", 5, ""},
		{"a日b", 4, "a日"}, {"a日b", 3, "a"}, {"a日b", 2, "a"}, {"日", 1, ""},
	} {
		if got := Cut(tt.s, tt.limit); got != tt.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", tt.s, tt.limit, got, tt.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\xffb\u202e\n日本", 12)
	f.Add("é  ", 3)
	f.Add(strings.Repeat("\t", 50), 40)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(limit%5000, len(Ellipsis))
		for name, clean := range map[string]func(string, int) string{"CleanLine": CleanLine, "CleanText": CleanText} {
			got := clean(s, limit)
			if len(got) > limit || !utf8.ValidString(got) {
				t.Errorf("%s(%q, %d) = %q, %d bytes", name, s, limit, got, len(got))
			}
			for _, r := range got {
				if control(r) && !(name == "CleanText" && (r == '\n' || r == '\t')) {
					t.Errorf("%s(%q, %d) = %q, with %U in it", name, s, limit, got, r)
				}
			}
			if again := clean(got, limit); again != got {
				t.Errorf("%s(%q, %d) = %q, cleaned again %q", name, s, limit, got, again)
			}
		}
	})
}
