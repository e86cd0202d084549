// Package ui holds the page that a person sees on the wall: HTML, CSS and ES
// modules, embedded as they are, with no build step. It knows nothing of the
// server that hands them out.
package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
)

//go:embed assets
var embedded embed.FS

// Build returns the hash of all that the page is made of: twelve lower-case
// hexadecimal digits. A page whose own build differs is out of date.
func Build() string { return pages().build }

// Asset returns what Page refers to as "assets/<name>", with its content
// type. It begins with the build, so an asset may be cached for ever. The
// bytes are shared: do not change them.
func Asset(name string) (data []byte, contentType string, ok bool) {
	a, ok := pages().assets[name]
	return a.data, a.contentType, ok
}

type asset struct {
	data        []byte
	contentType string
}

type bundle struct {
	build  string
	index  []byte // with {{words}} where Page puts something
	assets map[string]asset
}

var pages = sync.OnceValue(func() bundle {
	b, err := read(embedded)
	if err != nil {
		panic(fmt.Sprintf("ui: reading the embedded page: %v", err)) // the binary was built without it
	}
	return b
})

// read puts the assets into a folder that is named by the hash of them all.
// One hash for all, rather than one for each, keeps the modules of a page of
// the same age.
func read(files fs.FS) (bundle, error) {
	entries, err := fs.ReadDir(files, "assets")
	if err != nil {
		return bundle{}, err
	}
	raw := make(map[string][]byte, len(entries))
	sum := sha256.New()
	for _, e := range entries {
		data, err := fs.ReadFile(files, path.Join("assets", e.Name()))
		if err != nil {
			return bundle{}, err
		}
		raw[e.Name()] = data
		fmt.Fprintf(sum, "%s %d\n%s", e.Name(), len(data), data)
	}
	b := bundle{build: hex.EncodeToString(sum.Sum(nil))[:12], assets: make(map[string]asset, len(raw))}

	for name, data := range raw {
		at, text := b.build+"/"+name, string(data)
		switch path.Ext(name) {
		case ".html":
			b.index = leanPage(strings.ReplaceAll(text, `"assets/`, `"assets/`+b.build+"/"))
		case ".js":
			b.assets[at] = asset{leanScript(text), "text/javascript; charset=utf-8"}
		case ".css":
			b.assets[at] = asset{leanStyle(text), "text/css; charset=utf-8"}
		case ".svg":
			b.assets[at] = asset{data, "image/svg+xml"}
		default:
			return bundle{}, fmt.Errorf("reading %q: got kind %q, wanted .html, .js, .css or .svg", name, path.Ext(name))
		}
	}
	return b, nil
}
