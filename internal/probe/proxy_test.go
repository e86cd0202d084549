package probe

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pharos/internal/pharos"
)

// httpProxy is one that notes what it is asked for, and wants a login if there is one.
func httpProxy(t testing.TB, login string, config *tls.Config) (address string, asked func() []string) {
	var mu sync.Mutex
	var seen []string
	var tunnels sync.WaitGroup // which a server does not wait for
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.Method+" "+r.RequestURI)
		mu.Unlock()
		if login != "" && r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte(login)) {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		if r.Method != http.MethodConnect {
			r.RequestURI = ""
			r.Header.Del("Proxy-Authorization")
			answer, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer answer.Body.Close()
			w.WriteHeader(answer.StatusCode)
			io.Copy(w, answer.Body)
			return
		}
		there, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		here, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
		tunnels.Go(func() { io.Copy(there, here); there.Close() })
		tunnels.Go(func() { io.Copy(here, there); here.Close() })
	}))
	if config != nil {
		s.TLS = config
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(tunnels.Wait)
	t.Cleanup(s.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return s.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}

// socksProxy serves SOCKS 5, of which it knows what it needs; refuse is the answer
// to a request.
func socksProxy(t testing.TB, refuse byte) string {
	return "socks5://" + listen(t, func(c net.Conn) {
		head := make([]byte, 2)
		io.ReadFull(c, head)
		io.ReadFull(c, make([]byte, head[1]))
		c.Write([]byte{5, 0})
		ask := make([]byte, 5)
		io.ReadFull(c, ask)
		host := make([]byte, map[byte]int{1: 4, 3: int(ask[4]) + 1}[ask[3]]-1)
		io.ReadFull(c, host)
		name := string(host)
		if ask[3] == 1 {
			name = net.IP(append([]byte{ask[4]}, host...)).String()
		}
		port := make([]byte, 2)
		io.ReadFull(c, port)
		c.Write([]byte{5, refuse, 0, 1, 0, 0, 0, 0, 0, 0})
		if refuse != 0 {
			return
		}
		there, err := net.Dial("tcp", net.JoinHostPort(name, strconv.Itoa(int(binary.BigEndian.Uint16(port)))))
		if err != nil {
			return
		}
		defer there.Close()
		var back sync.WaitGroup
		back.Go(func() { io.Copy(there, c); there.Close() })
		io.Copy(c, there)
		c.Close()
		back.Wait()
	})
}

func TestProxies(t *testing.T) {
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, func(*x509.Certificate) {})}}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	target := httptest.NewServer(writes("well"))
	t.Cleanup(target.Close)
	secured := serverOfBoth(t)
	open, asked := httpProxy(t, "", nil)
	login, _ := httpProxy(t, "anna:passport", nil)
	overTLS, _ := httpProxy(t, "", config)
	const soon = 300 * time.Millisecond
	for name, test := range map[string]struct {
		proxy   string
		page    string
		timeout time.Duration
		why     string
		asked   string
		phases  string
	}{
		"a page":                      {open, target.URL + "/a?b=c", long, "", "GET " + target.URL + "/a?b=c", "connect first_byte"},
		"a page over TLS":             {open, secured, long, "", "CONNECT " + address2url(secured).Host, "connect proxy tls first_byte"},
		"a login":                     {strings.Replace(login, "//", "//anna:passport@", 1), secured, long, "", "", ""},
		"a login, of a page":          {strings.Replace(login, "//", "//anna:passport@", 1), target.URL, long, "", "", ""},
		"no login":                    {login, secured, long, "proxy " + address2url(login).Host + ": 407 Proxy Authentication Required", "", ""},
		"no login, of a page":         {login, target.URL, long, "407, wanted 2xx", "", ""},
		"a proxy over TLS":            {overTLS, secured, long, "", "", "connect tls proxy first_byte"},
		"a proxy over TLS, of a page": {overTLS, target.URL, long, "", "", "connect tls first_byte"},
		"SOCKS":                       {socksProxy(t, 0), target.URL, long, "", "", "connect proxy first_byte"},
		"SOCKS over TLS":              {socksProxy(t, 0), secured, long, "", "", ""},
		"SOCKS that refuses":          {socksProxy(t, 5), target.URL, long, "", "", ""},
		"no way from there":           {open, "https://" + unused(t) + "/", long, "proxy " + address2url(open).Host + ": 502 Bad Gateway", "", ""},
		"refused":                     {"http://" + unused(t), target.URL, long, "", "", ""},
		"silent":                      {"http://" + listen(t, greets("")), secured, soon, "timed out after 300 ms in proxy", "", ""},
		"SOCKS, silent":               {"socks5://" + listen(t, greets("")), secured, soon, "timed out after 300 ms in proxy", "", ""},
		"no proxy":                    {"http://" + listen(t, greets("220 hello\r\n")), secured, long, "", "", ""},
		"huge":                        {"http://" + listen(t, greets("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20))), secured, long, "", "", ""},
		"early":                       {"http://" + listen(t, greets("HTTP/1.1 200 OK\r\n\r\nhello")), secured, long, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := pageAt(test.page)
			pageOf(w).TLS.Insecure = true
			pageOf(w).Proxy.url = address2url(test.proxy)
			e := New(Options{})
			defer e.Close()
			e.tls.RootCAs = pool
			p, err := e.Prepare(w, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			p.watcher.Timeout = test.timeout
			r := run(t, p, test.timeout)
			host := "proxy " + address2url(test.proxy).Host + ": "
			why := map[string]string{
				"SOCKS that refuses": host + "connection refused", "refused": host + "connection refused",
				"no proxy": host + "the answer is no HTTP: malformed status code \"hello\"", "huge": host + "the connection was closed without an answer", "early": host + "it speaks before the host does",
			}[name]
			if why == "" {
				why = test.why
			}
			if r.Summary != why || (r.Status == pharos.OK) != (why == "") {
				t.Errorf("got %v %q, want %q\n%s", r.Status, r.Summary, why, r.Detail)
			}
			if said := fact(r, "proxy"); said != strings.Replace(test.proxy, "anna:passport@", "", 1) {
				t.Errorf("it says %q of the proxy", said)
			}
			if seen := asked(); test.asked != "" && (len(seen) == 0 || seen[len(seen)-1] != test.asked) {
				t.Errorf("the proxy was asked for %v, want %s", seen, test.asked)
			}
			var phases []string
			for _, p := range r.Phases {
				phases = append(phases, p.Name)
			}
			if got := strings.TrimSuffix(strings.Join(phases, " "), " transfer"); test.phases != "" && got != test.phases {
				t.Errorf("got phases %s, want %s", got, test.phases)
			}
		})
	}
}

func TestTheEnvironmentsProxy(t *testing.T) {
	target := httptest.NewServer(writes("well"))
	t.Cleanup(target.Close)
	address, asked := httpProxy(t, "", nil)
	e := New(Options{})
	defer e.Close()
	e.proxy = func(*url.URL) (*url.URL, error) { return url.Parse(address) }
	for _, none := range []bool{false, true} {
		w := pageAt(target.URL)
		pageOf(w).Proxy.none = none
		p, err := e.Prepare(w, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, p, 0)
		want := address + ", of the environment"
		if none {
			want = ""
		}
		if r.Status != pharos.OK || fact(r, "proxy") != want || len(asked()) != 1 {
			t.Errorf("got %v %q, facts %v", r.Status, r.Summary, r.Facts)
		}
	}
}

func TestAPageThroughAProxyIsKept(t *testing.T) {
	target := httptest.NewServer(writes("well"))
	t.Cleanup(target.Close)
	address, _ := httpProxy(t, "", nil)
	e := New(Options{})
	defer e.Close()
	w := pageAt(target.URL)
	pageOf(w).Proxy.url, pageOf(w).KeepAlive = address2url(address), true
	p, err := e.Prepare(w, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, want := range []string{"", "kept"} {
		if r := run(t, p, 0); r.Status != pharos.OK || fact(r, "connection") != want || fact(r, "proxy") != address {
			t.Errorf("got %v %q, facts %v", r.Status, r.Summary, r.Facts)
		}
	}
}
