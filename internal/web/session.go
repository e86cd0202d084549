package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	sessionCookie = "pharos-session"
	sessionFor    = 30 * 24 * time.Hour
)

// A session is its own proof: a name, an end, and a code over both that only who
// knows the user's hash can make. So it holds at every dashboard that has the
// user, over a restart, and until the user's line changes.

// newSession returns a session of a user until that moment.
func newSession(users map[string]string, name string, until time.Time) string {
	end := strconv.FormatInt(until.Unix(), 36)
	return encode([]byte(name)) + "." + end + "." + encode(sessionCode(users[name], name, end))
}

// readSession returns whose session it is, and its end; no name where it is none.
func readSession(users map[string]string, session string) (name string, until time.Time) {
	who, rest, _ := strings.Cut(session, ".")
	end, code, _ := strings.Cut(rest, ".")
	decoded, err := encoding.DecodeString(who)
	seconds, wrong := strconv.ParseInt(end, 36, 64)
	given, broken := encoding.DecodeString(code)
	hash, known := users[string(decoded)]
	if err != nil || wrong != nil || broken != nil || !known || hash == "" {
		return "", time.Time{}
	}
	until = time.Unix(seconds, 0)
	if !hmac.Equal(given, sessionCode(hash, string(decoded), end)) || !time.Now().Before(until) {
		return "", time.Time{}
	}
	return string(decoded), until
}

func sessionCode(hash, name, end string) []byte {
	mac := hmac.New(sha256.New, []byte(hash))
	mac.Write([]byte("session\x00" + end + "\x00" + name))
	return mac.Sum(nil)
}

var encoding = base64.RawURLEncoding

func encode(b []byte) string { return encoding.EncodeToString(b) }

// cookie returns one that only we read. A lifetime below zero takes it away.
func (s *Server) cookie(r *http.Request, name, value string, lifetime time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(lifetime / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.isSecure(r),
	}
}
