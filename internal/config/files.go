package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pharos/internal/field"
)

// File is one file's path and its content.
type File struct {
	Name string
	Data []byte
}

// Files returns the files that a path names: itself, those of several with commas
// between them, and those of a folder whose names end in .yaml or .yml, in their
// order.
func Files(path string) (names []string, err error) {
	parts := strings.Split(path, ",")
	if _, err := os.Stat(path); err == nil { // a comma is part of its name
		parts = []string{path}
	}
	for _, part := range parts {
		info, err := os.Stat(part)
		if err != nil || !info.IsDir() { // that it cannot be read is told when it is
			names = append(names, part)
			continue
		}
		entries, err := os.ReadDir(part)
		if err != nil {
			return nil, fmt.Errorf("reading the folder %q: %w", part, err)
		}
		before := len(names)
		for _, e := range entries {
			if end := filepath.Ext(e.Name()); (end == ".yaml" || end == ".yml") && !strings.HasPrefix(e.Name(), ".") {
				names = append(names, filepath.Join(part, e.Name()))
			}
		}
		if len(names) == before {
			return nil, fmt.Errorf("reading the folder %q: no file in it whose name ends in .yaml or .yml", part)
		}
	}
	return names, nil
}

// hashOf sums up what files hold: of one file, it is that of its content.
func hashOf(files []File) [sha256.Size]byte {
	if len(files) == 1 {
		return sha256.Sum256(files[0].Data)
	}
	var all bytes.Buffer
	for _, f := range files {
		sum := sha256.Sum256(f.Data)
		all.Write(binary.AppendUvarint(nil, uint64(len(f.Name))))
		all.WriteString(f.Name)
		all.Write(sum[:])
	}
	return sha256.Sum256(all.Bytes())
}

// root returns the mapping that files make together; nil after an error was told.
func (p *parser) root(files []File) *field.Node {
	if len(files) == 1 {
		return p.Root(files[0].Name, files[0].Data, example)
	}
	var all *field.Node
	keys := make(map[string]*field.Node)
	var sets *field.Node
	for _, f := range files {
		root := p.Root(f.Name, f.Data, example)
		switch {
		case root == nil:
			continue
		case !field.IsMapping(root):
			p.Fail(root, "want a mapping of keys to values, got %s", field.Describe(root))
			continue
		case all == nil:
			copied := *root
			copied.Content = nil
			all = &copied
		}
		for i := 0; i+1 < len(root.Content); i += 2 {
			key, value := root.Content[i], root.Content[i+1]
			first := keys[key.Value]
			switch {
			case strings.HasPrefix(key.Value, "x-"): // each file has its own
			case first == nil || p.SameFile(first, key): // twice in one file is told later
				keys[key.Value] = key
				if key.Value == "sets" && field.IsList(value) && sets == nil {
					copied := *field.Resolve(value)
					copied.Content = append([]*field.Node(nil), copied.Content...)
					sets, value = &copied, &copied
				}
				all.Content = append(all.Content, key, value)
			case key.Value == "sets" && sets != nil && field.IsList(value):
				sets.Content = append(sets.Content, field.Resolve(value).Content...)
			case key.Value == "sets" && field.IsList(value): // what the other file has is no list, which is told
			case key.Value == "sets":
				p.Fail(value, "sets: want a list, got %s", field.Describe(field.Resolve(value)))
			default:
				p.Fail(key, "%s is in another file, too (%s): write it in one of them", key.Value, p.Line(first, key))
			}
		}
	}
	return all
}
