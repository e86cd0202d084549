package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"pharos/internal/redact"
)

// The bounds of one file.
const (
	MaxFile       = 8 << 20   // bytes
	maxNodes      = 1_000_000 // keys and items, aliases unfolded
	maxMergeDepth = 32        // merges within merges
	maxCollected  = 1000      // errors after which reading ends
)

// reader walks a file's nodes into the types of file.go. It goes on after an
// error, so that one reading tells all of them.
type reader struct {
	file    string
	getenv  func(string) (string, bool)
	errs    Errors
	nodes   int
	secrets redact.Secrets
	own     []string // variables that only the program itself uses
	keys    map[reflect.Type]keyTable
}

// value is a type that reads itself from one node. key is what the messages
// call it.
type value interface {
	read(r *reader, n *yaml.Node, key string)
}

// section is embedded in each struct that is read from a mapping, and knows
// where its keys stood.
type section struct {
	node *yaml.Node
	keys map[string]*yaml.Node // values by key; only those in the file
}

func (s *section) place(n *yaml.Node, keys map[string]*yaml.Node) { s.node, s.keys = n, keys }

// has reports whether the file says anything for a key.
func (s *section) has(key string) bool { return s.keys[key] != nil }

// at returns the node of a key's value, or the whole section's.
func (s *section) at(key string) *yaml.Node {
	if n := s.keys[key]; n != nil {
		return n
	}
	return s.node
}

// keyTable are the keys of one struct, in the order of its fields.
type keyTable struct {
	names  []string
	fields map[string]reflect.StructField
}

func (r *reader) table(t reflect.Type) keyTable {
	if known, ok := r.keys[t]; ok {
		return known
	}
	table := keyTable{fields: make(map[string]reflect.StructField)}
	for f := range t.Fields() {
		if name := f.Tag.Get("yaml"); name != "" {
			table.names = append(table.names, name)
			table.fields[name] = f
		}
	}
	r.keys[t] = table
	return table
}

func (r *reader) fail(n *yaml.Node, format string, args ...any) {
	e := Error{File: r.file, Message: fmt.Sprintf(format, args...)}
	if n != nil {
		e.Line, e.Column = n.Line, n.Column
	}
	if !r.enough() {
		r.errs = append(r.errs, e)
	}
}

// enter counts a node and reports whether reading goes on: a few aliases of
// aliases can unfold to more than any machine holds.
func (r *reader) enter(n *yaml.Node) bool {
	if r.nodes++; r.nodes == maxNodes {
		r.fail(n, "the file unfolds to more than %d values: too many aliases of aliases", maxNodes)
	}
	return r.nodes < maxNodes && !r.enough()
}

// enough reports whether more errors would help nobody.
func (r *reader) enough() bool { return len(r.errs) >= maxCollected }

// read fills into, which is addressable, from a node.
func (r *reader) read(n *yaml.Node, key string, into reflect.Value) {
	if v, ok := into.Addr().Interface().(value); ok {
		v.read(r, n, key)
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		r.structure(n, key, into)
	case reflect.Slice:
		items, ok := r.list(n, key)
		if !ok {
			return
		}
		into.Set(reflect.MakeSlice(into.Type(), len(items), len(items)))
		for i, item := range items {
			if !r.enter(item) {
				return
			}
			r.read(item, "", into.Index(i))
		}
	default:
		panic("config: no way to read a " + into.Type().String())
	}
}

// structure fills a struct from a mapping. A section with nothing in it is as
// one that is not there.
func (r *reader) structure(n *yaml.Node, key string, into reflect.Value) {
	keys := make(map[string]*yaml.Node)
	into.Addr().Interface().(interface {
		place(*yaml.Node, map[string]*yaml.Node)
	}).place(n, keys)
	if key != "" && isNull(n) {
		return
	}
	table := r.table(into.Type())
	prefix := ""
	if key != "" {
		prefix = key + "."
	}
	for _, p := range r.mapping(n, key) {
		field, ok := table.fields[p.name]
		if !ok {
			if key != "" || into.Type() != reflect.TypeFor[file]() || !strings.HasPrefix(p.name, "x-") {
				r.unknown(p, prefix, table.names)
			}
			continue
		}
		keys[p.name] = p.value
		r.read(p.value, prefix+p.name, into.FieldByIndex(field.Index))
	}
}

func (r *reader) unknown(p pair, prefix string, known []string) {
	if m := meant(p.name, known); m != "" {
		r.fail(p.key, "unknown key %q (did you mean %q?)", prefix+p.name, prefix+m)
		return
	}
	r.fail(p.key, "unknown key %q (known here: %s)", prefix+p.name, strings.Join(known, ", "))
}

// list returns the items of a sequence.
func (r *reader) list(n *yaml.Node, key string) ([]*yaml.Node, bool) {
	target := resolve(n)
	if target.Kind != yaml.SequenceNode {
		r.fail(n, "%swant a list, got %s", label(key), describe(target))
		return nil, false
	}
	return target.Content, true
}

// pair is one key of a mapping and its value.
type pair struct {
	name       string
	key, value *yaml.Node
}

// mapping returns the pairs of a mapping with its merges ("<<") done: a
// mapping's own keys win over merged ones, earlier merges over later ones.
func (r *reader) mapping(n *yaml.Node, key string) []pair {
	var pairs []pair
	r.merge(n, key, make(map[string]*yaml.Node), &pairs, 0)
	return pairs
}

func (r *reader) merge(n *yaml.Node, key string, seen map[string]*yaml.Node, pairs *[]pair, depth int) {
	target := resolve(n)
	if target.Kind != yaml.MappingNode {
		r.fail(n, "%swant a mapping of keys to values, got %s", label(key), describe(target))
		return
	}
	if depth > maxMergeDepth {
		r.fail(n, "%smerges (<<) that go deeper than %d: does one contain itself?", label(key), maxMergeDepth)
		return
	}
	var merges []*yaml.Node
	own := make(map[string]int)
	for i := 0; i+1 < len(target.Content); i += 2 {
		k, v := target.Content[i], target.Content[i+1]
		if !r.enter(k) {
			return
		}
		switch named := resolve(k); {
		case k.Kind == yaml.ScalarNode && k.ShortTag() == "!!merge":
			if m := resolve(v); m.Kind == yaml.SequenceNode {
				merges = append(merges, m.Content...)
			} else {
				merges = append(merges, v)
			}
		case named.Kind != yaml.ScalarNode || named.ShortTag() == "!!null":
			r.fail(k, "%swant a word for a key, got %s", label(key), describe(named))
		default:
			name := named.Value
			if i := strings.IndexAny(name, ":="); i >= 0 {
				r.secrets.Add(name[i+1:]) // {password:hunter} lacks the space that makes it a key and its value
			}
			if first, doubled := own[name]; doubled {
				r.fail(k, "%skey %q is there twice (first on line %d)", label(key), name, first)
				continue
			}
			own[name] = k.Line
			if seen[name] == nil {
				seen[name] = k
				*pairs = append(*pairs, pair{name, k, v})
			}
		}
	}
	for _, m := range merges {
		if !r.enter(m) {
			return
		}
		r.merge(m, key, seen, pairs, depth+1)
	}
}

// scalar is a single value, variables replaced.
type scalar struct {
	node  *yaml.Node
	text  string
	tag   string // "!!str", "!!int", "!!float", "!!bool", "!!null"
	typed bool   // false: from a variable, and so a text as well as what it looks like
}

// scalar returns the value of a node that is no list and no mapping; want is
// what the message asks for.
func (r *reader) scalar(n *yaml.Node, key, want string) (scalar, bool) {
	target := resolve(n)
	if target.Kind != yaml.ScalarNode {
		r.fail(n, "%swant %s, got %s", label(key), want, describe(target))
		return scalar{}, false
	}
	s := scalar{node: n, text: target.Value, tag: target.ShortTag(), typed: true}
	if s.tag != "!!str" || !strings.Contains(s.text, "${") {
		r.secrets.AddText(s.text)
		return s, true
	}
	whole := variable.FindString(s.text) == s.text && !strings.HasPrefix(s.text, "$$")
	ok := true
	s.text = variable.ReplaceAllStringFunc(s.text, func(ref string) string {
		if strings.HasPrefix(ref, "$$") {
			return ref[1:]
		}
		m := variable.FindStringSubmatch(ref)
		v, there := r.getenv(m[1])
		switch {
		case v != "":
			r.secrets.AddNamed(m[1], v)
		case m[2] != "":
			v = m[3]
		case !there:
			ok = false
			r.fail(n, "%sthe environment has no %s: set it, write ${%s:-default}, or $${%s} if the text is meant as it stands", label(key), m[1], m[1], m[1])
		}
		return v
	})
	r.secrets.AddText(s.text)
	if whole {
		s.typed = false
		s.tag = (&yaml.Node{Kind: yaml.ScalarNode, Value: s.text}).ShortTag()
	}
	return s, ok
}

// variable is ${NAME} or ${NAME:-default} with an upper-case name: whatever
// else begins with a dollar is the shell's. One more dollar before it takes it
// as it stands.
var variable = regexp.MustCompile(`\$?\$\{([A-Z_][A-Z0-9_]*)(:-([^}]*))?\}`)

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// isMapping and isList are false for a node that is not there, or whose wrong
// type has been told already.
func isMapping(n *yaml.Node) bool { return n != nil && resolve(n).Kind == yaml.MappingNode }
func isList(n *yaml.Node) bool    { return n != nil && resolve(n).Kind == yaml.SequenceNode }

func isNull(n *yaml.Node) bool {
	n = resolve(n)
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// describe says what stands there instead of what was wanted.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return scalar{tag: n.ShortTag()}.kind()
}

// kind says what sort of value it is and tells nothing of it: it may be a
// password that stands in the wrong place.
func (s scalar) kind() string {
	switch s.tag {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	case "!!str":
		return "a text"
	}
	return "something of a type of its own"
}

func (s scalar) describe() string {
	switch s.tag {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + short(s.text)
	case "!!str":
		return fmt.Sprintf("%q", short(s.text))
	}
	return short(s.text)
}

// short cuts a text for a message.
func short(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		return string(runes[:60]) + cut
	}
	return s
}

const cut = "…"

// label begins a message about a key; an item of a list has none.
func label(key string) string {
	if key == "" {
		return ""
	}
	return key + ": "
}
