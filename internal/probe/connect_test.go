package probe

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

func addresses(list ...string) []netip.Addr {
	var ips []netip.Addr
	for _, s := range list {
		ips = append(ips, netip.MustParseAddr(s))
	}
	return ips
}

// nameServer answers that a name is at 127.0.0.1, 127.0.0.2 and ::1, and notes
// of which types it was asked.
type nameServer struct {
	address string
	silent  []uint16 // types for which it has no answer

	mu    sync.Mutex
	asked []string // guarded by mu
}

func newNameServer(t testing.TB, silent ...uint16) *nameServer {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{address: c.LocalAddr().String(), silent: silent}
	var serving sync.WaitGroup
	serving.Go(func() {
		b := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if answer := s.answer(b[:n]); answer != nil {
				c.WriteTo(answer, from)
			}
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
	if slices.Contains(s.silent, kind) {
		return nil
	}
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
		family field.Word
		asked  []string
		at     string
	}{
		"4":      {"4", []string{"A"}, "127.0.0.1"},
		"6":      {"6", []string{"AAAA"}, "::1"},
		"either": {"", []string{"A", "AAAA"}, "127.0.0.1"}, // nobody listens at ::1
	} {
		t.Run(name, func(t *testing.T) {
			server := newNameServer(t)
			e := New(Options{})
			defer e.Close()
			e.nameServer = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dialNameServer(ctx, "udp", server.address)
			}
			w := pageAt("http://" + net.JoinHostPort("name.example", port))
			pageOf(w).IP = test.family
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

func TestANameServerThatDropsAFamily(t *testing.T) {
	_, port, err := net.SplitHostPort(listen(t, says("HTTP/1.1 200 OK\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	server := newNameServer(t, 28)
	e := New(Options{})
	defer e.Close()
	e.nameServer = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialNameServer(ctx, "udp", server.address)
	}
	p, err := e.Prepare(pageAt("http://"+net.JoinHostPort("name.example", port)), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, p, 0)
	if r.Status != pharos.OK || phase(r, "lookup") < lookupPatience || phase(r, "lookup") > 4*time.Second {
		t.Errorf("got %v %q, lookup took %v, want about %v", r.Status, r.Summary, phase(r, "lookup"), lookupPatience)
	}
}

func TestLocalhostNeedsNoServer(t *testing.T) {
	_, port, err := net.SplitHostPort(listen(t, func(c net.Conn) { says("HTTP/1.1 200 OK\r\n\r\n")(c) }))
	if err != nil {
		t.Fatal(err)
	}
	e := New(Options{})
	defer e.Close()
	e.nameServer = func(ctx context.Context, network, _ string) (net.Conn, error) {
		t.Error("a name server was asked")
		return nil, net.ErrClosed
	}
	for _, host := range []string{"localhost", "LocalHost", "shop.localhost", "localhost."} {
		p, err := e.Prepare(pageAt("http://"+host+":"+port), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := run(t, p, 0); r.Status != pharos.OK {
			t.Errorf("%s: got %v %q", host, r.Status, r.Summary)
		}
	}
}
