package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
)

// stagger is how long an address is waited for before the next is tried too
// (RFC 8305).
const stagger = 250 * time.Millisecond

// dial looks the host up and connects to the first of its addresses that
// answers.
func (p *page) dial(ctx context.Context, v *visit, h *hop) (*conn, error) {
	if h.address != "" {
		v.enter(phaseConnect)
		tcp, err := dialOne(ctx, h.address)
		if v.seen.address = h.address; err != nil {
			return nil, err
		}
		return &conn{Conn: tcp, tcp: tcp, origin: h.origin, address: h.address}, nil
	}
	v.enter(phaseLookup)
	ips, err := p.engine.lookup(ctx, h.host, p.watcher.Page.IP)
	if err != nil {
		return nil, err
	}
	v.enter(phaseConnect)
	tcp, at, err := dialRace(ctx, ips, h.port)
	if v.seen.address = netip.AddrPortFrom(at, h.port).String(); err != nil {
		return nil, err
	}
	return &conn{Conn: tcp, tcp: tcp, origin: h.origin, address: v.seen.address}, nil
}

func dialOne(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1}
	return d.DialContext(ctx, "tcp", address)
}

// dialRace tries the addresses in order, each when the one before it failed or
// took longer than the stagger. It returns when all attempts are over. When
// none succeeds, address and error are those of the first to which there is a
// way.
func dialRace(ctx context.Context, ips []netip.Addr, port uint16) (net.Conn, netip.Addr, error) {
	if len(ips) == 1 {
		tcp, err := dialOne(ctx, netip.AddrPortFrom(ips[0], port).String())
		return tcp, ips[0], err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type attempt struct {
		i   int
		tcp net.Conn
		err error
	}
	ended := make(chan attempt, len(ips))
	var running sync.WaitGroup
	defer func() {
		cancel()
		running.Wait()
		close(ended)
		for late := range ended {
			if late.tcp != nil {
				late.tcp.Close()
			}
		}
	}()
	next := time.NewTimer(0)
	defer next.Stop()
	errs := make([]error, len(ips))
	for started, failed := 0, 0; ; {
		select {
		case <-next.C:
			if started < len(ips) {
				i := started
				started++
				running.Go(func() {
					tcp, err := dialOne(ctx, netip.AddrPortFrom(ips[i], port).String())
					ended <- attempt{i, tcp, err}
				})
				next.Reset(stagger)
			}
		case a := <-ended:
			if a.err == nil {
				return a.tcp, ips[a.i], nil
			}
			errs[a.i] = a.err
			if failed++; failed == len(ips) {
				i := max(0, slices.IndexFunc(errs, func(err error) bool { return !wayless(err) }))
				return nil, ips[i], errs[i]
			}
			if started < len(ips) {
				next.Reset(0)
			}
		}
	}
}

// wayless reports whether an attempt ended for lack of a way to the address,
// as that to ::1 does where there is no IPv6: it says nothing of the page.
func wayless(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) ||
		errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH)
}

// lookup returns the addresses of a host, families in turn, the better one (by
// RFC 6724) first; family is 4, 6 or 0 for both.
func (e *Engine) lookup(ctx context.Context, host string, family int) ([]netip.Addr, error) {
	if host == "localhost" { // needs no server (RFC 6761)
		six, four := netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1})
		return map[int][]netip.Addr{4: {four}, 6: {six}, 0: {six, four}}[family], nil
	}
	// A resolver of its own: lookups that share one would share their waiting.
	r := net.Resolver{PreferGo: true, Dial: e.nameServer}
	ips, err := r.LookupNetIP(ctx, map[int]string{4: "ip4", 6: "ip6", 0: "ip"}[family], host)
	if err != nil {
		return nil, err
	}
	if len(ips) == 0 {
		return nil, fmt.Errorf("looking up %q: no address", host)
	}
	return inTurn(ips), nil
}

// dialNameServer connects to a name server. net.Resolver lets a question that
// nobody waits for any more run into its own timeout of seconds; ending the
// connection with its context ends it at once.
func dialNameServer(ctx context.Context, network, server string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { c.SetDeadline(longAgo) })
	return c, nil
}

// inTurn sorts addresses so that families alternate.
func inTurn(ips []netip.Addr) []netip.Addr {
	var first, other []netip.Addr
	for _, ip := range ips {
		ip = ip.Unmap()
		if ip.Is4() == ips[0].Unmap().Is4() {
			first = append(first, ip)
		} else {
			other = append(other, ip)
		}
	}
	sorted := make([]netip.Addr, 0, len(ips))
	for i := range first {
		sorted = append(sorted, first[i])
		if i < len(other) {
			sorted = append(sorted, other[i])
		}
	}
	if len(other) > len(first) {
		sorted = append(sorted, other[len(first):]...)
	}
	return sorted
}
