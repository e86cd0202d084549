package field

import (
	"strings"
	"testing"
)

func TestMeant(t *testing.T) {
	known := []string{"thresholds", "interval", "match", "not_match"}
	tests := []struct{ word, want string }{
		{"thresold", "thresholds"}, {"Interval", "interval"}, {"intervall", "interval"}, {"mathc", "match"},
		{"notmatch", "not_match"}, {"colour", ""}, {"", ""}, {strings.Repeat("x", 1000), ""},
	}
	for _, tt := range tests {
		if got := Meant(tt.word, known); got != tt.want {
			t.Errorf("%q: got %q, wanted %q", tt.word, got, tt.want)
		}
	}
}
