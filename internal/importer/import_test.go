package importer

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/config"
	"pharos/internal/probe"
)

var update = flag.Bool("update", false, "write the golden files anew")

// kinds are all that there are.
var kinds = func() (all []config.Kind) {
	for _, k := range probe.Kinds {
		all = append(all, config.Kind{Key: k.Key, Doc: k.Doc, Phases: k.Phases, Remote: k.Remote, Through: k.Through, New: func() config.Spec { return k.New() }})
	}
	return all
}()

func TestImport(t *testing.T) {
	for golden, names := range map[string][]string{
		"gatus": {"gatus.yaml"}, "kuma": {"kuma.json"}, "blackbox": {"blackbox.yml", "prometheus.yml"}, "targets": {"targets.yml"}, "original": {"original.py"},
	} {
		t.Run(golden, func(t *testing.T) {
			var inputs []Input
			for _, name := range names {
				data, err := os.ReadFile(filepath.Join("testdata", name))
				if err != nil {
					t.Fatal(err)
				}
				inputs = append(inputs, Input{name, data})
			}
			out, err := Import(inputs...)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", golden+".golden")
			if *update {
				if err := os.WriteFile(golden, out.Data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(out.Data)); diff != "" {
				t.Error(diff)
			}
			if got := strings.Count(string(out.Data), "# not carried over: "); got != out.Left {
				t.Errorf("it counts %d things, and there are %d comments", out.Left, got)
			}
			// What it writes is a file that a prober takes.
			c, err := config.Parse("made.yaml", out.Data, func(string) (string, bool) { return "1", true }, kinds...)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Watchers) == 0 || len(c.Watchers) > out.Watchers {
				t.Errorf("it says that there are %d watchers, and there are %d", out.Watchers, len(c.Watchers))
			}
		})
	}
}

func TestWhatIsNoneOfTheseIsSaid(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "it is none of a Gatus configuration",
		"a: [":                           "it is none of",
		"sets: []":                       "it is none of",
		"[1, 2]":                         "it is none of",
		`{"monitorList": 5}`:             "as an Uptime Kuma backup: ",
		`{"monitorList": []}`:            "nothing in it is watched",
		"endpoints: 5":                   "as a Gatus configuration: ",
		"endpoints: []":                  "nothing in it is watched",
		"modules: {a: {prober: icmp}}":   "nothing in it is watched (not carried over: module a: no target is probed with it; hand over the file of Prometheus, too)",
		"modules: {a: 5}":                "module a: ",
		"import pharos\nwatchers = f(x)": "nothing in it is watched (not carried over: line 2: watchers = f(x))",
	} {
		if _, err := Import(Input{"x", []byte(text)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	if _, err := Import(); err == nil {
		t.Error("no file is no error")
	}
}

// FuzzImport reads whatever: it must end, and what it writes must be YAML whose only
// faults are those of its values.
func FuzzImport(f *testing.F) {
	names, _ := filepath.Glob("testdata/*")
	for _, name := range names {
		if data, err := os.ReadFile(name); err == nil && !strings.HasSuffix(name, ".golden") {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := Import(Input{"x", data})
		if err != nil {
			return
		}
		_, err = config.Parse("made.yaml", out.Data, func(string) (string, bool) { return "1", true }, kinds...)
		if err != nil && strings.Contains(err.Error(), "reading YAML") {
			t.Errorf("%v\n%s", errors.Unwrap(err), out.Data)
		}
	})
}
