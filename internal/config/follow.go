package config

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

// The rhythm of Follow.
const (
	DefaultEvery = 5 * time.Second
	settle       = 200 * time.Millisecond
)

// Options say which file is followed, and how.
type Options struct {
	Path   string // as Files takes it
	Getenv func(string) (string, bool)
	Seen   [sha256.Size]byte // the Hash of the configuration that runs already
	Kinds  []Kind            // of watchers
	Every  time.Duration     // how often the content is looked at; 0: DefaultEvery
	Hup    <-chan os.Signal  // asks for a reload at once; nil: nobody does
}

// Follow looks at a file until the context is done, which is no error. It
// calls apply with each new content that is good and reject with the reason
// for each that is not; the last one applied stays in force. Both are called
// from here, one at a time.
//
// Content counts, not the time of a change: it is taken once two looks in a
// row see the same, so that no half-written file is. What has been applied or
// rejected is not again before it changes; but after something rejected
// (a file that is gone, too) the good content that returns is applied anew,
// and a signal always gets its answer.
func Follow(ctx context.Context, o Options, apply func(*Config), reject func(error)) error {
	orDefault(&o.Every, DefaultEvery)
	f := follower{Options: o, files: make(map[string]*pharos.FileReader), apply: apply, reject: reject, told: sight{hash: o.Seen}}
	f.last = f.told
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-o.Hup:
			now, files, err := f.look(ctx)
			if ctx.Err() != nil {
				return nil
			}
			f.tell(now, files, err)
			f.last = now
			timer.Reset(o.Every)
		case <-timer.C:
			now, files, err := f.look(ctx)
			switch {
			case ctx.Err() != nil:
				return nil
			case now == f.told:
				timer.Reset(o.Every)
			case now != f.last:
				timer.Reset(settle)
			default:
				f.tell(now, files, err)
				timer.Reset(o.Every)
			}
			f.last = now
		}
	}
}

// sight is what one look at the file saw.
type sight struct {
	hash [sha256.Size]byte
	why  string // it could not be read
}

type follower struct {
	Options
	files  map[string]*pharos.FileReader // by name
	apply  func(*Config)
	reject func(error)
	told   sight // what was applied or rejected last
	last   sight // what was seen last
}

// look returns what the file holds, and the same in short.
func (f *follower) look(ctx context.Context) (sight, []File, error) {
	names, err := Files(f.Path)
	if err != nil {
		return sight{why: err.Error()}, nil, err
	}
	maps.DeleteFunc(f.files, func(name string, _ *pharos.FileReader) bool { return !slices.Contains(names, name) })
	files := make([]File, len(names))
	for i, name := range names {
		if f.files[name] == nil {
			f.files[name] = new(pharos.FileReader)
		}
		data, err := f.files[name].Read(ctx, name, field.MaxFile)
		if err != nil {
			err = fmt.Errorf("reading %q: %w", name, err)
			return sight{why: err.Error()}, nil, err
		}
		files[i] = File{name, data}
	}
	return sight{hash: hashOf(files)}, files, nil
}

// tell applies or rejects what was seen.
func (f *follower) tell(now sight, files []File, err error) {
	f.told = now
	var c *Config
	if err == nil {
		c, err = ParseAll(files, f.Getenv, f.Kinds...)
	}
	if err != nil {
		f.reject(err)
		return
	}
	f.apply(c)
}
