//go:build !linux

package web

import "net"

// socket is a connection of the kernel.
type socket struct{ *net.TCPConn }

// tune bounds what the kernel holds for a screen that has stopped reading.
func (s socket) tune() error { return s.SetWriteBuffer(sendBuffer) }

// underWay returns how many bytes of a connection have arrived, and how many
// have not; ok is false where the kernel does not say.
func (socket) underWay() (arrived uint64, waiting int, ok bool) { return 0, 0, false }
