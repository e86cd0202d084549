package probe

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/pharos"
)

func TestPhasesAreToldAsTheyBegin(t *testing.T) {
	transfers := make(chan struct{})
	address := listen(t, func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 200 OK\r\nConte")
		select { // the first byte is told of before the rest of the header has come
		case <-transfers:
			io.WriteString(c, "nt-Length: 2\r\n\r\nok")
		case <-t.Context().Done():
		}
	})
	var names []string
	var took [len(pharos.PhaseNames)]time.Duration
	now, since := -1, time.Time{}
	ctx := pharos.WithPhases(contextOf(10*time.Second), func(phase int, at time.Time) {
		if now >= 0 {
			took[now] += at.Sub(since)
		}
		if phase == phaseTransfer && now != phaseTransfer {
			close(transfers)
		}
		now, since = phase, at
		names = append(names, pharos.PhaseNames[phase])
	})
	e := New(Options{})
	defer e.Close()
	p, err := e.Prepare(pageAt("http://"+address+"/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r := p.Run(ctx)
	if r.Status != pharos.OK {
		t.Fatalf("%v %q", r.Status, r.Summary)
	}
	if diff := cmp.Diff([]string{"connect", "first_byte", "transfer"}, slices.Compact(names)); diff != "" {
		t.Error("phases told, want -, got +\n" + diff)
	}
	// What is told early is what the end says.
	var told []pharos.Phase
	for i, d := range took {
		if d > 0 {
			told = append(told, pharos.Phase{Name: pharos.PhaseNames[i], Took: pharos.Seconds(d)})
		}
	}
	ended := r.Phases[1:] // before them is the moment before the first phase
	if diff := cmp.Diff(ended, told); diff != "" {
		t.Error("their times, want -, got +\n" + diff)
	}
}

func TestAnInterimAnswerEndsNoWait(t *testing.T) {
	waits := make(chan struct{})
	address := listen(t, func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
		select { // the wait is told to go on
		case <-waits:
			time.Sleep(50 * time.Millisecond)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		case <-t.Context().Done():
		}
	})
	now := -1
	ctx := pharos.WithPhases(contextOf(10*time.Second), func(phase int, at time.Time) {
		if phase == phaseFirstByte && now == phaseTransfer {
			close(waits)
		}
		now = phase
	})
	e := New(Options{})
	defer e.Close()
	p, err := e.Prepare(pageAt("http://"+address+"/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if r := p.Run(ctx); r.Status != pharos.OK || phase(r, "first_byte") < 50*time.Millisecond || phase(r, "transfer") > phase(r, "first_byte") {
		t.Errorf("got %v %q %v", r.Status, r.Summary, r.Phases)
	}
}
