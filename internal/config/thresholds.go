package config

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// thresholds are the mapping of thresholdKeys and of phases, or the triple
// [too_fast, warning, critical], in seconds where the value is a time.
type thresholds struct {
	thresholdKeys
	parts  []field.Pair // keys that may be phases
	triple bool
}

// Read implements field.Value.
func (t *thresholds) Read(r *field.Reader, n *field.Node, key string) {
	if !field.IsList(n) {
		r.ReadKeys(n, key, func(k field.Pair) bool {
			if r.Also(k.Name, &t.thresholdKeys) != "" {
				return false
			}
			t.parts = append(t.parts, k)
			return true
		}, &t.thresholdKeys)
		return
	}
	t.Place(n)
	items := field.OneOrMore(n)
	if len(items) != 3 {
		r.Fail(n, "%swant three numbers, [too_fast, warning, critical], got %d", field.Label(key), len(items))
		return
	}
	t.triple = true
	for i, b := range []*bound{&t.TooFast, &t.Warning, &t.Critical} {
		b.Read(r, items[i], key)
		if b.As != field.Missing && b.As != field.AsNumber {
			r.Fail(items[i], "%sthe triple holds plain numbers, seconds where the value is a time; got %q", field.Label(key), b.Text)
			*b = bound{}
		}
	}
	if t.TooFast.Value == 0 { // the original's way to say none
		t.TooFast = bound{}
	}
}

// Shape implements field.Value.
func (t thresholds) Shape() field.Shape { return t.Nested(&field.Schemas{Defs: field.Object{}}) }

// Nested is the shape, which names no phase.
func (thresholds) Nested(s *field.Schemas) field.Shape { return thresholdShape(s, nil) }

// thresholdShape is the shape for a kind with some phases.
func thresholdShape(s *field.Schemas, phases []string) field.Shape {
	mapping := s.Section(reflect.TypeFor[thresholdKeys]())
	for _, name := range phases {
		part := s.Section(reflect.TypeFor[field.Bounds]())
		part["description"] = "Bounds of the phase " + strings.ReplaceAll(name, "_", " ") + " alone."
		mapping["properties"].(field.Object)[name] = part
	}
	triple := field.Object{"type": "array", "items": field.Object{"type": "number"}, "minItems": 3, "maxItems": 3}
	return field.Shape{Word: "thresholds", Schema: field.AnyOf(mapping, triple)}
}

// set reports whether the file bounds anything.
func (t *thresholds) set() bool {
	return t.TooFast.As != field.Missing || t.Warning.As != field.Missing || t.Critical.As != field.Missing || t.parts != nil
}

// inherited returns the thresholds of defaults, with every phase that a kind has.
// Whether they can be passed in time is for each watcher to say.
func (p *parser) inherited(t *thresholds) pharos.Bounds {
	var phases []string
	for _, kind := range p.kinds {
		phases = append(phases, kind.Phases...)
	}
	return p.thresholds(t, "defaults.thresholds", field.Measure{Unit: "s", Below: maxTimeout, Bare: t.triple}, maxTimeout, phases, "")
}

// thresholds returns what thresholds come to for a value, and for phases of a kind.
func (p *parser) thresholds(t *thresholds, key string, m field.Measure, timeout time.Duration, phases []string, kind string) pharos.Bounds {
	b := pharos.Bounds{Value: p.Thresholds(key, m, t.TooFast, t.Warning, t.Critical)}
	for _, k := range t.parts {
		if !slices.Contains(phases, k.Name) {
			p.noPhase(k, key, phases, kind)
			continue
		}
		var own field.Bounds
		p.Read(k.Value, key+"."+k.Name, &own)
		of := field.Measure{Unit: "s", Below: timeout}
		b.Parts = append(b.Parts, pharos.Part{Name: k.Name, Unit: "s", Thresholds: p.Thresholds(key+"."+k.Name, of, bound{}, own.Warning, own.Critical)})
	}
	return b
}

// noPhase tells of a key that is none of the phases.
func (p *parser) noPhase(k field.Pair, key string, phases []string, kind string) {
	var of []string
	for _, other := range p.kinds {
		if slices.Contains(other.Phases, k.Name) {
			of = append(of, other.Key)
		}
	}
	switch {
	case slices.Contains(of, kind):
		p.Fail(k.Value, "%s.%s: what this watcher does has no such phase", key, k.Name)
		return
	case of != nil:
		p.Fail(k.Value, "%s.%s: a phase of %s, and not of %s", key, k.Name, list(of, "and"), kind)
		return
	}
	known := []string{"too_fast", "warning", "critical"}
	for _, name := range phases {
		if !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	if m := field.Meant(k.Name, known); m != "" {
		p.Fail(k.Key, "unknown key %q (did you mean %q?)", key+"."+k.Name, key+"."+m)
		return
	}
	p.Fail(k.Key, "unknown key %q (known here: %s)", key+"."+k.Name, strings.Join(known, ", "))
}
