package field

import (
	"fmt"
	"reflect"
	"strings"
)

// Object is a part of a JSON Schema; encoding/json writes its keys in
// alphabetical order.
type Object = map[string]any

// Shape is what a type says of itself: the word of the tables, its schema, and
// where it stands under $defs, if it is there once and referred to.
type Shape struct {
	Word   string
	Def    string
	Schema Object
}

// AnyOf is the schema of a value that has one of several forms.
func AnyOf(forms ...Object) Object { return Object{"anyOf": forms} }

// variableShape is a variable that stands for a value.
var variableShape = Object{"type": "string", "pattern": `^\$\{[A-Z_][A-Z0-9_]*(:-[^}]*)?\}$`}

// Schemas makes the schemas of structs; what several refer to is in Defs.
type Schemas struct{ Defs Object }

// Ref returns a reference to a schema under $defs.
func Ref(name string) Object { return Object{"$ref": "#/$defs/" + name} }

// of returns the schema of a field's value, and what the tables call it.
func (s *Schemas) of(t reflect.Type, tag reflect.StructTag) (schema Object, word string) {
	var shape Shape
	switch v := reflect.New(t).Interface().(type) {
	case interface{ Nested(*Schemas) Shape }: // it has sections within
		shape = v.Nested(s)
	case Value:
		shape = v.Shape()
	case tagged:
		shape = v.shapeTagged(tag)
	default:
		switch t.Kind() {
		case reflect.Struct:
			return s.Section(t), "section"
		case reflect.Slice:
			return Object{"type": "array", "items": s.Struct(t.Elem())}, "list"
		}
		panic("field: no schema for " + t.String())
	}
	if shape.Def == "" {
		return shape.Schema, shape.Word
	}
	s.Defs[shape.Def] = shape.Schema
	return Ref(shape.Def), shape.Word
}

// Section is the schema of a section under a key, which can be empty.
func (s *Schemas) Section(t reflect.Type) Object {
	schema := s.Struct(t)
	schema["type"] = []string{"object", "null"}
	return schema
}

// Struct is the schema of a mapping that is read into some structs.
func (s *Schemas) Struct(all ...reflect.Type) Object {
	properties := Object{}
	var required []string
	for _, t := range all {
		for f := range t.Fields() {
			key := f.Tag.Get("yaml")
			if key == "" {
				continue
			}
			schema, _ := s.of(f.Type, f.Tag)
			described := Object{"description": sentence(f)}
			for k, v := range schema {
				described[k] = v
			}
			properties[key] = described
			if f.Tag.Get("required") != "" {
				required = append(required, key)
			}
		}
	}
	schema := Object{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		schema["required"] = required
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

// Key is one key of a struct.
type Key struct {
	Name string
	Type reflect.Type
}

// Sections returns the keys of a struct under which there are sections.
func Sections(t reflect.Type) (keys []Key) {
	for f := range t.Fields() {
		if f.Type.Kind() != reflect.Struct || f.Tag.Get("yaml") == "" {
			continue
		}
		switch v := reflect.New(f.Type).Interface().(type) {
		case interface{ Keys() reflect.Type }: // a section, or something in short
			keys = append(keys, Key{f.Tag.Get("yaml"), v.Keys()})
		case interface{ section() *Section }:
			keys = append(keys, Key{f.Tag.Get("yaml"), f.Type})
		}
	}
	return keys
}

// Table returns the table of some structs' keys for a document.
func Table(all ...reflect.Type) string {
	s := Schemas{Object{}}
	var b strings.Builder
	b.WriteString("| key | holds | default | |\n|---|---|---|---|\n")
	for _, t := range all {
		for f := range t.Fields() {
			key := f.Tag.Get("yaml")
			if key == "" {
				continue
			}
			_, word := s.of(f.Type, f.Tag)
			fallback := f.Tag.Get("default")
			if f.Tag.Get("required") != "" {
				fallback = "required"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", key, word, fallback, f.Tag.Get("doc"))
		}
	}
	return b.String()
}
