package ui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// clockwork lets a page's wall clock begin at a time of our choice, and lets all of its clocks jump. It notes what the clock
// and the pulse say at each of their changes.
const clockwork = `{
	const Real = Date, tick = performance.now.bind(performance);
	window.ahead = new Real(%q) - Real.now();
	window.asleep = 0; // milliseconds that performance.now tells of
	window.Date = class extends Real {
		constructor(...of) { of.length ? super(...of) : super(Real.now() + window.ahead); }
		static now() { return Real.now() + window.ahead; }
	};
	performance.now = () => tick() + window.asleep;
	window.nights = [];
	window.pulses = [];
	document.addEventListener("readystatechange", () => {
		if (document.readyState !== "interactive") return;
		const root = document.documentElement, clock = document.getElementById("clock"), pulse = document.getElementById("pulse");
		let night = "";
		new MutationObserver(() => {
			const is = String(root.classList.contains("night"));
			if (is !== night) window.nights.push(is + " at " + clock.textContent);
			night = is;
		}).observe(root, {attributes: true, attributeFilter: ["class"]});
		new MutationObserver(() => window.pulses.push(pulse.textContent)).observe(pulse, {childList: true, characterData: true, subtree: true});
	});
}`

// TestNightBeginsAndEndsOnTime, in the time zone of the board.
func TestNightBeginsAndEndsOnTime(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, query, now, want string }{
		{"begins", "?night=20:00-07:00&tz=UTC", "2026-03-05T19:59:57Z", "true at 20:00:0"},
		{"ends", "?night=20:00-07:00&tz=UTC", "2026-03-05T06:59:57Z", "false at 07:00:0"},
		{"begins in Tokyo, told in twelve hours", "?night=20:00-07:00&tz=Asia/Tokyo&clock=12h", "2026-03-05T10:59:57Z", "true at 8:00:0"},
		{"over noon", "?night=9:30-14:05&tz=UTC", "2026-03-05T14:04:57Z", "false at 14:05:0"},
		{"at midnight", "?night=0:00-06:00&tz=UTC", "2026-03-05T23:59:57Z", "true at 00:00:0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := prepared(t, newDashboard(t, few).URL+"/"+row.query, fmt.Sprintf(clockwork, row.now))
			p.wait(fmt.Sprintf("window.nights.some((text) => text.startsWith(%q))", row.want))
			if got := eval[[]string](p, "window.nights"); !strings.HasPrefix(got[len(got)-1], row.want) {
				t.Errorf("night: got %q, wanted the last to be %q", got, row.want)
			}
		})
	}
}

// TestNightDimsWhatIsWell, and nothing that is not.
func TestNightDimsWhatIsWell(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, northwind(60))
	p := prepared(t, d.URL+"/?night=20:00-07:00&tz=UTC", fmt.Sprintf(clockwork, "2026-03-05T23:00:00Z"))
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 60 && document.querySelector('.row[data-s=ok]') && document.documentElement.classList.contains('night')")
	opacity := func(selector string) float64 {
		return eval[float64](p, fmt.Sprintf(`(e => { let all = 1; for (; e; e = e.parentElement) all *= getComputedStyle(e).opacity; return all; })(document.querySelector(%q))`, selector))
	}
	for selector, bright := range map[string]bool{
		".tile[data-s=ok]": false, ".set-name": false, "#title": false, ".row[data-s=ok]": false,
		".tile[data-s=critical]": true, ".tile[data-s=warning]": true, ".tile[data-s=unknown]": true, ".row[data-s=critical]": true, "#pills [data-s=critical]": true,
	} {
		if got := opacity(selector); bright != (got == 1) {
			t.Errorf("at night %s has the opacity %v, wanted bright: %v", selector, got, bright)
		}
	}
}

// TestNothingIsLiveAfterASleep before something has arrived, whichever clock tells of it: a machine that sleeps stops some.
func TestNothingIsLiveAfterASleep(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]string{"the wall clock": "window.ahead += 60000", "both clocks": "window.ahead += 60000, window.asleep += 60000"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDashboard(t, few)
			p := prepared(t, d.URL, fmt.Sprintf(clockwork, "2026-03-05T12:00:00Z"))
			p.allow("503 (Service Unavailable)")
			p.allow("ERR_INCOMPLETE_CHUNKED_ENCODING")
			p.wait("document.querySelectorAll('.tile[aria-label]').length === 3 && document.getElementById('pulse').textContent === 'live'")
			d.set(func(d *dashboard) { d.silent, d.refuse = true, true })
			p.do(chromedp.Evaluate[chromedp.Void]("window.pulses = [], " + jump + ", undefined"))
			p.wait("!document.getElementById('overlay').hidden")
			d.drop()
			const veil = "document.getElementById('overlay').textContent"
			p.wait(`/^no contact with the dashboard for 1 min/.test(` + veil + `)`)
			got := eval[[]string](p, "["+veil+", document.getElementById('hops').textContent, String(window.pulses)]")
			if !strings.Contains(got[0], "as it was at 12:0") || !strings.HasPrefix(got[1], "this screen: no contact for 1 min") || strings.Contains(","+got[2], ",live") {
				t.Errorf("after a sleep: got the overlay, the hops and the pulse %q, wanted one number and nothing live", got)
			}
			d.set(func(d *dashboard) { d.silent, d.refuse = false, false })
			p.wait("document.getElementById('overlay').hidden && document.getElementById('pulse').textContent === 'live'")
		})
	}
}

// TestOverlayAndFooterSayOneNumber, second by second, and what is under them does not go on.
func TestOverlayAndFooterSayOneNumber(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, silent(18))
	p := open(t, d.URL, 1920, 1080, "ERR_INCOMPLETE_CHUNKED_ENCODING", "503 (Service Unavailable)")
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 18")
	d.set(func(d *dashboard) { d.silent = true })
	p.wait("!document.getElementById('overlay').hidden")
	const said = `[document.getElementById("overlay").textContent.match(/for (.*?)the board/)[1], document.querySelector("#hops .bad").textContent.match(/for (.*)/)[1]]`
	under := `[...document.querySelectorAll(".line, .long, #banner, #hops .bad:not(:first-child), #pills")].map((e) => e.textContent).join("|")`
	before := eval[string](p, under)
	for range 3 {
		at := eval[[]string](p, said)
		if at[0] != at[1] {
			t.Errorf("overlay and footer: got %q, wanted one number", at)
		}
		p.wait(fmt.Sprintf("%s[0] !== %q", said, at[0]))
	}
	if got := eval[string](p, under); got != before {
		t.Errorf("what is under the overlay went on:\n%s\n%s", before, got)
	}
	if !eval[bool](p, `/as it was at \d\d:\d\d:\d\d$/.test(document.getElementById("overlay").textContent)`) {
		t.Errorf("the overlay: got %q, wanted when it was, to the second", eval[string](p, "document.getElementById('overlay').textContent"))
	}
}
