package field

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"pharos/internal/pharos"
)

// Written is the way in which a bound is written.
type Written uint8

// The ways to write a bound.
const (
	Missing   Written = iota
	AsNumber          // 5
	AsTime            // 5s; the value is in seconds
	AsPercent         // 20%
)

// Bound is one threshold as it is written.
type Bound struct {
	Node  *Node
	Text  string
	As    Written
	Value float64
}

// Read implements Value.
func (b *Bound) Read(r *Reader, n *Node, key string) {
	s, ok := r.Scalar(n, key, "a number or duration")
	if !ok {
		return
	}
	digits, percent := strings.CutSuffix(s.Text, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	switch {
	case err == nil && (math.IsInf(v, 0) || math.IsNaN(v) || math.Abs(v) > 1e18):
		r.Fail(n, "%s%s is beyond what a value can be", Label(key), Short(s.Text))
	case err == nil && percent:
		*b = Bound{n, s.Text, AsPercent, v}
	case err == nil:
		*b = Bound{n, s.Text, AsNumber, v}
	default:
		if d, err := parseDuration(s.Text); s.Tag == "!!str" && err == nil {
			*b = Bound{n, s.Text, AsTime, d.Seconds()}
			return
		}
		r.Fail(n, `%swant a number, a duration such as "150ms" or a percentage, got %s`, Label(key), s.Describe())
	}
}

// Shape implements Value.
func (Bound) Shape() Shape {
	return Shape{Word: "bound", Def: "bound", Schema: Object{"type": []string{"number", "string"}}}
}

// Bounds are the warning and critical of a part of what is measured.
type Bounds struct {
	Section
	Warning  Bound `yaml:"warning" doc:"From it on: warning."`
	Critical Bound `yaml:"critical" doc:"From it on: critical."`
}

// BoundsSchema is the schema of Bounds.
func BoundsSchema(s *Schemas) Object { return s.Struct(reflect.TypeFor[Bounds]()) }

// Measure is what bounds are of.
type Measure struct {
	Unit string // of the value: "s", "days", "%", any other, or none
	Free bool   // the file chooses the unit
	Less bool   // less is worse
	// Below, where it is not 0, makes the value a time that a run takes: bounds
	// are durations, and below it, the timeout.
	Below time.Duration
	Bare  bool // such times may be numbers without a unit
}

// Thresholds returns what bounds come to. key is what the messages call them.
func (r *Reader) Thresholds(key string, m Measure, tooFast, warning, critical Bound) pharos.Thresholds {
	t := pharos.Thresholds{
		TooFast: r.bound(key+".too_fast", m, tooFast), Warning: r.bound(key+".warning", m, warning), Critical: r.bound(key+".critical", m, critical), Less: m.Less,
	}
	both := t.Warning.OK && t.Critical.OK
	switch {
	case both && m.Below > 0 && t.Critical.V < t.Warning.V:
		r.Fail(critical.Node, "%s: critical (%s) below warning (%s): faster is not worse", key, sayTime(t.Critical.V), sayTime(t.Warning.V))
	case both && m.Less && t.Critical.V > t.Warning.V:
		r.Fail(critical.Node, "%s: critical (%s) above warning (%s): less is worse here", key, critical.Text, warning.Text)
	}
	switch {
	case t.TooFast.OK && t.LessIsWorse() && m.Below == 0:
		r.Fail(tooFast.Node, "%s.too_fast: with critical below warning less is worse anyway", key)
	case t.TooFast.OK && t.Warning.OK && t.TooFast.V >= t.Warning.V:
		r.Fail(tooFast.Node, "%s: too_fast (%s) is not below warning (%s): nothing would ever be ok", key, tooFast.Text, warning.Text)
	case t.TooFast.OK && t.Critical.OK && t.TooFast.V >= t.Critical.V:
		r.Fail(tooFast.Node, "%s: too_fast (%s) is not below critical (%s): nothing would ever be ok", key, tooFast.Text, critical.Text)
	}
	return t
}

func (r *Reader) bound(key string, m Measure, b Bound) (v pharos.Number) {
	timed := m.Below > 0
	unit := "in " + strconv.Quote(m.Unit)
	if m.Unit == "" {
		unit = "a number without a unit"
	}
	or := func(unit string) string {
		if !m.Free {
			return ""
		}
		return ", or unit: " + unit
	}
	switch {
	case b.As == Missing:
		return v
	case timed && b.As == AsNumber && !m.Bare:
		r.Fail(b.Node, `%s: %s what? write "%ss" or "%sms"`, key, b.Text, b.Text, b.Text)
	case timed && b.As == AsPercent:
		r.Fail(b.Node, "%s: a time is no percentage: want a duration, got %q", key, b.Text)
	case timed && b.Value <= 0:
		r.Fail(b.Node, "%s: want more than nothing, got %s", key, b.Text)
	case timed && b.Value >= m.Below.Seconds():
		r.Fail(b.Node, "%s: %s could never be passed, since the timeout ends every run after %s; write less, or a longer timeout", key, sayTime(b.Value), SayDuration(m.Below))
	case b.As == AsTime && m.Unit == "days":
		return pharos.Num(b.Value / (24 * 3600))
	case b.As == AsTime && m.Unit != "s":
		r.Fail(b.Node, "%s: %q is a time, and the value is %s; write a plain number%s", key, b.Text, unit, or("s"))
	case b.As == AsPercent && m.Unit != "%":
		r.Fail(b.Node, "%s: %q is a percentage, and the value is %s; write a plain number%s", key, b.Text, unit, or(`"%"`))
	default:
		return pharos.Num(b.Value)
	}
	return v
}

func sayTime(seconds float64) string { return SayDuration(time.Duration(math.Round(seconds * 1e9))) }
