// Package ui holds the page that a person sees on the wall: HTML, CSS and ES
// modules, embedded as they are, with no build step. It knows nothing of the
// server that hands them out.
package ui

import (
	"bytes"
	"compress/gzip"
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

// Asset is a file that the page refers to. Its bytes are shared: do not change
// them.
type Asset struct {
	Type string // for Content-Type
	Data []byte
	Gzip []byte // the same, compressed
}

// Find returns what Page refers to as "assets/<name>". The name begins with the
// build, so an asset may be cached for ever.
func Find(name string) (Asset, bool) {
	a, ok := pages().assets[name]
	return a, ok
}

type bundle struct {
	build  string
	index  []byte // with {{words}} where Page puts something
	assets map[string]Asset
}

var pages = sync.OnceValue(func() bundle {
	b, err := read(embedded)
	if err != nil {
		panic(fmt.Sprintf("ui: reading the embedded page: %v", err)) // the binary was built without it
	}
	return b
})

var types = map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}

// read puts the assets into a folder that is named by the hash of them all, and
// compresses them. One hash for all, rather than one for each, keeps the modules
// of a page of the same age.
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
	b := bundle{build: hex.EncodeToString(sum.Sum(nil))[:12], assets: make(map[string]Asset, len(raw))}
	modules := ""
	for _, e := range entries {
		name, kind := e.Name(), types[path.Ext(e.Name())]
		switch {
		case path.Ext(name) == ".html":
			b.index = raw[name]
		case kind == "":
			return bundle{}, fmt.Errorf("reading %q: got kind %q, wanted .html, .js or .css", name, path.Ext(name))
		default:
			if bytes.Contains(raw[name], []byte("\nexport ")) {
				modules += `<link rel="modulepreload" href="assets/` + name + "\">\n"
			}
			b.assets[b.build+"/"+name] = Asset{kind, raw[name], squeeze(raw[name])}
		}
	}
	index := strings.ReplaceAll(string(b.index), "{{modules}}", modules)
	b.index = []byte(strings.ReplaceAll(index, `"assets/`, `"assets/`+b.build+"/"))
	return b, nil
}

func squeeze(data []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic(err) // there is such a level
	}
	_, _ = w.Write(data) // a buffer takes all
	_ = w.Close()        // likewise
	return out.Bytes()
}
