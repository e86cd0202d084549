package web

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// crowd puts so many pushed watchers on the board, with that much detail each.
func (w *world) crowd(n, detail int) {
	for i := range n {
		w.apply(fmt.Sprintf("pharos.push.a.b.w%d", i), fmt.Sprintf(`{"status":"ok","value":%d,"detail":%q}`, i, strings.Repeat("x", detail)))
		if i%100 == 99 {
			time.Sleep(time.Second)
		}
	}
	time.Sleep(3 * time.Second)
}

func TestAnswersAreCompressedAndShared(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.crowd(100, 10)
		for _, target := range []string{"/", "/api/v1/board", "/poll/json", "/metrics"} {
			plain := w.wantCode(target, http.StatusOK)
			if h := plain.Header(); h.Get("Content-Encoding") != "" || h.Get("Vary") != "Accept-Encoding" || h.Get("Content-Length") != fmt.Sprint(plain.Body.Len()) {
				t.Errorf("GET %s: %v for %d bytes", target, h, plain.Body.Len())
			}
			packed := w.as("192.0.2.1:1", target, "Accept-Encoding", "br, gzip;q=0.5")
			if packed.Header().Get("Content-Encoding") != "gzip" || packed.Body.Len() > plain.Body.Len()/2 {
				t.Errorf("GET %s: %d of %d bytes, %v", target, packed.Body.Len(), plain.Body.Len(), packed.Header())
			}
			r, err := gzip.NewReader(packed.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != plain.Body.String() {
				t.Errorf("GET %s: unpacked to something else (%v)", target, err)
			}
			if got := w.as("192.0.2.1:1", target, "Accept-Encoding", "gzip;q=0, br").Header().Get("Content-Encoding"); got != "" {
				t.Errorf("GET %s: got %s, which is not wanted", target, got)
			}
		}
		a, err := w.s.answers.get("board redacted", nil)
		if err != nil {
			t.Fatal(err)
		}
		w.get("/api/v1/board")
		if b, _ := w.s.answers.get("board redacted", nil); a != b {
			t.Error("made again for somebody who asked at the same time")
		}
		w.apply("pharos.push.a.b.w0", `{"status":"critical"}`)
		time.Sleep(answerFor)
		if got := w.get("/api/v1/board").Body.String(); !strings.Contains(got, `"critical":1`) {
			t.Errorf("after %v a red is not told", answerFor)
		}
		for i := range 3 * maxAnswers {
			w.get(fmt.Sprint("/?set=s", i))
		}
		if n := len(w.s.answers.newest); n > maxAnswers {
			t.Errorf("%d answers are kept", n)
		}
	})
}

func (k *answers) underWay() []*transfer {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.sending)
}

// TestSlowReadersHoldLittle: each of forty asks for a board of its own, and does
// not read it.
func TestSlowReadersHoldLittle(t *testing.T) {
	in(t, Options{}, func(w *world) {
		const most, size = 2 << 20, 250_000 // an eighth of what a dashboard holds
		w.s.answers.most = most
		w.crowd(64, 4000) // a bit more than size
		l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		ctx, cancel := context.WithCancel(w.Context())
		served := make(chan error, 1)
		go func() { served <- w.s.Serve(ctx, l) }()
		var readers []net.Conn
		for i := range 40 {
			w.apply("pharos.push.a.b.w0", fmt.Sprintf(`{"status":"ok","value":%d}`, i))
			time.Sleep(answerFor)
			readers = append(readers, l.dial(w, "GET /poll/json HTTP/1.1\r\nHost: a\r\n\r\n"))
			synctest.Wait()
		}
		held, sending := 0, w.s.answers.underWay()
		for _, t := range sending {
			held += len(t.of.body)
		}
		if held < most-2*size || held > most || sending[len(sending)-1].of.until.Before(time.Now()) {
			t.Errorf("%d answers of %d bytes are held for slow readers, want nearly %d and the newest", len(sending), held, most)
		}
		time.Sleep(pieceTime)
		synctest.Wait()
		if n := len(w.s.answers.underWay()); n != 0 {
			t.Errorf("after %v of silence %d readers are still waited for", pieceTime, n)
		}
		if n, err := io.Copy(io.Discard, readers[39]); err != nil || n > 1<<10 {
			t.Errorf("a reader that was cut off read %d bytes, %v", n, err)
		}
		// One that is slow and reads gets all.
		slow := l.dial(w, "GET /poll/json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		got := 0
		for buffer := make([]byte, piece); ; {
			n, err := io.ReadFull(slow, buffer)
			got += n
			if err != nil {
				break
			}
			time.Sleep(pieceTime - time.Second)
		}
		if got < size {
			t.Errorf("a slow reader got %d bytes", got)
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
