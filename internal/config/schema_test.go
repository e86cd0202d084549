package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pharos/internal/field"
)

const (
	schemaFile = "../../docs/pharos.schema.json"
	docsFile   = "../../docs/config.md"
)

// upToDate compares a generated file with the one that is there.
func upToDate(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is out of date, go test with -update writes it anew:\n%s", file, diff)
	}
}

func TestSchemaIsUpToDate(t *testing.T) {
	schema, err := Schema(kinds...)
	if err != nil {
		t.Fatal(err)
	}
	upToDate(t, schemaFile, schema)
}

// TestTablesAreUpToDate makes the tables of the documentation, each between
// "<!-- keys: SECTION -->" and "<!-- end -->".
func TestTablesAreUpToDate(t *testing.T) {
	sections := Tables(kinds...)
	docs, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	rest := string(docs)
	for {
		before, after, ok := strings.Cut(rest, "<!-- keys: ")
		b.WriteString(before)
		if !ok {
			break
		}
		section, body, _ := strings.Cut(after, " -->\n")
		_, rest, ok = strings.Cut(body, "<!-- end -->")
		if !ok || sections[section] == "" {
			t.Fatalf("the table of %q has no end or no such section", section)
		}
		fmt.Fprintf(&b, "<!-- keys: %s -->\n%s<!-- end -->", section, sections[section])
		delete(sections, section)
	}
	for section := range sections {
		t.Errorf("no table for %q", section)
	}
	upToDate(t, docsFile, []byte(b.String()))
}

func TestNoKindHasAKeyThatAllHave(t *testing.T) {
	p := &parser{Reader: field.New(env())}
	for _, kind := range kinds {
		for f := range reflect.TypeOf(kind.New()).Elem().Fields() {
			if key := f.Tag.Get("yaml"); key != "" && p.Knows(new(watcherKeys), key) {
				t.Errorf("%s has the key %q, which every watcher has", kind.Key, key)
			}
		}
	}
}
