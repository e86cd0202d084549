package pharos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// The bounds of a result on the wire.
const (
	MaxMessage   = 16 << 10         // bytes of a whole message
	MaxFlickers  = 5                // flickers that a result carries
	FlickerSpan  = 10 * time.Minute // how long a flicker is remembered after its end
	MaxFacts     = 8                // facts that a result carries
	DefaultTTL   = time.Minute      // Within of a result that does not say
	maxSeconds   = 100 * 365 * 24 * 3600
	maxMagnitude = 1e18
)

// Number is a value that may be absent.
type Number struct {
	V  float64
	OK bool
}

// Num returns a number that is there.
func Num(v float64) Number { return Number{V: v, OK: true} }

// Flicker is a spell in which a watcher was not ok and that is over.
type Flicker struct {
	Status Status        // the worst of the spell
	Lasted time.Duration // how long the spell was
	Ago    time.Duration // how long ago it ended
}

// Outage is a time in which a watcher is not ok, and that goes on.
type Outage struct {
	Status Status        // the worst so far
	Lasted time.Duration // how long it is so far
}

// Phases are the parts of a page's time. A phase that did not happen is 0.
type Phases struct {
	Lookup    time.Duration // name lookup
	Connect   time.Duration // TCP connect
	TLS       time.Duration // TLS handshake
	FirstByte time.Duration // from the request's first byte sent to the answer's first byte
	Transfer  time.Duration // from the answer's first byte to its last
}

// PhaseNames are the phases' words on the wire and in the file, in the order
// of Phases.Each.
var PhaseNames = [...]string{"lookup", "connect", "tls", "first_byte", "transfer"}

// Each returns the phases in the order of PhaseNames.
func (p Phases) Each() [len(PhaseNames)]time.Duration {
	return [...]time.Duration{p.Lookup, p.Connect, p.TLS, p.FirstByte, p.Transfer}
}

// Add returns the sums, phase by phase: those of a page with redirects.
func (p Phases) Add(q Phases) Phases {
	return Phases{p.Lookup + q.Lookup, p.Connect + q.Connect, p.TLS + q.TLS, p.FirstByte + q.FirstByte, p.Transfer + q.Transfer}
}

// Fact is one more thing that the detail shows: "address", "127.0.0.1:80".
type Fact struct{ Name, Value string }

// Result is the whole state of one watcher as its prober knows it. What is a
// duration here is a number of seconds on the wire.
type Result struct {
	Status  Status
	Value   Number
	Unit    string        // "s", "%", "days", "B", any other word, or none
	Text    string        // instead of Value, where it is no number
	Summary string        // one line for the tile when it is not green
	Detail  string        // output, for the click
	Facts   []Fact        // for the click: address, status code, days of the certificate
	Phases  Phases        // of a page
	For     time.Duration // in this status, at the moment of sending
	// Outage is the spell under way, where it is more than Status and For tell:
	// longer, or worse before. Else it is zero, and always while ok; see UnderWay.
	Outage Outage
	// Flickers are the last spells that were not ok, newest first.
	Flickers    []Flicker
	Running     bool          // the probe is still under way, this is an early verdict
	TTL         time.Duration // by when the next message is due; 0: DefaultDue
	Prober      string        // the prober's token
	Incarnation int64         // when the prober's process started, unix milliseconds
	Seq         uint64        // grows with each result of the prober; of one watcher's results the newest wins
	Lag         time.Duration // that the run began late
	Missed      uint64        // ticks missed since the prober started
	At          time.Time     // wall time of the probe's start, for people only
	// Names, for senders without a roster.
	Name, Set, Site string
}

// TTLOrDefault returns Within, or DefaultDue where it is not said.
func (r *Result) TTLOrDefault() time.Duration {
	if r.TTL == 0 {
		return DefaultTTL
	}
	return r.TTL
}

// OpenOutage returns the spell under way, whether or not Spell says it: the zero
// OpenSpell while ok, or while nothing is known.
func (r *Result) OpenOutage() Outage {
	switch {
	case r.Status == OK:
		return Outage{}
	case r.Outage.Status.Bad():
		return r.Outage
	case r.Status.Bad():
		return Outage{r.Status, r.For}
	}
	return Outage{}
}

// Aged returns the result as it is after d has passed: For, Spell and each Ago
// have grown, Within has shrunk (to no less than a millisecond), flickers that are
// too old are gone.
func (r Result) Aged(d time.Duration) Result {
	if d <= 0 {
		return r
	}
	r.For += d
	if r.Outage != (Outage{}) {
		r.Outage.Lasted += d
	}
	r.TTL = max(r.TTLOrDefault()-d, time.Millisecond)
	aged := make([]Flicker, 0, len(r.Flickers))
	for _, f := range r.Flickers {
		if f.Ago += d; f.Ago <= FlickerSpan {
			aged = append(aged, f)
		}
	}
	r.Flickers = aged
	return r
}

// Append appends the result as JSON, at most MaxMessage bytes of it. What a
// sender may not send (texts that are too long, numbers that ParseResult would
// refuse) is cut or left out.
func (r *Result) Append(b []byte) []byte {
	start := len(b)
	b = r.appendAll(b)
	over := len(b) - start - MaxMessage
	if over <= 0 {
		return b
	}
	// Quotes and line feeds need two bytes: the detail makes room for all else.
	short := *r
	short.Detail = CleanText(r.Detail, MaxDetail)
	short.Detail = CleanText(short.Detail, len(short.Detail)-over)
	return short.appendAll(b[:start])
}

func (r *Result) appendAll(b []byte) []byte {
	b = append(b, `{"status":"`...)
	b = append(b, r.Status.String()...)
	b = append(b, '"')
	if r.Value.OK && math.Abs(r.Value.V) <= maxMagnitude { // NaN is not
		b = append(b, `,"value":`...)
		b = AppendNumber(b, r.Value.V)
	}
	b = appendString(b, "unit", r.Unit, MaxUnit)
	b = appendString(b, "text", r.Text, MaxText)
	b = appendString(b, "summary", r.Summary, MaxSummary)
	b = appendText(b, "detail", r.Detail, MaxDetail)
	if len(r.Facts) > 0 {
		b = append(b, `,"facts":[`...)
		for i, f := range r.Facts[:min(len(r.Facts), MaxFacts)] {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, '[')
			b = AppendString(b, CleanLine(f.Name, MaxText))
			b = append(b, ',')
			b = AppendString(b, CleanLine(f.Value, MaxSummary))
			b = append(b, ']')
		}
		b = append(b, ']')
	}
	if r.Phases != (Phases{}) {
		b = append(b, `,"phases":{`...)
		comma := false
		for i, d := range r.Phases.Each() {
			if d == 0 {
				continue
			}
			if comma {
				b = append(b, ',')
			}
			comma = true
			b = append(b, '"')
			b = append(b, PhaseNames[i]...)
			b = append(b, `":`...)
			b = AppendSeconds(b, d)
		}
		b = append(b, '}')
	}
	b = append(b, `,"for":`...)
	b = AppendSeconds(b, r.For)
	if r.Outage.Status.Bad() && r.Status != OK {
		b = append(b, `,"outage":{"status":"`...)
		b = append(b, r.Outage.Status.String()...)
		b = append(b, `","lasted":`...)
		b = AppendSeconds(b, r.Outage.Lasted)
		b = append(b, '}')
	}
	if len(r.Flickers) > 0 {
		b = append(b, `,"flickers":[`...)
		for i, f := range r.Flickers[:min(len(r.Flickers), MaxFlickers)] {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"status":"`...)
			b = append(b, f.Status.String()...)
			b = append(b, `","lasted":`...)
			b = AppendSeconds(b, f.Lasted)
			b = append(b, `,"ago":`...)
			b = AppendSeconds(b, f.Ago)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	if r.Running {
		b = append(b, `,"running":true`...)
	}
	if r.TTL > 0 {
		b = append(b, `,"ttl":`...)
		b = AppendSeconds(b, r.TTL)
	}
	b = appendString(b, "prober", r.Prober, MaxName)
	if r.Incarnation != 0 {
		b = append(b, `,"incarnation":`...)
		b = strconv.AppendInt(b, r.Incarnation, 10)
	}
	if r.Seq != 0 {
		b = append(b, `,"seq":`...)
		b = strconv.AppendUint(b, r.Seq, 10)
	}
	if r.Lag > 0 {
		b = append(b, `,"lag":`...)
		b = AppendSeconds(b, r.Lag)
	}
	if r.Missed > 0 {
		b = append(b, `,"missed":`...)
		b = strconv.AppendUint(b, r.Missed, 10)
	}
	if !r.At.IsZero() {
		b = append(b, `,"at":"`...)
		b = r.At.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
		b = append(b, '"')
	}
	b = appendString(b, "name", r.Name, MaxName)
	b = appendString(b, "set", r.Set, MaxName)
	b = appendString(b, "site", r.Site, MaxName)
	return append(b, '}')
}

// seconds is a duration on the wire, exact to the microsecond. It refuses what
// is no time: negative, beyond a century. null is as good as absent, as it is
// for the fields of other types.
type seconds time.Duration

func (s *seconds) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(v >= 0 && v <= maxSeconds) {
		return fmt.Errorf("%.20s is not a number of seconds", b)
	}
	*s = seconds(time.Duration(math.Round(v*1e6)) * time.Microsecond)
	return nil
}

type wireResult struct {
	Status  *Status            `json:"status"`
	Value   *float64           `json:"value"`
	Unit    string             `json:"unit"`
	Text    string             `json:"text"`
	Summary string             `json:"summary"`
	Detail  string             `json:"detail"`
	Facts   [][2]string        `json:"facts"`
	Phases  map[string]seconds `json:"phases"`
	For     seconds            `json:"for"`
	Spell   struct {
		Status Status  `json:"status"`
		Lasted seconds `json:"lasted"`
	} `json:"outage"`
	Flickers []struct {
		Status Status  `json:"status"`
		Lasted seconds `json:"lasted"`
		Ago    seconds `json:"ago"`
	} `json:"flickers"`
	Running bool    `json:"running"`
	Within  seconds `json:"ttl"`
	Prober  string  `json:"prober"`
	Epoch   int64   `json:"incarnation"`
	N       uint64  `json:"seq"`
	Lag     seconds `json:"lag"`
	Missed  uint64  `json:"missed"`
	At      string  `json:"at"`
	Name    string  `json:"name"`
	Set     string  `json:"set"`
	Site    string  `json:"site"`
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
)

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

// ParseResult reads a result that arrived from anywhere: texts are cleaned and
// cut, unknown fields ignored. The error is a *BadMessage.
func ParseResult(data []byte) (Result, error) {
	var w wireResult
	if err := unmarshal(data, &w); err != nil {
		return Result{}, err
	}
	if w.Status == nil {
		return Result{}, &BadMessage{ReasonInvalid, errors.New(`no "status"`)}
	}
	r := Result{
		Status: *w.Status, Unit: CleanLine(w.Unit, MaxUnit), Text: CleanLine(w.Text, MaxText),
		Summary: CleanLine(w.Summary, MaxSummary), Detail: CleanText(w.Detail, MaxDetail),
		For: time.Duration(w.For), Running: w.Running, TTL: time.Duration(w.Within),
		Prober: w.Prober, Incarnation: w.Epoch, Seq: w.N, Lag: time.Duration(w.Lag), Missed: w.Missed,
		Name: CleanLine(w.Name, MaxName), Set: CleanLine(w.Set, MaxName), Site: CleanLine(w.Site, MaxName),
	}
	if r.Prober != "" && !ValidToken(r.Prober) {
		return Result{}, &BadMessage{ReasonInvalid, fmt.Errorf("prober %.64q is not a token", r.Prober)}
	}
	if w.Value != nil {
		if math.Abs(*w.Value) > maxMagnitude {
			return Result{}, &BadMessage{ReasonInvalid, fmt.Errorf("value %g is beyond %g", *w.Value, maxMagnitude)}
		}
		r.Value = Num(*w.Value)
	}
	for _, f := range w.Facts[:min(len(w.Facts), MaxFacts)] {
		r.Facts = append(r.Facts, Fact{CleanLine(f[0], MaxText), CleanLine(f[1], MaxSummary)})
	}
	if len(w.Phases) > 0 {
		p := w.Phases
		r.Phases = Phases{time.Duration(p["lookup"]), time.Duration(p["connect"]), time.Duration(p["tls"]), time.Duration(p["first_byte"]), time.Duration(p["transfer"])}
	}
	// A spell is at least what status and for tell, and said only if it is more.
	if spell := (Outage{w.Spell.Status, time.Duration(w.Spell.Lasted)}); spell.Status.Bad() && r.Status != OK {
		told := r.OpenOutage()
		if more := (Outage{Worst(spell.Status, told.Status), max(spell.Lasted, told.Lasted)}); more != told {
			r.Outage = more
		}
	}
	for _, f := range w.Flickers[:min(len(w.Flickers), MaxFlickers)] {
		if f.Status.Bad() && time.Duration(f.Ago) <= FlickerSpan {
			r.Flickers = append(r.Flickers, Flicker{f.Status, time.Duration(f.Lasted), time.Duration(f.Ago)})
		}
	}
	if w.At != "" {
		at, err := time.Parse(time.RFC3339Nano, w.At)
		if err != nil {
			return Result{}, &BadMessage{ReasonInvalid, err}
		}
		// Where it was noon is of no interest here, and not every offset that
		// can be read can be written.
		if r.At = at.UTC(); r.At.Year() < 0 || r.At.Year() > 9999 {
			return Result{}, &BadMessage{ReasonInvalid, fmt.Errorf("%.40q is beyond the years 0 to 9999", w.At)}
		}
	}
	return r, nil
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

func appendString(b []byte, name, s string, limit int) []byte {
	if s == "" {
		return b
	}
	return AppendField(b, name, CleanLine(s, limit))
}

func appendText(b []byte, name, s string, limit int) []byte {
	if s == "" {
		return b
	}
	return AppendField(b, name, CleanText(s, limit))
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
