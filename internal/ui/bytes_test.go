package ui

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"
)

// sent is how many bytes a browser is sent for a page of that board, and for all that it refers to, as the dashboard
// compresses them.
func sent(t testing.TB, board object) (page, all int) {
	t.Helper()
	board["n"], board["t"], board["clock"], board["build"] = 1, 1000.123456, "0123456789abcdef", Build()+"-01234567"
	data, err := json.Marshal(board)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(Page(Moment{Board: data, Now: 1000 * time.Second})); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	page, all = out.Len(), out.Len()
	for _, name := range slices.Sorted(maps.Keys(pages().assets)) {
		all += len(pages().assets[name].Gzip)
		t.Logf("%s: %d bytes", name, len(pages().assets[name].Gzip))
	}
	return page, all
}

// TestBytesSent: a page of 18 watchers and all that it refers to is 45 KB, and one of 1,000 no larger than that by itself.
func TestBytesSent(t *testing.T) {
	page, all := sent(t, northwind(18)(1000))
	t.Logf("18 watchers: %d bytes for the page, %d in all", page, all)
	if all > 45<<10 {
		t.Errorf("18 watchers: got %d bytes in all, wanted at most %d", all, 45<<10)
	}
	page, all = sent(t, northwind(1000)(1000))
	t.Logf("1,000 watchers: %d bytes for the page, %d in all", page, all)
	if page > 45<<10 {
		t.Errorf("1,000 watchers: got %d bytes for the page, wanted at most %d", page, 45<<10)
	}
}
