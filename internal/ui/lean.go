package ui

import (
	"bytes"
	"regexp"
	"strings"
)

var (
	plain = regexp.MustCompile(`(?ms)^[ \t]*/\*.*?\*/\n|^[ \t]+|^\n`)
	tight = strings.NewReplacer("; }", "}", ";\n}", "}", "\n", "", ": 0.", ":.", " 0.", " .", " > ", ">", ": ", ":", ", ", ",", " { ", "{", " {", "{", "{ ", "{", "; ", ";", " }", "}", ") * ", ")*", " !", "!")
	named = regexp.MustCompile(`--(critical|warning|unknown|stale|waiting)(-text|-soft|-edge|-glow|-stripe)?\b(-icon)?`)
	lone  = regexp.MustCompile(`^\((\w+)\) =>`)
)

// leanPage and leanStyle leave out comments, indentation, and, of a
// style, spaces beside its signs and most of the names of its colours.
func leanPage(text string) []byte  { return plain.ReplaceAll([]byte(text), nil) }
func leanStyle(text string) []byte { return []byte(short(tight.Replace(string(leanPage(text))))) }

// short makes --c-te of --critical-text. The script asks for the icons' colours by
// their names.
func short(style string) string {
	return named.ReplaceAllStringFunc(style, func(name string) string {
		parts := named.FindStringSubmatch(name)
		if parts[3] != "" {
			return name
		}
		letter := map[string]string{"critical": "c", "warning": "y", "unknown": "q", "stale": "s", "waiting": "i"}[parts[1]]
		return "--" + letter + parts[2][:min(3, len(parts[2]))]
	})
}

// leanScript leaves out what a screen has no use for: comments, indentation,
// line breaks after which a statement cannot have ended or after a brace that
// stands alone, semicolons at the end of a block, spaces beside signs, brackets
// around a single parameter; and const is let, true is !0. It knows texts in quotes, but
// neither templates nor regular expressions nor empty statements, which the
// modules do without, and they end their statements with semicolons.
func leanScript(text string) []byte {
	const signs = "=<>&|?:,;{}()[]*!+-/%\"'"
	is := func(c byte, of string) bool { return strings.IndexByte(of, c) >= 0 }
	in := []byte(text)
	out := make([]byte, 0, len(in))
	last := byte('\n')
	for i := 0; i < len(in); i++ {
		c, next := in[i], byte('\n')
		if i+1 < len(in) {
			next = in[i+1]
		}
		switch {
		case c == '"' || c == '\'':
			begin := i
			for i++; i < len(in)-1 && in[i] != c; i++ {
				if in[i] == '\\' {
					i++
				}
			}
			out = append(out, in[begin:i+1]...)
		case c == '/' && next == '/':
			for i+1 < len(in) && in[i+1] != '\n' {
				i++
			}
		case c == ' ' && (is(last, "\n"+signs) || is(next, signs)) && (last != next || last != '+' && last != '-'):
		case c == '\n' && (is(last, "\n;{,([=&|?:") || is(first(in[i:]), "})].")):
		case c == '\n' && i > 0 && in[i-1] == '}' && alone(in[:i-1]):
		case c == '}' && last == ';':
			out[len(out)-1] = '}'
		case c == 'c' && bytes.HasPrefix(in[i:], []byte("const ")) && !letter(last):
			out = append(out, "let"...)
			i += len("const") - 1
		case !letter(last) && last != '.' && bytes.HasPrefix(in[i:], []byte("true")) && !letter(in[min(i+4, len(in)-1)]):
			out = append(out, "!0"...)
			i += len("true") - 1
		case !letter(last) && last != '.' && bytes.HasPrefix(in[i:], []byte("false")) && !letter(in[min(i+5, len(in)-1)]):
			out = append(out, "!1"...)
			i += len("false") - 1
		case c == '(' && lone.Match(in[i:]):
			name := lone.FindSubmatch(in[i:])[1]
			if letter(last) {
				out = append(out, ' ')
			}
			out = append(out, name...)
			i += len(name) + 1
		default:
			out = append(out, c)
		}
		if len(out) > 0 {
			last = out[len(out)-1]
		}
	}
	return out
}

// first is the first letter that is no space.
func first(text []byte) byte {
	if text = bytes.TrimLeft(text, " \n"); len(text) > 0 {
		return text[0]
	}
	return '\n'
}

// alone says whether nothing but spaces stands before what follows, on its line.
func alone(before []byte) bool {
	before = bytes.TrimRight(before, " ")
	return len(before) > 0 && before[len(before)-1] == '\n'
}

// letter says whether a letter may be part of a name.
func letter(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
