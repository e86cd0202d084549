package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"pharos/internal/field"
)

// Schema returns the JSON Schema of a file whose watchers are of some kinds.
func Schema(kinds ...Kind) ([]byte, error) {
	s := &field.Schemas{Defs: field.Object{}}
	schema := s.Struct(reflect.TypeFor[file](), reflect.TypeFor[watched]())
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "The file of Pharos"
	schema["patternProperties"] = field.Object{"^x-": field.Object{"description": "Anything: a place for anchors."}}
	common := map[string]bool{}
	for f := range reflect.TypeFor[watcherKeys]().Fields() {
		common[f.Tag.Get("yaml")] = true
	}
	var forms []field.Object
	var phases []string
	for _, kind := range kinds {
		form := s.Struct(reflect.TypeFor[watcherKeys](), reflect.TypeOf(kind.New()).Elem())
		form["title"] = kind.Key
		form["description"] = firstParagraph(kind.Doc)
		properties := form["properties"].(field.Object)
		bounds := thresholdShape(s, kind.Phases).Schema
		bounds["description"] = properties["thresholds"].(field.Object)["description"]
		properties["thresholds"] = bounds
		for key, property := range properties { // those that all have stand once
			if common[key] && key != "thresholds" {
				s.Defs["watcher_"+key] = property
				properties[key] = field.Ref("watcher_" + key)
			}
		}
		s.Defs["watcher_of_"+kind.Key] = form
		forms = append(forms, field.Ref("watcher_of_"+kind.Key))
		phases = append(phases, kind.Phases...)
	}
	s.Defs["watcher"] = field.Object{"type": "object", "oneOf": forms}
	defaults := schema["properties"].(field.Object)["defaults"].(field.Object)["properties"].(field.Object)
	bounds := thresholdShape(s, phases).Schema
	bounds["description"] = defaults["thresholds"].(field.Object)["description"]
	defaults["thresholds"] = bounds
	schema["$defs"] = s.Defs
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema); err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return b.Bytes(), nil
}

// quoted is what a kind's document has in the place of words between back quotes.
var quoted = regexp.MustCompile(`\$\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}`)

// firstParagraph returns the first paragraph of a kind's document.
func firstParagraph(doc string) string {
	first, _, _ := strings.Cut(doc, "\n\n")
	return quoted.ReplaceAllString(first, "$1")
}

// Tables returns the tables of docs/config.md, by the name of the place that each
// fills: one for each section, and "kinds" for all kinds of watchers.
func Tables(kinds ...Kind) map[string]string {
	tables := map[string]string{
		"file":       field.Table(reflect.TypeFor[file](), reflect.TypeFor[watched]()),
		"defaults":   field.Table(reflect.TypeFor[defaultsKeys]()),
		"set":        field.Table(reflect.TypeFor[setKeys]()),
		"watcher":    field.Table(reflect.TypeFor[watcherKeys]()),
		"thresholds": field.Table(reflect.TypeFor[thresholdKeys]()),
		"nats":       field.Table(reflect.TypeFor[natsKeys]()),
		"users":      field.Table(reflect.TypeFor[userKeys]()),
		"dashboard":  field.Table(reflect.TypeFor[dashboardKeys]()),
		"pair":       field.Table(reflect.TypeFor[pairKeys]()),
		"accounts":   field.Table(reflect.TypeFor[accountKeys]()),
		"screens":    field.Table(reflect.TypeFor[screenKeys]()),
		"push":       field.Table(reflect.TypeFor[pushKeys]()),
		"view":       field.Table(reflect.TypeFor[viewKeys]()),
	}
	var b strings.Builder
	described := map[reflect.Type]string{}
	for _, kind := range kinds {
		of := reflect.TypeOf(kind.New()).Elem()
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n%s", kind.Key, quoted.ReplaceAllString(kind.Doc, "`$1`"), field.Table(of))
		for _, key := range field.Sections(of) {
			if first := described[key.Type]; first != "" {
				fmt.Fprintf(&b, "\n`%s` is as that of [%s](#%s).\n", key.Name, first, first)
				continue
			}
			described[key.Type] = kind.Key
			fmt.Fprintf(&b, "\n`%s`:\n\n%s", key.Name, field.Table(key.Type))
		}
		if len(kind.Phases) > 0 {
			fmt.Fprintf(&b, "\nPhases: `%s`.\n", strings.Join(kind.Phases, "`, `"))
		}
		switch {
		case kind.Remote:
			b.WriteString("\nIt can be run through `ssh_host`.\n")
		case kind.Through:
			b.WriteString("\nWith an `ssh_host` it is looked at from there, and the way to there is in its times; certificates and keys are files of this machine.\n")
		}
	}
	tables["kinds"] = b.String()
	return tables
}
