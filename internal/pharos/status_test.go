package pharos

import (
	"encoding/json"
	"testing"
)

func TestStatus(t *testing.T) {
	// From the best that can be said of two to the worst.
	order := []Status{Waiting, OK, Unknown, Warning, Critical}
	words := []string{"waiting", "ok", "unknown", "warning", "critical"}
	for i, s := range order {
		if got, err := ParseStatus(words[i]); got != s || err != nil || s.String() != words[i] {
			t.Errorf("%q is read as %v (%v), and %v is written %q", words[i], got, err, s, s)
		}
		data, err := json.Marshal(s)
		if err != nil || string(data) != `"`+words[i]+`"` {
			t.Errorf("%v is marshalled as %s, %v", s, data, err)
		}
		if bad := s == Unknown || s == Warning || s == Critical; s.Bad() != bad {
			t.Errorf("%v.Bad() = %v", s, s.Bad())
		}
		for j, other := range order {
			if got, want := Worst(s, other), order[max(i, j)]; got != want {
				t.Errorf("Worst(%v, %v) = %v, want %v", s, other, got, want)
			}
		}
	}
	var none Status
	if none != Waiting {
		t.Errorf("the zero value is %v: what was not looked at must not be green", none)
	}
	if got := Status(9).String(); got != "status(9)" {
		t.Errorf("a status that does not exist is written %q", got)
	}
	for _, word := range []string{"", "OK", "ok ", "red", "stale"} {
		if got, err := ParseStatus(word); err == nil {
			t.Errorf("%q is read as %v", word, got)
		}
	}
	_, err := ParseStatus("fine")
	if want := `reading status "fine": want ok, warning, critical, unknown or waiting`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
