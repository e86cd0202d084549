//go:build !linux

package web

import "net"

// tune bounds what the kernel holds for a screen that has stopped reading.
func tune(conn *net.TCPConn) error { return conn.SetWriteBuffer(sendBuffer) }
