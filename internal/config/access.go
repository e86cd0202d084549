package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// Access says who sees what.
type Access struct {
	SignedIn bool              // others do not see the board
	Users    map[string]string // bcrypt hashes of passwords, by name
	Screens  []Screen
	Push     []PushToken
	// UserHeader is the header in which a trusted proxy names who has signed in
	// there; empty: none.
	UserHeader string
	Detail     string // what those see who have not signed in: none, redacted or full
}

// Screen may look without signing in, once it has been opened with its key.
type Screen struct{ Name, Key string }

type (
	accounts = []accountKeys
	screens  = []screenKeys
	pushes   = []pushKeys
)

// screenKey is a secret that cannot be guessed.
type screenKey string

const minScreenKey = 16

// Read implements field.Value.
func (k *screenKey) Read(r *field.Reader, n *field.Node, key string) {
	var s secret
	s.Read(r, n, key)
	if *k = screenKey(s); len(s) < minScreenKey {
		r.Fail(n, `%swant at least %d characters, such as "openssl rand -hex 16" makes`, field.Label(key), minScreenKey)
	}
}

// Shape implements field.Value.
func (screenKey) Shape() field.Shape { return text("").Shape() }

// PushToken is a secret with which the states of some watchers are pushed.
type PushToken struct {
	Token    string
	Subjects []string // SITE.SET.WATCHER, each a token or "*"
}

// subjects are those of a PushToken.
type subjects []string

// Read implements field.Value.
func (v *subjects) Read(r *field.Reader, n *field.Node, key string) {
	*v = someTexts(r, n, key, func(s string) (string, string) {
		parts := strings.Split(s, ".")
		if len(parts) != 3 {
			return "", "want SITE.SET.WATCHER, such as ci.jobs.backup or ci.jobs.*"
		}
		for i, part := range parts {
			if !pharos.ValidToken(part) && (part != "*" || i == 0) {
				wrong := "want tokens of a-z, 0-9, - and _, or * for any set or watcher"
				if !strings.ContainsAny(part, "*>") {
					wrong += fmt.Sprintf("; that of %q is %s", field.Short(part), pharos.Token(part))
				}
				return "", wrong
			}
		}
		return s, ""
	})
}

// Shape implements field.Value.
func (subjects) Shape() field.Shape { return field.Texts(nil).Shape() }

// viewName is the name of a view.
type viewName string

// Read implements field.Value.
func (v *viewName) Read(r *field.Reader, n *field.Node, key string) {
	s, ok := r.Text(n, key)
	switch {
	case !ok:
	case !viewWord.MatchString(s):
		r.Fail(n, `%swant a name of a-z, 0-9 and "-", at most 40 of them, got %q`, field.Label(key), field.Short(s))
	case slices.Contains(taken, s):
		r.Fail(n, "%sthe address /%s is taken: choose another name", field.Label(key), s)
	default:
		*v = viewName(s)
	}
}

// Shape implements field.Value.
func (viewName) Shape() field.Shape { return text("").Shape() }

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
			p.Fail(s.At(key), "%s: %q is missing", of, key)
		}
	}
}

// access returns who sees what.
func (p *parser) access(k *dashboardKeys) Access {
	a := Access{
		SignedIn: k.Access == "signed_in", UserHeader: string(k.UserHeader), Users: map[string]string{},
		Detail: cmp.Or(string(k.Detail), Default().Dashboard.Access.Detail),
	}
	lines := map[name]*field.Node{}
	for i := range k.Users {
		u := &k.Users[i]
		p.wanted(&u.Section, "dashboard.users", "name", "password")
		if first, doubled := lines[u.Name]; doubled {
			p.Fail(u.At("name"), "dashboard.users: user %q is there twice (first on %s)", string(u.Name), p.Line(first, u.At("name")))
		}
		lines[u.Name] = u.At("name")
		a.Users[string(u.Name)] = string(u.Password)
	}
	if a.UserHeader != "" && len(k.TrustedProxies) == 0 {
		p.Fail(k.At("user_header"), "dashboard.user_header: anybody could send it: name the proxy's address under dashboard.trusted_proxies")
	}
	for i := range k.Screens {
		a.Screens = append(a.Screens, Screen{string(k.Screens[i].Name), string(k.Screens[i].Key)})
	}
	for i := range k.Push {
		p.wanted(&k.Push[i].Section, "dashboard.push", "token", "subjects")
		a.Push = append(a.Push, PushToken{string(k.Push[i].Token), k.Push[i].Subjects})
	}
	if a.SignedIn && len(a.Users)+len(a.Screens) == 0 && a.UserHeader == "" {
		p.Fail(k.At("access"), "dashboard.access: nobody could sign in: name users under dashboard.users, or a proxy's header with dashboard.user_header")
	}
	return a
}

// addScreens gives each screen its address: another name of a view.
func (p *parser) addScreens(d *Dashboard, all screens) {
	names, keys := map[viewName]int{}, map[screenKey]viewName{}
	for i := range all {
		s := &all[i]
		p.wanted(&s.Section, "dashboard.screens", "name", "key")
		if other, doubled := keys[s.Key]; doubled && s.Key != "" {
			p.Fail(s.At("key"), "dashboard.screens: %q has the key of %q: each wants its own", string(s.Name), string(other))
		}
		keys[s.Key] = s.Name
		if first, doubled := names[s.Name]; doubled && s.Name != "" {
			p.Fail(s.At("name"), "dashboard.screens: screen %q is there twice (first on line %d)", string(s.Name), first)
			continue
		}
		names[s.Name] = s.At("name").Line
		_, same := d.Views[string(s.Name)]
		_, there := d.Views[string(s.View)]
		switch {
		case s.Name == "": // which was told
		case !there:
			p.Fail(s.At("view"), "dashboard.screens: the file has no view %q under dashboard.views", string(s.View))
		case same && s.View != "" && s.View != s.Name:
			p.Fail(s.At("view"), "dashboard.screens: /%s is a view of its own: name the screen otherwise, or leave out its view", string(s.Name))
		case !same:
			d.Views[string(s.Name)] = d.Views[string(s.View)]
			if logo, ok := d.Logos[string(s.View)]; ok {
				d.Logos[string(s.Name)] = logo
			}
		}
	}
}
