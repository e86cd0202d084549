// Package keys says who may say what over NATS, and makes what each needs to
// prove who it is: a CA, the certificate of the NATS server, and a key a role.
package keys

import (
	"errors"
	"fmt"
	"strings"

	"pharos/internal/pharos"
)

// Kind is what sort of program, or person, a key is for.
type Kind string

// The kinds of roles.
const (
	Prober    Kind = "prober"    // runs the watchers of one site, under one name or, as SITE/*, under any
	Dashboard Kind = "dashboard" // shows everything
	Admin     Kind = "admin"     // may forget what is gone for good, and sees what a dashboard sees
	Push      Kind = "push"      // sends the state of watchers that no prober runs
)

// Role is who somebody is.
type Role struct {
	Kind Kind
	Site string // of a prober; for people, as the names of probers, dashboards and admins are
	Name string // of a prober "*" for any; of a push SITE.SET.WATCHER, whose last two can each be "*"
}

// String returns "prober oslo/p1".
func (r Role) String() string {
	if r.Kind == Prober {
		return string(r.Kind) + " " + r.Site + "/" + r.Name
	}
	return string(r.Kind) + " " + r.Name
}

// ParseRole reads a role as people write it.
func ParseRole(kind, name string) (Role, error) {
	r := Role{Kind: Kind(kind), Name: name}
	switch r.Kind {
	case Prober:
		if i := strings.LastIndexByte(name, '/'); i > 0 {
			r.Site, r.Name = name[:i], name[i+1:]
		}
		if r.Site == "" || r.Name == "" {
			return Role{}, fmt.Errorf("naming prober %q: want SITE/PROBER, or SITE/* for every prober of a site", name)
		}
	case Dashboard, Admin:
		if name == "" {
			return Role{}, fmt.Errorf("naming %s %q: want a name", kind, name)
		}
	case Push:
		if err := checkPush(name); err != nil {
			return Role{}, fmt.Errorf("naming what may be pushed, %q: %w", name, err)
		}
	default:
		return Role{}, fmt.Errorf("reading role %q: want prober, dashboard, admin or push", kind)
	}
	if strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }) || len(name) > 200 {
		return Role{}, fmt.Errorf("naming %s %q: want at most 200 bytes in one line", kind, name)
	}
	return r, nil
}

func checkPush(name string) error {
	parts := strings.Split(name, ".")
	if len(parts) != 3 {
		return errors.New("want SITE.SET.WATCHER, such as ci.jobs.backup or ci.jobs.*")
	}
	for i, part := range parts {
		if !pharos.ValidToken(part) && (part != "*" || i == 0) {
			return fmt.Errorf("%q is not a token: want a-z, 0-9, - and _, or * for any set or watcher", part)
		}
	}
	return nil
}

// Slug returns a name for a file or folder that is about the role: "oslo-p1".
func (r Role) Slug() string {
	return strings.Join(strings.FieldsFunc(r.Site+"-"+r.Name, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_')
	}), "-")
}

// Covers reports whether a key of one role is good for another: they are the same,
// or the key is for every prober of a site.
func (r Role) Covers(other Role) bool {
	site, any := strings.CutSuffix(Inbox(r), "*")
	return Inbox(r) == Inbox(other) || any && r.Kind == Prober && strings.HasPrefix(Inbox(other), site)
}

// tokens returns what stands for the role in a subject.
func (r Role) tokens() string {
	switch {
	case r.Kind == Push:
		return r.Name
	case r.Kind != Prober:
		return pharos.Token(r.Name)
	case r.Name == "*":
		return pharos.Token(r.Site) + ".*"
	default:
		return pharos.Token(r.Site) + "." + pharos.Token(r.Name)
	}
}

// Inbox returns where the answers to a program come that has a role: what
// bus.Options.Inbox wants. Nobody else may listen there.
func Inbox(r Role) string { return string(r.Kind) + "." + r.tokens() }

// Rights are the subjects, with wildcards, on which a role may publish and to
// which it may subscribe. Nothing else is allowed; where there are none, nothing.
type Rights struct{ Publish, Subscribe []string }

// Rights returns what the role may do.
func (r Role) Rights() Rights {
	const api = "$JS.API."
	inbox := "_INBOX_" + Inbox(r) + ".>"
	switch r.Kind {
	case Prober:
		own := r.tokens()
		site, _, _ := strings.Cut(own, ".")
		return Rights{
			Publish: []string{
				"pharos.result." + own + ".>", "pharos.roster." + own + ".*", "pharos.heartbeat." + own,
				// What it remembers over a restart.
				api + "DIRECT.GET.PHAROS.pharos.result." + site + ".>", api + "DIRECT.GET.PHAROS.pharos.heartbeat." + own,
				api + "DIRECT.GET.PHAROS_PUSH.pharos.push." + site + ".>",
			},
			Subscribe: []string{pharos.SubjectRefresh, "pharos.heartbeat." + site + ".*", "pharos.push." + site + ".>", "pharos.result." + site + ".>", inbox},
		}
	case Dashboard, Admin:
		rights := Rights{
			Publish:   []string{pharos.SubjectRefresh},
			Subscribe: []string{"pharos.result.>", "pharos.roster.>", "pharos.heartbeat.>", "pharos.push.>", pharos.SubjectForget, inbox},
		}
		for _, stream := range []string{"PHAROS", "PHAROS_PUSH"} {
			rights.Publish = append(rights.Publish,
				api+"STREAM.INFO."+stream, api+"CONSUMER.CREATE."+stream+".*", api+"CONSUMER.MSG.NEXT."+stream+".*")
			if r.Kind == Admin {
				rights.Publish = append(rights.Publish, api+"STREAM.PURGE."+stream)
			} else {
				rights.Publish = append(rights.Publish, api+"STREAM.CREATE."+stream)
			}
		}
		if r.Kind == Dashboard {
			rights.Publish = append(rights.Publish, "pharos.push.>") // what comes over HTTP
		}
		if r.Kind == Admin {
			rights.Publish = append(rights.Publish, pharos.SubjectForget)
		}
		return rights
	case Push:
		return Rights{Publish: []string{"pharos.push." + r.tokens()}}
	}
	return Rights{}
}
