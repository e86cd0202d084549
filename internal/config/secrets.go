package config

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// minSecret is the shortest secret that Redact replaces: to take every "1" out
// of a board would hide the board and tell the secret.
const minSecret = 4

const redacted = "•••"

var (
	secretName   = regexp.MustCompile(`(?i)PASS|SECRET|TOKEN|KEY|CRED`)
	secretHeader = regexp.MustCompile(`(?i)^(authorization|cookie|proxy-authorization)$|-(key|token)$`)
)

// secrets are the texts of a file that nobody is to see.
type secrets map[string]struct{}

// add keeps a secret, and the forms in which it goes over the wire or is quoted
// in a message.
func (s secrets) add(secret string) {
	quoted := strconv.Quote(secret)
	for _, form := range []string{secret, strings.TrimSpace(secret), url.QueryEscape(secret), url.PathEscape(secret), quoted[1 : len(quoted)-1]} {
		if len(form) >= minSecret {
			s[form] = struct{}{}
		}
	}
}

// addHeader keeps the value of a header that carries a secret: whole, and
// without its scheme ("Bearer ").
func (s secrets) addHeader(name, value string) {
	if !secretHeader.MatchString(name) {
		return
	}
	s.add(value)
	if _, rest, ok := strings.Cut(value, " "); ok {
		s.add(rest)
	}
}

// addLogin keeps a password, and the pair as basic auth sends it.
func (s secrets) addLogin(user, password string) {
	s.add(password)
	if password != "" {
		s.add(base64.StdEncoding.EncodeToString([]byte(user + ":" + password)))
	}
}

// addURL keeps the password of an address and those of its query's values
// whose names say that they are secret.
func (s secrets) addURL(u *url.URL) {
	if u.User != nil {
		s.add(u.User.String())
		if password, ok := u.User.Password(); ok {
			s.addLogin(u.User.Username(), password)
		}
	}
	for name, values := range u.Query() {
		if secretName.MatchString(name) {
			for _, v := range values {
				s.add(v)
			}
		}
	}
}

// hideCut hides the beginnings of secrets that short has cut off.
func (s secrets) hideCut(message string) string {
	parts := strings.Split(message, cut)
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
			parts[i] = part[:len(part)-begins] + redacted
		}
	}
	return strings.Join(parts, cut)
}

// replacer returns nil where there is nothing to hide.
func (s secrets) replacer() *strings.Replacer {
	if len(s) == 0 {
		return nil
	}
	all := make([]string, 0, len(s))
	for secret := range s {
		all = append(all, secret)
	}
	// The first that fits wins: a secret goes before those that begin it.
	slices.SortFunc(all, func(a, b string) int {
		if d := len(b) - len(a); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	pairs := make([]string, 0, 2*len(all))
	for _, secret := range all {
		pairs = append(pairs, secret, redacted)
	}
	return strings.NewReplacer(pairs...)
}
