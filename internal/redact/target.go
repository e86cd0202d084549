package redact

import (
	"regexp"
	"strings"
)

// query is that of an address in a text, which may begin with its path.
var query = regexp.MustCompile(`(/[^\s"'<>?]*\?)[^\s"'<>]+`)

// Target returns of what is watched, an address or a command line, what everybody
// may see: an address without its query, a command without its arguments.
func Target(target string) string {
	word, _ := cutTarget(target)
	return word
}

// Arguments takes the arguments of a target out of a text of its watcher, and the
// queries of all addresses.
func Arguments(text, target string) string {
	if _, rest := cutTarget(target); len(rest) >= minSecret {
		text = strings.ReplaceAll(text, rest, Mark)
	}
	if strings.ContainsRune(text, '?') {
		text = query.ReplaceAllString(text, "${1}"+Mark)
	}
	return text
}

// cutTarget returns the first word of a target without a query, and what follows.
func cutTarget(target string) (word, rest string) {
	ends := " \t\r\n?#"
	if !strings.Contains(target, "://") || strings.ContainsAny(target, " \t") {
		ends += "=$`|;&<>()\"'"
	}
	i := strings.IndexAny(target, ends)
	if i < 0 {
		return target, ""
	}
	return target[:i], strings.TrimSpace(target[i:])
}
