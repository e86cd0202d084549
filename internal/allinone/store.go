package allinone

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"pharos/internal/config"
	"pharos/internal/pharos"
)

// errTaken says that another process keeps its last values in a folder.
var errTaken = errors.New("another all-in-one uses it")

// store is the folder in which the last values are kept over a restart.
type store struct {
	dir  string   // empty: they are in memory alone
	lock *os.File // nil: nothing is locked
}

// openStore makes the folder that the file's store_dir names and locks it. Where
// the file names none, it is a state folder of the file's own; if that cannot be
// used, the all-in-one runs all the same, and remembers nothing.
func openStore(storeDir, file string, log *slog.Logger) (*store, error) {
	switch {
	case storeDir == config.StoreMemory, storeDir == "" && file == "":
		return &store{}, nil
	case storeDir != "":
		s, err := lockStore(storeDir)
		if err != nil {
			return nil, fmt.Errorf("keeping last values in nats.store_dir: %w", err)
		}
		return s, nil
	}
	dir, err := stateDir(file)
	if err == nil {
		var s *store
		if s, err = lockStore(dir); err == nil {
			return s, nil
		}
	}
	log.Warn("last values are in memory alone: a restart forgets recent flickers and what was pushed; name a folder with nats.store_dir, or write store_dir: memory", "error", err)
	return &store{}, nil
}

// stateDir returns the folder for what is remembered of one file: below
// $STATE_DIRECTORY, $XDG_STATE_HOME/pharos or ~/.local/state/pharos.
func stateDir(file string) (string, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return "", fmt.Errorf("finding the state folder: %w", err)
	}
	sum := sha256.Sum256([]byte(path))
	name := pharos.Token(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))) + "-" + hex.EncodeToString(sum[:4])
	// systemd names all of a unit's folders, with colons.
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); filepath.IsAbs(dir) {
		return filepath.Join(dir, name), nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "pharos", name), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("finding the state folder: %w", err)
	}
	return filepath.Join(home, ".local", "state", "pharos", name), nil
}

// lockStore makes a folder and locks it until Close or the process's end.
func lockStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		if err = lockFile(f); err != nil {
			err = &fs.PathError{Op: "lock", Path: dir, Err: errors.Join(err, f.Close())}
		}
	}
	if err != nil {
		return nil, err
	}
	return &store{dir, f}, nil
}

// Close lets others use the folder. Closing twice is fine.
func (s *store) Close() error {
	if s.lock == nil {
		return nil
	}
	err := s.lock.Close()
	s.lock = nil
	return err
}
