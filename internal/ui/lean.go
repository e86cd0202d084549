package ui

import (
	"bytes"
	"regexp"
	"strings"
)

var (
	plain = regexp.MustCompile(`(?ms)^[ \t]*/\*.*?\*/\n|^[ \t]+|^\n`)
	tight = strings.NewReplacer("; }", "}", ";\n}", "}", "\n", "", ": 0.", ":.", " 0.", " .", " > ", ">", ": ", ":", ", ", ",", " { ", "{", " {", "{", "{ ", "{", "; ", ";", " }", "}")
)

// leanPage and leanStyle leave out comments, indentation, and, of a
// style, spaces beside its signs.
func leanPage(text string) []byte  { return plain.ReplaceAll([]byte(text), nil) }
func leanStyle(text string) []byte { return []byte(tight.Replace(string(leanPage(text)))) }

// leanScript leaves out what a screen has no use for: comments, indentation,
// line breaks after which a statement cannot have ended, semicolons at the end
// of a block, and spaces beside signs. It knows texts in quotes, but neither
// templates nor regular expressions nor empty statements, which the modules do
// without.
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
		case c == '}' && last == ';':
			out[len(out)-1] = '}'
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
