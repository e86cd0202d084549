package probe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// startTLS asks a server, in the words of a protocol, to speak TLS from here on.
// Nothing is read beyond its answer: what somebody put in behind it before the
// handshake is never taken for the server's.
func startTLS(c net.Conn, protocol string) error {
	switch protocol {
	case "smtp":
		if _, err := reply(c, "", "220"); err != nil {
			return err
		}
		return startSMTP(c)
	case "imap":
		if _, err := reply(c, "", "* OK"); err != nil {
			return err
		}
		return startIMAP(c)
	case "pop3":
		if _, err := reply(c, "", "+OK"); err != nil {
			return err
		}
		_, err := reply(c, "STLS\r\n", "+OK")
		return err
	case "ftp":
		if _, err := reply(c, "", "220"); err != nil {
			return err
		}
		_, err := reply(c, "AUTH TLS\r\n", "234")
		return err
	case "ldap":
		return startLDAP(c)
	case "postgres":
		return startPostgres(c)
	case "mysql":
		return startMySQL(c)
	}
	panic("no STARTTLS for " + protocol)
}

func startSMTP(c net.Conn) error {
	says, err := reply(c, "EHLO pharos\r\n", "250")
	if err != nil {
		return err
	}
	if !strings.Contains(strings.ToUpper(says), "STARTTLS") {
		return errNoTLS
	}
	_, err = reply(c, "STARTTLS\r\n", "220")
	return err
}

func startIMAP(c net.Conn) error {
	_, err := reply(c, "a1 STARTTLS\r\n", "a1 OK")
	return err
}

var errNoTLS = errors.New("the server does not offer STARTTLS")

// maxReply is the longest line, or lines, that a server may say at once.
const maxReply = 16 << 10

// reply says a line and returns what the server answers, which must begin with
// want. Several lines of one answer ("250-...") are one.
func reply(c net.Conn, say, want string) (string, error) {
	if _, err := io.WriteString(c, say); err != nil {
		return "", err
	}
	var all strings.Builder
	for all.Len() < maxReply {
		line, err := readLine(c)
		if err != nil {
			return "", err
		}
		all.WriteString(line + "\n")
		code := len(want) == 3 && len(line) > 3 && line[3] == '-' // of SMTP and FTP: more follows
		tagged := strings.HasPrefix(want, "a") && strings.HasPrefix(line, "* ")
		if code || tagged {
			continue
		}
		if !strings.HasPrefix(line, want) {
			return "", fmt.Errorf("the server says %.120q, wanted %q", line, want)
		}
		return all.String(), nil
	}
	return "", errLongReply
}

var errLongReply = fmt.Errorf("the server says more than %s at once", sayBytes(maxReply))

// readLine reads one line, without its end, and no byte more.
func readLine(c net.Conn) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) < maxReply {
		if _, err := io.ReadFull(c, one); err != nil {
			if len(line) > 0 && errors.Is(err, io.EOF) {
				return "", fmt.Errorf("the connection was closed within a line: %.120q", line)
			}
			return "", err
		}
		if one[0] == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		line = append(line, one[0])
	}
	return "", errLongReply
}

// startLDAP sends the extended request of RFC 4511, 4.14.
func startLDAP(c net.Conn) error {
	const oid = "1.3.6.1.4.1.1466.20037"
	request := append([]byte{0x30, byte(len(oid) + 7), 0x02, 0x01, 0x01, 0x77, byte(len(oid) + 2), 0x80, byte(len(oid))}, oid...)
	if _, err := c.Write(request); err != nil {
		return err
	}
	head := make([]byte, 2)
	if _, err := io.ReadFull(c, head); err != nil {
		return err
	}
	length := int(head[1])
	if head[0] != 0x30 || length > 0x84 {
		return errors.New("the server does not speak LDAP")
	}
	if length >= 0x80 { // the length has bytes of its own
		more := make([]byte, length-0x80)
		if _, err := io.ReadFull(c, more); err != nil {
			return err
		}
		length = 0
		for _, b := range more {
			length = length<<8 | int(b)
		}
	}
	if length > maxReply {
		return errLongReply
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(c, body); err != nil {
		return err
	}
	// The message's number, then the answer, which begins with the result's code.
	if i := bytes.Index(body, []byte{0x0a, 0x01}); i < 0 || i+2 >= len(body) || body[i+2] != 0 {
		return errNoTLS
	}
	return nil
}

// startPostgres sends an SSLRequest.
func startPostgres(c net.Conn) error {
	if _, err := c.Write([]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}); err != nil {
		return err
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(c, answer); err != nil {
		return err
	}
	switch answer[0] {
	case 'S':
		return nil
	case 'N':
		return errors.New("the server does not offer TLS")
	}
	return errors.New("the server does not speak PostgreSQL")
}

// startMySQL answers the server's handshake with an SSLRequest.
func startMySQL(c net.Conn) error {
	head := make([]byte, 4)
	if _, err := io.ReadFull(c, head); err != nil {
		return err
	}
	length := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if length > maxReply {
		return errors.New("the server does not speak MySQL")
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(c, body); err != nil {
		return err
	}
	if length > 3 && body[0] == 0xff {
		return fmt.Errorf("the server says %.120q", body[3:])
	}
	version := bytes.IndexByte(body, 0)
	if version < 0 || body[0] != 10 || len(body) < version+16 {
		return errors.New("the server does not speak MySQL")
	}
	const useTLS, protocol41, secureConnection = 0x0800, 0x0200, 0x8000
	if able := int(body[version+14]) | int(body[version+15])<<8; able&useTLS == 0 {
		return errors.New("the server does not offer TLS")
	}
	flags := useTLS | protocol41 | secureConnection
	request := make([]byte, 36)
	copy(request, []byte{32, 0, 0, head[3] + 1, byte(flags), byte(flags >> 8), 0, 0, 0, 0, 0, 1, 33})
	_, err := c.Write(request)
	return err
}
