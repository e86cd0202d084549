package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	schemaFile = "../../docs/pharos.schema.json"
	docsFile   = "../../docs/config.md"
)

// object is one part of a JSON Schema; encoding/json writes its keys in
// alphabetical order.
type object = map[string]any

func ref(name string) object { return object{"$ref": "#/$defs/" + name} }

func listOf(item object) object { return object{"type": "array", "items": item} }

func anyOf(forms ...object) object { return object{"anyOf": forms} }

// definitions are the shapes of single values. A variable may stand for any.
func definitions() object {
	variable := object{"type": "string", "pattern": `^\$\{[A-Z_][A-Z0-9_]*(:-[^}]*)?\}$`}
	return object{
		"variable":   variable,
		"duration":   object{"type": "string", "pattern": `^(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+$|\$\{`},
		"name":       object{"type": "string", "minLength": 1, "maxLength": maxNameRunes},
		"count":      anyOf(object{"type": "integer", "minimum": 1, "maximum": 1_000_000}, ref("variable")),
		"yes_no":     anyOf(object{"type": "boolean"}, ref("variable")),
		"bound":      object{"type": []string{"number", "string"}},
		"patterns":   anyOf(object{"type": "string"}, listOf(object{"type": "string"})),
		"status":     anyOf(object{"type": "integer", "minimum": 100, "maximum": 599}, object{"type": "string", "pattern": `^[1-5][0-9][0-9] *- *[1-5][0-9][0-9]$|^[1-5][0-9][0-9]$|\$\{`}),
		"dictionary": object{"type": "object", "additionalProperties": object{"type": []string{"string", "number", "boolean"}}},
		"size":       anyOf(object{"type": "number", "minimum": 1, "maximum": maxBody}, object{"type": "string", "pattern": `^[0-9.]+ *(KiB|MiB|KB|MB|B)?$|\$\{`}),
	}
}

// schemaOf returns the schema of a value of the file, and what the tables call
// it.
func schemaOf(t *testing.T, of reflect.Type) (schema object, word string) {
	plain := object{"type": "string"}
	switch reflect.Zero(of).Interface().(type) {
	case text, line, path, storeDir, secret, brokers:
		return plain, "text"
	case address:
		return object{"type": "string", "pattern": `^https?://|\$\{`}, "text"
	case name:
		return ref("name"), "name"
	case duration:
		return ref("duration"), "duration"
	case count:
		return ref("count"), "number"
	case yesNo:
		return ref("yes_no"), "true, false"
	case ipVersion:
		return anyOf(object{"enum": []int{4, 6}}, ref("variable")), "4, 6"
	case bound:
		return ref("bound"), "bound"
	case thresholds:
		triple := object{"type": "array", "items": object{"type": "number"}, "minItems": 3, "maxItems": 3}
		return anyOf(sectionOf(t, reflect.TypeFor[thresholdKeys]()), triple), "thresholds"
	case command:
		return anyOf(object{"type": "string", "minLength": 1}, object{"type": "array", "items": plain, "minItems": 1}), "text, list"
	case valueRule:
		return anyOf(object{"enum": []string{"exit_code", "number"}}, schemaOfStruct(t, reflect.TypeFor[patternKey]()), ref("variable")), "word, {pattern}"
	case patterns:
		return ref("patterns"), "text, list"
	case statuses:
		return anyOf(ref("status"), object{"type": "array", "items": ref("status"), "minItems": 1}), "code, list"
	case dictionary:
		return ref("dictionary"), "names: texts"
	case byteSize:
		return ref("size"), "size"
	case someNames:
		return anyOf(ref("name"), object{"type": "array", "items": ref("name"), "minItems": 1, "maxItems": maxNames}), "name, list"
	case hostNames, sources, networks:
		return anyOf(plain, listOf(plain)), "text, list"
	case merge, theme, palette:
		words := reflect.Zero(of).Interface().(interface{ words() []string }).words()
		return anyOf(object{"enum": words}, ref("variable")), strings.Join(words, ", ")
	case zoom:
		return anyOf(object{"type": "number", "minimum": 0.5, "maximum": 3}, ref("variable")), "number"
	case views:
		return object{
			"type": "object", "additionalProperties": sectionOf(t, reflect.TypeFor[viewKeys]()),
			"propertyNames": object{"pattern": viewWord.String(), "not": object{"enum": taken}},
		}, "names: sections"
	}
	switch of.Kind() {
	case reflect.Struct:
		return sectionOf(t, of), "section"
	case reflect.Slice:
		return listOf(schemaOfStruct(t, of.Elem())), "list"
	}
	t.Fatalf("no schema for %v", of)
	return nil, ""
}

// sectionOf is the schema of a section under a key, which can be empty.
func sectionOf(t *testing.T, of reflect.Type) object {
	schema := schemaOfStruct(t, of)
	schema["type"] = []string{"object", "null"}
	return schema
}

func schemaOfStruct(t *testing.T, of reflect.Type) object {
	properties := object{}
	var required []string
	belongs := map[string][]string{}
	for f := range of.Fields() {
		key := f.Tag.Get("yaml")
		if key == "" {
			continue
		}
		schema, _ := schemaOf(t, f.Type)
		described := object{"description": sentence(f)}
		for k, v := range schema {
			described[k] = v
		}
		properties[key] = described
		if kind := f.Tag.Get("kind"); kind != "" && of == reflect.TypeFor[watcherKeys]() {
			belongs[key] = []string{kind}
		}
		if f.Tag.Get("required") != "" {
			required = append(required, key)
		}
	}
	schema := object{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		schema["required"] = required
	}
	if len(belongs) > 0 {
		schema["dependentRequired"] = belongs
		schema["oneOf"] = []object{{"required": []string{"page"}}, {"required": []string{"command"}}}
	}
	return schema
}

func sentence(f reflect.StructField) string {
	s := f.Tag.Get("doc")
	if d := f.Tag.Get("default"); d != "" {
		s += " Default: " + d + "."
	}
	return s
}

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
	schema := schemaOfStruct(t, reflect.TypeFor[file]())
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "The file of Pharos"
	schema["$defs"] = definitions()
	schema["patternProperties"] = object{"^x-": object{"description": "Anything: a place for anchors."}}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema); err != nil {
		t.Fatal(err)
	}
	upToDate(t, schemaFile, b.Bytes())
}

// TestTablesAreUpToDate makes the tables of the documentation, each between
// "<!-- keys: SECTION -->" and "<!-- end -->".
func TestTablesAreUpToDate(t *testing.T) {
	sections := map[string]string{
		"file":       table(t, reflect.TypeFor[file](), ""),
		"defaults":   table(t, reflect.TypeFor[defaultsKeys](), ""),
		"set":        table(t, reflect.TypeFor[setKeys](), ""),
		"watcher":    table(t, reflect.TypeFor[watcherKeys](), "both"),
		"page":       table(t, reflect.TypeFor[watcherKeys](), "page"),
		"command":    table(t, reflect.TypeFor[watcherKeys](), "command"),
		"thresholds": table(t, reflect.TypeFor[thresholdKeys](), ""),
		"basic_auth": table(t, reflect.TypeFor[login](), ""),
		"tls":        table(t, reflect.TypeFor[tlsKeys](), ""),
		"nats":       table(t, reflect.TypeFor[natsKeys](), ""),
		"users":      table(t, reflect.TypeFor[userKeys](), ""),
		"dashboard":  table(t, reflect.TypeFor[dashboardKeys](), ""),
		"view":       table(t, reflect.TypeFor[viewKeys](), ""),
	}
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

// table returns a table of a struct's keys; kind "both" leaves out those that
// belong to one sort of watcher, "page" or "command" takes those alone.
func table(t *testing.T, of reflect.Type, kind string) string {
	var b strings.Builder
	b.WriteString("| key | holds | default | |\n|---|---|---|---|\n")
	for f := range of.Fields() {
		key, belongs := f.Tag.Get("yaml"), f.Tag.Get("kind")
		if key == "" || kind == "both" && belongs != "" || (kind == "page" || kind == "command") && belongs != kind {
			continue
		}
		_, word := schemaOf(t, f.Type)
		fallback := f.Tag.Get("default")
		if f.Tag.Get("required") != "" {
			fallback = "required"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", key, word, fallback, f.Tag.Get("doc"))
	}
	return b.String()
}
