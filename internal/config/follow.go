package config

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
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
	Path   string
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
	f := follower{Options: o, apply: apply, reject: reject, told: sight{hash: o.Seen}}
	f.last = f.told
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-o.Hup:
			now, data, err := f.look(ctx)
			if ctx.Err() != nil {
				return nil
			}
			f.tell(now, data, err)
			f.last = now
			timer.Reset(o.Every)
		case <-timer.C:
			now, data, err := f.look(ctx)
			switch {
			case ctx.Err() != nil:
				return nil
			case now == f.told:
				timer.Reset(o.Every)
			case now != f.last:
				timer.Reset(settle)
			default:
				f.tell(now, data, err)
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
	file   pharos.FileReader
	apply  func(*Config)
	reject func(error)
	told   sight // what was applied or rejected last
	last   sight // what was seen last
}

// look returns what the file holds, and the same in short.
func (f *follower) look(ctx context.Context) (sight, []byte, error) {
	data, err := f.file.Read(ctx, f.Path, field.MaxFile)
	if err != nil {
		err = fmt.Errorf("reading %q: %w", f.Path, err)
	}
	if err != nil {
		return sight{why: err.Error()}, nil, err
	}
	return sight{hash: sha256.Sum256(data)}, data, nil
}

// tell applies or rejects what was seen.
func (f *follower) tell(now sight, data []byte, err error) {
	f.told = now
	var c *Config
	if err == nil {
		c, err = Parse(f.Path, data, f.Getenv, f.Kinds...)
	}
	if err != nil {
		f.reject(err)
		return
	}
	f.apply(c)
}
