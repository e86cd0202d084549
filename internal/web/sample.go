package web

import (
	"fmt"
	"math"
	"net/http"
	"time"
)

// Sample answers the addresses that the built-in sample watches: /page is
// quick, /slow takes longer and longer each half minute, /flicker fails for
// three seconds twice a minute.
func Sample() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "A page of Pharos itself, to be looked at.")
	})
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		into := halfMinute()
		wait := time.Duration(40+360*math.Pow(into.Seconds()/30, 6)) * time.Millisecond
		select {
		case <-time.After(wait):
			fmt.Fprintln(w, "This took", wait)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("GET /flicker", func(w http.ResponseWriter, _ *http.Request) {
		if into := halfMinute(); into < 3*time.Second {
			http.Error(w, "Out of order for three seconds, twice a minute.", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "In order again.")
	})
	return mux
}

// halfMinute returns how much of the half minute of the clock has passed.
func halfMinute() time.Duration {
	return time.Duration(time.Now().UnixNano() % int64(30*time.Second))
}
