package allinone_test

import (
	"fmt"
	"testing"

	"pharos/internal/pharostest"
)

func TestInARealBrowser(t *testing.T) {
	t.Parallel()
	x := pharostest.NewTarget(t)
	p := start(t, parse(t, fmt.Sprintf(`
title: Glass
sets: [{name: Shop, watchers: [{name: Home page, page: %q, interval: 100ms}]}]`, x.URL())))
	tab := pharostest.OpenTab(t, p.url, 1920, 1080, "net::ERR_") // the program ends
	until := func(script string) { t.Helper(); pharostest.Until[bool](tab, script) }
	shows := func(text string) string {
		return fmt.Sprintf(`document.querySelector(".tile").innerText.includes(%q)`, text)
	}
	status := func(s string) string { return fmt.Sprintf(`document.querySelector(".tile").dataset.s === %q`, s) }
	until(status("ok"))
	until(shows("Home page"))
	x.Turn(t, pharostest.Fails)
	until(status("critical"))
	until(`document.title.includes("✕ 1")`)
	until(`/for (\d+ seconds|\d+ minutes?)/.test(document.querySelector(".tile").innerText)`) // no more "just now": it ticks by itself
	x.Turn(t, pharostest.Answers)
	until(status("ok"))
	until(shows("was critical"))
	pharostest.Eval[any](tab, `document.querySelector(".tile").click()`)
	until(`document.querySelector("#detail").innerText.includes("first byte")`)
	p.stop()
	until(`document.querySelector("#overlay").innerText.includes("no contact with the dashboard")`)
}
