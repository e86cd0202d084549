package pharos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// fileLimit is how long reading a file may take.
const fileLimit = 5 * time.Second

var errSlowFile = errors.New("it took longer than " + fileLimit.String() + ": a pipe to which nobody writes, or a disk that does not answer")

// ReadFile reads a file of at most so many bytes; of a longer one, it returns one
// byte more. It does not wait for a disk or a writer that does not answer for
// longer than five seconds. The error does not name the file.
func ReadFile(path string, most int64) ([]byte, error) {
	return new(FileReader).Read(context.Background(), path, most)
}

// FileReader reads one file again and again, as ReadFile does. While a disk does
// not answer, it does not ask once more.
type FileReader struct {
	reading chan content // the read under way; nil: there is none
}

type content struct {
	data []byte
	err  error
}

// Read is ReadFile, which also ends when ctx is done.
func (r *FileReader) Read(ctx context.Context, path string, most int64) ([]byte, error) {
	if r.reading == nil {
		read := make(chan content, 1)
		r.reading = read
		go func() {
			data, err := readFile(path, most)
			read <- content{data, err}
		}()
	}
	slow := time.NewTimer(fileLimit)
	defer slow.Stop()
	select {
	case c := <-r.reading:
		r.reading = nil
		return c.data, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-slow.C:
		return nil, errSlowFile
	}
}

func readFile(path string, most int64) ([]byte, error) {
	// To open a pipe would wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	f.SetReadDeadline(time.Now().Add(fileLimit)) // which ends waiting for a pipe; a disk has none
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, errSlowFile
	}
	if err != nil {
		return nil, plain(err)
	}
	return data, nil
}

// plain drops operation and path.
func plain(err error) error {
	if at, ok := errors.AsType[*os.PathError](err); ok {
		return at.Err
	}
	return fmt.Errorf("reading: %w", err)
}
