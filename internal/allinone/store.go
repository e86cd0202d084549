package allinone

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"pharos/internal/config"
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
	dir, err := config.StateDir(file)
	if err == nil {
		var s *store
		if s, err = lockStore(dir); err == nil {
			return s, nil
		}
	}
	log.Warn("last values are in memory alone: a restart forgets recent flickers and what was pushed; name a folder with nats.store_dir, or write store_dir: memory", "error", err)
	return &store{}, nil
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
