package pharos

// Outcome is what a run came to. It is no verdict: bounds, fall and rise make one
// of it.
type Outcome uint8

// The outcomes.
const (
	Measured Outcome = iota // nothing is wrong by itself: bounds judge what was measured
	Warned                  // what is watched says itself that it may not be well
	Failed                  // what is watched is not well
	Unclear                 // nothing can be said: what was seen does not tell
	Unable                  // the prober could not look, by its own fault
	NotYet                  // there is nothing to say so far, and nothing is said
)

// Measurement is what a run saw.
type Measurement struct {
	Outcome Outcome
	Reason  string // one line that says why it is not Measured
	// Cause says it instead of Reason: the engine puts it into words, and knows
	// the prober's own faults and a timeout by it.
	Cause   error
	Value   Number
	Unit    string
	Text    string // instead of Value, where it is no number
	Detail  string // for the click
	Facts   []Fact
	Phases  []Phase    // the engine takes them from the trace
	Figures []Figure   // what was measured besides, and can be bounded
	Bounds  Thresholds // of the value, where the file has none
}

// Figure is a number that a run measured besides its value: the days of a
// certificate, the share of packets that were lost.
type Figure struct {
	Name  string
	Value float64
}

// Failure returns the measurement of a run that failed, for the engine to say why.
func Failure(cause error) Measurement { return Measurement{Outcome: Failed, Cause: cause} }

// Fail makes the measurement that of a failed run.
func (m *Measurement) Fail(reason string) { m.Outcome, m.Reason = Failed, reason }

// AddFact adds a fact, unless its value is empty.
func (m *Measurement) AddFact(name, value string) {
	if value != "" {
		m.Facts = append(m.Facts, Fact{name, value})
	}
}
