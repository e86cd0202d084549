package pharostest

import (
	"slices"
	"strings"
	"testing"
)

func TestABoardBelievesWhatThePageBelieves(t *testing.T) {
	const stream = "HTTP/1.1 200 OK\r\n\r\nretry: 1000\n\n" +
		"event: board\nid: 1\ndata: {\"t\":1,\"sets\":[{\"name\":\"Set\",\"tiles\":[0,1]}],\"tiles\":[{\"i\":0,\"id\":\"a.b.c\",\"name\":\"C\",\"s\":\"ok\",\"v\":\"1\"},{\"i\":1,\"id\":\"a.b.d\",\"s\":\"ok\"}],\"hops\":{\"probers\":[{\"id\":\"a/p\",\"up\":true}]}}\n\n" +
		"event: frame\nid: 2\ndata: {\"t\":2,\"u\":[{\"i\":0,\"s\":\"critical\",\"k\":{\"s\":\"warning\",\"l\":3}},{\"i\":1,\"v\":\"2\"}]}\n\n" +
		"event: line\ndata: {\"behind\":4.2}\n\n" +
		"event: frame\nid: 3\ndata: {\"t\":3,\"u\":[{\"i\":2,\"s\":\"ok\"}]}\n\n" +
		"event: beat\nid: 4\ndata: {\"t\":4" // and no end
	var b Board
	var wrong, turned []string
	for e := range Events(strings.NewReader(stream)) {
		if err := b.Hear(e); err != nil {
			wrong = append(wrong, e.ID+": "+err.Error())
		}
		for _, tile := range b.turned {
			turned = append(turned, tile.Text("id")+" "+tile.Status())
		}
	}
	if len(wrong) != 1 || !strings.HasPrefix(wrong[0], "3: a frame speaks of tile") {
		t.Errorf("got the errors %q, want one of event 3", wrong)
	}
	if want := []string{"a.b.c ok", "a.b.d ok", "a.b.c critical"}; !slices.Equal(turned, want) {
		t.Errorf("tiles turned %q, want %q", turned, want)
	}
	c := b.Tile("C")
	if !b.Shows("a.b.c", "critical") || c.Text("v") != "1" || c.Part("k").Status() != "warning" || c.Part("k").Number("l") != 3 || b.Tile("a.b.d").Text("v") != "2" {
		t.Errorf("it shows %v", b.Tiles)
	}
	if known, up := b.Prober("a/p"); !known || !up || b.T != 3 || b.Line.Behind != 4.2 {
		t.Errorf("it knows %+v at %v, and %+v of its line", b.Hops, b.T, b.Line)
	}
	if b.Tile("nobody") != nil || b.Shows("nobody", "ok") {
		t.Error("it shows a tile that is not there")
	}
}
