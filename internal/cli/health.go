package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// healthLimit is how long a program that is well may take to say so.
const healthLimit = 2 * time.Second

// healthAddress is the socket on which the program that runs with the same file
// and flags is asked whether it is well: not what is in the file, as that may have
// a mistake by now. On Linux it is no file.
func (p *Program) healthAddress() (*net.UnixAddr, error) {
	path := p.Common.File()
	if path != "" {
		var err error
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
	}
	same, err := json.Marshal([]any{path, p.Overrides})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(same)
	name := "pharos-" + p.Name + "-" + hex.EncodeToString(sum[:8])
	if runtime.GOOS == "linux" {
		return &net.UnixAddr{Net: "unix", Name: "@" + name}, nil
	}
	return &net.UnixAddr{Net: "unix", Name: filepath.Join(os.TempDir(), name)}, nil
}

// ServeHealth tells systemd how the program is, and answers --health, until ctx is
// done: with what alive says, which must not take longer than two seconds. Where
// the socket is not to be had, nobody is answered.
func (s *Setup) ServeHealth(ctx context.Context, alive func(context.Context) error) error {
	var asked sync.WaitGroup
	defer asked.Wait()
	asked.Go(func() { s.notify(ctx, alive) })
	l, err := s.program.listenHealth()
	if err != nil {
		s.Log.Info("no answer to --health", "error", err)
		return nil
	}
	defer context.AfterFunc(ctx, func() { l.Close() })() // ends Accept
	defer l.Close()
	for ctx.Err() == nil {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() == nil {
				s.Log.Info("no more answers to --health", "error", err)
			}
			return nil
		}
		asked.Go(func() {
			defer conn.Close()
			limited, cancel := context.WithTimeout(ctx, healthLimit)
			defer cancel()
			answer := "ok"
			if err := alive(limited); err != nil {
				answer = err.Error()
			}
			_ = conn.SetDeadline(time.Now().Add(healthLimit))
			_, _ = io.WriteString(conn, answer) // who asked sees that it did not come
		})
	}
	return nil
}

func (p *Program) listenHealth() (net.Listener, error) {
	address, err := p.healthAddress()
	if err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", address)
	if errors.Is(err, syscall.EADDRINUSE) && !strings.HasPrefix(address.Name, "@") {
		// The file may be that of a process that was killed.
		if conn, dialing := net.DialUnix("unix", nil, address); dialing == nil {
			return nil, errors.Join(err, conn.Close())
		}
		if err = os.Remove(address.Name); err == nil {
			l, err = net.ListenUnix("unix", address)
		}
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// askHealth asks the program that runs with the same file and flags whether it
// is well, and says so.
func askHealth(p *Program) error {
	address, err := p.healthAddress()
	if err != nil {
		return err
	}
	conn, err := net.DialTimeout(address.Net, address.Name, healthLimit)
	if err != nil {
		return fmt.Errorf("no %s runs here with this file and these flags: %w", p.Name, err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * healthLimit))
	answer, err := io.ReadAll(io.LimitReader(conn, 1<<10))
	switch {
	case err != nil:
		return fmt.Errorf("it does not answer: %w", err)
	case string(answer) != "ok":
		return fmt.Errorf("it says %q", answer)
	}
	fmt.Println("ok")
	return nil
}
