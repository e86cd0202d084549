// Package pharos holds the words that every other room speaks: statuses,
// results, rosters, beats, watchers, tokens and subjects. It imports nothing
// but the standard library.
package pharos

import "fmt"

// Status is what is known of one watcher. The zero value is Waiting: what has
// not been looked at is never green.
type Status uint8

// The statuses, in the order in which they grow worse; Worst relies on it.
const (
	OK       Status = iota + 1 // seen to be well
	Unknown                    // looked at, but nothing can be said
	Warning                    // well, but past its warning threshold
	Critical                   // not well
	Waiting  Status = 0        // not looked at yet
)

var statusNames = [...]string{Waiting: "waiting", OK: "ok", Unknown: "unknown", Warning: "warning", Critical: "critical"}

// String returns the word on the wire: "ok", "warning", "critical", "unknown"
// or "waiting".
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// ParseStatus is the inverse of String.
func ParseStatus(word string) (Status, error) {
	for i, name := range statusNames {
		if name == word {
			return Status(i), nil
		}
	}
	return Waiting, fmt.Errorf("reading status %q: want ok, warning, critical, unknown or waiting", word)
}

// MarshalText writes the word on the wire.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word on the wire.
func (s *Status) UnmarshalText(text []byte) error {
	got, err := ParseStatus(string(text))
	if err != nil {
		return err
	}
	*s = got
	return nil
}

// Bad reports whether the status is an outage worth remembering: checked, and
// not well.
func (s Status) Bad() bool { return s > OK }

// Worst returns the graver of two statuses: critical, warning, unknown, ok,
// waiting.
func Worst(a, b Status) Status { return max(a, b) }
