package pharos

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// The schedule's defaults and bounds.
const (
	DefaultInterval = 2 * time.Second
	MinInterval     = 100 * time.Millisecond
	DefaultTimeout  = 10 * time.Second
)

// Watcher is one thing to look at, and how; the file says it, after defaults
// and checks. Just one of Page and Command is set.
type Watcher struct {
	ID       WatcherID // of tokens
	Set      string    // human name
	Name     string    // human name
	Interval time.Duration
	Timeout  time.Duration
	// Thresholds are on the value, in the value's unit; those of a page's time
	// are seconds.
	Thresholds Thresholds
	// PhaseThresholds are on the phases of a page, in seconds, in the order of
	// PhaseNames.
	PhaseThresholds [len(PhaseNames)]Thresholds
	Fall            int    // bad runs in a row before it is critical; before: warning. At least 1.
	Rise            int    // good runs in a row before it is ok again; before: warning. At least 1.
	SSHHost         string // run there, through the system's ssh; empty: here
	Reference       bool   // of the prober's own network: when it fails too, the prober is cut off
	Page            *Page
	Command         *Command
}

// Kind returns "page" or "command".
func (w *Watcher) Kind() string {
	if w.Page != nil {
		return "page"
	}
	return "command"
}

// Page is a GET (or another method) as a new visitor makes it.
type Page struct {
	URL             string
	Method          string // "GET" where the file is silent
	Headers         []Header
	Body            string
	User, Password  string // basic auth, where User is not empty
	Bearer          string // token, where not empty
	Status          []StatusRange
	FollowRedirects bool // at most 10
	Match           []*regexp.Regexp
	NotMatch        []*regexp.Regexp
	MaxBody         int64 // bytes of the body that are read
	KeepAlive       bool  // keep the connection between runs
	IP              int   // 4, 6 or 0: either
	TLS             TLS
}

// Header is one header of a request, in the file's order.
type Header struct{ Name, Value string }

// StatusRange is a range of HTTP status codes, both ends included.
type StatusRange struct{ Low, High int }

// TLS says how a page's certificate is checked. Files are read once, when the
// watcher is prepared.
type TLS struct {
	Insecure   bool   // any certificate will do
	CAFile     string // PEM
	ServerName string // instead of the address's host
	ClientCert string // PEM file
	ClientKey  string // PEM file
}

// Command is a program to run.
type Command struct {
	Shell   string         // through sh -c, or
	Args    []string       // exec as it is
	Env     []string       // "NAME=value", on top of the prober's own
	Dir     string         // working directory; empty: the prober's
	Number  bool           // the value is the first number of the output
	Pattern *regexp.Regexp // or the first group of this; neither: the exit code
	Unit    string         // of the value
}

// Same reports whether two watchers are looked at in just the same way.
func (w *Watcher) Same(o *Watcher) bool {
	a, boundsA := w.withoutBounds()
	b, boundsB := o.withoutBounds()
	return boundsA == boundsB && reflect.DeepEqual(a, b)
}

// withoutBounds returns the watcher without its bounds, and those as text:
// NaN, which stands for none, is not equal to itself.
func (w *Watcher) withoutBounds() (Watcher, string) {
	bare := *w
	bare.Thresholds, bare.PhaseThresholds = Thresholds{}, [len(PhaseNames)]Thresholds{}
	return bare, fmt.Sprint(w.Thresholds, w.PhaseThresholds)
}

// TargetText returns what is looked at, in words: an address, a command line, and
// before it the host that it is looked at from.
func (w *Watcher) TargetText() string {
	var s string
	switch {
	case w.Page != nil:
		s = w.Page.URL
	case w.Command.Shell != "":
		s = w.Command.Shell
	default:
		s = strings.Join(w.Command.Args, " ")
	}
	if w.SSHHost != "" {
		s = w.SSHHost + ": " + s
	}
	return s
}
