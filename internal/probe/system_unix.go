//go:build unix

package probe

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// signalName returns "SIGKILL".
func signalName(s syscall.Signal) string { return unix.SignalName(s) }

// newGroup starts a process as the leader of a group.
func newGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// sessionOfItsOwn starts a process that no signal to this one's group reaches.
func sessionOfItsOwn() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// killGroup kills a group by its leader.
func killGroup(leader int) { syscall.Kill(-leader, syscall.SIGKILL) }

// kill kills one process.
func kill(pid int) { syscall.Kill(pid, syscall.SIGKILL) }

// reap reports whether a child was dead, and is gone now.
func reap(pid int) bool {
	var how syscall.WaitStatus
	done, _ := syscall.Wait4(pid, &how, syscall.WNOHANG, nil)
	return done == pid
}

// exists reports whether there is such a process.
func exists(pid int) bool { return syscall.Kill(pid, 0) != syscall.ESRCH }

// anothers reports whether a process is of somebody whom this one may not kill.
func anothers(pid int) bool { return syscall.Kill(pid, 0) == syscall.EPERM }

// ownGroup is the group of this process.
func ownGroup() int { return syscall.Getpgrp() }

// socketPair returns two ends of a connection.
func socketPair() (theirs, ours *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	unix.CloseOnExec(pair[0])
	unix.CloseOnExec(pair[1])
	return os.NewFile(uintptr(pair[0]), "theirs"), os.NewFile(uintptr(pair[1]), "ours"), nil
}

// rightsTo is what hands a file to another process.
func rightsTo(f *os.File) []byte { return unix.UnixRights(int(f.Fd())) }

// readNow reads from a descriptor that does not block.
func readNow(fd uintptr, buf []byte) (int, error) { return syscall.Read(int(fd), buf) }

// hearRouters has reads end with what routers say of the packets of a connection.
func hearRouters(c net.Conn, family int) error {
	const recvErr4, recvErr6 = 11, 25 // IP_RECVERR and IPV6_RECVERR of Linux
	if runtime.GOOS != "linux" {
		return nil
	}
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	level, option := unix.IPPROTO_IP, recvErr4
	if family == 6 {
		level, option = unix.IPPROTO_IPV6, recvErr6
	}
	var wrong error
	if err := raw.Control(func(fd uintptr) { wrong = unix.SetsockoptInt(int(fd), level, option, 1) }); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", wrong)
}

// dialICMP connects a socket for echoes to an address: an unprivileged one or, if
// the machine does not allow it, a raw one.
func dialICMP(addr netip.Addr) (net.Conn, error) {
	family, protocol, raw := unix.AF_INET, unix.IPPROTO_ICMP, "ip4:icmp"
	var to unix.Sockaddr = &unix.SockaddrInet4{Addr: [4]byte(addr.AsSlice()[:4])}
	if addr.Is6() {
		family, protocol, raw = unix.AF_INET6, unix.IPPROTO_ICMPV6, "ip6:ipv6-icmp"
		zone := 0
		if link, err := net.InterfaceByName(addr.Zone()); err == nil {
			zone = link.Index
		}
		to = &unix.SockaddrInet6{Addr: addr.As16(), ZoneId: uint32(zone)}
	}
	syscall.ForkLock.RLock()
	s, err := unix.Socket(family, unix.SOCK_DGRAM, protocol)
	if err == nil {
		unix.CloseOnExec(s)
	}
	syscall.ForkLock.RUnlock()
	if errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EPROTONOSUPPORT) {
		return net.Dial(raw, addr.String())
	}
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(s), "icmp")
	defer f.Close()
	if err := unix.Connect(s, to); err != nil {
		return nil, os.NewSyscallError("connect", err)
	}
	return net.FileConn(f)
}
