package probe

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

var group = Kind{
	Key: "group", Doc: groupDoc,
	New: func() Spec { return new(groupSpec) },
}

const groupDoc = `Sums up other watchers of the same file. Its value is the share of them that is ok, in percent; less is worse. It follows them at once.

It has the worst status of all, or with ${at_least} it is ok while that many are: with fewer, those in a warning count for a warning, and those of which nothing is known for unknown. Members
are watchers of the same set by their names, and others by ${set}, all of them, and ${watcher}, one; those that are not ${enabled} do not count.

${{name: Cluster, group: [Node A, Node B, Node C], at_least: 2}} is enough; for more it is ${group: [{set: Databases}, {set: Shop, watcher: Home page}]}.`

type groupSpec struct {
	field.Section
	Group   members   `yaml:"group" also:"of members" doc:"Names of watchers of this set, or {set} or {set, watcher} of another." required:"true"`
	AtLeast field.Int `yaml:"at_least" also:"min_ok quorum" doc:"So many of them must be ok." default:"all"`
}

// members are what a group is made of.
type members []field.Member

type memberKeys struct {
	field.Section
	Set     field.Name `yaml:"set" doc:"The name of a set." required:"true"`
	Watcher field.Name `yaml:"watcher" also:"name" doc:"The name of a watcher of the set." default:"all"`
}

// Read implements field.Value.
func (m *members) Read(r *field.Reader, n *field.Node, key string) {
	for _, item := range field.OneOrMore(n) {
		if !r.Enter(item) {
			return
		}
		member := field.Member{Node: item}
		if field.IsMapping(item) {
			var k memberKeys
			r.Read(item, key, &k)
			if !k.Has("set") {
				r.Fail(item, "%swant a set beside the watcher, or the watcher's name alone", field.Label(key))
				continue
			}
			member.Set, member.Name = string(k.Set), string(k.Watcher)
		} else {
			var name field.Name
			if name.Read(r, item, key); name == "" {
				continue
			}
			member.Name = string(name)
		}
		*m = append(*m, member)
	}
	if len(field.OneOrMore(n)) == 0 {
		r.Fail(n, "%swant at least one watcher", field.Label(key))
	}
}

// Shape implements field.Value.
func (members) Shape() field.Shape {
	name := field.Name("").Shape().Schema
	one := field.AnyOf(name, field.Object{"type": "object", "additionalProperties": false, "required": []string{"set"}, "properties": field.Object{"set": name, "watcher": name}})
	return field.Shape{Word: "name, list", Schema: field.AnyOf(one, field.Object{"type": "array", "items": one, "minItems": 1})}
}

// Members says what it is made of, for the file's reader to find.
func (s *groupSpec) Members() []field.Member { return s.Group }

// Check implements Spec.
func (s *groupSpec) Check(*field.Checker) {}

// Target implements Spec.
func (s *groupSpec) Target() string {
	var names []string
	for _, m := range s.Group {
		switch {
		case m.Set == "":
			names = append(names, m.Name)
		case m.Name == "":
			names = append(names, m.Set)
		default:
			names = append(names, m.Set+" / "+m.Name)
		}
	}
	return strings.Join(names, ", ")
}

// Traits implements Spec.
func (s *groupSpec) Traits() pharos.Traits {
	return pharos.Traits{Class: pharos.Local, Unit: "%", Less: true}
}

// Prepare implements Spec.
func (s *groupSpec) Prepare(e *Engine, w pharos.Watcher) (Run, error) {
	of, least := w.Traits.Of, int(s.AtLeast)
	if least > len(of) {
		return nil, fmt.Errorf("at_least: want at most %d, the number of its watchers, got %d", len(of), least)
	}
	return func(context.Context, *Trace) (m Measurement) {
		count := make(map[pharos.Status]int)
		var bad, lines []string
		why := ""
		for _, member := range of {
			r, ok := e.last(member.ID)
			if !ok {
				return Measurement{Outcome: pharos.NotYet}
			}
			count[r.Status]++
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%-8s  %s  %s", r.Status, member.Name, r.Summary)))
			if r.Status != pharos.OK {
				bad = append(bad, member.Name)
				why = strings.TrimSuffix(member.Name+": "+r.Summary, ": ")
			}
		}
		m.Value = pharos.Num(100 * float64(count[pharos.OK]) / float64(len(of)))
		m.Detail = strings.Join(lines, "\n")
		m.AddFact("not ok", strings.Join(bad, ", "))
		m.Outcome = together(count, least, len(of))
		switch {
		case m.Outcome == pharos.Measured:
		case least > 0:
			m.Reason = fmt.Sprintf("%d of %d are ok, wanted %d; not %s", count[pharos.OK], len(of), least, strings.Join(bad, ", "))
		case len(bad) == 1:
			m.Reason = why
		default:
			m.Reason = fmt.Sprintf("%d of %d are not ok: %s", len(bad), len(of), strings.Join(bad, ", "))
		}
		return m
	}, nil
}

// together returns what so many watchers of each status come to, of which at least
// so many must be ok; 0: all.
func together(count map[pharos.Status]int, least, all int) pharos.Outcome {
	outcomes := map[pharos.Status]pharos.Outcome{pharos.OK: pharos.Measured, pharos.Warning: pharos.Warned, pharos.Unknown: pharos.Unclear, pharos.Critical: pharos.Failed}
	if least == 0 {
		worst := pharos.OK
		for status := range count {
			worst = pharos.Worst(worst, status)
		}
		return outcomes[worst]
	}
	left := least
	order := []pharos.Status{pharos.OK, pharos.Warning, pharos.Unknown}
	i := slices.IndexFunc(order, func(s pharos.Status) bool { left -= count[s]; return left <= 0 })
	if i < 0 {
		return pharos.Failed
	}
	return outcomes[order[i]]
}
