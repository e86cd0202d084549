package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"pharos/internal/pharos"
	"pharos/internal/redact"
)

const (
	maxRedirects = 10
	maxHead      = 256 << 10 // bytes of an answer's header lines
	maxInterim   = 100       // answers of 1xx before the final one
	keptBody     = 1 << 10   // bytes of the body that the detail shows
	// maxKept is the longest time for which a kept connection stands for what a
	// new visitor meets.
	maxKept = 30 * time.Second
)

// page looks at a page as a new visitor does.
type page struct {
	engine   *Engine
	watcher  pharos.Watcher
	first    *hop
	tls      *tls.Config // of the watcher's own origin
	redactor *redact.Redactor
	fetch    func(ctx context.Context, v *visit, h *hop) error
	maxKept  time.Duration

	mu   sync.Mutex
	kept *client // guarded by mu
	shut bool    // guarded by mu
}

func newPage(e *Engine, w pharos.Watcher, r *redact.Redactor) (*page, error) {
	p := &page{engine: e, watcher: w, redactor: r, maxKept: maxKept}
	p.fetch = p.fetchHere
	if w.SSHHost != "" {
		p.fetch = p.fetchThere
	}
	if err := checkHeaders(w.Page); err != nil {
		return nil, err
	}
	u, err := url.Parse(w.Page.URL)
	if err != nil {
		return nil, fmt.Errorf("reading the address: %w", err)
	}
	if w.SSHHost == "" {
		p.tls = e.tls
		if w.Page.TLS != (pharos.TLS{}) {
			if p.tls, err = tlsConfig(w.Page.TLS); err != nil {
				return nil, err
			}
		}
	} else if w.Page.TLS.ServerName != "" {
		return nil, fmt.Errorf("setting the server name %q: not possible with an ssh host", w.Page.TLS.ServerName)
	}
	method := w.Page.Method
	if method == "" {
		method = http.MethodGet
	}
	if p.first, err = p.makeHop(u, method, w.Page.Body, true, nil); err != nil {
		return nil, err
	}
	return p, nil
}

// visit is one look at a page: what has been seen so far, over all redirects.
type visit struct {
	*scratch
	*trace
	total     time.Duration // up to the last byte
	via       string        // the ssh host, where there is one
	redirects int
	foreign   bool           // the last answer is from another origin than the file's
	cookies   *cookiejar.Jar // that answers on the way have set; nil: none
	finalURL  *url.URL
	seen      answer // the last one
}

// answer is what came back from one hop.
type answer struct {
	*http.Response
	address   string // ip:port
	reused    bool   // on a kept connection
	cert      *certificate
	size      int64 // bytes of the body that were read
	truncated bool  // there was more
	unclosed  bool  // nothing says that the body is whole
	stderr    string
}

// scratch is the memory of one visit, used again by the next.
type scratch struct {
	chunk []byte
	body  []byte // what is kept of the body
	line  []byte
}

func (e *Engine) scratch() *scratch {
	s, ok := e.scratches.Get().(*scratch)
	if !ok {
		s = &scratch{chunk: make([]byte, 16<<10)}
	}
	s.body = s.body[:0]
	return s
}

func (p *page) look(ctx context.Context, r *pharos.Result) {
	s := p.engine.scratch()
	defer p.engine.scratches.Put(s)
	v := visit{scratch: s, trace: newTrace(pharos.PhasesOf(ctx))}
	err := p.follow(ctx, &v)
	v.close()
	r.Phases, r.Unit = v.phases(), "s"
	p.report(ctx, &v, err, r)
}

// follow fetches the page and whatever it redirects to. A redirect that is
// among the statuses that are wanted is where it ends.
func (p *page) follow(ctx context.Context, v *visit) error {
	for h := p.first; ; v.redirects++ {
		v.seen, v.foreign = answer{}, !h.trusted
		err := p.fetch(ctx, v, h)
		code := 0
		if v.seen.Response != nil {
			code = v.seen.StatusCode
		}
		if err != nil || !p.watcher.Page.FollowRedirects || !redirects(code) || inRanges(code, p.watcher.Page.Status) {
			return err
		}
		where := v.seen.Header.Get("Location")
		if where == "" {
			return nil
		}
		if v.redirects == maxRedirects {
			return fmt.Errorf("redirected more than %d times", maxRedirects)
		}
		if set := v.seen.Cookies(); len(set) > 0 {
			if v.cookies == nil {
				v.cookies, _ = cookiejar.New(nil) // which never fails
			}
			v.cookies.SetCookies(h.url, set)
		}
		if h, err = p.redirected(h, code, where, v.cookies); err != nil {
			return err
		}
		v.finalURL = h.url
	}
}

// report says what the visit saw and judges it.
func (p *page) report(ctx context.Context, v *visit, err error, r *pharos.Result) {
	a := &v.seen
	r.Facts = p.facts(v)
	if err != nil {
		if summary, late := timedOut(ctx, err, v, p.watcher.Timeout); late {
			r.Value = pharos.Num(time.Since(v.start).Seconds())
			fail(r, summary)
		} else if own := ownFault(err); own != "" {
			unable(r, own)
		} else {
			fail(r, describe(err, v.under()))
		}
		r.Detail = p.failureDetail(v, err)
		return
	}
	r.Value = pharos.Num(v.total.Seconds())
	status, wrong := p.judgeAnswer(v)
	if status == pharos.Critical {
		fail(r, wrong)
		r.Detail = p.failureDetail(v, nil)
		return
	}
	judgeTimes(r, &p.watcher, v.took)
	if status > r.Status {
		r.Status, r.Summary = status, wrong
		r.Detail = p.failureDetail(v, nil)
		return
	}
	b := v.line[:0]
	for i, d := range v.took {
		b = append(b, pharos.PhaseNames[i]...)
		b = append(b, ' ')
		b = strconv.AppendFloat(b, d.Seconds(), 'f', 3, 64)
		b = append(b, ' ')
	}
	b = append(b, "total "...)
	b = strconv.AppendFloat(b, v.total.Seconds(), 'f', 3, 64)
	b = append(b, " ("...)
	b = strconv.AppendInt(b, int64(a.StatusCode), 10)
	b = append(b, ')')
	r.Detail = string(b)
	v.line = b
}

// judgeAnswer returns critical and what is wrong with an answer, unknown and why
// nothing can be said, or ok. It quotes no foreign body.
func (p *page) judgeAnswer(v *visit) (pharos.Status, string) {
	a, spec := &v.seen, p.watcher.Page
	if !inRanges(a.StatusCode, spec.Status) {
		return pharos.Critical, "status " + strconv.Itoa(a.StatusCode) + ", wanted " + sayRanges(spec.Status)
	}
	if !p.wantsBody() {
		return pharos.OK, ""
	}
	body := v.text(p.maxBody())
	status, unseen := pharos.OK, ""
	for _, want := range spec.Match {
		switch {
		case want.Match(body.bytes):
		case body.unseen == "" || a.size == 0 || a.truncated:
			within := ""
			if a.truncated {
				within = " in the first " + strconv.FormatInt(a.size, 10) + " bytes"
			}
			return pharos.Critical, "no match for " + quotePattern(want) + within
		default:
			status, unseen = pharos.Unknown, "cannot look for "+quotePattern(want)+": "+body.unseen
		}
	}
	for _, wrong := range spec.NotMatch {
		at := wrong.FindIndex(body.bytes)
		switch {
		case at != nil && v.foreign:
			return pharos.Critical, "found a match for " + quotePattern(wrong) + ", wanted none"
		case at != nil:
			return pharos.Critical, "found " + strconv.Quote(p.found(a, body.bytes, at[0], at[1])) + ", wanted no match for " + quotePattern(wrong)
		case body.unseen != "":
			status, unseen = pharos.Unknown, "cannot rule out "+quotePattern(wrong)+": "+body.unseen
		}
	}
	return status, unseen
}

func quotePattern(p *regexp.Regexp) string { return strconv.Quote(pharos.PatternText(p)) }

// found returns what a pattern found in a body, as much of it as fits into a
// summary.
func (p *page) found(a *answer, body []byte, from, to int) string {
	const most = 80
	begin := max(0, from-slack)
	around := string(body[begin:min(len(body), from+most+slack)])
	if a.truncated {
		around = p.redactor.Ended(around)
	}
	from, to = min(from-begin, len(around)), min(to-begin, len(around))
	if to-from > most {
		return p.redactor.Part(around, from, from+most) + pharos.Ellipsis
	}
	return p.redactor.Part(around, from, to)
}

func inRanges(code int, ranges []pharos.StatusRange) bool {
	if len(ranges) == 0 {
		return 200 <= code && code <= 299
	}
	for _, r := range ranges {
		if r.Low <= code && code <= r.High {
			return true
		}
	}
	return false
}

func sayRanges(ranges []pharos.StatusRange) string {
	if len(ranges) == 0 {
		return "200-299"
	}
	var b []byte
	for i, r := range ranges {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendInt(b, int64(r.Low), 10)
		if r.High != r.Low {
			b = append(b, '-')
			b = strconv.AppendInt(b, int64(r.High), 10)
		}
	}
	return string(b)
}

// wantsBody reports whether the body is looked at, and not just read.
func (p *page) wantsBody() bool {
	return len(p.watcher.Page.Match)+len(p.watcher.Page.NotMatch) > 0
}

func (p *page) facts(v *visit) []pharos.Fact {
	a := &v.seen
	facts := make([]pharos.Fact, 0, 6)
	if a.address != "" {
		facts = append(facts, pharos.Fact{Name: "address", Value: a.address})
	}
	if a.Response != nil {
		facts = append(facts, pharos.Fact{Name: "status", Value: v.status()}, pharos.Fact{Name: "protocol", Value: sayProtocol(a.Response)})
	}
	if v.redirects > 0 {
		facts = append(facts, pharos.Fact{Name: "redirects", Value: strconv.Itoa(v.redirects)},
			pharos.Fact{Name: "final address", Value: sayURL(v.finalURL)})
	}
	if a.cert != nil {
		facts = append(facts, pharos.Fact{Name: "certificate", Value: a.cert.say(v.start)})
	}
	if a.size > 0 {
		size := strconv.FormatInt(a.size, 10) + " bytes"
		if encoding := a.Header.Get("Content-Encoding"); encoding != "" {
			size += " of " + encoding
		}
		if a.truncated {
			size += ", then cut off"
		}
		facts = append(facts, pharos.Fact{Name: "size", Value: size})
	}
	if a.reused {
		facts = append(facts, pharos.Fact{Name: "connection", Value: "kept"})
	}
	return facts
}

// status returns the status line; of a foreign answer only the code is theirs.
func (v *visit) status() string {
	if v.foreign {
		return strings.TrimSpace(strconv.Itoa(v.seen.StatusCode) + " " + http.StatusText(v.seen.StatusCode))
	}
	return v.seen.Status
}

// failureDetail is what one wants to see of an answer that is not good: its
// status line, its header, the beginning of its body.
func (p *page) failureDetail(v *visit, err error) string {
	var b strings.Builder
	switch {
	case v.seen.stderr != "":
		b.WriteString(v.seen.stderr)
		b.WriteByte('\n')
	case err != nil:
		b.WriteString(err.Error())
		b.WriteByte('\n')
	}
	switch a := &v.seen; {
	case a.Response == nil:
	case v.foreign:
		b.WriteString(sayProtocol(a.Response) + " " + v.status() + "\nThe answer is from another origin than the file's: it is not shown.\n")
	default:
		b.WriteString(sayProtocol(a.Response) + " " + v.status() + "\n")
		p.writeHeader(&b, a.Header)
		b.WriteByte('\n')
		b.WriteString(p.shownBody(v, err))
	}
	return b.String()
}

// sayProtocol returns "HTTP/1.1", "HTTP/2".
func sayProtocol(a *http.Response) string { return strings.TrimSuffix(a.Proto, ".0") }

// shownBody returns the beginning of the body, of which err may have cut the
// end.
func (p *page) shownBody(v *visit, err error) string {
	// Of an encoded body the beginning is enough, if what follows is missing.
	raw, _ := unpack(v.body, v.seen.Header.Values("Content-Encoding"), keptBody+slack+1)
	body := string(toUTF8(raw, v.seen.Header.Get("Content-Type")))
	cut := v.seen.truncated || v.seen.size > int64(len(v.body)) || len(body) > keptBody
	body = body[:min(len(body), keptBody+slack)]
	if cut || err != nil {
		body = p.redactor.Ended(body)
	}
	if !cut {
		return body
	}
	return p.redactor.Part(body, 0, min(len(body), keptBody)) + pharos.Ellipsis
}

func (p *page) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = true
	if p.kept != nil {
		p.kept.close()
		p.kept = nil
	}
	return nil
}
