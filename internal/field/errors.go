package field

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MaxErrors is how many errors of one file are told.
const MaxErrors = 20

// Error is one thing that is wrong with a file.
type Error struct {
	File    string
	Line    int // from 1; 0: the file as a whole
	Column  int // from 1; 0: unknown
	Message string

	place int // in the order of the files, as the lines of nodes
}

// Error returns "FILE: line LINE: MESSAGE".
func (e Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s: line %d: %s", e.File, e.Line, e.Message)
}

// Errors are all that is wrong with a file, in the order of its lines: the
// first MaxErrors, and one more that counts the rest.
type Errors []Error

// Error returns one line for each error.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// told brings the errors into the order of the file, without doubles (an
// anchor's errors are met once for each alias), and cuts them.
func (e Errors) told() Errors {
	slices.SortStableFunc(e, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	e = slices.Compact(e)
	if more := len(e) - MaxErrors; more > 0 {
		next := e[MaxErrors]
		next.Message = fmt.Sprintf("and %d more from here on", more)
		e = append(e[:MaxErrors:MaxErrors], next)
	}
	return e
}

// printable returns a message that no terminal takes for more than a text:
// control characters are written as Go quotes them.
func printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

var (
	syntaxLine    = regexp.MustCompile(`^line (\d+): `)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
	startsWithTab = regexp.MustCompile(`^ *\t`)
)

// syntaxError says in our words what the YAML parser says in its own. The
// parser counts the lines of its scanner's errors from 1 and those of its
// grammar from 0, gives none for the first line, and names the line where the
// broken part begins.
func syntaxError(file string, data []byte, err error) Error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if m := syntaxLine.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	lines := bytes.Split(data, []byte("\n"))
	switch {
	case strings.HasPrefix(message, "did not find expected key"), strings.HasPrefix(message, "did not find expected '-' indicator"):
		line++
		message = "what begins here is not well formed further down: an indentation that does not match, or a quote or bracket left open"
	case strings.HasPrefix(message, "did not find expected ',' or"):
		line++
		message = "a bracket that opens here is not closed, or a comma is missing in it"
		if line <= len(lines) && bytes.ContainsRune(lines[line-1], '?') {
			message += `; within brackets, a text with a "?" wants quotes`
		}
	case strings.HasPrefix(message, "did not find expected node content"), strings.HasPrefix(message, "did not find expected <document start>"):
		line++
		message = "something here is not YAML"
	case strings.HasPrefix(message, "mapping values are not allowed"):
		message = `a second ": " in one line, or an indentation that does not match; a text that holds ": " wants quotes`
	case strings.HasPrefix(message, "found unexpected end of stream"), strings.HasPrefix(message, "found unexpected document indicator"):
		message = "a quote that opens here, or above, is never closed"
	case strings.HasPrefix(message, "could not find expected ':'"):
		message = `a key without its ":"`
	case strings.HasPrefix(message, "found character that cannot start any token"):
		message = "a text that begins with this character wants quotes"
	case strings.HasPrefix(message, "control characters are not allowed"), strings.Contains(message, "UTF-8"):
		message = "not a text in UTF-8: " + message
		line = badByte(data)
	}
	line = min(max(line, 1), len(lines))
	if m := unknownAnchor.FindStringSubmatch(message); m != nil {
		// The word is not told: it may be a password that begins with a "*".
		message = `what begins with "*" refers to an anchor, and there is none of that name above: write "&" and the name where it is meant to point; a text that begins with "*" wants quotes`
		if i := slices.IndexFunc(lines, func(l []byte) bool { return bytes.Contains(l, []byte("*"+m[1])) }); i >= 0 {
			line = i + 1
		}
	} else if i := slices.IndexFunc(lines[line-1:], startsWithTab.Match); i >= 0 {
		line += i
		message = "a tab in the indentation: YAML wants spaces"
	}
	return Error{File: file, Line: line, Message: "reading YAML: " + message}
}

// badByte returns the line of the first byte that YAML does not allow.
func badByte(data []byte) int {
	line := 1
	for _, c := range string(data) {
		switch {
		case c == '\n':
			line++
		case c == '\uFFFD', c < 0x20 && c != '\t' && c != '\r', c == 0x7f:
			return line
		}
	}
	return line
}

// Meant returns what the writer of an unknown word may have meant, or "".
func Meant(word string, known []string) string {
	best, least := "", len(word)+1
	for _, k := range known {
		if d := distance(strings.ToLower(word), k); d < least && d <= max(1, min(len(word), len(k))/3) {
			best, least = k, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, change or swap that
// lead from a to b (optimal string alignment).
func distance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)] // no key is longer
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}

// Brief returns the first line of an error, and how many more there are: what
// fits into one line on a board.
func Brief(err error) string {
	line, more, _ := strings.Cut(err.Error(), "\n")
	if more != "" {
		line += fmt.Sprintf(" (and %d more)", strings.Count(more, "\n")+1)
	}
	return line
}
