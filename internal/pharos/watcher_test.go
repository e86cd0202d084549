package pharos

import (
	"regexp"
	"testing"
)

func TestWatcherSame(t *testing.T) {
	type keys struct {
		Address string
		Match   []*regexp.Regexp
	}
	// Two of one file, read twice: no pointer is shared.
	read := func() *Watcher {
		return &Watcher{
			ID: "a.b.c", Where: "a.yaml: line 7", Traits: Traits{Phases: []string{"connect"}},
			Bounds: Bounds{Value: Thresholds{Warning: Num(1)}, Parts: []Part{{"connect", "s", Thresholds{}}}},
			Spec:   &keys{"https://shop.example/", []*regexp.Regexp{regexp.MustCompile("x+")}},
		}
	}
	if !read().Same(read()) {
		t.Error("a watcher is not the same as itself, read again")
	}
	moved := read()
	if moved.Where = "a.yaml: line 8"; !moved.Same(read()) {
		t.Error("a watcher is not the same as itself, on another line")
	}
	for what, change := range map[string]func(w *Watcher){
		"threshold": func(w *Watcher) { w.Bounds.Value.Warning = Num(2) },
		"phase":     func(w *Watcher) { w.Bounds.Parts[0].Critical = Num(1) },
		"key":       func(w *Watcher) { w.Spec.(*keys).Address += "a" },
		"pattern":   func(w *Watcher) { w.Spec.(*keys).Match[0] = regexp.MustCompile("y+") },
		"ssh host":  func(w *Watcher) { w.SSHHost = "slw" },
		"kind":      func(w *Watcher) { w.Kind, w.Spec = "command", &struct{}{} },
	} {
		w := read()
		change(w)
		if w.Same(read()) {
			t.Errorf("another %s, and it is the same", what)
		}
	}
}
