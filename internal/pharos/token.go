package pharos

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// Longest lengths of a token's parts, in bytes: a name that is its own token,
// and the readable part of a token made from any other name.
const (
	maxPlainToken = 40
	maxTokenSlug  = 32
)

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Token returns the subject token of a human name. A name of 1 to 40 bytes of
// [a-z0-9_-] that neither starts nor ends with "-" and holds no "--" is its own
// token. Any other is lower-cased, every run of other characters becomes one
// "-", the rest is cut to 32 bytes, and "--" and the first 5 bytes of the
// name's SHA-256 in lower-case base32 (RFC 4648) follow. The name is expected
// in Unicode NFC; internal/config brings it there.
func Token(name string) string {
	if plainToken(name) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return slug(name) + "--" + lowerBase32.EncodeToString(sum[:5])
}

// Fits reports whether a human name may be shown for a token: the token is the
// name's, or its readable part alone, as in "Backup" for "backup".
func Fits(name, token string) bool { return Token(name) == token || slug(name) == token }

// slug returns the readable part of the token of a name.
func slug(name string) string {
	var b strings.Builder
	gap := false
	for i := 0; i < len(name); i++ {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9') {
			gap = true
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte('-')
		}
		gap = false
		b.WriteByte(c)
	}
	s := b.String()
	if len(s) > maxTokenSlug {
		s = strings.TrimRight(s[:maxTokenSlug], "-")
	}
	if s == "" {
		return "x"
	}
	return s
}

func plainToken(s string) bool {
	if len(s) == 0 || len(s) > maxPlainToken || s[0] == '-' || s[len(s)-1] == '-' || strings.Contains(s, "--") {
		return false
	}
	return tokenBytes(s)
}

// ValidToken reports whether s can have been returned by Token. Whatever
// arrives from NATS is asked this before it is used.
func ValidToken(s string) bool {
	if plainToken(s) {
		return true
	}
	slug, hash, ok := strings.Cut(s, "--")
	if !ok || len(hash) != 8 || len(slug) == 0 || len(slug) > maxTokenSlug || slug[0] == '-' || slug[len(slug)-1] == '-' {
		return false
	}
	for i := 0; i < len(hash); i++ {
		if c := hash[i]; !('a' <= c && c <= 'z' || '2' <= c && c <= '7') {
			return false
		}
	}
	return tokenBytes(slug) && !strings.Contains(slug, "_")
}

func tokenBytes(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}
