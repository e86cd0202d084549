package ui

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestCredentialsInTheAddress: a kiosk behind a proxy that asks for a password has them there. The board is live, and its
// tiles open.
func TestCredentialsInTheAddress(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{"a shared stream": "undefined", "a stream of its own": "delete window.SharedWorker"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := carrying(t, few)
			d.set(func(d *dashboard) { d.details["berlin.shop.checkout"] = checkout() })
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if user, password, ok := r.BasicAuth(); !ok || user != "wall" || password != "p@ss" {
					w.Header().Set("WWW-Authenticate", `Basic realm="wall"`)
					http.Error(w, "who are you?", http.StatusUnauthorized)
					return
				}
				d.serve(w, r)
			}))
			t.Cleanup(func() {
				d.drop()
				front.CloseClientConnections()
				front.Close()
			})
			address, err := url.Parse(front.URL)
			if err != nil {
				t.Fatal(err)
			}
			address.User = url.UserPassword("wall", "p@ss")
			p := prepared(t, address.String(), script)
			p.wait("document.querySelectorAll('.tile[aria-label]').length === 3 && document.getElementById('pulse').textContent === 'live'")
			d.frame(object{"i": 0, "s": "critical", "v": "9", "f": d.now()})
			p.wait("document.querySelector('#tile-0[data-s=critical]')")
			p.do(chromedp.Evaluate[chromedp.Void]("document.getElementById('tile-1').click()"))
			p.wait("document.querySelector('#detail pre')")
			if link := eval[string](p, "document.querySelector('.sheet-body > a').href"); strings.Contains(link, "wall") {
				t.Errorf("a link: got %q, wanted no credentials in it", link)
			}
		})
	}
}
