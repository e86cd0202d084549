package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pharos/internal/bus"
	"pharos/internal/pharos"
)

// What bounds Forget.
const (
	contactLimit = 3 * time.Second  // until there is a connection
	readLimit    = 5 * time.Second  // until the store is read
	forgetLimit  = 20 * time.Second // all that comes after the connection
	// doubtLimit is how long a prober is listened to that did not say goodbye, and
	// something is looked for that is not stored: where a machine is slow, the last
	// values of a living one are old, or are on their way.
	doubtLimit = 2 * pharos.HeartbeatTimeout
	maxNamed   = 10 // probers that an error lists
)

// Forget has every dashboard drop a prober with all that it watches, or one
// watcher, and deletes what the store keeps of them, so that a dashboard that
// starts later does not know them either. It returns how many stored values it
// deleted; the error is ErrNoStore where NATS stores nothing, and the dashboards
// have been asked all the same. What is still alive is refused: it would be back
// with its next message. What nothing is stored of is an error.
func Forget(ctx context.Context, o bus.Options, f pharos.Forget) (deleted int, err error) {
	site, name, ok := strings.Cut(f.Prober, "/")
	if f.Prober != "" && !(ok && pharos.ValidToken(site) && pharos.ValidToken(name)) {
		return 0, fmt.Errorf(`forgetting prober %q: want SITE/PROBER, an id of "probers" in /api/v1/board`, f.Prober)
	}
	if f.Watcher != "" {
		if s, err := pharos.ParseSubject(pharos.PushSubject(f.Watcher)); err != nil || s.Type != pharos.MessagePush {
			return 0, fmt.Errorf("forgetting watcher %q: want SITE.SET.WATCHER, an id in /api/v1/board", f.Watcher)
		}
	}
	err = contact(ctx, o, func(ctx context.Context, conn *bus.Conn) error {
		all, err := take(ctx, conn, f)
		if err == nil {
			deleted, err = forget(ctx, conn, all, f)
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("forgetting: %w", err)
	}
	return deleted, err
}

// ForgetOthers has everything forgotten that is not of one prober or pushed. It
// is for an all-in-one whose server nobody else can reach: what other names have
// left there is from before its prober was renamed.
func ForgetOthers(ctx context.Context, o bus.Options, own string) error {
	return contact(ctx, o, func(ctx context.Context, conn *bus.Conn) error {
		all, err := take(ctx, conn, pharos.Forget{})
		if err != nil {
			return err
		}
		for id := range all.probers {
			if id != own {
				all.probers[id] = left // a heartbeat of it can be from just before a restart
				_, failed := forget(ctx, conn, all, pharos.Forget{Prober: id})
				err = errors.Join(err, failed)
			}
		}
		return err
	})
}

// contact calls do with a connection that is up.
func contact(ctx context.Context, o bus.Options, do func(context.Context, *bus.Conn) error) (err error) {
	soon, cancel := context.WithTimeout(ctx, contactLimit)
	defer cancel()
	conn, err := bus.Connect(soon, o)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no contact with NATS at %s within %v: it does not answer", o.URL, contactLimit)
	}
	if err != nil {
		return err
	}
	defer func() {
		leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), readLimit)
		defer cancel()
		err = errors.Join(err, conn.Close(leave))
	}()
	select {
	case <-conn.Connected():
	case <-soon.Done():
		link := conn.Link()
		return fmt.Errorf("no contact with NATS at %s within %v: %s", link.URL, contactLimit, strings.TrimPrefix(link.Error, "connecting: "))
	}
	work, cancel := context.WithTimeout(ctx, forgetLimit)
	defer cancel()
	return do(work, conn)
}

// inventory is all that the store has, and what was heard meanwhile.
type inventory struct {
	subjects map[string]pharos.Subject
	probers  map[string]life // by id
	store    bool
}

// life is what is known of a prober.
type life uint8

const (
	unheard life = iota // no word of it, or an old one
	left                // it said goodbye
	alive
)

// take reads the store, and listens until nothing is doubtful, or for long enough.
func take(ctx context.Context, conn *bus.Conn, f pharos.Forget) (inventory, error) {
	all := inventory{subjects: map[string]pharos.Subject{}, probers: map[string]life{}}
	read, stop := context.WithTimeout(ctx, readLimit+doubtLimit)
	defer stop()
	slow := time.AfterFunc(readLimit, stop)
	var listened *time.Timer // set once the store is read
	enough := func() {
		if listened != nil && !all.doubtful(f) {
			stop()
		}
	}
	err := conn.Follow(read, bus.Follow{
		Handle: func(m bus.Message) {
			all.note(m)
			enough()
		},
		SnapshotDone: func() {
			if listened == nil && slow.Stop() {
				listened = time.AfterFunc(doubtLimit, stop)
				all.store = conn.Stats().Snapshots > 0
			}
			enough()
		},
	})
	slow.Stop()
	if listened != nil {
		listened.Stop()
	} else if err == nil {
		err = ctx.Err()
	}
	if err == nil && listened == nil {
		err = fmt.Errorf("reading what is stored: nothing within %v: %s", readLimit, conn.Link().Error)
	}
	return all, err
}

// note takes what one message tells.
func (all *inventory) note(m bus.Message) {
	s, err := pharos.ParseSubject(m.Subject)
	if err != nil {
		return
	}
	switch s.Type {
	case pharos.MessageHeartbeat:
		is := unheard
		switch b, err := pharos.ParseHeartbeat(m.Data); {
		case err == nil && b.Leaving:
			is = left
		case err == nil && m.Age < pharos.HeartbeatTimeout:
			is = alive
		}
		all.probers[s.ProberID()] = max(all.probers[s.ProberID()], is)
	case pharos.MessageRoster, pharos.MessageResult:
		all.probers[s.ProberID()] = max(all.probers[s.ProberID()], unheard)
	case pharos.MessagePush:
	default:
		return
	}
	all.subjects[m.Subject] = s
}

// concerns reports whether a stored message is one that f takes away.
func concerns(f pharos.Forget, s pharos.Subject) bool {
	if f.Watcher != "" {
		return (s.Type == pharos.MessageResult || s.Type == pharos.MessagePush) && s.ID() == f.Watcher
	}
	return s.Type != pharos.MessagePush && s.ProberID() == f.Prober
}

// doubtful reports whether what f concerns may be alive without having been
// heard, or be stored without having been read: NATS stores a message a moment
// after it has passed it on.
func (all *inventory) doubtful(f pharos.Forget) bool {
	found := f == pharos.Forget{}
	for _, s := range all.subjects {
		if !concerns(f, s) {
			continue
		}
		found = true
		if s.Type != pharos.MessagePush && all.probers[s.ProberID()] == unheard {
			return true
		}
	}
	return !found
}

// forget forgets one thing of those that are stored.
func forget(ctx context.Context, conn *bus.Conn, all inventory, f pharos.Forget) (deleted int, err error) {
	var subjects []string
	for subject, s := range all.subjects {
		if !concerns(f, s) {
			continue
		}
		if s.Type != pharos.MessagePush && all.probers[s.ProberID()] == alive {
			return 0, fmt.Errorf("%s is alive and would be back with its next message: stop it first, or take the watcher out of its file", s.ProberID())
		}
		subjects = append(subjects, subject)
	}
	if err := conn.Purge(ctx, subjects...); err != nil && !errors.Is(err, bus.ErrNoStore) {
		return 0, err
	}
	data, err := json.Marshal(f)
	if err != nil {
		return 0, err
	}
	if err := conn.Publish(pharos.SubjectForget, data); err != nil {
		return 0, err
	}
	switch {
	case !all.store:
		return 0, bus.ErrNoStore
	case len(subjects) == 0:
		return 0, fmt.Errorf("nothing is stored of %s; %s (a dashboard that shows it all the same has been asked to drop it)", thing(f), all.known())
	}
	return len(subjects), nil
}

// thing names what is to be forgotten.
func thing(f pharos.Forget) string {
	if f.Watcher != "" {
		return fmt.Sprintf("watcher %q", f.Watcher)
	}
	return fmt.Sprintf("prober %q", f.Prober)
}

// known lists the probers that something is stored of.
func (all inventory) known() string {
	ids := slices.Sorted(maps.Keys(all.probers))
	switch more := len(ids) - maxNamed; {
	case len(ids) == 0:
		return "no prober is known"
	case more > 0:
		return fmt.Sprintf("known probers are %s and %d more", strings.Join(ids[:maxNamed], ", "), more)
	}
	return "known probers are " + strings.Join(ids, ", ")
}
