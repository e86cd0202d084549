package redact

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// span is a part of a text.
type span struct{ from, to int }

// value is what may follow the name of a secret: quoted, or one word.
const value = `("[^"\n]*"|'[^'\n]*'|[^\s"',;&|<>(){}\[\]]+)`

// rule finds secrets by what stands before them.
type rule struct {
	needles []string       // of which a text in small letters has at least one, if the rule finds anything
	find    *regexp.Regexp // the last group is the secret
}

const names = `(?:passw(?:or)?d|passphrase|passwort|pgpass|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)[\w.-]*`

var (
	nameNeedles = []string{"passw", "passphrase", "pgpass", "secret", "token", "key"}
	userNeedles = []string{" -", "\t-", "\n-", "\"-", "'-"}
)

var rules = []rule{
	// Authorization: Basic xxx; Cookie: a=b; c=d
	{[]string{"authorization", "cookie"}, regexp.MustCompile(`(?i)(?:authorization|cookie2?)["']?[ \t]*:[ \t]*["']?(?:(?:basic|bearer|digest|negotiate|token|apikey)[ \t]+)?([^\r\n"']+)`)},
	// password=xxx, API_KEY: xxx, "token": "xxx"
	{nameNeedles, regexp.MustCompile(`(?i)` + names + `["']?[ \t]*(?:=>|=|:)[ \t]*` + value)},
	// --password xxx, -token xxx
	{nameNeedles, regexp.MustCompile(`(?i)(?:^|[\s"'])--?(?:[a-z0-9]+[_-])*` + names + `[ \t]+` + value)},
	// curl -u user:xxx, -uuser:xxx, --user=user:xxx, -u "user:x x"
	{userNeedles, regexp.MustCompile(`[\s"'](?:-[a-zA-Z]*[uU]|--(?:proxy-)?user)[ \t=]*[^\s:"'/]*:([^\s"']+)`)},
	{userNeedles, regexp.MustCompile(`[\s"'](?:-[a-zA-Z]*[uU]|--(?:proxy-)?user)[ \t=]*["'][^\s:"'/]*:([^\n"']+)`)},
	// What a few well-known programs take.
	{[]string{"mysql", "mariadb"}, regexp.MustCompile(`\b(?:mysql|mariadb)[\w-]*[ \t][^|;&\n]*?-p([^\s"']+)`)},
	{[]string{"redis-cli", "valkey-cli"}, regexp.MustCompile(`\b(?:redis-cli|valkey-cli)[ \t][^|;&\n]*?-a[ \t]+` + value)},
	{[]string{"sshpass"}, regexp.MustCompile(`\bsshpass[ \t]+-p[ \t]*` + value)},
	{[]string{"ldap"}, regexp.MustCompile(`\bldap\w+[ \t][^|;&\n]*?-w[ \t]+` + value)},
	{[]string{"smbclient"}, regexp.MustCompile(`\bsmbclient[ \t][^|;&\n]*?-U[ \t]+["']?[^\s%"']+%([^\s"']+)`)},
}

// places returns where secrets stand in a text, in order and without overlap.
func places(text string) []span {
	var all []span
	if strings.ContainsRune(text, '@') {
		all = addresses(text)
	}
	if strings.ContainsAny(text, "=:-") {
		lower := strings.ToLower(text)
		for _, rule := range rules {
			if !slices.ContainsFunc(rule.needles, func(needle string) bool { return strings.Contains(lower, needle) }) {
				continue
			}
			for _, m := range rule.find.FindAllStringSubmatchIndex(text, -1) {
				from, to := m[len(m)-2], m[len(m)-1]
				for from < to && strings.IndexByte(`"'`, text[from]) >= 0 {
					from++
				}
				for from < to && strings.IndexByte(`"'`, text[to-1]) >= 0 {
					to--
				}
				all = append(all, span{from, to})
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to)) })
	kept := all[:0]
	end := 0
	for _, at := range all {
		at.from = max(at.from, end)
		if at.from >= at.to || plain(text[at.from:at.to]) {
			continue
		}
		kept, end = append(kept, at), at.to
	}
	return kept
}

// plainSchemes are those of "scheme:user@host", and of addresses whose user is
// no secret.
var plainSchemes = []string{"mailto", "sip", "sips", "xmpp", "acct", "ssh", "sftp", "scp", "git", "svn", "rsync"}

// addresses returns the passwords of "scheme://user:password@host", where they
// may hold a slash, the tokens of "scheme://token@host", and the passwords of
// "user:password@host".
func addresses(text string) []span {
	var all []span
	for i := 0; ; {
		n := strings.Index(text[i:], "://")
		if n < 0 {
			break
		}
		scheme := text[:i+n]
		scheme = strings.ToLower(scheme[strings.LastIndexFunc(scheme, func(r rune) bool { return !wordRune(r) })+1:])
		i += n + len("://")
		run := text[i:][:runLength(text[i:])]
		authority := run
		if end := strings.IndexAny(run, "/?#"); end >= 0 {
			authority = run[:end]
		}
		at := strings.LastIndexByte(authority, '@')
		user, password, found := strings.Cut(authority, ":")
		switch {
		case at >= 0:
			user, _, found = strings.Cut(authority[:at], ":")
		case found && strings.Trim(password, "0123456789") != "": // not a port: a slash is in the password
			at = strings.LastIndexByte(run, '@')
		}
		switch {
		case at < 0:
		case found:
			all = append(all, span{i + len(user) + 1, i + at})
		case !slices.Contains(plainSchemes, scheme):
			all = append(all, span{i, i + at})
		}
	}
	for i := 1; i < len(text)-1; i++ {
		if text[i] != '@' || !wordRune(rune(text[i+1])) && text[i+1] != '[' && text[i+1] != '(' {
			continue
		}
		begin := strings.LastIndexAny(text[:i], " \t\r\n\"'`<>=,;(){}|") + 1
		user, password, found := strings.Cut(text[begin:i], ":")
		if !found || user == "" || strings.HasPrefix(password, "//") || strings.ContainsFunc(user, func(r rune) bool { return !wordRune(r) }) || slices.Contains(plainSchemes, strings.ToLower(user)) {
			continue
		}
		all = append(all, span{begin + len(user) + 1, i})
	}
	return all
}

// runLength returns how far an address at the beginning of a text can reach.
func runLength(text string) int {
	if n := strings.IndexAny(text, " \t\r\n\"'`<>"); n >= 0 {
		return n
	}
	return len(text)
}

func wordRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._%+-", r)
}
