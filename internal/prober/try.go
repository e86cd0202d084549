package prober

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"pharos/internal/config"
	"pharos/internal/pharos"
	"pharos/internal/probe"
	"pharos/internal/redact"
	"pharos/internal/schedule"
)

// TryCommand is the command that runs watchers once and says what they see.
type TryCommand struct {
	Names []string `arg:"" optional:"" name:"name" help:"Names or ids of watchers, or names of sets; without any, all watchers of the file."`
	JSON  bool     `help:"Print also the message that would be sent, and on which subject."`
}

// tryAtOnce is how many watchers run at the same time.
const tryAtOnce = 8

// Run runs the watchers once, without NATS, and prints what each saw. The error says
// that not all are ok, or that there is no such watcher.
func (t *TryCommand) Run(ctx context.Context, c *config.Config, out io.Writer) error {
	chosen, err := t.chosen(c)
	if err != nil {
		return err
	}
	var mu sync.Mutex // guards seen
	seen := map[pharos.WatcherID]pharos.Result{}
	engine := probe.New(probe.Options{Version: pharos.Version, Last: func(id pharos.WatcherID) (pharos.Result, bool) {
		mu.Lock()
		defer mu.Unlock()
		r, ok := seen[id]
		return r, ok
	}})
	defer engine.Close()
	redactor := c.Redactor.WithEnvironment(os.Environ())
	// What others are made of comes first.
	for left := chosen; len(left) > 0; {
		ready := slices.DeleteFunc(slices.Clone(left), func(w *pharos.Watcher) bool {
			return slices.ContainsFunc(w.Traits.Of, func(m pharos.Named) bool {
				return slices.ContainsFunc(left, func(o *pharos.Watcher) bool { return o.ID == m.ID })
			})
		})
		left = slices.DeleteFunc(left, func(w *pharos.Watcher) bool { return slices.Contains(ready, w) })
		var runs errgroup.Group
		runs.SetLimit(tryAtOnce)
		for _, w := range ready {
			runs.Go(func() error {
				r, err := once(ctx, engine, c, w, redactor)
				mu.Lock()
				defer mu.Unlock()
				seen[w.ID] = r
				return err
			})
		}
		if err := runs.Wait(); err != nil {
			return err
		}
	}
	bad := 0
	for i := range c.Watchers {
		w := &c.Watchers[i]
		r, ok := seen[w.ID]
		if !ok {
			continue
		}
		if r.Status.Bad() {
			bad++
		}
		t.print(out, c, w, &r)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d are not ok", bad, len(seen))
	}
	return nil
}

// chosen returns the watchers that are meant, and those that they are made of.
func (t *TryCommand) chosen(c *config.Config) (chosen []*pharos.Watcher, err error) {
	wanted := map[pharos.WatcherID]bool{}
	for _, name := range t.Names {
		found := false
		for _, w := range c.Watchers {
			if w.Name == name || w.Set == name || string(w.ID) == name || w.Set+" / "+w.Name == name {
				wanted[w.ID], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("no watcher and no set is named %q: --check -v lists them all", name)
		}
	}
	for more := true; more; {
		more = false
		for _, w := range c.Watchers {
			for _, m := range w.Traits.Of {
				if wanted[w.ID] && !wanted[m.ID] {
					wanted[m.ID], more = true, true
				}
			}
		}
	}
	for i := range c.Watchers {
		if w := &c.Watchers[i]; len(t.Names) == 0 || wanted[w.ID] {
			chosen = append(chosen, w)
		}
	}
	return chosen, nil
}

// once runs a watcher once. The error says that it cannot be prepared.
func once(ctx context.Context, e *probe.Engine, c *config.Config, w *pharos.Watcher, redactor *redact.Redactor) (pharos.Result, error) {
	p, err := e.Prepare(*w, redactor)
	if err != nil {
		return pharos.Result{}, at(*w, err)
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	began := time.Now()
	m := p.Run(ctx, pharos.NewTrace(nil))
	if m.Outcome == pharos.NotYet {
		return pharos.Result{Summary: "nothing to say so far", At: began}, nil
	}
	return schedule.Judge(w, &m, began), nil
}

func (t *TryCommand) print(out io.Writer, c *config.Config, w *pharos.Watcher, r *pharos.Result) {
	value, unit := pharos.Display(r.Value, r.Unit, r.Text)
	if value == r.Status.String() { // of a command that says no more
		value = ""
	}
	fmt.Fprintf(out, "%s / %s: %s\n", w.Set, w.Name, strings.Join(slices.DeleteFunc([]string{
		r.Status.String(), strings.TrimSpace(value + " " + unit), r.Summary,
	}, func(s string) bool { return s == "" }), ", "))
	line := func(name, text string) { fmt.Fprintf(out, "  %-14s %s\n", name, text) }
	line(w.Kind, w.Target)
	var phases []string
	for _, p := range r.Phases {
		phases = append(phases, strings.ReplaceAll(p.Name, "_", " ")+" "+pharos.SayTime(p.Took.Duration()))
	}
	if phases != nil {
		line("phases", strings.Join(phases, ", "))
	}
	for _, f := range r.Facts {
		line(f.Name, f.Value)
	}
	for text := range strings.Lines(r.Detail) {
		fmt.Fprintf(out, "  | %s\n", strings.TrimSuffix(text, "\n"))
	}
	if w.Traits.Pushed {
		line("listens to", pharos.PushSubject(w.ID))
	}
	if t.JSON {
		data, err := r.Encode(pharos.MaxMessage)
		if err != nil {
			data = []byte(err.Error())
		}
		line("subject", pharos.ResultSubject(pharos.Token(c.Prober), w.ID))
		line("message", string(data))
	}
}
