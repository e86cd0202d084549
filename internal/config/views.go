package config

import (
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"time"

	"pharos/internal/field"
)

const (
	minRotate = 5 * time.Second
)

var viewWord = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// taken are the first parts of the dashboard's other addresses.
var taken = []string{"api", "assets", "events", "healthz", "metrics", "poll", "readyz", "sample"}

// viewsKeys are the boards with an address of their own, by name.
type viewsKeys map[string]viewKeys

// Read implements field.Value.
func (v *viewsKeys) Read(r *field.Reader, n *field.Node, key string) {
	*v = viewsKeys{}
	for _, p := range r.Mapping(n, key) {
		switch {
		case !viewWord.MatchString(p.Name):
			r.Fail(p.Key, `%s: want a name of a-z, 0-9 and "-", at most 40 of them, got %q`, key, field.Short(p.Name))
		case slices.Contains(taken, p.Name):
			r.Fail(p.Key, "%s: the address /%s is taken: name the view otherwise", key, p.Name)
		default:
			var one viewKeys
			r.Read(p.Value, key+"."+p.Name, &one)
			if one.Has("rotate") && one.Rotate != 0 && time.Duration(one.Rotate) < minRotate {
				r.Fail(one.At("rotate"), "%s.%s.rotate: want at least %v, got %v", key, p.Name, minRotate, time.Duration(one.Rotate))
			}
			(*v)[p.Name] = one
		}
	}
}

// Shape implements field.Value.
func (v viewsKeys) Shape() field.Shape { return v.Nested(&field.Schemas{Defs: field.Object{}}) }

// Nested is the shape with its sections.
func (viewsKeys) Nested(s *field.Schemas) field.Shape {
	return field.Shape{Word: "names: sections", Schema: field.Object{
		"type": "object", "additionalProperties": s.Section(reflect.TypeFor[viewKeys]()),
		"propertyNames": field.Object{"pattern": viewWord.String(), "not": field.Object{"enum": taken}},
	}}
}

// views returns what each view's address stands for.
func views(d *dashboardKeys) map[string]url.Values {
	common := url.Values{}
	if d.Merge != "" && d.Merge != "none" {
		common.Set("merge", string(d.Merge))
	}
	out := map[string]url.Values{"": common}
	for name, v := range d.Views {
		q := maps.Clone(common)
		for key, values := range map[string][]string{"set": v.Set, "site": v.Site, "collapse": v.Collapse} {
			if len(values) > 0 {
				q[key] = values
			}
		}
		for key, value := range map[string]string{"theme": string(v.Theme), "palette": string(v.Palette), "merge": string(v.Merge)} {
			if value != "" {
				q.Set(key, value)
			}
		}
		if v.Zoom != 0 {
			q.Set("zoom", strconv.FormatFloat(float64(v.Zoom), 'g', -1, 64))
		}
		if v.Rotate != 0 {
			q.Set("rotate", strconv.FormatFloat(time.Duration(v.Rotate).Seconds(), 'g', -1, 64)+"s")
		}
		if v.Shift {
			q.Set("shift", "1")
		}
		out[name] = q
	}
	return out
}
