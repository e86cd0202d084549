//go:build chaos

package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// ledger is the table of what was measured.
type ledger struct {
	mu   sync.Mutex // guards rows
	rows []*row
}

// row is one fault, caused several times.
type row struct {
	fault string
	said  string
	took  []time.Duration
	bar   time.Duration
	lost  string
	bad   bool // for another reason than its time
}

func (l *ledger) row(fault string) *row {
	for _, r := range l.rows {
		if r.fault == fault {
			return r
		}
	}
	r := &row{fault: fault}
	l.rows = append(l.rows, r)
	return r
}

// took notes how long one occurrence of the fault took to be said, and how.
func (l *ledger) took(fault, said string, took, bar time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.row(fault)
	r.said, r.bar = said, bar
	r.took = append(r.took, took)
}

// lost notes what was lost in a fault: "0 of 100 flickers".
func (l *ledger) lost(fault, what string, bad bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.row(fault)
	r.lost, r.bad = what, r.bad || bad
}

func (r *row) median() time.Duration {
	sorted := slices.Sorted(slices.Values(r.took))
	return sorted[len(sorted)/2]
}

// passes reports whether even the worst time is within the bar, and nothing
// was lost that must not be.
func (r *row) passes() bool {
	return !r.bad && (len(r.took) == 0 || slices.Max(r.took) <= r.bar)
}

// judge fails the test for each row that misses its bar.
func (l *ledger) judge(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rows {
		switch {
		case r.bad:
			t.Errorf("%s: %s", r.fault, r.lost)
		case !r.passes():
			t.Errorf("%s: took %.2f s at worst, want at most %.2f s", r.fault, slices.Max(r.took).Seconds(), r.bar.Seconds())
		}
	}
}

// String returns the table in Markdown.
func (l *ledger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	b.WriteString("| fault | times | what the board said | median, s | worst, s | bar, s | lost | |\n|---|--:|---|--:|--:|--:|---|---|\n")
	for _, r := range l.rows {
		median, worst, bar := "", "", ""
		if len(r.took) > 0 {
			median, worst, bar = short(r.median()), short(slices.Max(r.took)), short(r.bar)
		}
		verdict := "pass"
		if !r.passes() {
			verdict = "**missed**"
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %s | %s | %s |\n", r.fault, len(r.took), strings.ReplaceAll(r.said, "|", "\\|"), median, worst, bar, cmp.Or(r.lost, "-"), verdict)
	}
	return b.String()
}

// short writes seconds, to the millisecond where there are not many.
func short(d time.Duration) string {
	if d < 100*time.Millisecond {
		return fmt.Sprintf("%.3f", d.Seconds())
	}
	return fmt.Sprintf("%.2f", d.Seconds())
}
