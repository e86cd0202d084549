package config

import (
	"errors"
	"math"
	"net/url"
	"path/filepath"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"gopkg.in/yaml.v3"

	"pharos/internal/pharos"
)

// maxNameRunes is the longest name of a site, prober, set or watcher.
const maxNameRunes = 80

// text is any text.
type text string

func (t *text) read(r *reader, n *yaml.Node, key string) {
	if s, ok := r.text(n, key); ok {
		*t = text(s)
	}
}

func (r *reader) text(n *yaml.Node, key string) (string, bool) {
	s, ok := r.scalar(n, key, "a text")
	if !ok {
		return "", false
	}
	if s.typed && s.tag != "!!str" {
		switch s.tag {
		case "!!null":
			r.fail(n, "%swant a text, got nothing", label(key))
		default:
			r.fail(n, "%swant a text, got %s: write %q, in quotes", label(key), s.describe(), s.text)
		}
		return "", false
	}
	if strings.ContainsRune(s.text, 0) {
		r.fail(n, "%sa text cannot hold a zero byte", label(key))
		return "", false
	}
	return s.text, true
}

// secret is a text that nobody is to see.
type secret string

func (t *secret) read(r *reader, n *yaml.Node, key string) {
	s, ok := r.scalar(n, key, "a text")
	if !ok {
		return
	}
	if s.tag != "!!bool" && s.tag != "!!null" { // which are no secret, but words of our messages
		r.secrets.Add(s.text) // whatever is wrong with it
	}
	if s.typed && s.tag != "!!str" && s.tag != "!!null" {
		r.fail(n, "%swant a text, got %s: write it in quotes", label(key), s.kind())
		return
	}
	if text, ok := r.text(n, key); ok {
		*t = secret(text)
	}
}

// path is a file or folder; a relative one starts at the configuration's
// folder.
type path string

func (p *path) read(r *reader, n *yaml.Node, key string) {
	s, ok := r.text(n, key)
	switch {
	case !ok:
	case s == "":
		r.fail(n, "%sa path cannot be empty", label(key))
	default:
		*p = path(r.fromHere(s))
	}
}

// StoreMemory is the word that stands for no folder at all in nats.store_dir.
const StoreMemory = "memory"

// storeDir is a folder or StoreMemory. A folder of that name is "./memory".
type storeDir string

func (d *storeDir) read(r *reader, n *yaml.Node, key string) {
	s, ok := r.text(n, key)
	switch {
	case !ok:
	case s == "":
		r.fail(n, "%sa path cannot be empty", label(key))
	case s == StoreMemory:
		*d = StoreMemory
	default:
		if *d = storeDir(r.fromHere(s)); *d == StoreMemory {
			*d = "./" + *d
		}
	}
}

// fromHere returns a path as it is seen from the working directory.
func (r *reader) fromHere(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(r.file), path)
}

// line is a text for one line of the board.
type line string

func (t *line) read(r *reader, n *yaml.Node, key string) {
	if s, ok := r.line(n, key); ok {
		*t = line(s)
	}
}

func (r *reader) line(n *yaml.Node, key string) (string, bool) {
	s, ok := r.text(n, key)
	if !ok {
		return "", false
	}
	s = norm.NFC.String(s)
	if err := checkLine(s); err != nil {
		r.fail(n, "%s%v", label(key), err)
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
		return errors.New("control characters in " + strconv.QuoteToASCII(short(s)))
	}
	return nil
}

// name is a human name, of which a token is made.
type name string

func (t *name) read(r *reader, n *yaml.Node, key string) {
	s, ok := r.line(n, key)
	if !ok {
		return
	}
	if err := checkName(s); err != nil {
		r.fail(n, "%s%v", label(key), err)
		return
	}
	*t = name(s)
}

func checkName(s string) error {
	if s == "" {
		return errors.New("a name cannot be empty")
	}
	if n := utf8.RuneCountInString(s); n > maxNameRunes {
		return errors.New("want at most " + strconv.Itoa(maxNameRunes) + " characters, got " + strconv.Itoa(n))
	}
	return checkLine(s)
}

// yesNo is true or false.
type yesNo bool

func (f *yesNo) read(r *reader, n *yaml.Node, key string) {
	s, ok := r.scalar(n, key, "true or false")
	if !ok {
		return
	}
	b, err := strconv.ParseBool(strings.ToLower(s.text))
	if s.tag != "!!bool" || err != nil {
		r.fail(n, "%swant true or false, got %s", label(key), s.describe())
		return
	}
	*f = yesNo(b)
}

// count is a whole number from 1 to a million.
type count int

func (c *count) read(r *reader, n *yaml.Node, key string) {
	s, ok := r.scalar(n, key, "a whole number")
	if !ok {
		return
	}
	v, err := strconv.Atoi(s.text)
	if s.tag != "!!int" || err != nil || v < 1 || v > 1_000_000 {
		r.fail(n, "%swant a whole number from 1 to 1000000, got %s", label(key), s.describe())
		return
	}
	*c = count(v)
}

// ipVersion is 4, 6 or 0: either.
type ipVersion int

func (v *ipVersion) read(r *reader, n *yaml.Node, key string) {
	s, ok := r.scalar(n, key, "4 or 6")
	if !ok {
		return
	}
	if s.tag != "!!int" || s.text != "4" && s.text != "6" {
		r.fail(n, "%swant 4 or 6, got %s", label(key), s.describe())
		return
	}
	*v = ipVersion(s.text[0] - '0')
}

// duration is a time with its unit.
type duration time.Duration

func (d *duration) read(r *reader, n *yaml.Node, key string) {
	s, ok := r.scalar(n, key, "a duration")
	if !ok {
		return
	}
	v, ok := r.duration(s, key)
	if !ok {
		return
	}
	if v <= 0 {
		r.fail(n, "%swant more than nothing, got %s", label(key), short(s.text))
		return
	}
	*d = duration(v)
}

func (r *reader) duration(s scalar, key string) (time.Duration, bool) {
	if _, err := strconv.ParseFloat(s.text, 64); err == nil && s.text != "" {
		r.fail(s.node, `%s%s what? write "%ss" or "%sms"`, label(key), short(s.text), short(s.text), short(s.text))
		return 0, false
	}
	v, err := time.ParseDuration(s.text)
	if s.tag != "!!str" || err != nil {
		r.fail(s.node, `%swant a duration such as "2s", "150ms" or "1m30s", got %s`, label(key), s.describe())
		return 0, false
	}
	return v, true
}

// boundKind is the way in which a bound is written.
type boundKind uint8

const (
	boundMissing boundKind = iota
	boundNumber            // 5
	boundTime              // 5s; the value is in seconds
	boundPercent           // 20%
)

// bound is one threshold as it is written.
type bound struct {
	node  *yaml.Node
	text  string
	kind  boundKind
	value float64
}

func (b *bound) read(r *reader, n *yaml.Node, key string) {
	s, ok := r.scalar(n, key, "a number or duration")
	if !ok {
		return
	}
	digits, percent := strings.CutSuffix(s.text, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	switch {
	case err == nil && (math.IsInf(v, 0) || math.IsNaN(v) || math.Abs(v) > 1e18):
		r.fail(n, "%s%s is beyond what a value can be", label(key), short(s.text))
	case err == nil && percent:
		*b = bound{n, s.text, boundPercent, v}
	case err == nil:
		*b = bound{n, s.text, boundNumber, v}
	default:
		if d, err := time.ParseDuration(s.text); s.tag == "!!str" && err == nil {
			*b = bound{n, s.text, boundTime, d.Seconds()}
			return
		}
		r.fail(n, `%swant a number, a duration such as "150ms" or a percentage, got %s`, label(key), s.describe())
	}
}

// thresholds are the mapping of thresholdKeys, or the triple [too_fast,
// warning, critical], in seconds on a page.
type thresholds struct {
	thresholdKeys
	triple bool
}

func (t *thresholds) read(r *reader, n *yaml.Node, key string) {
	target := resolve(n)
	if target.Kind != yaml.SequenceNode {
		r.read(n, key, fieldOf(&t.thresholdKeys))
		return
	}
	t.place(n, nil)
	if len(target.Content) != 3 {
		r.fail(n, "%swant three numbers, [too_fast, warning, critical], got %d", label(key), len(target.Content))
		return
	}
	t.triple = true
	for i, b := range []*bound{&t.TooFast, &t.Warning, &t.Critical} {
		b.read(r, target.Content[i], key)
		if b.kind != boundMissing && b.kind != boundNumber {
			r.fail(target.Content[i], "%sthe triple holds plain numbers, seconds on a page; got %q", label(key), b.text)
			*b = bound{}
		}
	}
	if t.TooFast.value == 0 { // the original's way to say none
		t.TooFast = bound{}
	}
}

// phases are the bounds of a page's phases, in the order of pharos.PhaseNames.
func (t *thresholdKeys) phases() [len(pharos.PhaseNames)]*phaseBounds {
	return [...]*phaseBounds{&t.Lookup, &t.Connect, &t.TLS, &t.FirstByte, &t.Transfer}
}

// address is the http or https address of a page, whose host is known to be
// there.
type address struct{ *url.URL }

func (a *address) read(r *reader, n *yaml.Node, key string) {
	s, ok := r.text(n, key)
	if !ok {
		return
	}
	u, err := url.Parse(s)
	if err != nil {
		var why *url.Error
		if errors.As(err, &why) { // its text would quote the address, password and all
			err = why.Err
		}
		r.fail(n, "%swant an http or https address: %s%s", label(key), quotes.ReplaceAllString(err.Error(), ""), escapes(s))
		return
	}
	r.secrets.AddURL(u)
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		r.fail(n, `%swant an address that begins with "http://" or "https://", got %s`, label(key), shown(s))
	case u.Hostname() == "":
		r.fail(n, "%sno host in %s", label(key), shown(s))
	case strings.ContainsFunc(u.Host, func(c rune) bool { return c >= utf8.RuneSelf }):
		r.fail(n, "%sthe host is not plain ASCII: write its xn-- form, got %s", label(key), shown(s))
	case !validPort(u.Port()):
		r.fail(n, "%swant a port from 1 to 65535, got %s%s", label(key), shown(s), escapes(s))
	case strings.Contains(u.Fragment, "@"):
		r.fail(n, `%sa "#" ends an address, and an "@" stands behind it%s`, label(key), escapes(s))
	default:
		a.URL = u
	}
}

// quotes are what the errors of net/url quote: it may be part of a password.
var quotes = regexp.MustCompile(` "(\\.|[^"\\])*"`)

// shown quotes an address in which there can be no user and password, however
// it is mistyped.
func shown(address string) string {
	if strings.Contains(address, "@") {
		return `one with an "@", which is not shown here`
	}
	return strconv.Quote(short(address))
}

// escapes says what an address with a user and password may lack.
func escapes(address string) string {
	if !strings.Contains(address, "@") {
		return ""
	}
	return `; in a user or password write "#" as %23, "/" as %2F, "?" as %3F, "@" as %40, ":" as %3A and "%" as %25`
}

func validPort(port string) bool {
	if port == "" {
		return true
	}
	p, err := strconv.Atoi(port)
	return err == nil && 1 <= p && p <= 65535
}

// brokers are one or more addresses of NATS, separated by commas.
type brokers string

func (b *brokers) read(r *reader, n *yaml.Node, key string) {
	s, ok := r.text(n, key)
	if !ok {
		return
	}
	for one := range strings.SplitSeq(s, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		got := shown(s)
		if !strings.Contains(s, "@") { // else a comma may have cut a password
			got = shown(strings.TrimSpace(one))
		}
		switch {
		case err != nil:
			r.fail(n, `%swant addresses such as "nats://broker:4222", separated by commas%s`, label(key), escapes(s))
			return
		case u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss", u.Hostname() == "":
			r.fail(n, `%swant addresses such as "nats://broker:4222" (or tls://, ws://, wss://), got %s`, label(key), got)
			return
		case !validPort(u.Port()):
			r.fail(n, "%swant a port from 1 to 65535, got %s%s", label(key), got, escapes(s))
			return
		}
		r.secrets.AddURL(u)
		if u.User != nil {
			if _, ok := u.User.Password(); !ok { // nats://token@host
				r.secrets.Add(u.User.Username())
			}
		}
	}
	*b = brokers(s)
}

// command is a shell's line, or a program and its arguments.
type command struct {
	shell string
	args  []string
}

func (c *command) read(r *reader, n *yaml.Node, key string) {
	if target := resolve(n); target.Kind == yaml.SequenceNode {
		args, ok := r.texts(target.Content, key)
		switch {
		case !ok:
		case len(args) == 0 || args[0] == "":
			r.fail(n, "%swant a program, got nothing", label(key))
		default:
			c.args = args
		}
		return
	}
	s, ok := r.text(n, key)
	if ok && strings.TrimSpace(s) == "" {
		r.fail(n, "%swant a command, got nothing", label(key))
		return
	}
	c.shell = s
}

func (r *reader) texts(items []*yaml.Node, key string) ([]string, bool) {
	all := make([]string, 0, len(items))
	for _, item := range items {
		if !r.enter(item) {
			return nil, false
		}
		s, ok := r.text(item, key)
		if !ok {
			return nil, false
		}
		all = append(all, s)
	}
	return all, true
}

// valueRule says what a command's value is: neither number nor pattern is the
// exit code, if it is not a mistake that has been told.
type valueRule struct {
	exitCode bool
	number   bool
	pattern  *regexp.Regexp
}

type patternKey struct {
	section
	Pattern text `yaml:"pattern" doc:"A regular expression (RE2); its first group is the value." required:"true"`
}

func (v *valueRule) read(r *reader, n *yaml.Node, key string) {
	if resolve(n).Kind == yaml.MappingNode {
		var p patternKey
		r.read(n, key, fieldOf(&p))
		switch re := r.pattern(p.at("pattern"), key+".pattern", string(p.Pattern)); {
		case re == nil:
		case re.NumSubexp() == 0:
			r.fail(p.at("pattern"), `%s.pattern: no group in %q: put what is the value into brackets, as in "lag=(\\d+)"`, key, string(p.Pattern))
		default:
			v.pattern = re
		}
		return
	}
	s, ok := r.scalar(n, key, "exit_code, number or {pattern: ...}")
	switch {
	case !ok:
	case s.text == "exit_code":
		v.exitCode = true
	case s.text == "number":
		v.number = true
	default:
		r.fail(n, `%swant exit_code, number or {pattern: "..."}, got %s`, label(key), s.describe())
	}
}

// pattern compiles a regular expression; nil: it is empty or wrong, which has
// been told.
func (r *reader) pattern(n *yaml.Node, key, s string) *regexp.Regexp {
	if s == "" {
		r.fail(n, "%swant a regular expression, got nothing", label(key))
		return nil
	}
	re, err := pharos.CompilePattern(s)
	if err != nil {
		var why *syntax.Error
		if errors.As(err, &why) {
			r.fail(n, "%s%s in the regular expression %q", label(key), why.Code, short(s))
		} else {
			r.fail(n, "%s%v", label(key), err)
		}
		return nil
	}
	return re
}

// patterns is one regular expression or a list of them.
type patterns []*regexp.Regexp

func (p *patterns) read(r *reader, n *yaml.Node, key string) {
	for _, item := range oneOrMore(n) {
		if !r.enter(item) {
			return
		}
		if s, ok := r.text(item, key); ok {
			if re := r.pattern(item, key, s); re != nil {
				*p = append(*p, re)
			}
		}
	}
}

// oneOrMore returns the items of a list, or the node itself.
func oneOrMore(n *yaml.Node) []*yaml.Node {
	if target := resolve(n); target.Kind == yaml.SequenceNode {
		return target.Content
	}
	return []*yaml.Node{n}
}

// statuses are status codes and ranges of them, or just one.
type statuses []pharos.StatusRange

func (all *statuses) read(r *reader, n *yaml.Node, key string) {
	items := oneOrMore(n)
	if len(items) == 0 {
		r.fail(n, "%swant at least one status code", label(key))
	}
	for _, item := range items {
		if !r.enter(item) {
			return
		}
		s, ok := r.scalar(item, key, "a status code")
		if !ok {
			continue
		}
		from, to, ranged := strings.Cut(s.text, "-")
		if !ranged {
			to = from
		}
		low, err1 := strconv.Atoi(strings.TrimSpace(from))
		high, err2 := strconv.Atoi(strings.TrimSpace(to))
		switch {
		case err1 != nil || err2 != nil || low < 100 || high > 599:
			r.fail(item, `%swant status codes from 100 to 599 or ranges such as "301-303", got %s`, label(key), s.describe())
		case low > high:
			r.fail(item, "%sthe range %q is upside down", label(key), s.text)
		default:
			*all = append(*all, pharos.StatusRange{Low: low, High: high})
		}
	}
}

// dictionary is names and texts, in the file's order.
type dictionary []entry

type entry struct {
	key, node   *yaml.Node
	name, value string
}

func (v *dictionary) read(r *reader, n *yaml.Node, key string) {
	for _, p := range r.mapping(n, key) {
		s, ok := r.scalar(p.value, key+"."+p.name, "a text")
		switch {
		case !ok:
		case s.tag == "!!null" && s.typed:
			r.fail(p.value, `%s.%s: want a text, got nothing: write "" for an empty one`, key, p.name)
		default:
			*v = append(*v, entry{p.key, p.value, p.name, s.text})
		}
	}
}

// byteSize is a number of bytes.
type byteSize int64

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"KB", 1e3}, {"MB", 1e6}, {"B", 1}, {"", 1}}

const maxBody = 64 << 20

func (b *byteSize) read(r *reader, n *yaml.Node, key string) {
	s, ok := r.scalar(n, key, "a size")
	if !ok {
		return
	}
	for _, unit := range sizeUnits {
		digits, fits := strings.CutSuffix(s.text, unit.suffix)
		if !fits {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil {
			break
		}
		if v *= unit.bytes; !(v >= 1 && v <= maxBody) {
			r.fail(n, "%swant from 1 byte to 64MiB, got %s", label(key), short(s.text))
			return
		}
		*b = byteSize(v)
		return
	}
	r.fail(n, `%swant a size such as "64KB", "1MiB" or a number of bytes, got %s`, label(key), s.describe())
}
