package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// The messages of the protocol in which a client of ssh speaks to a master that keeps
// a connection (PROTOCOL.mux in the source of OpenSSH). Each is its length and its
// type, in 32 bits, and what belongs to the type.
const (
	muxVersion          = 4
	muxHello            = 0x00000001
	muxForward          = 0x10000008 // standard input and output to a host and port over there
	muxPermissionDenied = 0x80000002
	muxFailure          = 0x80000003
	muxSessionOpened    = 0x80000006
	muxMax              = 4 << 10 // bytes of a message that is believed
)

// dial connects from an ssh host to an address, over the connection that is kept to the
// host: nothing is started here or there. The host looks the name up.
func (s *sshHosts) dial(ctx context.Context, host, address string) (net.Conn, error) {
	if err := s.ready(ctx, host); err != nil {
		return nil, err
	}
	socket, err := s.socket(host)
	if err != nil {
		return nil, &sshError{host, err}
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", strings.ReplaceAll(socket, "%%", "%"))
	if err != nil {
		return nil, &sshError{host, err}
	}
	master := c.(*net.UnixConn)
	var forwarded net.Conn
	err = within(ctx, master, func() (err error) { forwarded, err = forward(master, address); return err })
	if err != nil {
		master.Close()
		if ctx.Err() != nil { // the address does not answer: ssh does
			return nil, ctx.Err()
		}
		if refused, ok := errors.AsType[muxRefusal](err); ok {
			return nil, fmt.Errorf("%s cannot connect to %s: %s", host, address, refused)
		}
		return nil, &sshError{host, err}
	}
	return &throughSSH{forwarded, master, remoteAddress(address + " from " + host)}, nil
}

// muxRefusal is what a master says when it does not do what it was asked for.
type muxRefusal string

// Error returns the master's words.
func (e muxRefusal) Error() string {
	if e == "Session open refused by peer" { // of which it knows no more
		return "it is refused or forbidden, or there is no such host"
	}
	return string(e)
}

// forward asks a master for a connection to an address.
func forward(master *net.UnixConn, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	if err := muxSay(master, muxHello, binary.BigEndian.AppendUint32(nil, muxVersion)); err != nil {
		return nil, err
	}
	if kind, _, err := muxHear(master); err != nil || kind != muxHello {
		return nil, fmt.Errorf("its master does not speak as expected: %w", errOr(err, kind))
	}
	theirs, ours, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	defer ours.Close()
	request := binary.BigEndian.AppendUint32(nil, 1) // its number
	request = muxText(request, "")
	request = muxText(request, host)
	if err := muxSay(master, muxForward, binary.BigEndian.AppendUint32(request, uint32(number))); err != nil {
		return nil, err
	}
	for range 2 { // input, and output
		if _, _, err := master.WriteMsgUnix([]byte{0}, rightsTo(theirs), nil); err != nil {
			return nil, err
		}
	}
	kind, body, err := muxHear(master)
	switch {
	case err != nil:
		return nil, err
	case kind == muxSessionOpened:
		return net.FileConn(ours)
	case kind == muxFailure || kind == muxPermissionDenied:
		return nil, muxRefusal(muxReason(body))
	}
	return nil, fmt.Errorf("its master does not speak as expected: %w", errOr(nil, kind))
}

func errOr(err error, kind uint32) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("message %#x", kind)
}

func muxText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// muxReason returns the reason in a failure, behind the request's number.
func muxReason(body []byte) string {
	if len(body) < 8 {
		return "for no reason that it tells"
	}
	n := binary.BigEndian.Uint32(body[4:])
	return string(body[8:min(uint64(len(body)), 8+uint64(n))])
}

func muxSay(c net.Conn, kind uint32, body []byte) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))
	_, err := c.Write(append(binary.BigEndian.AppendUint32(b, kind), body...))
	return err
}

func muxHear(c net.Conn) (kind uint32, body []byte, err error) {
	head := make([]byte, 8)
	if _, err := io.ReadFull(c, head); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head)
	if length < 4 || length > muxMax {
		return 0, nil, fmt.Errorf("a message of %d bytes", length)
	}
	body = make([]byte, length-4)
	_, err = io.ReadFull(c, body)
	return binary.BigEndian.Uint32(head[4:]), body, err
}

// throughSSH is a connection that an ssh host has made.
type throughSSH struct {
	net.Conn
	master net.Conn // which ends it, too
	to     remoteAddress
}

// Close implements net.Conn.
func (c *throughSSH) Close() error { return errors.Join(c.Conn.Close(), c.master.Close()) }

// RemoteAddr says where the ssh host has connected to.
func (c *throughSSH) RemoteAddr() net.Addr { return c.to }

type remoteAddress string

// Network implements net.Addr.
func (remoteAddress) Network() string { return "ssh" }

// String implements net.Addr.
func (a remoteAddress) String() string { return string(a) }
