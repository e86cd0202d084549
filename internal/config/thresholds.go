package config

import (
	"fmt"
	"math"
	"strings"
	"time"

	"pharos/internal/pharos"
)

// pageBounds are the thresholds of a page's time and of its phases.
type pageBounds struct {
	total  pharos.Thresholds
	phases [len(pharos.PhaseNames)]pharos.Thresholds
}

// longest returns the longest bound in seconds, or 0.
func (b pageBounds) longest() float64 {
	longest := 0.0
	for _, t := range append(b.phases[:], b.total) {
		for _, v := range []float64{t.TooFast, t.Warning, t.Critical} {
			if v > longest { // false for NaN
				longest = v
			}
		}
	}
	return longest
}

// pageBounds returns a page's own thresholds, or the inherited ones.
func (r *reader) pageBounds(inherited pageBounds, k *watcherKeys, w *pharos.Watcher) pageBounds {
	if k.has("thresholds") {
		scheme := ""
		if u := k.Page.URL; u != nil && !w.Page.FollowRedirects {
			scheme = u.Scheme
		}
		return r.pageThresholds(&k.Thresholds, "thresholds", w.Timeout, scheme)
	}
	if longest := inherited.longest(); longest >= w.Timeout.Seconds() {
		at := k.at("page")
		if k.has("timeout") {
			at = k.at("timeout")
		}
		r.fail(at, "timeout: %v is no longer than the %v of defaults.thresholds, which could never be passed; write thresholds here, or a longer timeout", w.Timeout, seconds(longest))
	}
	return inherited
}

// pageThresholds returns the thresholds of a page's time and phases. Those at
// timeout or beyond could never be passed. scheme "http" has no TLS phase.
func (r *reader) pageThresholds(t *thresholds, key string, timeout time.Duration, scheme string) pageBounds {
	read := func(b bound, name string) float64 {
		switch {
		case b.kind == boundMissing:
			return math.NaN()
		case b.kind == boundNumber && !t.triple:
			r.fail(b.node, `%s.%s: %s what? write "%ss" or "%sms"`, key, name, b.text, b.text, b.text)
		case b.kind == boundPercent:
			r.fail(b.node, "%s.%s: a page's time is no percentage: want a duration, got %q", key, name, b.text)
		case b.value <= 0:
			r.fail(b.node, "%s.%s: want more than nothing, got %s", key, name, b.text)
		case b.value >= timeout.Seconds():
			r.fail(b.node, "%s.%s: %v could never be passed, since the timeout ends every look after %v; write less, or a longer timeout", key, name, seconds(b.value), timeout)
		default:
			return b.value
		}
		return math.NaN()
	}
	all := pharos.Thresholds{
		TooFast:  read(t.TooFast, "too_fast"),
		Warning:  read(t.Warning, "warning"),
		Critical: read(t.Critical, "critical"),
	}
	if all.LessIsWorse() {
		r.fail(t.Critical.node, "%s: critical (%v) below warning (%v): a page is not worse for being faster; that is too_fast", key, seconds(all.Critical), seconds(all.Warning))
	}
	r.tooFast(t, key, all)
	bounds := pageBounds{total: all}
	for i, b := range t.phases() {
		name := pharos.PhaseNames[i]
		phase := pharos.NoThresholds()
		phase.Warning = read(b.Warning, name+".warning")
		phase.Critical = read(b.Critical, name+".critical")
		if phase.LessIsWorse() {
			r.fail(b.Critical.node, "%s.%s: critical (%v) below warning (%v)", key, name, seconds(phase.Critical), seconds(phase.Warning))
		}
		if name == "tls" && scheme == "http" && phase.Set() {
			r.fail(t.at("tls"), "%s.tls: an http page has no TLS handshake", key)
		}
		bounds.phases[i] = phase
	}
	return bounds
}

// commandThresholds returns the thresholds of a command's value, in its unit.
func (r *reader) commandThresholds(t *thresholds, unit string) pharos.Thresholds {
	for i, name := range pharos.PhaseNames {
		if b := t.phases()[i]; b.node != nil {
			r.fail(b.node, "thresholds.%s: phases belong to a page, and this watcher is a command", name)
		}
	}
	inUnit := func(b bound, name string) float64 {
		switch {
		case b.kind == boundMissing:
			return math.NaN()
		case b.kind == boundTime && unit != "s":
			r.fail(b.node, "thresholds.%s: %q is a time, and the value is %s; write a plain number, or unit: s", name, b.text, inWords(unit))
			return math.NaN()
		case b.kind == boundPercent && unit != "%":
			r.fail(b.node, `thresholds.%s: %q is a percentage, and the value is %s; write a plain number, or unit: "%%"`, name, b.text, inWords(unit))
			return math.NaN()
		}
		return b.value
	}
	all := pharos.Thresholds{
		TooFast:  inUnit(t.TooFast, "too_fast"),
		Warning:  inUnit(t.Warning, "warning"),
		Critical: inUnit(t.Critical, "critical"),
	}
	if all.LessIsWorse() && !math.IsNaN(all.TooFast) {
		r.fail(t.TooFast.node, "thresholds.too_fast: with critical below warning less is worse anyway")
		return all
	}
	r.tooFast(t, "thresholds", all)
	return all
}

// tooFast checks that there is room for ok above too_fast.
func (r *reader) tooFast(t *thresholds, key string, all pharos.Thresholds) {
	switch {
	case all.TooFast >= all.Warning:
		r.fail(t.TooFast.node, "%s: too_fast (%s) is not below warning (%s): nothing would ever be ok", key, t.TooFast.text, t.Warning.text)
	case all.TooFast >= all.Critical:
		r.fail(t.TooFast.node, "%s: too_fast (%s) is not below critical (%s): nothing would ever be ok", key, t.TooFast.text, t.Critical.text)
	}
}

func seconds(v float64) time.Duration { return time.Duration(math.Round(v * 1e9)) }

func inWords(unit string) string {
	if unit == "" {
		return "a number without a unit"
	}
	return fmt.Sprintf("in %q", strings.TrimSpace(unit))
}
