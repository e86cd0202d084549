// Package redact takes secrets out of texts that others may see. It knows a
// secret by its value, which the file or the environment holds, and by the
// place where it stands: "https://user:password@host/", "-u user:password",
// "token=...".
package redact

import (
	"encoding/base64"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Mark stands where a secret was.
const Mark = "•••"

// minSecret is the shortest secret that is found by its value: to take every
// "1" out of a board would hide the board and tell the secret.
const minSecret = 4

var (
	secretName = regexp.MustCompile(`(?i)PASS|PWD|SECRET|TOKEN|KEY|CRED|AUTH|PRIVATE|SIGNATURE|COOKIE|BEARER|JWT|WEBHOOK|(^|_)PW$`)
	// plainName are variables whose names only look like a secret's.
	plainName = regexp.MustCompile(`(?i)^(OLD)?PWD$|AUTHORS?(_|$)|AUTH_SOCK|ASKPASS|KEYBOARD|KEYMAP`)
)

// IsSecretName reports whether the name of a variable, a header or a field says
// that its value is a secret.
func IsSecretName(name string) bool {
	return secretName.MatchString(name) && !plainName.MatchString(name)
}

// switches are values that say no more than whether something is on.
var switches = strings.Fields(`true false yes no on off none null nil auto default enabled disabled`)

// plainWords are what else stands where a secret could, and is none.
var plainWords = strings.Fields(`expired invalid missing required wrong incorrect not failed denied unauthorized bad unknown empty ok valid
	basic bearer digest negotiate ntlm token apikey want with and or is are was the`)

// plain reports whether a text that stands where a secret could is none: a
// common word, a reference to a variable, a secret that is hidden already.
func plain(s string) bool {
	lower := strings.ToLower(s)
	return s == "" || slices.Contains(switches, lower) || slices.Contains(plainWords, lower) || strings.HasPrefix(s, "$") || strings.Trim(s, "•*.") == ""
}

// Secrets collects the values that nobody is to see.
type Secrets map[string]struct{}

// Add takes a secret, and the forms in which it is sent or quoted.
func (s Secrets) Add(secret string) {
	quoted := strconv.Quote(secret)
	forms := []string{secret, strings.TrimSpace(secret), url.QueryEscape(secret), url.PathEscape(secret), quoted[1 : len(quoted)-1], html.EscapeString(secret)}
	if strings.Contains(secret, "\n") { // a key in PEM: each line of it
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); len(line) >= 16 && !strings.HasPrefix(line, "-----") {
				forms = append(forms, line)
			}
		}
	}
	for _, form := range forms {
		if len(form) >= minSecret {
			s[form] = struct{}{}
		}
	}
}

// AddNamed takes a value if its name says that it is secret, and the secrets
// that stand in it.
func (s Secrets) AddNamed(name, value string) {
	if IsSecretName(name) && !slices.Contains(switches, strings.ToLower(value)) {
		s.Add(value)
	}
	s.AddText(value)
}

// AddHeader is AddNamed for a header, whose value may begin with a scheme
// ("Bearer ").
func (s Secrets) AddHeader(name, value string) {
	s.AddNamed(name, value)
	if _, rest, ok := strings.Cut(value, " "); ok {
		s.AddNamed(name, rest)
	}
}

// AddText takes the secrets that stand in a text: passwords of addresses, what
// follows -u and --password.
func (s Secrets) AddText(text string) {
	for _, at := range places(text) {
		secret := text[at.from:at.to]
		if len(secret) < 6 && strings.Trim(secret, "0123456789:") == "" { // a port, a group's number
			continue
		}
		s.Add(secret)
		if unescaped, err := url.PathUnescape(secret); err == nil && unescaped != secret {
			s.Add(unescaped)
		}
	}
}

// AddLogin takes a password, and the pair as basic auth sends it.
func (s Secrets) AddLogin(user, password string) {
	s.Add(password)
	if password != "" {
		s.Add(base64.StdEncoding.EncodeToString([]byte(user + ":" + password)))
	}
}

// AddURL takes the password of an address and those of its query's values whose
// names say that they are secret.
func (s Secrets) AddURL(u *url.URL) {
	if u.User != nil {
		s.Add(u.User.String())
		if password, ok := u.User.Password(); ok {
			s.AddLogin(u.User.Username(), password)
		}
	}
	for name, values := range u.Query() {
		for _, v := range values {
			s.AddNamed(name, v)
		}
	}
}

// AddEnvironment takes the values of the variables whose names say that they are
// secret, and the secrets that stand in the others.
func (s Secrets) AddEnvironment(environ []string) {
	for _, v := range environ {
		if name, value, ok := strings.Cut(v, "="); ok {
			s.AddNamed(name, value)
		}
	}
}

// Redactor takes secrets out of texts. A nil one knows no values. It is safe
// for concurrent use.
type Redactor struct {
	values   []string // the longest first
	replacer *strings.Replacer
	withheld []string // names of variables that commands do not get
}

// Redactor returns a redactor of the secrets so far. withheld are the names of
// the variables that only the program itself uses.
func (s Secrets) Redactor(withheld ...string) *Redactor {
	r := &Redactor{values: make([]string, 0, len(s)), withheld: withheld}
	for secret := range s {
		r.values = append(r.values, secret)
	}
	// The first that fits wins: a secret goes before those that begin it.
	slices.SortFunc(r.values, func(a, b string) int {
		if d := len(b) - len(a); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	if len(r.values) > 0 {
		pairs := make([]string, 0, 2*len(r.values))
		for _, secret := range r.values {
			pairs = append(pairs, secret, Mark)
		}
		r.replacer = strings.NewReplacer(pairs...)
	}
	return r
}

// WithEnvironment returns a redactor that also knows the secrets of an
// environment, which commands inherit.
func (r *Redactor) WithEnvironment(environ []string) *Redactor {
	s := make(Secrets)
	s.AddEnvironment(environ)
	if r == nil {
		return s.Redactor()
	}
	for _, v := range r.values {
		s[v] = struct{}{}
	}
	return s.Redactor(r.withheld...)
}

// Same reports whether two redactors hide and withhold the same.
func (r *Redactor) Same(o *Redactor) bool {
	if r == nil || o == nil {
		return r == o
	}
	return slices.Equal(r.values, o.values) && slices.Equal(r.withheld, o.withheld)
}

// Environ returns what a command may inherit of an environment: nothing that is
// this program's own, PHAROS_* and the variables that only it uses.
func (r *Redactor) Environ(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return strings.HasPrefix(name, "PHAROS_") || r != nil && slices.Contains(r.withheld, name)
	})
}

// Values returns a text of ours without the secrets that are known by value.
func (r *Redactor) Values(text string) string {
	if r == nil || r.replacer == nil {
		return text
	}
	return r.replacer.Replace(text)
}

// Text returns a text without secrets.
func (r *Redactor) Text(text string) string {
	text = r.Values(text)
	hidden := places(text)
	if len(hidden) == 0 {
		return text
	}
	var b strings.Builder
	done := 0
	for _, at := range hidden {
		b.WriteString(text[done:at.from])
		b.WriteString(Mark)
		done = at.to
	}
	b.WriteString(text[done:])
	return b.String()
}

// Part returns text[from:to] as a part of the text without secrets. Of a secret
// or a rune that one of the two cuts nothing is left.
func (r *Redactor) Part(text string, from, to int) string {
	whole := r.Text(text)
	before, after := r.Text(text[:to]), r.Text(text[from:])
	end, left := 0, 0
	for end < min(len(before), len(whole)) && before[end] == whole[end] {
		end++
	}
	for left < min(len(after), len(whole)) && after[len(after)-1-left] == whole[len(whole)-1-left] {
		left++
	}
	return wholeRunes(whole[min(len(whole)-left, end):end])
}

// Ended returns a text that was cut off without a secret that its end may have
// begun.
func (r *Redactor) Ended(text string) string {
	cut := len(text)
	if r != nil {
		for _, secret := range r.values {
			for n := min(len(secret)-1, len(text)); n > len(text)-cut; n-- {
				if strings.HasSuffix(text, secret[:n]) {
					cut = len(text) - n
					break
				}
			}
		}
	}
	word := strings.LastIndexAny(text, " \t\r\n\"'") + 1
	if i := strings.LastIndexByte(text[word:], ':'); i >= 0 && !strings.HasPrefix(text[word+i:], "://") && !strings.Contains(text[word+i:], "@") {
		cut = min(cut, word+i+1)
	}
	return text[:cut]
}

// HideCut hides the beginnings of secrets in the pieces of a message that end in
// the mark of a cut.
func (s Secrets) HideCut(message, mark string) string {
	parts := strings.Split(message, mark)
	for i, part := range parts[:len(parts)-1] {
		begins := 0
		for secret := range s {
			for n := min(len(secret), len(part)); n >= minSecret && n > begins; n-- {
				if strings.HasSuffix(part, secret[:n]) {
					begins = n
				}
			}
		}
		if begins > 0 {
			parts[i] = part[:len(part)-begins] + Mark
		}
	}
	return strings.Join(parts, mark)
}

// wholeRunes returns a text that was cut at both ends without the halves of
// runes there.
func wholeRunes(s string) string {
	for i := 0; i < utf8.UTFMax-1 && s != "" && !utf8.RuneStart(s[0]); i++ {
		s = s[1:]
	}
	for i := 1; i < utf8.UTFMax && i <= len(s); i++ {
		if end := s[len(s)-i:]; utf8.RuneStart(end[0]) {
			if !utf8.FullRuneInString(end) {
				return s[:len(s)-i]
			}
			break
		}
	}
	return s
}
