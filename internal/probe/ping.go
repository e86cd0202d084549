package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

var ping = Kind{
	Key: "ping", Doc: pingDoc, Phases: []string{"lookup", "rtt", "replies"}, Remote: true,
	New: func() Spec { return &pingSpec{Count: 1, Size: 56} },
}

const pingDoc = `Sends ICMP echo requests to a host. Its value is the round-trip time, of several the mean of those that were answered.

No answer is critical. Of several packets, sent 50 ms apart, one that is lost is a warning, unless ${loss} says otherwise; one is given up a second after the last was sent. A host that a
router says cannot be reached is critical at once. No privileges are needed where ${net.ipv4.ping_group_range} has the prober's group in it (containers mostly have); else CAP_NET_RAW.
With an ${ssh_host} the ${ping} over there sends them, 200 ms apart.

${{name: Gateway, ping: 192.168.1.1, timeout: 1s, reference: true}} is enough; for a line it is ${{ping: far.example, count: 10, interval: 10s, loss: {warning: 10%, critical: 50%}}}.`

type pingSpec struct {
	field.Section
	Ping  field.Host   `yaml:"ping" also:"icmp host" doc:"The name or the address of a host." required:"true"`
	Count field.Int    `yaml:"count" also:"packets" min:"1" max:"20" doc:"Packets that are sent in a run." default:"1"`
	Size  field.Int    `yaml:"size" also:"payload_size packet_size packetsize" min:"16" max:"65000" doc:"Bytes of a packet's payload." default:"56"`
	Loss  field.Bounds `yaml:"loss" also:"packet_loss" doc:"Bounds of the share of packets that are lost, in percent; wants a count." default:"any loss is a warning"`
	IP    field.Word   `yaml:"ip" words:"4 6" also:"ip_protocol preferred_ip_protocol" doc:"4 or 6: this version of IP alone." default:"either"`

	figures []pharos.Part
	there   bool // from an ssh host
}

// Check implements Spec.
func (s *pingSpec) Check(c *field.Checker) {
	checkIP(c, &s.Section, string(s.Ping), s.IP)
	s.there = c.Remote
	if !s.Has("loss") {
		return
	}
	if s.Count == 1 {
		c.Fail(s.At("loss"), "loss: wants a count of more than 1 beside it: one packet that is lost is critical")
	}
	bounds := c.Thresholds("loss", field.Measure{Unit: "%"}, field.Bound{}, s.Loss.Warning, s.Loss.Critical)
	for _, b := range []pharos.Number{bounds.Warning, bounds.Critical} {
		if b.OK && (b.V <= 0 || b.V > 100) {
			c.Fail(s.At("loss"), "loss: want more than 0%% and at most 100%%, got %v%%", b.V)
		}
	}
	if bounds.LessIsWorse() {
		c.Fail(s.At("loss"), "loss: critical below warning: to lose less is not worse")
	}
	s.figures = []pharos.Part{{Name: "loss", Unit: "%", Thresholds: bounds}}
}

// Target implements Spec.
func (s *pingSpec) Target() string { return string(s.Ping) }

// Traits implements Spec. The time of a run with several packets is not that of
// their way; ping over there says that of the way alone.
func (s *pingSpec) Traits() pharos.Traits {
	t := pharos.Traits{Timed: s.Count == 1, Unit: "s", Network: true, Figures: s.figures}
	switch {
	case s.there && t.Timed:
		t.Phases = []string{"rtt"}
	case s.there:
		t.Phases = []string{}
	case t.Timed:
		t.Phases = []string{"lookup", "rtt"}
	default:
		t.Phases = []string{"lookup", "replies"}
	}
	return t
}

const (
	pingSpacing  = 50 * time.Millisecond
	pingPatience = time.Second // after the last packet, where any was answered
)

// Prepare implements Spec.
func (s *pingSpec) Prepare(e *Engine, w pharos.Watcher) (Run, error) {
	if w.SSHHost != "" {
		return s.prepareThere(e, w), nil
	}
	return func(ctx context.Context, t *Trace) (m Measurement) {
		addr, err := e.lookup(ctx, t, s.IP.Int(), string(s.Ping))
		if err != nil {
			return pharos.Failure(err)
		}
		m.AddFact("address", addr.String())
		t.Enter(s.Traits().Phases[1])
		echo, err := newEchoes(addr.Unmap(), int(s.Size))
		if err != nil {
			if errors.Is(err, os.ErrPermission) {
				return Measurement{Outcome: pharos.Unable, Reason: "the prober may not ping: set net.ipv4.ping_group_range, or give it CAP_NET_RAW"}
			}
			m.Outcome, m.Cause = pharos.Failed, err
			return m
		}
		defer echo.conn.Close()
		err = within(ctx, echo.conn, func() error { return echo.exchange(ctx, int(s.Count)) })
		t.CountTo(time.Now())
		s.judge(ctx, t, &m, echo.took, err, w.Timeout)
		return m
	}, nil
}

// judge says what the times until the answers come to. Of those that did not come,
// which are 0, err may say why.
func (s *pingSpec) judge(ctx context.Context, t *Trace, m *Measurement, took []time.Duration, err error, timeout time.Duration) {
	answered := slices.DeleteFunc(slices.Clone(took), func(d time.Duration) bool { return d == 0 })
	sent := len(took)
	if sent > 0 {
		m.Figures = []pharos.Figure{{Name: "loss", Value: 100 * float64(sent-len(answered)) / float64(sent)}}
	}
	switch {
	case len(answered) == 0 && ctx.Err() != nil:
		m.Fail("no answer within " + pharos.SayTime(waited(ctx, t.Start(), timeout)))
		return
	case len(answered) == 0:
		m.Outcome, m.Cause = pharos.Failed, err
		return
	}
	var sum time.Duration
	for _, d := range answered {
		sum += d
	}
	m.Value = pharos.Num(sum.Seconds() / float64(len(answered)))
	if sent > 1 {
		m.AddFact("packets", fmt.Sprintf("%d sent, %d answered", sent, len(answered)))
		m.AddFact("round trips", pharos.SayTime(slices.Min(answered))+" to "+pharos.SayTime(slices.Max(answered)))
	}
	if lost := sent - len(answered); lost > 0 && s.figures == nil {
		m.Outcome, m.Reason = pharos.Warned, fmt.Sprintf("%d of %d packets lost", lost, sent)
	}
}

// lookup returns the address of a host which a visitor takes first. Its phase is
// lookup, which an address does not have.
func (e *Engine) lookup(ctx context.Context, t *Trace, family int, host string) (netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr, nil
	}
	if isLocalhost(host) {
		return map[bool]netip.Addr{true: netip.IPv6Loopback(), false: netip.AddrFrom4([4]byte{127, 0, 0, 1})}[family == 6], nil
	}
	t.Enter("lookup")
	resolver := net.Resolver{Dial: e.nameServer}
	all, err := resolver.LookupNetIP(ctx, map[int]string{4: "ip4", 6: "ip6", 0: "ip"}[family], host)
	if err != nil {
		return netip.Addr{}, err
	}
	return all[0].Unmap(), nil
}

// echoes sends echo requests to one address, and knows their answers.
type echoes struct {
	conn    net.Conn
	family  int // 4 or 6
	id      int // of those that the kernel does not number
	payload []byte
	began   []time.Time
	took    []time.Duration // until the answer; 0: none yet
}

func newEchoes(addr netip.Addr, size int) (*echoes, error) {
	e := &echoes{family: 4, payload: make([]byte, size)}
	rand.Read(e.payload)
	e.id = int(binary.BigEndian.Uint16(e.payload))
	if addr.Is6() {
		e.family = 6
	}
	c, err := dialICMP(addr)
	if err != nil {
		return nil, err
	}
	if err := hearRouters(c, e.family); err != nil {
		c.Close()
		return nil, err
	}
	e.conn = c
	return e, nil
}

// exchange sends some echo requests and waits for their answers: for the first one
// until the deadline of ctx, for others a while after the last was sent. What
// routers say ends it while nothing was answered.
func (e *echoes) exchange(ctx context.Context, count int) error {
	deadline, _ := ctx.Deadline()
	var next, last time.Time // when a packet is sent, and was
	buffer := make([]byte, len(e.payload)+128)
	for answered := 0; answered < count; {
		now := time.Now()
		until := deadline
		switch {
		case len(e.began) < count && !now.Before(next):
			last, next = now, now.Add(pingSpacing)
			if err := e.send(); err != nil {
				return err
			}
			continue
		case len(e.began) < count:
			until = next
		case answered > 0:
			until = last.Add(pingPatience)
			if !now.Before(until) {
				return nil
			}
		}
		e.conn.SetReadDeadline(until)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := e.conn.Read(buffer)
		at := time.Now()
		switch {
		case err == nil && e.take(buffer[:n], at):
			answered++
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && answered == 0:
			return err
		}
	}
	return nil
}

// send sends the next echo request.
func (e *echoes) send() error {
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: e.id, Seq: len(e.began) + 1, Data: e.payload}}
	if e.family == 6 {
		m.Type = ipv6.ICMPTypeEchoRequest
	}
	b, err := m.Marshal(nil) // of version 6 the kernel makes the checksum
	if err != nil {
		return err
	}
	e.began, e.took = append(e.began, time.Now()), append(e.took, 0)
	_, err = e.conn.Write(b)
	return err
}

// take takes a packet that came, and reports whether it is a first answer.
func (e *echoes) take(b []byte, at time.Time) bool {
	protocol := 58
	if e.family == 4 {
		protocol = 1
		if len(b) > 0 && b[0]>>4 == 4 { // a raw socket has the header of IP
			b = b[min(len(b), int(b[0]&0xf)*4):]
		}
	}
	m, err := icmp.ParseMessage(protocol, b)
	if err != nil || m.Type != ipv4.ICMPTypeEchoReply && m.Type != ipv6.ICMPTypeEchoReply {
		return false
	}
	echo, ok := m.Body.(*icmp.Echo)
	if !ok || echo.Seq < 1 || echo.Seq > len(e.took) || e.took[echo.Seq-1] != 0 || !bytes.Equal(echo.Data, e.payload) {
		return false
	}
	e.took[echo.Seq-1] = max(at.Sub(e.began[echo.Seq-1]), 1)
	return true
}
