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

// forgetLimit bounds how long Forget tries.
const forgetLimit = 10 * time.Second

// Forget has every dashboard drop a prober with all that it watches, or one
// watcher, and deletes what the store keeps of them, so that a dashboard that
// starts later does not know them either. It returns how many stored values it
// deleted. What is still alive is refused: it would be back with its next
// message.
func Forget(ctx context.Context, o bus.Options, f pharos.Forget) (deleted int, err error) {
	site, name, ok := strings.Cut(f.Prober, "/")
	if f.Prober != "" && !(ok && pharos.ValidToken(site) && pharos.ValidToken(name)) {
		return 0, fmt.Errorf("forgetting prober %q: want SITE/PROBER as the footer of the board and /api/v1/board have it", f.Prober)
	}
	if f.Watcher != "" {
		if s, err := pharos.ParseSubject(pharos.PushSubject(f.Watcher)); err != nil || s.Type != pharos.MessagePush {
			return 0, fmt.Errorf("forgetting watcher %q: want SITE.SET.WATCHER, the id in /api/v1/board", f.Watcher)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, forgetLimit)
	defer cancel()
	conn, err := bus.Connect(ctx, o)
	if err != nil {
		return 0, err
	}
	defer func() {
		leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetLimit/2)
		defer cancel()
		err = errors.Join(err, conn.Close(leave))
	}()
	subjects, alive, err := subjectsOf(ctx, conn, f)
	switch {
	case err != nil:
		return 0, err
	case alive != "":
		return 0, fmt.Errorf("forgetting: %s is alive and would be back with its next message: stop it first, or take the watcher out of its file", alive)
	}
	if err := conn.Purge(ctx, subjects...); err != nil && !errors.Is(err, bus.ErrNoStore) {
		return 0, fmt.Errorf("forgetting: %w", err)
	}
	data, err := json.Marshal(f)
	if err != nil {
		return 0, fmt.Errorf("forgetting: %w", err)
	}
	if err := conn.Publish(pharos.SubjectForget, data); err != nil {
		return 0, fmt.Errorf("forgetting: %w", err)
	}
	return len(subjects), nil
}

// subjectsOf returns the stored subjects that are to be forgotten, and who of
// them is alive, if anybody.
func subjectsOf(ctx context.Context, conn *bus.Conn, f pharos.Forget) (subjects []string, alive string, err error) {
	found, fresh := map[string]bool{}, map[string]bool{}
	owners := []string{f.Prober}
	looked, stop := context.WithTimeout(ctx, forgetLimit/2)
	defer stop()
	err = conn.Follow(looked, bus.Follow{
		Handle: func(m bus.Message) {
			s, err := pharos.ParseSubject(m.Subject)
			if err != nil {
				return
			}
			mine := false
			switch s.Type {
			case pharos.MessageHeartbeat:
				b, err := pharos.ParseHeartbeat(m.Data)
				if err == nil && !b.Leaving && m.Age < pharos.HeartbeatTimeout {
					fresh[s.ProberID()] = true
				}
				mine = s.ProberID() == f.Prober
			case pharos.MessageRoster:
				mine = s.ProberID() == f.Prober
			case pharos.MessageResult:
				if mine = s.ID() == f.Watcher; mine {
					owners = append(owners, s.ProberID())
				}
				mine = mine || s.ProberID() == f.Prober
			case pharos.MessagePush:
				mine = s.ID() == f.Watcher
			}
			if mine {
				found[m.Subject] = true
			}
		},
		SnapshotDone: stop,
	})
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("forgetting: no contact with NATS: %s", conn.Link().Error)
	}
	for _, id := range owners {
		if fresh[id] {
			alive = id
		}
	}
	return slices.Sorted(maps.Keys(found)), alive, err
}
