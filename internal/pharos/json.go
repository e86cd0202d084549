package pharos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// The largest numbers on the wire.
const (
	maxSeconds   = 100 * 365 * 24 * 3600 // a century
	maxMagnitude = 1e18                  // of a value
)

// Seconds is a duration that is a number of seconds on the wire, exact to the
// microsecond, from 0 to a century.
type Seconds time.Duration

// Duration returns the duration.
func (s Seconds) Duration() time.Duration { return time.Duration(s) }

// Seconds returns the number of seconds.
func (s Seconds) Seconds() float64 { return time.Duration(s).Seconds() }

// IsZero reports whether the duration is 0 on the wire. The tag omitzero leaves
// it out then.
func (s Seconds) IsZero() bool { return time.Duration(s) < time.Microsecond }

// MarshalJSON writes the number. A negative duration is 0, and more than a
// century is a century.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return AppendSeconds(nil, min(time.Duration(s), maxSeconds*time.Second)), nil
}

// UnmarshalJSON reads the number. It refuses what is no time. null is as good
// as absent, as it is for the fields of other types.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(v >= 0 && v <= maxSeconds) {
		return fmt.Errorf("%.20s is not a number of seconds from 0 to a century", b)
	}
	*s = Seconds(time.Duration(math.Round(v*1e6)) * time.Microsecond)
	return nil
}

// Number is a value that may be absent. On the wire it is a number from -1e18
// to 1e18, or it is left out.
type Number struct {
	V  float64
	OK bool
}

// Num returns a number that is there.
func Num(v float64) Number { return Number{V: v, OK: true} }

// IsZero reports whether the number is absent, or cannot be sent. The tag
// omitzero leaves it out then.
func (n Number) IsZero() bool { return !n.OK || !(math.Abs(n.V) <= maxMagnitude) }

// MarshalJSON writes the number in at most nine significant digits.
func (n Number) MarshalJSON() ([]byte, error) {
	if n.IsZero() {
		return []byte("null"), nil
	}
	return AppendNumber(nil, n.V), nil
}

// UnmarshalJSON reads the number, or null for an absent one.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Number{}
		return nil
	}
	var v float64
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	if math.Abs(v) > maxMagnitude {
		return fmt.Errorf("value %g is beyond %g", v, maxMagnitude)
	}
	*n = Num(v)
	return nil
}

// BadMessage says why something that arrived is dropped. Reason is one of a
// few words, fit for counting.
type BadMessage struct {
	Reason string
	Err    error
}

// Error quotes the reason and the cause.
func (e *BadMessage) Error() string { return "reading a message: " + e.Reason + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *BadMessage) Unwrap() error { return e.Err }

// The reasons for which a message is dropped.
const (
	ReasonTooLarge = "too_large" // more than MaxMessage bytes
	ReasonNotJSON  = "not_json"  // no JSON object, or with fields of the wrong type
	ReasonInvalid  = "invalid"   // JSON, but not a value that the field can have
	ReasonSubject  = "subject"   // on a subject that is none of ours
	ReasonFull     = "full"      // a watcher more than the board holds
	ReasonFlood    = "flood"     // a new watcher, when too many came at once
	ReasonListed   = "listed"    // a push for a watcher that a prober lists
	ReasonBehind   = "behind"    // more arrived than could be read
	ReasonAlive    = "alive"     // a request to forget what is alive
)

// atMost is a list that is read up to its bound and no further: an untrusted
// message may hold thousands of elements.
type atMost[T interface{ most() int }] []T

// UnmarshalJSON reads the first elements of a list.
func (l *atMost[T]) UnmarshalJSON(b []byte) error {
	*l = nil
	d := json.NewDecoder(bytes.NewReader(b))
	open, err := d.Token()
	if err != nil || open == nil { // null
		return err
	}
	if open != json.Delim('[') {
		return fmt.Errorf("%.20s is not a list", b)
	}
	for d.More() {
		var v T
		if len(*l) == v.most() {
			return nil
		}
		if err := d.Decode(&v); err != nil {
			return err
		}
		*l = append(*l, v)
	}
	return nil
}

// encode returns v as JSON. Names keep their "<" and "&": as json.Marshal writes
// them, each would need six bytes.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// unmarshal reads a message into v. The error is a *BadMessage.
func unmarshal(data []byte, v any) error {
	if len(data) > MaxMessage {
		return &BadMessage{ReasonTooLarge, fmt.Errorf("%d bytes, want at most %d", len(data), MaxMessage)}
	}
	if !utf8.Valid(data) {
		data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
	}
	if err := json.Unmarshal(data, v); err != nil {
		return &BadMessage{ReasonNotJSON, err}
	}
	return nil
}

// AppendNumber appends v as JSON, in at most nine significant digits.
func AppendNumber(b []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.AppendInt(b, int64(v), 10)
	}
	return strconv.AppendFloat(b, v, 'g', 9, 64)
}

// AppendSeconds appends d as a number of seconds, exact to the microsecond.
func AppendSeconds(b []byte, d time.Duration) []byte {
	us := d.Microseconds()
	if us < 0 {
		us = 0
	}
	b = strconv.AppendInt(b, us/1e6, 10)
	frac := us % 1e6
	if frac == 0 {
		return b
	}
	b = append(b, '.')
	for unit := int64(1e5); frac > 0; unit /= 10 {
		b = append(b, byte('0'+frac/unit))
		frac %= unit
	}
	return b
}

// AppendField appends `,"name":"s"`; name is written as it is.
func AppendField(b []byte, name, s string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return AppendString(b, s)
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string (RFC 8259); invalid UTF-8 becomes
// U+FFFD.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(b, s[start:i]...)
			b = append(b, "\uFFFD"...)
			i++
			start = i
			continue
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
