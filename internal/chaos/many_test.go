//go:build chaos

package chaos

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/pharostest"
)

func severalDashboards(w *world, l *ledger) {
	const (
		interval = time.Second
		fault    = "three dashboards beside each other"
	)
	s := newSite(w, 10, interval, 0)
	screens := []*pharostest.Screen{s.screen}
	for range 2 {
		address := pharostest.FreeAddress(w.T)
		w.startDashboard(address)
		screens = append(screens, pharostest.NewScreen(w, address, pharostest.DialHere))
	}
	for _, one := range screens {
		one.Await(w, "a green board", s.green)
	}
	began := time.Now()
	w.Run("flickering", func(t *testing.T) {
		for i, g := range s.targets {
			t.Run(id(i), func(t *testing.T) {
				t.Parallel()
				s := s.in(t)
				for range 4 {
					s.anyMoment(2 * interval)
					g.Turn(t, pharostest.Fails)
					s.pause(interval * 12 / 10)
					g.Turn(t, pharostest.Answers)
					s.pause(interval * 12 / 10)
				}
			})
		}
	})
	w.pause(interval)
	// Of each tile, the same changes in the same order, at nearly the same time.
	changes := func(one *pharostest.Screen) map[string][]pharostest.Moment {
		all := map[string][]pharostest.Moment{}
		one.Look(func(v *pharostest.View) {
			for _, m := range v.Moments {
				if m.At.After(began) {
					all[m.ID] = append(all[m.ID], m)
				}
			}
		})
		return all
	}
	first, different := changes(screens[0]), 0
	for _, one := range screens[1:] {
		second := changes(one)
		for id, ms := range first {
			if len(ms) != len(second[id]) {
				w.Errorf("%s: %d changes on one dashboard, %d on another", id, len(ms), len(second[id]))
				different++
				continue
			}
			for i, m := range ms {
				if m.Status != second[id][i].Status {
					different++
				}
				l.took(fault, "the same, change by change", m.At.Sub(second[id][i].At).Abs(), 50*time.Millisecond)
			}
		}
	}
	// The order of the tiles is the same, too.
	orders := make([]map[int]string, len(screens))
	for i, one := range screens {
		orders[i] = map[int]string{}
		one.Look(func(v *pharostest.View) {
			for n, t := range v.Tiles {
				orders[i][n] = t.Text("id") + " " + t.Status()
			}
		})
		if diff := cmp.Diff(orders[0], orders[i]); diff != "" {
			w.Error(diff)
			different++
		}
	}
	l.lost(fault, fmt.Sprintf("%d differences", different), different > 0)
}

func publishedTwice(w *world, l *ledger) {
	s := newSite(w, 4, time.Second, 0)
	for range 4 {
		began := time.Now()
		other := w.startProberWith("share: false\n", "berlin", "p2", s.watchers)
		said := ""
		named := s.screen.Await(w, "both named", func(v *pharostest.View) bool { said = notice(v, "published twice"); return said != "" })
		l.took("two probers publish the same watchers", said, named.Sub(began), barStale)
		w.pause(2 * time.Second)
		stopped := time.Now()
		other.stop(w.T)
		l.took("the second one stopped", "no more of it, all green", s.screen.Await(w, "no notice", s.green).Sub(stopped), barGoodbye)
	}
	changes := 0
	s.screen.Look(func(v *pharostest.View) {
		for _, m := range v.Moments {
			if m.Status != "ok" && m.Status != "waiting" && m.ID != "" {
				changes++
			}
		}
	})
	l.lost("two probers publish the same watchers", fmt.Sprintf("%d tiles not green", changes), changes > 0)
}

func allInOneKilled(w *world, l *ledger) {
	const interval = time.Second
	program := filepath.Join(w.dir, "allinone")
	goBuild(w.T, program, "pharos/cmd/allinone")
	address := pharostest.FreeAddress(w.T)
	s := &site{world: w, address: address, targets: newTargets(w.T, 4)}
	for i, g := range s.targets {
		s.watchers = append(s.watchers, watched{fmt.Sprintf("w%d", i), g, interval, 0})
	}
	store, err := json.Marshal(filepath.Join(w.dir, "store"))
	if err != nil {
		w.Fatal(err)
	}
	config := w.write(fmt.Sprintf("nats: {store_dir: %s}\n%s", store, file(s.watchers)))
	begin := func() *process {
		return start(w.T, w.dir, "allinone", program, "-c", config, "--listen", address, "--site", "berlin", "--prober", "p1", "-v")
	}
	p := begin()
	s.screen = pharostest.NewScreen(w, address, pharostest.DialHere)
	s.screen.Await(w, "a green board", s.green)
	missing := 0
	for range 5 {
		g := s.targets[0]
		g.Turn(w, pharostest.Fails)
		w.pause(interval * 12 / 10)
		g.Turn(w, pharostest.Answers)
		s.screen.Await(w, "a green board", s.green)
		w.pause(100 * time.Millisecond) // until its store has what its board has
		w.anyMoment(time.Second)
		killed := time.Now()
		p.kill()
		l.took("all-in-one kill -9", "the overlay", s.screen.Await(w, "the veil", func(v *pharostest.View) bool { return v.Covered }).Sub(killed), 4*time.Second)
		began := time.Now()
		p = begin()
		l.took("all-in-one started again", "all green", s.screen.Await(w, "a green board", s.green).Sub(began), barBack)
		missing += remembers(w, afterglowOf(w, s.screen, id(0)), g.Truth(), interval)
	}
	l.lost("all-in-one started again", fmt.Sprintf("%d flickers", missing), missing > 0)
}
