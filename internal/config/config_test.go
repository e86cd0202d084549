package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"pharos/internal/field"
	"pharos/internal/probe"
)

var update = flag.Bool("update", false, "write the golden files, the schema and the tables of the documentation anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// env is an environment of these variables alone.
func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

// kinds are all that there are.
var kinds = func() (all []Kind) {
	for _, k := range probe.Kinds {
		all = append(all, Kind{Key: k.Key, Doc: k.Doc, Phases: k.Phases, Remote: k.Remote, Through: k.Through, New: func() Spec { return k.New() }})
	}
	return all
}()

func TestSampleIsGood(t *testing.T) {
	c, err := Parse("sample.yaml", Sample("http://127.0.0.1:8811"), env(), kinds...)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Watchers[2].Target; got != "http://127.0.0.1:8811/sample/page" {
		t.Errorf("got %q", got)
	}
}

func TestWhatIsCutTellsNoSecret(t *testing.T) {
	token := strings.Repeat("a1b2", 30)
	for _, value := range []string{"${API_TOKEN}", "some words before it ${API_TOKEN}", "${API_TOKEN} and some after it"} {
		_, err := Parse("pharos.yaml", []byte("defaults: {interval: \""+value+"\"}"), env("API_TOKEN", token), kinds...)
		if err == nil || strings.Contains(err.Error(), token[:4]) || !strings.Contains(err.Error(), "line 1: defaults.interval: want a duration") {
			t.Errorf("%s: got %v", value, err)
		}
	}
}

// TestBadFiles reads each file of testdata/bad and compares what is said about
// it with the golden file beside it.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("got %d files, wanted at least 40 (%v)", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse("pharos.yaml", data, env("API_TOKEN", "hunter2-hunter2", "EMPTY", ""), kinds...)
			var all field.Errors
			if !errors.As(err, &all) {
				t.Fatalf("got %v, wanted Errors", err)
			}
			got := all.Error() + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(got, "hunter2") || strings.Contains(got, "20261122") {
				t.Errorf("a secret is told: %s", got)
			}
		})
	}
}

func TestErrorsHoldNoControlCharacters(t *testing.T) {
	for _, text := range []string{
		"\"a\\e]0;owned\\a\": 1", "sets: [{name: \"\\e[31m\"}]", "dashboard: {views: {\"\\e[2J\": {}}}", "title: \"\\u202e\"",
		"sets: [{name: a, watchers: [{name: b, command: c, env: {\"\\e[1m\": []}}]}]", "sets: [{name: a, watchers: [{name: b, page: \"http://a/\", headers: {\"X\\e[1m\": 1}}]}]",
		"title: !\x1b x",
	} {
		_, err := Parse("pharos.yaml", []byte(text), env(), kinds...)
		if err == nil || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' && r != '\n' || r == '\u202e' }) {
			t.Errorf("%s: got %q", text, err)
		}
	}
}

func TestVariablesOfTheProgramAreItsOwn(t *testing.T) {
	c, err := Parse("pharos.yaml", []byte("nats: {url: \"nats://${HOST:-a}\", password: \"${NATS_PW}\", user: u}\nsets: [{name: a, watchers: [{name: b, command: \"${PROGRAM}\"}]}]"), env("NATS_PW", "x", "PROGRAM", "true"), kinds...)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Redactor.Environ([]string{"HOST=a", "NATS_PW=x", "PROGRAM=true", "PHAROS_X=1"})
	if diff := cmp.Diff([]string{"PROGRAM=true"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSecretsWithinTexts(t *testing.T) {
	c, err := Parse("pharos.yaml", []byte("sets: [{name: a, watchers: [{name: b, command: \"curl -u admin:tea-party http://a:${PART}@b/\", env: {DATABASE: \"postgres://u:in-env@h/d\"}}]}]"), env("PART", "sla/sh"), kinds...)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Redactor.Text("tea-party sla/sh in-env"); got != "••• ••• •••" {
		t.Errorf("got %q", got)
	}
}
