package probe

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/field"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
)

// listen serves each connection with handle until the test ends.
func listen(t testing.TB, handle func(net.Conn)) (address string) {
	t.Helper()
	return pharostest.Serve(t, handle)
}

// says is a server that reads a request and answers with these very bytes.
func says(answer string) func(net.Conn) {
	return func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, answer)
	}
}

// hangs is says, and then silence.
func hangs(answer string) func(net.Conn) {
	return func(c net.Conn) {
		says(answer)(c)
		io.Copy(io.Discard, c)
	}
}

// phase returns how long a phase took, or 0.
func phase(r pharos.Result, name string) time.Duration {
	for _, p := range r.Phases {
		if p.Name == name {
			return p.Took.Duration()
		}
	}
	return 0
}

func fact(r pharos.Result, name string) string {
	for _, f := range r.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func TestPageAnswers(t *testing.T) {
	endless := func(c net.Conn) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		for {
			if _, err := io.WriteString(c, "X-More: and more and more and more and more and more\r\n"); err != nil {
				return
			}
		}
	}
	reset := func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		c.(*net.TCPConn).SetLinger(0)
	}
	type outcome struct {
		Status  pharos.Status
		Summary string
	}
	for name, test := range map[string]struct {
		serve func(net.Conn)
		edit  func(*pageSpec)
		want  outcome
	}{
		"a page is ok":                {says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), nil, outcome{pharos.OK, ""}},
		"HTTP/1.0 is ok":              {says("HTTP/1.0 200 OK\r\n\r\nold but well"), nil, outcome{pharos.OK, ""}},
		"1xx precede the answer":      {says("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"), nil, outcome{pharos.OK, ""}},
		"chunks are ok":               {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), nil, outcome{pharos.OK, ""}},
		"a status is wrong":           {says("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), nil, outcome{pharos.Critical, "503, wanted 2xx"}},
		"a status is one of several":  {says("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"), func(p *pageSpec) { p.Status = statuses{{200, 299}, {404, 404}} }, outcome{pharos.OK, ""}},
		"a status is none of several": {says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), func(p *pageSpec) { p.Status = statuses{{300, 399}, {404, 404}} }, outcome{pharos.Critical, "200, wanted 3xx, 404"}},
		"a redirect that is wanted": {says("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"), func(p *pageSpec) {
			p.FollowRedirects, p.Status = true, statuses{{301, 303}}
		}, outcome{pharos.OK, ""}},
		"a redirect is not followed":    {says("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"), nil, outcome{pharos.Critical, "302, wanted 2xx"}},
		"a text is there":               {says("HTTP/1.1 200 OK\r\n\r\nall is well"), func(p *pageSpec) { p.Match = []*regexp.Regexp{regexp.MustCompile("is w")} }, outcome{pharos.OK, ""}},
		"a text is missing":             {says("HTTP/1.1 200 OK\r\n\r\nall is well"), func(p *pageSpec) { p.Match = []*regexp.Regexp{regexp.MustCompile("ill")} }, outcome{pharos.Critical, `no match for "ill"`}},
		"a text beyond the limit":       {says("HTTP/1.1 200 OK\r\n\r\nall is well"), func(p *pageSpec) { p.MaxBody, p.Match = 5, []*regexp.Regexp{regexp.MustCompile("well")} }, outcome{pharos.Critical, `no match for "well" in the first 5 bytes`}},
		"a body of just the limit":      {hangs("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345"), func(p *pageSpec) { p.MaxBody = 5 }, outcome{pharos.OK, ""}},
		"a text that must not be":       {says("HTTP/1.1 200 OK\r\n\r\nfatal error: 7"), func(p *pageSpec) { p.NotMatch = []*regexp.Regexp{regexp.MustCompile("error: .")} }, outcome{pharos.Critical, `found "error: 7", wanted no match for "error: ."`}},
		"HEAD has no body":              {hangs("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"), func(p *pageSpec) { p.Method = "HEAD" }, outcome{pharos.OK, ""}},
		"no answer":                     {says(""), nil, outcome{pharos.Critical, "the connection was closed without an answer"}},
		"half a header":                 {says("HTTP/1.1 200 OK\r\nConte"), nil, outcome{pharos.Critical, "the connection was closed within the answer's header"}},
		"a body cut short":              {says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789"), nil, outcome{pharos.Critical, "the answer was cut short after 10 of 100 bytes"}},
		"chunks cut short":              {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), nil, outcome{pharos.Critical, "the answer was cut short after 2 bytes"}},
		"chunks of garbage":             {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab"), nil, outcome{pharos.Critical, "reading the body: invalid byte in chunk length"}},
		"not HTTP":                      {says("220 smtp.example ESMTP\r\n"), nil, outcome{pharos.Critical, `the answer is no HTTP: malformed status code "smtp.example"`}},
		"a header of 60 KiB is ok":      {says("HTTP/1.1 200 OK\r\nX-Long: " + strings.Repeat("x", 60<<10) + "\r\nContent-Length: 0\r\n\r\n"), nil, outcome{pharos.OK, ""}},
		"a header without end":          {endless, nil, outcome{pharos.Critical, "the answer's header is longer than 256 KiB"}},
		"1xx without end":               {says(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 4000)), nil, outcome{pharos.Critical, "more than 100 answers of 1xx, and no other"}},
		"a reset":                       {reset, nil, outcome{pharos.Critical, "connection reset"}},
		"a server that does not listen": {nil, func(p *pageSpec) { p.Page.URL = address2url("http://" + unused(t)) }, outcome{pharos.Critical, "connection refused"}},
		"localhost, wherever it listens": {says("HTTP/1.1 200 OK\r\n\r\n"), func(p *pageSpec) { p.Page.URL = address2url(strings.Replace(p.Target(), "127.0.0.1", "localhost", 1)) },
			outcome{pharos.OK, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			w := pageAt("")
			if test.serve != nil {
				w = pageAt("http://" + listen(t, test.serve) + "/")
			}
			if test.edit != nil {
				test.edit(pageOf(w))
			}
			r := watch(t, w)
			if diff := cmp.Diff(test.want, outcome{r.Status, r.Summary}); diff != "" {
				t.Errorf("outcome (-want +got):\n%s\ndetail: %s", diff, r.Detail)
			}
			if r.Value.OK != (r.Status == pharos.OK || strings.Contains(r.Summary, ", wanted ") || strings.HasPrefix(r.Summary, "no match") || strings.HasPrefix(r.Summary, "found")) {
				t.Errorf("value %v of %q: want one just where there was a whole answer", r.Value, r.Summary)
			}
		})
	}
}

// unused returns an address where nothing listens, and nothing else will until the
// test ends.
func unused(t testing.TB) string { return taken(t, syscall.SOCK_STREAM) }

// taken returns an address that a socket has which hears nobody.
func taken(t testing.TB, kind int) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, kind|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	own := name.(*syscall.SockaddrInet4)
	if kind == syscall.SOCK_DGRAM { // one that is connected to itself hears no other
		if err := syscall.Connect(fd, own); err != nil {
			t.Fatal(err)
		}
	}
	return netip.AddrPortFrom(netip.AddrFrom4(own.Addr), uint16(own.Port)).String()
}

func TestPageStallsAreNamed(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	var running sync.WaitGroup // all at once, on however few cores
	defer running.Wait()
	for name, test := range map[string]struct {
		url  string
		want string
	}{
		"name servers are silent":  {"http://name.example/", "lookup"},
		"the queue is full":        {"http://" + full(t) + "/", "connect"},
		"TLS is silent":            {"https://" + listen(t, hangs("")) + "/", "tls"},
		"the server thinks":        {"http://" + listen(t, hangs("")) + "/", "first_byte"},
		"the header stops":         {"http://" + listen(t, hangs("HTTP/1.1 200 OK\r\nConte")) + "/", "transfer"},
		"the body stops":           {"http://" + listen(t, hangs("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234")) + "/", "transfer"},
		"chunks stop":              {"http://" + listen(t, hangs("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")) + "/", "transfer"},
		"the server does not read": {"http://" + listen(t, func(c net.Conn) { <-t.Context().Done() }) + "/", "first_byte"},
	} {
		running.Go(func() {
			t.Run(name, func(t *testing.T) {
				w := pageAt(test.url)
				w.Timeout = 3 * time.Second
				if name == "the server does not read" {
					pageOf(w).Method, pageOf(w).Body = "POST", field.Text(strings.Repeat("x", 16<<20))
				}
				e := New(Options{})
				defer e.Close()
				e.nameServer = func(ctx context.Context, network, _ string) (net.Conn, error) {
					return dialNameServer(ctx, "udp", silent.LocalAddr().String())
				}
				p, err := e.Prepare(w, nil)
				if err != nil {
					t.Fatal(err)
				}
				const late = 300 * time.Millisecond // how long after its deadline was set a run may begin
				began := time.Now()
				r := run(t, p, w.Timeout)
				if want := "timed out after 3 s in " + strings.ReplaceAll(test.want, "_", " "); r.Status != pharos.Critical || r.Summary != want {
					t.Errorf("got %v %q, want critical %q", r.Status, r.Summary, want)
				}
				if !r.Value.OK || r.Value.V < (w.Timeout-late).Seconds() {
					t.Errorf("value %v, want the time that was waited", r.Value)
				}
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(20*time.Millisecond, cancel)
				p.Run(ctx, pharos.NewTrace(nil))
				if took := time.Since(began); took > 30*time.Second {
					t.Errorf("ending two runs took %v", took)
				}
			})
		})
	}
}

// full returns the address of a server whose queue takes no more connections.
func full(t testing.TB) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*syscall.SockaddrInet4).Port)).String()
	for {
		c, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { c.Close() })
	}
}

// request is what a server saw of one request.
type request struct {
	Line, Body string
	Header     map[string]string
}

// recorder is a server that notes what it is asked and answers as answer says.
func recorder(t testing.TB, answer http.HandlerFunc) (*httptest.Server, func() []request) {
	var mu sync.Mutex
	var seen []request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		header := make(map[string]string)
		for name := range r.Header {
			header[name] = r.Header.Get(name)
		}
		mu.Lock()
		seen = append(seen, request{r.Method + " " + r.URL.RequestURI(), string(body), header})
		mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s, func() []request {
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}

func TestRedirectsKeepCredentialsAtHome(t *testing.T) {
	var home, away *httptest.Server
	away, seenAway := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/back" {
			http.Redirect(w, r, home.URL+"/end", http.StatusFound)
		}
	})
	home, seenHome := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/here":
			http.Redirect(w, r, "end", http.StatusMovedPermanently)
		case "/same":
			http.Redirect(w, r, "/end?q=1#part", http.StatusTemporaryRedirect)
		case "/away":
			http.Redirect(w, r, strings.Replace(away.URL, "http://", "http://user:pass@", 1)+"/x", http.StatusPermanentRedirect)
		case "/round":
			http.Redirect(w, r, away.URL+"/back", http.StatusSeeOther)
		}
	})
	secret := map[string]string{"Accept": "text/html", "Authorization": "Bearer token-1", "Connection": "close", "Cookie": "id=1", "User-Agent": "Pharos/test", "X-Api-Key": "key-1"}
	with := func(more ...string) map[string]string {
		all := make(map[string]string)
		for name, value := range secret {
			all[name] = value
		}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	without := func(more ...string) map[string]string {
		all := with(more...)
		delete(all, "Authorization")
		delete(all, "Cookie")
		delete(all, "X-Api-Key")
		return all
	}
	for name, test := range map[string]struct {
		path       string
		home, away []request // after the first
		final      string
		wrong      string // empty: ok
	}{
		"within the host 301 turns into GET": {"/here", []request{{"GET /end", "", with()}}, nil, home.URL + "/end", ""},
		"within the host 307 keeps all":      {"/same", []request{{"POST /end?q=1", "a=1", with("Content-Length", "3", "Content-Type", "form")}}, nil, home.URL + "/end?...", ""},
		"another host learns nothing":        {"/away", nil, nil, "", "not following the redirect to " + away.URL + ": the body is for " + home.URL + " alone"},
		"nor does ours on the way back":      {"/round", []request{{"GET /end", "", without()}}, []request{{"GET /back", "", without()}}, home.URL + "/end", ""},
	} {
		t.Run(name, func(t *testing.T) {
			beforeHome, beforeAway := len(seenHome()), len(seenAway())
			w := pageAt(home.URL + test.path)
			pageOf(w).Method, pageOf(w).Body, pageOf(w).Bearer, pageOf(w).FollowRedirects = "POST", "a=1", "token-1", true
			pageOf(w).Headers = field.Dictionary{{Name: "accept", Value: "text/html"}, {Name: "Content-Type", Value: "form"}, {Name: "X-Api-Key", Value: "key-1"}, {Name: "Cookie", Value: "id=1"}}
			r := watch(t, w)
			status := pharos.Critical
			if test.wrong == "" {
				status = pharos.OK
			}
			if r.Status != status || r.Summary != test.wrong {
				t.Errorf("got %v %q, want %v %q", r.Status, r.Summary, status, test.wrong)
			}
			first := request{"POST " + test.path, "a=1", with("Content-Length", "3", "Content-Type", "form")}
			if diff := cmp.Diff(append([]request{first}, test.home...), seenHome()[beforeHome:]); diff != "" {
				t.Errorf("asked at home (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.away, append([]request(nil), seenAway()[beforeAway:]...)); diff != "" {
				t.Errorf("asked away (-want +got):\n%s", diff)
			}
			if got := fact(r, "final address"); got != test.final {
				t.Errorf("final address %q, want %q", got, test.final)
			}
		})
	}
}

func TestABodyStaysAtHome(t *testing.T) {
	for name, test := range map[string]struct {
		from, to string
		goes     bool
	}{
		"to another path":      {"http://shop.example/", "/login", true},
		"up to https":          {"http://shop.example/", "https://shop.example/", true},
		"back to http":         {"https://shop.example/", "http://shop.example/", false},
		"to https of a port":   {"http://shop.example:8080/", "https://shop.example/", false},
		"to another port":      {"https://shop.example/", "https://shop.example:8443/", false},
		"to another host":      {"https://shop.example/", "https://example/", false},
		"to another one above": {"http://shop.example/", "https://www.shop.example/", false},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(Options{})
			defer e.Close()
			w := pageAt(test.from)
			pageOf(w).Method, pageOf(w).Body = "POST", "password=x"
			p, err := pageOf(w).prepare(e, w)
			if err != nil {
				t.Fatal(err)
			}
			for _, code := range []int{http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
				next, err := p.redirected(p.first, code, test.to, nil)
				if (err == nil) != test.goes || err == nil && (next.body == "" || !next.trusted) {
					t.Errorf("%d: got %+v, %v", code, next, err)
				}
				if next, err := p.redirected(p.first, http.StatusSeeOther, test.to, nil); err != nil || next.body != "" || next.trusted != test.goes {
					t.Errorf("303: got %+v, %v", next, err)
				}
			}
		})
	}
}

func TestRedirectsThatLeadNowhere(t *testing.T) {
	for name, test := range map[string]struct{ location, want string }{
		"in a circle":       {"/", "redirected more than 10 times"},
		"to another scheme": {"ftp://x/", `following a redirect: reading address "ftp://x/": want http or https`},
		"to no host":        {"http:///x", `following a redirect: reading address "http:///x": no host`},
		"to no address":     {"http://[::1", `following the redirect to "http://[::1": missing ']' in host`},
		"to nothing":        {"", "302, wanted 2xx"},
	} {
		t.Run(name, func(t *testing.T) {
			location := ""
			if test.location != "" {
				location = "Location: " + test.location + "\r\n"
			}
			w := pageAt("http://" + listen(t, says("HTTP/1.1 302 Found\r\n"+location+"Content-Length: 0\r\n\r\n")) + "/")
			pageOf(w).FollowRedirects = true
			if r := watch(t, w); r.Status != pharos.Critical || r.Summary != test.want {
				t.Errorf("got %v %q, want critical %q", r.Status, r.Summary, test.want)
			}
		})
	}
}

func TestKeptConnection(t *testing.T) {
	var connections atomic.Int32
	once := func(c net.Conn) { // answers twice, promises more and is gone
		connections.Add(1)
		in := bufio.NewReader(c)
		for range 2 {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	}
	w := pageAt("http://" + listen(t, once) + "/")
	pageOf(w).KeepAlive = true
	e := New(Options{})
	defer e.Close()
	p, err := e.Prepare(w, nil)
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for range 5 {
		r := run(t, p, 0)
		if r.Status != pharos.OK {
			t.Fatalf("got %v %q", r.Status, r.Summary)
		}
		if (fact(r, "connection") == "kept") != (phase(r, "connect") == 0) {
			t.Errorf("connection %q and connect took %v", fact(r, "connection"), phase(r, "connect"))
		}
		kept = append(kept, fact(r, "connection"))
	}
	if diff := cmp.Diff([]string{"", "kept", "", "kept", ""}, kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if n := connections.Load(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
	for range 2 {
		p.Close()
	}
}

// TestAKeptConnectionIsNotBelievedForLong has servers that treat a connection
// badly once it is kept.
func TestAKeptConnectionIsNotBelievedForLong(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"
	for name, test := range map[string]struct {
		serve func(c net.Conn, in *bufio.Reader, next <-chan struct{})
		renew time.Duration // 0: as usual
		kept  bool          // the second run is on the kept connection
	}{
		"kept": {func(c net.Conn, in *bufio.Reader, _ <-chan struct{}) {
			http.ReadRequest(in)
			io.WriteString(c, answer)
		}, 0, true},
		"too old": {func(c net.Conn, in *bufio.Reader, _ <-chan struct{}) {
			http.ReadRequest(in)
			io.WriteString(c, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
		}, time.Nanosecond, false},
		"408 while idle": {func(c net.Conn, _ *bufio.Reader, _ <-chan struct{}) {
			io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}, 0, false},
		"408 just when it is asked": {func(c net.Conn, in *bufio.Reader, _ <-chan struct{}) {
			http.ReadRequest(in)
			io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}, 0, false},
		"an answer that nobody asked for": {func(c net.Conn, _ *bufio.Reader, _ <-chan struct{}) {
			io.WriteString(c, "HTTP/1.1 500 Old\r\nContent-Length: 3\r\n\r\nold")
		}, 0, false},
		"closed while idle": {func(c net.Conn, _ *bufio.Reader, _ <-chan struct{}) { c.Close() }, 0, false},
		"reset when it is asked": {func(c net.Conn, in *bufio.Reader, _ <-chan struct{}) {
			http.ReadRequest(in)
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			var connections atomic.Int32
			treated := make(chan struct{}, 10)
			w := pageAt("http://" + listen(t, func(c net.Conn) {
				in := bufio.NewReader(c)
				http.ReadRequest(in)
				io.WriteString(c, answer)
				if connections.Add(1) == 1 {
					test.serve(c, in, nil)
					treated <- struct{}{}
				}
				io.Copy(io.Discard, c)
			}) + "/")
			pageOf(w).KeepAlive, pageOf(w).Match = true, patternsOf("well")
			e := New(Options{})
			defer e.Close()
			pager, err := pageOf(w).prepare(e, w)
			if err != nil {
				t.Fatal(err)
			}
			defer pager.close()
			if test.renew != 0 {
				pager.maxKept = test.renew
			}
			p := &Probe{engine: e, watcher: w, run: pager.run}
			if r := run(t, p, 0); r.Status != pharos.OK || fact(r, "connection") != "" {
				t.Fatalf("got %v %q %v", r.Status, r.Summary, r.Facts)
			}
			if strings.Contains(name, "idle") || strings.Contains(name, "nobody") {
				<-treated
				for pager.kept.Err() == nil { // until it has arrived here
					time.Sleep(time.Millisecond)
				}
			}
			r := run(t, p, 0)
			if r.Status != pharos.OK || (fact(r, "connection") == "kept") != test.kept {
				t.Errorf("got %v %q %v", r.Status, r.Summary, r.Facts)
			}
		})
	}
}

// authority signs the certificates of a test's servers.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	file field.Text
}

func newAuthority(t testing.TB) authority {
	a := authority{file: field.Text(filepath.Join(t.TempDir(), "ca.pem"))}
	own := a.issue(t, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.Subject.CommonName = true, true, x509.KeyUsageCertSign, "Test Authority"
		c.NotAfter = time.Now().Add(10 * 365 * 24 * time.Hour)
	})
	a.key = own.PrivateKey.(*ecdsa.PrivateKey)
	a.cert, _ = x509.ParseCertificate(own.Certificate[0])
	if err := os.WriteFile(string(a.file), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a authority) issue(t testing.TB, edit func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-100 * 24 * time.Hour), NotAfter: time.Now().Add(10*24*time.Hour + time.Minute), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	edit(c)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func tlsServer(t testing.TB, c *tls.Config) string {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }))
	s.TLS = c
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func TestTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	good := ca.issue(t, func(*x509.Certificate) {})
	client := ca.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	key, err := x509.MarshalPKCS8PrivateKey(client.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: client.Certificate[0]}), 0o600)
	os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	mutual := &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	one := func(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }
	expired := ca.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-3*24*time.Hour - time.Minute) })
	early := ca.issue(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(2*time.Hour + time.Minute) })
	nameless := ca.issue(t, func(c *x509.Certificate) { c.IPAddresses, c.Subject.CommonName = nil, "127.0.0.1" })
	middle := func(edit func(*x509.Certificate)) tls.Certificate {
		own := ca.issue(t, func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.Subject.CommonName = true, true, x509.KeyUsageCertSign, "Test Intermediate"
			edit(c)
		})
		cert, _ := x509.ParseCertificate(own.Certificate[0])
		leaf := authority{key: own.PrivateKey.(*ecdsa.PrivateKey), cert: cert}.issue(t, func(*x509.Certificate) {})
		leaf.Certificate = append(leaf.Certificate, own.Certificate[0])
		return leaf
	}
	chained := middle(func(*x509.Certificate) {})
	worn := middle(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-3*24*time.Hour - time.Minute) })
	self := authority{}.issue(t, func(*x509.Certificate) {})
	elsewhere := ca.issue(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.example"} })

	for name, test := range map[string]struct {
		server string
		tls    tlsKeys
		want   string // empty: ok
		fact   string
	}{
		"a known authority":              {tlsServer(t, one(good)), tlsKeys{CAFile: ca.file}, "", "10 days left, by Test Authority"},
		"an unknown authority":           {tlsServer(t, one(good)), tlsKeys{CAFile: other.file}, `certificate is signed by an unknown authority, "Test Authority"`, ""},
		"any certificate will do":        {tlsServer(t, one(expired)), tlsKeys{Insecure: true}, "", "expired 3 days ago, by Test Authority"},
		"an expired certificate":         {tlsServer(t, one(expired)), tlsKeys{CAFile: ca.file}, "certificate expired 3 days ago", ""},
		"a certificate of tomorrow":      {tlsServer(t, one(early)), tlsKeys{CAFile: ca.file}, "certificate is not valid for another 2 hours", ""},
		"a certificate without names":    {tlsServer(t, one(nameless)), tlsKeys{CAFile: ca.file}, `certificate has no alternative names, and browsers ignore its common name "127.0.0.1"`, ""},
		"a chain":                        {tlsServer(t, one(chained)), tlsKeys{CAFile: ca.file}, "", "10 days left, by Test Intermediate"},
		"an expired link of the chain":   {tlsServer(t, one(worn)), tlsKeys{CAFile: ca.file}, `certificate of the authority "Test Intermediate", on which the server's depends, expired 3 days ago`, ""},
		"signed by itself":               {tlsServer(t, one(self)), tlsKeys{CAFile: ca.file}, "certificate is signed by itself", ""},
		"another's certificate":          {tlsServer(t, one(elsewhere)), tlsKeys{CAFile: ca.file}, "certificate is for other.example, not 127.0.0.1", ""},
		"another's certificate, wanted":  {tlsServer(t, one(elsewhere)), tlsKeys{CAFile: ca.file, ServerName: "other.example"}, "", "10 days left, by Test Authority"},
		"a client certificate":           {tlsServer(t, mutual), tlsKeys{CAFile: ca.file, ClientCert: field.Text(certFile), ClientKey: field.Text(keyFile)}, "", "10 days left, by Test Authority"},
		"a client certificate is needed": {tlsServer(t, mutual), tlsKeys{CAFile: ca.file}, "TLS handshake: the server says certificate required", "10 days left, by Test Authority"},
		"a server without TLS":           {"https://" + listen(t, says("HTTP/1.0 400 Bad Request\r\n\r\n")), tlsKeys{}, "TLS handshake: the server does not speak TLS", ""},
		"a server that hangs up":         {"https://" + listen(t, func(c net.Conn) { c.Read(make([]byte, 4<<10)) }), tlsKeys{}, "TLS handshake: connection closed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := pageAt(test.server)
			pageOf(w).TLS = test.tls
			r := watch(t, w)
			status := pharos.Critical
			if test.want == "" {
				status = pharos.OK
			}
			if r.Status != status || r.Summary != test.want {
				t.Errorf("got %v %q, want %v %q\n%s", r.Status, r.Summary, status, test.want, r.Detail)
			}
			if got := fact(r, "certificate"); got != test.fact {
				t.Errorf("certificate %q, want %q", got, test.fact)
			}
		})
	}
}

func TestPrepareRefuses(t *testing.T) {
	notPEM := filepath.Join(t.TempDir(), "no.pem")
	os.WriteFile(notPEM, []byte("no"), 0o600)
	e := New(Options{})
	defer e.Close()
	for name, test := range map[string]struct {
		edit func(*pharos.Watcher)
		want string
	}{
		"no authorities": {func(w *pharos.Watcher) { pageOf(*w).TLS.CAFile = field.Text(notPEM) }, fmt.Sprintf("tls.ca_file: reading the authorities of %q: no certificate in PEM", notPEM)},
		"no file":        {func(w *pharos.Watcher) { pageOf(*w).TLS.CAFile = field.Text(notPEM + "x") }, fmt.Sprintf("tls.ca_file: reading the authorities of %q: no such file or directory", notPEM+"x")},
		"no kind":        {func(w *pharos.Watcher) { w.Spec, w.Kind = nil, "x" }, `kind "x" is not known`},
	} {
		t.Run(name, func(t *testing.T) {
			w := pageAt("http://127.0.0.1/")
			test.edit(&w)
			_, err := e.Prepare(w, nil)
			if want := `preparing watcher "Name" of set "Set": ` + test.want; err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestPhasesSumUpToTheTotal(t *testing.T) {
	s, _ := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/x", http.StatusFound)
		}
	})
	w := pageAt(s.URL + "/")
	pageOf(w).FollowRedirects = true
	r := watch(t, w)
	var sum time.Duration
	for _, p := range r.Phases {
		sum += p.Took.Duration()
	}
	if got := time.Duration(r.Value.V * 1e9); (got-sum).Abs() > time.Microsecond || sum == 0 {
		t.Errorf("total %v, phases sum up to %v", got, sum)
	}
}

func TestPanicIsNoNewsOfTheTarget(t *testing.T) {
	e := New(Options{})
	defer e.Close()
	r := run(t, &Probe{engine: e, run: func(context.Context, *Trace) Measurement { panic("no such luck") }}, 0)
	if r.Status != pharos.Unknown || r.Summary != "the probe broke: no such luck" {
		t.Errorf("got %+v", r)
	}
}

func TestRunsLeaveNothingOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("files are counted in /proc, which is not there on ", runtime.GOOS)
	}
	count := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	watchers := []pharos.Watcher{
		pageAt("http://" + unused(t)), pageAt("http://" + listen(t, says("nonsense"))), pageAt("https://" + listen(t, says("nonsense"))),
		pageAt("http://" + listen(t, hangs(""))), pageAt("http://" + listen(t, says("HTTP/1.1 200 OK\r\n\r\n"))), shell("echo x"), shell("sleep 60"), shell("sleep 60 &"),
	}
	watchers = append(watchers, of(cmd{Args: []string{"/no/such/program"}}.spec()))
	e := New(Options{})
	defer e.Close()
	look := func() {
		for _, w := range watchers {
			p, err := e.Prepare(w, nil)
			if err != nil {
				t.Fatal(err)
			}
			run(t, p, 50*time.Millisecond)
			p.Close()
		}
	}
	look()
	before := count()
	for range 5 {
		look()
	}
	// The servers of this test close their ends in their own time.
	for range 1000 {
		if count() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d files are open, %d were before", count(), before)
}
