package ui

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
)

// firefox is one that is spoken to by WebDriver BiDi.
type firefox struct {
	t    testing.TB
	ctx  context.Context
	conn *websocket.Conn

	mu         sync.Mutex // guards all below
	last       int
	answers    map[int]chan answer
	complaints []string
}

type answer struct {
	ID      int
	Type    string
	Method  string
	Error   string
	Message string
	Result  json.RawMessage
	Params  struct {
		Level, Text, Type string
	}
}

// newFirefox starts Firefox with a profile of its own.
func newFirefox(t testing.TB) *firefox {
	t.Helper()
	path := ""
	for _, name := range []string{"firefox-esr", "firefox"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("looking for Firefox: got none, wanted firefox-esr: apt-get install firefox-esr")
		}
		t.Skip("Firefox is not here, and the page is not tested in it: apt-get install firefox-esr")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	home := t.TempDir()
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-remote", "--profile", home, "--remote-debugging-port", "0", "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+home, "MOZ_DISABLE_CONTENT_SANDBOX=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	address := make(chan string, 1)
	reading.Go(func() {
		lines := bufio.NewScanner(said)
		for lines.Scan() {
			if _, at, ok := strings.Cut(lines.Text(), "listening on "); ok {
				select {
				case address <- at:
				default:
				}
			}
		}
		close(address)
	})
	f := &firefox{t: t, ctx: ctx, answers: map[int]chan answer{}}
	t.Cleanup(func() {
		cancel()
		reading.Wait()
		_ = cmd.Wait() // it was killed
		if f.conn != nil {
			_ = f.conn.CloseNow() // likewise
		}
	})
	at, ok := <-address
	if !ok {
		t.Fatalf("starting %s: it ended and told no address", path)
	}
	if f.conn, _, err = websocket.Dial(ctx, at+"/session", nil); err != nil {
		t.Fatal(err)
	}
	f.conn.SetReadLimit(64 << 20)
	reading.Go(f.read)
	f.call("session.new", object{"capabilities": object{}})
	f.call("session.subscribe", object{"events": []string{"log.entryAdded"}})
	return f
}

func (f *firefox) read() {
	for {
		_, data, err := f.conn.Read(f.ctx)
		var a answer
		if err == nil {
			err = json.Unmarshal(data, &a)
		}
		f.mu.Lock()
		if err != nil {
			for _, waits := range f.answers {
				close(waits)
			}
			f.answers = nil
			f.mu.Unlock()
			return
		}
		if waits := f.answers[a.ID]; waits != nil && a.Type != "event" {
			delete(f.answers, a.ID)
			waits <- a
		}
		if a.Method == "log.entryAdded" && (a.Params.Level == "error" || a.Params.Type == "console") {
			f.complaints = append(f.complaints, a.Params.Text)
		}
		f.mu.Unlock()
	}
}

// call sends a command and returns its result.
func (f *firefox) call(method string, params object) json.RawMessage {
	f.t.Helper()
	waits := make(chan answer, 1)
	f.mu.Lock()
	f.last++
	id := f.last
	if f.answers == nil {
		f.mu.Unlock()
		f.t.Fatalf("%s: Firefox has ended", method)
	}
	f.answers[id] = waits
	f.mu.Unlock()
	data, err := json.Marshal(object{"id": id, "method": method, "params": params})
	if err == nil {
		err = f.conn.Write(f.ctx, websocket.MessageText, data)
	}
	if err != nil {
		f.t.Fatalf("%s: %v", method, err)
	}
	a, ok := <-waits
	if !ok || a.Type == "error" {
		f.t.Fatalf("%s: %s: %s", method, a.Error, a.Message)
	}
	return a.Result
}

// window is a tab of it.
type window struct {
	*firefox
	id string
}

// open opens an address in a new tab.
func (f *firefox) open(address string, width, height int64) *window {
	f.t.Helper()
	var made struct{ Context string }
	if err := json.Unmarshal(f.call("browsingContext.create", object{"type": "tab"}), &made); err != nil {
		f.t.Fatal(err)
	}
	w := &window{f, made.Context}
	w.resize(width, height)
	f.call("browsingContext.navigate", object{"context": w.id, "url": address, "wait": "complete"})
	return w
}

func (w *window) resize(width, height int64) {
	w.t.Helper()
	w.call("browsingContext.setViewport", object{"context": w.id, "viewport": object{"width": width, "height": height}})
}

// see returns the value of a script, right after a frame was painted.
func see[T any](w *window, script string) (value T) {
	w.t.Helper()
	var out struct {
		Type             string
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	script = "new Promise((done, fail) => requestAnimationFrame(() => setTimeout(() => { try { done(JSON.stringify(" + script + ")) } catch (e) { fail(e) } })))"
	answer := w.call("script.evaluate", object{"expression": script, "target": object{"context": w.id}, "awaitPromise": true})
	if err := json.Unmarshal(answer, &out); err != nil || out.Type != "success" {
		w.t.Fatalf("running %s: %v %s", script, err, out.ExceptionDetails.Text)
	}
	if err := json.Unmarshal([]byte(out.Result.Value), &value); err != nil {
		w.t.Fatalf("running %s: %v", script, err)
	}
	return value
}

// wait waits until a script's value is true.
func (w *window) wait(script string) {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if see[bool](w, "(() => { try { return Boolean("+script+") } catch (e) { return false } })()") {
			return
		}
	}
	w.t.Fatalf("waiting for %s; the page shows %q", script, see[string](w, "document.body.innerText.slice(0, 600)"))
}

// TestFirefox: what matters most, in another browser than Chromium.
func TestFirefox(t *testing.T) {
	t.Parallel()
	f := newFirefox(t)
	d := carrying(t, few)
	d.set(func(d *dashboard) { d.details["berlin.shop.checkout"] = checkout() })
	w := f.open(d.URL, 1920, 1080)
	live := func(n int) string {
		return fmt.Sprintf("document.querySelectorAll('.tile[aria-label]').length === %d && document.getElementById('pulse').textContent === 'live'", n)
	}
	w.wait(live(3))
	got := see[[]string](w, `["name", "value", "unit", "note"].map((part) => document.querySelector("#tile-1 ." + part).textContent).concat(document.title)`)
	if diff := cmp.Diff([]string{"Checkout", "1.84", "s", "slower than 1 s", "! 1 \u00b7 Pharos"}, got); diff != "" {
		t.Errorf("a tile (-want +got):\n%s", diff)
	}
	// What changes, and what is opened.
	d.frame(object{"i": 0, "s": "critical", "m": "503, wanted 2xx", "f": d.now() + 60})
	w.wait("document.querySelector('#tile-0[data-s=critical].worse') && document.title.startsWith('\u2715 1')")
	d.frame(object{"i": 0, "s": "ok", "m": "", "f": d.now(), "k": object{"s": "critical", "l": 3.1, "e": d.now() - 70}})
	w.wait("document.querySelector('#tile-0[data-s=ok][data-was=critical]').getAttribute('data-glow') === '3'")
	see[bool](w, "(document.getElementById('tile-1').click(), true)")
	w.wait("document.querySelector('#detail pre').textContent === 'line one\\nline two'")
	see[bool](w, "(document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'})), true)")
	w.wait("document.getElementById('detail').hidden")
	// A second tab shares the stream.
	second := f.open(d.URL, 1280, 720)
	second.wait(live(3))
	if n := d.streams(); n != 1 {
		t.Errorf("streams of two tabs: got %d, wanted 1", n)
	}
	f.call("browsingContext.close", object{"context": second.id})
	f.call("browsingContext.activate", object{"context": w.id})
	// Everything has its place, and what is not well is read from afar.
	for _, row := range []struct {
		board func(at float64) object
		n     int
		bad   int // -1: any
	}{{odd(18), 18, -1}, {odd(192), 192, -1}, {sick(even(18), 3), 18, 3}, {sick(even(192), 8), 192, 8}, {sick(even(1000), 1), 1000, 1}} {
		d.show(row.board)
		for _, size := range [][2]int64{{1280, 720}, {1920, 1080}, {1080, 1920}, {390, 844}} {
			w.resize(size[0], size[1])
			w.wait(fmt.Sprintf("innerWidth === %d && %s && !document.querySelector('.tile:not([aria-label])')", size[0], live(row.n)))
			if row.bad >= 0 {
				w.wait(fmt.Sprintf("document.querySelectorAll('.tile:not([data-s=ok])').length === %d", row.bad))
			}
			for _, flaw := range see[[]string](w, flaws) {
				t.Errorf("%d watchers, %d not well, at %dx%d: %s", row.n, row.bad, size[0], size[1], flaw)
			}
			if row.bad >= 0 {
				wantReadFromAfar(t, see[[][]readName](w, shownNames), row.bad, size)
			}
		}
	}
	// A silence, and the way back.
	d.set(func(d *dashboard) { d.silent = true })
	w.wait("!document.getElementById('overlay').hidden && document.title.includes('no contact')")
	d.set(func(d *dashboard) { d.silent = false })
	w.wait("document.getElementById('overlay').hidden")
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, text := range f.complaints {
		t.Errorf("Firefox complained: %s", text)
	}
}
