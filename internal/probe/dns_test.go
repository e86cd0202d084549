package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"pharos/internal/field"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
)

// asks returns a spec that asks a server for an A record of shop.example.
func asks(server string, edit func(*dnsSpec)) *dnsSpec {
	spec := dns.New().(*dnsSpec)
	spec.DNS = "shop.example"
	spec.Server.host, spec.Server.port, _ = net.SplitHostPort(server)
	if edit != nil {
		edit(spec)
	}
	return spec
}

// names serves one answer over udp and tcp, on the same port: the flags "aa" and
// "ad", a response code, records (after "ns:" those of the authority). With
// "cut", an answer over udp is truncated.
func names(t testing.TB, says ...string) string {
	t.Helper()
	l := pharostest.Listen(t)
	p, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	handler := mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
		a := new(mdns.Msg)
		a.SetReply(q)
		a.SetEdns0(udpSize, false)
		for _, s := range says {
			in, authority := &a.Answer, false
			if s, authority = strings.CutPrefix(s, "ns:"); authority {
				in = &a.Ns
			}
			if code, ok := mdns.StringToRcode[s]; ok {
				a.Rcode = code
				continue
			}
			switch extra, ede := strings.CutPrefix(s, "ede:"); {
			case s == "aa":
				a.Authoritative = true
			case s == "ad":
				a.AuthenticatedData = q.AuthenticatedData
			case s == "cut":
				a.Truncated = w.LocalAddr().Network() == "udp"
			case ede:
				a.IsEdns0().Option = append(a.IsEdns0().Option, &mdns.EDNS0_EDE{InfoCode: mdns.ExtendedErrorCodeDNSBogus, ExtraText: extra})
			case s == "other":
				a.Question[0].Name = "other.example."
			default:
				record, err := mdns.NewRR(s)
				if err != nil {
					t.Error(err)
				}
				*in = append(*in, record)
			}
		}
		if a.Truncated {
			a.Answer = nil
		}
		w.WriteMsg(a)
	})
	for _, s := range []*mdns.Server{{PacketConn: p, Handler: handler}, {Listener: l, Handler: handler}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		ended := make(chan error, 1)
		go func() { ended <- s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() {
			s.Shutdown()
			<-ended
		})
	}
	return l.Addr().String()
}

// packets answers each packet with others.
func packets(t testing.TB, answer func(question []byte) [][]byte) string {
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 2048)
		for {
			n, from, err := p.ReadFrom(b)
			if err != nil {
				return
			}
			for _, one := range answer(b[:n]) {
				p.WriteTo(one, from)
			}
		}
	}()
	t.Cleanup(func() {
		p.Close()
		<-ended
	})
	return p.LocalAddr().String()
}

// replyTo packs an answer to a question.
func replyTo(question []byte, edit func(*mdns.Msg)) []byte {
	var q, a mdns.Msg
	if err := q.Unpack(question); err != nil {
		panic(err)
	}
	a.SetReply(&q)
	record, _ := mdns.NewRR("shop.example. 60 A 192.0.2.1")
	a.Answer = []mdns.RR{record}
	if edit != nil {
		edit(&a)
	}
	b, err := a.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func signature(ends time.Time) string {
	return "shop.example. 60 RRSIG A 13 2 60 " + ends.UTC().Format("20060102150405") + " 20200101000000 1 example. AAAA"
}

func TestDNS(t *testing.T) {
	const a1, a2 = "shop.example. 300 A 192.0.2.1", "shop.example. 60 A 192.0.2.2"
	const soa = "ns:example. 60 SOA ns.example. root.example. 1 2 3 4 5"
	of := func(kind field.Word, patterns ...string) func(*dnsSpec) {
		return func(s *dnsSpec) { s.Type, s.Match = kind, patternsOf(patterns...) }
	}
	wants := func(code field.Word) func(*dnsSpec) { return func(s *dnsSpec) { s.RCode = code } }
	signed := func(s *dnsSpec) { s.DNSSEC = true }
	for name, test := range map[string]struct {
		says []string
		edit func(*dnsSpec)
		want string // the reason; empty: it is well
		fact string // "name=value"
	}{
		"two addresses":               {[]string{a2, a1}, nil, "", "answer=192.0.2.1, 192.0.2.2"},
		"the shortest ttl":            {[]string{a1, a2}, nil, "", "ttl=60 s"},
		"a resolver":                  {[]string{a1}, nil, "", "from=a resolver"},
		"the authority":               {[]string{"aa", a1}, nil, "", "from=the authority"},
		"an alias":                    {[]string{"shop.example. 60 CNAME cdn.example.", "cdn.example. 60 A 192.0.2.3"}, nil, "", "alias=cdn.example."},
		"an alias to nothing":         {[]string{"shop.example. 60 CNAME cdn.example."}, nil, "no A record of cdn.example., to which the name leads", ""},
		"an alias, asked for":         {[]string{"shop.example. 60 CNAME cdn.example."}, of("CNAME", `^cdn\.example\.$`), "", "answer=cdn.example."},
		"a match":                     {[]string{a1, a2}, of("A", `^192\.0\.2\.2$`), "", ""},
		"no match":                    {[]string{a1, a2}, of("A", `^192\.0\.2\.2$`, `^192\.0\.2\.9$`), `no match for "^192\\.0\\.2\\.9$" in 192.0.2.1, 192.0.2.2`, ""},
		"a match beyond one record":   {[]string{a1, a2}, of("A", `2\.1.*2\.2`), `no match for "2\\.1.*2\\.2" in 192.0.2.1, 192.0.2.2`, ""},
		"an alias does not match":     {[]string{"shop.example. 60 CNAME cdn.example.", "cdn.example. 60 A 192.0.2.3"}, of("A", "cdn"), `no match for "cdn" in 192.0.2.3`, ""},
		"AAAA":                        {[]string{"shop.example. 60 AAAA 2001:db8::1"}, of("AAAA", "^2001:db8::1$"), "", ""},
		"MX":                          {[]string{"shop.example. 60 MX 10 mail.example."}, of("MX", `^10 mail\.example\.$`), "", ""},
		"NS":                          {[]string{"shop.example. 60 NS ns.example."}, of("NS", `^ns\.example\.$`), "", ""},
		"TXT":                         {[]string{`shop.example. 60 TXT "v=spf1 -a" "ll"`}, of("TXT", "^v=spf1 -all$"), "", ""},
		"SRV":                         {[]string{"shop.example. 60 SRV 1 2 443 a.example."}, of("SRV", `^1 2 443 a\.example\.$`), "", ""},
		"SOA":                         {[]string{"shop.example. 60 SOA ns.example. root.example. 2026 2 3 4 5"}, of("SOA", ` 2026 `), "", ""},
		"CAA":                         {[]string{`shop.example. 60 CAA 0 issue "letsencrypt.org"`}, of("CAA", `^0 issue "letsencrypt.org"$`), "", ""},
		"PTR":                         {[]string{"1.2.0.192.in-addr.arpa. 60 PTR shop.example."}, func(s *dnsSpec) { s.DNS, s.Type = "192.0.2.1", "PTR" }, "", "answer=shop.example."},
		"other types alone":           {[]string{"shop.example. 60 AAAA 2001:db8::1"}, nil, "no A record", ""},
		"no records":                  {[]string{soa}, nil, "no A record", ""},
		"a referral":                  {[]string{"ns:example. 60 NS ns.example."}, nil, "no A record: the server refers to others", ""},
		"NXDOMAIN":                    {[]string{"NXDOMAIN", soa}, nil, "NXDOMAIN: there is no such name", ""},
		"NXDOMAIN, wanted":            {[]string{"NXDOMAIN", soa}, wants("NXDOMAIN"), "", ""},
		"NXDOMAIN, wanted and not":    {[]string{a1}, wants("NXDOMAIN"), "NOERROR, wanted NXDOMAIN", ""},
		"SERVFAIL":                    {[]string{"SERVFAIL"}, nil, "SERVFAIL: the server finds no answer", ""},
		"SERVFAIL with its cause":     {[]string{"SERVFAIL", "ede:signature expired"}, nil, "SERVFAIL: the server finds no answer (DNSSEC Bogus: signature expired)", ""},
		"REFUSED":                     {[]string{"REFUSED"}, nil, "REFUSED: the server does not answer this for us", ""},
		"REFUSED, wanted NXDOMAIN":    {[]string{"REFUSED"}, wants("NXDOMAIN"), "REFUSED: the server does not answer this for us", ""},
		"FORMERR":                     {[]string{"FORMERR"}, nil, "FORMERR: the server does not understand the question", ""},
		"NOTAUTH":                     {[]string{"NOTAUTH"}, nil, "NOTAUTH", ""},
		"cut":                         {[]string{"cut", a1}, nil, "", "transport=tcp, since the answer is too long for udp"},
		"over tcp":                    {[]string{a1}, func(s *dnsSpec) { s.Transport = "tcp" }, "", "answer=192.0.2.1"},
		"another answer over tcp":     {[]string{"other", a1}, func(s *dnsSpec) { s.Transport = "tcp" }, "the server's answer is not one to the question", ""},
		"validated":                   {[]string{"ad", a1}, signed, "", "dnssec=validated by the server"},
		"validated, by the way":       {[]string{"ad", a1}, nil, "", "dnssec=validated by the server"},
		"not signed":                  {[]string{a1}, signed, "the answer is not signed", ""},
		"not signed, and no matter":   {[]string{a1}, nil, "", "dnssec="},
		"not validated":               {[]string{a1, signature(time.Now().AddDate(0, 0, 9))}, signed, "the answer is signed, and the server has not validated it", ""},
		"signed by the authority":     {[]string{"aa", a1, signature(time.Now().Add(9*24*time.Hour + time.Minute))}, signed, "", "signatures=9 days left"},
		"expired":                     {[]string{"aa", a1, signature(time.Now().Add(-3*24*time.Hour - time.Minute))}, signed, "the signature expired 3 days ago", ""},
		"nothing, and that is signed": {[]string{"aa", "NXDOMAIN", "ns:" + signature(time.Now().AddDate(0, 0, 9))}, func(s *dnsSpec) { s.DNSSEC, s.RCode = true, "NXDOMAIN" }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := measure(t, asks(names(t, test.says...), test.edit), long)
			if m.Reason != test.want || (m.Outcome == pharos.Failed) != (test.want != "") || m.Cause == nil && m.Value.V <= 0 {
				t.Errorf("got %v %q, value %v, want %q", m.Outcome, m.Reason, m.Value, test.want)
			}
			if test.want != "" && m.Detail == "" {
				t.Error("no detail")
			}
			if key, value, ok := strings.Cut(test.fact, "="); ok && factOf(m, key) != value {
				t.Errorf("got facts %v, want %s", m.Facts, test.fact)
			}
		})
	}
}

func TestDNSOverTLS(t *testing.T) {
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, func(*x509.Certificate) {})}, NextProtos: []string{"dot"}}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	s := &mdns.Server{Listener: l, Handler: mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
		a := new(mdns.Msg)
		a.SetReply(q)
		record, _ := mdns.NewRR("shop.example. 60 A 192.0.2.1")
		a.Answer = []mdns.RR{record}
		w.WriteMsg(a)
	})}
	ended := make(chan error, 1)
	started := make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	go func() { ended <- s.ActivateAndServe() }()
	<-started
	defer func() {
		s.Shutdown()
		<-ended
	}()
	over := func(s *dnsSpec) { s.Transport = "tls" }
	if m := measure(t, asks(l.Addr().String(), over), long); m.Reason != `certificate is signed by an unknown authority, "Test Authority"` {
		t.Errorf("got %q", m.Reason)
	}
	m := measure(t, asks(l.Addr().String(), func(s *dnsSpec) { over(s); s.TLS.CAFile = field.Text(ca.file) }), long)
	if m.Reason != "" || factOf(m, "answer") != "192.0.2.1" || factOf(m, "certificate") == "" {
		t.Errorf("got %q, %v", m.Reason, m.Facts)
	}
	var phases []string
	for _, p := range m.Phases {
		phases = append(phases, p.Name)
	}
	if got := strings.Join(phases, " "); got != "connect tls query" {
		t.Errorf("got phases %s", got)
	}
}

// TestWhatIsNoAnswerToTheQuestionIsLetBe sends what is none, and the answer after it: over UDP
// anybody can have sent it.
func TestWhatIsNoAnswerToTheQuestionIsLetBe(t *testing.T) {
	for name, first := range map[string]func(q []byte) []byte{
		"of another number":   func(q []byte) []byte { a := replyTo(q, nil); a[0]++; return a },
		"to another question": func(q []byte) []byte { return replyTo(q, func(a *mdns.Msg) { a.Question[0].Name = "other.example." }) },
		"no answer":           func(q []byte) []byte { return q },
		"short":               func(q []byte) []byte { return q[:5] },
		"empty":               func(q []byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			server := packets(t, func(q []byte) [][]byte { return [][]byte{first(q), replyTo(q, nil)} })
			if m := measure(t, asks(server, nil), long); m.Reason != "" || factOf(m, "answer") != "192.0.2.1" {
				t.Errorf("got %q, %v", m.Reason, m.Facts)
			}
		})
	}
}

func TestANameServerThatIsNotWell(t *testing.T) {
	tcp := func(s *dnsSpec) { s.Transport = "tcp" }
	silent := packets(t, func([]byte) [][]byte { return nil })
	for name, test := range map[string]struct {
		server string
		edit   func(*dnsSpec)
		want   string
	}{
		"nobody over udp":   {taken(t, syscall.SOCK_DGRAM), nil, "connection refused"},
		"nobody over tcp":   {unused(t), tcp, "connection refused"},
		"silent over udp":   {silent, nil, "timed out after 100 ms in query"},
		"silent over tcp":   {listen(t, func(c net.Conn) { io.Copy(io.Discard, c) }), tcp, "timed out after 100 ms in query"},
		"hangs up":          {listen(t, func(c net.Conn) { c.Read(make([]byte, 512)) }), tcp, "connection closed"},
		"breaks off":        {listen(t, func(c net.Conn) { c.Read(make([]byte, 512)); c.Write([]byte{0, 100, 1, 2, 3}) }), tcp, "connection closed"},
		"a broken answer":   {packets(t, func(q []byte) [][]byte { a := replyTo(q, nil); return [][]byte{a[:len(a)-3]} }), nil, "the server's answer cannot be read: overflowing header size"},
		"no name":           {"ns.invalid:53", nil, "the name server's own name is not found: ns.invalid"},
		"no name, over tcp": {"ns.invalid:53", tcp, "the name server's own name is not found: ns.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			spec, timeout := asks(test.server, test.edit), long
			if strings.HasPrefix(test.want, "timed out") {
				timeout = 100 * time.Millisecond
			}
			e := New(Options{})
			defer e.Close()
			e.nameServer = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dialNameServer(ctx, "udp", names(t, "NXDOMAIN"))
			}
			p, err := e.Prepare(of(spec), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			p.watcher.Timeout = timeout
			if r := run(t, p, timeout); r.Summary != test.want || r.Status != pharos.Critical {
				t.Errorf("got %v %q, want %q", r.Status, r.Summary, test.want)
			}
		})
	}
}
