package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	mdns "github.com/miekg/dns"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

var dns = Kind{
	Key: "dns", Doc: dnsDoc, Phases: []string{"lookup", "connect", "tls", "query"}, Through: true,
	New: func() Spec { return &dnsSpec{Type: "A", Transport: "udp", RCode: "NOERROR"} },
}

const dnsDoc = `Asks a name server for a name, once; search domains are not tried. Its value is the time until the answer.

No record of the ${type} is critical, and so is any other answer than ${rcode}: a name that does not exist (NXDOMAIN) and a server that finds no answer (SERVFAIL) are told apart. Records are
compared as ${dig +short} writes them, one on a line, a TXT without its quotes: ${match: "^10\\.0\\.0\\.7$"}. An answer that is too long for UDP is asked for again over TCP. With ${dnssec}
the server must have validated the answer, or be the authority and sign it with signatures that have not expired.

${{name: Shop's address, dns: shop.example, server: 9.9.9.9, thresholds: {critical: 500ms}}} is enough; for a mail domain it is ${{dns: shop.example, type: MX, match: "mail\\.shop\\.example"}}.`

type dnsSpec struct {
	field.Section
	DNS       field.Text     `yaml:"dns" also:"dns_resolve query query_name resolve" doc:"The name to ask for; with type PTR, an address will do." required:"true"`
	Server    nameServerHost `yaml:"server" also:"resolver dns_resolve_server nameserver" doc:"The name server: a host, and a port if it is not 53, or 853 with transport tls." default:"the first of /etc/resolv.conf"`
	Type      field.Word     `yaml:"type" words:"A AAAA CNAME MX NS TXT SRV SOA PTR CAA" also:"query_type dns_resolve_type record" doc:"The type of the records." default:"A"`
	Match     field.Patterns `yaml:"match" also:"expect contains" doc:"Regular expressions (RE2), each of which a record must match; ^ and $ are the ends of a record."`
	RCode     field.Word     `yaml:"rcode" words:"NOERROR NXDOMAIN SERVFAIL REFUSED" also:"valid_rcodes" doc:"The response code that is ok." default:"NOERROR"`
	Transport field.Word     `yaml:"transport" words:"udp tcp tls" also:"transport_protocol protocol" doc:"How the server is asked." default:"udp"`
	DNSSEC    field.YesNo    `yaml:"dnssec" doc:"The answer must be signed." default:"false"`
	TLS       tlsKeys        `yaml:"tls" doc:"How the server's certificate is checked, with transport tls."`
}

// nameServerHost is a host, whose port may be the usual one.
type nameServerHost struct{ host, port string }

// Read implements field.Value.
func (s *nameServerHost) Read(r *field.Reader, n *field.Node, key string) {
	s.host, s.port, _ = r.HostPort(n, key, "53")
}

// Shape implements field.Value.
func (nameServerHost) Shape() field.Shape {
	return field.Shape{Word: "host:port", Schema: field.Object{"type": "string", "minLength": 1}}
}

// Check implements Spec.
func (s *dnsSpec) Check(c *field.Checker) {
	s.TLS.check(c)
	name := string(s.DNS)
	_, err := netip.ParseAddr(name)
	switch _, ok := mdns.IsDomainName(name); {
	case err == nil && s.Type != "PTR":
		c.Fail(s.At("dns"), "dns: %s is an address: write a name, or type: PTR", name)
	case strings.ContainsFunc(name, func(c rune) bool { return c >= 0x80 }):
		c.Fail(s.At("dns"), "dns: the name is not plain ASCII: write its xn-- form, got %s", field.Shown(name))
	case err != nil && (!ok || name == "" || strings.ContainsAny(name, "/:@?# \t\\")):
		c.Fail(s.At("dns"), "dns: want a name such as shop.example, got %s", field.Shown(name))
	}
	if c.Through && !s.Has("server") {
		c.Fail(s.At("dns"), "server: wanted with ssh_host, whose own are not known here")
	}
	if s.Has("match") && s.RCode != "NOERROR" {
		c.Fail(s.At("match"), "match: an answer of %s has no records", s.RCode)
	}
	if s.Has("tls") && s.Transport != "tls" {
		c.Fail(s.At("tls"), "tls: wants transport: tls beside it")
	}
}

// Target implements Spec.
func (s *dnsSpec) Target() string {
	target := string(s.DNS) + " " + string(s.Type)
	if s.Server.host != "" {
		target += " at " + s.Server.host
	}
	return target
}

// Traits implements Spec.
func (s *dnsSpec) Traits() pharos.Traits {
	t := pharos.Traits{Timed: true, Network: true, Files: s.TLS.files()}
	if s.Transport == "tls" {
		t.Class = pharos.Handshake
	} else {
		t.Phases = []string{"lookup", "connect", "query"} // of udp: connect where the answer is too long
	}
	return t
}

const (
	resolvConf = "/etc/resolv.conf"
	udpSize    = 1232 // bytes of an answer over UDP that no path cuts, as resolvers have agreed
)

// Prepare implements Spec.
func (s *dnsSpec) Prepare(e *Engine, _ pharos.Watcher) (Run, error) {
	config, err := s.TLS.config()
	if err != nil {
		return nil, err
	}
	config.NextProtos = []string{"dot"}
	name := mdns.Fqdn(string(s.DNS))
	if reverse, err := mdns.ReverseAddr(string(s.DNS)); err == nil {
		name = reverse
	}
	var question mdns.Msg
	question.SetQuestion(name, mdns.StringToType[string(s.Type)])
	question.AuthenticatedData = true // have it said whether the answer is validated
	question.SetEdns0(udpSize, bool(s.DNSSEC))
	a := asker{e, s, config, &question}
	return func(ctx context.Context, t *Trace) (m Measurement) {
		address, err := s.server()
		if err != nil {
			return Measurement{Outcome: pharos.Unable, Reason: err.Error()}
		}
		answer, err := a.ask(ctx, t, &m, address)
		if lost, ok := errors.AsType[*net.DNSError](err); ok && lost.IsNotFound {
			err = errors.New("the name server's own name is not found: " + lost.Name)
		}
		if err != nil {
			m.Outcome, m.Cause = pharos.Failed, err
			return m
		}
		t.CountTo(time.Now())
		if wrong := s.look(&m, answer); wrong != "" {
			m.Fail(wrong)
			m.Detail = answer.String()
		}
		return m
	}, nil
}

// asker asks one question again and again.
type asker struct {
	engine   *Engine
	spec     *dnsSpec
	tls      *tls.Config
	question *mdns.Msg
}

// ask returns the answer to the question.
func (a asker) ask(ctx context.Context, t *Trace, m *Measurement, address string) (*mdns.Msg, error) {
	if a.engine.through != "" && a.spec.Transport == "udp" {
		m.AddFact("transport", "tcp, as ssh carries no udp")
	}
	if a.spec.Transport != "udp" || a.engine.through != "" {
		return a.overTCP(ctx, t, m, address)
	}
	if _, err := netip.ParseAddrPort(address); err != nil {
		t.Enter("lookup")
	} else {
		t.Enter("query")
	}
	d := net.Dialer{Resolver: &net.Resolver{Dial: a.engine.nameServer}}
	c, err := d.DialContext(ctx, "udp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	t.Enter("query")
	m.AddFact("server", c.RemoteAddr().String())
	answer, err := a.exchange(ctx, c)
	if err != nil || !answer.Truncated {
		return answer, err
	}
	m.Facts = nil
	m.AddFact("transport", "tcp, since the answer is too long for udp")
	return a.overTCP(ctx, t, m, c.RemoteAddr().String())
}

// overTCP asks over TCP, or over TLS.
func (a asker) overTCP(ctx context.Context, t *Trace, m *Measurement, address string) (*mdns.Msg, error) {
	raw, err := a.engine.connect(ctx, t, 0, address)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	m.AddFact("server", raw.RemoteAddr().String())
	c := net.Conn(raw)
	if a.spec.Transport == "tls" {
		secured, err := secure(ctx, t, raw, a.tls, a.spec.Server.host)
		if err != nil {
			return nil, err
		}
		c = secured
		m.AddFact("certificate", certificateOf(secured.ConnectionState()).say(time.Now()))
	}
	t.Enter("query")
	return a.exchange(ctx, c)
}

// server returns the address of the name server.
func (s *dnsSpec) server() (string, error) {
	host, port := s.Server.host, s.Server.port
	if s.Transport == "tls" {
		port = cmp.Or(port, "853")
	}
	if host == "" {
		system, err := mdns.ClientConfigFromFile(resolvConf)
		if err != nil || len(system.Servers) == 0 {
			return "", errors.New(resolvConf + " of the prober's machine names no name server: write server")
		}
		host = system.Servers[0]
	}
	return net.JoinHostPort(host, cmp.Or(port, "53")), nil
}

// exchange asks on a connection. What is no answer to the question, as one to an
// earlier one may be, or one that somebody else has put in, is let be over UDP.
func (a asker) exchange(ctx context.Context, c net.Conn) (answer *mdns.Msg, err error) {
	question := *a.question
	question.Id = mdns.Id()
	conn := mdns.Conn{Conn: c, UDPSize: udpSize}
	_, packets := c.(net.PacketConn)
	err = within(ctx, c, func() error {
		if err := conn.WriteMsg(&question); err != nil {
			return err
		}
		for {
			raw, err := conn.ReadMsgHeader(nil)
			if err != nil && !errors.Is(err, mdns.ErrShortRead) {
				return err
			}
			foreign := len(raw) < 12 || binary.BigEndian.Uint16(raw) != question.Id
			if foreign && packets {
				continue
			}
			answer = new(mdns.Msg)
			switch err := answer.Unpack(raw); {
			case foreign:
				return errors.New("the server's answer is not one to the question")
			case err != nil:
				return reworded{err, "the server's answer cannot be read: " + strings.TrimPrefix(err.Error(), "dns: ")}
			}
			same := answer.Response && len(answer.Question) == 1 && answer.Question[0].Qtype == question.Question[0].Qtype &&
				strings.EqualFold(answer.Question[0].Name, question.Question[0].Name)
			switch {
			case same || answer.Response && len(answer.Question) == 0 && answer.Rcode != mdns.RcodeSuccess:
				return nil
			case !packets:
				return errors.New("the server's answer is not one to the question")
			}
		}
	})
	return answer, err
}

// rcodes say what the codes mean that people meet.
var rcodes = map[int]string{
	mdns.RcodeNameError: "there is no such name", mdns.RcodeServerFailure: "the server finds no answer", mdns.RcodeRefused: "the server does not answer this for us",
	mdns.RcodeFormatError: "the server does not understand the question", mdns.RcodeNotImplemented: "the server does not know how to answer this",
}

// look says what is wrong with an answer, and adds its facts.
func (s *dnsSpec) look(m *Measurement, a *mdns.Msg) (wrong string) {
	kind := mdns.StringToType[string(s.Type)]
	var records []string
	var signatures []*mdns.RRSIG
	alias, ttl := "", uint32(0)
	for _, record := range slices.Concat(a.Answer, a.Ns) {
		if signature, ok := record.(*mdns.RRSIG); ok {
			signatures = append(signatures, signature)
		}
	}
	for _, record := range a.Answer {
		if target, ok := record.(*mdns.CNAME); ok && kind != mdns.TypeCNAME {
			alias = target.Target
		}
		if record.Header().Rrtype == kind {
			if ttl == 0 || record.Header().Ttl < ttl {
				ttl = record.Header().Ttl
			}
			records = append(records, recordText(record))
		}
	}
	slices.Sort(records)
	m.AddFact("answer", strings.Join(records, ", "))
	m.AddFact("alias", alias)
	if len(records) > 0 {
		m.AddFact("ttl", pharos.SayTime(time.Duration(ttl)*time.Second))
	}
	m.AddFact("from", map[bool]string{true: "the authority", false: "a resolver"}[a.Authoritative])
	unsigned := dnssec(m, a, signatures, time.Now())
	code := mdns.RcodeToString[a.Rcode]
	switch {
	case code != string(s.RCode):
		wrong = cmp.Or(code, fmt.Sprint("response code ", a.Rcode))
		switch said := rcodes[a.Rcode]; {
		case a.Rcode == mdns.RcodeSuccess:
			wrong += ", wanted " + string(s.RCode)
		case said != "":
			wrong += ": " + said
		}
		return wrong + extended(a)
	case a.Rcode == mdns.RcodeSuccess && len(records) == 0:
		wrong = "no " + string(s.Type) + " record"
		referred := slices.ContainsFunc(a.Ns, func(r mdns.RR) bool { return r.Header().Rrtype == mdns.TypeNS })
		switch {
		case alias != "":
			wrong += " of " + alias + ", to which the name leads"
		case referred && !a.Authoritative:
			wrong += ": the server refers to others"
		}
		return wrong
	case bool(s.DNSSEC) && unsigned != "":
		return unsigned
	}
	for _, want := range s.Match {
		if !slices.ContainsFunc(records, want.MatchString) {
			return "no match for " + quotePattern(want) + " in " + strings.Join(records, ", ")
		}
	}
	return ""
}

// recordText returns a record's data as dig +short does, but for the quotes of TXT.
func recordText(r mdns.RR) string {
	if txt, ok := r.(*mdns.TXT); ok {
		return strings.Join(txt.Txt, "")
	}
	return strings.TrimPrefix(r.String(), r.Header().String())
}

// dnssec adds what is known of the signatures of an answer, and returns why it is
// not to be taken for signed; "": it is.
func dnssec(m *Measurement, a *mdns.Msg, signatures []*mdns.RRSIG, now time.Time) (unsigned string) {
	var first time.Time
	for _, s := range signatures {
		// The wire has 32 bits; the half of their circle around now counts.
		ends := now.Add(time.Duration(int32(s.Expiration-uint32(now.Unix()))) * time.Second)
		if first.IsZero() || ends.Before(first) {
			first = ends
		}
	}
	left := first.Sub(now)
	switch {
	case first.IsZero():
	case left < 0:
		m.AddFact("signatures", "expired "+pharos.HumanDuration(-left)+" ago")
	default:
		m.AddFact("signatures", pharos.HumanDuration(left)+" left")
	}
	switch {
	case a.AuthenticatedData:
		m.AddFact("dnssec", "validated by the server")
		return ""
	case first.IsZero():
		return "the answer is not signed"
	case left < 0:
		return "the signature expired " + pharos.HumanDuration(-left) + " ago"
	case a.Authoritative:
		m.AddFact("dnssec", "signed by the authority")
		return ""
	}
	m.AddFact("dnssec", "signed, not validated")
	return "the answer is signed, and the server has not validated it"
}

// extended returns what the server says of an error besides its code (RFC 8914).
func extended(a *mdns.Msg) string {
	edns := a.IsEdns0()
	if edns == nil {
		return ""
	}
	for _, option := range edns.Option {
		if said, ok := option.(*mdns.EDNS0_EDE); ok {
			what := cmp.Or(mdns.ExtendedErrorCodeToString[said.InfoCode], fmt.Sprint("extended error ", said.InfoCode))
			if said.ExtraText != "" {
				what += ": " + said.ExtraText
			}
			return " (" + what + ")"
		}
	}
	return ""
}
