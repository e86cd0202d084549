// Package embedded runs a NATS server with JetStream inside this process.
package embedded

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// The server's limits. Messages of ours are at most 16 KiB, and a peer that is
// silent for four seconds or does not read for two is cut off.
const (
	maxPayload    = 64 << 10
	maxPending    = 16 << 20
	maxConns      = 4096
	maxMemory     = 512 << 20 // of streams in memory; a bound, nothing is set aside
	maxStore      = 1 << 30   // of streams in files
	pingEvery     = 2 * time.Second
	pingsOut      = 2
	writeDeadline = 2 * time.Second
	tlsTimeout    = 5 * time.Second
	startTimeout  = 30 * time.Second // a large store is read again at start
	internalUser  = "pharos-internal"
)

// User is one who may connect, with every right.
type User struct{ Name, Password string }

// Member is one who may connect with a key, and say and hear what is named.
type Member struct {
	NKey               string   // public
	Publish, Subscribe []string // subjects; none: nothing
}

// Options say how the server runs.
type Options struct {
	StoreDir string // where streams in files are kept; empty: nowhere, only streams in memory are allowed
	Listen   string // "host:port"; port 0: any; empty: no socket at all
	// Users and Members may connect. Where Users is empty and Members nil, everyone
	// may who reaches the socket, which then must be on loopback.
	Users   []User
	Members []Member
	// Certificate is asked at each handshake; where it is not nil, the socket takes
	// TLS alone.
	Certificate func() (*tls.Certificate, error)
	Log         *slog.Logger
}

// Server is a NATS server that runs. It is itself what bus.Options.InProcess
// wants.
type Server struct {
	server   *server.Server
	reload   sync.Mutex // guards options
	options  *server.Options
	user     User
	tempDir  string
	closed   sync.Once
	closeErr error
}

// Start starts a server and returns when it takes connections, or says why it
// does not.
func Start(o Options) (*Server, error) {
	so := &server.Options{
		ServerName: "pharos-" + rand.Text()[:8],
		DontListen: true, NoSigs: true,
		MaxPayload: maxPayload, MaxPending: maxPending, MaxConn: maxConns,
		PingInterval: pingEvery, MaxPingsOut: pingsOut, WriteDeadline: writeDeadline,
		JetStream: true, StoreDir: o.StoreDir, JetStreamMaxMemory: maxMemory, JetStreamMaxStore: maxStore,
	}
	if o.Listen != "" {
		if err := listen(so, o); err != nil {
			return nil, fmt.Errorf("starting the embedded NATS server: %w", err)
		}
	}
	s := &Server{}
	if o.guarded() {
		// Connections from inside are asked for a password as well.
		s.user = User{internalUser, rand.Text()}
		for _, u := range append([]User{s.user}, o.Users...) {
			so.Users = append(so.Users, &server.User{Username: u.Name, Password: u.Password})
		}
		so.Nkeys = nkeyUsers(o.Members)
	}
	if o.StoreDir == "" {
		// The server wants a directory even when it keeps nothing there.
		dir, err := os.MkdirTemp("", "pharos-nats-")
		if err != nil {
			return nil, fmt.Errorf("starting the embedded NATS server: %w", err)
		}
		s.tempDir, so.StoreDir, so.JetStreamMaxStore = dir, dir, 1
	}
	if err := s.start(so, o.Log); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the embedded NATS server: %w", err), s.Close())
	}
	return s, nil
}

// guarded reports whether the server asks who connects.
func (o *Options) guarded() bool { return len(o.Users) > 0 || o.Members != nil }

func nkeyUsers(members []Member) []*server.NkeyUser {
	all := make([]*server.NkeyUser, len(members))
	for i, m := range members {
		all[i] = &server.NkeyUser{Nkey: m.NKey, Permissions: &server.Permissions{Publish: only(m.Publish), Subscribe: only(m.Subscribe)}}
	}
	return all
}

// only allows these subjects. The server takes an empty list for all of them.
func only(subjects []string) *server.SubjectPermission {
	if len(subjects) == 0 {
		return &server.SubjectPermission{Deny: []string{">"}}
	}
	return &server.SubjectPermission{Allow: subjects}
}

// SetMembers puts others in the members' place. Who has lost the right to be
// connected is cut off. It is for a server that was started with Members.
func (s *Server) SetMembers(members []Member) error {
	s.reload.Lock()
	defer s.reload.Unlock()
	o := s.options.Clone()
	o.Nkeys = nkeyUsers(members)
	if err := s.server.ReloadOptions(o); err != nil {
		return fmt.Errorf("changing who may connect to the embedded NATS server: %w", err)
	}
	return nil
}

func listen(so *server.Options, o Options) error {
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("listening on %q: want host:port: %w", o.Listen, err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("listening on %q: port %q is not a number of 0 to 65535", o.Listen, port)
	}
	if !o.guarded() && !loopback(host) {
		return fmt.Errorf("listening on %q: others could reach it and no users are set: set users, or listen on 127.0.0.1", o.Listen)
	}
	for _, u := range o.Users {
		if u.Name == "" || u.Password == "" {
			return fmt.Errorf("listening on %q: user %q: want a name and a password", o.Listen, u.Name)
		}
	}
	if o.Certificate != nil {
		so.TLSTimeout, so.AuthTimeout = tlsTimeout.Seconds(), 2*tlsTimeout.Seconds()
		so.TLSConfig = &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return o.Certificate() },
		}
	}
	so.DontListen, so.Host, so.Port = false, host, int(number)
	if number == 0 {
		so.Port = server.RANDOM_PORT
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (s *Server) start(so *server.Options, log *slog.Logger) error {
	s.options = so.Clone()
	ns, err := server.NewServer(so)
	if err != nil {
		return err
	}
	s.server = ns
	l := &logger{log: log, fatal: make(chan struct{}), last: make(map[string]time.Time)}
	ns.SetLoggerV2(l, false, false, false)
	ns.Start()
	// The server reports what keeps it from starting only to its logger, and
	// then is "running" all the same.
	for deadline := time.Now().Add(startTimeout); ; {
		select {
		case <-l.fatal:
			return errors.New(l.why)
		default:
		}
		if ns.ReadyForConnections(50 * time.Millisecond) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waiting for it to be ready: nothing after %v", startTimeout)
		}
	}
}

// InProcessConn returns a connection that uses no socket.
func (s *Server) InProcessConn() (net.Conn, error) { return s.server.InProcessConn() }

// Login returns the user and password for connections from inside; both are
// empty when no users are set.
func (s *Server) Login() (user, password string) { return s.user.Name, s.user.Password }

// Addr returns the "host:port" that it listens on, or nothing.
func (s *Server) Addr() string {
	if addr := s.server.Addr(); addr != nil {
		return addr.String()
	}
	return ""
}

// Close stops the server and waits until it has stopped. Closing twice is
// fine.
func (s *Server) Close() error {
	s.closed.Do(func() {
		if s.server != nil {
			s.server.Shutdown()
			s.server.WaitForShutdown()
		}
		if s.tempDir != "" {
			if err := os.RemoveAll(s.tempDir); err != nil {
				s.closeErr = fmt.Errorf("closing the embedded NATS server: %w", err)
			}
		}
	})
	return s.closeErr
}
