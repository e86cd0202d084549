//go:build linux

package probe

import (
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// inNetwork runs the test in a network of its own, which has no way out; it
// reports whether that is here.
func inNetwork(t *testing.T) bool {
	const here = "PHAROS_TEST_NETWORK"
	if os.Getenv(here) != "" {
		if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return true
	}
	args := []string{"--net", os.Args[0], "-test.run=^" + t.Name() + "$", "-test.v"}
	if os.Getuid() != 0 {
		args = append([]string{"--user", "--map-root-user"}, args...)
	}
	if out, err := exec.Command("unshare", append(args[:len(args)-3:len(args)-3], "ip", "link")...).CombinedOutput(); err != nil {
		t.Skipf("no network of its own: %v: %s", err, out)
	}
	cmd := exec.Command("unshare", args...)
	cmd.Env = append(os.Environ(), here+"=1")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// echoer answers echo requests to an address in its own way.
func echoer(t *testing.T, address string, answer func(c *icmp.PacketConn, from net.Addr, raw []byte, echo *icmp.Echo)) string {
	c, err := icmp.ListenPacket("ip4:icmp", address)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 70_000)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			m, err := icmp.ParseMessage(1, b[:n])
			if err == nil && m.Type == ipv4.ICMPTypeEcho {
				answer(c, from, b[:n], m.Body.(*icmp.Echo))
			}
		}
	}()
	t.Cleanup(func() {
		c.Close()
		<-ended
	})
	return address
}

func send(c *icmp.PacketConn, to net.Addr, kind icmp.Type, code int, body icmp.MessageBody) {
	b, err := (&icmp.Message{Type: kind, Code: code, Body: body}).Marshal(nil)
	if err != nil {
		panic(err)
	}
	c.WriteTo(b, to)
}

func pings(host string, edit func(*pingSpec)) *pingSpec {
	spec := ping.New().(*pingSpec)
	spec.Ping = field.Host(host)
	if edit != nil {
		edit(spec)
	}
	return spec
}

func TestPing(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	set := func(name, value string) {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The kernel's own answers on 127.0.0.1 alone.
	set("icmp_echo_ignore_all", "1")
	reply := func(c *icmp.PacketConn, from net.Addr, _ []byte, e *icmp.Echo) {
		send(c, from, ipv4.ICMPTypeEchoReply, 0, e)
	}
	well := echoer(t, "127.0.0.2", reply)
	losing := echoer(t, "127.0.0.3", func(c *icmp.PacketConn, from net.Addr, raw []byte, e *icmp.Echo) {
		if e.Seq%3 != 2 {
			reply(c, from, raw, e)
		}
	})
	silent := echoer(t, "127.0.0.4", func(*icmp.PacketConn, net.Addr, []byte, *icmp.Echo) {})
	twice := echoer(t, "127.0.0.5", func(c *icmp.PacketConn, from net.Addr, raw []byte, e *icmp.Echo) {
		reply(c, from, raw, e)
		reply(c, from, raw, e)
	})
	wrong := echoer(t, "127.0.0.6", func(c *icmp.PacketConn, from net.Addr, raw []byte, e *icmp.Echo) {
		e.Data[0]++
		reply(c, from, raw, e)
	})
	unreachable := echoer(t, "127.0.0.7", func(c *icmp.PacketConn, from net.Addr, raw []byte, e *icmp.Echo) {
		header := ipv4.Header{Version: 4, Len: 20, TotalLen: 20 + len(raw), TTL: 64, Protocol: 1, Src: from.(*net.IPAddr).IP, Dst: net.IPv4(127, 0, 0, 7)}
		h, _ := header.Marshal()
		send(c, from, ipv4.ICMPTypeDestinationUnreachable, 1, &icmp.DstUnreach{Data: append(h, raw[:8]...)})
	})
	of := func(n field.Int) func(*pingSpec) { return func(s *pingSpec) { s.Count = n } }
	for _, sockets := range []string{"1 0", "0 2147483647"} {
		t.Run("of the groups "+sockets, func(t *testing.T) {
			set("ping_group_range", sockets)
			for name, test := range map[string]struct {
				spec    *pingSpec
				timeout time.Duration
				outcome pharos.Outcome
				why     string
				loss    float64
				fact    string
			}{
				"one":                    {pings(well, nil), long, pharos.Measured, "", 0, "address=127.0.0.2"},
				"five":                   {pings(well, of(5)), long, pharos.Measured, "", 0, "packets=5 sent, 5 answered"},
				"large":                  {pings(well, func(s *pingSpec) { s.Size = 65000 }), long, pharos.Measured, "", 0, ""},
				"small":                  {pings(well, func(s *pingSpec) { s.Size = 16 }), long, pharos.Measured, "", 0, ""},
				"answered twice":         {pings(twice, of(4)), long, pharos.Measured, "", 0, "packets=4 sent, 4 answered"},
				"one of four is lost":    {pings(losing, of(4)), long, pharos.Warned, "1 of 4 packets lost", 25, "packets=4 sent, 3 answered"},
				"the same, and bounded":  {pings(losing, func(s *pingSpec) { s.Count, s.figures = 4, []pharos.Part{{Name: "loss"}} }), long, pharos.Measured, "", 25, ""},
				"silence":                {pings(silent, nil), 200 * time.Millisecond, pharos.Failed, "no answer within 200 ms", 100, ""},
				"silence to five":        {pings(silent, of(5)), 500 * time.Millisecond, pharos.Failed, "no answer within 500 ms", 100, ""},
				"another's payload":      {pings(wrong, nil), 200 * time.Millisecond, pharos.Failed, "no answer within 200 ms", 100, ""},
				"a router's word":        {pings(unreachable, nil), long, pharos.Failed, "no route to host", 100, "address=127.0.0.7"},
				"a router's word, twice": {pings(unreachable, of(2)), long, pharos.Failed, "no route to host", 100, ""},
				"no route":               {pings("203.0.113.1", nil), long, pharos.Failed, "network is unreachable", 0, ""},
				"localhost of version 6": {pings("localhost", func(s *pingSpec) { s.IP = "6" }), long, pharos.Measured, "", 0, "address=::1"},
				"version 6":              {pings("::1", of(3)), long, pharos.Measured, "", 0, "packets=3 sent, 3 answered"},
			} {
				t.Run(name, func(t *testing.T) {
					m := measure(t, test.spec, test.timeout)
					if m.Outcome != test.outcome || m.Reason != test.why {
						t.Fatalf("got %v %q (%v), want %v %q", m.Outcome, m.Reason, m.Cause, test.outcome, test.why)
					}
					if m.Outcome == pharos.Measured && (!m.Value.OK || m.Value.V <= 0 || m.Value.V > 1 || m.Unit != "s") {
						t.Errorf("got value %v %s", m.Value, m.Unit)
					}
					if len(m.Figures) > 0 && m.Figures[0].Value != test.loss || len(m.Figures) == 0 && test.loss > 0 {
						t.Errorf("got figures %v, want a loss of %v", m.Figures, test.loss)
					}
					if key, value, ok := strings.Cut(test.fact, "="); ok && factOf(m, key) != value {
						t.Errorf("got facts %v, want %s", m.Facts, test.fact)
					}
				})
			}
		})
	}
	t.Run("without any right", func(t *testing.T) {
		set("ping_group_range", "1 0")
		spec, got := pings(well, nil), make(chan Measurement)
		go func() {
			runtime.LockOSThread() // and end with it: it has no rights any more
			none := [2]unix.CapUserData{}
			if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
				t.Error(err)
			}
			got <- measure(t, spec, long)
		}()
		m := <-got
		if m.Outcome != pharos.Unable || m.Reason != "the prober may not ping: set net.ipv4.ping_group_range, or give it CAP_NET_RAW" {
			t.Errorf("got %v %q", m.Outcome, m.Reason)
		}
	})
}

func BenchmarkPing(b *testing.B) { benchRun(b, of(pings("127.0.0.1", nil))) }

func BenchmarkPingForked(b *testing.B) {
	if _, err := exec.LookPath("ping"); err != nil {
		b.Skip("ping is not there to compare with: ", err)
	}
	bench(b, func() error { return exec.Command("ping", "-c1", "127.0.0.1").Run() })
}
