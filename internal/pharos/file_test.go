package pharos

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(file, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadFile(file, 100); err != nil || string(data) != "0123456789" {
		t.Errorf("got %q, %v", data, err)
	}
	if data, err := ReadFile(file, 5); err != nil || len(data) != 6 {
		t.Errorf("got %q, %v, want a byte more than the limit", data, err)
	}
	if _, err := ReadFile(file+"x", 5); !errors.Is(err, os.ErrNotExist) || err.Error() != "no such file or directory" {
		t.Errorf("got %v", err)
	}
	began := time.Now()
	if data, err := ReadFile(pipe, 100); len(data) != 0 || time.Since(began) > time.Minute {
		t.Errorf("got %q, %v of a pipe that nobody writes to", data, err)
	}
}
