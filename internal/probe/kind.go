package probe

import (
	"context"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// Kind is one kind of watcher. docs/adding-a-kind.md says how to make another.
type Kind struct {
	Key     string      // the file's key: "tcp"
	Doc     string      // for docs/config.md; its first paragraph for the schema, too. ${this} is between back quotes there.
	Phases  []string    // of its runs, in order; they can be bounded by their names
	Remote  bool        // with an ssh_host it is run over there, where its files are, too
	Through bool        // with an ssh_host its connections are made from there
	New     func() Spec // a pointer to a struct with defaults
}

// Spec is what the file says of one watcher of a kind. It points to a struct that
// begins with a field.Section, and whose other fields are the kind's own keys;
// that of the kind's own name comes first. It is not changed once it was checked.
type Spec interface {
	// Check complains about what one key alone cannot say.
	Check(*field.Checker)
	// Target says what is watched, for people. Secrets of the file are taken out
	// of it.
	Target() string
	Traits() pharos.Traits
	// Prepare reads the files that the spec names, and compiles what does not
	// change from run to run.
	Prepare(*Engine, pharos.Watcher) (Run, error)
}

// Run looks once. The deadline of ctx is the timeout. It measures, and does not
// judge; its phases go to the trace. One run at a time.
type Run func(ctx context.Context, t *Trace) Measurement

// Trace and Measurement are those of the domain.
type (
	Trace       = pharos.Trace
	Measurement = pharos.Measurement
)

// Kinds are all kinds of watchers, in the order of the document.
var Kinds = []Kind{page, command, tcp, certificate, dns, ping, smtp, imap, sshServer, websocket, grpc, nats, push, group}
