//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"pharos/internal/pharostest"
)

const (
	barCut    = 4 * time.Second
	barHealed = 3 * time.Second
)

// wires are network namespaces around a switch, all made by the test: each
// named one has the address 10.77.0.<its number>.
type wires struct {
	*world
	prefix string
	names  []string
}

func newWires(w *world, names ...string) *wires {
	w.Helper()
	if os.Geteuid() != 0 {
		w.Fatal("cutting a network takes root, for namespaces and their packet filters")
	}
	n := &wires{world: w, prefix: fmt.Sprintf("chaos%d-", os.Getpid()), names: names}
	n.ip("netns", "add", n.prefix+"switch")
	w.Cleanup(func() { n.ip("netns", "del", n.prefix+"switch") })
	n.ip("-n", n.prefix+"switch", "link", "add", "br0", "type", "bridge")
	n.ip("-n", n.prefix+"switch", "link", "set", "br0", "up")
	for i, name := range names {
		ns := n.prefix + name
		n.ip("netns", "add", ns)
		w.Cleanup(func() { n.ip("netns", "del", ns) })
		n.ip("-n", ns, "link", "set", "lo", "up")
		port := fmt.Sprintf("port%d", i)
		n.ip("-n", n.prefix+"switch", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", ns)
		n.ip("-n", n.prefix+"switch", "link", "set", port, "master", "br0", "up")
		n.ip("-n", ns, "address", "add", n.address(name)+"/24", "dev", "eth0")
		n.ip("-n", ns, "link", "set", "eth0", "up")
	}
	return n
}

func (n *wires) ip(args ...string) {
	n.Helper()
	if said, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.Fatalf("ip %v: %v: %s", args, err, said)
	}
}

func (n *wires) address(name string) string {
	for i, other := range n.names {
		if name == other {
			return fmt.Sprintf("10.77.0.%d", i+1)
		}
	}
	n.Fatalf("there is no namespace %q", name)
	return ""
}

// begin is what a command line begins with that runs in a namespace.
func (n *wires) begin(name string) []string {
	return []string{"ip", "netns", "exec", n.prefix + name}
}

// cut drops every packet of a namespace, without a word to anybody; heal ends
// that.
func (n *wires) cut(name string) time.Time  { return n.filter(name, "-A") }
func (n *wires) heal(name string) time.Time { return n.filter(name, "-D") }

func (n *wires) filter(name, what string) time.Time {
	n.Helper()
	for _, rule := range [][]string{{"INPUT", "-i"}, {"OUTPUT", "-o"}} {
		n.ip("netns", "exec", n.prefix+name, "iptables", "-w", what, rule[0], rule[1], "eth0", "-j", "DROP")
	}
	return time.Now()
}

// inside runs f on a thread that is in the namespace; the sockets that f opens
// stay there.
func (n *wires) inside(name string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- func() error {
			fd, err := unix.Open("/run/netns/"+n.prefix+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
				return err
			}
			return f()
		}()
	}()
	return <-done
}

func (n *wires) dial(name string) pharostest.Dial {
	return func(ctx context.Context, address string) (conn net.Conn, err error) {
		err = n.inside(name, func() error {
			var dialing error
			conn, dialing = pharostest.DialHere(ctx, address)
			return dialing
		})
		return conn, err
	}
}

func (n *wires) listen(name string) func(string) (net.Listener, error) {
	return func(address string) (l net.Listener, err error) {
		err = n.inside(name, func() error {
			var listening error
			l, listening = net.Listen("tcp", address)
			return listening
		})
		return l, err
	}
}

// afterglowOn returns what a tile tells of its last flicker.
func afterglowOn(s *pharostest.Screen, id string) (all []afterglow) {
	s.Look(func(v *pharostest.View) {
		if k := v.Tile(id).Part("k"); k != nil {
			all = append(all, afterglow{k.Status(), time.Duration(k.Number("l") * 1e9), time.Duration(v.Age(k.Number("e")) * 1e9)})
		}
	})
	return all
}

func networkCut(w *world, l *ledger) {
	const (
		interval = time.Second
		lasting  = 20 * time.Second
		rounds   = 3
	)
	n := newWires(w, "broker", "prober", "board", "glass")
	w.nats = net.JoinHostPort(n.address("broker"), "4222")
	board := net.JoinHostPort(n.address("board"), "8811")
	s := &site{world: w, address: board}
	for i := range 4 {
		g := pharostest.NewTargetAt(w, n.listen("prober"))
		s.targets = append(s.targets, g)
		s.watchers = append(s.watchers, watched{fmt.Sprintf("w%d", i), g, interval, 0})
	}
	s.addSlow(rounds, n.listen("prober"))
	run := func(where, name string, argv ...string) *process {
		return start(w.T, w.dir, name, append(n.begin(where), argv...)...)
	}
	run("broker", "nats", append([]string{w.bin.nats, "-a", n.address("broker"), "-p", "4222"}, w.natsFlags...)...)
	accepting(w.ctx, w.T, w.nats, n.dial("broker"))
	run("board", "dashboard", w.bin.dashboard, "--listen", board, "--nats-url", w.url(""), "-v")
	accepting(w.ctx, w.T, board, n.dial("board"))
	run("prober", "p1", w.bin.prober, "-c", w.write(file(s.watchers)), "--site", "berlin", "--prober", "p1", "--nats-url", w.url(""), "-v")
	s.screen = pharostest.NewScreen(w, board, n.dial("board"))
	far := pharostest.NewScreen(w, board, n.dial("glass"))
	for _, c := range []struct {
		side, said string
		screen     *pharostest.Screen
		named      func(*pharostest.View) bool
	}{
		{"prober", "its tiles stale, berlin/p1 down", s.screen, s.stale},
		{"board", "NATS down, its tiles stale", s.screen, func(v *pharostest.View) bool { return !v.Hops.NATS.Up && s.stale(v) }},
		{"glass", "the overlay", far, func(v *pharostest.View) bool { return v.Covered }},
	} {
		missing := 0
		var red slowReds
		cut, healed := fmt.Sprintf("network cut, %s side", c.side), fmt.Sprintf("network back after 20 s, %s side", c.side)
		for round := range rounds {
			s.slowGreen(s.screen, round)
			far.Await(w, "a green board", s.green)
			w.anyMoment(time.Second)
			began := n.cut(c.side)
			l.took(cut, c.said, c.screen.Await(w, c.said, c.named).Sub(began), barCut)
			s.turnSlow(round, pharostest.Fails)
			dark := time.Now()
			g := s.targets[0]
			g.Turn(w, pharostest.Fails)
			w.pause(interval * 12 / 10)
			g.Turn(w, pharostest.Answers)
			w.anyMoment(time.Second)
			w.pause(time.Until(began.Add(lasting)))
			back := n.heal(c.side)
			l.took(healed, "red what turned red meanwhile, the rest green", s.healed(c.screen, round, dark, back, &red).Sub(back), barHealed)
			s.turnSlow(round, pharostest.Answers)
			truth := g.Truth()
			missing += remembers(w, afterglowOf(w, c.screen, id(0)), truth, interval)
			if c.screen == far { // there the tile itself must tell
				missing += remembers(w, afterglowOn(far, id(0)), truth[len(truth)-1:], interval)
			}
		}
		l.lost(healed, fmt.Sprintf("%d flickers inside the cut; %s", missing, red), missing > 0 || red.bad())
	}
}
