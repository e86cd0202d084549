package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/field"
)

// followed runs Follow on a file and notes what it says, in bubble time.
type followed struct {
	t    *testing.T
	path string
	hup  chan os.Signal
	said chan string
	stop func()
}

func follow(t *testing.T, first string) *followed {
	f := &followed{t: t, path: filepath.Join(t.TempDir(), "pharos.yaml"), hup: make(chan os.Signal), said: make(chan string, 100)}
	f.write(first)
	c, err := Load(f.path, env(), kinds...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- Follow(ctx, Options{Path: f.path, Getenv: env(), Kinds: kinds, Seen: c.Hash, Hup: f.hup},
			func(c *Config) { f.said <- "applied " + c.Title },
			func(err error) {
				var all field.Errors
				switch {
				case errors.As(err, &all):
					f.said <- "rejected " + all[0].Message
				case errors.Is(err, os.ErrNotExist):
					f.said <- "rejected: gone"
				default:
					f.said <- "rejected " + err.Error()
				}
			})
	}()
	f.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("got %v", err)
		}
	}
	synctest.Wait()
	return f
}

func (f *followed) write(text string) {
	f.t.Helper()
	if err := os.WriteFile(f.path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// wait lets time pass and returns what was said meanwhile.
func (f *followed) wait(d time.Duration) []string {
	time.Sleep(d)
	synctest.Wait()
	var said []string
	for len(f.said) > 0 {
		said = append(said, <-f.said)
	}
	return said
}

func (f *followed) want(d time.Duration, said ...string) {
	f.t.Helper()
	if diff := cmp.Diff(said, f.wait(d)); diff != "" {
		f.t.Error(diff)
	}
}

func TestFollow(t *testing.T) {
	const period = DefaultEvery + settle
	tests := []struct {
		name string
		run  func(f *followed)
	}{
		{"what runs already is not applied again", func(f *followed) {
			f.want(time.Hour)
		}},
		{"the same content written anew is no change", func(f *followed) {
			f.write("title: first")
			f.want(time.Hour)
		}},
		{"new content is applied once", func(f *followed) {
			f.write("title: second")
			f.want(period, "applied second")
			f.want(time.Hour)
		}},
		{"new content counts though the file's time stays", func(f *followed) {
			info, err := os.Stat(f.path)
			if err != nil {
				f.t.Fatal(err)
			}
			f.write("title: other")
			if err := os.Chtimes(f.path, info.ModTime(), info.ModTime()); err != nil {
				f.t.Fatal(err)
			}
			f.want(period, "applied other")
		}},
		{"bad content is rejected once", func(f *followed) {
			f.write("title: [a]")
			f.want(period, "rejected title: want a text, got a list")
			f.want(time.Hour)
		}},
		{"good content that returns is applied", func(f *followed) {
			f.write("title: [a]")
			f.want(period, "rejected title: want a text, got a list")
			f.write("title: first")
			f.want(period, "applied first")
			f.want(time.Hour)
		}},
		{"a file that is gone is rejected once, and taken again when it is back", func(f *followed) {
			if err := os.Remove(f.path); err != nil {
				f.t.Fatal(err)
			}
			f.want(period, "rejected: gone")
			f.want(time.Hour)
			f.write("title: back")
			f.want(period, "applied back")
		}},
		{"content that is still being written waits", func(f *followed) {
			f.write("title: half")
			f.want(DefaultEvery)
			f.write("title: whole")
			f.want(settle)
			f.want(settle, "applied whole")
			f.want(time.Hour)
		}},
		{"a change that is taken back is none", func(f *followed) {
			f.write("title: second")
			f.want(DefaultEvery)
			f.write("title: first")
			f.want(time.Hour)
		}},
		{"a signal reloads at once", func(f *followed) {
			f.write("title: second")
			f.hup <- syscall.SIGHUP
			f.want(0, "applied second")
			f.want(time.Hour)
		}},
		{"a signal is answered though nothing changed", func(f *followed) {
			f.hup <- syscall.SIGHUP
			f.want(0, "applied first")
			f.write("title: [a]")
			f.want(period, "rejected title: want a text, got a list")
			f.hup <- syscall.SIGHUP
			f.want(0, "rejected title: want a text, got a list")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := follow(t, "title: first")
				tt.run(f)
				f.stop()
			})
		})
	}
}

func TestFollowEndsWhileAChangeIsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := follow(t, "title: first")
		f.write("title: second")
		f.want(DefaultEvery)
		f.stop()
	})
}

func TestAFolderIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := folder(t, map[string]string{"a.yaml": "title: One\n"})
		c, err := Load(dir, env(), kinds...)
		if err != nil {
			t.Fatal(err)
		}
		said := make(chan string, 10)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			ended <- Follow(ctx, Options{Path: dir, Getenv: env(), Kinds: kinds, Seen: c.Hash},
				func(c *Config) { said <- c.Title + " " + c.Tagline },
				func(err error) { said <- field.Brief(err) })
		}()
		for _, step := range []struct{ name, text, want string }{
			{"b.yaml", "tagline: Two\n", "One Two"},
			{"b.yaml", "tagline: Three\n", "One Three"},
			{"c.yaml", "title: Four\n", filepath.Join(dir, "c.yaml") + ": line 1: title is in another file, too (line 1 of " + filepath.Join(dir, "a.yaml") + "): write it in one of them"},
			{"c.yaml", "", "One Three"},
			{"b.yaml", "", "One "},
		} {
			name := filepath.Join(dir, step.name)
			if step.text == "" {
				os.Remove(name)
			} else if err := os.WriteFile(name, []byte(step.text), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * DefaultEvery)
			synctest.Wait()
			select {
			case got := <-said:
				if got != step.want {
					t.Errorf("%s %q: got %q, want %q", step.name, step.text, got, step.want)
				}
			default:
				t.Errorf("%s %q: nothing was said", step.name, step.text)
			}
		}
		cancel()
		<-ended
	})
}
