package pharos

import (
	"regexp"
	"strings"
)

// lines makes "^" and "$" stand for the ends of each line, as people mean them.
const lines = "(?m)"

// CompilePattern compiles a regular expression of the file, whose "^" and "$"
// stand for the ends of each line.
func CompilePattern(text string) (*regexp.Regexp, error) { return regexp.Compile(lines + text) }

// PatternText returns a pattern as the file has it.
func PatternText(p *regexp.Regexp) string { return strings.TrimPrefix(p.String(), lines) }
