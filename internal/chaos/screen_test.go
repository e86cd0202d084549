package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"pharos/internal/pharostest"
)

// afterglow is what the dashboard remembers of one watcher.
type afterglow struct {
	status      string
	lasted, ago time.Duration
}

// afterglowOf asks the dashboard for all flickers of a watcher.
func afterglowOf(w *world, s *pharostest.Screen, id string) []afterglow {
	w.Helper()
	body := get(w, s, "/api/v1/watchers/"+id)
	var answer struct {
		Flickers []struct {
			Status      string
			Lasted, Ago float64
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		w.Fatalf("reading %s: %v", body, err)
	}
	var all []afterglow
	for _, f := range answer.Flickers {
		all = append(all, afterglow{f.Status, time.Duration(f.Lasted * 1e9), time.Duration(f.Ago * 1e9)})
	}
	return all
}

// get fetches a path from the screen's dashboard.
func get(w *world, s *pharostest.Screen, path string) []byte {
	w.Helper()
	conn, err := s.Dial(w.ctx, s.Address)
	if err != nil {
		w.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second)) // a dead connection shows at the read
	fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", path)
	data, err := io.ReadAll(conn)
	if err != nil {
		w.Fatalf("getting %s: %v", path, err)
	}
	_, body, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	return body
}

// remembers returns how many of the spells, those that the bounds of a memory
// leave out, are in the afterglow with their age and length, give or take one
// interval.
func remembers(t testing.TB, all []afterglow, truth []pharostest.Outage, interval time.Duration) (missing int) {
	t.Helper()
	now := time.Now()
	const most = 5
	for _, s := range truth[max(0, len(truth)-most):] {
		found := false
		for _, f := range all {
			off := (now.Sub(s.Ended) - f.ago).Abs()
			found = found || off <= interval+200*time.Millisecond && (s.Ended.Sub(s.Began)-f.lasted).Abs() <= interval+200*time.Millisecond
		}
		if !found {
			missing++
			t.Logf("not remembered: a spell of %.2f s that ended %.2f s ago; remembered: %v", s.Ended.Sub(s.Began).Seconds(), now.Sub(s.Ended).Seconds(), all)
		}
	}
	return missing
}
