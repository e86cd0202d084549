package probe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// serveEnv makes the test binary a small page server in a process of its own,
// so that its work is not counted as a prober's.
const serveEnv = "PHAROS_TEST_SERVE"

func serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	panic(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "all is well")
	})))
}

func pageServer(t testing.TB) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + line[:len(line)-1] + "/"
}

// cpu returns the processor time of this process and its ended children.
func cpu(t testing.TB) time.Duration {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

// bench reports the processor time of one look, at full speed.
func bench(b *testing.B, look func() error) {
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		if err := look(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpu(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
}

func benchPage(b *testing.B, keep bool) {
	w := pageAt(pageServer(b))
	pageOf(w).KeepAlive = field.YesNo(keep)
	benchRun(b, w)
}

func benchRun(b *testing.B, w pharos.Watcher) {
	e := New(Options{Version: "bench"})
	defer e.Close()
	p, err := e.Prepare(w, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	bench(b, func() error {
		ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
		defer cancel()
		if m := p.Run(ctx, pharos.NewTrace(nil)); m.Reason != "" {
			return fmt.Errorf("%s", m.Reason)
		}
		return nil
	})
}

func BenchmarkPage(b *testing.B) { benchPage(b, false) }

func BenchmarkPageKept(b *testing.B) { benchPage(b, true) }

// The same look through http.Transport.
func BenchmarkPageTransport(b *testing.B) {
	url := pageServer(b)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	bench(b, func() error {
		ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
		defer cancel()
		var stamps [4]time.Time
		trace := httptrace.ClientTrace{
			ConnectStart:         func(string, string) { stamps[0] = time.Now() },
			ConnectDone:          func(string, string, error) { stamps[1] = time.Now() },
			WroteRequest:         func(httptrace.WroteRequestInfo) { stamps[2] = time.Now() },
			GotFirstResponseByte: func() { stamps[3] = time.Now() },
		}
		request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, &trace), http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	})
}

// The same look as a script would take it.
func BenchmarkPageCurl(b *testing.B) {
	if _, err := exec.LookPath("curl"); err != nil {
		b.Skip("curl is not there to compare with: ", err)
	}
	url := pageServer(b)
	bench(b, func() error {
		return exec.Command("sh", "-c", "curl -s -o /dev/null -w '%{time_total}' "+url).Run()
	})
}
