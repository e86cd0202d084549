//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"github.com/chromedp/chromedp"
)

// barGlass is what a browser may take longer than a screen that paints nothing.
const barGlass = 500 * time.Millisecond

// browser is a tab of a headless Chromium that shows the board.
type browser struct {
	*world
	ctx context.Context
}

func openBrowser(w *world, url string) *browser {
	w.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		w.Fatal("looking for a browser: got none, wanted chromium: apt-get install chromium")
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1920, 1080), chromedp.WSURLReadTimeout(time.Minute))...)
	ctx, cancel := chromedp.NewContext(alloc)
	w.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // it may never have started
		cancel()
		stop()
	})
	// The context of the first action bounds the life of the browser: only what
	// follows ends with the case.
	if err := chromedp.Do(ctx); err != nil {
		w.Fatalf("starting %q: %v", path, err)
	}
	deadline, _ := w.ctx.Deadline()
	timed, end := context.WithDeadline(ctx, deadline)
	w.Cleanup(end)
	if err := chromedp.Do(timed, chromedp.Navigate(url)); err != nil {
		w.Fatal(err)
	}
	return &browser{w, timed}
}

// glance is what the scripts of a browser begin with: what a person can read of
// one element, and of each that a selector finds.
const glance = `
	const text = (e) => e && e.getClientRects().length ? e.innerText.replace(/\s+/g, " ").trim() : "";
	const texts = (selector) => Array.from(document.querySelectorAll(selector)).map(text).filter(Boolean);
	const tiles = (state) => texts(".tile" + (state ? "[data-s=" + state + "]" : ""));
	const hop = (begin) => texts("#hops li").find((t) => t.startsWith(begin)) || "";
	const overlay = () => text(document.getElementById("overlay"));
`

// await waits until the script returns a text, and returns it and when it did.
func (b *browser) await(what, script string) (said string, at time.Time) {
	b.Helper()
	deadline, _ := b.ctx.Deadline()
	said, err := chromedp.Run(b.ctx, chromedp.Poll[string]("(() => {"+glance+"return "+script+"})()", chromedp.WithPollingTimeout(time.Until(deadline)-time.Second)))
	at = time.Now()
	if err != nil {
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText")) // only for the message below
		b.Fatalf("waiting for %s in the browser: %v; it shows\n%s", what, err, text)
	}
	return said, at
}

// inChromium causes a few faults before a browser: what a person reads there.
func inChromium(w *world, l *ledger) {
	const (
		interval = time.Second
		watchers = 4
	)
	s := newSite(w, watchers, interval, 0)
	b := openBrowser(w, "http://"+s.address+"/")
	green := fmt.Sprintf(`!overlay() && tiles("ok").length === %d && !texts("#hops .bad").length && hop("NATS") === "NATS" ? "all green" : ""`, watchers)
	// All tiles say that there is no data, and the footer why.
	silent := func(hop string) string {
		return fmt.Sprintf(`tiles("stale").length === %d && tiles("stale").every((t) => t.includes("no data")) && hop(%q) ? hop(%q) + "; " + tiles("stale")[0] : ""`, watchers, hop, hop)
	}
	// The overlay hides what was true once, and says so.
	covered := `overlay().startsWith("no contact with the dashboard for") && hop("this screen: no contact") ? overlay() : ""`
	b.await("a green board", green)
	for range 3 {
		s.anyMoment(interval)
		began := s.targets[0].turn(w, errors5)
		said, at := b.await("a red tile", `document.title.startsWith("✕ 1") && tiles("critical").find((t) => t.startsWith("w0") && t.includes("status 500")) || ""`)
		l.took("in Chromium: target answers 500", said, at.Sub(began), interval+aMoment+barGlass)
		s.targets[0].turn(w, good)
		b.await("a green board", green)

		s.anyMoment(interval)
		began = time.Now()
		s.prober.kill()
		said, at = b.await("stale tiles and the prober named", silent("berlin: no contact for"))
		l.took("in Chromium: prober kill -9", said, at.Sub(began), barStale+barGlass)
		s.prober = w.startProber("berlin", "p1", s.watchers)
		b.await("a green board", green)

		s.anyMoment(interval)
		began = time.Now()
		s.natsd.kill()
		said, at = b.await("NATS named", `hop("NATS down for")`)
		l.took("in Chromium: NATS kill -9", said, at.Sub(began), barNATS+barGlass)
		b.await("stale tiles", silent("NATS down for"))
		s.natsd, began = w.startNATS()
		said, at = b.await("a green board", green)
		l.took("in Chromium: NATS back", said, at.Sub(began), barLive+barGlass)

		s.anyMoment(interval)
		began = time.Now()
		s.dashboard.kill()
		said, at = b.await("the overlay", covered)
		l.took("in Chromium: dashboard kill -9", said, at.Sub(began), 4*time.Second+barGlass)
		s.anyMoment(atRest)
		s.dashboard, began = w.startDashboard(s.address)
		said, at = b.await("a green board", green)
		l.took("in Chromium: dashboard started again", said, at.Sub(began), barBack+barGlass)
	}
}
