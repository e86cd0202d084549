package config

import (
	"fmt"
	"slices"
	"strings"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// Kind is what reading the file needs to know of a kind of watcher.
type Kind struct {
	Key, Doc string   // the file's key, and what the document says of it
	Phases   []string // of its runs, in order
	Remote   bool     // with an ssh_host it is run over there, where its files are, too
	Through  bool     // with an ssh_host its connections are made from there
	New      func() Spec
}

// Spec is what the file says of one watcher of a kind: a pointer to a struct that
// begins with a field.Section, with defaults. It is stripped once it was checked.
type Spec interface {
	Check(*field.Checker)
	Target() string
	Traits() pharos.Traits
}

// chosen returns the kind that a watcher with some keys is of. A kind's key that
// is also one of another kind's own is taken for that. nil: none, after an error
// was told. missing says that the file has another word for the kind's key.
func (p *parser) chosen(n *field.Node) (kind *Kind, missing bool) {
	keys := p.Peek(n)
	who := "a watcher"
	for _, k := range keys {
		if k.Name == "name" && field.IsText(k.Value) {
			who = fmt.Sprintf("watcher %q", field.Resolve(k.Value).Value)
		}
	}
	var present []*Kind
	for i := range p.kinds {
		if slices.ContainsFunc(keys, func(k field.Pair) bool { return k.Name == p.kinds[i].Key }) {
			present = append(present, &p.kinds[i])
		}
	}
	for _, kind := range present {
		if !slices.ContainsFunc(present, func(o *Kind) bool { return o != kind && !p.Knows(kind.New(), o.Key) }) {
			return kind, false
		}
	}
	if len(present) > 1 {
		i := slices.IndexFunc(keys, func(k field.Pair) bool { return k.Name == present[1].Key })
		p.Fail(keys[i].Value, "%s beside %s: a watcher has one of them", present[1].Key, present[0].Key)
		return nil, false
	}
	for _, k := range keys {
		if p.Knows(new(watcherKeys), k.Name) {
			continue
		}
		for i := range p.kinds {
			if kind := &p.kinds[i]; p.Meant(k.Name, kind.New()) == kind.Key {
				return kind, true
			}
		}
	}
	if len(keys) > 0 || field.IsMapping(n) && len(field.Resolve(n).Content) == 0 {
		p.Fail(n, "%s has nothing to watch: write %s", who, p.anyKind())
	}
	return nil, false
}

// anyKind returns "page, command or tcp".
func (p *parser) anyKind() string {
	var names []string
	for _, k := range p.kinds {
		names = append(names, k.Key)
	}
	return list(names, "or")
}

// list returns "page, command or tcp".
func list(names []string, last string) string {
	if n := len(names) - 1; n > 0 {
		return strings.Join(names[:n], ", ") + " " + last + " " + names[n]
	}
	return strings.Join(names, "")
}

// hints answer words of other programs for what is done otherwise here.
var hints = map[string]string{
	"retries":        `there are none: "fall: 3" makes the third bad run in a row critical, and those before it a warning`,
	"retry_interval": `there are no retries: "fall: 3" makes the third bad run in a row critical, and those before it a warning`,
	"disabled":       `write "enabled: false"`,
	"type":           "the kind of a watcher is its key, such as page or command",
	"kind":           "the kind of a watcher is its key, such as page or command",
}

// foreign deals with a key that a watcher of a kind does not have and another
// kind, or another program, has.
func (p *parser) foreign(kind *Kind, own Spec, k field.Pair) bool {
	if hint := hints[k.Name]; hint != "" {
		p.Fail(k.Key, "unknown key %q: %s", k.Name, hint)
		return true
	}
	if p.Also(k.Name, own) != "" {
		return false
	}
	var of []string
	for i := range p.kinds {
		if other := &p.kinds[i]; other.Key != kind.Key && p.Knows(other.New(), k.Name) {
			of = append(of, other.Key)
		}
	}
	if of == nil {
		return false
	}
	p.Fail(k.Value, "%s belongs to %s, and not to %s", k.Name, list(of, "and"), kind.Key)
	return true
}

// seenNames tells names and tokens that come twice.
type seenNames struct {
	what    string
	byName  map[string]*field.Node
	byToken map[string]string
}

func newNames(what string) seenNames {
	return seenNames{what, make(map[string]*field.Node), make(map[string]string)}
}

func (seen seenNames) add(p *parser, n *field.Node, name string) {
	token := pharos.Token(name)
	if first, doubled := seen.byName[name]; doubled {
		p.Fail(n, "%s %q is there twice (first on %s)", seen.what, name, p.Line(first, n))
		return
	}
	if other, taken := seen.byToken[token]; taken {
		p.Fail(n, "%s %q and %q (%s) have the same token %q: name one of them otherwise", seen.what, name, other, p.Line(seen.byName[other], n), token)
	}
	seen.byName[name], seen.byToken[token] = n, name
}
