package field

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"reflect"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"pharos/internal/pharos"
)

// MaxNameRunes is the longest name of a site, prober, set or watcher.
const MaxNameRunes = 80

// Text is any text.
type Text string

// Read implements Value.
func (t *Text) Read(r *Reader, n *Node, key string) {
	if s, ok := r.Text(n, key); ok {
		*t = Text(s)
	}
}

// Shape implements Value.
func (Text) Shape() Shape { return Shape{Word: "text", Schema: Object{"type": "string"}} }

// Text returns the text of a node.
func (r *Reader) Text(n *Node, key string) (string, bool) {
	s, ok := r.Scalar(n, key, "a text")
	if !ok {
		return "", false
	}
	if s.Typed && s.Tag != "!!str" {
		switch s.Tag {
		case "!!null":
			r.Fail(n, "%swant a text, got nothing", Label(key))
		default:
			r.Fail(n, "%swant a text, got %s: write %q, in quotes", Label(key), s.Describe(), s.Text)
		}
		return "", false
	}
	if strings.ContainsRune(s.Text, 0) {
		r.Fail(n, "%sa text cannot hold a zero byte", Label(key))
		return "", false
	}
	return s.Text, true
}

// Texts are one text or a list of them.
type Texts []string

// Read implements Value.
func (t *Texts) Read(r *Reader, n *Node, key string) {
	for _, item := range OneOrMore(n) {
		if !r.Enter(item) {
			return
		}
		if s, ok := r.Text(item, key); ok {
			*t = append(*t, s)
		}
	}
}

// Shape implements Value.
func (Texts) Shape() Shape {
	text := Object{"type": "string"}
	return Shape{Word: "text, list", Schema: AnyOf(text, Object{"type": "array", "items": text})}
}

// Secret is a text that nobody is to see.
type Secret string

// Read implements Value.
func (t *Secret) Read(r *Reader, n *Node, key string) {
	s, ok := r.Scalar(n, key, "a text")
	if !ok {
		return
	}
	if s.Tag != "!!bool" && s.Tag != "!!null" { // which are no secret, but words of our messages
		r.Secrets.Add(s.Text) // whatever is wrong with it
	}
	if s.Typed && s.Tag != "!!str" && s.Tag != "!!null" {
		r.Fail(n, "%swant a text, got %s: write it in quotes", Label(key), s.kind())
		return
	}
	if text, ok := r.Text(n, key); ok {
		*t = Secret(text)
	}
}

// Shape implements Value.
func (Secret) Shape() Shape { return Text("").Shape() }

// Path is a file or folder; a relative one begins at the configuration's folder.
type Path string

// Read implements Value.
func (p *Path) Read(r *Reader, n *Node, key string) {
	s, ok := r.Text(n, key)
	switch {
	case !ok:
	case s == "":
		r.Fail(n, "%sa path cannot be empty", Label(key))
	default:
		*p = Path(r.FromHere(n, s))
	}
}

// Shape implements Value.
func (Path) Shape() Shape { return Text("").Shape() }

// Line is a text for one line of the board.
type Line string

// Read implements Value.
func (t *Line) Read(r *Reader, n *Node, key string) {
	if s, ok := r.line(n, key); ok {
		*t = Line(s)
	}
}

// Shape implements Value.
func (Line) Shape() Shape { return Text("").Shape() }

func (r *Reader) line(n *Node, key string) (string, bool) {
	s, ok := r.Text(n, key)
	if !ok {
		return "", false
	}
	s = norm.NFC.String(s)
	if err := checkLine(s); err != nil {
		r.Fail(n, "%s%v", Label(key), err)
		return "", false
	}
	return s, true
}

func checkLine(s string) error {
	switch {
	case len(s) > pharos.MaxName:
		return errors.New("want at most " + strconv.Itoa(pharos.MaxName) + " bytes, got " + strconv.Itoa(len(s)))
	case strings.TrimSpace(s) != s:
		return errors.New("spaces at an end of " + strconv.Quote(s))
	case pharos.CleanLine(s, pharos.MaxName) != s:
		return errors.New("control characters in " + strconv.QuoteToASCII(Short(s)))
	}
	return nil
}

// Name is a human name, of which a token is made.
type Name string

// Read implements Value.
func (t *Name) Read(r *Reader, n *Node, key string) {
	s, ok := r.line(n, key)
	if !ok {
		return
	}
	if err := CheckName(s); err != nil {
		r.Fail(n, "%s%v", Label(key), err)
		return
	}
	*t = Name(s)
}

// Shape implements Value.
func (Name) Shape() Shape {
	return Shape{Word: "name", Def: "name", Schema: Object{"type": "string", "minLength": 1, "maxLength": MaxNameRunes}}
}

// CheckName says what is wrong with a human name.
func CheckName(s string) error {
	if s == "" {
		return errors.New("a name cannot be empty")
	}
	if n := utf8.RuneCountInString(s); n > MaxNameRunes {
		return errors.New("want at most " + strconv.Itoa(MaxNameRunes) + " characters, got " + strconv.Itoa(n))
	}
	return checkLine(s)
}

// Member is a watcher that another one is made of, as the file names it: its set,
// which may be that of the other, or all of a set.
type Member struct {
	Node      *Node
	Set, Name string // Set is empty: the same; Name is empty: all of the set
}

// Names is a name or a list of at most as many as a screen can ask the board for.
type Names []string

// maxNames is how many names a list of them has at most.
const maxNames = 32

// Read implements Value.
func (s *Names) Read(r *Reader, n *Node, key string) {
	items := OneOrMore(n)
	if len(items) < 1 || len(items) > maxNames {
		r.Fail(n, "%swant 1 to %d names, got %d", Label(key), maxNames, len(items))
		return
	}
	for _, item := range items {
		if !r.Enter(item) {
			return
		}
		var one Name
		if one.Read(r, item, key); one != "" {
			*s = append(*s, string(one))
		}
	}
}

// Shape implements Value.
func (Names) Shape() Shape {
	name := Name("").Shape().Schema
	return Shape{Word: "name, list", Def: "names", Schema: AnyOf(name, Object{"type": "array", "items": name, "minItems": 1, "maxItems": maxNames})}
}

// YesNo is true or false.
type YesNo bool

// Read implements Value.
func (f *YesNo) Read(r *Reader, n *Node, key string) {
	s, ok := r.Scalar(n, key, "true or false")
	if !ok {
		return
	}
	b, err := strconv.ParseBool(strings.ToLower(s.Text))
	if s.Tag != "!!bool" || err != nil {
		r.Fail(n, "%swant true or false, got %s", Label(key), s.Describe())
		return
	}
	*f = YesNo(b)
}

// Shape implements Value.
func (YesNo) Shape() Shape {
	return Shape{Word: "true, false", Def: "yes_no", Schema: AnyOf(Object{"type": "boolean"}, variableShape)}
}

// Int is a whole number from the tag min, or 1, to the tag max, or a million.
type Int int

func (Int) bounds(tag reflect.StructTag) (least, most int) {
	least, most = 1, 1_000_000
	if s := tag.Get("min"); s != "" {
		least, _ = strconv.Atoi(s)
	}
	if s := tag.Get("max"); s != "" {
		most, _ = strconv.Atoi(s)
	}
	return least, most
}

func (c *Int) readTagged(r *Reader, n *Node, key string, tag reflect.StructTag) {
	s, ok := r.Scalar(n, key, "a whole number")
	if !ok {
		return
	}
	least, most := c.bounds(tag)
	v, err := strconv.Atoi(s.Text)
	if s.Tag != "!!int" || err != nil || v < least || v > most {
		r.Fail(n, "%swant a whole number from %d to %d, got %s", Label(key), least, most, s.Describe())
		return
	}
	*c = Int(v)
}

func (c *Int) shapeTagged(tag reflect.StructTag) Shape {
	least, most := c.bounds(tag)
	return Shape{Word: "number", Schema: AnyOf(Object{"type": "integer", "minimum": least, "maximum": most}, variableShape)}
}

// Float is a number from the tag min to the tag max.
type Float float64

func (Float) bounds(tag reflect.StructTag) (least, most float64) {
	least, _ = strconv.ParseFloat(tag.Get("min"), 64)
	most, _ = strconv.ParseFloat(tag.Get("max"), 64)
	return least, most
}

func (f *Float) readTagged(r *Reader, n *Node, key string, tag reflect.StructTag) {
	s, ok := r.Scalar(n, key, "a number")
	if !ok {
		return
	}
	least, most := f.bounds(tag)
	v, err := strconv.ParseFloat(s.Text, 64)
	if s.Tag != "!!int" && s.Tag != "!!float" || err != nil || !(least <= v && v <= most) {
		r.Fail(n, "%swant a number from %v to %v, got %s", Label(key), least, most, s.Describe())
		return
	}
	*f = Float(v)
}

func (f *Float) shapeTagged(tag reflect.StructTag) Shape {
	least, most := f.bounds(tag)
	return Shape{Word: "number", Schema: AnyOf(Object{"type": "number", "minimum": least, "maximum": most}, variableShape)}
}

// Word is one of those of the tag words, which are separated by spaces.
type Word string

func (w *Word) readTagged(r *Reader, n *Node, key string, tag reflect.StructTag) {
	words := strings.Fields(tag.Get("words"))
	want := strings.Join(words, ", ")
	if last := len(words) - 1; last > 0 {
		want = strings.Join(words[:last], ", ") + " or " + words[last]
	}
	s, ok := r.Scalar(n, key, want)
	switch {
	case !ok:
	case slices.Contains(words, s.Text):
		*w = Word(s.Text)
	default:
		if m := Meant(s.Text, words); m != "" && len(s.Text) > 1 {
			r.Fail(n, "%swant %s, got %s (did you mean %q?)", Label(key), want, s.Describe(), m)
		} else {
			r.Fail(n, "%swant %s, got %s", Label(key), want, s.Describe())
		}
	}
}

func (*Word) shapeTagged(tag reflect.StructTag) Shape {
	words := strings.Fields(tag.Get("words"))
	all := make([]any, len(words))
	for i, w := range words {
		all[i] = w
		if n, err := strconv.ParseFloat(w, 64); err == nil {
			all[i] = n
		}
	}
	return Shape{Word: strings.Join(words, ", "), Schema: AnyOf(Object{"enum": all}, variableShape)}
}

// Int returns a word that is a number, or 0.
func (w Word) Int() int {
	n, _ := strconv.Atoi(string(w))
	return n
}

// Duration is a time with its unit: "2s", "1m30s", "1d".
type Duration time.Duration

// Read implements Value.
func (d *Duration) Read(r *Reader, n *Node, key string) {
	s, ok := r.Scalar(n, key, "a duration")
	if !ok {
		return
	}
	if _, err := strconv.ParseFloat(s.Text, 64); err == nil && s.Text != "" {
		r.Fail(n, `%s%s what? write "%ss" or "%sms"`, Label(key), Short(s.Text), Short(s.Text), Short(s.Text))
		return
	}
	v, err := parseDuration(s.Text)
	switch {
	case s.Tag != "!!str" || err != nil:
		r.Fail(n, `%swant a duration such as "2s", "150ms" or "1m30s", got %s`, Label(key), s.Describe())
	case v <= 0:
		r.Fail(n, "%swant more than nothing, got %s", Label(key), Short(s.Text))
	default:
		*d = Duration(v)
	}
}

// Shape implements Value.
func (Duration) Shape() Shape {
	return Shape{Word: "duration", Def: "duration", Schema: Object{"type": "string", "pattern": `^(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h|d))+$|\$\{`}}
}

var days = regexp.MustCompile(`^([+-]?[0-9]+(?:\.[0-9]*)?)d(.*)$`)

// parseDuration is time.ParseDuration, which knows days too.
func parseDuration(s string) (time.Duration, error) {
	m := days.FindStringSubmatch(s)
	if m == nil {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil || math.Abs(n) > 36500 {
		return 0, errors.New("not a number of days")
	}
	d := time.Duration(n * 24 * float64(time.Hour))
	if m[2] == "" {
		return d, nil
	}
	rest, err := time.ParseDuration(m[2])
	return d + rest, err
}

// SayDuration writes a duration as the file has it: "90s" is "1m30s", "36h" is
// "36h".
func SayDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Address is an address of one of the two schemes of the tag schemes, http and
// https if there is none, whose host is known to be there.
type Address struct{ *url.URL }

func schemes(tag reflect.StructTag) (plain, secure string) {
	plain, secure, _ = strings.Cut(cmp.Or(tag.Get("schemes"), "http https"), " ")
	return plain, secure
}

func (a *Address) readTagged(r *Reader, n *Node, key string, tag reflect.StructTag) {
	plain, secure := schemes(tag)
	a.URL = r.URL(n, key, plain, secure)
}

func (*Address) shapeTagged(tag reflect.StructTag) Shape {
	plain, secure := schemes(tag)
	return Shape{Word: "address", Schema: Object{"type": "string", "pattern": "^(" + plain + "|" + secure + `)://|\$\{`}}
}

// URL returns an address of one of some schemes; nil after an error was told.
func (r *Reader) URL(n *Node, key string, schemes ...string) *url.URL {
	s, ok := r.Text(n, key)
	if !ok {
		return nil
	}
	last := len(schemes) - 1
	any := strings.Join(schemes[:last], ", ") + " or " + schemes[last]
	u, err := url.Parse(s)
	if err != nil && !slices.ContainsFunc(schemes, func(scheme string) bool { return strings.HasPrefix(s, scheme+"://") }) {
		u, err = &url.URL{}, nil // "127.0.0.1:80/x": the error would be of a colon
	}
	if err != nil {
		var why *url.Error
		if errors.As(err, &why) { // its text would quote the address, password and all
			err = why.Err
		}
		r.Fail(n, "%swant an %s address: %s%s", Label(key), any, quotes.ReplaceAllString(err.Error(), ""), Escapes(s))
		return nil
	}
	r.Secrets.AddURL(u)
	switch {
	case !slices.Contains(schemes, u.Scheme):
		instead := ""
		if s != "" && !strings.Contains(s, "://") && !strings.Contains(s, "@") {
			instead = fmt.Sprintf("; write %q", Short(schemes[0]+"://"+s))
		}
		r.Fail(n, `%swant an address that begins with "%s", got %s%s`, Label(key), strings.NewReplacer(", ", `://", "`, " or ", `://" or "`).Replace(any)+"://", Shown(s), instead)
	case u.Hostname() == "":
		r.Fail(n, "%sno host in %s", Label(key), Shown(s))
	case strings.ContainsFunc(u.Host, func(c rune) bool { return c >= utf8.RuneSelf }):
		r.Fail(n, "%sthe host is not plain ASCII: write its xn-- form, got %s", Label(key), Shown(s))
	case !ValidPort(u.Port()):
		r.Fail(n, "%swant a port from 1 to 65535, got %s%s", Label(key), Shown(s), Escapes(s))
	case strings.Contains(u.Fragment, "@"):
		r.Fail(n, `%sa "#" ends an address, and an "@" stands behind it%s`, Label(key), Escapes(s))
	default:
		return u
	}
	return nil
}

// quotes are what the errors of net/url quote: it may be part of a password.
var quotes = regexp.MustCompile(` "(\\.|[^"\\])*"`)

// Shown quotes an address in which there can be no user and password, however
// it is mistyped.
func Shown(address string) string {
	if strings.Contains(address, "@") {
		return `one with an "@", which is not shown here`
	}
	return strconv.Quote(Short(address))
}

// Escapes says what an address with a user and password may lack.
func Escapes(address string) string {
	if !strings.Contains(address, "@") {
		return ""
	}
	return `; in a user or password write "#" as %23, "/" as %2F, "?" as %3F, "@" as %40, ":" as %3A and "%" as %25`
}

// ValidPort reports whether a port is absent or from 1 to 65535.
func ValidPort(port string) bool {
	if port == "" {
		return true
	}
	p, err := strconv.Atoi(port)
	return err == nil && 1 <= p && p <= 65535
}

// Endpoint is "host:port"; without a port it is that of the tag port, if there
// is one.
type Endpoint string

func (e *Endpoint) readTagged(r *Reader, n *Node, key string, tag reflect.StructTag) {
	usual := tag.Get("port")
	if host, port, ok := r.HostPort(n, key, usual); ok {
		*e = Endpoint(net.JoinHostPort(host, cmp.Or(port, usual)))
	}
}

// HostPort reads a host and a port, which can be left out where there is a usual
// one.
func (r *Reader) HostPort(n *Node, key, usual string) (host, port string, ok bool) {
	s, ok := r.Text(n, key)
	if !ok {
		return "", "", false
	}
	example := "db.example:" + cmp.Or(usual, "5432")
	host, port, err := net.SplitHostPort(s)
	bare := err != nil && !strings.Contains(strings.Trim(s, "[]"), ":") || net.ParseIP(strings.Trim(s, "[]")) != nil
	if bare && usual != "" {
		host, err = strings.Trim(s, "[]"), nil
	}
	switch {
	case strings.Contains(s, "://"):
		r.Fail(n, `%swant a host and a port without a scheme, such as %q, got %s`, Label(key), example, Shown(s))
	case err != nil || host == "" || strings.ContainsAny(host, "/@?# \t"):
		r.Fail(n, "%swant a host and a port such as %q, got %s", Label(key), example, Shown(s))
	case strings.ContainsFunc(host, func(c rune) bool { return c >= utf8.RuneSelf }):
		r.Fail(n, "%sthe host is not plain ASCII: write its xn-- form, got %s", Label(key), Shown(s))
	case port == "" && !(bare && usual != "") || !ValidPort(port):
		r.Fail(n, "%swant a port from 1 to 65535, got %s", Label(key), Shown(s))
	default:
		return host, port, true
	}
	return "", "", false
}

func (*Endpoint) shapeTagged(tag reflect.StructTag) Shape {
	return Shape{Word: "host:port", Schema: Object{"type": "string", "minLength": 1}}
}

// Host returns the part before the port.
func (e Endpoint) Host() string {
	host, _, _ := net.SplitHostPort(string(e))
	return host
}

// Host is the name or the address of a machine.
type Host string

// Read implements Value.
func (h *Host) Read(r *Reader, n *Node, key string) {
	s, ok := r.Text(n, key)
	switch {
	case !ok:
	case s == "" || strings.ContainsAny(s, "/@?# \t") || strings.HasPrefix(s, "-") || strings.Contains(s, ":") && net.ParseIP(strings.Trim(s, "[]")) == nil:
		r.Fail(n, "%swant the name or the address of a host, got %s", Label(key), Shown(s))
	case strings.ContainsFunc(s, func(c rune) bool { return c >= utf8.RuneSelf }):
		r.Fail(n, "%sthe host is not plain ASCII: write its xn-- form, got %s", Label(key), Shown(s))
	default:
		*h = Host(strings.Trim(s, "[]"))
	}
}

// Shape implements Value.
func (Host) Shape() Shape {
	return Shape{Word: "host", Schema: Object{"type": "string", "minLength": 1}}
}

// Pattern is a regular expression.
type Pattern struct{ *regexp.Regexp }

// Read implements Value.
func (p *Pattern) Read(r *Reader, n *Node, key string) {
	if s, ok := r.Text(n, key); ok {
		p.Regexp = r.Pattern(n, key, s)
	}
}

// Shape implements Value.
func (Pattern) Shape() Shape { return Text("").Shape() }

// Pattern compiles a regular expression; nil: it is empty or wrong, which has
// been told.
func (r *Reader) Pattern(n *Node, key, s string) *regexp.Regexp {
	if s == "" {
		r.Fail(n, "%swant a regular expression, got nothing", Label(key))
		return nil
	}
	re, err := pharos.CompilePattern(s)
	if err != nil {
		var why *syntax.Error
		if errors.As(err, &why) {
			r.Fail(n, "%s%s in the regular expression %q", Label(key), why.Code, Short(s))
		} else {
			r.Fail(n, "%s%v", Label(key), err)
		}
		return nil
	}
	return re
}

// Patterns is one regular expression or a list of them.
type Patterns []*regexp.Regexp

// Read implements Value.
func (p *Patterns) Read(r *Reader, n *Node, key string) {
	for _, item := range OneOrMore(n) {
		if !r.Enter(item) {
			return
		}
		if s, ok := r.Text(item, key); ok {
			if re := r.Pattern(item, key, s); re != nil {
				*p = append(*p, re)
			}
		}
	}
}

// Shape implements Value.
func (Patterns) Shape() Shape { return Texts(nil).Shape() }

// Dictionary is names and texts, in the file's order.
type Dictionary []Entry

// Entry is one name and its text. Key and Node are where they stand.
type Entry struct {
	Key, Node   *Node
	Name, Value string
}

// Read implements Value.
func (v *Dictionary) Read(r *Reader, n *Node, key string) {
	for _, p := range r.Mapping(n, key) {
		s, ok := r.Scalar(p.Value, key+"."+p.Name, "a text")
		switch {
		case !ok:
		case s.Tag == "!!null" && s.Typed:
			r.Fail(p.Value, `%s.%s: want a text, got nothing: write "" for an empty one`, key, p.Name)
		default:
			*v = append(*v, Entry{p.Key, p.Value, p.Name, s.Text})
		}
	}
}

// Shape implements Value.
func (Dictionary) Shape() Shape {
	return Shape{Word: "names: texts", Def: "dictionary", Schema: Object{"type": "object", "additionalProperties": Object{"type": []string{"string", "number", "boolean"}}}}
}

// ByteSize is a number of bytes, at most maxSize.
type ByteSize int64

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"KB", 1e3}, {"MB", 1e6}, {"B", 1}, {"", 1}}

const maxSize = 64 << 20

// Read implements Value.
func (b *ByteSize) Read(r *Reader, n *Node, key string) {
	s, ok := r.Scalar(n, key, "a size")
	if !ok {
		return
	}
	for _, unit := range sizeUnits {
		digits, fits := strings.CutSuffix(s.Text, unit.suffix)
		if !fits {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil {
			break
		}
		if v *= unit.bytes; !(v >= 1 && v <= maxSize) {
			r.Fail(n, "%swant from 1 byte to 64MiB, got %s", Label(key), Short(s.Text))
			return
		}
		*b = ByteSize(v)
		return
	}
	r.Fail(n, `%swant a size such as "64KB", "1MiB" or a number of bytes, got %s`, Label(key), s.Describe())
}

// Shape implements Value.
func (ByteSize) Shape() Shape {
	return Shape{Word: "size", Def: "size", Schema: AnyOf(Object{"type": "number", "minimum": 1, "maximum": maxSize}, Object{"type": "string", "pattern": `^[0-9.]+ *(KiB|MiB|KB|MB|B)?$|\$\{`})}
}
