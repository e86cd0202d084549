// Package field reads a YAML file strictly into structs with tagged fields, and
// tells all of its errors at once, each with its line. It knows no key of any
// file: the structs and the types of their fields do, and from them come the
// JSON Schema and the tables of the documents, too.
//
// A field's tags: yaml is its key, doc its sentence, default what holds where the
// file is silent, required:"true" that it cannot be; also names, separated by
// spaces, the words that other programs have for it.
package field

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
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
	fewKeys       = 12        // so many are told to whom writes an unknown one
)

// Node is a part of the file.
type Node = yaml.Node

// Reader walks a file's nodes into structs. It goes on after an error, so that
// one reading tells all of them.
type Reader struct {
	Secrets redact.Secrets // those of the file, as far as it has been read
	files   []string
	getenv  func(string) (string, bool)
	errs    Errors
	nodes   int
	keys    map[reflect.Type]keyTable
}

// New returns a reader. getenv is as os.LookupEnv.
func New(getenv func(string) (string, bool)) *Reader {
	return &Reader{getenv: getenv, Secrets: make(redact.Secrets), keys: make(map[reflect.Type]keyTable)}
}

// Errors returns what was wrong, without secrets; nil: nothing.
func (r *Reader) Errors() Errors {
	if len(r.errs) == 0 {
		return nil
	}
	redactor := r.Secrets.Redactor()
	all := r.errs.told()
	for i := range all {
		all[i].Message = printable(redactor.Values(r.Secrets.HideCut(all[i].Message, cut)))
	}
	return all
}

// A node's line says which file it is of, too: the files' lines are counted on.
const maxLines = 1 << 24 // of one file: it has no more bytes

// locate returns the file and the line in it of a place, that of a node.
func (r *Reader) locate(place int) (file string, line int) {
	if len(r.files) == 0 {
		return "", place
	}
	return r.files[place/maxLines], place % maxLines
}

// Line says where a node is, for a message about another one: "line 3", or "line 3
// of b.yaml".
func (r *Reader) Line(of, from *Node) string {
	file, line := r.locate(of.Line)
	if at, _ := r.locate(from.Line); at != file {
		return fmt.Sprintf("line %d of %s", line, file)
	}
	return fmt.Sprintf("line %d", line)
}

// SameFile reports whether two nodes are of the same file.
func (r *Reader) SameFile(a, b *Node) bool { return a.Line/maxLines == b.Line/maxLines }

// number lets the lines of a node, and of all below it, be those of a file.
func number(n *Node, file int) {
	n.Line += file * maxLines
	for _, child := range n.Content {
		number(child, file)
	}
}

// Root returns the node that a file consists of; nil after an error was told. The
// errors are told under its name, and relative paths begin at its folder. example is
// what could stand in an empty one.
func (r *Reader) Root(file string, data []byte, example string) *Node {
	r.files = append(r.files, file)
	root := r.root(data, example)
	if root != nil {
		number(root, len(r.files)-1)
	}
	return root
}

func (r *Reader) root(data []byte, example string) *Node {
	file := len(r.files) - 1
	syntax := func(err error) {
		e := syntaxError(r.files[file], data, err)
		e.place = file*maxLines + e.Line
		r.errs = append(r.errs, e)
	}
	if len(data) > MaxFile {
		r.Fail(nil, "more than %d MiB", MaxFile>>20)
		return nil
	}
	var document Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		syntax(err)
		return nil
	}
	if len(document.Content) == 0 || IsNull(document.Content[0]) {
		r.Fail(nil, "nothing in it: write what to watch, such as %q", example)
		return nil
	}
	var second Node
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		syntax(err)
		return nil
	default:
		number(&second, file)
		r.Fail(&second, `a second document begins here ("---"): one file holds one`)
		return nil
	}
	return document.Content[0]
}

// Variables returns the names of the variables in what stands under a node.
func Variables(n *Node) (names []string) {
	seen := make(map[*Node]bool)
	var walk func(n *Node)
	walk = func(n *Node) {
		if n = Resolve(n); seen[n] {
			return
		}
		seen[n] = true
		for _, m := range variable.FindAllStringSubmatch(n.Value, -1) {
			names = append(names, m[1])
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(n)
	return names
}

// Value is a type that reads itself from one node. key is what the messages
// call it.
type Value interface {
	Read(r *Reader, n *Node, key string)
	Shape() Shape
}

// tagged is a type whose field's tags say more of it.
type tagged interface {
	readTagged(r *Reader, n *Node, key string, tag reflect.StructTag)
	shapeTagged(tag reflect.StructTag) Shape
}

// Section is embedded in each struct that is read from a mapping, and knows
// where its keys stood.
type Section struct {
	node *Node
	keys map[string]*Node // values by key; only those in the file
}

func (s *Section) section() *Section { return s }

// Has reports whether the file says anything for a key.
func (s *Section) Has(key string) bool { return s.keys[key] != nil }

// At returns the node of a key's value, or the whole section's.
func (s *Section) At(key string) *Node {
	if n := s.keys[key]; n != nil {
		return n
	}
	return s.node
}

// Place says where a section stands that is no mapping.
func (s *Section) Place(n *Node) { s.node, s.keys = n, nil }

// Node returns the whole section's node; nil: the file has none.
func (s *Section) Node() *Node { return s.node }

// keyTable are the keys of one struct, in the order of its fields.
type keyTable struct {
	names  []string
	also   map[string]string // the key that goes by another word elsewhere
	fields map[string]reflect.StructField
}

func (r *Reader) table(t reflect.Type) keyTable {
	if known, ok := r.keys[t]; ok {
		return known
	}
	table := keyTable{also: make(map[string]string), fields: make(map[string]reflect.StructField)}
	for f := range t.Fields() {
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		table.names = append(table.names, name)
		table.fields[name] = f
		for word := range strings.FieldsSeq(f.Tag.Get("also")) {
			table.also[word] = name
		}
	}
	r.keys[t] = table
	return table
}

// Fail tells an error; n is where, nil: the file as a whole.
func (r *Reader) Fail(n *Node, format string, args ...any) {
	e := Error{Message: fmt.Sprintf(format, args...), place: max(len(r.files)-1, 0) * maxLines}
	if n != nil {
		e.place, e.Column = n.Line, n.Column
	}
	e.File, e.Line = r.locate(e.place)
	if len(r.errs) < maxCollected {
		r.errs = append(r.errs, e)
	}
}

// Where returns where a node stands: "pharos.yaml: line 12".
func (r *Reader) Where(n *Node) string {
	file, line := r.locate(n.Line)
	return fmt.Sprintf("%s: line %d", file, line)
}

// Enter counts a node and reports whether reading goes on: a few aliases of
// aliases can unfold to more than any machine holds.
func (r *Reader) Enter(n *Node) bool {
	if r.nodes++; r.nodes == maxNodes {
		r.Fail(n, "the file unfolds to more than %d values: too many aliases of aliases", maxNodes)
	}
	return !r.Enough()
}

// Enough reports whether nothing more is read: more errors would help nobody, or
// the file unfolds to too much.
func (r *Reader) Enough() bool { return len(r.errs) >= maxCollected || r.nodes >= maxNodes }

// Read fills what a pointer points to from a node.
func (r *Reader) Read(n *Node, key string, into any) {
	r.read(n, key, reflect.ValueOf(into).Elem(), "")
}

func (r *Reader) read(n *Node, key string, into reflect.Value, tag reflect.StructTag) {
	switch v := into.Addr().Interface().(type) {
	case Value:
		v.Read(r, n, key)
		return
	case tagged:
		v.readTagged(r, n, key, tag)
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		r.ReadKeys(n, key, nil, into.Addr().Interface())
	case reflect.Slice:
		target := Resolve(n)
		if target.Kind != yaml.SequenceNode {
			r.Fail(n, "%swant a list, got %s", Label(key), Describe(target))
			return
		}
		into.Set(reflect.MakeSlice(into.Type(), len(target.Content), len(target.Content)))
		for i, item := range target.Content {
			if !r.Enter(item) {
				return
			}
			r.read(item, "", into.Index(i), "")
		}
	default:
		panic("field: no way to read a " + into.Type().String())
	}
}

// Others say what an unknown key may be, before the keys that are known there are
// searched for a similar one; true: it has been dealt with.
type Others func(p Pair) bool

// ReadKeys fills structs with a Section, each of which has some of the keys, from
// one mapping. A section with nothing in it is as one that is not there.
func (r *Reader) ReadKeys(n *Node, key string, others Others, into ...any) {
	keys := make(map[string]*Node)
	for _, one := range into {
		*one.(interface{ section() *Section }).section() = Section{n, keys}
	}
	if key != "" && IsNull(n) {
		return
	}
	prefix := ""
	if key != "" {
		prefix = key + "."
	}
pairs:
	for _, p := range r.Mapping(n, key) {
		for _, one := range into {
			if f, ok := r.table(reflect.TypeOf(one).Elem()).fields[p.Name]; ok {
				keys[p.Name] = p.Value
				r.read(p.Value, prefix+p.Name, reflect.ValueOf(one).Elem().FieldByIndex(f.Index), f.Tag)
				continue pairs
			}
		}
		if others == nil || !others(p) {
			r.Unknown(p, prefix, into...)
		}
	}
}

// Unknown tells that a key is known to none of some structs, and which one may
// be meant.
func (r *Reader) Unknown(p Pair, prefix string, in ...any) {
	var known []string
	for _, one := range in {
		table := r.table(reflect.TypeOf(one).Elem())
		if meant := r.Also(p.Name, one); meant != "" {
			r.Fail(p.Key, "unknown key %q (did you mean %q?)", prefix+p.Name, prefix+meant)
			return
		}
		known = append(known, table.names...)
	}
	switch m := Meant(p.Name, known); {
	case m != "":
		r.Fail(p.Key, "unknown key %q (did you mean %q?)", prefix+p.Name, prefix+m)
	case len(known) > fewKeys:
		r.Fail(p.Key, "unknown key %q (docs/config.md has all that are known)", prefix+p.Name)
	default:
		r.Fail(p.Key, "unknown key %q (known here: %s)", prefix+p.Name, strings.Join(known, ", "))
	}
}

// Peek returns the pairs of a mapping, and tells no errors.
func (r *Reader) Peek(n *Node) []Pair {
	errs, nodes := r.errs, r.nodes
	defer func() { r.errs, r.nodes = errs, nodes }()
	return r.Mapping(n, "")
}

// Also returns the key of a struct for which other programs have a word; "": none.
func (r *Reader) Also(word string, of any) string {
	return r.table(reflect.TypeOf(of).Elem()).also[strings.ToLower(word)]
}

// Meant returns the key of a struct that a word stands for, or is like; "": none.
func (r *Reader) Meant(word string, of any) string {
	if key := r.Also(word, of); key != "" {
		return key
	}
	return Meant(word, r.table(reflect.TypeOf(of).Elem()).names)
}

// Knows reports whether a struct has a key.
func (r *Reader) Knows(of any, key string) bool {
	return slices.Contains(r.table(reflect.TypeOf(of).Elem()).names, key)
}

// Pair is one key of a mapping and its value.
type Pair struct {
	Name       string
	Key, Value *Node
}

// Mapping returns the pairs of a mapping with its merges ("<<") done: a
// mapping's own keys win over merged ones, earlier merges over later ones.
func (r *Reader) Mapping(n *Node, key string) []Pair {
	var pairs []Pair
	r.merge(n, key, make(map[string]*Node), &pairs, 0)
	return pairs
}

func (r *Reader) merge(n *Node, key string, seen map[string]*Node, pairs *[]Pair, depth int) {
	target := Resolve(n)
	if target.Kind != yaml.MappingNode {
		r.Fail(n, "%swant a mapping of keys to values, got %s", Label(key), Describe(target))
		return
	}
	if depth > maxMergeDepth {
		r.Fail(n, "%smerges (<<) that go deeper than %d: does one contain itself?", Label(key), maxMergeDepth)
		return
	}
	var merges []*Node
	own := make(map[string]*Node)
	for i := 0; i+1 < len(target.Content); i += 2 {
		k, v := target.Content[i], target.Content[i+1]
		if !r.Enter(k) {
			return
		}
		switch named := Resolve(k); {
		case k.Kind == yaml.ScalarNode && k.ShortTag() == "!!merge":
			if m := Resolve(v); m.Kind == yaml.SequenceNode {
				merges = append(merges, m.Content...)
			} else {
				merges = append(merges, v)
			}
		case named.Kind != yaml.ScalarNode || named.ShortTag() == "!!null":
			r.Fail(k, "%swant a word for a key, got %s", Label(key), Describe(named))
		default:
			name := named.Value
			if i := strings.IndexAny(name, ":="); i >= 0 {
				r.Secrets.Add(name[i+1:]) // {password:hunter} lacks the space that makes it a key and its value
			}
			if first, doubled := own[name]; doubled {
				r.Fail(k, "%skey %q is there twice (first on %s)", Label(key), name, r.Line(first, k))
				continue
			}
			own[name] = k
			if seen[name] == nil {
				seen[name] = k
				*pairs = append(*pairs, Pair{name, k, v})
			}
		}
	}
	for _, m := range merges {
		if !r.Enter(m) {
			return
		}
		r.merge(m, key, seen, pairs, depth+1)
	}
}

// Together complains about one of two keys that only make sense as a pair.
func (r *Reader) Together(s *Section, prefix, a, b string) {
	switch {
	case s.Has(a) && !s.Has(b):
		r.Fail(s.At(a), "%s%s wants %s%s beside it", prefix, a, prefix, b)
	case s.Has(b) && !s.Has(a):
		r.Fail(s.At(b), "%s%s wants %s%s beside it", prefix, b, prefix, a)
	}
}

// FromHere returns a path as it is seen from the working directory: a relative
// one begins at the folder of the file in which it stands.
func (r *Reader) FromHere(n *Node, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	file, _ := r.locate(n.Line)
	return filepath.Join(filepath.Dir(file), path)
}

// Checker is what a part of the file is checked with once it has been read: what
// one key alone cannot say.
type Checker struct {
	*Reader
	// Remote says that what it is about happens on another machine: so do its
	// paths.
	Remote bool
	// Through says that connections are made from another machine, as is so with
	// Remote.
	Through bool
}

// Path brings a path to where it begins: the file's folder, or the home over
// there.
func (c *Checker) Path(s *Section, prefix, key string, path *Text) {
	switch {
	case !s.Has(key):
	case *path == "":
		c.Fail(s.At(key), "%s%s: a path cannot be empty", prefix, key)
	case !c.Remote:
		*path = Text(c.FromHere(s.At(key), string(*path)))
	}
}

// Scalar is a single value, variables replaced.
type Scalar struct {
	Node  *Node
	Text  string
	Tag   string // "!!str", "!!int", "!!float", "!!bool", "!!null"
	Typed bool   // false: from a variable, and so a text as well as what it looks like
}

// Scalar returns the value of a node that is no list and no mapping; want is
// what the message asks for.
func (r *Reader) Scalar(n *Node, key, want string) (Scalar, bool) {
	target := Resolve(n)
	if target.Kind != yaml.ScalarNode {
		r.Fail(n, "%swant %s, got %s", Label(key), want, Describe(target))
		return Scalar{}, false
	}
	s := Scalar{Node: n, Text: target.Value, Tag: target.ShortTag(), Typed: true}
	if s.Tag != "!!str" || !strings.Contains(s.Text, "${") {
		r.Secrets.AddText(s.Text)
		return s, true
	}
	whole := variable.FindString(s.Text) == s.Text && !strings.HasPrefix(s.Text, "$$")
	ok := true
	s.Text = variable.ReplaceAllStringFunc(s.Text, func(ref string) string {
		if strings.HasPrefix(ref, "$$") {
			return ref[1:]
		}
		m := variable.FindStringSubmatch(ref)
		v, there := r.getenv(m[1])
		switch {
		case v != "":
			r.Secrets.AddNamed(m[1], v)
		case m[2] != "":
			v = m[3]
		case !there:
			ok = false
			r.Fail(n, "%sthe environment has no %s: set it, write ${%s:-default}, or $${%s} if the text is meant as it stands", Label(key), m[1], m[1], m[1])
		}
		return v
	})
	r.Secrets.AddText(s.Text)
	if whole {
		s.Typed = false
		s.Tag = (&Node{Kind: yaml.ScalarNode, Value: s.Text}).ShortTag()
	}
	return s, ok
}

// variable is ${NAME} or ${NAME:-default} with an upper-case name: whatever
// else begins with a dollar is the shell's. One more dollar before it takes it
// as it stands.
var variable = regexp.MustCompile(`\$?\$\{([A-Z_][A-Z0-9_]*)(:-([^}]*))?\}`)

// Resolve follows an alias.
func Resolve(n *Node) *Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// OneOrMore returns the items of a list, or the node itself.
func OneOrMore(n *Node) []*Node {
	if target := Resolve(n); target.Kind == yaml.SequenceNode {
		return target.Content
	}
	return []*Node{n}
}

// IsMapping and IsList are false for a node that is not there, or whose wrong
// type has been told already.
func IsMapping(n *Node) bool { return n != nil && Resolve(n).Kind == yaml.MappingNode }

// IsList is IsMapping for lists.
func IsList(n *Node) bool { return n != nil && Resolve(n).Kind == yaml.SequenceNode }

// IsText reports whether a node is a single text.
func IsText(n *Node) bool {
	n = Resolve(n)
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str"
}

// IsNull reports whether nothing stands after a key.
func IsNull(n *Node) bool {
	n = Resolve(n)
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// Describe says what stands there instead of what was wanted.
func Describe(n *Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return Scalar{Tag: n.ShortTag()}.kind()
}

// kind says what sort of value it is and tells nothing of it: it may be a
// password that stands in the wrong place.
func (s Scalar) kind() string {
	switch s.Tag {
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

// Describe says what the value is, for an error.
func (s Scalar) Describe() string {
	switch s.Tag {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + Short(s.Text)
	case "!!str":
		return fmt.Sprintf("%q", Short(s.Text))
	}
	return Short(s.Text)
}

// Short cuts a text for a message.
func Short(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		return string(runes[:60]) + cut
	}
	return s
}

const cut = "…"

// Label begins a message about a key; an item of a list has none.
func Label(key string) string {
	if key == "" {
		return ""
	}
	return key + ": "
}

// Strip forgets where the parts of a value stood in the file, and their nodes:
// two that say the same are equal then.
func Strip(pointer any) { strip(reflect.ValueOf(pointer).Elem()) }

func strip(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[Section]() {
			v.SetZero()
			return
		}
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				strip(f)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			strip(v.Index(i))
		}
	case reflect.Pointer:
		if v.Type() == reflect.TypeFor[*Node]() {
			v.SetZero()
		}
	}
}
