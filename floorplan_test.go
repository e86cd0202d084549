// Package pharos_test keeps the floor plan that the README draws.
package pharos_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// plan names, for each room, the rooms and modules that it may import besides
// the standard library. A room that is not here does not exist.
var plan = map[string][]string{
	"internal/pharos":       {},
	"internal/clock":        {"golang.org/x/sys"},
	"internal/redact":       {},
	"internal/field":        {"internal/pharos", "internal/redact", "gopkg.in/yaml.v3", "golang.org/x/text"},
	"internal/config":       {"internal/pharos", "internal/redact", "internal/field", "golang.org/x/text"},
	"internal/probe":        {"internal/pharos", "internal/redact", "internal/field", "golang.org/x/sys", "golang.org/x/net", "github.com/andybalholm/brotli", "github.com/coder/websocket", "github.com/miekg/dns", "github.com/nats-io/nats.go", "github.com/theory/jsonpath", "google.golang.org/protobuf"},
	"internal/schedule":     {"internal/pharos", "internal/clock", "golang.org/x/sys"},
	"internal/bus":          {"internal/pharos", "github.com/nats-io/nats.go"},
	"internal/bus/embedded": {"github.com/nats-io/nats-server/v2"},
	"internal/board":        {"internal/pharos", "internal/redact", "internal/clock"},
	"internal/keys":         {"internal/pharos", "internal/config", "github.com/nats-io/nkeys"},
	"internal/ui":           {},
	"internal/web":          {"internal/pharos", "internal/redact", "internal/board", "internal/ui", "github.com/labstack/echo/v4", "github.com/prometheus/client_golang", "golang.org/x/crypto", "golang.org/x/sys", "golang.org/x/time"},
	"internal/importer":     {"gopkg.in/yaml.v3"},
	"internal/prober":       {"internal/importer", "internal/pharos", "internal/field", "internal/config", "internal/probe", "internal/redact", "internal/schedule", "internal/bus", "internal/clock", "golang.org/x/sync"},
	"internal/dashboard":    {"internal/pharos", "internal/field", "internal/config", "internal/board", "internal/bus", "internal/ui", "internal/web", "golang.org/x/sync"},
	"internal/allinone":     {"internal/pharos", "internal/config", "internal/keys", "internal/bus", "internal/bus/embedded", "internal/prober", "internal/dashboard", "internal/web", "golang.org/x/sync"},
	"internal/cli":          {"internal/pharos", "internal/field", "internal/config", "internal/keys", "internal/bus", "github.com/alecthomas/kong", "golang.org/x/crypto", "golang.org/x/term"},
	"internal/pharostest":   {"internal/pharos", "internal/config", "internal/bus/embedded", "github.com/nats-io/nats.go", "github.com/nats-io/nats-server/v2", "github.com/chromedp", "go.uber.org/goleak"}, // tests alone import it
	"cmd/prober":            {"internal/pharos", "internal/keys", "internal/cli", "internal/prober", "golang.org/x/sync"},
	"cmd/dashboard":         {"internal/pharos", "internal/bus", "internal/cli", "internal/config", "internal/dashboard", "internal/keys", "golang.org/x/sync"},
	"cmd/allinone":          {"internal/pharos", "internal/cli", "internal/config", "internal/dashboard", "internal/allinone", "internal/keys", "golang.org/x/sync"},
}

// imports returns what the files of each folder import, tests left out, with
// the module's own packages as folders.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string]map[string]bool{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		folder := path.Dir(filepath.ToSlash(name))
		if found[folder] == nil {
			found[folder] = map[string]bool{}
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if own, ok := strings.CutPrefix(p, "pharos/"); ok {
				found[folder][own] = true
			} else if strings.Contains(strings.SplitN(p, "/", 2)[0], ".") {
				found[folder][p] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for folder, set := range found {
		out[folder] = slices.Sorted(maps.Keys(set))
	}
	return out
}

func allowed(rules []string, p string) bool {
	return slices.ContainsFunc(rules, func(rule string) bool {
		return p == rule || !strings.HasPrefix(rule, "internal/") && strings.HasPrefix(p, rule+"/")
	})
}

func TestEveryRoomImportsOnlyWhatItMay(t *testing.T) {
	found := imports(t)
	for folder, imported := range found {
		rules, ok := plan[folder]
		if !ok {
			t.Errorf("%s is a room that is not in the plan", folder)
			continue
		}
		for _, p := range imported {
			if !allowed(rules, p) {
				t.Errorf("%s imports %s, which the plan does not allow", folder, p)
			}
		}
	}
	for folder := range plan {
		if _, ok := found[folder]; !ok {
			t.Errorf("%s is in the plan, but is not there", folder)
		}
	}
}

func TestTheProberStaysSmall(t *testing.T) {
	found := imports(t)
	seen := map[string]bool{}
	var visit func(folder string)
	visit = func(folder string) {
		for _, p := range found[folder] {
			if seen[p] {
				continue
			}
			seen[p] = true
			visit(p)
		}
	}
	visit("cmd/prober")
	if !seen["internal/probe"] {
		t.Fatal("the walk does not reach internal/probe")
	}
	for p := range seen {
		for _, heavy := range []string{"github.com/labstack/echo", "github.com/nats-io/nats-server", "internal/web", "internal/bus/embedded"} {
			if strings.HasPrefix(p, heavy) {
				t.Errorf("cmd/prober links %s", p)
			}
		}
	}
}
