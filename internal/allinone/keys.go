package allinone

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"pharos/internal/bus/embedded"
	"pharos/internal/config"
	"pharos/internal/keys"
)

// keysEvery is how often the folder of keys is looked at.
const keysEvery = time.Second

// folder says who may connect to the server inside. A nil one says nothing.
type folder struct {
	*keys.Folder
	known []keys.Member // the last that were good
}

func openKeys(n config.NATS, file string) (*folder, error) {
	if !keys.Guarded(n, file) {
		return nil, nil
	}
	f, err := keys.MakeInside(n, file, nil)
	if err != nil {
		return nil, fmt.Errorf("nats.listen: %w", err)
	}
	return &folder{Folder: f}, nil
}

// members returns who may connect; nil: nobody is asked.
func (f *folder) members() ([]embedded.Member, error) {
	if f == nil {
		return nil, nil
	}
	list, err := f.List()
	if err != nil {
		return nil, err
	}
	f.known = list
	all := make([]embedded.Member, len(list))
	for i, m := range list {
		r := m.Role.Rights()
		all[i] = embedded.Member{NKey: m.NKey, Publish: r.Publish, Subscribe: r.Subscribe}
	}
	return all, nil
}

// follow hands set the members when they have changed, until ctx is done. While
// the folder cannot be read, they stay.
func (f *folder) follow(ctx context.Context, set func([]embedded.Member) error, log *slog.Logger) error {
	look := time.NewTicker(keysEvery)
	defer look.Stop()
	for said := ""; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
		before := f.known
		members, err := f.members()
		if err == nil && !slices.Equal(before, f.known) {
			if err = set(members); err == nil {
				log.Info("other keys are in force", "keys", len(members))
			} else {
				f.known = before
			}
		}
		why := ""
		if err != nil {
			why = err.Error()
		}
		if why != said && err != nil {
			log.Error("the keys are as they were", "error", err)
		}
		said = why
	}
}

// serverCertificate returns what reads the server's certificate anew at each
// handshake; nil: it does not listen, or has none.
func serverCertificate(n config.NATS, f *folder) (func() (*tls.Certificate, error), error) {
	certificate, key, name := n.CertFile, n.KeyFile, "nats.cert_file and nats.key_file"
	if certificate == "" && f != nil {
		certificate, key = f.ServerFiles()
		name = "the server's certificate"
	}
	if n.Listen == "" || certificate == "" {
		return nil, nil
	}
	read := func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		return &c, nil
	}
	_, err := read()
	return read, err
}
