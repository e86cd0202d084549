package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"time"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// The bounds of a watcher.
const (
	maxInterval = 24 * time.Hour
	maxTimeout  = time.Hour
)

var sshWord = regexp.MustCompile(`^[A-Za-z0-9_.:@\[\]%/][A-Za-z0-9_.:@\[\]%/-]*$`)

// watchers are the nodes of a set's watchers: what keys they have is known once
// their kinds are.
type watchers []*field.Node

// Read implements field.Value.
func (w *watchers) Read(r *field.Reader, n *field.Node, key string) {
	if !field.IsList(n) {
		r.Fail(n, "%swant a list, got %s", field.Label(key), field.Describe(n))
		return
	}
	for _, item := range field.OneOrMore(n) {
		if !r.Enter(item) {
			return
		}
		*w = append(*w, item)
	}
}

// Shape implements field.Value.
func (watchers) Shape() field.Shape {
	return field.Shape{Word: "list", Schema: field.Object{"type": "array", "items": field.Ref("watcher")}}
}

// watchers returns the watchers of all sets.
func (p *parser) watchers(f *watched, site string) []pharos.Watcher {
	p.times(&f.Defaults.Section, "defaults.", f.Defaults.Interval, f.Defaults.Timeout)
	inherited := p.inherited(&f.Defaults.Thresholds)
	var all []reading
	sets := newNames("set")
	joined := make(map[name]seenNames) // of the watchers of sets
	for i := range f.Sets {
		s := &f.Sets[i]
		names := joined[s.Name]
		if first := sets.byName[string(s.Name)]; first != nil && !p.SameFile(first, s.Node()) {
			sets.byName[string(s.Name)] = s.At("name") // this file has it once, too
		} else {
			if p.named(&s.Section, "set", s.Name) {
				sets.add(p, s.At("name"), string(s.Name))
			}
			names = newNames(fmt.Sprintf("set %q: watcher", string(s.Name)))
			joined[s.Name] = names
		}
		if len(s.Watchers) == 0 && s.Name != "" && (!s.Has("watchers") || field.IsList(s.At("watchers"))) {
			p.Fail(s.At("watchers"), "set %q has no watchers", string(s.Name))
		}
		for _, n := range s.Watchers {
			if p.Enough() {
				return nil
			}
			w, enabled := p.watcher(&f.Defaults, inherited, n, names)
			w.ID = pharos.MakeID(site, pharos.Token(string(s.Name)), pharos.Token(w.Name))
			w.Set = string(s.Name)
			all = append(all, reading{w, enabled, n})
		}
	}
	order := make(map[string]int)
	for _, w := range all {
		if _, ok := order[w.Set]; !ok {
			order[w.Set] = len(order)
		}
	}
	slices.SortStableFunc(all, func(a, b reading) int { return cmp.Compare(order[a.Set], order[b.Set]) }) // as other files may go on with a set
	p.join(all)
	var watched []pharos.Watcher
	for _, w := range all {
		if w.Spec != nil {
			field.Strip(w.Spec)
		}
		if w.enabled {
			watched = append(watched, w.Watcher)
		}
	}
	return watched
}

// named complains about a section without a name; a bad one has been told.
func (p *parser) named(s *field.Section, what string, n name) bool {
	if n == "" && field.IsMapping(s.Node()) && !s.Has("name") && !p.Enough() {
		p.Fail(s.Node(), "a %s without a name", what)
	}
	return n != ""
}

func (p *parser) times(s *field.Section, prefix string, interval, timeout duration) {
	if d := time.Duration(interval); s.Has("interval") && d != 0 && (d < pharos.MinInterval || d > maxInterval) {
		p.Fail(s.At("interval"), "%sinterval: want from 100ms to 1d, got %s", prefix, field.SayDuration(d))
	}
	if d := time.Duration(timeout); d > maxTimeout {
		p.Fail(s.At("timeout"), "%stimeout: want at most 1h, got %s", prefix, field.SayDuration(d))
	}
}

// watcher reads one watcher: the keys that all have, and those of its kind. It
// reports whether it is to be watched.
func (p *parser) watcher(d *defaultsKeys, inherited pharos.Bounds, n *field.Node, names seenNames) (w pharos.Watcher, enabled bool) {
	k := watcherKeys{Enabled: true}
	kind, missing := p.chosen(n)
	if kind == nil {
		p.ReadKeys(n, "", func(field.Pair) bool { return true }, &k)
		if p.named(&k.Section, "watcher", k.Name) {
			names.add(p, k.At("name"), string(k.Name))
		}
		return pharos.Watcher{Name: string(k.Name)}, true
	}
	spec := kind.New()
	p.ReadKeys(n, "", func(other field.Pair) bool { return p.foreign(kind, spec, other) }, &k, spec)
	if p.named(&k.Section, "watcher", k.Name) {
		names.add(p, k.At("name"), string(k.Name))
	}
	p.times(&k.Section, "", k.Interval, k.Timeout)
	w = pharos.Watcher{
		Name: string(k.Name), Description: string(k.Description), Link: p.link(&k),
		Interval: time.Duration(cmp.Or(k.Interval, d.Interval, duration(pharos.DefaultInterval))),
		Timeout:  time.Duration(cmp.Or(k.Timeout, d.Timeout, duration(pharos.DefaultTimeout))),
		SSHHost:  string(k.SSHHost), Reference: bool(k.Reference),
		Kind: kind.Key, Spec: spec, Where: p.Where(n),
	}
	switch {
	case !k.Has("ssh_host"):
	case !kind.Remote && !kind.Through:
		p.Fail(k.At("ssh_host"), "ssh_host: %s is not run through ssh; a prober that stands there can run it", kind.Key)
	case !sshWord.MatchString(w.SSHHost):
		p.Fail(k.At("ssh_host"), "ssh_host: want a host, or user@host, got %q", field.Short(w.SSHHost))
	}
	if missing {
		return w, true
	}
	spec.Check(&field.Checker{Reader: p.Reader, Remote: k.Has("ssh_host") && kind.Remote, Through: k.Has("ssh_host")})
	w.Target = spec.Target()
	w.Traits = traits(kind, spec, &w)
	w.Bounds = p.bounds(&k, &w, inherited)
	w.Bounds.Fall, w.Bounds.Rise = int(cmp.Or(k.Fall, d.Fall, 1)), int(cmp.Or(k.Rise, d.Rise, 1))
	w.Bounds.Parts = append(w.Bounds.Parts, w.Traits.Figures...)
	w.Traits.Figures = nil
	return w, bool(k.Enabled)
}

func (p *parser) link(k *watcherKeys) string {
	if k.Link.URL == nil {
		return ""
	}
	s := k.Link.String()
	switch {
	case k.Link.User != nil:
		p.Fail(k.At("link"), "link: everybody who sees the board can read it: want one without a user")
	case len(s) > pharos.MaxLink:
		p.Fail(k.At("link"), "link: want at most %d bytes, got %d", pharos.MaxLink, len(s))
	}
	return s
}

// traits returns those of a watcher, with what follows from what the file says of
// it besides.
func traits(kind *Kind, spec Spec, w *pharos.Watcher) pharos.Traits {
	t := spec.Traits()
	if t.Phases == nil {
		t.Phases = kind.Phases
	}
	if t.Timed {
		t.Unit = "s"
	}
	if w.SSHHost != "" {
		w.Target = w.SSHHost + ": " + w.Target
		t.Network = true
		if kind.Remote {
			t.Class, t.Files = pharos.Process, nil
		}
	}
	return t
}

// bounds returns a watcher's own thresholds or, if its value is a time, the
// inherited ones.
func (p *parser) bounds(k *watcherKeys, w *pharos.Watcher, inherited pharos.Bounds) pharos.Bounds {
	t := &k.Thresholds
	measure := field.Measure{Unit: w.Traits.Unit, Less: w.Traits.Less, Free: p.Knows(w.Spec, "unit"), Bare: t.triple}
	if w.Traits.Timed {
		measure.Below = w.Timeout
	}
	switch {
	case k.Has("thresholds") && w.Traits.Unbounded != "" && t.set():
		p.Fail(k.At("thresholds"), "thresholds: %s", w.Traits.Unbounded)
		return pharos.Bounds{}
	case k.Has("thresholds"):
		return p.thresholds(t, "thresholds", measure, w.Timeout, w.Traits.Phases, w.Kind)
	case !w.Traits.Timed:
		return pharos.Bounds{}
	}
	b := inherited
	b.Parts = nil
	longest := max(b.Value.TooFast.V, b.Value.Warning.V, b.Value.Critical.V)
	for _, part := range inherited.Parts {
		if slices.Contains(w.Traits.Phases, part.Name) {
			b.Parts = append(b.Parts, part)
			longest = max(longest, part.Warning.V, part.Critical.V)
		}
	}
	if longest >= w.Timeout.Seconds() {
		at := k.Node()
		if k.Has("timeout") {
			at = k.At("timeout")
		}
		p.Fail(at, "timeout: %s is no longer than the %s of defaults.thresholds, which could never be passed; write thresholds here, or a longer timeout",
			field.SayDuration(w.Timeout), field.SayDuration(time.Duration(longest*1e9).Round(time.Microsecond)))
	}
	return b
}
