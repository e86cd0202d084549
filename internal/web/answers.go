package web

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	// answerFor is how long an answer is handed out before it is made anew, at
	// the least; one that costs much, up to answerMost: so long that making it
	// takes a tenth of a core.
	answerFor  = 100 * time.Millisecond
	answerMost = time.Second
	// A reader takes each piece of an answer within pieceTime, or is cut off.
	piece     = 32 << 10
	pieceTime = 5 * time.Second
	// maxSending bounds the answers that are held for slow readers, in bytes. The
	// readers of the oldest are cut off.
	maxSending = 64 << 20
	maxAnswers = 256 // different ones that are kept
	minGzip    = 1 << 10
)

// answer is a body that is made once for all who ask for it while it holds. It
// never changes.
type answer struct {
	kind   string // Content-Type
	body   []byte
	pack   sync.Once
	packed []byte
	until  time.Time
}

// gzipped returns the body, compressed for the first who asks.
func (a *answer) gzipped() []byte {
	a.pack.Do(func() {
		var out bytes.Buffer
		w := squeezers.Get().(*gzip.Writer)
		defer squeezers.Put(w)
		w.Reset(&out)
		_, _ = w.Write(a.body) // a buffer takes all
		_ = w.Close()
		a.packed = out.Bytes()
	})
	return a.packed
}

// answers are the newest of each kind, and those that are on their way.
type answers struct {
	most int // bytes that are held for slow readers, or 0: maxSending

	mu      sync.Mutex // guards what follows
	newest  map[string]*makingOf
	sending []*transfer // in the order of their beginning
}

// makingOf is held while an answer is made: who asks meanwhile gets the same.
type makingOf struct {
	mu     sync.Mutex // guards answer
	answer *answer
}

// transfer is an answer on its way to one reader.
type transfer struct {
	of   *answer
	line *http.ResponseController
	cut  bool
}

func (k *answers) of(key string) *makingOf {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.newest == nil || len(k.newest) >= maxAnswers {
		k.newest = map[string]*makingOf{}
	}
	m := k.newest[key]
	if m == nil {
		m = &makingOf{}
		k.newest[key] = m
	}
	return m
}

// get returns the newest answer of a kind, or makes it. None is kept where
// making it fails.
func (k *answers) get(key string, body func() (kind string, body []byte, err error)) (*answer, error) {
	m := k.of(key)
	m.mu.Lock()
	defer m.mu.Unlock()
	began := time.Now()
	if m.answer != nil && began.Before(m.answer.until) {
		return m.answer, nil
	}
	kind, data, err := body()
	if err != nil {
		return nil, err
	}
	done := time.Now()
	m.answer = &answer{kind: kind, body: data, until: done.Add(min(answerMost, max(answerFor, 9*done.Sub(began))))}
	return m.answer, nil
}

// begin counts a transfer. Where slow readers hold too much, those of the oldest
// answers are cut off.
func (k *answers) begin(t *transfer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sending = append(k.sending, t)
	held := 0
	seen := map[*answer]bool{}
	for i := len(k.sending) - 1; i >= 0; i-- { // the newest first
		a := k.sending[i].of
		if !seen[a] {
			seen[a] = true
			held += len(a.body)
		}
		if held > cmp.Or(k.most, maxSending) && a != t.of {
			late := k.sending[i]
			late.cut = true
			_ = late.line.SetWriteDeadline(time.Unix(1, 0)) // the write under way fails
			k.sending = slices.Delete(k.sending, i, i+1)
		}
	}
}

// next gives the reader time for one more piece; false where it is cut off.
func (k *answers) next(t *transfer) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !t.cut {
		_ = t.line.SetWriteDeadline(time.Now().Add(pieceTime)) // a broken connection shows at the write
	}
	return !t.cut
}

func (k *answers) end(t *transfer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if i := slices.Index(k.sending, t); i >= 0 {
		k.sending = slices.Delete(k.sending, i, i+1)
	}
}

// share answers with what all get who ask for the same now.
func (s *Server) share(c echo.Context, key string, body func() (kind string, body []byte, err error)) error {
	a, err := s.answers.get(key, body)
	if errors.Is(err, errStopping) {
		return retryLater(c, 1, err.Error())
	}
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set(echo.HeaderCacheControl, "no-store")
	h.Set(echo.HeaderContentType, a.kind)
	data := a.body
	if len(data) >= minGzip && compressed(c) {
		data = a.gzipped()
	}
	h.Set(echo.HeaderContentLength, strconv.Itoa(len(data)))
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	t := &transfer{of: a, line: http.NewResponseController(c.Response())}
	s.answers.begin(t)
	defer s.answers.end(t)
	for part := range slices.Chunk(data, piece) {
		if !s.answers.next(t) {
			panic(http.ErrAbortHandler)
		}
		if _, err := c.Response().Write(part); err != nil {
			panic(http.ErrAbortHandler) // there is nobody to tell
		}
	}
	return nil
}
