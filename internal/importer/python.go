package importer

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// python reads a configuration of the original Pharos, which is a program in Python.
// Nothing of it is run: of its statements those are understood that give a name to
// literals and to watchers.
func python(f *file, data []byte) error {
	p := &pythonReader{text: string(data), names: map[string]any{}}
	for p.skipLines(); !p.end(); p.skipLines() {
		from, line := p.at, p.line()
		if !p.statement() {
			p.at = from
			text := p.rest()
			if text != "" && !strings.HasPrefix(text, "import ") && !strings.HasPrefix(text, "from ") {
				f.note("line %d: %s", line, text)
			}
		}
	}
	for _, name := range []string{"page_title", "title"} {
		if s, ok := p.names[name].(string); ok {
			f.top.set("title", cut(s, maxName))
		}
	}
	for _, name := range []string{"page_tag", "tagline"} {
		if s, ok := p.names[name].(string); ok {
			f.top.set("tagline", cut(s, 200))
		}
	}
	sets, _ := p.names["metric_watcher_sets"].([]any)
	if sets == nil {
		sets, _ = p.names["watcher_sets"].([]any)
	}
	if all, ok := p.names["metric_watchers"].([]any); ok {
		sets = append(sets, &call{name: "WatcherSet", args: []any{"Watchers", all}})
	}
	for _, one := range sets {
		c, ok := one.(*call)
		if !ok || c.last() != "WatcherSet" {
			f.note("a set of watchers that cannot be read: %v", one)
			continue
		}
		name, _ := c.arg(0, "name").(string)
		members, _ := c.arg(1, "watchers").([]any)
		for _, m := range members {
			original(f, orElse(name, "Watchers"), m)
		}
	}
	return nil
}

// original adds a watcher of the original.
func original(f *file, set string, v any) {
	c, ok := v.(*call)
	if !ok {
		f.note("a watcher of the set %s that cannot be read: %v", set, v)
		return
	}
	name, _ := c.arg(0, "name").(string)
	w := f.add(set, name)
	switch url, command := c.arg(-1, "url"), c.arg(-1, "command"); {
	case c.last() == "PageGETMetricWatcher" && url != nil:
		w.keys.set("page", fmt.Sprint(url))
		w.keys.set("status", 200) // and no other, as in the original
		w.keys.set("follow_redirects", false)
	case c.last() == "CommandMetricWatcher" && command != nil:
		w.keys.set("command", fmt.Sprint(command))
	default:
		w.note("%s, a class of the file's own", c.last())
		w.keys.set("command", "false # "+c.last())
		w.keys.set("enabled", false)
	}
	if host, ok := c.arg(-1, "ssh_host").(string); ok {
		w.keys.set("ssh_host", host)
	}
	if ms, ok := number(c.arg(-1, "interval")); ok {
		w.keys.set("interval", interval(time.Duration(ms*float64(time.Millisecond))))
	}
	if bounds, ok := c.arg(-1, "thresholds").([]any); ok && len(bounds) == 3 {
		var triple []any
		slowest := 0.0
		for _, b := range bounds {
			n, ok := number(b)
			if !ok {
				w.note("thresholds %v", bounds)
				triple = nil
				break
			}
			slowest = max(slowest, n)
			triple = append(triple, plain(strconv.FormatFloat(n, 'g', -1, 64)))
		}
		w.keys.set("thresholds", triple)
		if slowest >= 10 { // the usual timeout
			w.keys.set("timeout", seconds(slowest+10))
		}
	}
	for _, k := range c.named {
		switch k.name {
		case "name", "url", "command", "ssh_host", "interval", "thresholds":
		default:
			w.note("%s=%v", k.name, k.value)
		}
	}
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int64:
		return float64(n), true
	}
	return 0, false
}

// call is a call of something with arguments.
type call struct {
	name  string // "pharos.CommandMetricWatcher"
	args  []any
	named keys
}

// String returns the call in short.
func (c *call) String() string { return c.name + "(...)" }

func (c *call) last() string { return c.name[strings.LastIndexByte(c.name, '.')+1:] }

// arg returns an argument by its position (-1: it has none) or its name; nil: none.
func (c *call) arg(i int, name string) any {
	for _, k := range c.named {
		if k.name == name {
			return k.value
		}
	}
	if i >= 0 && i < len(c.args) {
		return c.args[i]
	}
	return nil
}

// pythonReader reads statements, and knows the names that they give.
type pythonReader struct {
	text  string
	at    int
	depth int
	names map[string]any
}

func (p *pythonReader) end() bool { return p.at >= len(p.text) }

func (p *pythonReader) line() int { return strings.Count(p.text[:p.at], "\n") + 1 }

// rest returns what is left of a line, and goes behind it.
func (p *pythonReader) rest() string {
	line, _, _ := strings.Cut(p.text[p.at:], "\n")
	p.at = min(p.at+len(line)+1, len(p.text))
	return strings.TrimSpace(line)
}

// skip goes over spaces and comments; within brackets over ends of lines, too.
func (p *pythonReader) skip(lines bool) {
	for !p.end() {
		switch c := p.text[p.at]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || lines && c == '\n':
			p.at++
		case c == '\\' && strings.HasPrefix(p.text[p.at+1:], "\n"):
			p.at += 2
		case c == '#':
			if i := strings.IndexByte(p.text[p.at:], '\n'); i >= 0 {
				p.at += i
			} else {
				p.at = len(p.text)
			}
		default:
			return
		}
	}
}

func (p *pythonReader) skipLines() { p.skip(true) }

func (p *pythonReader) take(s string) bool {
	if !strings.HasPrefix(p.text[p.at:], s) {
		return false
	}
	p.at += len(s)
	return true
}

func (p *pythonReader) name() string {
	from := p.at
	for !p.end() {
		c := rune(p.text[p.at])
		if c != '_' && !unicode.IsLetter(c) && !(unicode.IsDigit(c) && p.at > from) && !(c == '.' && p.at > from) {
			break
		}
		p.at++
	}
	return p.text[from:p.at]
}

// statement reads one statement that is understood.
func (p *pythonReader) statement() bool {
	if strings.HasPrefix(p.text[p.at:], `"`) || strings.HasPrefix(p.text[p.at:], "'") { // a text that explains
		_, ok := p.expression(false)
		return ok && p.endOfLine()
	}
	name := p.name()
	p.skip(false)
	list, method, _ := strings.Cut(name, ".")
	switch {
	case name == "" || name == "import" || name == "from":
		return false
	case p.take("+="):
		v, ok := p.expression(false)
		old, isList := p.names[name].([]any)
		more, isMore := v.([]any)
		if !ok || !isList || !isMore || !p.endOfLine() {
			return false
		}
		p.names[name] = append(old, more...)
		return true
	case strings.HasPrefix(p.text[p.at:], "=") && !strings.HasPrefix(p.text[p.at:], "=="):
		p.at++
		v, ok := p.expression(false)
		if !ok || !p.endOfLine() {
			return false
		}
		p.names[name] = v
		return true
	case method == "append" || method == "extend":
		args, _, ok := p.arguments()
		old, isList := p.names[list].([]any)
		if !ok || !isList || len(args) != 1 || !p.endOfLine() {
			return false
		}
		if more, isMore := args[0].([]any); method == "extend" && isMore {
			p.names[list] = append(old, more...)
		} else {
			p.names[list] = append(old, args[0])
		}
		return true
	}
	return false
}

func (p *pythonReader) endOfLine() bool {
	p.skip(false)
	return p.end() || p.take("\n") || p.take(";")
}

// maxDepth is how deep brackets go.
const maxDepth = 100

// expression reads a literal, a name, a call, or texts that are joined.
func (p *pythonReader) expression(inside bool) (v any, ok bool) {
	if p.depth++; p.depth > maxDepth {
		return nil, false
	}
	defer func() { p.depth-- }()
	v, ok = p.operand(inside)
	for ok {
		p.skip(inside)
		switch {
		case p.take("+"):
			right, fine := p.operand(inside)
			left, isText := v.(string)
			more, isMore := right.(string)
			if items, isList := v.([]any); isList {
				others, areList := right.([]any)
				v, ok = append(append([]any(nil), items...), others...), fine && areList
				continue
			}
			v, ok = left+more, fine && isText && isMore
		case !p.end() && strings.IndexByte("%*/.[<>|&", p.text[p.at]) >= 0, p.operator("if"), p.operator("for"), p.operator("or"), p.operator("and"):
			return nil, false // to know what it comes to, it would have to be run
		default:
			return v, true
		}
	}
	return nil, false
}

func (p *pythonReader) operator(word string) bool {
	rest := p.text[p.at:]
	return strings.HasPrefix(rest, word) && len(rest) > len(word) && (rest[len(word)] == ' ' || rest[len(word)] == '(')
}

func (p *pythonReader) operand(inside bool) (any, bool) {
	p.skip(inside)
	if p.end() {
		return nil, false
	}
	switch c := p.text[p.at]; {
	case c == '[':
		p.at++
		items, _, ok := p.items("]")
		return items, ok
	case c == '(':
		p.at++
		items, single, ok := p.items(")")
		if ok && single { // brackets around one value
			return items[0], true
		}
		return items, ok
	case c == '"' || c == '\'':
		return p.texts(inside)
	case c == '-' || c >= '0' && c <= '9' || c == '.':
		return p.number()
	}
	from := p.at
	name := p.name()
	if prefix := strings.ToLower(name); len(prefix) <= 2 && strings.Trim(prefix, "rub") == "" && !p.end() && (p.text[p.at] == '"' || p.text[p.at] == '\'') {
		p.at = from
		return p.texts(inside)
	}
	switch name {
	case "":
		return nil, false
	case "True", "False":
		return name == "True", true
	case "None":
		return nil, true
	}
	if !p.end() && p.text[p.at] == '(' {
		args, named, ok := p.arguments()
		return &call{name, args, named}, ok
	}
	v, known := p.names[name]
	return v, known
}

// items reads the items of a list or a tuple to its end; single: it is one without a
// comma.
func (p *pythonReader) items(end string) (items []any, single, ok bool) {
	items = []any{}
	for comma := true; ; {
		p.skip(true)
		if p.take(end) {
			return items, len(items) == 1 && !comma, true
		}
		if !comma {
			return nil, false, false
		}
		v, ok := p.expression(true)
		if !ok {
			return nil, false, false
		}
		items = append(items, v)
		p.skip(true)
		comma = p.take(",")
	}
}

// arguments reads those of a call.
func (p *pythonReader) arguments() (args []any, named keys, ok bool) {
	if !p.take("(") {
		return nil, nil, false
	}
	for comma := true; ; {
		p.skip(true)
		if p.take(")") {
			return args, named, true
		}
		if !comma {
			return nil, nil, false
		}
		from := p.at
		name := p.name()
		p.skip(true)
		isNamed := name != "" && strings.HasPrefix(p.text[p.at:], "=") && !strings.HasPrefix(p.text[p.at:], "==")
		if isNamed {
			p.at++
		} else {
			p.at = from
		}
		v, ok := p.expression(true)
		switch {
		case !ok:
			return nil, nil, false
		case isNamed:
			named = append(named, pair{name, v})
		default:
			args = append(args, v)
		}
		p.skip(true)
		comma = p.take(",")
	}
}

// texts reads one text, or several that stand beside each other.
func (p *pythonReader) texts(inside bool) (any, bool) {
	var all strings.Builder
	for {
		from := p.at
		prefix := strings.ToLower(p.name())
		if p.end() || p.text[p.at] != '"' && p.text[p.at] != '\'' {
			p.at = from
			return all.String(), true
		}
		s, ok := p.one(strings.Contains(prefix, "r"))
		if !ok {
			return nil, false
		}
		all.WriteString(s)
		p.skip(inside)
	}
}

// one reads one text.
func (p *pythonReader) one(raw bool) (string, bool) {
	quote := p.text[p.at : p.at+1]
	if strings.HasPrefix(p.text[p.at:], strings.Repeat(quote, 3)) {
		quote = strings.Repeat(quote, 3)
	}
	p.at += len(quote)
	var s strings.Builder
	for !p.end() {
		if p.take(quote) {
			return s.String(), true
		}
		c := p.text[p.at]
		if c == '\n' && len(quote) == 1 {
			return "", false
		}
		if c != '\\' || p.at+1 >= len(p.text) {
			s.WriteByte(c)
			p.at++
			continue
		}
		next := p.text[p.at+1]
		p.at += 2
		switch {
		case raw:
			s.WriteByte('\\')
			s.WriteByte(next)
		case next == '\n':
		case next == 'x' && p.at+2 <= len(p.text):
			n, err := strconv.ParseUint(p.text[p.at:p.at+2], 16, 8)
			if err != nil {
				return "", false
			}
			s.WriteByte(byte(n))
			p.at += 2
		default:
			if i := strings.IndexByte("ntr\\'\"", next); i >= 0 {
				s.WriteByte("\n\t\r\\'\""[i])
			} else {
				s.WriteByte('\\')
				s.WriteByte(next)
			}
		}
	}
	return "", false
}

func (p *pythonReader) number() (any, bool) {
	from := p.at
	for p.take("-") {
	}
	for !p.end() && (strings.IndexByte("0123456789._eE", p.text[p.at]) >= 0 || strings.IndexByte("+-", p.text[p.at]) >= 0 && strings.IndexByte("eE", p.text[p.at-1]) >= 0) {
		p.at++
	}
	text := strings.ReplaceAll(p.text[from:p.at], "_", "")
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}
