package config

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLogos(t *testing.T) {
	dir := t.TempDir()
	d := Dashboard{Logos: map[string]string{"gone": filepath.Join(dir, "gone")}}
	for name, text := range map[string]string{
		"png": "\x89PNG\r\n\x1a\n", "svg": "<?xml version='1.0'?>\n<!-- a tower -->\n<svg xmlns='http://www.w3.org/2000/svg'/>", "webp": "RIFF\x00\x00\x00\x00WEBPVP",
		"page": "<html><script>", "large": "\x89PNG\r\n\x1a\n" + strings.Repeat("x", MaxLogo),
	} {
		d.Logos[name] = filepath.Join(dir, name)
		if err := os.WriteFile(d.Logos[name], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	logos, err := d.ReadLogos()
	if diff := cmp.Diff([]string{"png", "svg", "webp"}, slices.Sorted(maps.Keys(logos))); diff != "" {
		t.Errorf("logos (-want +got):\n%s", diff)
	}
	if got := logos["svg"].Type; got != "image/svg+xml" {
		t.Errorf("type of an SVG: got %q", got)
	}
	if err == nil {
		t.Fatal("got no error for those that are no pictures")
	}
	for _, want := range []string{"dashboard.views.gone.logo: ", "dashboard.views.large.logo: ", `dashboard.views.page.logo: reading "` + d.Logos["page"] + `": want a picture (PNG, JPEG, GIF, WebP or SVG), got text/html; charset=utf-8`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %q, wanted %q in it", err, want)
		}
	}
}
