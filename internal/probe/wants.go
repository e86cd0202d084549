package probe

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pharos/internal/field"
	"pharos/internal/pharos"
	"pharos/internal/redact"
)

// headerWants are headers that an answer must have, each with a match.
type headerWants []headerWant

type headerWant struct {
	name    string
	pattern *regexp.Regexp
}

// Read implements field.Value.
func (w *headerWants) Read(r *field.Reader, n *field.Node, key string) {
	for _, p := range r.Mapping(n, key) {
		text, ok := r.Text(p.Value, key+"."+p.Name)
		switch {
		case !ok:
		case !headerWord.MatchString(p.Name):
			r.Fail(p.Key, "%s: %q cannot be the name of a header", key, field.Short(p.Name))
		default:
			if re := r.Pattern(p.Value, key+"."+p.Name, text); re != nil {
				*w = append(*w, headerWant{http.CanonicalHeaderKey(p.Name), re})
			}
		}
	}
}

// Shape implements field.Value.
func (headerWants) Shape() field.Shape {
	return field.Shape{Word: "names: patterns", Schema: field.Object{"type": "object", "additionalProperties": field.Object{"type": "string"}}}
}

// look says what is wrong with a header; values are quoted where they may be.
func (w headerWants) look(header http.Header, quoted bool) string {
	for _, want := range w {
		values := header.Values(want.name)
		switch {
		case len(values) == 0:
			return "no header " + want.name + ", wanted a match for " + quotePattern(want.pattern)
		case slices.ContainsFunc(values, want.pattern.MatchString):
		case quoted && !redact.IsSecretName(want.name):
			return fmt.Sprintf("header %s is %.120q, wanted a match for %s", want.name, strings.Join(values, ", "), quotePattern(want.pattern))
		default:
			return "header " + want.name + " has no match for " + quotePattern(want.pattern)
		}
	}
	return ""
}

// jsonWants are what must stand at paths of a JSON document.
type jsonWants []jsonWant

type jsonWant struct {
	path   jsonPath
	text   string // what must stand there, unless it is bounded
	bounds pharos.Thresholds
}

// Read implements field.Value.
func (w *jsonWants) Read(r *field.Reader, n *field.Node, key string) {
	for _, p := range r.Mapping(n, key) {
		path, wrong := parseJSONPath(p.Name)
		if wrong != "" {
			r.Fail(p.Key, "%s: %s", key, wrong)
			continue
		}
		want := jsonWant{path: path}
		if field.IsMapping(p.Value) {
			var b field.Bounds
			r.Read(p.Value, key+"."+p.Name, &b)
			want.bounds = r.Thresholds(key+"."+p.Name, field.Measure{}, field.Bound{}, b.Warning, b.Critical)
			if b.Warning.As == field.Missing && b.Critical.As == field.Missing {
				r.Fail(p.Value, "%s.%s: want a warning or a critical", key, p.Name)
			}
		} else if s, ok := r.Scalar(p.Value, key+"."+p.Name, "a value, or {warning: ..., critical: ...}"); ok {
			if want.text = s.Text; s.Tag == "!!null" {
				want.text = "null"
			}
		}
		*w = append(*w, want)
	}
}

// Nested implements the field's schema: there is a section within.
func (jsonWants) Nested(s *field.Schemas) field.Shape {
	bounds := field.BoundsSchema(s)
	scalar := field.Object{"type": []string{"string", "number", "boolean", "null"}}
	return field.Shape{Word: "paths: values, bounds", Schema: field.Object{"type": "object", "additionalProperties": field.AnyOf(scalar, bounds)}}
}

// Shape implements field.Value.
func (w jsonWants) Shape() field.Shape { return w.Nested(&field.Schemas{Defs: field.Object{}}) }

// name returns the name of the figure that a path has.
func (w *jsonWant) name() string {
	if strings.HasPrefix(w.path.text, "$") {
		return w.path.text
	}
	return "$." + w.path.text
}

// figures are what the bounds are of.
func (w jsonWants) figures() (parts []pharos.Part) {
	for _, want := range w {
		if want.bounds.Set() {
			parts = append(parts, pharos.Part{Name: want.name(), Thresholds: want.bounds})
		}
	}
	return parts
}

// look says what is wrong with a document, and adds what it measures; values are
// told where they may be.
func (w jsonWants) look(m *Measurement, document any, r *redact.Redactor, quoted bool) string {
	var told []string
	defer func() {
		if quoted {
			m.AddFact("json", pharos.CleanLine(strings.Join(told, ", "), 200))
		}
	}()
	for _, want := range w {
		found := want.path.path.Select(document)
		if len(found) == 0 {
			return "nothing at " + want.path.text + " in the body"
		}
		told = append(told, want.path.text+" "+shownJSON(found[0], r))
		var worst pharos.Number
		for _, v := range found {
			is := want.path.text + " is "
			if quoted {
				is += shownJSON(v, r) + ", wanted "
			} else {
				is += "not "
			}
			if !want.bounds.Set() {
				if !sameJSON(v, want.text) {
					return is + strconv.Quote(want.text)
				}
				continue
			}
			number, ok := jsonNumber(v)
			if !ok {
				return is + "a number"
			}
			if less := want.bounds.LessIsWorse(); !worst.OK || less && number < worst.V || !less && number > worst.V {
				worst = pharos.Num(number)
			}
		}
		if worst.OK {
			m.Figures = append(m.Figures, pharos.Figure{Name: want.name(), Value: worst.V})
		}
	}
	return ""
}

// sameJSON reports whether a value is what the file wants: the same text, or the
// same number.
func sameJSON(v any, want string) bool {
	if jsonText(v) == want {
		return true
	}
	if _, isList := v.([]any); isList {
		return false
	}
	a, isNumber := jsonNumber(v)
	b, err := strconv.ParseFloat(want, 64)
	return isNumber && err == nil && a == b
}
