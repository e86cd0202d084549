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
	"regexp"
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
	joined := map[string]bool{}
	raw["app.js"] = join(raw, "app.js", joined)
	for _, e := range entries {
		name, kind := e.Name(), types[path.Ext(e.Name())]
		switch {
		case path.Ext(name) == ".html":
			b.index = []byte(strings.ReplaceAll(string(raw[name]), `"assets/`, `"{{root}}assets/`+b.build+"/"))
		case kind == "":
			return bundle{}, fmt.Errorf("reading %q: got kind %q, wanted .html, .js or .css", name, path.Ext(name))
		case name == "app.js" || !joined[name]:
			data := remarks.ReplaceAll(raw[name], nil)
			b.assets[b.build+"/"+name] = Asset{kind, data, squeeze(data)}
		}
	}
	return b, nil
}

var (
	remarks = regexp.MustCompile(`(?ms)^[ \t]*//[^\n]*\n|^[ \t]*/\*.*?\*/\n|^[ \t]+|^\n`) // whole lines of them, and indentation
	imports = regexp.MustCompile(`(?m)^import .* from "\./(.*)";\n`)
	exports = regexp.MustCompile(`(?m)^export `)
)

// join makes one script of a module and all that it imports: a television asks
// for one file, not for fifteen. The modules share their names then, and each has
// its own, as a test sees to.
func join(raw map[string][]byte, name string, joined map[string]bool) []byte {
	var out []byte
	joined[name] = true
	for _, m := range imports.FindAllSubmatch(raw[name], -1) {
		if module := string(m[1]); !joined[module] {
			out = append(out, join(raw, module, joined)...)
		}
	}
	return append(out, exports.ReplaceAll(imports.ReplaceAll(raw[name], nil), nil)...)
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
