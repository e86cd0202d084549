package config

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

const (
	minRotate = 5 * time.Second
	// maxNames is how many sets or sites a screen can ask the board for.
	maxNames = 32
)

var viewWord = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// taken are the first parts of the dashboard's other addresses.
var taken = []string{"api", "assets", "events", "healthz", "metrics", "poll", "readyz", "sample"}

// views are the boards with an address of their own, by name.
type views map[string]viewKeys

func (v *views) read(r *reader, n *yaml.Node, key string) {
	*v = views{}
	for _, p := range r.mapping(n, key) {
		switch {
		case !viewWord.MatchString(p.name):
			r.fail(p.key, `%s: want a name of a-z, 0-9 and "-", at most 40 of them, got %q`, key, short(p.name))
		case slices.Contains(taken, p.name):
			r.fail(p.key, "%s: the address /%s is taken: name the view otherwise", key, p.name)
		default:
			var one viewKeys
			r.read(p.value, key+"."+p.name, fieldOf(&one))
			if one.has("rotate") && one.Rotate != 0 && time.Duration(one.Rotate) < minRotate {
				r.fail(one.at("rotate"), "%s.%s.rotate: want at least %v, got %v", key, p.name, minRotate, time.Duration(one.Rotate))
			}
			(*v)[p.name] = one
		}
	}
}

// views returns what each view's address stands for.
func (r *reader) views(d *dashboardKeys) map[string]url.Values {
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

// someNames is a name or a list of them.
type someNames []string

func (s *someNames) read(r *reader, n *yaml.Node, key string) {
	items := oneOrMore(n)
	if len(items) < 1 || len(items) > maxNames {
		r.fail(n, "%swant 1 to %d names, got %d", label(key), maxNames, len(items))
		return
	}
	for _, item := range items {
		if !r.enter(item) {
			return
		}
		var one name
		if one.read(r, item, key); one != "" {
			*s = append(*s, string(one))
		}
	}
}

// The words that some keys take.
type (
	merge   string
	theme   string
	palette string
)

func (merge) words() []string   { return []string{"worst", "majority", "none"} }
func (theme) words() []string   { return []string{"dark", "light", "contrast"} }
func (palette) words() []string { return []string{"blue"} }

func (m *merge) read(r *reader, n *yaml.Node, key string)   { *m = merge(r.word(n, key, m.words())) }
func (t *theme) read(r *reader, n *yaml.Node, key string)   { *t = theme(r.word(n, key, t.words())) }
func (p *palette) read(r *reader, n *yaml.Node, key string) { *p = palette(r.word(n, key, p.words())) }

// word returns one of some words, or "" after telling why not.
func (r *reader) word(n *yaml.Node, key string, words []string) string {
	want := strings.Join(words, ", ")
	if last := len(words) - 1; last > 0 {
		want = strings.Join(words[:last], ", ") + " or " + words[last]
	}
	s, ok := r.scalar(n, key, want)
	switch {
	case !ok:
		return ""
	case slices.Contains(words, s.text):
		return s.text
	}
	if m := meant(s.text, words); m != "" {
		r.fail(n, "%swant %s, got %s (did you mean %q?)", label(key), want, s.describe(), m)
	} else {
		r.fail(n, "%swant %s, got %s", label(key), want, s.describe())
	}
	return ""
}

// zoom is how large letters are.
type zoom float64

func (z *zoom) read(r *reader, n *yaml.Node, key string) {
	s, ok := r.scalar(n, key, "a number")
	if !ok {
		return
	}
	v, err := strconv.ParseFloat(s.text, 64)
	if s.tag != "!!int" && s.tag != "!!float" || err != nil || !(0.5 <= v && v <= 3) {
		r.fail(n, "%swant a number from 0.5 to 3, got %s", label(key), s.describe())
		return
	}
	*z = zoom(v)
}
