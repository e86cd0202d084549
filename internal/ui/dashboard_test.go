package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"sync"
	"testing"
	"time"
)

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"

// object is a JSON object as the events speak of it.
type object = map[string]any

// dashboard is a scripted server: the page as it is, and events as the test says.
type dashboard struct {
	*httptest.Server
	origin time.Time

	mu      sync.Mutex
	n       int
	board   func(at float64) object // what a screen is told that comes at that time
	screens map[chan string]struct{}
	silent  bool // no beats
	refuse  bool // no new connections
	carry   bool // pages carry the state
	bare    bool // there are no assets
	sample  bool // it watches the built-in sample
	another bool // the next page is that of a dashboard of another build
	build   string
	details map[string]object
	asked   []string // queries of /events
}

func newDashboard(t testing.TB, board func(at float64) object) *dashboard {
	t.Helper()
	d := &dashboard{origin: time.Now().Add(-1000 * time.Second), board: board, screens: map[chan string]struct{}{}, build: Build(), details: map[string]object{}}
	d.Server = httptest.NewServer(http.HandlerFunc(d.serve))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				d.mu.Lock()
				if !d.silent {
					d.sendLocked("beat", object{})
				}
				d.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
		d.drop()
		d.CloseClientConnections()
		d.Close()
	})
	return d
}

// now is the board's clock.
func (d *dashboard) now() float64 { return time.Since(d.origin).Seconds() }

func (d *dashboard) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case r.URL.Path == "/":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		page := Page(d.moment(r.URL.Query()))
		d.mu.Lock()
		if d.another {
			d.another, page = false, bytes.ReplaceAll(page, []byte(Build()), []byte("0123456789ab"))
		}
		d.mu.Unlock()
		w.Write(page)
	case strings.HasPrefix(r.URL.Path, "/w/"):
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		m := d.moment(r.URL.Query())
		m.Watcher, m.Root = strings.TrimPrefix(r.URL.Path, "/w/"), "../"
		w.Write(Page(m))
	case strings.HasPrefix(r.URL.Path, "/logo/"):
		w.Header().Set("Content-Type", "image/svg+xml")
		fmt.Fprint(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><circle cx="20" cy="20" r="20" fill="#36c5b4"/></svg>`)
	case strings.HasPrefix(r.URL.Path, "/assets/"):
		a, ok := Find(Build() + "/" + path.Base(r.URL.Path)) // whatever the build that is asked for
		d.mu.Lock()
		ok = ok && !(d.bare && strings.HasSuffix(r.URL.Path, ".js"))
		d.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", a.Type)
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(a.Gzip)
	case strings.HasPrefix(r.URL.Path, "/modules/"): // one by one, as they are written
		data, err := embedded.ReadFile("assets/" + path.Base(r.URL.Path))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", types[".js"])
		w.Write(data)
	case r.URL.Path == "/events":
		d.events(w, r)
	case strings.HasPrefix(r.URL.Path, "/api/v1/watchers/"):
		d.mu.Lock()
		detail, ok := d.details[strings.TrimPrefix(r.URL.Path, "/api/v1/watchers/")]
		d.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(detail)
	default:
		http.NotFound(w, r)
	}
}

// moment is what a page carries that is sent now.
func (d *dashboard) moment(asked url.Values) Moment {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.now()
	m := Moment{Asked: asked, Sample: d.sample, Now: time.Duration(at * float64(time.Second))}
	if d.carry {
		_, data, _ := strings.Cut(d.eventLocked("board", d.board(at)), "\ndata: ")
		m.Board = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(strings.TrimSpace(data))) // JSON need not escape them
	}
	return m
}

func (d *dashboard) events(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.asked = append(d.asked, r.URL.RawQuery)
	if d.refuse {
		d.mu.Unlock()
		http.Error(w, "full", http.StatusServiceUnavailable)
		return
	}
	screen := make(chan string, 4096)
	screen <- d.eventLocked("board", d.board(d.now()))
	d.screens[screen] = struct{}{}
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.screens, screen)
		d.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		select {
		case <-r.Context().Done():
			return
		case text, ok := <-screen:
			if !ok {
				return
			}
			fmt.Fprint(w, text)
			w.(http.Flusher).Flush()
		}
	}
}

func (d *dashboard) eventLocked(kind string, message object) string {
	d.n++
	message["n"], message["t"] = d.n, d.now()
	if kind == "board" {
		message["build"] = d.build
	}
	data, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("event: %s\nid: %d\ndata: %s\n\n", kind, d.n, data)
}

func (d *dashboard) sendLocked(kind string, message object) {
	text := d.eventLocked(kind, message)
	for screen := range d.screens {
		select {
		case screen <- text:
		default: // a test that sends this much looks at the newest only
		}
	}
}

// frame sends the changes of tiles to all screens.
func (d *dashboard) frame(updates ...object) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sendLocked("frame", object{"u": updates})
}

// show sends a whole board to all screens, and to those who come later.
func (d *dashboard) show(board func(at float64) object) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board = board
	d.sendLocked("board", board(d.now()))
}

// set changes how the server behaves.
func (d *dashboard) set(change func(d *dashboard)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

// drop ends every open connection to /events.
func (d *dashboard) drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for screen := range d.screens {
		close(screen)
		delete(d.screens, screen)
	}
}

// hopsUp are hops with nothing to complain of.
func hopsUp() object {
	return object{
		"nats": object{"up": true, "f": 1, "store": true, "error": ""},
		"probers": []object{
			{"id": "berlin/p1", "site": "berlin", "name": "p1", "up": true, "left": false, "f": 0, "watchers": 14, "version": "1.0", "missed": 0, "offset": 0},
			{"id": "oslo/p1", "site": "oslo", "name": "p1", "up": true, "left": false, "f": 0, "watchers": 3, "version": "1.0", "missed": 0, "offset": 0},
		},
		"notices": []string{},
	}
}

// board makes a board of one set from tiles, which get their numbers and ids.
func board(sets []string, sizes []int, tiles []object) object {
	list := []object{}
	at := 0
	for k, name := range sets {
		numbers := []int{}
		for range sizes[k] {
			tiles[at]["i"] = at
			if tiles[at]["id"] == nil {
				tiles[at]["id"] = fmt.Sprintf("berlin.set-%d.tile-%d", k, at)
			}
			numbers = append(numbers, at)
			at++
		}
		list = append(list, object{"name": name, "tiles": numbers})
	}
	return object{"title": "Pharos", "tagline": "Watching so you don't have to", "sets": list, "tiles": tiles, "hops": hopsUp()}
}
