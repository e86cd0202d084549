package config

import (
	"cmp"
	"regexp"

	"pharos/internal/field"
)

// Access says who sees what.
type Access struct {
	SignedIn bool              // others do not see the board
	Users    map[string]string // bcrypt hashes of passwords, by name
	// UserHeader is the header in which a trusted proxy names who has signed in
	// there; empty: none.
	UserHeader string
	Detail     string // what those see who have not signed in: none, redacted or full
}

type accounts = []accountKeys

// passHash is a password's bcrypt hash.
type passHash string

// hashWord is what bcrypt makes, of a cost that a sign-in can wait for.
var hashWord = regexp.MustCompile(`^\$2[aby]\$(0[4-9]|1[0-5])\$[./A-Za-z0-9]{53}$`)

// Read implements field.Value.
func (h *passHash) Read(r *field.Reader, n *field.Node, key string) {
	var s secret
	if s.Read(r, n, key); s == "" {
		return
	}
	if !hashWord.MatchString(string(s)) {
		r.Fail(n, `%swant what "dashboard passwd NAME" prints, not the password itself`, field.Label(key))
		return
	}
	*h = passHash(s)
}

// Shape implements field.Value.
func (passHash) Shape() field.Shape { return text("").Shape() }

// header is the name of a header.
type header string

var headerWord = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// Read implements field.Value.
func (h *header) Read(r *field.Reader, n *field.Node, key string) {
	s, ok := r.Text(n, key)
	switch {
	case !ok:
	case !headerWord.MatchString(s):
		r.Fail(n, `%swant the name of a header such as "X-Remote-User", got %s`, field.Label(key), field.Shown(s))
	default:
		*h = header(s)
	}
}

// Shape implements field.Value.
func (header) Shape() field.Shape { return text("").Shape() }

// wanted tells which of a section's keys are missing.
func (p *parser) wanted(s *field.Section, of string, keys ...string) {
	for _, key := range keys {
		if !s.Has(key) {
			p.Fail(s.At(key), "%s: want a %s for each", of, key)
		}
	}
}

// access returns who sees what.
func (p *parser) access(k *dashboardKeys) Access {
	a := Access{
		SignedIn: k.Access == "signed_in", UserHeader: string(k.UserHeader), Users: map[string]string{},
		Detail: cmp.Or(string(k.Detail), Default().Dashboard.Access.Detail),
	}
	lines := map[name]int{}
	for i := range k.Users {
		u := &k.Users[i]
		p.wanted(&u.Section, "dashboard.users", "name", "password")
		if first, doubled := lines[u.Name]; doubled {
			p.Fail(u.At("name"), "dashboard.users: user %q is there twice (first on line %d)", string(u.Name), first)
		}
		lines[u.Name] = u.At("name").Line
		a.Users[string(u.Name)] = string(u.Password)
	}
	if a.UserHeader != "" && len(k.TrustedProxies) == 0 {
		p.Fail(k.At("user_header"), "dashboard.user_header: anybody could send it: name the proxy's address under dashboard.trusted_proxies")
	}
	if a.SignedIn && len(a.Users) == 0 && a.UserHeader == "" {
		p.Fail(k.At("access"), "dashboard.access: nobody could sign in: name users under dashboard.users, or a proxy's header with dashboard.user_header")
	}
	return a
}
