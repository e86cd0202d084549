package config

import (
	"fmt"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// reading is one watcher of the file.
type reading struct {
	pharos.Watcher
	enabled bool
	node    *field.Node
}

// made is a spec of a watcher that is made of others.
type made interface{ Members() []field.Member }

// join finds the watchers that others are made of. One that is not enabled does not
// count; one that is made of itself, by whatever way, is an error.
func (p *parser) join(all []reading) {
	for i := range all {
		w := &all[i]
		spec, ok := w.Spec.(made)
		if !ok {
			continue
		}
		wrong := false
		seen := map[pharos.WatcherID]bool{w.ID: true}
		for _, m := range spec.Members() {
			set := m.Set
			if set == "" {
				set = w.Set
			}
			found := false
			for _, other := range all {
				if other.Set != set || m.Name != "" && other.Name != m.Name || m.Name == "" && other.ID == w.ID {
					continue
				}
				found = true
				if m.Name != "" && other.ID == w.ID {
					p.Fail(m.Node, "%s: watcher %q cannot be made of itself", w.Kind, w.Name)
					wrong = true
				}
				if !seen[other.ID] && other.enabled {
					seen[other.ID] = true
					name := other.Name
					if other.Set != w.Set {
						name = other.Set + " / " + name
					}
					w.Traits.Of = append(w.Traits.Of, pharos.Named{ID: other.ID, Name: name})
				}
			}
			if !found {
				wrong = true
				p.notFound(all, w.Kind, m, set)
			}
		}
		if len(w.Traits.Of) == 0 && !wrong && len(spec.Members()) > 0 {
			p.Fail(w.node, "%s: none of its watchers is enabled", w.Kind)
		}
	}
	p.circles(all)
}

// notFound tells of a member that is not there.
func (p *parser) notFound(all []reading, kind string, m field.Member, set string) {
	hint := ""
	for _, other := range all {
		switch {
		case m.Set == "" && other.Set == m.Name:
			hint = fmt.Sprintf("; of the set of that name write {set: %s}", m.Name)
		case m.Set == "" && other.Name == m.Name && hint == "":
			hint = fmt.Sprintf("; of another set write {set: %s, watcher: %s}", other.Set, other.Name)
		}
	}
	if m.Name == "" {
		p.Fail(m.Node, "%s: there is no set %q", kind, set)
		return
	}
	p.Fail(m.Node, "%s: set %q has no watcher %q%s", kind, set, m.Name, hint)
}

// circles tells of watchers that are made of each other.
func (p *parser) circles(all []reading) {
	byID := make(map[pharos.WatcherID]*reading, len(all))
	for i := range all {
		byID[all[i].ID] = &all[i]
	}
	state := make(map[pharos.WatcherID]int) // 1: on the way there, 2: done
	var visit func(w *reading) bool
	visit = func(w *reading) (closed bool) {
		state[w.ID] = 1
		defer func() { state[w.ID] = 2 }()
		for _, m := range w.Traits.Of {
			other := byID[m.ID]
			if state[m.ID] == 1 {
				p.Fail(w.node, "%s: watcher %q is made of %q, which is made of it", w.Kind, w.Name, other.Name)
				return true
			}
			if state[m.ID] == 0 && visit(other) {
				return true
			}
		}
		return false
	}
	for i := range all {
		if state[all[i].ID] == 0 {
			visit(&all[i])
		}
	}
}
