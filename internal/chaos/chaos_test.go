// Package chaos proves that the board never lies: it starts the programs as
// real processes beside a real NATS server, a target whose truth it knows and
// screens that see what a person would, causes each fault, and measures what
// the board said and when.
//
// A few faults are caused by every go test. All of them, many times, take the
// tag chaos: make chaos.
package chaos

import (
	"os"
	"testing"

	"pharos/internal/pharostest"
)

// Subtests that run beside each other wait for most of their time.
func TestMain(m *testing.M) { os.Exit(pharostest.Main(m, 64)) }
