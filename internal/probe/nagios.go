package probe

import (
	"regexp"
	"strconv"
	"strings"
)

// performance is what a Nagios plugin measures: 'label'=value[unit];warning;critical;min;max.
var performance = regexp.MustCompile(`(?:^|\s)(?:'((?:[^']|'')*)'|([^\s='|]+))=([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)([a-zA-Z%µ]*)(?:;([^;\s]*))?(?:;([^;\s]*))?(?:;[^;\s]*){0,2}`)

// plugin is the output of a Nagios plugin: https://nagios-plugins.org/doc/guidelines.html.
type plugin struct {
	text              string // the first line, without what is measured
	measured          bool   // what follows is there
	label, unit       string // the unit is s, B, %, or none
	value             float64
	warning, critical string // ranges, as the plugin has them
}

// parsePlugin reads the output of a plugin. What it measures stands behind a "|", in
// the first line or, once more, in a later one; the first of it counts.
func parsePlugin(output string) (p plugin) {
	first, _, _ := strings.Cut(strings.TrimLeft(output, "\n"), "\n")
	p.text, _, _ = strings.Cut(first, "|")
	p.text = strings.TrimSpace(p.text)
	for line := range strings.Lines(output) {
		_, data, ok := strings.Cut(line, "|")
		if !ok {
			continue
		}
		m := performance.FindStringSubmatch(data)
		if m == nil {
			continue
		}
		v, err := strconv.ParseFloat(m[3], 64)
		if err != nil || v-v != 0 {
			continue
		}
		factor, unit := pluginUnit(m[4])
		p.measured, p.value, p.unit, p.warning, p.critical = true, v*factor, unit, m[5], m[6]
		p.label = strings.ReplaceAll(m[1], "''", "'") + m[2]
		return p
	}
	return p
}

// pluginUnit brings a unit to one that the board knows.
func pluginUnit(unit string) (factor float64, known string) {
	if f, ok := times[unit]; ok {
		return f, "s"
	}
	sizes := map[string]float64{"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40, "PB": 1 << 50}
	if f, ok := sizes[strings.ToUpper(unit)]; ok {
		return f, "B"
	}
	if unit == "c" { // a counter
		return 1, ""
	}
	return 1, unit
}
