package web

import (
	"net"

	"golang.org/x/sys/unix"
)

// socket is a connection of the kernel.
type socket struct{ *net.TCPConn }

// tune bounds what the kernel holds for a screen that has stopped reading, and
// how long it waits for one that has gone without a word.
func (s socket) tune() error {
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(screenPatience.Milliseconds()))
	})
	if err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return s.SetWriteBuffer(sendBuffer)
}

// underWay returns how many bytes of a connection have arrived, and how many
// have not; ok is false where the kernel does not say.
func (s socket) underWay() (arrived uint64, waiting int, ok bool) {
	raw, err := s.SyscallConn()
	if err != nil {
		return 0, 0, false
	}
	err = raw.Control(func(fd uintptr) {
		var failed error
		if waiting, failed = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ); failed != nil {
			return
		}
		info, failed := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if ok = failed == nil; ok {
			arrived = info.Bytes_acked
		}
	})
	return arrived, waiting, ok && err == nil
}
