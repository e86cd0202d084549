package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"pharos/internal/field"
)

// validator checks values against a JSON Schema, as far as ours goes: a keyword
// that it does not know fails the test.
type validator struct {
	t    *testing.T
	root field.Object
}

// check returns what is wrong with a value, or "". v is made of what YAML and
// JSON decode into an any.
func (c validator) check(schema field.Object, v any, at string) string {
	for _, keyword := range slices.Sorted(maps.Keys(schema)) {
		if wrong := c.keyword(schema, keyword, v, at); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (c validator) keyword(schema field.Object, keyword string, v any, at string) string {
	arg := schema[keyword]
	text, isText := v.(string)
	items, isList := v.([]any)
	keys, isObject := v.(map[string]any)
	number, isNumber := numberOf(v)
	length := utf8.RuneCountInString(text)
	bad := false
	switch keyword {
	case "$defs", "$schema", "title", "description":
	case "$ref":
		return c.check(c.root["$defs"].(field.Object)[strings.TrimPrefix(arg.(string), "#/$defs/")].(field.Object), v, at)
	case "type":
		bad = !slices.ContainsFunc(listed(arg), func(one any) bool { return isOf(one.(string), v) })
	case "enum":
		bad = !slices.ContainsFunc(listed(arg), func(one any) bool {
			n, ok := numberOf(one)
			return ok && isNumber && n == number || reflect.DeepEqual(one, v)
		})
	case "anyOf", "oneOf":
		fits := 0
		for _, one := range listed(arg) {
			if c.check(one.(field.Object), v, at) == "" {
				fits++
			}
		}
		bad = fits == 0 || keyword == "oneOf" && fits > 1
	case "not":
		bad = c.check(arg.(field.Object), v, at) == ""
	case "pattern":
		bad = isText && !regexp.MustCompile(arg.(string)).MatchString(text)
	case "minLength":
		bad = isText && float64(length) < arg.(float64)
	case "maxLength":
		bad = isText && float64(length) > arg.(float64)
	case "minimum":
		bad = isNumber && number < arg.(float64)
	case "maximum":
		bad = isNumber && number > arg.(float64)
	case "minItems":
		bad = isList && float64(len(items)) < arg.(float64)
	case "maxItems":
		bad = isList && float64(len(items)) > arg.(float64)
	case "items":
		for i, item := range items {
			if wrong := c.check(arg.(field.Object), item, fmt.Sprintf("%s[%d]", at, i)); wrong != "" {
				return wrong
			}
		}
	case "required":
		bad = isObject && slices.ContainsFunc(listed(arg), func(key any) bool { return !has(keys, key) })
	case "dependentRequired":
		for key, others := range arg.(field.Object) {
			bad = bad || has(keys, key) && slices.ContainsFunc(listed(others), func(other any) bool { return !has(keys, other) })
		}
	case "properties", "patternProperties", "additionalProperties":
		for key, value := range keys {
			if under := schemaOfKey(schema, key); under[keyword] != nil {
				if wrong := c.check(under[keyword].(field.Object), value, at+"."+key); wrong != "" {
					return wrong
				}
			} else if len(under) == 0 && arg == false {
				return fmt.Sprintf("%s: unknown key %q", at, key)
			}
		}
	case "propertyNames":
		for key := range keys {
			if wrong := c.check(arg.(field.Object), key, at+"."+key); wrong != "" {
				return wrong
			}
		}
	default:
		c.t.Fatalf("the schema says %q, which this test does not know", keyword)
	}
	if bad {
		return fmt.Sprintf("%s: %v is against %s: %v", at, v, keyword, arg)
	}
	return ""
}

// schemaOfKey returns the schemas for one key, by the keyword that says them.
func schemaOfKey(schema field.Object, key string) field.Object {
	found := field.Object{}
	if properties, ok := schema["properties"].(field.Object); ok && properties[key] != nil {
		found["properties"] = properties[key]
	}
	if patterns, ok := schema["patternProperties"].(field.Object); ok {
		for pattern, under := range patterns {
			if regexp.MustCompile(pattern).MatchString(key) {
				found["patternProperties"] = under
			}
		}
	}
	if under, ok := schema["additionalProperties"].(field.Object); ok && len(found) == 0 {
		found["additionalProperties"] = under
	}
	return found
}

func has(keys map[string]any, key any) bool {
	_, ok := keys[key.(string)]
	return ok
}

func listed(v any) []any {
	if all, ok := v.([]any); ok {
		return all
	}
	return []any{v}
}

func numberOf(v any) (float64, bool) {
	switch n := v.(type) {
	case int:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func isOf(name string, v any) bool {
	n, isNumber := numberOf(v)
	switch name {
	case "null":
		return v == nil
	case "number":
		return isNumber
	case "integer":
		return isNumber && n == math.Trunc(n)
	}
	return v != nil && name == map[reflect.Kind]string{
		reflect.String: "string", reflect.Bool: "boolean", reflect.Slice: "array", reflect.Map: "object",
	}[reflect.TypeOf(v).Kind()]
}

func TestSchemaTakesGoodFilesAndNoUnknownKeys(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	c := validator{t: t}
	if err := json.Unmarshal(data, &c.root); err != nil {
		t.Fatal(err)
	}
	validate := func(data []byte) (string, error) {
		var v any
		if err := yaml.Unmarshal(data, &v); err != nil {
			return "", err
		}
		return c.check(c.root, v, "file"), nil
	}
	good, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(good) < 2 {
		t.Fatalf("got %q, %v", good, err)
	}
	for _, file := range append(good, "sample.yaml", "../../deploy/config/pharos.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "sample.yaml") {
			data = Sample("http://127.0.0.1:8811")
		}
		if wrong, err := validate(data); wrong != "" || err != nil {
			t.Errorf("%s: %s %v", file, wrong, err)
		}
	}
	const empty = "defaults:\nnats:\ndashboard: {views: {plain: }}\nsets: [{name: A, watchers: [{name: B, page: 'http://a/', tls: , basic_auth: , thresholds: {warning: 1s, lookup: }}, {name: C, page: 'http://a/', thresholds: }]}]"
	parse(t, empty, env())
	if wrong, err := validate([]byte(empty)); wrong != "" || err != nil {
		t.Errorf("empty sections: %s %v", wrong, err)
	}
	bad, err := filepath.Glob("testdata/bad/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, golden := range bad {
		told, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(strings.TrimSuffix(golden, ".golden") + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(told), "unknown key") {
			continue
		}
		checked++
		if wrong, err := validate(data); err == nil && wrong == "" {
			t.Errorf("%s has an unknown key, and the schema takes it", golden)
		}
	}
	if checked < 3 {
		t.Errorf("checked %d files with unknown keys, wanted at least 3", checked)
	}
}
