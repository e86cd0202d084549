package pharos

import (
	"errors"
	"fmt"
	"time"
)

// The bounds of a result on the wire.
const (
	MaxMessage  = 16 << 10         // bytes of a whole message
	MaxFlickers = 5                // flickers that a result carries
	FlickerSpan = 10 * time.Minute // how long a flicker is remembered after its end
	MaxFacts    = 8                // facts that a result carries
	MaxPhases   = 12               // phases that a result carries
	DefaultTTL  = time.Minute      // TTL of a result that does not say
)

// Flicker is a time in which a watcher was not ok and that is over.
type Flicker struct {
	Status Status  `json:"status"` // the worst of it
	Lasted Seconds `json:"lasted"` // how long it was
	Ago    Seconds `json:"ago"`    // how long ago it ended
}

// Outage is a time in which a watcher is not ok, and that goes on.
type Outage struct {
	Status Status  `json:"status"` // the worst so far
	Lasted Seconds `json:"lasted"` // how long it is so far
}

// Phase is a part of a run's time: "connect", 3 ms.
type Phase struct {
	Name string  `json:"name"`
	Took Seconds `json:"took"`
}

// Fact is one more thing that the detail shows: "address", "127.0.0.1:80".
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (Flicker) most() int { return MaxFlickers }
func (Phase) most() int   { return MaxPhases }
func (Fact) most() int    { return MaxFacts }

// Result is the whole state of one watcher as its prober knows it. It has more
// than ten fields because it is the message itself: one field, one line.
type Result struct {
	Status  Status  `json:"status"`
	Value   Number  `json:"value,omitzero"`
	Unit    string  `json:"unit,omitempty"`    // "s", "%", "days", "B", any other word, or none
	Text    string  `json:"text,omitempty"`    // instead of Value, where it is no number
	Summary string  `json:"summary,omitempty"` // one line for the tile when it is not green
	Detail  string  `json:"detail,omitempty"`  // output, for the click
	Facts   []Fact  `json:"facts,omitempty"`   // for the click: address, status code, days of the certificate
	Phases  []Phase `json:"phases,omitempty"`  // in the order in which they happened; one that did not is left out
	For     Seconds `json:"for"`               // in this status, at the moment of sending
	// Outage is the outage under way, where it is more than Status and For tell:
	// longer, or worse before. Else it is zero, and always while ok. See OpenOutage.
	Outage Outage `json:"outage,omitzero"`
	// Flickers are the last outages that are over, newest first.
	Flickers []Flicker `json:"flickers,omitempty"`
	Running  bool      `json:"running,omitempty"` // the run is still under way, this is an early verdict
	TTL      Seconds   `json:"ttl,omitzero"`      // the next message is due within it; 0: DefaultTTL

	Prober      string  `json:"-"`                     // the prober's token, from the subject; empty: pushed
	Incarnation int64   `json:"incarnation,omitempty"` // when the prober's process started, unix milliseconds
	Seq         uint64  `json:"seq,omitempty"`         // grows with each result of the prober; of one watcher's results the newest wins
	Change      uint64  `json:"change,omitempty"`      // how often the status has changed in that process
	Lag         Seconds `json:"lag,omitzero"`          // how late the run began
	Missed      uint64  `json:"missed,omitempty"`      // ticks missed since the prober started

	At   time.Time `json:"at,omitzero"`    // wall time of the run's start, for people only
	Name string    `json:"name,omitempty"` // Name, Set and Site: human names, of senders without a roster
	Set  string    `json:"set,omitempty"`
	Site string    `json:"site,omitempty"`
}

// TTLOrDefault returns the TTL, or DefaultTTL where it is not said.
func (r *Result) TTLOrDefault() time.Duration {
	if r.TTL == 0 {
		return DefaultTTL
	}
	return r.TTL.Duration()
}

// OpenOutage returns the outage under way, whether or not Outage says it. It is
// zero while ok, or while nothing is known.
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

// Aged returns the result as it is after d has passed: For, Outage and each Ago
// have grown, TTL has shrunk (to no less than a millisecond), flickers that are
// too old are gone.
func (r Result) Aged(d time.Duration) Result {
	if d <= 0 {
		return r
	}
	r.For += Seconds(d)
	if r.Outage != (Outage{}) {
		r.Outage.Lasted += Seconds(d)
	}
	r.TTL = Seconds(max(r.TTLOrDefault()-d, time.Millisecond))
	aged := make([]Flicker, 0, len(r.Flickers))
	for _, f := range r.Flickers {
		if f.Ago += Seconds(d); f.Ago.Duration() <= FlickerSpan {
			aged = append(aged, f)
		}
	}
	r.Flickers = aged
	return r
}

// Encode returns the result as JSON, at most limit bytes of it, or MaxMessage
// where that is less. What a sender may not send (texts that are too long,
// numbers that ParseResult would refuse) is cut or left out. What does not fit
// goes too: first the detail, then facts and phases, at last words and flickers.
func (r *Result) Encode(limit int) ([]byte, error) {
	limit = min(limit, MaxMessage)
	c := *r
	c.clean()
	steps := []func(over int){
		// Twice: what needs two bytes, such as a line feed, may all stand at its end.
		func(over int) { c.Detail = shorter(c.Detail, over) },
		func(over int) { c.Detail = shorter(c.Detail, over) },
		func(int) { c.Detail, c.Facts, c.Phases = "", nil, nil },
		func(over int) { c.Summary = shorter(c.Summary, over) },
		func(int) { c.Summary, c.Text, c.Name, c.Set, c.Site, c.Flickers = "", "", "", "", "", nil },
	}
	for i := 0; ; i++ {
		data, err := encode(&c)
		if err != nil {
			return nil, fmt.Errorf("encoding a result: %w", err)
		}
		over := len(data) - limit
		if over <= 0 {
			return data, nil
		}
		if i == len(steps) {
			return nil, fmt.Errorf("encoding a result: it does not fit into %d bytes", limit)
		}
		steps[i](over)
	}
}

// shorter returns the beginning of s, about so many bytes of JSON less, and marked
// as cut.
func shorter(s string, by int) string {
	whole := len(AppendString(nil, s))
	if left := len(s) * (whole - by - 16) / whole; left > len(Ellipsis) {
		return CleanText(s, left)
	}
	return ""
}

// ParseResult reads a result that arrived from anywhere: texts are cleaned and
// cut, unknown fields ignored. The error is a *BadMessage.
func ParseResult(data []byte) (Result, error) {
	var r Result
	wire := struct {
		*Result
		Status   *Status         `json:"status"` // tells an absent status from a waiting one
		Facts    atMost[Fact]    `json:"facts"`
		Phases   atMost[Phase]   `json:"phases"`
		Flickers atMost[Flicker] `json:"flickers"`
	}{Result: &r}
	if err := unmarshal(data, &wire); err != nil {
		return Result{}, err
	}
	if wire.Status == nil {
		return Result{}, &BadMessage{ReasonInvalid, errors.New(`no "status"`)}
	}
	r.Status, r.Facts, r.Phases, r.Flickers = *wire.Status, wire.Facts, wire.Phases, wire.Flickers
	// Not every offset that can be read can be written.
	if r.At = r.At.UTC(); r.At.Year() < 0 || r.At.Year() > 9999 {
		return Result{}, &BadMessage{ReasonInvalid, fmt.Errorf("at %d is beyond the years 0 to 9999", r.At.Year())}
	}
	r.clean()
	return r, nil
}

// clean cuts what is too long, drops what is too much, and leaves out what
// cannot be: a sender does it before it sends, a reader after it has read.
func (r *Result) clean() {
	r.Unit, r.Text = CleanLine(r.Unit, MaxUnit), CleanLine(r.Text, MaxText)
	r.Summary, r.Detail = CleanLine(r.Summary, MaxSummary), CleanText(r.Detail, MaxDetail)
	r.Name, r.Set, r.Site = CleanLine(r.Name, MaxName), CleanLine(r.Set, MaxName), CleanLine(r.Site, MaxName)
	r.At = r.At.UTC().Truncate(time.Millisecond)

	facts := r.Facts[:min(len(r.Facts), MaxFacts)]
	r.Facts = nil
	for _, f := range facts {
		r.Facts = append(r.Facts, Fact{CleanLine(f.Name, MaxText), CleanLine(f.Value, MaxSummary)})
	}
	phases := r.Phases[:min(len(r.Phases), MaxPhases)]
	r.Phases = nil
	for _, p := range phases {
		if p.Took > 0 {
			r.Phases = append(r.Phases, Phase{CleanLine(p.Name, MaxUnit), p.Took})
		}
	}
	flickers := r.Flickers[:min(len(r.Flickers), MaxFlickers)]
	r.Flickers = nil
	for _, f := range flickers {
		if f.Status.Bad() && f.Ago.Duration() <= FlickerSpan {
			r.Flickers = append(r.Flickers, f)
		}
	}
	// An outage is at least what status and for tell, and said only if it is more.
	outage := r.Outage
	r.Outage = Outage{}
	if told := r.OpenOutage(); outage.Status.Bad() && r.Status != OK {
		if more := (Outage{Worst(outage.Status, told.Status), max(outage.Lasted, told.Lasted)}); more != told {
			r.Outage = more
		}
	}
}
