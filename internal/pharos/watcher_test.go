package pharos

import (
	"regexp"
	"testing"
)

func TestWatcherAddress(t *testing.T) {
	for _, tt := range []struct {
		w             Watcher
		kind, address string
	}{
		{Watcher{Page: &Page{URL: "https://shop.example/"}}, "page", "https://shop.example/"},
		{Watcher{Command: &Command{Shell: "df -h | tail -1"}}, "command", "df -h | tail -1"},
		{Watcher{Command: &Command{Args: []string{"df", "-h", "/"}}}, "command", "df -h /"},
		{Watcher{SSHHost: "slw", Page: &Page{URL: "https://shop.example/"}}, "page", "slw: https://shop.example/"},
	} {
		if tt.w.Kind() != tt.kind || tt.w.TargetText() != tt.address {
			t.Errorf("%+v: %s %q, want %s %q", tt.w, tt.w.Kind(), tt.w.TargetText(), tt.kind, tt.address)
		}
	}
}

func TestWatcherSame(t *testing.T) {
	// Two of one file, read twice: no pointer is shared, and NaN is not itself.
	read := func() *Watcher {
		return &Watcher{
			ID: "a.b.c", Thresholds: NoThresholds(), PhaseThresholds: [len(PhaseNames)]Thresholds{NoThresholds()},
			Page:    &Page{URL: "https://shop.example/", Headers: []Header{{"Accept", "*/*"}}, Match: []*regexp.Regexp{regexp.MustCompile("x+")}},
			Command: &Command{Args: []string{"printf", "%s|", "a b"}, Env: []string{"A=1 B=2"}},
		}
	}
	if !read().Same(read()) {
		t.Error("a watcher is not the same as itself, read again")
	}
	for what, change := range map[string]func(w *Watcher){
		"threshold": func(w *Watcher) { w.Thresholds.Warning = 1 },
		"phase":     func(w *Watcher) { w.PhaseThresholds[4].Critical = 1 },
		"address":   func(w *Watcher) { w.Page.URL += "a" },
		"header":    func(w *Watcher) { w.Page.Headers[0].Value = "text/html" },
		"pattern":   func(w *Watcher) { w.Page.Match[0] = regexp.MustCompile("y+") },
		"ssh host":  func(w *Watcher) { w.SSHHost = "slw" },
		"kind":      func(w *Watcher) { w.Page, w.Command = nil, &Command{Shell: "true"} },
		"arguments": func(w *Watcher) { w.Command.Args = []string{"printf", "%s|", "a", "b"} },
		"variables": func(w *Watcher) { w.Command.Env = []string{"A=1", "B=2"} },
		"headers":   func(w *Watcher) { w.Page.Headers = []Header{{"Accept", "*/*} {Range 0-1"}} },
		"patterns":  func(w *Watcher) { w.Page.Match = append(w.Page.Match, regexp.MustCompile("y+")) },
	} {
		w := read()
		change(w)
		if w.Same(read()) {
			t.Errorf("another %s, and it is the same", what)
		}
	}
}
