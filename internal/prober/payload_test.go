package prober

import (
	"fmt"
	"strings"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"pharos/internal/bus"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
)

// TestASmallMaxPayloadIsSaidAndLived: what does not fit is cut, and the board hears
// of the limit.
func TestASmallMaxPayloadIsSaidAndLived(t *testing.T) {
	const limit = 1024
	s := pharostest.PlainBroker(t, &natsserver.Options{MaxPayload: limit})
	e := pharostest.Hear(t, s.ClientURL())
	var names strings.Builder
	for i := range 40 {
		fmt.Fprintf(&names, "\n      - {name: %q, command: \"true\", interval: 1h}", fmt.Sprint("A rather long name of a watcher ", i))
	}
	run(t, parse(t, `
site: Berlin City
prober: p1
sets:
  - name: Set
    watchers:
      - {name: Loud, command: "seq 1 2000; exit 1", interval: 100ms}`+names.String()), bus.Options{URL: s.ClientURL()})
	parts := map[int]int{}
	watchers, result, said := 0, false, false
	e.Until("a result, the roster and a word on the limit", func(s pharos.Subject, data []byte) bool {
		if len(data) > limit {
			t.Errorf("%d bytes on %v", len(data), s)
		}
		switch s.Type {
		case pharos.MessageResult:
			r, err := pharos.ParseResult(data)
			if err != nil {
				t.Fatal(err)
			}
			result = result || s.Watcher == pharos.Token("Loud") && r.Status == pharos.Critical && strings.HasSuffix(r.Detail, pharos.Ellipsis)
		case pharos.MessageRoster:
			r, err := pharos.ParseRoster(data)
			if err != nil {
				t.Fatal(err)
			}
			if _, known := parts[r.Part]; !known {
				for _, set := range r.Sets {
					parts[r.Part] += len(set.Watchers)
				}
				watchers += parts[r.Part]
			}
		case pharos.MessageHeartbeat:
			b, err := pharos.ParseHeartbeat(data)
			if err != nil {
				t.Fatal(err)
			}
			said = said || strings.Contains(b.Denied, "messages are cut to 1024 bytes, its max_payload")
		}
		return result && said && watchers == 41
	})
}
