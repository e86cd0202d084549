package redact

import (
	"regexp"
	"strings"
)

// query is that of an address in a text, which may begin with its path.
var query = regexp.MustCompile(`(/[^\s"'<>?]*\?)[^\s"'<>]+`)

// Target returns of what is watched what everybody may see: an address without its
// query, a command without its arguments.
func Target(target string, command bool) string {
	shown, _ := cutTarget(target, command)
	return shown
}

// Arguments takes the arguments of a target out of a text of its watcher, and the
// queries of all addresses.
func Arguments(text, target string, command bool) string {
	if _, rest := cutTarget(target, command); len(rest) >= minSecret {
		text = strings.ReplaceAll(text, rest, Mark)
	}
	if strings.ContainsRune(text, '?') {
		text = query.ReplaceAllString(text, "${1}"+Mark)
	}
	return text
}

// cutTarget returns what of a target everybody may see, and what follows.
func cutTarget(target string, command bool) (shown, rest string) {
	ends := "?#"
	if command {
		ends += " \t\r\n"
	}
	if command && (!strings.Contains(target, "://") || strings.ContainsAny(target, " \t")) { // else an address, through ssh
		ends += "=$`|;&<>()\"'"
	}
	i := strings.IndexAny(target, ends)
	if i < 0 {
		return target, ""
	}
	return target[:i], strings.TrimSpace(target[i:])
}
