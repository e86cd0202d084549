package probe

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// signalName returns what the system calls a signal.
func signalName(s syscall.Signal) string { return s.String() }

// newGroup starts a process that a signal from the keyboard does not reach.
func newGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// sessionOfItsOwn is newGroup here.
func sessionOfItsOwn() *syscall.SysProcAttr { return newGroup() }

// killGroup kills a process and its descendants.
func killGroup(leader int) {
	if exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(leader)).Run() != nil {
		kill(leader)
	}
}

// kill kills one process.
func kill(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill() // who is gone already is an error
	}
}

// reap has nothing to do here.
func reap(int) bool { return false }

// exists reports whether there is such a process.
func exists(pid int) bool {
	_, err := os.FindProcess(pid)
	return err == nil
}

// anothers is never so here.
func anothers(int) bool { return false }

// ownGroup is none here.
func ownGroup() int { return -1 }

// socketPair is not to be had here.
func socketPair() (theirs, ours *os.File, err error) {
	return nil, nil, errors.New("there are no connections through ssh on Windows")
}

// rightsTo is nothing here.
func rightsTo(*os.File) []byte { return nil }

// readNow reads nothing here.
func readNow(uintptr, []byte) (int, error) { return 0, nil }

// hearRouters does nothing here: what routers say is not heard.
func hearRouters(net.Conn, int) error { return nil }

// dialICMP connects a socket for echoes to an address.
func dialICMP(addr netip.Addr) (net.Conn, error) {
	raw := "ip4:icmp"
	if addr.Is6() {
		raw = "ip6:ipv6-icmp"
	}
	return net.Dial(raw, addr.String())
}
