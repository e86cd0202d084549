package web

import (
	"net"

	"golang.org/x/sys/unix"
)

// tune bounds what the kernel holds for a screen that has stopped reading, and
// how long it waits for one that has gone without a word.
func tune(conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
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
	return conn.SetWriteBuffer(sendBuffer)
}
