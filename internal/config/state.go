package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pharos/internal/pharos"
)

// StateDir returns the folder for what is remembered of one file: below
// $STATE_DIRECTORY, $XDG_STATE_HOME/pharos or ~/.local/state/pharos.
func StateDir(file string) (string, error) {
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

// KeysDir returns the folder in which the all-in-one of a file makes keys.
func (n NATS) KeysDir(file string) (string, error) {
	if n.Keys != "" {
		return n.Keys, nil
	}
	dir, err := StateDir(file)
	return filepath.Join(dir, "keys"), err
}
