package pharos

import (
	"context"
	"time"
)

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
