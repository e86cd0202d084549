package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func addresses(list ...string) []netip.Addr {
	var ips []netip.Addr
	for _, s := range list {
		ips = append(ips, netip.MustParseAddr(s))
	}
	return ips
}

func TestASilentAddressIsPassedBy(t *testing.T) {
	silent := netip.MustParseAddrPort(full(t))
	second := netip.MustParseAddr("127.0.0.2")
	l, err := net.Listen("tcp", netip.AddrPortFrom(second, silent.Port()).String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	began := time.Now()
	c, at, err := dialRace(ctx, []netip.Addr{silent.Addr(), second}, silent.Port())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if took := time.Since(began); at != second || took < stagger {
		t.Errorf("connected to %v after %v, want %v after %v", at, took, second, stagger)
	}
}

func TestTheErrorIsThatOfAnAddressInReach(t *testing.T) {
	port := netip.MustParseAddrPort(unused(t)).Port()
	for name, test := range map[string]struct {
		ips   []netip.Addr
		at    string
		error syscall.Errno
	}{
		"the second is":    {addresses("224.0.0.1", "127.0.0.1"), "127.0.0.1", syscall.ECONNREFUSED},
		"both are":         {addresses("127.0.0.1", "127.0.0.2"), "127.0.0.1", syscall.ECONNREFUSED},
		"neither is":       {addresses("224.0.0.1", "224.0.0.2"), "224.0.0.1", syscall.ENETUNREACH},
		"there is but one": {addresses("224.0.0.1"), "224.0.0.1", syscall.ENETUNREACH},
	} {
		t.Run(name, func(t *testing.T) {
			_, at, err := dialRace(t.Context(), test.ips, port) // TCP to many at once goes nowhere, not even out
			if at.String() != test.at || !errors.Is(err, test.error) {
				t.Errorf("got %v of %v, want %v of %s", err, at, test.error, test.at)
			}
		})
	}
}

func TestFamiliesAreTriedInTurn(t *testing.T) {
	for name, test := range map[string]struct{ ips, want []netip.Addr }{
		"one":           {addresses("192.0.2.1"), addresses("192.0.2.1")},
		"one family":    {addresses("192.0.2.1", "192.0.2.2"), addresses("192.0.2.1", "192.0.2.2")},
		"more of first": {addresses("2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"), addresses("2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3")},
		"more of other": {addresses("192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8::3"), addresses("192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8::3")},
		"4 in 6 is 4":   {addresses("::ffff:192.0.2.1", "192.0.2.2", "2001:db8::1"), addresses("192.0.2.1", "2001:db8::1", "192.0.2.2")},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, inTurn(test.ips), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// nameServer answers that a name is at 127.0.0.1, 127.0.0.2 and ::1, and notes
// of which types it was asked.
type nameServer struct {
	address string

	mu    sync.Mutex
	asked []string // guarded by mu
}

func newNameServer(t testing.TB) *nameServer {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{address: c.LocalAddr().String()}
	var serving sync.WaitGroup
	serving.Go(func() {
		b := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			c.WriteTo(s.answer(b[:n]), from)
		}
	})
	t.Cleanup(func() {
		c.Close()
		serving.Wait()
	})
	return s
}

func (s *nameServer) answer(question []byte) []byte {
	const head = 12
	end := head
	for question[end] != 0 { // labels
		end += int(question[end]) + 1
	}
	end += 1 + 2 + 2
	kind := binary.BigEndian.Uint16(question[end-4:])
	ips := map[uint16][]netip.Addr{1: addresses("127.0.0.1", "127.0.0.2"), 28: addresses("::1")}[kind]
	s.mu.Lock()
	s.asked = append(s.asked, map[uint16]string{1: "A", 28: "AAAA"}[kind])
	s.mu.Unlock()
	b := slices.Clone(question[:end])
	copy(b[2:], []byte{0x81, 0x80, 0, 1, 0, byte(len(ips)), 0, 0, 0, 0}) // an answer, of one question
	for _, ip := range ips {
		b = append(b, 0xc0, head) // the name of the question
		b = binary.BigEndian.AppendUint16(b, kind)
		b = append(b, 0, 1, 0, 0, 0, 60)
		raw := ip.AsSlice()
		b = binary.BigEndian.AppendUint16(b, uint16(len(raw)))
		b = append(b, raw...)
	}
	return b
}

func TestANamesFamily(t *testing.T) {
	_, port, err := net.SplitHostPort(listen(t, says("HTTP/1.1 200 OK\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		family int
		asked  []string
		at     string
	}{
		"4":      {4, []string{"A"}, "127.0.0.1"},
		"6":      {6, []string{"AAAA"}, "::1"},
		"either": {0, []string{"A", "AAAA"}, "127.0.0.1"}, // nobody listens at ::1
	} {
		t.Run(name, func(t *testing.T) {
			server := newNameServer(t)
			e := New(Options{})
			defer e.Close()
			e.nameServer = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dialNameServer(ctx, "udp", server.address)
			}
			w := pageAt("http://" + net.JoinHostPort("name.example", port))
			w.Page.IP = test.family
			p, err := e.Prepare(w, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := run(t, p, 0)
			server.mu.Lock()
			defer server.mu.Unlock()
			slices.Sort(server.asked)
			if diff := cmp.Diff(test.asked, slices.Compact(server.asked)); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
			host, _, _ := net.SplitHostPort(fact(r, "address"))
			if host != test.at {
				t.Errorf("looked at %q, want %q", host, test.at)
			}
		})
	}
}
