package config

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"pharos/internal/pharos"
)

// MaxLogo is the largest logo, in bytes.
const MaxLogo = 100 << 10

// Logo is a picture for the headline of a board.
type Logo struct {
	Type string // for Content-Type
	Data []byte
}

var pictures = []string{"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"}

// ReadLogos reads the logos of the views that have one, by the view's name. It
// returns those that can be read, and an error that names the others.
func (d Dashboard) ReadLogos() (map[string]Logo, error) {
	out := map[string]Logo{}
	var all []error
	for _, view := range slices.Sorted(maps.Keys(d.Logos)) {
		logo, err := readLogo(d.Logos[view])
		if err != nil {
			all = append(all, fmt.Errorf("dashboard.views.%s.logo: %w", view, err))
			continue
		}
		out[view] = logo
	}
	return out, errors.Join(all...)
}

func readLogo(path string) (Logo, error) {
	data, err := pharos.ReadFile(path, MaxLogo+1)
	switch {
	case err != nil:
		return Logo{}, err
	case len(data) > MaxLogo:
		return Logo{}, fmt.Errorf("reading %q: want at most %d KB", path, MaxLogo>>10)
	}
	kind := http.DetectContentType(data)
	if head := data[:min(len(data), 1024)]; bytes.Contains(head, []byte("<svg")) {
		kind = "image/svg+xml"
	}
	if !slices.Contains(pictures, kind) {
		return Logo{}, fmt.Errorf("reading %q: want a picture (PNG, JPEG, GIF, WebP or SVG), got %s", path, kind)
	}
	return Logo{kind, data}, nil
}
