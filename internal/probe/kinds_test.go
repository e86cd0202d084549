package probe

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pharos/internal/field"
)

func TestEveryKindIsWhole(t *testing.T) {
	word := regexp.MustCompile(`^[a-z][a-z_]{0,15}$`)
	seen := map[string]bool{}
	for _, kind := range Kinds {
		t.Run(kind.Key, func(t *testing.T) {
			if !word.MatchString(kind.Key) || seen[kind.Key] {
				t.Errorf("its key %q is no word, or another kind's too", kind.Key)
			}
			seen[kind.Key] = true
			if len(kind.Doc) < 20 {
				t.Error("it has no document")
			}
			for i, phase := range kind.Phases {
				if !word.MatchString(phase) || slices.Contains(kind.Phases[:i], phase) {
					t.Errorf("its phase %q is no word, or is there twice", phase)
				}
			}
			spec := kind.New()
			of := reflect.TypeOf(spec)
			if of.Kind() != reflect.Pointer || of.Elem().Kind() != reflect.Struct || of.Elem().Field(0).Type != reflect.TypeFor[field.Section]() {
				t.Fatalf("its spec is a %v, want a pointer to a struct that begins with a field.Section", of)
			}
			if reflect.ValueOf(kind.New()).Pointer() == reflect.ValueOf(spec).Pointer() {
				t.Error("two specs are one")
			}
			first := of.Elem().Field(1).Tag
			if first.Get("yaml") != kind.Key || first.Get("required") == "" {
				t.Errorf("its first key is %q, want %q, required", first.Get("yaml"), kind.Key)
			}
			for f := range of.Elem().Fields() {
				if f.IsExported() && f.Name != "Section" && (f.Tag.Get("yaml") == "" || len(f.Tag.Get("doc")) < 10) {
					t.Errorf("%s has no key, or no sentence for the document", f.Name)
				}
			}
			// Of a spec that was not read they are asked, too.
			spec.Target()
			spec.Traits()
		})
	}
}

func TestTheDocumentOnKindsHoldsWhatIsTried(t *testing.T) {
	document, err := os.ReadFile("../../docs/adding-a-kind.md")
	if err != nil {
		t.Fatal(err)
	}
	tried, err := os.ReadFile("adding_test.go")
	if err != nil {
		t.Fatal(err)
	}
	code := strings.NewReplacer("documentedTCP", "tcp", "documentedSpec", "tcpSpec").Replace(string(tried))
	if !strings.Contains(string(document), "```go\n"+code+"```\n") {
		t.Error("the document's kind is not that of adding_test.go")
	}
	spec := documentedTCP.New().(*documentedSpec)
	spec.TCP = field.Endpoint(listen(t, says("")))
	if r := watch(t, of(spec)); r.Summary != "" || fact(r, "address") != string(spec.TCP) || phase(r, "connect") == 0 || !r.Value.OK {
		t.Errorf("got %+v", r)
	}
	spec.TCP = field.Endpoint(unused(t))
	if r := watch(t, of(spec)); r.Summary != "connection refused" {
		t.Errorf("got %+v", r)
	}
}
