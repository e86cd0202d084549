package probe

import (
	"cmp"
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"

	"pharos/internal/pharos"
	"pharos/internal/redact"
)

// running is what to run and where its output goes.
type running struct {
	program string // empty: argv[0], where the prober's programs are
	argv    []string
	env     []string // nil: what may be inherited of the prober's own
	dir     string   // empty: the prober's own
	input   string   // standard input, which then stays open to the end; empty: /dev/null
	shown   *capture // standard error, and standard output unless apart
	said    *capture // standard output alone; may be nil
	apart   bool
}

// run runs a program to its end, or to that of ctx, when it and all that it
// started are killed. An error means that it was not started, or, as a
// *stuckError, that a process of it cannot be killed.
func (e *Engine) run(ctx context.Context, what running) (*os.ProcessState, error) {
	cmd := exec.CommandContext(ctx, cmp.Or(what.program, what.argv[0]))
	cmd.Args, cmd.Env, cmd.Dir = what.argv, what.env, what.dir
	out, outEnd, err := newPipe(func(b []byte) {
		if !what.apart {
			what.shown.add(b)
		}
		if what.said != nil {
			what.said.add(b)
		}
	})
	if err != nil {
		return nil, err
	}
	defer out.finish()
	cmd.Stdout, cmd.Stderr = outEnd, outEnd
	errs := out // one pipe, so that the order is kept
	if what.said != nil {
		var errsEnd *os.File
		if errs, errsEnd, err = newPipe(what.shown.add); err != nil {
			outEnd.Close()
			return nil, err
		}
		defer errs.finish()
		cmd.Stderr = errsEnd
	}
	endInput, err := feed(cmd, what.input)
	if err != nil {
		closeEnds(cmd)
		return nil, err
	}
	defer endInput()
	c, err := e.reaper.start(cmd, true)
	closeEnds(cmd)
	if err != nil {
		return nil, err
	}
	state, err := e.reaper.wait(ctx, c)
	out.finish()
	errs.finish()
	return state, err
}

// slack is how much more of a text is kept than is shown of it: the longest
// secret that is known for one where the cut goes through it.
const slack = 4 << 10

// closeEnds closes the ends of the pipes that are the child's.
func closeEnds(cmd *exec.Cmd) {
	for _, end := range []any{cmd.Stdin, cmd.Stdout, cmd.Stderr} {
		if f, ok := end.(*os.File); ok && f != nil {
			f.Close()
		}
	}
}

// feed gives cmd an input that stays open until end is called.
func feed(cmd *exec.Cmd, input string) (end func(), err error) {
	if input == "" {
		return func() {}, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdin = r
	var writing sync.WaitGroup
	writing.Go(func() { io.WriteString(w, input) }) // a child that ends before it has read all says why itself
	return func() {
		w.Close()
		writing.Wait()
	}, nil
}

// capture keeps the beginning and the end of an output. The zero value keeps
// as much as a detail can show, and the slack.
type capture struct {
	most int // bytes of the head, which then is all that is kept; 0: as above

	mu      sync.Mutex // guards what follows, while the program runs
	head    []byte
	tail    []byte // at most twice keptTail
	dropped bool
}

const (
	shownHead, keptHead = 3 << 10, shownHead + slack
	shownTail, keptTail = 900, shownTail + slack
)

func (c *capture) add(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := c.most
	if most == 0 {
		most = keptHead
	}
	n := min(len(b), most-len(c.head))
	c.head = append(c.head, b[:n]...)
	switch b = b[n:]; {
	case len(b) == 0:
		return
	case c.most > 0:
		c.dropped = true
		return
	case len(b) > keptTail:
		b, c.tail, c.dropped = b[len(b)-keptTail:], c.tail[:0], true
	}
	if c.tail = append(c.tail, b...); len(c.tail) > 2*keptTail {
		c.tail = append(c.tail[:0], c.tail[len(c.tail)-keptTail:]...)
		c.dropped = true
	}
}

// text returns the head and the tail, and a mark where something is missing
// between them, without secrets.
func (c *capture) text(r *redact.Redactor) string {
	head, tail := asShown(string(c.head)), asShown(string(c.tail))
	if !c.dropped {
		whole := asShown(string(c.head) + string(c.tail))
		if len(whole) <= shownHead+shownTail {
			return r.Text(whole)
		}
		head, tail = whole, whole
	}
	return r.Part(head, 0, min(len(head), shownHead)) + "\n" + pharos.Ellipsis + "\n" + r.Part(tail, max(0, len(tail)-shownTail), len(tail))
}

// escapes are what tells a terminal of colours, titles and cursors.
var escapes = regexp.MustCompile(`\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])|\x{9b}[0-?]*[ -/]*[@-~]`)

// asShown returns an output as a terminal leaves it to be seen: without colours,
// and without what a carriage return has overwritten.
func asShown(s string) string {
	if !strings.ContainsAny(s, "\x1b\r\u009b") {
		return s
	}
	s = strings.ReplaceAll(escapes.ReplaceAllString(s, ""), "\r\n", "\n")
	if !strings.Contains(s, "\r") {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		lines[i] = line[strings.LastIndexByte(line, '\r')+1:]
	}
	return strings.Join(lines, "\n")
}

// firstLine returns the first line that is not empty, cut to a summary,
// without secrets.
func (c *capture) firstLine(r *redact.Redactor) string {
	head := asShown(string(c.head))
	for line := range strings.Lines(r.Part(head, 0, min(len(head), shownHead))) {
		if line = strings.TrimSpace(line); line != "" {
			return pharos.CleanLine(line, 200)
		}
	}
	return ""
}

// lastLine is firstLine for the last one.
func (c *capture) lastLine(r *redact.Redactor) string {
	text := strings.TrimSpace(c.text(r))
	return pharos.CleanLine(text[strings.LastIndexByte(text, '\n')+1:], 200)
}
