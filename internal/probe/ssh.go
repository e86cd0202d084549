package probe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// sshHosts keeps one connection to each ssh host, through which all of its
// runs go: a master of the system's ssh, as a child in the foreground, so that
// it is known when it is up and when it is gone, and ends with the engine.
type sshHosts struct {
	reaper *reaper
	log    *slog.Logger
	ctx    context.Context // ends the masters
	cancel context.CancelFunc
	ended  sync.WaitGroup // of masters

	mu      sync.Mutex // guards what follows
	dir     string     // private, of the masters' sockets; empty until there is one
	masters map[string]*master
	closed  bool
}

// master is one connection. up is closed when sessions can go through it, dead
// when it has ended.
type master struct {
	up, dead chan struct{}
	err      error // why; valid after dead
}

func newSSHHosts(r *reaper, log *slog.Logger) *sshHosts {
	ctx, cancel := context.WithCancel(context.Background())
	return &sshHosts{reaper: r, log: log, ctx: ctx, cancel: cancel, masters: make(map[string]*master)}
}

func (s *sshHosts) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.ended.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		return nil
	}
	dir := s.dir
	s.dir = ""
	return os.RemoveAll(dir)
}

// sshError is a failure of ssh itself, not of what was to be run through it.
type sshError struct {
	host string
	err  error
}

func (e *sshError) Error() string { return "ssh to " + e.host + ": " + e.err.Error() }
func (e *sshError) Unwrap() error { return e.err }

// argv returns the command line that runs a script, read from its standard
// input, through the kept connection to host. It is the same for every script:
// nothing of a watcher is ever on a command line there.
func (s *sshHosts) argv(host string) ([]string, error) {
	socket, err := s.socket(host)
	if err != nil {
		return nil, err
	}
	return append(sshArgs(socket), "-o", "ControlMaster=no", "--", host, "exec sh"), nil
}

func sshArgs(socket string) []string {
	return []string{"ssh", "-T", "-a", "-x", "-S", socket, "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR"}
}

func (s *sshHosts) socket(host string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "pharos-ssh-") // of mode 0700
		if err != nil {
			return "", fmt.Errorf("making a folder for the sockets of ssh: %w", err)
		}
		if len(dir) > 70 { // a socket's path has 107 bytes, and ssh appends to it
			os.Remove(dir)
			return "", fmt.Errorf("making a folder for the sockets of ssh: %q is too long, want a shorter TMPDIR", dir)
		}
		s.dir = dir
	}
	sum := sha256.Sum256([]byte(host))
	return strings.ReplaceAll(filepath.Join(s.dir, hex.EncodeToString(sum[:6])), "%", "%%"), nil
}

// ready waits until there is a connection to host. Each call that finds none
// tries once; a try goes on when the caller's time is over. The error is an
// *sshError.
func (s *sshHosts) ready(ctx context.Context, host string) error {
	m, err := s.master(host)
	if err != nil {
		return &sshError{host, err}
	}
	select {
	case <-m.up:
		return nil
	case <-m.dead:
		return &sshError{host, m.err}
	case <-ctx.Done():
		return &sshError{host, errors.New("not connected yet")}
	}
}

// alive reports whether the connection to host is up.
func (s *sshHosts) alive(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.masters[host]
	return m != nil && !isClosed(m.dead)
}

// isUp reports whether runs can go to host now.
func (s *sshHosts) isUp(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.masters[host]
	return m != nil && isClosed(m.up) && !isClosed(m.dead)
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (s *sshHosts) master(host string) (*master, error) {
	socket, err := s.socket(host)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("closed")
	}
	if m := s.masters[host]; m != nil && !isClosed(m.dead) {
		return m, nil
	}
	m := &master{up: make(chan struct{}), dead: make(chan struct{})}
	s.masters[host] = m
	// LocalCommand runs when the socket is there. The intervals notice a cut
	// line within seconds.
	argv := append(sshArgs(socket), "-M", "-N", "-o", "ControlPersist=no", "-o", "ServerAliveInterval=2", "-o", "ServerAliveCountMax=2",
		"-o", "ClearAllForwardings=yes", "-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo up", "--", host)
	s.ended.Go(func() {
		defer close(m.dead)
		if m.err = s.run(m, argv); isClosed(m.up) && s.ctx.Err() == nil {
			s.log.Warn("an ssh connection ended", "host", host, "err", m.err)
		}
	})
	return m, nil
}

// run keeps one master until it ends, and says why it did.
func (s *sshHosts) run(m *master, argv []string) error {
	var up sync.Once
	var stderr capture
	out, outEnd, err := newPipe(func(b []byte) {
		if len(b) > 0 {
			up.Do(func() { close(m.up) })
		}
	})
	if err != nil {
		return err
	}
	defer out.finish()
	errs, errsEnd, err := newPipe(stderr.add)
	if err != nil {
		outEnd.Close()
		return err
	}
	defer errs.finish()
	cmd := exec.CommandContext(s.ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = outEnd, errsEnd
	c, err := s.reaper.start(cmd, false)
	closeEnds(cmd)
	if err != nil {
		if ownFault(err) != "" {
			return err
		}
		return errors.New(describeStart(err, argv[0], ""))
	}
	state, err := s.reaper.wait(s.ctx, c)
	errs.finish()
	if line := stderr.lastLine(nil); line != "" {
		return errors.New(line)
	}
	if err != nil {
		return err
	}
	return errors.New(state.String())
}

// remote is a program to run on an ssh host.
type remote struct {
	argv  []string
	env   []string // "NAME=value", the name an identifier
	dir   string
	input string // its standard input
	// plainNumbers has numbers written with a point.
	plainNumbers bool
}

// runThere runs a program on an ssh host until it ends or ctx does. The error is an
// *sshError.
func (e *Engine) runThere(ctx context.Context, host string, r remote, said, stderr *capture) (*os.ProcessState, error) {
	argv, err := e.ssh.argv(host)
	if err != nil {
		return nil, &sshError{host, err}
	}
	if err := e.ssh.ready(ctx, host); err != nil {
		return nil, err
	}
	state, err := e.run(ctx, running{argv: argv, input: r.script(e.reaper.mark), shown: stderr, said: said, apart: true})
	if err != nil {
		if ownFault(err) == "" {
			err = errors.New(describeStart(err, argv[0], ""))
		}
		return nil, &sshError{host, err}
	}
	return state, nil
}

// script returns the program as a script for any POSIX shell. The script ends
// what it started, children included, when its own standard input ends: ssh
// tells the far side of a killed client in no other way. Children are found by
// their session, where the host has setsid, and by the mark in their
// environment, where it has /proc.
func (r remote) script(mark string) string {
	var b strings.Builder
	b.WriteString("{ exec 3<&0\n") // in braces: read whole before it runs
	if r.plainNumbers {
		b.WriteString("[ -z \"${LC_ALL-}\" ] || { LANG=$LC_ALL; export LANG; unset LC_ALL; }\nexport LC_NUMERIC=C\n")
	}
	for _, v := range r.env {
		name, value, _ := strings.Cut(v, "=")
		b.WriteString("export " + name + "=" + quote(value) + "\n")
	}
	if r.dir != "" {
		b.WriteString("cd " + quote(r.dir) + " || exit\n")
	}
	own := remoteMarkName + "=" + mark + "-$$_" // the end tells 12 from 123
	b.WriteString("if command -v setsid >/dev/null 2>&1; then s=setsid g=-; else s= g=; fi\n" +
		"m=" + own + "\n" + own + " $s")
	for _, arg := range r.argv {
		b.WriteString(" " + quote(arg))
	}
	if r.input == "" {
		b.WriteString(" 3<&- </dev/null & c=$!\n")
	} else {
		b.WriteString(" 3<&- <<'" + mark + "' & c=$!\n" + r.input + "\n" + mark + "\n")
	}
	// The script goes first: it would end this watch over its input.
	b.WriteString("{ cat <&3; kill -9 $$; kill -9 $g$c\n" +
		"for p in /proc/[0-9]*; do if grep -qs $m $p/environ; then kill -9 ${p#/proc/}; fi; done; } >/dev/null 2>&1 & w=$!\n" +
		"wait $c; e=$?\n{ kill $w; kill -9 $g$c; } 2>/dev/null\nexit $e; }\n")
	return b.String()
}

// remoteMarkName is what markName is here, for the far side.
const remoteMarkName = "PHAROS_REMOTE_RUN"

// quote returns s as one word of a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
