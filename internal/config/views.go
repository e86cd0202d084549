package config

import (
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // to know a time zone, also where the system has none

	"pharos/internal/field"
)

const minRotate = 5 * time.Second

var viewWord = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// taken are the first parts of the dashboard's other addresses.
var taken = []string{"api", "assets", "events", "healthz", "login", "logo", "logout", "metrics", "poll", "readyz", "sample", "screens", "w"}

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
		for key, value := range map[string]string{
			"theme": string(v.Theme), "palette": string(v.Palette), "merge": string(v.Merge),
			"night": string(v.Night), "tz": string(v.TZ), "clock": string(v.Clock), "title": string(v.Title),
		} {
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
		if v.Sound {
			q.Set("sound", "1")
		}
		out[name] = q
	}
	return out
}

// night is a time from one hour of the day to another.
type night string

var nightWord = regexp.MustCompile(`^([01]?\d|2[0-3]):[0-5]\d-([01]?\d|2[0-3]):[0-5]\d$`)

// Read implements field.Value.
func (v *night) Read(r *field.Reader, n *field.Node, key string) {
	s, ok := r.Text(n, key)
	if !ok {
		return
	}
	if from, to, _ := strings.Cut(s, "-"); !nightWord.MatchString(s) || from == to {
		r.Fail(n, `%swant two times of the day, such as "20:00-07:00", got %s`, field.Label(key), field.Shown(s))
		return
	}
	*v = night(s)
}

// Shape implements field.Value.
func (night) Shape() field.Shape {
	return field.Shape{Word: "text", Schema: field.Object{"type": "string", "pattern": nightWord.String()}}
}

// timeZone is a name of the IANA's.
type timeZone string

// Read implements field.Value.
func (z *timeZone) Read(r *field.Reader, n *field.Node, key string) {
	s, ok := r.Text(n, key)
	if !ok {
		return
	}
	if _, err := time.LoadLocation(s); err != nil || s == "" || s == "Local" {
		r.Fail(n, `%swant a time zone such as "Europe/Berlin" or "UTC", got %s`, field.Label(key), field.Shown(s))
		return
	}
	*z = timeZone(s)
}

// Shape implements field.Value.
func (timeZone) Shape() field.Shape { return text("").Shape() }
