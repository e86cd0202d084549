package pharos

import (
	"math"
	"testing"
)

func TestJudge(t *testing.T) {
	none := Number{}
	page := Thresholds{TooFast: Num(0.001), Warning: Num(0.1), Critical: Num(1)}
	days := Thresholds{Warning: Num(14), Critical: Num(3)}
	for _, tt := range []struct {
		what   string
		bounds Thresholds
		v      float64
		want   Status
		bound  Number
	}{
		{"no bounds", Thresholds{}, 1e9, OK, none},
		{"well", page, 0.05, OK, none},
		{"at too fast", page, 0.001, Warning, Num(0.001)},
		{"too fast", page, 0, Warning, Num(0.001)},
		{"just slower than too fast", page, math.Nextafter(0.001, 1), OK, none},
		{"at warning", page, 0.1, Warning, Num(0.1)},
		{"just below warning", page, math.Nextafter(0.1, 0), OK, none},
		{"between", page, 0.5, Warning, Num(0.1)},
		{"at critical", page, 1, Critical, Num(1)},
		{"beyond", page, math.Inf(1), Critical, Num(1)},
		{"no value", page, math.NaN(), OK, none},
		{"less is worse: well", days, 15, OK, none},
		{"less is worse: at warning", days, 14, Warning, Num(14)},
		{"less is worse: between", days, 3.5, Warning, Num(14)},
		{"less is worse: at critical", days, 3, Critical, Num(3)},
		{"less is worse: gone", days, -2, Critical, Num(3)},
		{"critical alone", Thresholds{Critical: Num(5)}, 5, Critical, Num(5)},
		{"critical alone, below", Thresholds{Critical: Num(5)}, 4.9, OK, none},
		{"warning alone", Thresholds{Warning: Num(5)}, 7, Warning, Num(5)},
		{"too fast alone", Thresholds{TooFast: Num(5)}, 5, Warning, Num(5)},
		{"both the same: the graver", Thresholds{Warning: Num(5), Critical: Num(5)}, 5, Critical, Num(5)},
		{"less is worse with one bound", Thresholds{Warning: Num(14), Less: true}, 15, OK, none},
		{"less is worse with one bound, passed", Thresholds{Warning: Num(14), Less: true}, 13, Warning, Num(14)},
		{"zero is a bound", Thresholds{Critical: Num(0)}, 0, Critical, Num(0)},
	} {
		got, bound := tt.bounds.Judge(tt.v)
		if got != tt.want || bound != tt.bound {
			t.Errorf("%s: Judge(%g) = %v past %v, want %v past %v", tt.what, tt.v, got, bound, tt.want, tt.bound)
		}
	}
}

func TestThresholdsSet(t *testing.T) {
	for _, tt := range []struct {
		bounds     Thresholds
		set, worse bool
	}{
		{Thresholds{}, false, false},
		{Thresholds{TooFast: Num(0)}, true, false},
		{Thresholds{Warning: Num(1)}, true, false},
		{Thresholds{Critical: Num(1)}, true, false},
		{Thresholds{Warning: Num(1), Critical: Num(2)}, true, false},
		{Thresholds{Warning: Num(2), Critical: Num(1)}, true, true},
	} {
		if tt.bounds.Set() != tt.set || tt.bounds.LessIsWorse() != tt.worse {
			t.Errorf("%+v: set %v, less is worse %v", tt.bounds, tt.bounds.Set(), tt.bounds.LessIsWorse())
		}
	}
}
