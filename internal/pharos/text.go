package pharos

import (
	"strings"
	"unicode/utf8"
)

// The longest texts on the wire, in bytes. Longer ones are cut at a whole rune
// and end in "…".
const (
	MaxName    = 240
	MaxSummary = 300
	MaxLink    = 500
	MaxDetail  = 4096
	MaxText    = 120
	MaxUnit    = 16
)

// Ellipsis marks a text that was cut.
const Ellipsis = "…"

// CleanLine makes untrusted text fit for one line on a board: control
// characters and the controls that turn the direction of writing are dropped,
// breaks of a line become a space, invalid UTF-8 becomes U+FFFD, and it is cut
// to limit bytes.
func CleanLine(s string, limit int) string { return clean(s, limit, false) }

// CleanText is CleanLine for text of several lines: line feeds and tabs stay.
func CleanText(s string, limit int) string { return clean(s, limit, true) }

func clean(s string, limit int, lines bool) string {
	if len(s) <= limit && tidy(s) {
		return s
	}
	var b strings.Builder
	b.Grow(min(len(s), limit))
	cut := false
	for _, r := range s { // of invalid UTF-8, each byte is a U+FFFD
		switch {
		case lines && (r == '\n' || r == '\t'):
		case r == '\n' || r == '\t' || r == '\u2028' || r == '\u2029':
			r = ' '
		case control(r):
			continue
		}
		if b.Len()+utf8.RuneLen(r) > limit {
			cut = true
			break
		}
		b.WriteRune(r)
	}
	if !cut {
		return strings.TrimRight(b.String(), " \n\t")
	}
	return Cut(b.String(), limit-len(Ellipsis)) + Ellipsis
}

// Cut returns at most limit bytes of s, ending at a whole rune.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	limit = max(limit, 0)
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// tidy is the common case: printable ASCII alone.
func tidy(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

func control(r rune) bool {
	switch {
	case r < 0x20, 0x7f <= r && r < 0xa0:
		return true
	case 0x202a <= r && r <= 0x202e, 0x2066 <= r && r <= 0x2069: // embeddings, overrides, isolates
		return true
	case r == 0xfeff:
		return true
	}
	return false
}
