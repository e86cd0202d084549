// Package importer reads what other programs watch, and writes it as a file of
// Pharos. It runs nothing of what it reads.
package importer

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// file is the file of Pharos that comes of it.
type file struct {
	notes []string // of what could not be carried over, and belongs to no watcher
	top   keys     // title, tagline
	sets  []*set
}

type set struct {
	name     string
	watchers []*watcher
}

// watcher is one watcher: its keys in their order, and what could not be carried over.
type watcher struct {
	keys  keys
	notes []string
}

// keys are a mapping whose order is kept.
type keys []pair

type pair struct {
	name  string
	value any // string, plain, bool, int, []any, keys
}

// plain is a text that is written as it is: a duration, a number, a variable.
type plain string

// set adds a key, unless its value is empty.
func (k *keys) set(name string, value any) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return
		}
	case plain:
		if v == "" {
			return
		}
	case keys:
		if len(v) == 0 {
			return
		}
	case []any:
		if len(v) == 0 {
			return
		}
	case nil:
		return
	}
	for i := range *k {
		if (*k)[i].name == name {
			(*k)[i].value = value
			return
		}
	}
	*k = append(*k, pair{name, value})
}

// add puts a watcher into a set, under a name that is its own there. It returns the
// watcher, for its other keys.
func (f *file) add(setName, name string) *watcher {
	setName, name = cleanName(setName), cleanName(name)
	var s *set
	for _, one := range f.sets {
		if one.name == setName {
			s = one
		}
	}
	if s == nil {
		s = &set{name: setName}
		f.sets = append(f.sets, s)
	}
	own := name
	for n := 2; s.has(own); n++ {
		end := " " + strconv.Itoa(n)
		own = cut(name, maxName-utf8.RuneCountInString(end)) + end
	}
	w := &watcher{}
	w.keys.set("name", own)
	s.watchers = append(s.watchers, w)
	return w
}

func (s *set) has(name string) bool {
	for _, w := range s.watchers {
		if strings.EqualFold(w.keys[0].value.(string), name) {
			return true
		}
	}
	return false
}

const maxName = 80 // runes, as the file has it

// cleanName returns a name that the file takes.
func cleanName(s string) string {
	if s = oneLine(s); s == "" {
		return "Unnamed"
	}
	return strings.TrimSpace(cut(s, maxName))
}

func cut(s string, runes int) string {
	if r := []rune(s); len(r) > runes {
		return string(r[:runes])
	}
	return s
}

// tidy drops what would be of no use: how a certificate is checked that is never met.
func (w *watcher) tidy() {
	plain, stays := false, false
	for _, p := range w.keys {
		address, _ := p.value.(string)
		plain = plain || p.name == "page" && strings.HasPrefix(address, "http://")
		stays = stays || p.name == "follow_redirects"
	}
	if plain && stays {
		w.keys = slices.DeleteFunc(w.keys, func(p pair) bool { return p.name == "tls" })
	}
}

// note tells of something that could not be carried over.
func (w *watcher) note(format string, args ...any) {
	w.notes = append(w.notes, comment(fmt.Sprintf(format, args...)))
}

func (f *file) note(format string, args ...any) {
	f.notes = append(f.notes, comment(fmt.Sprintf(format, args...)))
}

// comment is a text for one line.
func comment(s string) string { return "not carried over: " + oneLine(s) }

// oneLine returns a text without what has no place in a comment or a name.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)), " ")
}

// left counts what could not be carried over.
func (f *file) left() (n int) {
	n = len(f.notes)
	for _, s := range f.sets {
		for _, w := range s.watchers {
			n += len(w.notes)
		}
	}
	return n
}

// write returns the file, with a comment for each thing that could not be carried over.
func (f *file) write(from string) ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range f.top {
		root.Content = append(root.Content, scalar(p.name), node(p.value))
	}
	sets := &yaml.Node{Kind: yaml.SequenceNode}
	for _, s := range f.sets {
		watchers := &yaml.Node{Kind: yaml.SequenceNode}
		for _, w := range s.watchers {
			w.tidy()
			n := node(w.keys)
			n.HeadComment = comments(w.notes)
			watchers.Content = append(watchers.Content, n)
		}
		sets.Content = append(sets.Content, &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar("name"), scalar(s.name), scalar("watchers"), watchers}})
	}
	root.Content = append(root.Content, scalar("sets"), sets)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# yaml-language-server: $schema=pharos.schema.json\n# From %s.\n", oneLine(from))
	if len(f.notes) > 0 {
		b.WriteString("#\n" + comments(f.notes) + "\n")
	}
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(root); err != nil {
		return nil, fmt.Errorf("writing the file: %w", err)
	}
	if err := e.Close(); err != nil {
		return nil, fmt.Errorf("writing the file: %w", err)
	}
	return b.Bytes(), nil
}

func comments(notes []string) string {
	lines := make([]string, len(notes))
	for i, n := range notes {
		lines[i] = "# " + n
	}
	return strings.Join(lines, "\n")
}

// reserved is what the file would take for a variable.
var reserved = regexp.MustCompile(`\$\{[A-Z_][A-Z0-9_]*(:-[^}]*)?\}`)

// scalar writes a text as it is meant, whatever it looks like.
func scalar(s string) *yaml.Node {
	n := new(yaml.Node)
	s = strings.ToValidUTF8(s, "?")
	n.SetString(reserved.ReplaceAllStringFunc(s, func(v string) string { return "$" + v }))
	return n
}

func node(value any) *yaml.Node {
	n := new(yaml.Node)
	switch v := value.(type) {
	case string:
		return scalar(v)
	case plain:
		n.Kind, n.Value = yaml.ScalarNode, string(v)
		if strings.ContainsAny(n.Value, "${") {
			n.Style = yaml.DoubleQuotedStyle
		}
	case []any:
		n.Kind, n.Style = yaml.SequenceNode, yaml.FlowStyle
		for _, item := range v {
			n.Content = append(n.Content, node(item))
		}
	case keys:
		n.Kind = yaml.MappingNode
		for _, p := range v {
			n.Content = append(n.Content, scalar(p.name), node(p.value))
		}
	default:
		if err := n.Encode(v); err != nil {
			panic(err) // the types above, bool and int are all there are
		}
	}
	return n
}

// seconds writes a number of seconds as a duration.
func seconds(s float64) plain {
	if s <= 0 {
		return ""
	}
	return duration(time.Duration(s * float64(time.Second)))
}

// duration writes a duration as the file has it, from 100ms to a day.
func duration(d time.Duration) plain {
	if d <= 0 {
		return ""
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return plain(s)
}

// interval is duration within the bounds of an interval.
func interval(d time.Duration) plain {
	if d <= 0 {
		return ""
	}
	return duration(min(max(d, 100*time.Millisecond), 24*time.Hour))
}

// slow makes it critical from a time on. What the timeout ends before is not written.
func slow(w *watcher, critical, timeout time.Duration) {
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	if critical >= timeout {
		w.note("critical from %v on: the timeout of %v ends it before", critical, timeout)
		return
	}
	w.keys.set("thresholds", keys{{"critical", duration(critical)}})
}
