package board

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestAServerThroughWhichNobodyIsHeardIsNamedAndLeft(t *testing.T) {
	var tried atomic.Int32
	in(t, Options{Elsewhere: func() { tried.Add(1) }}, func(w *world) {
		named := func() bool {
			return strings.Contains(fmt.Sprint(w.s.Hops.Notices), "no prober is heard through it")
		}
		w.b.SetLink(Link{Up: true, Store: true})
		w.beat("c", "r", 1)() // gone long before
		w.pass(10 * time.Second)
		w.beat("a", "p", 1)
		stop, other := w.beat("a", "q", 1), w.beat("b", "p", 1)
		w.pass(10 * time.Second)
		stop()
		w.pass(10 * time.Second)
		if tried.Load() != 0 || named() {
			t.Errorf("one of three is silent, and the server is blamed; tried %d times", tried.Load())
		}
		other()
	})
	in(t, Options{Elsewhere: func() { tried.Add(1) }}, func(w *world) {
		w.b.SetLink(Link{Up: true, Store: true})
		stop, other := w.beat("a", "q", 1), w.beat("b", "p", 1)
		w.pass(5 * time.Second)
		stop()
		other()
		w.pass(4 * time.Second)
		if !strings.Contains(fmt.Sprint(w.s.Hops.Notices), "no prober is heard through it") || tried.Load() != 1 {
			t.Errorf("the notices are %v, another server was tried %d times", w.s.Hops.Notices, tried.Load())
		}
		w.pass(time.Minute)
		if tried.Load() != 3 {
			t.Errorf("another server was tried %d times in a minute, want 3", tried.Load())
		}
		w.beat("a", "q", 1)
		w.pass(time.Second)
		if strings.Contains(fmt.Sprint(w.s.Hops.Notices), "no prober is heard through it") {
			t.Error("one is heard again, and the server is blamed")
		}
	})
}
