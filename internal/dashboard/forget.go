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
	contactLimit = 3 * time.Second // until there is a connection
	forgetLimit  = 10 * time.Second
	maxNamed     = 10 // probers that an error lists
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
		all, err := take(ctx, conn)
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
		all, err := take(ctx, conn)
		if err != nil {
			return err
		}
		for id := range all.probers {
			if id != own {
				all.probers[id] = false // a heartbeat of it can be from just before a restart
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
		leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetLimit/2)
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

// inventory is all that the store has.
type inventory struct {
	subjects map[string]pharos.Subject
	probers  map[string]bool // by id: whether it lives
	store    bool
}

// take reads the store.
func take(ctx context.Context, conn *bus.Conn) (inventory, error) {
	all := inventory{subjects: map[string]pharos.Subject{}, probers: map[string]bool{}}
	read, stop := context.WithTimeout(ctx, forgetLimit/2)
	defer stop()
	err := conn.Follow(read, bus.Follow{
		Handle: func(m bus.Message) {
			s, err := pharos.ParseSubject(m.Subject)
			if err != nil {
				return
			}
			switch s.Type {
			case pharos.MessageHeartbeat:
				b, err := pharos.ParseHeartbeat(m.Data)
				alive := err == nil && !b.Leaving && m.Age < pharos.HeartbeatTimeout
				all.probers[s.ProberID()] = all.probers[s.ProberID()] || alive
			case pharos.MessageRoster, pharos.MessageResult:
				if _, known := all.probers[s.ProberID()]; !known {
					all.probers[s.ProberID()] = false
				}
			case pharos.MessagePush:
			default:
				return
			}
			all.subjects[m.Subject] = s
		},
		SnapshotDone: stop,
	})
	all.store = conn.Stats().Snapshots > 0
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("reading what is stored: %w: %s", ctx.Err(), conn.Link().Error)
	}
	return all, err
}

// forget forgets one thing of those that are stored.
func forget(ctx context.Context, conn *bus.Conn, all inventory, f pharos.Forget) (deleted int, err error) {
	var subjects []string
	for subject, s := range all.subjects {
		of := s.Type != pharos.MessagePush && s.ProberID() == f.Prober
		if f.Watcher != "" {
			of = (s.Type == pharos.MessageResult || s.Type == pharos.MessagePush) && s.ID() == f.Watcher
		}
		if !of {
			continue
		}
		if s.Type != pharos.MessagePush && all.probers[s.ProberID()] {
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
