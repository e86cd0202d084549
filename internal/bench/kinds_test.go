//go:build bench && linux

package bench

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"pharos/internal/bus/embedded"
)

const (
	some  = 500 // watchers of one kind
	forks = 60  // runs of a program beside them
)

// kinds measures other kinds than pages, each beside the program that a script
// runs for the same. The target serves each for about 20 ms, a ping not at all.
func (b *bench) kinds() {
	server, err := embedded.Start(embedded.Options{Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	url := "nats://" + server.Addr()
	ears := b.listen(url)
	var doors Doors
	b.target.call(b.T, "Open", some, &doors)
	ca := filepath.Join(b.dir, "ca.pem")
	if err := os.WriteFile(ca, []byte(doors.CA), 0o600); err != nil {
		b.Fatal(err)
	}
	port := func(address string) string { _, port, _ := net.SplitHostPort(address); return port }
	for _, k := range []struct {
		name    string
		watcher func(i int) string // its keys
		phases  bool               // they are its time, and not its value
		target  bool               // keeps an account
		program string
		script  string
		told    *regexp.Regexp // its own account of the time, in microseconds or (of ping) milliseconds; nil: the whole of its time
	}{
		{
			name: "tcp", target: true,
			watcher: func(i int) string { return fmt.Sprintf("tcp: %q, expect: ready", doors.Greets[i]) },
			program: "nc", script: "nc 127.0.0.1 " + port(doors.Greets[0]) + " </dev/null",
		}, {
			name: "certificate", target: true, phases: true,
			watcher: func(i int) string {
				return fmt.Sprintf("certificate: %q, server_name: bench, tls: {ca_file: %q}", doors.Secures[i], ca)
			},
			program: "openssl", script: "openssl s_client -verify_return_error -servername bench -CAfile " + ca + " -connect " + doors.Secures[0] + " </dev/null",
		}, {
			name: "dns", target: true,
			watcher: func(i int) string { return fmt.Sprintf("dns: w%d.bench, server: %q", i, doors.Names) },
			program: "dig", script: "dig -u +tries=1 +time=5 +nocookie -p " + port(doors.Names) + " @127.0.0.1 w0.bench A",
			told: regexp.MustCompile(`Query time: (\d+) usec`),
		}, {
			name: "ping", watcher: func(int) string { return "ping: 127.0.0.1" },
			program: "ping", script: "ping -n -c 1 127.0.0.1", told: regexp.MustCompile(`time=([0-9.]+) ms`),
		},
	} {
		var text strings.Builder
		text.WriteString("title: Bench\nsite: bench\ndefaults: {interval: 1s, timeout: 5s}\nsets:\n  - name: all\n    watchers:\n")
		for i := range some {
			fmt.Fprintf(&text, "      - {name: w%d, %s}\n", i, k.watcher(i))
		}
		file := filepath.Join(b.dir, k.name+".yaml")
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			b.Fatal(err)
		}
		calm(b.T)
		cpu, over := b.spell(ears, program(b.T, false, filepath.Join(b.dir, "prober"), "-c", file, "--nats-url", url), k.target, k.phases)
		forked, toldOver := math.NaN(), []float64{math.NaN()}
		than := "no " + k.program + " here"
		if _, err := exec.LookPath(k.program); err == nil {
			forked, toldOver = b.forked(k.script, k.told, k.target)
			than = "sh -c " + k.program + ", 20/s"
		}
		b.add(row{"CPU of a " + k.name + " probe, 500/s", cpu, forked / 5, "ms", than, forked})
		b.add(row{"its latency told over true, p50", quantile(over, 0.5), 0.5, "ms", than, quantile(toldOver, 0.5)})
	}
}

// spell lets a prober run for a while. It returns the CPU of one probe, and by how
// many milliseconds each told more than the target's account.
func (b *bench) spell(e *ears, p *process, target, phases bool) (cpu float64, over []float64) {
	b.Helper()
	defer p.stop()
	time.Sleep(settle)
	b.visits()
	e.take()
	spent := p.cpu(b.T)
	time.Sleep(probing)
	spent = p.cpu(b.T) - spent
	results := e.take()
	visits := map[int][]Visit{}
	for _, v := range b.visits() {
		visits[v.Watcher] = append(visits[v.Watcher], v)
	}
	if want := some * int(probing/time.Second) * 9 / 10; len(results) < want {
		b.Fatalf("%d probes were told of in %v, want %d", len(results), probing, want)
	}
	for _, r := range results {
		told := r.value
		if phases {
			told = r.phases
		}
		if !target {
			over = append(over, told*1000)
		}
		for _, v := range visits[r.watcher] {
			if d := time.Duration(v.Came - r.at.UnixNano()); d.Abs() < 200*time.Millisecond {
				over = append(over, (told-v.Served.Seconds())*1000)
				break
			}
		}
	}
	if len(over) < len(results)*9/10 {
		b.Fatalf("%d of %d probes were seen by the target", len(over), len(results))
	}
	return millis(spent) / float64(len(results)), over
}

// forked runs a script's line 20 times a second, one after the other. It returns the
// CPU of one run and by how many milliseconds each told more than the target's account.
func (b *bench) forked(script string, own *regexp.Regexp, target bool) (cpu float64, over []float64) {
	calm(b.T)
	b.visits()
	var told []float64
	for next := time.Now(); len(told) < forks; {
		next = next.Add(50 * time.Millisecond)
		cmd := exec.Command("sh", "-c", script+"; exit $?")
		var out bytes.Buffer
		cmd.Stdout = &out
		began := time.Now()
		if err := start(cmd); err != nil {
			b.Fatalf("running %s: %v", script, err)
		}
		if err := cmd.Wait(); err != nil {
			b.Fatalf("running %s: %v\n%s", script, err, out.String())
		}
		took := millis(time.Since(began))
		cpu += millis(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()) / forks
		if own != nil {
			m := own.FindStringSubmatch(out.String())
			if m == nil {
				b.Fatalf("running %s: it does not say how long it took:\n%s", script, out.String())
			}
			took, _ = strconv.ParseFloat(m[1], 64)
			if strings.Contains(m[0], "usec") {
				took /= 1000
			}
		}
		told = append(told, took)
		time.Sleep(time.Until(next))
	}
	if !target {
		return cpu, told
	}
	visits := b.visits()
	if len(visits) != len(told) {
		b.Fatalf("%s: the target saw %d runs of %d", script, len(visits), len(told))
	}
	for i, v := range visits {
		over = append(over, told[i]-millis(v.Served))
	}
	return cpu, over
}
