package probe

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pharos/internal/field"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
)

// asMaster makes the test binary a master of ssh that forwards connections from here.
const asMaster = "PHAROS_TEST_MUX"

func beMaster(socket string) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("up")
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			os.Exit(0)
		}
		go serveMaster(c)
	}
}

func serveMaster(c *net.UnixConn) {
	defer c.Close()
	if kind, _, err := muxHear(c); err != nil || kind != muxHello {
		return
	}
	muxSay(c, muxHello, binary.BigEndian.AppendUint32(nil, muxVersion))
	kind, body, err := muxHear(c)
	if err != nil || kind != muxForward {
		return
	}
	skip := 4 + 4 + int(binary.BigEndian.Uint32(body[4:]))
	host := string(body[skip+4 : skip+4+int(binary.BigEndian.Uint32(body[skip:]))])
	port := binary.BigEndian.Uint32(body[len(body)-4:])
	var files []*os.File
	for len(files) < 2 {
		b, control := make([]byte, 1), make([]byte, 64)
		_, n, _, _, err := c.ReadMsgUnix(b, control)
		if err != nil {
			return
		}
		messages, _ := syscall.ParseSocketControlMessage(control[:n])
		for _, m := range messages {
			fds, _ := syscall.ParseUnixRights(&m)
			for _, fd := range fds {
				syscall.SetNonblock(fd, true)
				files = append(files, os.NewFile(uintptr(fd), "theirs"))
			}
		}
	}
	refuse := func(why string) {
		b := binary.BigEndian.AppendUint32(nil, 1)
		muxSay(c, muxFailure, muxText(b, why))
	}
	switch host {
	case "nowhere.example":
		refuse("Session open refused by peer")
		return
	case "forbidden.example":
		refuse("not allowed")
		return
	case "slow.example":
		io.Copy(io.Discard, c)
		return
	}
	there, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
	if err != nil {
		refuse("Session open refused by peer")
		return
	}
	muxSay(c, muxSessionOpened, []byte{0, 0, 0, 1, 0, 0, 0, 2})
	go func() { io.Copy(files[1], there); files[0].Close(); files[1].Close() }()
	go func() { io.Copy(there, files[0]); there.Close() }()
	io.Copy(io.Discard, c) // the client's end ends it
	there.Close()
}

func TestConnectionsThroughSSH(t *testing.T) {
	withFakeSSH(t)
	t.Setenv("FAKE_MUX", os.Args[0])
	throughSSHTable(t, "slw")
	for host, want := range map[string]string{
		"nowhere.example": "slw cannot connect to nowhere.example:5432: it is refused or forbidden, or there is no such host", "forbidden.example": "slw cannot connect to forbidden.example:5432: not allowed",
		"slow.example": "timed out after 300 ms in connect",
	} {
		timeout := long
		if host == "slow.example" {
			timeout = 300 * time.Millisecond
		}
		spec := tcp.New().(*tcpSpec)
		spec.TCP = field.Endpoint(host + ":5432")
		e := New(Options{})
		defer e.Close()
		closed := tcp.New().(*tcpSpec)
		closed.TCP = "nowhere.example:5432"
		for _, spec := range []*tcpSpec{closed, spec} { // the first has the master there
			w := there(of(spec))
			p, err := e.Prepare(w, nil)
			if err != nil {
				t.Fatal(err)
			}
			if spec == closed {
				run(t, p, long)
				continue
			}
			p.watcher.Timeout = timeout
			r := run(t, p, timeout)
			if r.Summary != want || r.Status != pharos.Critical {
				t.Errorf("%s: got %v %q, want %q", host, r.Status, r.Summary, want)
			}
		}
	}
	spec := tcp.New().(*tcpSpec)
	spec.TCP = "db.example:5432"
	w := of(spec)
	w.SSHHost = "down"
	if r := watch(t, w); r.Summary != "ssh to down: ssh: connect to host down port 22: Connection refused" {
		t.Errorf("got %q", r.Summary)
	}
}

// throughSSHTable runs a watcher of each kind that makes its connections from an ssh
// host, which is this machine.
func throughSSHTable(t *testing.T, host string) {
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, func(*x509.Certificate) {})}}
	at := func(handle func(net.Conn)) field.Endpoint { return field.Endpoint(listen(t, handle)) }
	tcpTo := tcp.New().(*tcpSpec)
	tcpTo.TCP, tcpTo.Send, tcpTo.Expect = at(dialogue("> PING", "< +PONG")), "PING\r\n", field.Pattern{Regexp: patternsOf("PONG")[0]}
	cert := certificate.New().(*certificateSpec)
	cert.Certificate, cert.TLS.CAFile = speaksTLS(t, config, nil), ca.file
	mail := smtp.New().(*smtpSpec)
	mail.SMTP = at(dialogue("< 220 ready", "> QUIT"))
	socket := websocket.New().(*websocketSpec)
	socket.WebSocket.URL = address2url("ws://" + listen(t, hangs("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")) + "/")
	health := grpc.New().(*grpcSpec)
	health.GRPC = calls(t, nil, nil)
	names := asks(names(t, "shop.example. 300 A 192.0.2.1"), nil)
	closed := tcp.New().(*tcpSpec)
	closed.TCP = field.Endpoint(unused(t))
	for name, test := range map[string]struct {
		spec Spec
		why  string
		fact string
	}{
		"tcp":         {tcpTo, "", "address=" + string(tcpTo.TCP) + " from " + host},
		"certificate": {cert, "", "protocol=TLS 1.3"},
		"smtp":        {mail, "", "greeting=220 ready"},
		"websocket":   {socket, "403 Forbidden, wanted 101 Switching Protocols", ""},
		"grpc":        {health, "UNIMPLEMENTED: unknown service grpc.health.v1.Health", ""},
		"dns":         {names, "", "transport=tcp, as ssh carries no udp"},
		"refused":     {closed, host + " cannot connect to " + string(closed.TCP) + ": it is refused or forbidden, or there is no such host", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := of(test.spec)
			w.SSHHost = host
			r := watch(t, w)
			if r.Summary != test.why {
				t.Errorf("got %v %q, want %q\n%s", r.Status, r.Summary, test.why, r.Detail)
			}
			if key, value, ok := strings.Cut(test.fact, "="); ok && fact(r, key) != value {
				t.Errorf("got facts %v, want %s", r.Facts, test.fact)
			}
			if test.why == "" && phase(r, "connect") == 0 && phase(r, "query") == 0 {
				t.Errorf("got phases %v", r.Phases)
			}
		})
	}
}

// TestConnectionsThroughARealSSH does the same with the machine's own OpenSSH.
func TestConnectionsThroughARealSSH(t *testing.T) {
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		if _, err := os.Stat("/usr/sbin/sshd"); err != nil {
			t.Skip("no sshd to try it with: apt-get install openssh-server")
		}
		sshd = "/usr/sbin/sshd"
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"host", "own"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, name)).CombinedOutput(); err != nil {
			t.Skip("no ssh-keygen: ", err, string(out))
		}
	}
	own, _ := os.ReadFile(filepath.Join(dir, "own.pub"))
	os.WriteFile(filepath.Join(dir, "authorized"), own, 0o600)
	l := pharostest.Listen(t)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	os.WriteFile(filepath.Join(dir, "sshd_config"), []byte("Port "+port+"\nListenAddress 127.0.0.1\nHostKey "+dir+"/host\nAuthorizedKeysFile "+dir+"/authorized\nStrictModes no\nPidFile none\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"), 0o600)
	os.MkdirAll("/run/sshd", 0o755) // which it wants where it is root's
	server := exec.Command(sshd, "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	log, _ := os.Create(filepath.Join(dir, "log"))
	server.Stderr = log
	if err := server.Start(); err != nil {
		t.Skip("sshd does not start: ", err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	// The prober's ssh reads the user's file: the stand-in names another one.
	real, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip(err)
	}
	os.WriteFile(filepath.Join(dir, "config"), []byte("Host slw\nHostName 127.0.0.1\nPort "+port+"\nUser "+me.Username+"\nIdentityFile "+dir+"/own\nIdentitiesOnly yes\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n"), 0o600)
	os.WriteFile(filepath.Join(dir, "ssh"), []byte("#!/bin/sh\nexec "+real+" -F "+dir+"/config \"$@\"\n"), 0o755)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	for deadline := time.Now().Add(long); ; time.Sleep(50 * time.Millisecond) {
		out, err := exec.Command("ssh", "-o", "BatchMode=yes", "slw", "true").CombinedOutput()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Skipf("sshd does not let this user in: %v %s\n%s", err, out, said)
		}
	}
	throughSSHTable(t, "slw")
	if _, err := exec.LookPath("ping"); err == nil {
		spec := ping.New().(*pingSpec)
		spec.Ping, spec.Count, spec.there = "127.0.0.1", 2, true
		if r := watch(t, there(of(spec))); r.Status != pharos.OK || fact(r, "packets") != "2 sent, 2 answered" {
			t.Errorf("ping: got %v %q %v\n%s", r.Status, r.Summary, r.Facts, r.Detail)
		}
	}
}
