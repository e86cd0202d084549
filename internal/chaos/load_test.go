//go:build chaos

package chaos

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	"pharos/internal/pharostest"
)

// pulse is a watcher that changes its status many times a second; its text says
// which change it is, so that each screen can tell how late it heard.
type pulse struct {
	nc   *nats.Conn
	mu   sync.Mutex // guards sent
	sent []time.Time
}

func (p *pulse) beat(w *world) {
	p.mu.Lock()
	n := len(p.sent)
	p.sent = append(p.sent, time.Now())
	p.mu.Unlock()
	status := [...]string{"ok", "warning"}[n%2]
	publish(w, p.nc, "pharos.push.load.load.pulse", fmt.Sprintf(`{"status":%q,"text":"p%d"}`, status, n))
}

func (p *pulse) since(n int, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.Sub(p.sent[n])
}

func publish(w *world, nc *nats.Conn, subject, data string) {
	if err := nc.Publish(subject, []byte(data)); err != nil {
		w.Errorf("publishing: %v", err)
	}
}

// load is a pulse ten times a second beside watchers that always have much to
// tell, so that frames are large.
func load(w *world, ctx context.Context, p *pulse) {
	const rows = 30
	words := strings.Repeat("much to tell ", 12)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p.beat(w)
		for i := range rows {
			publish(w, p.nc, fmt.Sprintf("pharos.push.load.rows.r%d", i), fmt.Sprintf(`{"status":"ok","summary":"%s %d"}`, words, n))
		}
	}
}

// subscribe asks the dashboard for its events.
func subscribe(ctx context.Context, address string, receive int) (net.Conn, error) {
	conn, err := pharostest.DialHere(ctx, address)
	if err != nil {
		return nil, err
	}
	if receive > 0 {
		_ = conn.(*net.TCPConn).SetReadBuffer(receive) // the kernel's own will do, too
	}
	_, err = fmt.Fprintf(conn, "GET /events HTTP/1.1\r\nHost: %s\r\n\r\n", address)
	return conn, err
}

var pulseText = []byte(`"v":"p`)

// goodScreen reads all that comes and sends how late each pulse was.
func goodScreen(ctx context.Context, address string, p *pulse, late func(time.Duration)) error {
	conn, err := subscribe(ctx, address, 0)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	r := bufio.NewReaderSize(conn, 256<<10)
	frames := false
	for {
		line, err := r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			return err
		}
		frames = bytes.HasPrefix(line, []byte("event: frame")) || frames && bytes.HasPrefix(line, []byte("data: "))
		if at := bytes.Index(line, pulseText); frames && at >= 0 {
			rest := line[at+len(pulseText):]
			if n, err := strconv.Atoi(string(rest[:max(0, bytes.IndexByte(rest, '"'))])); err == nil {
				late(p.since(n, time.Now()))
			}
		}
	}
}

// badScreen reads so few bytes a second, none with 0, and comes back when it
// is cut, which it says.
func badScreen(ctx context.Context, address string, bytesPerSecond int, cut func()) {
	for ctx.Err() == nil {
		conn, err := subscribe(ctx, address, 4096)
		if err != nil {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		buf := make([]byte, max(bytesPerSecond, 1))
		for err == nil && ctx.Err() == nil {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			// What is left in its own buffers would take it minutes to read.
			if hungUp(conn) && ctx.Err() == nil {
				cut()
				err = net.ErrClosed
			} else if bytesPerSecond > 0 {
				_, err = conn.Read(buf)
			}
		}
		stop()
		conn.Close()
	}
}

func slowScreens(w *world, l *ledger) {
	const (
		screens = 200
		rounds  = 3
		calm    = 10 * time.Second
		trouble = 30 * time.Second // bad ones are cut after 10 s without a byte, when all buffers are full
	)
	s := newSite(w, 2, time.Second, 0)
	p := &pulse{nc: w.connect("")}
	ctx, cancel := context.WithCancel(w.ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { load(w, ctx, p) })
	var mu sync.Mutex // guards heard
	var heard []time.Duration
	var broken atomic.Int64
	for range screens {
		running.Go(func() {
			err := goodScreen(ctx, s.address, p, func(d time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				heard = append(heard, d)
			})
			if ctx.Err() == nil {
				broken.Add(1)
				w.Errorf("a good screen lost its line: %v", err)
			}
		})
	}
	p99 := func(during time.Duration) time.Duration {
		w.pause(2 * time.Second)
		mu.Lock()
		heard = nil
		mu.Unlock()
		w.pause(during)
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(heard)
		if len(heard) < screens {
			w.Fatalf("%d good screens heard %d pulses", screens, len(heard))
		}
		return heard[len(heard)*99/100]
	}
	const fault = "200 screens that read 100 bytes a second or nothing, beside 200 good ones"
	memoryBefore, memoryWith := memoryOf(w.T, s.dashboard), int64(0)
	var without, with []time.Duration
	spared := [2]int{} // those never cut that read nothing, and those that read 100 bytes a second
	for range rounds {
		without = append(without, p99(calm))
		bad, stopBad := context.WithCancel(ctx)
		var suffering sync.WaitGroup
		var cuts [screens]atomic.Int64
		for i := range screens {
			suffering.Go(func() { badScreen(bad, s.address, 100*(i%2), func() { cuts[i].Add(1) }) })
		}
		with = append(with, p99(trouble))
		memoryWith = max(memoryWith, memoryOf(w.T, s.dashboard))
		stopBad()
		suffering.Wait()
		for i := range cuts {
			if cuts[i].Load() == 0 {
				spared[i%2]++
			}
		}
	}
	slices.Sort(without)
	for _, d := range with {
		l.took(fault, fmt.Sprintf("p99 of the good ones; without the bad ones %s, %s and %s s", short(without[0]), short(without[1]), short(without[2])), d, without[1]*3/2)
	}
	cut := w.metric(s.screen, "pharos_screens_cut_total", "")
	const each = rounds * screens / 2
	l.lost(fault, fmt.Sprintf("%d good ones cut; cut were %d of %d that read nothing and %d of %d that read little, %.0f times in all; %d MB resident at most, %d MB before",
		broken.Load(), each-spared[0], each, each-spared[1], each, cut, memoryWith>>20, memoryBefore>>20),
		spared[0]+spared[1] > 0 || cut < rounds*screens || broken.Load() > 0 || memoryWith > memoryBefore+100<<20)
}

// metric returns the sum of the dashboard's samples of a name, those whose
// labels have the text.
func (w *world) metric(s *pharostest.Screen, name, label string) float64 {
	w.Helper()
	sum := 0.0
	for line := range strings.Lines(string(get(w, s, "/metrics"))) {
		if m := sample.FindStringSubmatch(line); m != nil && m[1] == name && strings.Contains(m[2], label) {
			v, err := strconv.ParseFloat(m[3], 64)
			if err != nil {
				w.Fatal(err)
			}
			sum += v
		}
	}
	return sum
}

var sample = regexp.MustCompile(`^(\w+)(\{.*\})? (\S+)`)

// nonsense are messages that nobody should believe, and what is counted of
// them.
var nonsense = []struct{ subject, data, reason string }{
	{"pharos.push.flood.flood.a", `not json`, "not_json"},
	{"pharos.push.flood.flood.b", `{"status":"fine"}`, "not_json"},
	{"pharos.push.flood.flood.c", `{"value":NaN}`, "not_json"},
	{"pharos.push.flood.flood.d", `{"status":"ok","value":1e300}`, "not_json"},
	{"pharos.push.flood.flood.e", `{"value":1}`, "invalid"},
	{"pharos.push.flood.flood.f", `{"status":"ok","ttl":-1}`, "not_json"},
	{"pharos.push.FLOOD.Flood.x", `{"status":"ok"}`, "subject"},
	{"pharos.result.flood", `{"status":"ok"}`, "subject"},
	{"pharos.heartbeat.flood.p", `{"watchers":-1}`, "invalid"},
	{"pharos.roster.flood.p.0", `{"parts":0}`, "invalid"},
	{"pharos.push.flood.flood.g", strings.Repeat("x", 17<<10), "too_large"},
}

func flood(w *world, l *ledger) {
	const (
		interval  = time.Second
		perSecond = 50_000
		unknown   = 100_000
		lasting   = 20 * time.Second
		barFlood  = interval + time.Second // of the 2 cores, the flood itself takes most
		fault     = "50,000 messages of nonsense a second and 100,000 unknown watchers"
	)
	s := newSite(w, 8, interval, 0)
	memoryBefore := memoryOf(w.T, s.dashboard)
	nc := w.connect("")
	ctx, cancel := context.WithTimeout(w.ctx, lasting)
	defer cancel()
	began := time.Now()
	var sent, nonsensical, peak atomic.Int64
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			// So many a second in all; the large ones are rare.
			for due := int(time.Since(began).Seconds() * perSecond); n < due; n++ {
				m := nonsense[n%(len(nonsense)-1)]
				if n%1000 == 0 {
					m = nonsense[len(nonsense)-1]
				}
				publish(w, nc, m.subject, m.data)
			}
			nonsensical.Store(int64(n))
			for unknowns := int(time.Since(began).Seconds() / lasting.Seconds() * unknown); int(sent.Load()) < unknowns; {
				publish(w, nc, fmt.Sprintf("pharos.push.flood.flood.w%d", sent.Add(1)), `{"status":"critical","summary":"flood"}`)
			}
			peak.Store(max(peak.Load(), memoryOf(w.T, s.dashboard)))
		}
	})
	w.Run("meanwhile", func(t *testing.T) {
		s := s.in(t)
		for time.Since(began) < lasting-4*time.Second {
			i := rand.IntN(len(s.targets))
			turned := s.targets[i].Turn(t, pharostest.Fails)
			l.took(fault, "the real tiles are fresh, and red in time", s.screen.Await(s.world, "red", func(v *pharostest.View) bool { return v.Shows(id(i), "critical") }).Sub(turned), barFlood)
			s.targets[i].Turn(t, pharostest.Answers)
			s.screen.Await(s.world, "green", func(v *pharostest.View) bool { return v.Shows(id(i), "ok") })
		}
	})
	running.Wait()
	if err := nc.FlushWithContext(w.ctx); err != nil { // NATS has it all
		w.Error(err)
	}
	rate := float64(nonsensical.Load()) / time.Since(began).Seconds()
	stale := 0
	s.screen.Look(func(v *pharostest.View) {
		for _, m := range v.Moments {
			if strings.HasPrefix(m.ID, "berlin.") && m.At.After(began) && m.Status != "ok" && m.Status != "critical" || m.Status == "covered" {
				stale++
				w.Logf("%v: %q %s", m.At.Sub(began), m.ID, m.Status)
			}
		}
	})
	var counted []string
	missing := false
	for _, reason := range []string{"not_json", "invalid", "subject", "too_large", "flood"} {
		n := w.metric(s.screen, "pharos_messages_dropped_total", `"`+reason+`"`)
		counted = append(counted, fmt.Sprintf("%s %.0f", reason, n))
		missing = missing || n == 0
	}
	tiles := 0
	s.screen.Look(func(v *pharostest.View) { tiles = len(v.Tiles) })
	l.lost(fault, fmt.Sprintf("%d real tiles stale; %.0f messages a second; dropped: %s; %d tiles on the board; %d MB resident at most, %d MB before",
		stale, rate, strings.Join(counted, ", "), tiles, peak.Load()>>20, memoryBefore>>20), stale > 0 || missing || rate < perSecond*9/10 || peak.Load() > 512<<20)
}

// hungUp reports whether the other side has closed the connection, without
// reading from it.
func hungUp(conn net.Conn) bool {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	if err := raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		gone = err != nil || info.State != unix.BPF_TCP_ESTABLISHED
	}); err != nil {
		return true
	}
	return gone
}
