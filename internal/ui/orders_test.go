package ui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestScreensDoWhatTheyAreTold(t *testing.T) {
	t.Parallel()
	d := newDashboard(t, few)
	p := open(t, d.URL+"/?theme=light", 1280, 720)
	p.wait("document.querySelectorAll('.tile[aria-label]').length === 3")
	d.set(func(d *dashboard) { d.sendLocked("screen", object{"identify": "lobby <b>"}) })
	p.wait("document.getElementById('identify')")
	if got := eval[string](p, "document.getElementById('identify').textContent"); got != "lobby <b>" {
		t.Errorf("it shows %q", got)
	}
	if got := eval[float64](p, "parseFloat(getComputedStyle(document.getElementById('identify')).fontSize)"); got < 100 {
		t.Errorf("its name has %v px", got)
	}
	p.do(chromedp.Evaluate[chromedp.Void]("window.before = true"))
	p.wait("!document.getElementById('identify')")
	d.set(func(d *dashboard) { d.sendLocked("screen", object{"reload": true}) })
	p.wait("!window.before && location.search === '?theme=light' && document.querySelectorAll('.tile[aria-label]').length === 3")
	// A dashboard that is gone by then is not gone to.
	d.set(func(d *dashboard) { d.sendLocked("screen", object{"show": "nothing"}) })
	d.set(func(d *dashboard) { d.sendLocked("screen", object{"show": "w/a.b.c"}) })
	p.allow("404")
	p.wait("location.pathname === '/w/a.b.c' && document.getElementById('pulse').textContent.startsWith('live')")
	d.mu.Lock()
	asked := d.asked[len(d.asked)-1]
	d.mu.Unlock()
	if !strings.HasSuffix(asked, fmt.Sprintf("shows=w%%2Fa.b.c&build=%s", Build())) {
		t.Errorf("it says that it is %s", asked)
	}
	d.set(func(d *dashboard) { d.sendLocked("screen", object{"show": "./"}) })
	p.wait("location.pathname === '/' && location.search === ''")
}
