package pharos

import (
	"math"
	"testing"
)

func TestJudge(t *testing.T) {
	none := math.NaN()
	page := Thresholds{TooFast: 0.001, Warning: 0.1, Critical: 1}
	days := Thresholds{TooFast: none, Warning: 14, Critical: 3}
	for _, tt := range []struct {
		what   string
		bounds Thresholds
		v      float64
		want   Status
		bound  float64
	}{
		{"no bounds", NoThresholds(), 1e9, OK, none},
		{"well", page, 0.05, OK, none},
		{"at too fast", page, 0.001, Warning, 0.001},
		{"too fast", page, 0, Warning, 0.001},
		{"just slower than too fast", page, math.Nextafter(0.001, 1), OK, none},
		{"at warning", page, 0.1, Warning, 0.1},
		{"just below warning", page, math.Nextafter(0.1, 0), OK, none},
		{"between", page, 0.5, Warning, 0.1},
		{"at critical", page, 1, Critical, 1},
		{"beyond", page, math.Inf(1), Critical, 1},
		{"no value", page, none, OK, none},
		{"less is worse: well", days, 15, OK, none},
		{"less is worse: at warning", days, 14, Warning, 14},
		{"less is worse: between", days, 3.5, Warning, 14},
		{"less is worse: at critical", days, 3, Critical, 3},
		{"less is worse: gone", days, -2, Critical, 3},
		{"critical alone", Thresholds{none, none, 5}, 5, Critical, 5},
		{"critical alone, below", Thresholds{none, none, 5}, 4.9, OK, none},
		{"warning alone", Thresholds{none, 5, none}, 7, Warning, 5},
		{"too fast alone", Thresholds{5, none, none}, 5, Warning, 5},
		{"both the same: the graver", Thresholds{none, 5, 5}, 5, Critical, 5},
		{"zero is a bound", Thresholds{none, none, 0}, 0, Critical, 0},
	} {
		got, bound := tt.bounds.Judge(tt.v)
		if got != tt.want || bound != tt.bound && !(math.IsNaN(bound) && math.IsNaN(tt.bound)) {
			t.Errorf("%s: Judge(%g) = %v past %g, want %v past %g", tt.what, tt.v, got, bound, tt.want, tt.bound)
		}
	}
}

func TestThresholdsSet(t *testing.T) {
	none := math.NaN()
	for _, tt := range []struct {
		bounds     Thresholds
		set, worse bool
	}{
		{NoThresholds(), false, false},
		{Thresholds{0, none, none}, true, false},
		{Thresholds{none, 1, none}, true, false},
		{Thresholds{none, none, 1}, true, false},
		{Thresholds{none, 1, 2}, true, false},
		{Thresholds{none, 2, 1}, true, true},
	} {
		if tt.bounds.Set() != tt.set || tt.bounds.LessIsWorse() != tt.worse {
			t.Errorf("%+v: set %v, less is worse %v", tt.bounds, tt.bounds.Set(), tt.bounds.LessIsWorse())
		}
	}
}
