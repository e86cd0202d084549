//go:build bench && linux

// Package bench shows what Pharos costs and how fast it is, as ratios to
// something else that is run within the same minutes. docs/speed.md tells how to
// read it.
package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go"

	"pharos/internal/bus/embedded"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
)

const (
	watchers = 1000
	crowd    = 1000            // screens
	rounds   = 3               // of each measurement; the median counts
	settle   = 2 * time.Second // before a measurement
	probing  = 6 * time.Second // of each round
	viewing  = 4 * time.Second
)

// row is one line of the table.
type row struct {
	what     string
	measured float64
	bar      float64 // at most; NaN: none is set
	unit     string
	than     string // what it is compared with
	other    float64
}

// TestSpeed measures, prints the table, and fails where a bar is missed.
func TestSpeed(t *testing.T) {
	b := &bench{T: t, dir: t.TempDir(), target: part(t, "target"), busy: busy(t), began: time.Now()}
	b.build("prober", "allinone")
	b.target.call(t, "Listen", struct{}{}, &b.page)
	t.Run("probing", func(t *testing.T) { b.T = t; b.probes() })
	t.Run("kinds", func(t *testing.T) { b.T = t; b.kinds() })
	t.Run("watching", func(t *testing.T) { b.T = t; b.screens() })
	b.T = t
	b.print()
}

// bench is a run. T is the test that is running.
type bench struct {
	*testing.T
	dir    string
	target *process
	page   string // the target's address
	rows   []row
	busy   time.Duration // of the machine, at the beginning
	began  time.Time
}

func (b *bench) add(r row) { b.rows = append(b.rows, r) }

func (b *bench) build(programs ...string) {
	args := []string{"build", "-o", b.dir + "/"}
	for _, p := range programs {
		args = append(args, "pharos/cmd/"+p)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		b.Fatalf("building the programs: %v\n%s", err, out)
	}
}

// file writes a configuration of n watchers that look at the target once a
// second.
func (b *bench) file(kind string, n int) string {
	var text strings.Builder
	text.WriteString("title: Bench\nsite: bench\ndefaults: {interval: 1s, timeout: 5s}\nsets:\n  - name: all\n    watchers:\n")
	for i := range n {
		fmt.Fprintf(&text, "      - {name: w%d, page: \"http://%s/%s/%d\"}\n", i, b.page, kind, i)
	}
	path := filepath.Join(b.dir, fmt.Sprintf("%s-%d.yaml", kind, n))
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// probed is what one round of probing 1,000 pages a second showed.
type probed struct {
	cpu            float64 // ms of the prober a probe
	late50, late99 float64 // ms of a start behind its watcher's grid, as the target sees it
	over50, over99 float64 // ms of the reported latency over the target's own account
	missed         float64
	resident       float64 // MB
}

// probes measures the prober, and beside it the other ways to probe.
func (b *bench) probes() {
	url := "nats://" + pharostest.Broker(b, embedded.Options{Listen: "127.0.0.1:0"}).Addr()
	ears := b.listen(url)
	prober := filepath.Join(b.dir, "prober")

	few := program(b.T, false, prober, "-c", b.file("steady", 1), "--nats-url", url)
	time.Sleep(settle)
	idle := few.resident(b.T)
	few.stop()

	file := b.file("steady", watchers)
	engine := func(transport, coarse bool) func() *process {
		return func() *process {
			p := part(b.T, "engine")
			p.call(b.T, "Run", Prepared{File: file, NATS: url, Transport: transport, Coarse: coarse}, &struct{}{})
			return p
		}
	}
	var own, transport, coarse []probed
	for range rounds {
		own = append(own, b.round(ears, func() *process {
			return program(b.T, false, prober, "-c", file, "--nats-url", url)
		}))
		transport = append(transport, b.round(ears, engine(true, false)))
		coarse = append(coarse, b.round(ears, engine(false, true)))
	}
	curlCPU, curlOver := b.curl()

	ms := func(what string, bar float64, of func(probed) float64, than string, other float64) {
		b.add(row{what, median(own, of), bar, "ms", than, other})
	}
	cpu := func(p probed) float64 { return p.cpu }
	ms("CPU of a page probe, published", 0.45, cpu, "sh -c curl, 20/s", curlCPU)
	ms("", 0.45, cpu, "http.Transport, httptrace", median(transport, cpu))
	missed := func(p probed) float64 { return p.missed }
	b.add(row{"missed ticks, 1,000/s", sum(own, missed), 0, "", "Go's timers", sum(coarse, missed)})
	late50, late99 := func(p probed) float64 { return p.late50 }, func(p probed) float64 { return p.late99 }
	ms("start behind its time, p50", 0.2, late50, "Go's timers", median(coarse, late50))
	ms("start behind its time, p99", 1.5, late99, "Go's timers", median(coarse, late99))
	over50, over99 := func(p probed) float64 { return p.over50 }, func(p probed) float64 { return p.over99 }
	ms("latency told over true, p50", 0.5, over50, "http.Transport, httptrace", median(transport, over50))
	ms("", 0.5, over50, "curl time_total, 20/s", quantile(curlOver, 0.5))
	ms("latency told over true, p99", 1.5, over99, "http.Transport, httptrace", median(transport, over99))
	resident := func(p probed) float64 { return p.resident }
	b.add(row{"memory of 1,000 watchers, prober", median(own, resident) - idle, 12, "MB", "http.Transport, all of it", median(transport, resident)})
}

// round lets a prober run for a while and looks at it from all sides.
func (b *bench) round(e *ears, start func() *process) probed {
	b.Helper()
	calm(b.T)
	p := start()
	defer p.stop()
	time.Sleep(settle)
	b.visits()
	e.take()
	spent, began := p.cpu(b.T), time.Now()
	time.Sleep(probing)
	spent = p.cpu(b.T) - spent
	took := time.Since(began)
	time.Sleep(100 * time.Millisecond) // those under way
	visits, results := b.visits(), e.take()
	if len(visits) < watchers {
		b.Fatalf("%d probes came in %v, want %d a second", len(visits), took, watchers)
	}
	out := probed{cpu: millis(spent) / (float64(len(visits)) * took.Seconds() / (took + 100*time.Millisecond).Seconds()), resident: p.resident(b.T)}
	byWatcher := map[int][]Visit{}
	for _, v := range visits {
		byWatcher[v.Watcher] = append(byWatcher[v.Watcher], v)
	}
	var late, over []float64
	for _, vs := range byWatcher {
		lateness, missed := behind(vs)
		late = append(late, lateness...)
		out.missed += float64(missed)
	}
	out.missed += float64(watchers - len(byWatcher))
	own := map[int]uint64{}
	for _, r := range results {
		own[r.watcher] = r.missed
		for _, v := range byWatcher[r.watcher] {
			if d := time.Duration(v.Came - r.at.UnixNano()); d.Abs() < 200*time.Millisecond {
				over = append(over, (r.value-v.Served.Seconds())*1000)
				break
			}
		}
	}
	if len(over) < len(visits)*9/10 {
		b.Fatalf("%d of %d probes were told of", len(over), len(visits))
	}
	counted := uint64(0)
	for _, n := range own {
		counted += n
	}
	out.missed = max(out.missed, float64(counted))
	out.late50, out.late99 = quantile(late, 0.5), quantile(late, 0.99)
	out.over50, out.over99 = quantile(over, 0.5), quantile(over, 0.99)
	return out
}

// behind returns by how many milliseconds each visit of one watcher came after
// the grid of seconds through the one that was earliest on it, and how many
// ticks brought none.
func behind(visits []Visit) (late []float64, missed int) {
	slices.SortFunc(visits, func(a, b Visit) int { return int(a.Came - b.Came) })
	const second = int64(time.Second)
	tick := func(v Visit) int64 { return (v.Came - visits[0].Came + second/2) / second }
	earliest := visits[0].Came
	for _, v := range visits {
		earliest = min(earliest, v.Came-tick(v)*second)
	}
	for _, v := range visits {
		late = append(late, float64(v.Came-tick(v)*second-earliest)/1e6)
	}
	return late, int(tick(visits[len(visits)-1])) + 1 - len(visits)
}

func (b *bench) visits() []Visit {
	var visits []Visit
	b.target.call(b.T, "Take", struct{}{}, &visits)
	return visits
}

// curl looks at the page as a script would, 20 times a second, one after the
// other. It returns the CPU of one look and by how many milliseconds each told
// more than the target's account.
func (b *bench) curl() (cpu float64, over []float64) {
	if _, err := exec.LookPath("curl"); err != nil {
		b.Fatal("comparing with curl: ", err)
	}
	calm(b.T)
	b.visits()
	var told []float64
	const looks = 80
	for next := time.Now(); len(told) < looks; {
		next = next.Add(50 * time.Millisecond)
		cmd := exec.Command("sh", "-c", "curl -s -o /dev/null -w '%{time_total}' http://"+b.page+"/steady/0; exit $?")
		var out bytes.Buffer
		cmd.Stdout = &out
		if err := start(cmd); err != nil {
			b.Fatal("running curl: ", err)
		}
		if err := cmd.Wait(); err != nil {
			b.Fatal("running curl: ", err)
		}
		cpu += millis(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()) / looks
		total, err := strconv.ParseFloat(out.String(), 64)
		if err != nil {
			b.Fatal("running curl: ", err)
		}
		told = append(told, total*1000)
		time.Sleep(time.Until(next))
	}
	for i, v := range b.visits() {
		over = append(over, told[i]-millis(v.Served))
	}
	return cpu, over
}

// ears hear what probers publish.
type ears struct {
	t       *testing.T
	mu      sync.Mutex // guards results
	results []result
}

type result struct {
	watcher int
	at      time.Time
	value   float64 // seconds
	phases  float64 // seconds
	missed  uint64  // ticks, by the prober's own count
}

func (b *bench) listen(url string) *ears {
	nc := pharostest.Connect(b, url)
	e := &ears{t: b.T}
	const results = "pharos.result.bench.>"
	_, err := nc.Subscribe(results, func(m *nats.Msg) {
		r, err := pharos.ParseResult(m.Data)
		watcher, is := strings.CutPrefix(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], "w")
		number, bad := strconv.Atoi(watcher)
		if err != nil || bad != nil || !is || r.Status != pharos.OK {
			b.Errorf("%s: %s: %v", m.Subject, m.Data, err)
			return
		}
		phases := 0.0
		for _, p := range r.Phases {
			phases += p.Took.Duration().Seconds()
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.results = append(e.results, result{number, r.At, r.Value.V, phases, r.Missed})
	})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

func (e *ears) take() []result {
	e.mu.Lock()
	defer e.mu.Unlock()
	results := e.results
	e.results = nil
	return results
}

// screens measures the all-in-one.
func (b *bench) screens() {
	allinone := filepath.Join(b.dir, "allinone")
	sample := program(b.T, true, allinone, "--listen", pharostest.FreeAddress(b)) // its pages are on the program itself, which has to know its port
	time.Sleep(3 * settle)
	idle := sample.resident(b.T)
	sample.stop()
	b.add(row{"memory of an idle all-in-one", idle, 40, "MB", "", math.NaN()})

	screens := part(b.T, "screens")
	b.glass(allinone, screens)
	b.fanout(allinone, screens, idle)
}

// floor starts a Floor and lets screens in.
func (b *bench) floor(screens *process, count int) *process {
	floor := part(b.T, "floor")
	var at string
	floor.call(b.T, "Listen", struct{}{}, &at)
	screens.call(b.T, "Watch", Watch{at, count}, &struct{}{})
	return floor
}

func (b *bench) tally(screens *process) (t Tally) {
	screens.call(b.T, "Take", struct{}{}, &t)
	return t
}

func (b *bench) leave(screens *process) { screens.call(b.T, "Leave", struct{}{}, &struct{}{}) }

// glass measures the way of a change of status to 100 screens, and what it costs
// to show it.
func (b *bench) glass(allinone string, screens *process) {
	const wall = 100
	a := program(b.T, true, allinone, "-c", b.file("flip", 20), "--listen", "127.0.0.1:0")
	defer a.stop()
	at := b.address(a)
	time.Sleep(settle)
	b.mallocs(at) // the first answer of this kind allocates more
	unseen, _ := b.view(a, at, screens)
	screens.call(b.T, "Watch", Watch{at, wall}, &struct{}{})
	time.Sleep(settle)
	var p50, p99, floor50, floor99 []float64
	size := 0
	for range rounds {
		calm(b.T)
		b.visits()
		_, tally := b.view(a, at, screens)
		ways := onGlass(b.visits(), tally)
		if want := 20 * wall * int(viewing/time.Second) * 9 / 10; len(ways) < want {
			b.Fatalf("%d changes reached the screens, want %d", len(ways), want)
		}
		p50, p99 = append(p50, quantile(ways, 0.5)), append(p99, quantile(ways, 0.99))
		size = tally.Bytes / tally.Frames
	}
	b.leave(screens)

	// What a frame costs is seen best where there is little else.
	screens.call(b.T, "Watch", Watch{at, crowd}, &struct{}{})
	time.Sleep(settle)
	var cost, bare, mallocs []float64
	for range rounds {
		calm(b.T)
		v, _ := b.view(a, at, screens)
		cost = append(cost, 1000*(v.cpu-unseen.cpu)/v.frames)
		mallocs = append(mallocs, (v.mallocs-unseen.mallocs)/v.frames)
	}
	b.leave(screens)
	a.stop()
	floor := b.floor(screens, crowd)
	for range rounds {
		calm(b.T)
		spent := floor.cpu(b.T)
		floor.call(b.T, "Write", Burst{size, 50 * time.Millisecond, 60}, &struct{}{})
		bare = append(bare, 1000*millis(floor.cpu(b.T)-spent)/(60*crowd))
		b.tally(screens)
	}
	b.leave(screens)
	floor.stop()
	floor = b.floor(screens, wall)
	for range rounds {
		b.tally(screens)
		floor.call(b.T, "Write", Burst{size, 50 * time.Millisecond, 20}, &struct{}{})
		time.Sleep(50 * time.Millisecond)
		ways := b.tally(screens).Ways
		all := make([]float64, len(ways))
		for i, w := range ways {
			all[i] = millis(w)
		}
		floor50, floor99 = append(floor50, quantile(all, 0.5)), append(floor99, quantile(all, 0.99))
	}
	b.leave(screens)
	floor.stop()
	const than = "write(2) to 100 sockets"
	b.add(row{"answer to 100 screens, p50", middle(p50), 2, "ms", than, middle(floor50)})
	b.add(row{"answer to 100 screens, p99", middle(p99), 10, "ms", than, middle(floor99)})
	b.add(row{"CPU of a frame to a screen, of 1,000", middle(cost), 2 * middle(bare), "us", "write(2) of as many bytes", middle(bare)})
	b.add(row{"allocations of a frame to a screen", middle(mallocs), 0.05, "", "", math.NaN()})
}

// onGlass returns how many milliseconds after the target's answer each screen
// had the change of status that it brought.
func onGlass(visits []Visit, tally Tally) (ways []float64) {
	came := map[string][]Change{}
	for _, c := range tally.Changes {
		key := tally.Names[c.Tile] + c.Status
		came[key] = append(came[key], c)
	}
	for _, v := range visits {
		for _, c := range came[fmt.Sprintf("w%d%s", v.Watcher, map[int]string{200: "ok", 503: "critical"}[v.Status])] {
			if d := time.Duration(c.Came - v.Answered); 0 <= d && d < time.Second {
				ways = append(ways, millis(d))
			}
		}
	}
	return ways
}

// view is what one spell of watching showed.
type view struct {
	cpu     float64 // ms of the all-in-one
	mallocs float64 // of the all-in-one
	frames  float64 // to all screens
	fewest  float64 // updates to a screen, a second
	boards  float64 // screens that were too far behind
	late    float64 // ms of a frame behind the quickest one, p99
}

// fanout measures 1,000 screens that watch 1,000 watchers.
func (b *bench) fanout(allinone string, screens *process, idle float64) {
	a := program(b.T, true, allinone, "-c", b.file("vary", watchers), "--listen", "127.0.0.1:0")
	defer a.stop()
	at := b.address(a)
	time.Sleep(2 * settle)
	b.add(row{"memory of 1,000 watchers, all-in-one", a.resident(b.T) - idle, math.NaN(), "MB", "", math.NaN()})
	screens.call(b.T, "Watch", Watch{at, crowd}, &struct{}{})
	time.Sleep(settle)
	var shown []view
	for range rounds {
		calm(b.T)
		v, _ := b.view(a, at, screens)
		shown = append(shown, v)
	}
	b.leave(screens)
	b.add(row{"screens that fell behind, of 1,000", sum(shown, func(v view) float64 { return v.boards }), 0, "", "", math.NaN()})
	b.add(row{"updates missing at the worst, of 1,000/s", median(shown, func(v view) float64 { return watchers - v.fewest }), 20, "", "", math.NaN()})
	b.add(row{"frame behind the quickest, p99", median(shown, func(v view) float64 { return v.late }), 250, "ms", "", math.NaN()})
	b.add(row{"all of it, of a core", median(shown, func(v view) float64 { return v.cpu / millis(viewing) }), math.NaN(), "", "", math.NaN()})
}

// view looks at the all-in-one for a while.
func (b *bench) view(a *process, at string, screens *process) (view, Tally) {
	mallocs := b.mallocs(at)
	b.tally(screens)
	spent, began := a.cpu(b.T), time.Now()
	time.Sleep(viewing)
	spent = a.cpu(b.T) - spent
	took := time.Since(began).Seconds()
	tally := b.tally(screens)
	if len(tally.Ways) == 0 && tally.Fewest < math.MaxInt {
		b.Fatal("no frame came to any screen")
	}
	v := view{
		cpu: millis(spent), mallocs: b.mallocs(at) - mallocs,
		frames: float64(tally.Frames), fewest: float64(tally.Fewest) / took, boards: float64(tally.Boards),
	}
	if len(tally.Ways) > 0 {
		slices.Sort(tally.Ways)
		v.late = millis(tally.Ways[len(tally.Ways)*99/100] - tally.Ways[0])
	}
	return v, tally
}

// mallocs returns how often the all-in-one has allocated.
func (b *bench) mallocs(at string) float64 {
	answer, err := http.Get("http://" + at + "/metrics")
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if n, is := strings.CutPrefix(lines.Text(), "go_memstats_mallocs_total "); is {
			count, err := strconv.ParseFloat(n, 64)
			if err != nil {
				b.Fatal(err)
			}
			return count
		}
	}
	b.Fatal("reading the metrics: no go_memstats_mallocs_total")
	return 0
}

// address returns where an all-in-one serves.
func (b *bench) address(a *process) string {
	_, url, _ := strings.Cut(a.line, "http://")
	at, _, _ := strings.Cut(url, "/")
	return at
}

// print prints the table and fails where a bar is missed.
func (b *bench) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tmeasured\tbar\tcompared with\tmeasured\tratio\tmet")
	for _, r := range b.rows {
		met, bar := "yes", r.say(r.bar)
		switch {
		case math.IsNaN(r.bar):
			met, bar = "", ""
		case !(r.measured <= r.bar):
			met = "NO"
			b.Errorf("%s: %s, want at most %s", r.what, r.say(r.measured), r.say(r.bar))
		}
		other, ratio := "", ""
		if !math.IsNaN(r.other) {
			other, ratio = r.say(r.other), fmt.Sprintf("%.2f", r.measured/r.other)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.what, r.say(r.measured), bar, r.than, other, ratio, met)
	}
	w.Flush()
	took := time.Since(b.began)
	fmt.Printf("%d cores; %.0f s; the machine was %.0f %% busy\n", runtime.NumCPU(), took.Seconds(),
		100*(busy(b.T)-b.busy).Seconds()/took.Seconds()/float64(runtime.NumCPU()))
}

// say writes a number with its unit, and no more digits than mean something.
func (r row) say(v float64) string {
	return strings.TrimSpace(fmt.Sprintf("%.3g %s", v, r.unit))
}

func millis(d time.Duration) float64 { return d.Seconds() * 1000 }

func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)]
}

func middle(values []float64) float64 { return quantile(values, 0.5) }

func each[T any](of []T, f func(T) float64) []float64 {
	values := make([]float64, len(of))
	for i, v := range of {
		values[i] = f(v)
	}
	return values
}

func median[T any](of []T, f func(T) float64) float64 { return middle(each(of, f)) }

func sum[T any](of []T, f func(T) float64) (s float64) {
	for _, v := range each(of, f) {
		s += v
	}
	return s
}
