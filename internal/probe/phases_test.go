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
	var told []pharos.Phase
	var trace *Trace
	trace = pharos.NewTrace(func() {
		took, under := trace.So(time.Now())
		if took[under].Name == "transfer" && !slices.Contains(names, "transfer") {
			close(transfers)
		}
		names, told = append(names, took[under].Name), took
	})
	e := New(Options{})
	defer e.Close()
	p, err := e.Prepare(pageAt("http://"+address+"/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r := seen(p.Run(contextOf(10*time.Second), trace))
	if r.Status != pharos.OK {
		t.Fatalf("%v %q", r.Status, r.Summary)
	}
	if diff := cmp.Diff([]string{"connect", "first_byte", "transfer"}, slices.Compact(names)); diff != "" {
		t.Error("phases told, want -, got +\n" + diff)
	}
	// What is told early of those that were over is what the end says.
	if diff := cmp.Diff(r.Phases[:2], told[:2]); diff != "" {
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
	before := ""
	var trace *Trace
	trace = pharos.NewTrace(func() {
		if now := trace.Under(); now == "first_byte" && before == "transfer" {
			close(waits)
		}
		before = trace.Under()
	})
	e := New(Options{})
	defer e.Close()
	p, err := e.Prepare(pageAt("http://"+address+"/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if r := seen(p.Run(contextOf(10*time.Second), trace)); r.Status != pharos.OK || phase(r, "first_byte") < 50*time.Millisecond || phase(r, "transfer") > phase(r, "first_byte") {
		t.Errorf("got %v %q %v", r.Status, r.Summary, r.Phases)
	}
}
