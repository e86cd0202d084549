package pharos

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Display returns a value as people say it, and its unit: "133" "ms",
// "1.84" "s", "71" "%", "6" "days", "3.2" "GB". A text stands for itself. Both
// are empty when there is no value.
func Display(v Number, unit, text string) (value, shown string) {
	b, shown := AppendDisplay(nil, v, unit, text)
	return string(b), shown
}

// AppendDisplay appends the value as Display returns it, and returns the unit.
func AppendDisplay(b []byte, v Number, unit, text string) ([]byte, string) {
	if !v.OK {
		return append(b, text...), ""
	}
	x := v.V
	size := math.Abs(x)
	switch unit {
	case "s":
		switch {
		case size == 0:
			return append(b, '0'), "ms"
		case size < 0.00005:
			return short(b, x*1e3, 1), "ms"
		case size < 0.00995:
			return strconv.AppendFloat(b, x*1e3, 'f', 1, 64), "ms"
		case size < 0.9995:
			return strconv.AppendFloat(b, x*1e3, 'f', 0, 64), "ms"
		case size < 9.995:
			return strconv.AppendFloat(b, x, 'f', 2, 64), "s"
		case size < 99.95:
			return strconv.AppendFloat(b, x, 'f', 1, 64), "s"
		case size < 600:
			return strconv.AppendFloat(b, x, 'f', 0, 64), "s"
		case size < 100*60:
			return strconv.AppendFloat(b, x/60, 'f', 0, 64), "min"
		case size < 72*3600:
			return strconv.AppendFloat(b, x/3600, 'f', 0, 64), "h"
		}
		return strconv.AppendFloat(b, x/86400, 'f', 0, 64), "days"
	case "B":
		for _, u := range [...]string{"B", "kB", "MB", "GB", "TB", "PB"} {
			if math.Abs(x) < 999.5 || u == "PB" {
				if u == "B" {
					return short(b, math.Round(x), 3), u
				}
				return short(b, x, 2), u
			}
			x /= 1000
		}
	case "days":
		switch {
		case size < 2:
			return one(strconv.AppendFloat(b, math.Floor(x*24), 'f', 0, 64), math.Floor(x*24), "hour", "hours")
		default:
			return strconv.AppendFloat(b, math.Floor(x), 'f', 0, 64), "days"
		}
	}
	switch {
	case size >= 1e18:
		return strconv.AppendFloat(b, x, 'g', 3, 64), unit
	case size >= 999.5e9:
		return append(short(b, x/1e12, 3), 'T'), unit
	case size >= 999.5e6:
		return append(short(b, x/1e9, 3), 'G'), unit
	case size >= 999.5e3:
		return append(short(b, x/1e6, 3), 'M'), unit
	case size >= 1e5:
		return append(short(b, x/1e3, 3), 'k'), unit
	case x == math.Trunc(x):
		return strconv.AppendInt(b, int64(x), 10), unit
	}
	return short(b, x, 3), unit
}

func one(b []byte, x float64, singular, plural string) ([]byte, string) {
	if x == 1 {
		return b, singular
	}
	return b, plural
}

// short appends x with the given number of significant digits, but all of its
// digits before the point, and without zeros at the end.
func short(b []byte, x float64, digits int) []byte {
	decimals := digits
	for size := math.Abs(x); size >= 1 && decimals > 0; size /= 10 {
		decimals--
	}
	if size := math.Abs(x); size > 0 && size < 0.1 {
		decimals += int(-math.Floor(math.Log10(size))) - 1
	}
	decimals = min(decimals, 12)
	start := len(b)
	b = strconv.AppendFloat(b, x, 'f', decimals, 64)
	if decimals > 0 {
		for b[len(b)-1] == '0' {
			b = b[:len(b)-1]
		}
		if b[len(b)-1] == '.' {
			b = b[:len(b)-1]
		}
	}
	if string(b[start:]) == "-0" {
		return append(b[:start], '0')
	}
	return b
}

// Say returns a value with its unit in a sentence: "300 ms", "1.5 s", "12 min",
// "20%". It is Display without zeros at the end.
func Say(v float64, unit string) string {
	value, shown := Display(Num(v), unit, "")
	if strings.ContainsRune(value, '.') {
		value = strings.TrimSuffix(strings.TrimRight(value, "0"), ".")
	}
	if shown == "" || shown == "%" {
		return value + shown
	}
	return value + " " + shown
}

// SayTime is Say for a time.
func SayTime(d time.Duration) string { return Say(d.Seconds(), "s") }

// HumanDuration returns how long something has lasted in the words of the original:
// "a moment", "5 minutes", "2 hours", "10 days".
func HumanDuration(d time.Duration) string {
	plural := func(n int64, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return strconv.FormatInt(n, 10) + " " + unit + "s"
	}
	s := int64(d / time.Second)
	switch {
	case s >= 86400:
		return plural(s/86400, "day")
	case s >= 3600:
		return plural(s/3600, "hour")
	case s >= 60:
		return plural(s/60, "minute")
	}
	return "a moment"
}
