package pharos

import (
	"fmt"
	"strings"
	"time"
)

// The bounds of a roster.
const (
	MaxRosterParts = 512      // messages that one roster is split into
	rosterPart     = 14 << 10 // bytes of watchers that one of them aims at: room is left for the rest
	maxWatchers    = 100_000  // watchers that a beat may speak of
)

// RosterWatcher is what a roster says of one watcher.
type RosterWatcher struct {
	Name     string  `json:"name"`
	Kind     string  `json:"kind,omitempty"`   // "page", "command"
	Target   string  `json:"target,omitempty"` // what is looked at: an address, a command line
	Interval Seconds `json:"interval,omitempty"`
	Timeout  Seconds `json:"timeout,omitempty"`
	Command  bool    `json:"command,omitempty"` // the target is a command line
	// Description and Link, the http or https address of a page, are for people.
	Description string `json:"description,omitempty"`
	Link        string `json:"link,omitempty"`
	Pushed      bool   `json:"pushed,omitempty"`    // others push how it is
	Network     bool   `json:"network,omitempty"`   // looked at over the prober's own network
	Reference   bool   `json:"reference,omitempty"` // says whether that network is there
}

// RosterSet is a set and its watchers, in the file's order.
type RosterSet struct {
	Name     string          `json:"name"`
	Watchers []RosterWatcher `json:"watchers"`
}

// Roster is what one prober watches, in the file's order. It travels in parts,
// each on a subject of its own, since one message cannot hold a thousand
// names: a part has some of the watchers, and a set that is cut goes on in the
// next part under the same name.
type Roster struct {
	Site        string      `json:"site"`        // human name
	Prober      string      `json:"prober"`      // human name
	Incarnation int64       `json:"incarnation"` // when the process started, unix milliseconds
	Seq         uint64      `json:"seq"`         // grows with each roster of the process
	Part        int         `json:"part"`        // from 0
	Parts       int         `json:"parts"`
	Sets        []RosterSet `json:"sets"`
}

// Split returns the roster's parts as JSON, each of at most limit bytes, or
// MaxMessage where that is less. A target that does not fit is left out.
func (r Roster) Split(limit int) ([][]byte, error) {
	room := rosterPart
	if limit < MaxMessage {
		room = limit / 2
	}
	var parts []Roster
	part, size := r, 0
	part.Sets = nil
	for _, set := range r.Sets {
		open := false // the set goes on in this part
		for _, w := range set.Watchers {
			w.Target, w.Description = CleanLine(w.Target, MaxSummary), CleanLine(w.Description, MaxSummary)
			row, err := encode(w)
			if len(row) > room {
				w.Target, w.Description, w.Link = "", "", ""
				row, err = encode(w)
			}
			if err != nil {
				return nil, fmt.Errorf("encoding what is said of %q: %w", w.Name, err)
			}
			if size > 0 && size+len(row)+1 > room {
				parts = append(parts, part)
				part.Sets, size, open = nil, 0, false
			}
			if !open {
				part.Sets = append(part.Sets, RosterSet{Name: set.Name})
				size += 2*len(set.Name) + 32
				open = true
			}
			last := &part.Sets[len(part.Sets)-1]
			last.Watchers = append(last.Watchers, w)
			size += len(row) + 1
		}
	}
	parts = append(parts, part)
	if len(parts) > MaxRosterParts {
		return nil, fmt.Errorf("splitting a roster: %d parts, want at most %d: fewer watchers, please", len(parts), MaxRosterParts)
	}
	out := make([][]byte, len(parts))
	for i := range parts {
		parts[i].Part, parts[i].Parts = i, len(parts)
		data, err := encode(parts[i])
		if err != nil {
			return nil, fmt.Errorf("encoding a roster: %w", err)
		}
		out[i] = data
	}
	return out, nil
}

// ParseRoster reads one part of a roster that arrived from anywhere. The error
// is a *BadMessage.
func ParseRoster(data []byte) (Roster, error) {
	var r Roster
	if err := unmarshal(data, &r); err != nil {
		return Roster{}, err
	}
	if r.Parts < 1 || r.Parts > MaxRosterParts || r.Part < 0 || r.Part >= r.Parts {
		return Roster{}, &BadMessage{ReasonInvalid, fmt.Errorf("part %d of %d", r.Part, r.Parts)}
	}
	r.Site, r.Prober = CleanLine(r.Site, MaxName), CleanLine(r.Prober, MaxName)
	for i := range r.Sets {
		set := &r.Sets[i]
		if set.Name = CleanLine(set.Name, MaxName); set.Name == "" {
			return Roster{}, &BadMessage{ReasonInvalid, fmt.Errorf("a set without a name")}
		}
		for j := range set.Watchers {
			w := &set.Watchers[j]
			w.Kind, w.Target, w.Description = CleanLine(w.Kind, MaxUnit), CleanLine(w.Target, MaxSummary), CleanLine(w.Description, MaxSummary)
			if w.Link != CleanLine(w.Link, MaxLink) || !strings.HasPrefix(w.Link, "http://") && !strings.HasPrefix(w.Link, "https://") {
				w.Link = "" // not one that a browser may be sent to
			}
			if w.Name = CleanLine(w.Name, MaxName); w.Name == "" {
				return Roster{}, &BadMessage{ReasonInvalid, fmt.Errorf("a watcher without a name")}
			}
		}
	}
	return r, nil
}

// HeartbeatInterval is how often a prober says that it is there.
const HeartbeatInterval = time.Second

// HeartbeatTimeout is how long a prober may be silent before all that it watches is
// stale.
const HeartbeatTimeout = 3 * time.Second

// Heartbeat is what a prober says of itself each second.
type Heartbeat struct {
	Site        string    `json:"site"`        // human name
	Prober      string    `json:"prober"`      // human name
	Incarnation int64     `json:"incarnation"` // when the process started, unix milliseconds
	Seq         uint64    `json:"seq"`         // grows with each beat
	Version     string    `json:"version,omitempty"`
	Watchers    int       `json:"watchers"`           // how many it watches
	Roster      uint64    `json:"roster"`             // N of its newest roster
	Missed      uint64    `json:"missed,omitempty"`   // ticks missed since it started
	Lag         Seconds   `json:"lag,omitzero"`       // the worst start delay since the last heartbeat
	Rejected    string    `json:"rejected,omitempty"` // why the newest file was refused, with its line
	Unable      string    `json:"unable,omitempty"`   // what the prober lacks, so that it could not run a watcher
	Denied      string    `json:"denied,omitempty"`   // a right that NATS refuses it, with the subject
	Leaving     bool      `json:"leaving,omitempty"`  // goodbye
	Uptime      Seconds   `json:"uptime,omitzero"`    // by a clock that nobody sets: tells how long the beat was on its way beside others
	At          time.Time `json:"at"`                 // its wall clock, to tell people how far off it is
	Digest      *Digest   `json:"digest,omitempty"`   // of what it has published of the watchers that it runs; nil: it does not say
	Share       *Share    `json:"share,omitempty"`    // how it shares its watchers with others; nil: it runs all of them
}

// ParseHeartbeat reads a beat that arrived from anywhere. The error is a
// *BadMessage.
func ParseHeartbeat(data []byte) (Heartbeat, error) {
	var b Heartbeat
	if err := unmarshal(data, &b); err != nil {
		return Heartbeat{}, err
	}
	if b.Watchers < 0 || b.Watchers > maxWatchers {
		return Heartbeat{}, &BadMessage{ReasonInvalid, fmt.Errorf("%d watchers, want 0 to %d", b.Watchers, maxWatchers)}
	}
	if err := b.Share.check(); err != nil {
		return Heartbeat{}, &BadMessage{ReasonInvalid, err}
	}
	b.Site, b.Prober = CleanLine(b.Site, MaxName), CleanLine(b.Prober, MaxName)
	b.Version, b.Rejected = CleanLine(b.Version, MaxText), CleanLine(b.Rejected, MaxSummary)
	b.Unable, b.Denied = CleanLine(b.Unable, MaxSummary), CleanLine(b.Denied, MaxSummary)
	return b, nil
}

// Refresh asks probers to publish everything again.
type Refresh struct {
	Prober string `json:"prober,omitempty"` // "<site>/<prober>", tokens; empty: all probers
}

// ParseRefresh reads a request that arrived from anywhere. What cannot be read
// asks all probers, as an empty message does.
func ParseRefresh(data []byte) Refresh {
	var r Refresh
	if err := unmarshal(data, &r); err != nil {
		return Refresh{}
	}
	return r
}

// Forget asks every dashboard to drop a prober with all that it watches, or one
// watcher; just one of the two is set.
type Forget struct {
	Prober  string    `json:"prober,omitempty"`  // "<site>/<prober>", tokens
	Watcher WatcherID `json:"watcher,omitempty"` // "<site>.<set>.<watcher>", tokens
}

// ParseForget reads a request that arrived from anywhere. The error is a
// *BadMessage.
func ParseForget(data []byte) (Forget, error) {
	var f Forget
	if err := unmarshal(data, &f); err != nil {
		return Forget{}, err
	}
	if (f.Prober == "") == (f.Watcher == "") {
		return Forget{}, &BadMessage{ReasonInvalid, fmt.Errorf("want one of prober and watcher")}
	}
	return f, nil
}
