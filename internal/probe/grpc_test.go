package probe

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	rpc "google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	rpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"pharos/internal/field"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
)

// calls serves gRPC, with a health service if there is one.
func calls(t testing.TB, config *tls.Config, h healthpb.HealthServer) field.Endpoint {
	l := pharostest.Listen(t)
	var options []rpc.ServerOption
	if config != nil {
		options = append(options, rpc.Creds(credentials.NewTLS(config)))
	}
	s := rpc.NewServer(options...)
	if h != nil {
		healthpb.RegisterHealthServer(s, h)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		<-ended
	})
	return field.Endpoint(l.Addr().String())
}

// overHTTP2 serves HTTP/2 without TLS.
func overHTTP2(t testing.TB, h http.HandlerFunc) field.Endpoint {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return field.Endpoint(s.Listener.Addr().String())
}

func TestGRPC(t *testing.T) {
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, func(*x509.Certificate) {})}, NextProtos: []string{"h2"}}
	state := rpchealth.NewServer()
	for service, status := range map[string]healthpb.HealthCheckResponse_ServingStatus{
		"well": healthpb.HealthCheckResponse_SERVING, "down": healthpb.HealthCheckResponse_NOT_SERVING, "unknown": healthpb.HealthCheckResponse_UNKNOWN,
	} {
		state.SetServingStatus(service, status)
	}
	well := calls(t, nil, state)
	secured := calls(t, config, state)
	service := func(name field.Text) func(*grpcSpec) { return func(s *grpcSpec) { s.Service = name } }
	over := func(s *grpcSpec) { s.TLS.on, s.TLS.CAFile = true, field.Text(ca.file) }
	answers := func(body string, trailer ...string) field.Endpoint {
		return overHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			for i := 0; i+1 < len(trailer); i += 2 {
				w.Header().Set(http.TrailerPrefix+trailer[i], trailer[i+1])
			}
			io.WriteString(w, body)
		})
	}
	const ok = "\x00\x00\x00\x00\x02\x08\x01"
	const soon = 300 * time.Millisecond
	for name, test := range map[string]struct {
		server  field.Endpoint
		edit    func(*grpcSpec)
		timeout time.Duration
		why     string
		phases  string
	}{
		"the server":             {well, nil, long, "", "connect first_byte"},
		"a service":              {well, service("well"), long, "", ""},
		"over TLS":               {secured, over, long, "", "connect tls first_byte"},
		"over TLS, nobody's":     {secured, func(s *grpcSpec) { s.TLS.on = true }, long, `certificate is signed by an unknown authority, "Test Authority"`, ""},
		"TLS where none is":      {well, over, long, "TLS handshake: the server does not speak TLS", ""},
		"no TLS where some is":   {secured, nil, long, "the connection was closed without an answer", ""},
		"TLS without HTTP/2":     {speaksTLS(t, &tls.Config{Certificates: config.Certificates}, nil), over, long, "TLS handshake: the server does not offer HTTP/2, and so no gRPC", ""},
		"a service that is down": {well, service("down"), long, "NOT_SERVING, wanted SERVING", ""},
		"a service of no status": {well, service("unknown"), long, "UNKNOWN, wanted SERVING", ""},
		"no such service":        {well, service("nothing"), long, "NOT_FOUND: unknown service", ""},
		"no health service":      {calls(t, nil, nil), nil, long, "UNIMPLEMENTED: unknown service grpc.health.v1.Health", ""},
		"a page":                 {overHTTP2(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Type", "text/html") }), nil, long, `the answer is "text/html", wanted gRPC`, ""},
		"a proxy":                {overHTTP2(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }), nil, long, "HTTP 503 Service Unavailable, wanted gRPC", ""},
		"by hand":                {answers(ok, "Grpc-Status", "0"), nil, long, "", ""},
		"no status":              {answers(ok), nil, long, "the answer ends without a status of gRPC", ""},
		"a message":              {answers("", "Grpc-Status", "14", "Grpc-Message", "go%20away"), nil, long, "UNAVAILABLE: go away", ""},
		"a status of its own":    {answers("", "Grpc-Status", "99"), nil, long, "status 99", ""},
		"an empty message":       {answers("\x00\x00\x00\x00\x00", "Grpc-Status", "0"), nil, long, "UNKNOWN, wanted SERVING", ""},
		"more fields":            {answers("\x00\x00\x00\x00\x06\x12\x02xy\x08\x01", "Grpc-Status", "0"), nil, long, "", ""},
		"a short message":        {answers("\x00\x00\x00\x00\x09\x08\x01", "Grpc-Status", "0"), nil, long, "the answer cannot be read", ""},
		"a broken message":       {answers("\x00\x00\x00\x00\x02\x08\xff", "Grpc-Status", "0"), nil, long, "the answer cannot be read", ""},
		"huge":                   {answers(strings.Repeat("x", 1<<20), "Grpc-Status", "0"), nil, long, "the answer is longer than 4 KiB", ""},
		"refused":                {field.Endpoint(unused(t)), nil, long, "connection refused", ""},
		"HTTP/1":                 {field.Endpoint(listen(t, says("HTTP/1.1 400 Bad Request\r\n\r\n"))), nil, long, "", ""},
		"silence":                {field.Endpoint(listen(t, greets(""))), nil, soon, "timed out after 300 ms in first byte", ""},
		"slow":                   {overHTTP2(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), nil, soon, "timed out after 300 ms in first byte", ""},
		"slow within": {overHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}), nil, soon, "timed out after 300 ms in first byte", ""},
	} {
		t.Run(name, func(t *testing.T) {
			spec := grpc.New().(*grpcSpec)
			spec.GRPC = test.server
			if test.edit != nil {
				test.edit(spec)
			}
			m := measure(t, spec, test.timeout)
			if name == "HTTP/1" {
				if m.Outcome != pharos.Failed || m.Reason == "" {
					t.Errorf("got %v %q", m.Outcome, m.Reason)
				}
				t.Log(m.Reason)
				return
			}
			if name == "no TLS where some is" && m.Reason == "connection reset" { // who is first is no matter
				m.Reason = test.why
			}
			if m.Reason != test.why || (m.Outcome == pharos.Failed) != (test.why != "") {
				t.Errorf("got %v %q, want %q", m.Outcome, m.Reason, test.why)
			}
			if test.why == "" && factOf(m, "health") != "SERVING" {
				t.Errorf("got facts %v", m.Facts)
			}
			var phases []string
			for _, p := range m.Phases {
				phases = append(phases, p.Name)
			}
			if got := fmt.Sprint(strings.Join(phases, " ")); test.phases != "" && got != test.phases {
				t.Errorf("got phases %v, want %s", got, test.phases)
			}
		})
	}
}
