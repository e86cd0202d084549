package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// folder writes files, and returns where.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSeveralFiles(t *testing.T) {
	dir := folder(t, map[string]string{
		"10-main.yaml":       "title: All\ndefaults: {interval: 5s}\nsets:\n  - name: Shop\n    watchers:\n      - {name: A, tcp: \"a:1\"}\n",
		"20-team.yml":        "x-one: &one {fall: 3}\nsets:\n  - name: Team\n    watchers:\n      - {name: A, tcp: \"a:1\", <<: *one}\n  - name: Shop\n    watchers:\n      - {name: B, command: x, dir: here}\n",
		"sub/30.yaml":        "x-one: &one {fall: 4}\nsets: [{name: Shop, watchers: [{name: C, tcp: \"a:1\", <<: *one}]}]\n",
		".hidden.yaml":       "broken: [",
		"10-main.yaml.bak":   "broken: [",
		"40-group.yaml":      "sets: [{name: Sum, watchers: [{name: All, group: {set: Shop}}]}]\nnats: {store_dir: data}\n",
		"odd,name/only.yaml": "sets: [{name: Odd, watchers: [{name: A, tcp: \"a:1\"}]}]\n",
	})
	c, err := Load(dir+","+filepath.Join(dir, "sub", "30.yaml"), env(), kinds...)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Set, Name, Where string
		Fall             int
	}
	var got []row
	for _, w := range c.Watchers {
		got = append(got, row{w.Set, w.Name, strings.TrimPrefix(w.Where, dir+"/"), w.Bounds.Fall})
	}
	want := []row{
		{"Shop", "A", "10-main.yaml: line 6", 1}, {"Shop", "B", "20-team.yml: line 8", 1}, {"Shop", "C", "sub/30.yaml: line 2", 4},
		{"Team", "A", "20-team.yml: line 5", 3}, {"Sum", "All", "40-group.yaml: line 1", 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if c.Title != "All" || c.Watchers[1].Interval.String() != "5s" || c.NATS.StoreDir != filepath.Join(dir, "data") || len(c.Watchers[4].Traits.Of) != 3 {
		t.Errorf("got %+v", c)
	}
	one, err := Load(filepath.Join(dir, "odd,name"), env(), kinds...)
	if err != nil || len(one.Watchers) != 1 {
		t.Errorf("got %v, %v", one, err)
	}
}

func TestSeveralFilesErrors(t *testing.T) {
	dir := folder(t, map[string]string{
		"a.yaml":        "title: A\nsets:\n  - name: Shop\n    watchers:\n      - {name: A, tcp: \"a:1\"}\n      - {name: A, tcp: \"a:2\"}\n",
		"b.yaml":        "title: B\nsets:\n  - name: Shop\n    watchers:\n      - {name: A, tcp: \"a:3\"}\n  - name: Shop\n    watchers: []\n",
		"c.yaml":        "sets: {}\n",
		"d.yaml":        "a: [\n",
		"e.yaml":        "- x\n",
		"f.yaml":        "sets:\n  - {name: F, watchers: [{name: A, tcp: a}]}\ntitel: x\n",
		"none/x.txt":    "",
		"empty.yaml":    "# nothing\n",
		"twice/one.yml": "x: 1\n",
	})
	list := func(names ...string) string {
		for i, name := range names {
			names[i] = filepath.Join(dir, name)
		}
		return strings.Join(names, ",")
	}
	for path, want := range map[string]string{
		list("a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml", "f.yaml"): `a.yaml: line 6: set "Shop": watcher "A" is there twice (first on line 5)
b.yaml: line 1: title is in another file, too (line 1 of a.yaml): write it in one of them
b.yaml: line 5: set "Shop": watcher "A" is there twice (first on line 5 of a.yaml)
b.yaml: line 6: set "Shop" is there twice (first on line 3)
b.yaml: line 7: set "Shop" has no watchers
c.yaml: line 1: sets: want a list, got a mapping
d.yaml: line 2: reading YAML: something here is not YAML
e.yaml: line 1: want a mapping of keys to values, got a list
f.yaml: line 2: tcp: want a host and a port such as "db.example:5432", got "a"
f.yaml: line 3: unknown key "titel" (did you mean "title"?)`,
		list("a.yaml", "empty.yaml"): `a.yaml: line 6: set "Shop": watcher "A" is there twice (first on line 5)
empty.yaml: nothing in it: write what to watch, such as "sets: [{name: First, watchers: [{name: Home page, page: \"https://example.com/\"}]}]"`,
		list("none"):                  `reading the folder "none": no file in it whose name ends in .yaml or .yml`,
		list("a.yaml", "nothing"):     `reading "nothing": no such file or directory`,
		list("twice/one.yml", "none"): `reading the folder "none": no file in it whose name ends in .yaml or .yml`,
	} {
		_, err := Load(path, env(), kinds...)
		if err == nil {
			t.Errorf("%s: no error", path)
			continue
		}
		if diff := cmp.Diff(want, strings.ReplaceAll(err.Error(), dir+"/", "")); diff != "" {
			t.Error(diff)
		}
	}
}
