package pharos

import (
	"reflect"
	"time"
)

// The schedule's defaults and bounds.
const (
	DefaultInterval = 2 * time.Second
	MinInterval     = 100 * time.Millisecond
	DefaultTimeout  = 10 * time.Second
)

// Watcher is one thing that is watched, and how; the file says it, after
// defaults and checks. It has more than ten fields because it is what the file
// says, key by key.
type Watcher struct {
	ID          WatcherID // of tokens
	Set         string    // human name
	Name        string    // human name
	Description string    // for people; may be empty
	Link        string    // http or https address of a page for people; may be empty
	Interval    time.Duration
	Timeout     time.Duration
	Bounds      Bounds
	SSHHost     string // run there, through the system's ssh; empty: here
	Reference   bool   // of the prober's own network: when it fails too, the prober is cut off
	Kind        string // "page", "command", ...: the file's key
	Target      string // what is watched, for people, without secrets
	Traits      Traits
	Spec        any    // the kind's own keys, which the kind alone reads
	Where       string // in the file: "pharos.yaml: line 12"
}

// Bounds are what a run is judged by.
type Bounds struct {
	Value Thresholds // in the value's unit
	Parts []Part     // phases, in seconds, and figures
	Fall  int        // bad runs in a row before it is critical; before: warning. At least 1.
	Rise  int        // good runs in a row before it is ok again; before: warning. At least 1.
}

// Part bounds a phase or a figure.
type Part struct {
	Name, Unit string
	Thresholds
}

// Traits are what others need to know of a watcher's kind.
type Traits struct {
	Class     Class
	Timed     bool     // the value is the time that a run takes
	Unbounded string   // why the file cannot bound the value; empty: it can
	Unit      string   // of the value
	Less      bool     // of the value, less is worse
	Network   bool     // it is watched over the prober's own network
	Phases    []string // which a run can have, in their order
	Figures   []Part   // bounds from the kind's own keys, of what is measured besides
	Files     []string // that are read when it is prepared: a change of one wants that again
	Of        []Named  // what it is made of: a change of their status wants a run at once
	Pushed    bool     // others say how it is: what they push wants a run at once
}

// Named is a watcher, and what people call it.
type Named struct {
	ID   WatcherID
	Name string // for people
}

// Class says what a run takes of the machine. Each has a bound of its own, so
// that one that hangs takes nothing from another.
type Class uint8

// The classes of runs.
const (
	Socket    Class = iota // a connection, or a few packets
	Handshake              // a connection with a TLS handshake
	Process                // a process: a command, or anything through ssh
	Local                  // nothing but what this process knows
	Classes                // how many there are
)

// String returns what a message calls a run of the class.
func (c Class) String() string { return [...]string{"plain", "tls", "command", "local"}[c] }

// Same reports whether two watchers are run and judged in just the same way.
func (w *Watcher) Same(o *Watcher) bool {
	a, b := *w, *o
	a.Where, b.Where = "", ""
	return reflect.DeepEqual(a, b)
}
