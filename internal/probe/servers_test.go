package probe

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pharos/internal/config"
)

// realServer is one of Debian's, and what watchers see of it. In all texts the names
// of its ports stand for addresses, DIR for a folder that holds cert.pem, key.pem and
// ca.pem; for SELF see realServers.
type realServer struct {
	program string
	pkg     string // that has it
	root    bool   // it wants to be started by root
	user    string // as which it runs where that is root
	ports   []string
	files   map[string]string
	first   []string // a command that is run before
	command []string
	looks   []realLook
}

type realLook struct {
	watcher string // its keys
	want    string // its verdict; "...": goes on
	fact    string
}

var realServers = map[string]realServer{
	"postgres": {
		program: "/usr/lib/postgresql/*/bin/postgres", pkg: "postgresql", user: "postgres", ports: []string{"PORT"},
		first: []string{"SELF/../initdb", "-D", "DIR/data", "-A", "trust"},
		command: []string{"SELF", "-D", "DIR/data", "-k", "DIR", "-c", "listen_addresses=127.0.0.1", "-c", "port=:PORT", "-c", "ssl=on",
			"-c", "ssl_cert_file=DIR/cert.pem", "-c", "ssl_key_file=DIR/key.pem"},
		looks: []realLook{
			{`tcp: "PORT"`, "ok", "address=PORT"},
			{`certificate: "PORT", starttls: postgres, tls: {ca_file: DIR/ca.pem}`, "ok", "protocol=TLS 1.3"},
			{`certificate: "PORT", starttls: postgres`, `critical: certificate is signed by an unknown authority, "Test Authority"`, ""},
			{`certificate: "PORT", starttls: postgres, server_name: other.example, tls: {ca_file: DIR/ca.pem}`, "critical: certificate is for 127.0.0.1, not other.example", ""},
			{`certificate: "PORT", tls: {ca_file: DIR/ca.pem}`, "critical: TLS handshake: connection closed", ""},
			{`certificate: "PORT", starttls: mysql, timeout: 1s`, "critical: timed out after 1 s in starttls", ""},
			{`ssh: "PORT", timeout: 1s`, "critical: timed out after 1 s in banner", ""},
		},
	},
	"mariadb": {
		program: "/usr/sbin/mariadbd", pkg: "mariadb-server", ports: []string{"PORT"},
		first: []string{"mariadb-install-db", "--no-defaults", "--user=ME", "--datadir=DIR/data", "--auth-root-authentication-method=normal", "--skip-test-db"},
		command: []string{"SELF", "--no-defaults", "--user=ME", "--datadir=DIR/data", "--port=:PORT", "--bind-address=127.0.0.1", "--socket=DIR/socket",
			"--ssl-cert=DIR/cert.pem", "--ssl-key=DIR/key.pem", "--ssl-ca=DIR/ca.pem"},
		looks: []realLook{
			{`tcp: "PORT", expect: "MariaDB"`, "ok", ""},
			{`certificate: "PORT", starttls: mysql, tls: {ca_file: DIR/ca.pem}`, "ok", "protocol=TLS 1.3"},
			{`certificate: "PORT", starttls: postgres, tls: {ca_file: DIR/ca.pem}`, "critical: the server does not speak PostgreSQL", ""},
		},
	},
	"redis": {
		program: "redis-server", pkg: "redis-server", ports: []string{"PORT", "SECURE"},
		command: []string{"SELF", "--bind", "127.0.0.1", "--port", ":PORT", "--tls-port", ":SECURE", "--tls-cert-file", "DIR/cert.pem", "--tls-key-file", "DIR/key.pem",
			"--tls-ca-cert-file", "DIR/ca.pem", "--tls-auth-clients", "no", "--requirepass", "opensesame", "--save", "", "--dir", "DIR"},
		looks: []realLook{
			{`tcp: "PORT", steps: [{send: "AUTH opensesame\r\n", expect: "^\\+OK"}, {send: "PING\r\n", expect: "^\\+PONG"}]`, "ok", ""},
			{`tcp: "PORT", send: "PING\r\n", expect: "^\\+PONG", timeout: 1s`, `critical: no match for "^\\+PONG" within 1 s, it says "-NOAUTH Authentication required."`, ""},
			{`tcp: "SECURE", tls: {ca_file: DIR/ca.pem}, send: "AUTH opensesame\r\n", expect: "^\\+OK"`, "ok", ""},
			{`tcp: "SECURE", send: "PING\r\n", expect: "^\\+PONG"`, "critical: connection reset", ""},
			{`certificate: "SECURE", tls: {ca_file: DIR/ca.pem}`, "ok", ""},
		},
	},
	"dovecot": {
		program: "/usr/sbin/dovecot", pkg: "dovecot-imapd dovecot-pop3d dovecot-submissiond", root: true, ports: []string{"IMAP", "SECURE", "POP3", "SMTP"},
		files: map[string]string{"dovecot.conf": `base_dir = DIR/run
state_dir = DIR/state
log_path = DIR/log
protocols = imap pop3 submission
listen = 127.0.0.1
ssl_cert = <DIR/cert.pem
ssl_key = <DIR/key.pem
service imap-login {
  inet_listener imap {
    port = :IMAP
  }
  inet_listener imaps {
    port = :SECURE
    ssl = yes
  }
}
service pop3-login {
  inet_listener pop3 {
    port = :POP3
  }
  inet_listener pop3s {
    port = 0
  }
}
service submission-login {
  inet_listener submission {
    port = :SMTP
  }
}
submission_relay_host = 127.0.0.1
hostname = mail.example
passdb {
  driver = static
  args = password=opensesame
}
`},
		command: []string{"SELF", "-F", "-c", "DIR/dovecot.conf"},
		looks: []realLook{
			{`imap: "IMAP"`, "ok", ""},
			{`imap: "IMAP", starttls: true, tls: {ca_file: DIR/ca.pem}`, "ok", ""},
			{`imap: "IMAP", starttls: true`, `critical: certificate is signed by an unknown authority, "Test Authority"`, ""},
			{`imap: "SECURE", tls: {ca_file: DIR/ca.pem}`, "ok", ""},
			{`smtp: "SMTP", starttls: true, tls: {ca_file: DIR/ca.pem}`, "ok", ""},
			{`smtp: "SMTP", greeting: "^220 mail.example"`, "ok", ""},
			{`smtp: "IMAP"`, `critical: the server says "* OK [CAPABILITY ...`, ""},
			{`certificate: "IMAP", starttls: imap, tls: {ca_file: DIR/ca.pem}`, "ok", ""},
			{`certificate: "POP3", starttls: pop3, tls: {ca_file: DIR/ca.pem}`, "ok", ""},
			{`certificate: "SMTP", starttls: smtp, tls: {ca_file: DIR/ca.pem}`, "ok", ""},
			{`certificate: "SECURE", tls: {ca_file: DIR/ca.pem}`, "ok", ""},
		},
	},
	"openssh": {
		program: "/usr/sbin/sshd", pkg: "openssh-server", ports: []string{"PORT"},
		files: map[string]string{"sshd_config": `Port :PORT
ListenAddress 127.0.0.1
HostKey DIR/host
StrictModes no
PidFile none
UsePAM no
`},
		first:   []string{"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "DIR/host"},
		command: []string{"SELF", "-D", "-e", "-f", "DIR/sshd_config"},
		looks: []realLook{
			{`ssh: "PORT"`, "ok", ""},
			{`ssh: "PORT", greeting: "OpenSSH_[0-9]"`, "ok", ""},
			{`ssh: "PORT", greeting: "dropbear"`, `critical: no match for "dropbear" in the greeting: SSH-2.0-OpenSSH_...`, ""},
			{`page: "http://PORT/"`, "critical: the answer is no HTTP: malformed ...", ""},
			{`certificate: "PORT"`, "critical: TLS handshake: the server does not speak TLS", ""},
		},
	},
	"nginx": {
		program: "/usr/sbin/nginx", pkg: "nginx-light", ports: []string{"PLAIN", "SECURE"},
		files: map[string]string{"nginx.conf": `daemon off;
master_process off;
pid DIR/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
  gzip on;
  gzip_types *;
  gzip_min_length 1;
  ssl_certificate DIR/cert.pem;
  ssl_certificate_key DIR/key.pem;
  server {
    listen PLAIN;
    return 301 https://SECURE$request_uri;
  }
  server {
    listen SECURE ssl http2;
    default_type application/json;
    add_header X-Version 42;
    location / {
      return 200 '{"queue": {"length": 3}, "status": "well"}';
    }
    location /gone {
      return 410;
    }
  }
}
`},
		command: []string{"SELF", "-c", "DIR/nginx.conf", "-p", "DIR"},
		looks: []realLook{
			{`page: "http://PLAIN/", tls: {ca_file: DIR/ca.pem}`, "ok", ""},
			{`page: "https://SECURE/", version: 2, compressed: true, json: {$.queue.length: {critical: 10}, $.status: well}, header: {X-Version: "^42$"}, tls: {ca_file: DIR/ca.pem}`, "ok", "protocol=HTTP/2"},
			{`page: "https://SECURE/", json: {$.status: ill}, tls: {ca_file: DIR/ca.pem}`, `critical: $.status is "well", wanted "ill"`, ""},
			{`page: "https://SECURE/", header: {X-Version: "^43$"}, tls: {ca_file: DIR/ca.pem}`, `critical: header X-Version is "42", wanted a match for "^43$"`, ""},
			{`page: "https://SECURE/gone", tls: {ca_file: DIR/ca.pem}`, "critical: 410, wanted 2xx", ""},
			{`page: "http://SECURE/"`, "critical: 400, wanted 2xx", ""},
			{`websocket: "wss://SECURE/", tls: {ca_file: DIR/ca.pem}`, "critical: 200 OK, wanted 101 Switching Protocols", ""},
			{`grpc: "SECURE", tls: {ca_file: DIR/ca.pem}`, `critical: the answer is "application/json", wanted gRPC`, ""},
			{`grpc: "PLAIN"`, "critical: the server speaks HTTP/1, and not HTTP/2", ""},
		},
	},
	"vsftpd": {
		program: "/usr/sbin/vsftpd", pkg: "vsftpd", root: true, ports: []string{"PORT"},
		files: map[string]string{"vsftpd.conf": `listen=YES
listen_ipv6=NO
listen_address=127.0.0.1
listen_port=:PORT
background=NO
anonymous_enable=YES
ssl_enable=YES
allow_anon_ssl=YES
rsa_cert_file=DIR/cert.pem
rsa_private_key_file=DIR/key.pem
secure_chroot_dir=DIR/empty
seccomp_sandbox=NO
`, "empty/.keep": ""},
		command: []string{"SELF", "DIR/vsftpd.conf"},
		looks: []realLook{
			{`certificate: "PORT", starttls: ftp, tls: {ca_file: DIR/ca.pem}`, "ok", ""},
			{`tcp: "PORT", steps: [{expect: "^220"}, {send: "QUIT\r\n", expect: "^221"}]`, "ok", ""},
		},
	},
	"slapd": {
		program: "/usr/sbin/slapd", pkg: "slapd", ports: []string{"PORT", "SECURE"},
		files: map[string]string{"slapd.conf": `TLSCertificateFile DIR/cert.pem
TLSCertificateKeyFile DIR/key.pem
TLSCACertificateFile DIR/ca.pem
pidfile DIR/pid
`},
		command: []string{"SELF", "-d", "0", "-h", "ldap://PORT ldaps://SECURE", "-f", "DIR/slapd.conf"},
		looks: []realLook{
			{`certificate: "PORT", starttls: ldap, tls: {ca_file: DIR/ca.pem}`, "ok", ""},
			{`certificate: "SECURE", tls: {ca_file: DIR/ca.pem}`, "ok", ""},
		},
	},
}

// TestRealServers has watchers, as files have them, look at servers that others wrote.
func TestRealServers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	for name, s := range realServers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := ""
			if strings.HasPrefix(s.program, "/") {
				if found, _ := filepath.Glob(s.program); found != nil {
					program = found[len(found)-1]
				}
			} else if found, err := exec.LookPath(s.program); err == nil {
				program = found
			}
			switch {
			case program == "":
				t.Skipf("no %s to try it with: apt-get install %s", name, s.pkg)
			case s.root && os.Getuid() != 0:
				t.Skipf("%s wants to be started by root", name)
			}
			fill := s.start(t, program)
			for _, look := range s.looks {
				got, facts := looksAt(t, fill(look.watcher))
				want, begins := strings.CutSuffix(fill(look.want), "...")
				if got != want && !(begins && strings.HasPrefix(got, want)) {
					t.Errorf("%s\ngot  %s\nwant %s", look.watcher, got, want)
				}
				if look.fact != "" && !strings.Contains("\n"+facts, "\n"+fill(look.fact)+"\n") {
					t.Errorf("%s: want %s among\n%s", look.watcher, fill(look.fact), facts)
				}
			}
		})
	}
}

// looksAt runs a watcher of a file once.
func looksAt(t *testing.T, keys string) (verdict, facts string) {
	t.Helper()
	c, err := config.Parse("pharos.yaml", []byte("sets: [{name: Set, watchers: [{name: Watcher, "+keys+"}]}]\n"), os.LookupEnv, configKinds()...)
	if err != nil {
		t.Errorf("%s: %v", keys, err)
		return "", ""
	}
	e := New(Options{Version: "test"})
	defer e.Close()
	p, err := e.Prepare(c.Watchers[0], c.Redactor)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r := run(t, p, c.Watchers[0].Timeout)
	verdict = r.Status.String()
	if r.Summary != "" {
		verdict += ": " + r.Summary
	}
	for _, f := range r.Facts {
		facts += f.Name + "=" + f.Value + "\n"
	}
	return verdict, facts
}

func configKinds() (all []config.Kind) {
	for _, k := range Kinds {
		all = append(all, config.Kind{Key: k.Key, Doc: k.Doc, Phases: k.Phases, Remote: k.Remote, Through: k.Through, New: func() config.Spec { return k.New() }})
	}
	return all
}

// start starts the server, and waits until it listens. What it returns fills in the
// places of a text.
func (s *realServer) start(t *testing.T, program string) func(string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "real") // a short name, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	var as *syscall.Credential
	if s.user != "" && os.Getuid() == 0 {
		if me, err = user.Lookup(s.user); err != nil {
			t.Skip(err)
		}
		uid, _ := strconv.Atoi(me.Uid)
		gid, _ := strconv.Atoi(me.Gid)
		as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	places := []string{"SELF/..", filepath.Dir(program), "SELF", program, "DIR", dir, "ME", me.Username}
	var addresses []string
	for _, name := range s.ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		address := l.Addr().String()
		addresses = append(addresses, address)
		places = append(places, ":"+name, address[strings.LastIndexByte(address, ':')+1:], name, address)
	}
	fill := strings.NewReplacer(places...).Replace
	ca := newAuthority(t)
	own := ca.issue(t, func(c *x509.Certificate) {})
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"cert.pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})),
		"key.pem":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
		"ca.pem":   string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})),
	}
	for name, text := range s.files {
		files[name] = fill(text)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if as != nil {
			os.Chown(path, int(as.Uid), int(as.Gid))
		}
	}
	if as != nil {
		os.Chown(dir, int(as.Uid), int(as.Gid))
	}
	os.MkdirAll("/run/sshd", 0o755) // which sshd wants where it is root's
	command := func(args []string) *exec.Cmd {
		filled := make([]string, len(args))
		for i, arg := range args {
			filled[i] = fill(arg)
		}
		cmd := exec.Command(filled[0], filled[1:]...)
		cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as, Setpgid: true, Pdeathsig: syscall.SIGTERM}
		return cmd
	}
	if s.first != nil {
		if out, err := command(s.first).CombinedOutput(); err != nil {
			t.Skipf("%s: %v\n%s", s.first[0], err, out)
		}
	}
	server := command(s.command)
	log, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-server.Process.Pid, syscall.SIGTERM)
		late := time.AfterFunc(10*time.Second, func() { syscall.Kill(-server.Process.Pid, syscall.SIGKILL) })
		defer late.Stop()
		server.Wait()
		log.Close()
	})
	for _, address := range addresses {
		for deadline := time.Now().Add(long); ; time.Sleep(50 * time.Millisecond) {
			c, err := net.Dial("tcp", address)
			if err == nil {
				c.Close()
				break
			}
			if time.Now().After(deadline) {
				said, _ := os.ReadFile(log.Name())
				more, _ := os.ReadFile(filepath.Join(dir, "log"))
				t.Fatalf("it does not listen: %v\n%s%s", err, said, more)
			}
		}
	}
	return fill
}
