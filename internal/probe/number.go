package probe

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	// numberStart is where a number begins: not within a word or another number.
	numberStart = regexp.MustCompile(`(?:^|[^\pL\pN_.])([-+−]*)(\.?\pN)`)
	// digitsRun is all that digits and what may stand between them make up.
	digitsRun = regexp.MustCompile(`^[.\pN][\pN.,'’_\x{a0}\x{202f}\x{2009}]*`)
	exponent  = regexp.MustCompile(`^[eE][-+]?[0-9]+`)
	// unitRun is what stands at the end of a number without a space.
	unitRun   = regexp.MustCompile(`^[\pL%‰°µ/²³]+`)
	nextWord  = regexp.MustCompile(`^[ \t]+([\pL%µ]+)`)
	thousands = regexp.MustCompile(`^[1-9][0-9]{0,2}(?:([,.'’_\x{a0}\x{202f}\x{2009}])[0-9]{3})+$`)
	based     = regexp.MustCompile(`^0[xXbBoO][0-9a-fA-F]+`)
)

// times are the units of time that are brought to seconds.
var times = map[string]float64{"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "sec": 1, "min": 60, "h": 3600}

// firstNumber returns the first number of a text, in the unit that is wanted. What
// can be read in two ways, or not as a whole, is no number: problem says why.
func firstNumber(text, unit string) (v float64, problem string) {
	at := numberStart.FindStringSubmatchIndex(text)
	if at == nil {
		return 0, "no number in the output"
	}
	sign := text[at[2]:at[3]]
	if at[2] > 0 && sign != "" { // a dash between two words is no sign
		if before, _ := utf8.DecodeLastRuneInString(text[:at[2]]); unicode.IsLetter(before) || unicode.IsDigit(before) {
			sign = ""
		}
	}
	from := at[3] - len(sign)
	run := digitsRun.FindString(text[at[3]:])
	core := strings.TrimRight(run, ".,'’_\u00a0\u202f\u2009")
	rest := text[at[3]+len(core):]
	if len(core) < len(run) && !ends(text[at[3]+len(run):]) {
		core, rest = run, text[at[3]+len(run):]
	}
	suffix, whole := "", len(core) == len(run) // nothing but the number's own ends it
	if whole {
		if e := exponent.FindString(rest); e != "" {
			core, rest = core+e, rest[len(e):]
		}
		if suffix = unitRun.FindString(rest); suffix != "" {
			rest = rest[len(suffix):]
		}
	}
	token := text[from : len(text)-len(rest)]
	odd := func(why string) (float64, string) { return 0, fmt.Sprintf("%q in the output %s", short(token), why) }
	if m := based.FindString(text[at[3]:]); m != "" {
		token = text[from : at[3]+len(m)]
		n, err := strconv.ParseInt(m, 0, 64)
		if err != nil {
			return odd("is not a plain number")
		}
		return odd(fmt.Sprintf("can be read as %d or as 0", n))
	}
	if whole && !ends(rest) { // it goes on: a time, a date, an address, a fraction
		before, _, _ := strings.Cut(rest, " ")
		token += strings.TrimSpace(before)
		return odd("is not one number")
	}
	v, problem = wholeNumber(core)
	switch {
	case problem != "":
		return odd(problem)
	case sign == "-" || sign == "−":
		v = -v
	case sign != "" && sign != "+":
		return odd("is not a plain number")
	}
	if suffix == "" {
		if m := nextWord.FindStringSubmatch(rest); m != nil && m[1] != unit && sameFamily(m[1], unit) {
			suffix, token = m[1], token+" "+m[1]
		}
	}
	return inUnit(v, suffix, unit, odd)
}

// ends reports whether nothing that follows belongs to the number before it.
func ends(rest string) bool {
	r, size := utf8.DecodeRuneInString(rest)
	switch {
	case size == 0, unicode.IsSpace(r), strings.ContainsRune(")]}>\"'`;|!?*=<", r):
		return true
	case strings.ContainsRune(".,:", r):
		next, size := utf8.DecodeRuneInString(rest[size:])
		return size == 0 || unicode.IsSpace(next)
	}
	return false
}

// wholeNumber reads digits with what stands between them.
func wholeNumber(s string) (v float64, problem string) {
	if strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf && unicode.IsNumber(r) }) {
		return 0, "has digits that are not 0 to 9"
	}
	plain := s
	separators := strings.Map(func(r rune) rune {
		if strings.ContainsRune(".,'’_\u00a0\u202f\u2009", r) {
			return r
		}
		return -1
	}, s)
	switch m := thousands.FindStringSubmatch(s); {
	case separators == "" || separators == ".":
	case m != nil && strings.Trim(separators, m[1]) == "" && (m[1] != "," && m[1] != "." || len(separators) > 1) && !(m[1] == "." && len(separators) > 1):
		plain = strings.ReplaceAll(s, m[1], "") // 1,234,567 and 1'234
	case m != nil && separators == ",":
		return 0, fmt.Sprintf("can be read as %s or as %s", strings.Replace(s, ",", "", 1), strings.Replace(s, ",", ".", 1))
	case separators == ",":
		whole, fraction, _ := strings.Cut(s, ",")
		return 0, fmt.Sprintf("can be read as %s.%s or as %s and %s", whole, fraction, whole, fraction)
	default:
		// 1,234.5 and 1.234,5
		i := strings.LastIndexAny(s, ".,")
		m := thousands.FindStringSubmatch(s[:max(i, 0)])
		if i < 0 || m == nil || m[1] == s[i:i+1] || strings.Trim(separators[:len(separators)-1], m[1]) != "" {
			return 0, "is not one number"
		}
		plain = strings.ReplaceAll(s[:i], m[1], "") + "." + s[i+1:]
	}
	v, err := strconv.ParseFloat(plain, 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, "is not a plain number"
	}
	return v, ""
}

// sameFamily reports whether a word after a number is another unit of what the
// file's unit measures.
func sameFamily(word, unit string) bool {
	_, a := times[word]
	_, b := times[unit]
	return a && b || isSize(word) && isSize(unit)
}

var sizeWord = regexp.MustCompile(`^[kKMGTPE]?i?[Bb]$`)

func isSize(word string) bool { return sizeWord.MatchString(word) }

// inUnit brings a number with the unit that stands at its end to the unit that
// the file says.
func inUnit(v float64, suffix, unit string, odd func(string) (float64, string)) (float64, string) {
	from, isTime := times[suffix]
	to, wantsTime := times[unit]
	switch {
	case suffix == "" || suffix == unit:
		return v, ""
	case isTime && wantsTime:
		return v * from / to, ""
	case strings.ContainsAny(suffix[:1], "KMGTP") && len(suffix) == 1 && strings.HasPrefix(unit, suffix):
		return v, "" // 4.0G where the file says GB
	case unit == "" && !strings.ContainsAny(suffix[:1], "kKMGTPE"):
		return v, ""
	case unit == "":
		return odd("has a unit that grows with the number; name the one that is wanted, as in unit: " + suffix)
	}
	return odd(fmt.Sprintf("is not in %q", unit))
}

// around returns text[from:to] with the digits that go on at an end, if the end is
// where a pattern just happened to stop.
func around(text string, from, to int, left, right bool) string {
	digit := func(i int) bool { return i >= 0 && i < len(text) && '0' <= text[i] && text[i] <= '9' }
	joint := func(i int) bool { return i >= 0 && i < len(text) && strings.IndexByte(".,'_", text[i]) >= 0 }
	for left && digit(from) && (digit(from-1) || joint(from-1) && digit(from-2)) {
		if from--; joint(from) {
			from--
		}
	}
	for right && digit(to-1) && (digit(to) || joint(to) && digit(to+1)) {
		if to++; joint(to - 1) {
			to++
		}
	}
	return text[from:to]
}

// short cuts a text for a message.
func short(s string) string {
	if len(s) <= 40 {
		return s
	}
	n := 40
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
