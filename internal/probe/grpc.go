package probe

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

var grpc = Kind{
	Key: "grpc", Doc: grpcDoc, Phases: []string{"lookup", "connect", "tls", "first_byte"}, Through: true,
	New: func() Spec { return new(grpcSpec) },
}

const grpcDoc = `Asks a gRPC server for its health, by the service ${grpc.health.v1.Health}. SERVING is ok, all else is critical. Its value is the time until the answer.

${{name: Orders, grpc: "orders.example:50051", tls: true, service: shop.Orders}} is enough; without ${service} it is the server as a whole.`

type grpcSpec struct {
	field.Section
	GRPC    field.Endpoint `yaml:"grpc" doc:"A host and a port." required:"true"`
	Service field.Text     `yaml:"service" also:"service_name" doc:"The name of the service whose health is asked for." default:"the server"`
	TLS     optionalTLS    `yaml:"tls" doc:"Speak TLS, and how the certificate is checked." default:"false"`
	IP      field.Word     `yaml:"ip" words:"4 6" doc:"4 or 6: this version of IP alone." default:"either"`
}

// Check implements Spec.
func (s *grpcSpec) Check(c *field.Checker) {
	checkIP(c, &s.Section, s.GRPC.Host(), s.IP)
	s.TLS.check(c)
}

// Target implements Spec.
func (s *grpcSpec) Target() string {
	return strings.TrimSuffix(string(s.GRPC)+" "+string(s.Service), " ")
}

// Traits implements Spec.
func (s *grpcSpec) Traits() pharos.Traits {
	t := pharos.Traits{Timed: true, Network: true, Files: s.TLS.files()}
	if s.TLS.on {
		t.Class = pharos.Handshake
	} else {
		t.Phases = []string{"lookup", "connect", "first_byte"}
	}
	return t
}

// healthStatus are those of HealthCheckResponse.
var healthStatus = []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

// grpcCodes are the status codes of gRPC.
var grpcCodes = strings.Fields(`OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED
	FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED`)

const maxHealth = 4 << 10 // bytes of an answer

// Prepare implements Spec. The health protocol is one call with one small message
// each way: over net/http it takes a tenth of the room that grpc-go does.
func (s *grpcSpec) Prepare(e *Engine, _ pharos.Watcher) (Run, error) {
	config, err := s.TLS.config()
	if err != nil {
		return nil, err
	}
	config.NextProtos = []string{"h2"}
	var ask []byte
	if s.Service != "" {
		ask = protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), string(s.Service))
	}
	ask = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(ask))), ask...)
	return func(ctx context.Context, t *Trace) (m Measurement) {
		if err := s.run(ctx, e, t, &m, config, ask); err != nil {
			m.Outcome, m.Cause = pharos.Failed, err
		}
		return m
	}, nil
}

func (s *grpcSpec) run(ctx context.Context, e *Engine, t *Trace, m *Measurement, config *tls.Config, ask []byte) error {
	raw, err := e.connect(ctx, t, s.IP.Int(), string(s.GRPC))
	if err != nil {
		return err
	}
	defer raw.Close()
	m.AddFact("address", raw.RemoteAddr().String())
	speaker, scheme := net.Conn(raw), "http"
	if s.TLS.on {
		secured, err := secure(ctx, t, raw, config, s.GRPC.Host())
		if err != nil {
			return err
		}
		speaker, scheme = secured, "https"
		state := secured.ConnectionState()
		m.AddFact("certificate", certificateOf(state).say(time.Now()))
		if state.NegotiatedProtocol != "h2" {
			m.Fail("TLS handshake: the server does not offer HTTP/2, and so no gRPC")
			return nil
		}
	}
	t.Enter("first_byte")
	through, err := e.http2.NewClientConn(context.WithValue(ctx, connKey{}, speaker), scheme, string(s.GRPC))
	if err != nil {
		return err
	}
	defer through.Close()
	hooks := httptrace.ClientTrace{GotFirstResponseByte: func() { t.CountTo(time.Now()) }}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, &hooks), http.MethodPost, scheme+"://"+string(s.GRPC)+"/grpc.health.v1.Health/Check", bytes.NewReader(ask))
	if err != nil {
		return err
	}
	request.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {e.agent}}
	response, err := through.RoundTrip(request)
	if err != nil {
		return explain(err, false, raw.left.Load())
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxHealth+1))
	if err != nil {
		return explain(err, true, raw.left.Load())
	}
	t.CountTo(time.Now())
	if wrong := health(m, response, body); wrong != "" {
		m.Fail(wrong)
	}
	return nil
}

// health says what is wrong with an answer.
func health(m *Measurement, response *http.Response, body []byte) (wrong string) {
	kind := response.Header.Get("Content-Type")
	switch {
	case response.StatusCode != http.StatusOK:
		return "HTTP " + response.Status + ", wanted gRPC"
	case !strings.HasPrefix(kind, "application/grpc"):
		return fmt.Sprintf("the answer is %q, wanted gRPC", cmp.Or(kind, "of no type"))
	case len(body) > maxHealth:
		return "the answer is longer than " + sayBytes(maxHealth)
	}
	said := response.Trailer
	if response.Header.Get("Grpc-Status") != "" { // there is nothing but trailers
		said = response.Header
	}
	code, err := strconv.Atoi(said.Get("Grpc-Status"))
	if err != nil {
		return "the answer ends without a status of gRPC"
	}
	if code != 0 {
		name := fmt.Sprint("status ", code)
		if code > 0 && code < len(grpcCodes) {
			name = grpcCodes[code]
		}
		message, err := url.PathUnescape(said.Get("Grpc-Message"))
		if err != nil {
			message = said.Get("Grpc-Message")
		}
		return strings.TrimSuffix(name+": "+message, ": ")
	}
	status, ok := healthIn(body)
	if !ok {
		return "the answer cannot be read"
	}
	name := fmt.Sprint("health ", status)
	if status < uint64(len(healthStatus)) {
		name = healthStatus[status]
	}
	m.AddFact("health", name)
	if name != "SERVING" {
		return name + ", wanted SERVING"
	}
	return ""
}

// healthIn returns the status that a HealthCheckResponse holds, in the frame of
// gRPC. A message without one says UNKNOWN.
func healthIn(body []byte) (status uint64, ok bool) {
	const frame = 5
	if len(body) < frame || body[0] != 0 || int(binary.BigEndian.Uint32(body[1:])) != len(body)-frame {
		return 0, false
	}
	for b := body[frame:]; len(b) > 0; {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return 0, false
		}
		b = b[n:]
		if number == 1 && kind == protowire.VarintType {
			status, n = protowire.ConsumeVarint(b)
		} else {
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return 0, false
		}
		b = b[n:]
	}
	return status, true
}
