//go:build chaos

package chaos

import (
	"fmt"
	"time"

	"pharos/internal/pharostest"
)

// barGlass is what a browser may take longer than a screen that paints nothing.
const barGlass = 500 * time.Millisecond

// glance is what the scripts of a browser begin with: what a person can read of
// one element, and of each that a selector finds.
const glance = `
	const text = (e) => e && e.getClientRects().length ? e.innerText.replace(/\s+/g, " ").trim() : "";
	const texts = (selector) => Array.from(document.querySelectorAll(selector)).map(text).filter(Boolean);
	const tiles = (state) => texts(".tile" + (state ? "[data-s=" + state + "]" : ""));
	const hop = (begin) => texts("#hops li").find((t) => t.startsWith(begin)) || "";
	const overlay = () => text(document.getElementById("overlay"));
`

// inChromium causes a few faults before a browser: what a person reads there.
func inChromium(w *world, l *ledger) {
	const (
		interval = time.Second
		watchers = 4
	)
	s := newSite(w, watchers, interval, 0)
	tab := pharostest.OpenTab(w, "http://"+s.address+"/", 1920, 1080, "net::ERR_") // the line breaks
	await := func(script string) (said string, at time.Time) {
		w.Helper()
		return pharostest.Until[string](tab, "(() => {"+glance+"return "+script+"})()")
	}
	green := fmt.Sprintf(`!overlay() && tiles("ok").length === %d && !texts("#hops .bad").length && hop("NATS") === "NATS" ? "all green" : ""`, watchers)
	// All tiles say that there is no data, and the footer why.
	silent := func(hop string) string {
		return fmt.Sprintf(`tiles("stale").length === %d && tiles("stale").every((t) => t.includes("no data")) && hop(%q) ? hop(%q) + "; " + tiles("stale")[0] : ""`, watchers, hop, hop)
	}
	// The overlay hides what was true once, and says so.
	covered := `overlay().startsWith("no contact with the dashboard for") && hop("this screen: no contact") ? overlay() : ""`
	await(green)
	for range 3 {
		s.anyMoment(interval)
		began := s.targets[0].Turn(w, pharostest.Fails)
		said, at := await(`document.title.startsWith("✕ 1") && tiles("critical").find((t) => t.startsWith("w0") && t.includes("500, wanted 2xx")) || ""`)
		l.took("in Chromium: target answers 500", said, at.Sub(began), interval+aMoment+barGlass)
		s.targets[0].Turn(w, pharostest.Answers)
		await(green)

		s.anyMoment(interval)
		began = time.Now()
		s.prober.kill()
		said, at = await(silent("berlin: no contact for"))
		l.took("in Chromium: prober kill -9", said, at.Sub(began), barStale+barGlass)
		s.prober = w.startProber("berlin", "p1", s.watchers)
		await(green)

		s.anyMoment(interval)
		began = time.Now()
		s.natsd.kill()
		said, at = await(`hop("NATS down for")`)
		l.took("in Chromium: NATS kill -9", said, at.Sub(began), barNATS+barGlass)
		await(silent("NATS down for"))
		s.natsd, began = w.startNATS()
		said, at = await(green)
		l.took("in Chromium: NATS back", said, at.Sub(began), barLive+barGlass)

		s.anyMoment(interval)
		began = time.Now()
		s.dashboard.kill()
		said, at = await(covered)
		l.took("in Chromium: dashboard kill -9", said, at.Sub(began), 4*time.Second+barGlass)
		s.anyMoment(atRest)
		s.dashboard, began = w.startDashboard(s.address)
		said, at = await(green)
		l.took("in Chromium: dashboard started again", said, at.Sub(began), barBack+barGlass)
	}
}
