package probe

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
	"golang.org/x/net/html/charset"
)

// text is a body as a visitor reads it.
type text struct {
	bytes []byte
	// unseen says why the text is not all that there is, or why there is none:
	// what it does not hold may be there all the same. Empty: it is whole.
	unseen string
}

// text decodes the body of an answer, of which all that was read is in v.body,
// to at most limit bytes.
func (v *visit) text(limit int64) text {
	a := &v.seen
	switch {
	case a.Request != nil && a.Request.Method == http.MethodHead:
		return text{unseen: "the answer to HEAD has no body"}
	case a.size == 0:
		return text{unseen: "the body is empty"}
	}
	var t text
	switch {
	case a.truncated:
		t.unseen = "only the first " + sayBytes(a.size) + " of the body were read"
	case a.unclosed:
		t.unseen = "the connection was closed without a word that the body is whole"
	}
	raw, problem := unpack(v.body, a.Header.Values("Content-Encoding"), limit)
	raw = toUTF8(raw, a.Header.Get("Content-Type"))
	if problem != "" && (!a.truncated || len(raw) == 0) {
		t.unseen = problem
	}
	if bytes.IndexByte(raw, 0) >= 0 && t.unseen == "" {
		t.unseen = "the body is no text"
	}
	t.bytes = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	return t
}

// unpack undoes the encodings of a body, and says what is wrong with it. What
// could be unpacked is returned all the same.
func unpack(body []byte, encodings []string, limit int64) (unpacked []byte, problem string) {
	var names []string
	for _, line := range encodings {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); name != "" && name != "identity" {
				names = append(names, name)
			}
		}
	}
	const most = 3
	if len(names) > most {
		return nil, "the body is encoded " + strconv.Itoa(len(names)) + " times"
	}
	for i := len(names) - 1; i >= 0; i-- {
		var err error
		if body, err = unpackOne(body, names[i], limit); err != nil {
			return body, "the body is not whole: " + err.Error()
		}
	}
	return body, ""
}

func unpackOne(body []byte, name string, limit int64) ([]byte, error) {
	var from io.Reader
	var err error
	in := bytes.NewReader(body)
	switch name {
	case "gzip", "x-gzip":
		from, err = gzip.NewReader(in)
	case "deflate":
		if from, err = zlib.NewReader(in); err != nil { // some servers leave the frame out
			in.Reset(body)
			from, err = flate.NewReader(in), nil
		}
	case "br":
		from = brotli.NewReader(in)
	default:
		return nil, fmt.Errorf("its encoding %q is not known", name)
	}
	if err != nil {
		return nil, fmt.Errorf("it is not the %s that it is said to be", name)
	}
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(from, limit+1))
	switch {
	case n > limit:
		return out.Bytes()[:limit], fmt.Errorf("it unpacks to more than max_body, %s", sayBytes(limit))
	case errors.Is(err, gzip.ErrHeader) && n > 0: // something stands behind the end: browsers let it be
	case errors.Is(err, io.ErrUnexpectedEOF):
		return out.Bytes(), fmt.Errorf("its %s ends too early", name)
	case err != nil:
		return out.Bytes(), fmt.Errorf("its %s is broken", name)
	}
	return out.Bytes(), nil
}

// toUTF8 returns a body in UTF-8: the character set is that of the header, of a
// byte order mark or of the document, as a browser takes it.
func toUTF8(body []byte, contentType string) []byte {
	encoding, name, certain := charset.DetermineEncoding(body[:min(len(body), 1024)], contentType)
	if name == "utf-8" || !certain && utf8.Valid(body) {
		return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	}
	decoded, err := encoding.NewDecoder().Bytes(body)
	if err != nil {
		return body
	}
	return bytes.TrimPrefix(decoded, []byte("\ufeff"))
}

// sayBytes says a number of bytes.
func sayBytes(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return strconv.FormatInt(n>>20, 10) + " MiB"
	case n >= 1<<10 && n%(1<<10) == 0:
		return strconv.FormatInt(n>>10, 10) + " KiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
