package pharos

// Thresholds bound a value. The zero value bounds nothing.
type Thresholds struct {
	TooFast  Number // at or below it: warning
	Warning  Number
	Critical Number // below Warning: less is worse
	Less     bool   // less is worse, also where one bound alone is set
}

// Set reports whether any bound is set.
func (t Thresholds) Set() bool { return t.TooFast.OK || t.Warning.OK || t.Critical.OK }

// LessIsWorse reports whether critical lies below warning, as for the days of
// a certificate or free space.
func (t Thresholds) LessIsWorse() bool {
	return t.Less || t.Critical.OK && t.Warning.OK && t.Critical.V < t.Warning.V
}

// Judge returns the status of a value and the bound that it passed: ok (and
// none), warning or critical. A value at a bound has passed it.
func (t Thresholds) Judge(v float64) (Status, Number) {
	past := func(bound Number) bool {
		return bound.OK && (v >= bound.V && !t.LessIsWorse() || v <= bound.V && t.LessIsWorse())
	}
	switch {
	case past(t.Critical):
		return Critical, t.Critical
	case past(t.Warning):
		return Warning, t.Warning
	case t.TooFast.OK && v <= t.TooFast.V:
		return Warning, t.TooFast
	}
	return OK, Number{}
}
