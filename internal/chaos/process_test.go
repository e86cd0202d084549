package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pharos/internal/pharostest"
)

// programs are the paths of what was built.
type programs struct{ prober, dashboard, nats string }

// build builds the programs, and the NATS server that go.mod names.
func build(t *testing.T) programs {
	t.Helper()
	dir := t.TempDir()
	p := programs{filepath.Join(dir, "prober"), filepath.Join(dir, "dashboard"), filepath.Join(dir, "nats-server")}
	goBuild(t, p.prober, "pharos/cmd/prober")
	goBuild(t, p.dashboard, "pharos/cmd/dashboard")
	goBuild(t, p.nats, "github.com/nats-io/nats-server/v2")
	return p
}

func goBuild(t *testing.T, out string, what ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"build", "-o", out}, what...)...)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %v: %v\n%s", what, err, said)
	}
}

// process is one that a test has started.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   string // file
	ended chan struct{}
}

// start starts a program; it is killed at the end of the test if it is still
// there, and its log is shown when the test has failed.
func start(t *testing.T, dir, name string, argv ...string) *process {
	t.Helper()
	log, err := os.CreateTemp(dir, name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := &process{name: name, cmd: exec.Command(argv[0], argv[1:]...), log: log.Name(), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = log, log, dir
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is the test's alone
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // a killed process is no error here
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s (%d) said:\n%s", name, p.cmd.Process.Pid, p.tail())
		}
	})
	return p
}

// tail returns the last lines of the process's log.
func (p *process) tail() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-30):], []byte("\n")))
}

// kill ends the process the hard way, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.ended
}

// accepting waits until somebody accepts connections at the address, and
// returns when that was.
func accepting(ctx context.Context, t *testing.T, address string, dial pharostest.Dial) time.Time {
	t.Helper()
	for {
		conn, err := dial(ctx, address)
		if err == nil {
			conn.Close()
			return time.Now()
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("waiting for %s: %v", address, errors.Join(ctx.Err(), err))
		}
	}
}

// newTargets returns targets that answer.
func newTargets(t *testing.T, n int) []*pharostest.Target {
	t.Helper()
	all := make([]*pharostest.Target, n)
	for i := range all {
		all[i] = pharostest.NewTarget(t)
	}
	return all
}

// world is one installation: NATS, probers, dashboards, screens.
type world struct {
	*testing.T
	ctx  context.Context
	bin  programs
	dir  string
	nats string // address
	// natsFlags are those of the next start of NATS.
	natsFlags []string
	starts    int
}

// newWorld returns one that has a NATS address, and nothing else. The case
// fails when it takes longer than limit.
func newWorld(t *testing.T, bin programs, limit time.Duration) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	dir := t.TempDir()
	return &world{T: t, ctx: ctx, bin: bin, dir: dir, nats: pharostest.FreeAddress(t), natsFlags: []string{"-js", "-sd", filepath.Join(dir, "store")}}
}

// Context ends when the case has taken longer than it may.
func (w *world) Context() context.Context { return w.ctx }

// in returns the world as a subtest waits for it. What the subtest starts is to
// be the world's own, which outlives it.
func (w *world) in(t *testing.T) *world {
	sub := *w
	sub.T = t
	return &sub
}

// launchNATS starts the server.
func (w *world) launchNATS() *process {
	w.Helper()
	host, port, err := net.SplitHostPort(w.nats)
	if err != nil {
		w.Fatal(err)
	}
	return start(w.T, w.dir, "nats", append([]string{w.bin.nats, "-a", host, "-p", port}, w.natsFlags...)...)
}

// startNATS starts the server and returns it, and when it accepted
// connections.
func (w *world) startNATS() (*process, time.Time) {
	w.Helper()
	return w.launchNATS(), accepting(w.ctx, w.T, w.nats, pharostest.DialHere)
}

// url is the address of NATS for a user, whose password is the name; for
// anybody where there is none.
func (w *world) url(user string) string {
	if user == "" {
		return "nats://" + w.nats
	}
	return "nats://" + user + ":" + user + "@" + w.nats
}

// startProber starts a prober on a file with the watchers.
func (w *world) startProber(site, name string, watchers []watched) *process {
	w.Helper()
	return w.startProberAs("", site, name, watchers)
}

// startProberWith starts a prober with more keys at the top of its file.
func (w *world) startProberWith(keys, site, name string, watchers []watched) *process {
	w.Helper()
	return start(w.T, w.dir, name, w.bin.prober, "-c", w.write(keys+file(watchers)), "--site", site, "--prober", name, "--nats-url", w.url(""), "-v")
}

func (w *world) startProberAs(user, site, name string, watchers []watched) *process {
	w.Helper()
	return start(w.T, w.dir, name, w.bin.prober, "-c", w.write(file(watchers)), "--site", site, "--prober", name, "--nats-url", w.url(user), "-v")
}

// launchDashboard starts a dashboard that listens at the address.
func (w *world) launchDashboard(address, user string) *process {
	w.Helper()
	return start(w.T, w.dir, "dashboard", w.bin.dashboard, "--listen", address, "--nats-url", w.url(user), "-v")
}

// startDashboard starts a dashboard that listens at the address; it returns
// also when it did.
func (w *world) startDashboard(address string) (*process, time.Time) {
	w.Helper()
	return w.launchDashboard(address, ""), accepting(w.ctx, w.T, address, pharostest.DialHere)
}

// write writes a file of the world and returns its path.
func (w *world) write(content string) string {
	w.Helper()
	w.starts++
	path := filepath.Join(w.dir, "file-"+strconv.Itoa(w.starts)+".yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.Fatal(err)
	}
	return path
}

// watched is one watcher of a file; all are in the set "shop".
type watched struct {
	name     string
	target   *pharostest.Target
	interval time.Duration
	critical time.Duration // 0: none
}

func file(watchers []watched) string {
	var b strings.Builder
	b.WriteString("sets:\n  - name: shop\n    watchers:\n")
	for _, v := range watchers {
		thresholds := ""
		if v.critical > 0 {
			thresholds = fmt.Sprintf(", thresholds: {critical: %s}", v.critical)
		}
		fmt.Fprintf(&b, "      - {name: %s, page: %q, interval: %s, timeout: 5s%s}\n", v.name, v.target.URL(), v.interval, thresholds)
	}
	return b.String()
}

// pause waits; only the passing of time is waited for.
func (w *world) pause(d time.Duration) {
	w.Helper()
	select {
	case <-time.After(d):
	case <-w.ctx.Done():
		w.Fatal("the case took longer than it may")
	}
}
