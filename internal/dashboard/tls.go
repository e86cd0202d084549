package dashboard

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"pharos/internal/config"
)

// lookAgain is how long a certificate is used without a look at its files.
const lookAgain = time.Second

// certificate is what the board is served with: its files are read again when
// they have changed. While they cannot be read, the last one that could be is
// used.
type certificate struct {
	files config.TLS
	log   *slog.Logger

	mu     sync.Mutex // guards what follows
	pair   *tls.Certificate
	state  [2]file // of the files, when they were read last
	looked time.Time
}

// file is what shows that a file has changed.
type file struct {
	size int64
	at   time.Time
}

func stat(path string) file {
	info, err := os.Stat(path)
	if err != nil {
		return file{}
	}
	return file{info.Size(), info.ModTime()}
}

// readCertificate returns a certificate that can be used.
func readCertificate(files config.TLS, log *slog.Logger) (*certificate, error) {
	c := &certificate{files: files, log: log}
	return c, c.read()
}

func (c *certificate) read() error {
	c.state = [2]file{stat(c.files.CertFile), stat(c.files.KeyFile)}
	pair, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	if err != nil {
		if missing, ok := err.(*fs.PathError); ok {
			return fmt.Errorf("dashboard.tls: reading %q: %w", missing.Path, missing.Err)
		}
		return fmt.Errorf("dashboard.tls: reading %q and %q: %w", c.files.CertFile, c.files.KeyFile, err)
	}
	c.pair = &pair
	return nil
}

// get returns the certificate for a connection.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookAgain {
		c.looked = now
		if c.state != [2]file{stat(c.files.CertFile), stat(c.files.KeyFile)} {
			if err := c.read(); err != nil {
				c.log.Error("the certificate stays as it was", "error", err)
			} else {
				c.log.Info("the new certificate is in force")
			}
		}
	}
	return c.pair, nil
}

// config is that of a listener. Streams are taken over from HTTP/1.1.
func (c *certificate) config() *tls.Config {
	return &tls.Config{GetCertificate: c.get, NextProtos: []string{"http/1.1"}}
}
