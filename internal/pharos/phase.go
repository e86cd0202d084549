package pharos

import (
	"context"
	"time"
)

// PhaseNames are the phases of a page, in the order in which they happen: name
// lookup, TCP connect, TLS handshake, from the request sent to the answer's first
// byte, and from there to its last.
var PhaseNames = [...]string{"lookup", "connect", "tls", "first_byte", "transfer"}

type phasesKey struct{}

// WithPhases returns a context whose run calls entered for each phase of a page
// that begins: with its place in PhaseNames, and the moment. The phase before it
// ended then.
func WithPhases(ctx context.Context, entered func(phase int, at time.Time)) context.Context {
	return context.WithValue(ctx, phasesKey{}, entered)
}

// PhasesOf returns what a run is to call for each phase; nil: nothing.
func PhasesOf(ctx context.Context) func(phase int, at time.Time) {
	entered, _ := ctx.Value(phasesKey{}).(func(int, time.Time))
	return entered
}
