package dashboard

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// TestPushOverHTTP: what curl sends from cron is on the board and in the store.
func TestPushOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	url, _, _ := h.with("site: hall\ndashboard: {push: [{token: 0123456789abcdef, subjects: [ci.jobs.*, hall.jobs.*]}]}\n")
	push := func(target, body string) (int, string) {
		t.Helper()
		request, err := http.NewRequest(http.MethodPost, url+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer 0123456789abcdef")
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	h.until(url, "a store", func(s seen) bool { return s.NATS.Store })
	for _, target := range []string{"/api/v1/push/jobs/backup", "/api/v1/push/jobs/backup?site=ci"} {
		if code, text := push(target, "status=critical&summary=disk full"); code != http.StatusNoContent || text != "" {
			t.Errorf("%s: %d %s", target, code, text)
		}
	}
	h.until(url, "two that are critical", func(s seen) bool { return s.Counts["critical"] == 2 })
	js, err := jetstream.New(h.nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "PHAROS_PUSH")
	if err != nil {
		t.Fatal(err)
	}
	message, err := stream.GetLastMsgForSubject(t.Context(), "pharos.push.hall.jobs.backup")
	if err != nil || !strings.Contains(string(message.Data), "disk full") {
		t.Errorf("the store has %v, %v", message, err)
	}
	if err := js.DeleteStream(t.Context(), "PHAROS_PUSH"); err != nil {
		t.Fatal(err)
	}
	// Whether the dashboard has seen that or not: it is never taken for stored
	// where nothing stores it and nobody says so.
	if code, text := push("/api/v1/push/jobs/backup", "status=ok"); code != http.StatusNoContent && !strings.Contains(text, "this was not published") {
		t.Errorf("without a store: %d %s", code, text)
	}
	if err := h.server.Close(); err != nil {
		t.Fatal(err)
	}
	h.until(url, "that NATS is gone", func(s seen) bool { return !s.NATS.Up })
	if code, text := push("/api/v1/push/jobs/backup", "status=ok"); code != http.StatusServiceUnavailable || !strings.Contains(text, "not connected to NATS") {
		t.Errorf("without NATS: %d %s", code, text)
	}
}
