package probe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// What pings have really said.
var pingOutputs = map[string]struct {
	said, stderr string
	code         int
	count        int
	status       pharos.Status
	summary      string
	facts        string
	value        time.Duration
	loss         float64
}{
	"iputils": {`PING shop.example (192.0.2.1) 56(84) bytes of data.
64 bytes from 192.0.2.1: icmp_seq=1 ttl=64 time=0.193 ms

--- shop.example ping statistics ---
1 packets transmitted, 1 received, 0% packet loss, time 0ms
rtt min/avg/max/mdev = 0.193/0.193/0.193/0.000 ms
`, "", 0, 1, pharos.OK, "", "address=192.0.2.1 from slw", 193 * time.Microsecond, 0},
	"BusyBox": {`PING shop.example (192.0.2.1): 56 data bytes
64 bytes from 192.0.2.1: seq=0 ttl=64 time=0.045 ms
64 bytes from 192.0.2.1: seq=1 ttl=64 time=0.065 ms

--- shop.example ping statistics ---
2 packets transmitted, 2 packets received, 0% packet loss
round-trip min/avg/max = 0.045/0.055/0.065 ms
`, "", 0, 2, pharos.OK, "", "address=192.0.2.1 from slw; packets=2 sent, 2 answered; round trips=0.05 ms to 0.1 ms", 55 * time.Microsecond, 0},
	"version 6": {`PING shop.example(2001:db8::1) 56 data bytes
64 bytes from 2001:db8::1: icmp_seq=1 ttl=64 time=12.3 ms

--- shop.example ping statistics ---
1 packets transmitted, 1 received, 0% packet loss, time 0ms
`, "", 0, 1, pharos.OK, "", "address=2001:db8::1 from slw", 12300 * time.Microsecond, 0},
	"BSD": {`PING shop.example (192.0.2.1): 56 data bytes
64 bytes from 192.0.2.1: icmp_seq=0 ttl=57 time=3.312 ms

--- shop.example ping statistics ---
1 packets transmitted, 1 packets received, 0.0% packet loss
round-trip min/avg/max/stddev = 3.312/3.312/3.312/0.000 ms
`, "", 0, 1, pharos.OK, "", "address=192.0.2.1 from slw", 3312 * time.Microsecond, 0},
	"one is lost, one is there twice": {`PING shop.example (192.0.2.1) 56(84) bytes of data.
64 bytes from 192.0.2.1: icmp_seq=1 ttl=64 time=1.00 ms
64 bytes from 192.0.2.1: icmp_seq=1 ttl=64 time=2.00 ms (DUP!)
64 bytes from 192.0.2.1: icmp_seq=3 ttl=64 time=3.00 ms

--- shop.example ping statistics ---
3 packets transmitted, 2 received, +1 duplicates, 33.3333% packet loss, time 406ms
rtt min/avg/max/mdev = 1.000/2.000/3.000/0.000 ms
`, "", 0, 3, pharos.Warning, "1 of 3 packets lost", "address=192.0.2.1 from slw; packets=3 sent, 2 answered; round trips=1 ms to 3 ms", 2 * time.Millisecond, 100. / 3},
	"a router speaks": {`PING 240.0.0.1 (240.0.0.1) 56(84) bytes of data.
From 21.4.4.161 icmp_seq=1 Destination Port Unreachable

--- 240.0.0.1 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms

`, "", 1, 1, pharos.Critical, "destination port unreachable", "", 0, 100},
	"no answer": {`PING 192.0.2.1 (192.0.2.1) 56(84) bytes of data.

--- 192.0.2.1 ping statistics ---
1 packets transmitted, 0 received, 100% packet loss, time 0ms

`, "", 1, 1, pharos.Critical, "no answer within 30 s", "", 0, 100},
	"no such name":      {"", "ping: no.such.example: Name or service not known\n", 2, 1, pharos.Critical, "ping on slw: no.such.example: Name or service not known", "", 0, -1},
	"no ping":           {"", "sh: 1: exec: ping: not found\n", 127, 1, pharos.Critical, "no ping on slw", "", 0, -1},
	"it may not":        {"", "ping: socket: Operation not permitted\n", 2, 1, pharos.Critical, "ping on slw: socket: Operation not permitted", "", 0, -1},
	"it says something": {"Hello!\n", "", 1, 1, pharos.Critical, "ping on slw: exit status 1", "", 0, -1},
}

func TestPingThroughSSH(t *testing.T) {
	dir := withFakeSSH(t)
	write := func(script string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "ping"), []byte("#!/bin/sh\nprintf '%s ' \"$@\" > "+dir+"/args\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	pings := func(count int) pharos.Watcher {
		spec := ping.New().(*pingSpec)
		spec.Ping, spec.Count, spec.there = "shop.example", field.Int(count), true
		return there(of(spec))
	}
	for name, test := range pingOutputs {
		t.Run(name, func(t *testing.T) {
			write("cat <<'END'\n" + test.said + "END\ncat >&2 <<'END'\n" + test.stderr + "END\nexit " + string('0'+rune(test.code%10)) + "\n")
			if test.code == shellNotFound {
				write("exit 127\n")
			}
			m := measureOf(t, pings(test.count), long)
			r := seen(m)
			var facts []string
			for _, f := range r.Facts {
				facts = append(facts, f.Name+"="+f.Value)
			}
			if r.Status != test.status || r.Summary != test.summary {
				t.Errorf("got %v %q, want %v %q", r.Status, r.Summary, test.status, test.summary)
			}
			if diff := cmp.Diff(test.facts, strings.Join(facts, "; ")); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			if test.value > 0 && (!r.Value.OK || time.Duration(r.Value.V*1e9+0.5) != test.value) {
				t.Errorf("got value %v, want %v", r.Value, test.value)
			}
			if test.value > 0 && test.count == 1 && phase(r, "rtt") != test.value {
				t.Errorf("got phases %v", r.Phases)
			}
			loss := -1.0
			for _, f := range m.Figures {
				loss = f.Value
			}
			if loss != test.loss {
				t.Errorf("got %v%% loss, want %v%%", loss, test.loss)
			}
		})
	}
	args, _ := os.ReadFile(filepath.Join(dir, "args"))
	if !strings.HasSuffix(string(args), " shop.example ") || !strings.HasPrefix(string(args), "-n -c ") {
		t.Errorf("ping was run with %q", args)
	}
	t.Run("it is killed", func(t *testing.T) {
		write("exec sleep 60\n")
		e := New(Options{})
		defer e.Close()
		w := pings(1)
		w.Timeout = 2 * time.Second
		p, err := e.Prepare(w, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := run(t, p, w.Timeout); r.Status != pharos.Critical || r.Summary != "no answer within 2 s" {
			t.Errorf("got %v %q", r.Status, r.Summary)
		}
	})
	t.Run("ssh is down", func(t *testing.T) {
		w := pings(1)
		w.SSHHost = "down"
		if r := watch(t, w); r.Summary != "ssh to down: ssh: connect to host down port 22: Connection refused" {
			t.Errorf("got %v %q", r.Status, r.Summary)
		}
	})
}

func FuzzParsePing(f *testing.F) {
	for _, o := range pingOutputs {
		f.Add(o.said, o.count)
	}
	f.Fuzz(func(t *testing.T, said string, count int) {
		count = min(max(count, 1), 20)
		if a := parsePing(said, count); len(a.took) < 1 || len(a.took) > count {
			t.Errorf("%d packets of %d", len(a.took), count)
		}
	})
}
