package pharos

import "math"

// Thresholds bound a value. A bound that is not set is NaN; make them with
// NoThresholds.
type Thresholds struct {
	TooFast  float64 // at or below it: warning
	Warning  float64
	Critical float64 // below Warning: less is worse
}

// NoThresholds returns thresholds that judge everything ok.
func NoThresholds() Thresholds {
	return Thresholds{TooFast: math.NaN(), Warning: math.NaN(), Critical: math.NaN()}
}

// Set reports whether any bound is set.
func (t Thresholds) Set() bool {
	return !math.IsNaN(t.TooFast) || !math.IsNaN(t.Warning) || !math.IsNaN(t.Critical)
}

// LessIsWorse reports whether critical lies below warning, as for the days of
// a certificate or free space.
func (t Thresholds) LessIsWorse() bool { return t.Critical < t.Warning }

// Judge returns the status of a value and the bound that it passed: ok (and
// NaN), warning or critical. A value at a bound has passed it.
func (t Thresholds) Judge(v float64) (Status, float64) {
	past := func(bound float64) bool {
		if t.LessIsWorse() {
			return v <= bound
		}
		return v >= bound
	}
	switch { // comparisons with NaN are false
	case past(t.Critical):
		return Critical, t.Critical
	case past(t.Warning):
		return Warning, t.Warning
	case v <= t.TooFast:
		return Warning, t.TooFast
	}
	return OK, math.NaN()
}
