package probe

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"

	"pharos/internal/pharos"
)

// A row of the two tables is a server, and what of a watcher of it is out of the
// ordinary. To add a row is to write one line.

type server func(t *testing.T) (url string)

// raw is a server that answers each request with these very bytes.
func raw(answer string) server {
	return func(t *testing.T) string { return "http://" + listen(t, says(answer)) + "/" }
}

// body is a server of one text, with more header lines before it.
func body(text string, header ...string) server {
	lines := ""
	for _, l := range header {
		lines += l + "\r\n"
	}
	return raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s", len(text), lines, text))
}

// handler is a server with a handler.
func handler(h http.HandlerFunc) server {
	return func(t *testing.T) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL + "/"
	}
}

// leadsTo is a server that answers with a redirect, and at the path where that
// leads, with "well".
func leadsTo(location, path string) server {
	return func(t *testing.T) string {
		return "http://" + listen(t, func(c net.Conn) {
			r, err := http.ReadRequest(bufio.NewReader(c))
			switch {
			case err != nil:
			case r.URL.RequestURI() == path:
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell")
			case r.URL.Path == "/":
				io.WriteString(c, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "+location+"\r\n\r\n")
			default:
				io.WriteString(c, "HTTP/1.1 404 "+r.URL.RequestURI()+"\r\nContent-Length: 0\r\n\r\n")
			}
		}) + "/"
	}
}

func packed(t func(io.Writer) io.WriteCloser, text string) string {
	var b bytes.Buffer
	w := t(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

func gzipped(text string) string {
	return packed(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, text)
}

func zlibbed(text string) string {
	return packed(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }, text)
}

func deflated(text string) string {
	return packed(func(w io.Writer) io.WriteCloser { f, _ := flate.NewWriter(w, 9); return f }, text)
}

func brotlied(text string) string {
	return packed(func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) }, text)
}

func utf16(text string, big bool) string {
	var b strings.Builder
	for _, r := range text {
		if big {
			b.WriteByte(byte(r >> 8))
			b.WriteByte(byte(r))
		} else {
			b.WriteByte(byte(r))
			b.WriteByte(byte(r >> 8))
		}
	}
	return b.String()
}

func patternsOf(list ...string) (all []*regexp.Regexp) {
	for _, p := range list {
		re, err := pharos.CompilePattern(p)
		if err != nil {
			panic(err)
		}
		all = append(all, re)
	}
	return all
}

func match(list ...string) func(*pageSpec) {
	return func(p *pageSpec) { p.Match = patternsOf(list...) }
}

func notMatch(list ...string) func(*pageSpec) {
	return func(p *pageSpec) { p.NotMatch = patternsOf(list...) }
}

func both(edits ...func(*pageSpec)) func(*pageSpec) {
	return func(p *pageSpec) {
		for _, edit := range edits {
			edit(p)
		}
	}
}

func status(low, high int) func(*pageSpec) {
	return func(p *pageSpec) { p.Status = statuses{{low, high}} }
}

func follow(p *pageSpec) { p.FollowRedirects = true }

func insecure(p *pageSpec) { p.TLS.Insecure = true }

func query(q string) func(*pageSpec) {
	return func(p *pageSpec) { p.Page.URL = address2url(p.Target() + q) }
}

// overTLS is a server that speaks TLS as c says, and serves each connection with
// serve.
func overTLS(edit func(*tls.Config), serve func(*tls.Conn)) server {
	return func(t *testing.T) string {
		c := &tls.Config{Certificates: []tls.Certificate{newAuthority(t).issue(t, func(*x509.Certificate) {})}}
		if edit != nil {
			edit(c)
		}
		return "https://" + listen(t, func(n net.Conn) { serve(tls.Server(n, c)) }) + "/"
	}
}

func httpTLS(c *tls.Conn) { says("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell")(c); c.Close() }

// rude answers without a length and hangs up without a word of TLS.
func rude(c *tls.Conn) {
	says("HTTP/1.1 200 OK\r\n\r\nwell")(c)
	c.NetConn().Close()
}

func rsaOnly(c *tls.Config) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	own := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "old"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, own, own, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	c.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
}

// http2 is a server that speaks HTTP/2 alone.
func http2(h http.HandlerFunc) server {
	return func(t *testing.T) string {
		s := httptest.NewUnstartedServer(h)
		s.EnableHTTP2 = true
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{NextProtos: []string{"h2"}}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.URL + "/"
	}
}

func writes(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, text) }
}

// A cookie that a page sets while it leads to itself.
func cookieFirst(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie("seen"); err != nil || c.Value != "yes" {
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes"})
		http.Redirect(w, r, "/", http.StatusFound)
		return
	}
	io.WriteString(w, "well")
}

func TestWhatAVisitorSeesWellIsNotRed(t *testing.T) {
	for name, row := range map[string]struct {
		server server
		edit   func(*pageSpec)
	}{
		"plain":                                 {body("well"), match("^well$")},
		"HTTP/1.0, to the end of the line":      {raw("HTTP/1.0 200 OK\r\n\r\nwell"), match("^well$")},
		"line feeds alone":                      {raw("HTTP/1.1 200 OK\nContent-Length: 4\n\nwell"), match("well")},
		"no reason phrase":                      {raw("HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nwell"), match("well")},
		"the length twice":                      {body("well", "Content-Length: 4"), match("well")},
		"chunks with extensions":                {raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nwell\r\n0\r\nX-T: 1\r\n\r\n"), match("well")},
		"a line break at the end":               {body("OK\n"), both(match("^OK$"), notMatch("KO"))},
		"a line break of Windows":               {body("OK\r\n"), match("^OK$")},
		"a line among others":                   {body("first\nOK\nlast"), match("^OK$")},
		"a header of 70 KiB":                    {body("well", "X-Long: "+strings.Repeat("x", 70<<10)), match("well")},
		"a header of many lines":                {body("well", strings.TrimSpace(strings.Repeat("X-Many: x\r\n", 7000))), match("well")},
		"a body of 900 KiB":                     {body(strings.Repeat("x", 900<<10) + "well"), both(match("well"), notMatch("bad"))},
		"hints before the answer":               {raw("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"), match("well")},
		"continue and processing":               {raw("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"), match("well")},
		"gzip":                                  {body(gzipped("well"), "Content-Encoding: gzip"), both(match("^well$"), notMatch("bad"))},
		"gzip in capitals":                      {body(gzipped("well"), "Content-Encoding: GZip"), match("^well$")},
		"gzip of two parts":                     {body(gzipped("we")+gzipped("ll"), "Content-Encoding: gzip"), both(match("^well$"), notMatch("bad"))},
		"gzip with something behind it":         {body(gzipped("well")+"\x00\x00garbage", "Content-Encoding: gzip"), match("^well$")},
		"gzip in gzip":                          {body(gzipped(gzipped("well")), "Content-Encoding: gzip, gzip"), match("^well$")},
		"deflate":                               {body(zlibbed("well"), "Content-Encoding: deflate"), match("^well$")},
		"deflate without its frame":             {body(deflated("well"), "Content-Encoding: deflate"), match("^well$")},
		"brotli":                                {body(brotlied("well"), "Content-Encoding: br"), both(match("^well$"), notMatch("bad"))},
		"identity":                              {body("well", "Content-Encoding: identity"), match("^well$")},
		"latin-1":                               {body("gr\xfc\xdfe", "Content-Type: text/html; charset=iso-8859-1"), match("grüße")},
		"latin-1, as the document says":         {body("<meta charset=latin1>gr\xfc\xdfe", "Content-Type: text/html"), match("grüße")},
		"UTF-8 that nobody declares":            {body("grüße", "Content-Type: text/plain"), match("grüße")},
		"UTF-8 with a mark":                     {body("\xef\xbb\xbfgrüße"), match("^grüße$")},
		"UTF-16 with a mark":                    {body("\xff\xfe" + utf16("grüße", false)), both(match("^grüße$"), notMatch("bad"))},
		"UTF-16 of the other end":               {body(utf16("grüße", true), "Content-Type: text/html; charset=utf-16be"), match("^grüße$")},
		"Shift JIS":                             {body("\x82\xa0", "Content-Type: text/html; charset=shift_jis"), match("あ")},
		"a redirect":                            {leadsTo("/well", "/well"), both(follow, match("well"))},
		"a redirect to a query":                 {leadsTo("?q=1", "/?q=1"), both(follow, match("well"))},
		"a redirect with a fragment":            {leadsTo("/well#part", "/well"), both(follow, match("well"))},
		"a redirect with umlauts":               {leadsTo("/grüße?ü", "/gr%C3%BC%C3%9Fe?%C3%BC"), both(follow, match("well"))},
		"a redirect with umlauts of latin-1":    {leadsTo("/gr\xfc", "/gr%FC"), both(follow, match("well"))},
		"a redirect with a lone percent":        {leadsTo("/100%", "/100%25"), both(follow, match("well"))},
		"a redirect with percents":              {leadsTo("/%%20%zz%2", "/%25%20%25zz%252"), both(follow, match("well"))},
		"a redirect with a space":               {leadsTo("/a b", "/a%20b"), both(follow, match("well"))},
		"a redirect with spaces around":         {leadsTo("  /well\t", "/well"), both(follow, match("well"))},
		"a redirect with backslashes":           {leadsTo(`\well\x`, "/well/x"), both(follow, match("well"))},
		"a redirect with an address's brackets": {leadsTo("/a[1]|{}", "/a%5B1%5D%7C%7B%7D"), both(follow, match("well"))},
		"a redirect to itself with a cookie":    {handler(cookieFirst), both(follow, match("well"))},
		"a redirect with a cookie, in HTTP/2":   {http2(cookieFirst), both(follow, insecure, match("well"))},
		"a raw query":                           {handler(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Query().Get("q")) }), both(query("?q=grüße und mehr"), match("^grüße und mehr$"))},
		"a raw path":                            {handler(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) }), both(query("grüße"), match("^/grüße$"))},
		"capitals in the host": {func(t *testing.T) string {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }))
			t.Cleanup(s.Close)
			return strings.Replace(s.URL, "127.0.0.1", "LocalHost", 1)
		}, match("^localhost:")},
		"a name below localhost":             {func(t *testing.T) string { return strings.Replace(body("well")(t), "127.0.0.1", "shop.localhost", 1) }, match("well")},
		"HTTP/2 alone":                       {http2(writes("well")), both(insecure, match("well"))},
		"HTTP/2, kept":                       {http2(writes("well")), both(insecure, func(p *pageSpec) { p.KeepAlive = true })},
		"TLS 1.2 with RSA alone":             {overTLS(rsaOnly, httpTLS), both(insecure, match("well"))},
		"TLS 1.2":                            {overTLS(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, httpTLS), both(insecure, match("well"))},
		"TLS that ends without a goodbye":    {overTLS(nil, rude), both(insecure, match("well"))},
		"an encoding that nobody knows":      {body("well", "Content-Encoding: zstd"), match("bad")},
		"no content where none is looked at": {raw("HTTP/1.1 204 No Content\r\n\r\n"), nil},
		"not modified, wanted":               {raw("HTTP/1.1 304 Not Modified\r\n\r\n"), status(304, 304)},
		"an error page, wanted":              {raw("HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nwell"), both(status(404, 404), match("well"))},
		"a server that resets when it is done": {func(t *testing.T) string {
			return "http://" + listen(t, resetsAfter("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"))
		}, match("well")},
	} {
		t.Run(name, func(t *testing.T) {
			w := pageAt(row.server(t))
			if row.edit != nil {
				row.edit(pageOf(w))
			}
			r := watch(t, w)
			if r.Status == pharos.Critical || r.Status == pharos.Warning || r.Status != pharos.OK && name != "an encoding that nobody knows" {
				t.Errorf("got %v %q\n%s", r.Status, r.Summary, r.Detail)
			}
		})
	}
}

func resetsAfter(answer string) func(net.Conn) {
	return func(c net.Conn) {
		says(answer)(c)
		time.Sleep(20 * time.Millisecond) // until it is read: a reset takes back what is not
		c.(*net.TCPConn).SetLinger(0)
	}
}

func TestWhatMustNeverBeOK(t *testing.T) {
	ca := func(edit func(*x509.Certificate)) server {
		return overTLS(func(c *tls.Config) {}, func(c *tls.Conn) { httpTLS(c) })
	}
	bad := "well, but a fatal error"
	long := strings.Repeat("well ", 100) + "error"
	const U, C = pharos.Unknown, pharos.Critical
	for name, row := range map[string]struct {
		server server
		edit   func(*pageSpec)
		want   pharos.Status
	}{
		"a forbidden text":                      {body(bad), notMatch("error"), C},
		"a forbidden line":                      {body("first\nerror\nlast"), notMatch("^error$"), C},
		"a forbidden line of Windows":           {body("first\r\nerror\r\nlast"), notMatch("^error$"), C},
		"in gzip":                               {body(gzipped(bad), "Content-Encoding: gzip"), notMatch("error"), C},
		"in gzip of another name":               {body(gzipped(bad), "Content-Encoding: x-gzip"), notMatch("error"), C},
		"in the second part of a gzip":          {body(gzipped("well")+gzipped("error"), "Content-Encoding: gzip"), notMatch("error"), C},
		"in gzip in gzip":                       {body(gzipped(gzipped(bad)), "Content-Encoding: gzip", "Content-Encoding: gzip"), notMatch("error"), C},
		"in deflate":                            {body(zlibbed(bad), "Content-Encoding: deflate"), notMatch("error"), C},
		"in deflate without its frame":          {body(deflated(bad), "Content-Encoding: deflate"), notMatch("error"), C},
		"in brotli":                             {body(brotlied(bad), "Content-Encoding: br"), notMatch("error"), C},
		"in chunks of gzip":                     {raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(gzipped(bad)), gzipped(bad))), notMatch("error"), C},
		"in latin-1":                            {body("St\xf6rung", "Content-Type: text/plain; charset=latin1"), notMatch("Störung"), C},
		"in windows-1252 that nobody declares":  {body("St\xf6rung", "Content-Type: text/html"), notMatch("Störung"), C},
		"in UTF-16 with a mark":                 {body("\xff\xfe" + utf16(bad, false)), notMatch("error"), C},
		"in UTF-16 as the header says":          {body(utf16(bad, true), "Content-Type: text/html; charset=utf-16be"), notMatch("error"), C},
		"in UTF-16 that nobody declares":        {body(utf16(bad, false)), notMatch("error"), U},
		"in UTF-16 in gzip":                     {body(gzipped("\xff\xfe"+utf16(bad, false)), "Content-Encoding: gzip"), notMatch("error"), C},
		"behind max_body":                       {body(long), both(notMatch("error"), func(p *pageSpec) { p.MaxBody = 100 }), U},
		"behind max_body in gzip":               {body(gzipped(long), "Content-Encoding: gzip"), both(notMatch("error"), func(p *pageSpec) { p.MaxBody = 100 }), U},
		"where max_body cuts a gzip":            {body(gzipped(randomText(4000)+"error"), "Content-Encoding: gzip"), both(notMatch("error"), func(p *pageSpec) { p.MaxBody = 1000 }), U},
		"a bomb":                                {body(gzipped(strings.Repeat("\x01", 50<<20)), "Content-Encoding: gzip"), notMatch("error"), U},
		"a gzip that ends too early":            {body(gzipped(bad)[:20], "Content-Encoding: gzip"), notMatch("error"), U},
		"a gzip that is none":                   {body("well", "Content-Encoding: gzip"), notMatch("error"), U},
		"a gzip with a wrong sum":               {body(gzipped("well")[:len(gzipped("well"))-8]+"12345678", "Content-Encoding: gzip"), notMatch("error"), U},
		"a brotli that is none":                 {body("well and well", "Content-Encoding: br"), notMatch("error"), U},
		"an encoding that nobody knows":         {body("well", "Content-Encoding: zstd"), notMatch("error"), U},
		"an encoding that nobody knows, wanted": {body("well", "Content-Encoding: zstd"), match("error"), U},
		"too many encodings":                    {body("well", "Content-Encoding: br, br, br, br"), notMatch("error"), U},
		"HEAD":                                  {raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"), both(notMatch("error"), func(p *pageSpec) { p.Method = "HEAD" }), U},
		"no content":                            {raw("HTTP/1.1 204 No Content\r\n\r\n"), notMatch("error"), U},
		"not modified":                          {raw("HTTP/1.1 304 Not Modified\r\n\r\n"), both(status(304, 304), notMatch("error")), U},
		"an empty body":                         {body(""), notMatch("error"), U},
		"an empty body of chunks":               {raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), notMatch("error"), U},
		"an empty body, something wanted":       {body(""), match("well"), C},
		"TLS that ends without a goodbye":       {overTLS(nil, rude), both(insecure, notMatch("error")), U},
		"a body that ends too early":            {raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nwell"), notMatch("error"), C},
		"chunks that end too early":             {raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwell\r\n"), nil, C},
		"a reset within the body": {func(t *testing.T) string {
			return "http://" + listen(t, resetsAfter("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nwell"))
		}, nil, C},
		"hints alone":                     {raw("HTTP/1.1 103 Early Hints\r\n\r\n"), nil, C},
		"hints without end":               {raw(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 300)), nil, C},
		"a switch of protocols":           {raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), nil, C},
		"a status":                        {raw("HTTP/1.1 500 OK\r\nContent-Length: 4\r\n\r\nwell"), match("well"), C},
		"two lengths":                     {raw("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nwell"), nil, C},
		"a redirect in a circle":          {leadsTo("/", "/x"), follow, C},
		"a redirect to nothing":           {raw("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), follow, C},
		"a redirect to a forbidden text":  {leadsTo("/x", "/x"), both(follow, notMatch("well")), C},
		"a header without end":            {raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 300<<10) + "\r\n\r\nwell"), nil, C},
		"a certificate that nobody knows": {ca(nil), nil, C},
		"a server of HTTP/2 that breaks off": {http2(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "well")
			panic(http.ErrAbortHandler)
		}), insecure, C},
		"a forbidden text in HTTP/2":         {http2(writes(bad)), both(insecure, notMatch("error")), C},
		"TLS 1.0":                            {overTLS(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 }, httpTLS), insecure, C},
		"a server that says request timeout": {raw("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"), func(p *pageSpec) { p.KeepAlive = true }, C},
	} {
		t.Run(name, func(t *testing.T) {
			w := pageAt(row.server(t))
			if row.edit != nil {
				row.edit(pageOf(w))
			}
			r := watch(t, w)
			if r.Status != row.want || r.Summary == "" {
				t.Errorf("got %v %q, want %v\n%s", r.Status, r.Summary, row.want, r.Detail)
			}
			t.Logf("%v: %s", r.Status, r.Summary)
		})
	}
}

// randomText is a text that cannot be packed well.
func randomText(n int) string {
	b := make([]byte, n/2)
	rand.Read(b)
	return fmt.Sprintf("%x", b)
}
