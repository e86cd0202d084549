package pharos

import (
	"testing"
	"time"
	"unicode/utf8"
)

func TestDisplay(t *testing.T) {
	for _, tt := range []struct {
		v     float64
		unit  string
		want  string
		shown string
	}{
		{0, "s", "0", "ms"},
		{0.00003, "s", "0.03", "ms"},
		{0.0004, "s", "0.4", "ms"},
		{0.00949, "s", "9.5", "ms"},
		{0.00996, "s", "10", "ms"},
		{0.133, "s", "133", "ms"},
		{0.9994, "s", "999", "ms"},
		{0.9996, "s", "1.00", "s"},
		{1.84, "s", "1.84", "s"},
		{9.996, "s", "10.0", "s"},
		{12.4, "s", "12.4", "s"},
		{99.96, "s", "100", "s"},
		{599, "s", "599", "s"},
		{600, "s", "10", "min"},
		{5000, "s", "83", "min"},
		{6000, "s", "2", "h"},
		{71 * 3600, "s", "71", "h"},
		{72 * 3600, "s", "3", "days"},
		{100 * 86400, "s", "100", "days"},
		{-0.133, "s", "-133", "ms"},
		{-1.84, "s", "-1.84", "s"},
		{71, "%", "71", "%"},
		{71.25, "%", "71.2", "%"},
		{99.96, "%", "100", "%"},
		{0.04, "%", "0.04", "%"},
		{6, "days", "6", "days"},
		{6.9, "days", "6", "days"},
		{2, "days", "2", "days"},
		{1.99, "days", "47", "hours"},
		{1.5 / 24, "days", "1", "hour"},
		{0, "days", "0", "hours"},
		{-0.01, "days", "-1", "hours"},
		{-3, "days", "-3", "days"},
		{0, "B", "0", "B"},
		{-0.4, "B", "0", "B"},
		{999, "B", "999", "B"},
		{999.6, "B", "1", "kB"},
		{1500, "B", "1.5", "kB"},
		{3.2e9, "B", "3.2", "GB"},
		{999.6e9, "B", "1", "TB"},
		{5.12e17, "B", "512", "PB"},
		{1e18, "B", "1000", "PB"},
		{-3.2e9, "B", "-3.2", "GB"},
		{0, "", "0", ""},
		{7, "", "7", ""},
		{-7, "", "-7", ""},
		{0.001234, "", "0.00123", ""},
		{1e-15, "", "0", ""},
		{-1e-15, "", "0", ""},
		{3.14159, "", "3.14", ""},
		{1234.5, "", "1234", ""},
		{99_999, "", "99999", ""},
		{100_000, "", "100k", ""},
		{123_456, "req", "123k", "req"},
		{999_499, "", "999k", ""},
		{999_999, "", "1M", ""},
		{123_456_789_012, "", "123G", ""},
		{-123_456_789_012, "", "-123G", ""},
		{999_999_999_999, "", "1T", ""},
		{5e14, "", "500T", ""},
		{1e18, "", "1e+18", ""},
		{1e300, "", "1e+300", ""},
	} {
		got, shown := Display(Num(tt.v), tt.unit, "a text")
		if got != tt.want || shown != tt.shown {
			t.Errorf("%g %s is shown as %q %q, want %q %q", tt.v, tt.unit, got, shown, tt.want, tt.shown)
		}
	}
	if got, shown := Display(Number{}, "s", "leader"); got != "leader" || shown != "" {
		t.Errorf("a text is shown as %q %q", got, shown)
	}
	if got, shown := Display(Number{}, "s", ""); got != "" || shown != "" {
		t.Errorf("nothing is shown as %q %q", got, shown)
	}
}

// What is sent must fit on a tile.
func FuzzDisplay(f *testing.F) {
	f.Add(1.84, "s")
	f.Add(-3.2e9, "B")
	f.Add(1e18, "days")
	f.Fuzz(func(t *testing.T, v float64, unit string) {
		if !(-maxMagnitude <= v && v <= maxMagnitude) {
			return
		}
		got, shown := Display(Num(v), unit, "")
		if len(got) == 0 || len(got) > 20 || got == "-0" || !utf8.ValidString(got) {
			t.Errorf("%g %s is shown as %q %q", v, unit, got, shown)
		}
	})
}

func TestSpell(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{-time.Hour, "a moment"},
		{0, "a moment"},
		{59*time.Second + 999*time.Millisecond, "a moment"},
		{time.Minute, "1 minute"},
		{119 * time.Second, "1 minute"},
		{5 * time.Minute, "5 minutes"},
		{time.Hour - 1, "59 minutes"},
		{time.Hour, "1 hour"},
		{2 * time.Hour, "2 hours"},
		{24*time.Hour - 1, "23 hours"},
		{24 * time.Hour, "1 day"},
		{10 * 24 * time.Hour, "10 days"},
	} {
		if got := HumanDuration(tt.d); got != tt.want {
			t.Errorf("Spell(%v) = %q, want %q", tt.d, got, tt.want)
		}
	}
}
