package pharos

import (
	"fmt"
	"strconv"
	"strings"
)

// The subjects that are not one watcher's or one prober's.
const (
	SubjectAll     = "pharos.>"       // everything on the wire
	SubjectRefresh = "pharos.refresh" // asks every prober to publish its state again
	SubjectForget  = "pharos.forget"  // asks every dashboard to forget a prober or a watcher that is gone for good
)

// MessageType says what a subject carries.
type MessageType uint8

// The kinds of subjects.
const (
	MessageResult    MessageType = iota + 1 // pharos.result.<site>.<prober>.<set>.<watcher>
	MessagePush                             // pharos.push.<site>.<set>.<watcher>
	MessageRoster                           // pharos.roster.<site>.<prober>.<part>
	MessageHeartbeat                        // pharos.heartbeat.<site>.<prober>
	MessageForget                           // pharos.forget
)

// Subject is a subject taken apart. Its parts are tokens.
type Subject struct {
	Type    MessageType
	Site    string
	Set     string // of a result or push
	Watcher string // of a result or push
	Prober  string // of a result, roster or heartbeat
	Part    int    // of a roster, from 0
}

// WatcherID names one watcher of one site on every board:
// "<site>.<set>.<watcher>".
type WatcherID string

// ID returns the id of the watcher that the subject of a result or push speaks of.
func (s Subject) ID() WatcherID { return MakeID(s.Site, s.Set, s.Watcher) }

// ProberID returns "<site>/<prober>", the id of the prober that sent a result,
// roster or heartbeat.
func (s Subject) ProberID() string { return s.Site + "/" + s.Prober }

// MakeID joins the tokens of a watcher.
func MakeID(site, set, watcher string) WatcherID {
	return WatcherID(site + "." + set + "." + watcher)
}

// Site returns the site's token.
func (id WatcherID) Site() string {
	site, _, _ := strings.Cut(string(id), ".")
	return site
}

// At returns the id at another site, which is a token.
func (id WatcherID) At(site string) WatcherID {
	_, rest, _ := strings.Cut(string(id), ".")
	return WatcherID(site + "." + rest)
}

// ResultSubject returns the subject of what a prober says of a watcher; prober is
// a token.
func ResultSubject(prober string, id WatcherID) string {
	site, rest, _ := strings.Cut(string(id), ".")
	return "pharos.result." + site + "." + prober + "." + rest
}

// PushSubject returns the subject of what anybody but a prober says of a watcher.
func PushSubject(id WatcherID) string { return "pharos.push." + string(id) }

// RosterSubject returns the subject of one part of a prober's roster; site and
// prober are tokens.
func RosterSubject(site, prober string, part int) string {
	return "pharos.roster." + site + "." + prober + "." + strconv.Itoa(part)
}

// HeartbeatSubject returns the subject of a prober's beat; site and prober are
// tokens.
func HeartbeatSubject(site, prober string) string { return "pharos.heartbeat." + site + "." + prober }

// ParseSubject takes a subject apart. The error quotes it and says which part
// is not one of ours.
func ParseSubject(subject string) (Subject, error) {
	if subject == SubjectForget {
		return Subject{Type: MessageForget}, nil
	}
	rest, ok := strings.CutPrefix(subject, "pharos.")
	if !ok || len(subject) > 256 {
		return Subject{}, fmt.Errorf("reading subject %.64q: not one of ours", subject)
	}
	kind, rest, _ := strings.Cut(rest, ".")
	parts := strings.Split(rest, ".")
	var s Subject
	switch {
	case kind == "result" && len(parts) == 4:
		s = Subject{Type: MessageResult, Site: parts[0], Prober: parts[1], Set: parts[2], Watcher: parts[3]}
	case kind == "push" && len(parts) == 3:
		s = Subject{Type: MessagePush, Site: parts[0], Set: parts[1], Watcher: parts[2]}
	case kind == "roster" && len(parts) == 3:
		n, err := strconv.Atoi(parts[2])
		if err != nil || n < 0 || n >= MaxRosterParts || strconv.Itoa(n) != parts[2] {
			return Subject{}, fmt.Errorf("reading subject %q: %q is not a part's number", subject, parts[2])
		}
		s = Subject{Type: MessageRoster, Site: parts[0], Prober: parts[1], Part: n}
		parts = parts[:2]
	case kind == "heartbeat" && len(parts) == 2:
		s = Subject{Type: MessageHeartbeat, Site: parts[0], Prober: parts[1]}
	default:
		return Subject{}, fmt.Errorf("reading subject %q: want pharos.result.SITE.PROBER.SET.WATCHER, pharos.push.SITE.SET.WATCHER, pharos.roster.SITE.PROBER.PART or pharos.heartbeat.SITE.PROBER", subject)
	}
	for _, p := range parts {
		if !ValidToken(p) {
			return Subject{}, fmt.Errorf("reading subject %q: %q is not a token", subject, p)
		}
	}
	return s, nil
}
