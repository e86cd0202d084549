package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"pharos/internal/pharos"
)

// store is a stream that keeps the last message of each subject. Publish does not
// know of it.
type store struct {
	stream      string
	description string
	subjects    []string // patterns
	bytes       int64    // at the most
}

// The stores. Pushes have one of their own, so that a flood of them takes no
// prober's last values away.
const (
	probersStore = iota
	pushStore
)

var stores = [...]store{
	probersStore: {"PHAROS", "the last value of each watcher, roster and heartbeat", []string{"pharos.result.>", "pharos.roster.>", "pharos.heartbeat.>"}, 256 << 20},
	pushStore:    {"PHAROS_PUSH", "the last value of each push", []string{pushPrefix + ">"}, 64 << 20},
}

const pushPrefix = "pharos.push."

// storeOf returns which store a subject belongs to.
func storeOf(subject string) int {
	if strings.HasPrefix(subject, pushPrefix) {
		return pushStore
	}
	return probersStore
}

// directGet returns the subject on which a server hands out what is stored last of
// another subject.
func directGet(subject string) string {
	return "$JS.API.DIRECT.GET." + stores[storeOf(subject)].stream + "." + subject
}

const (
	leastBytes     = 4 << 20 // a server that cannot keep this much keeps nothing
	snapshotBatch  = 1000
	snapshotIdle   = 5 * time.Second // without a message: the snapshot has failed
	consumerForget = 10 * time.Second
	lastWindow     = 256 // requests under way at once
	replicaWait    = 20 * time.Millisecond
)

// leastServer is the first version that hands out the last values of several
// patterns of subjects at once.
const leastServer = "2.10.0"

// tooOld reports whether a server's version is older than leastServer.
func tooOld(version string) bool {
	var major, minor int
	n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return n == 2 && (major < 2 || major == 2 && minor < 10)
}

// storeInfo is what the store said of itself.
type storeInfo struct {
	created time.Time
	last    uint64 // sequence of the newest message
	clock   clock
	odd     string // the first setting that is not ours, for people
}

// clock is the broker's: what it said it was, and when.
type clock struct{ theirs, ours time.Time }

// newClock takes the broker's time from an answer to what was asked at asked,
// and which has just come.
func newClock(theirs, asked time.Time) clock {
	return clock{theirs, asked.Add(time.Since(asked) / 2)}
}

// age returns how old a message is that the broker stored at stored.
func (c clock) age(stored time.Time) time.Duration {
	return max(0, c.theirs.Sub(stored)+time.Since(c.ours))
}

func (s *store) config(f Follow, size int64) jetstream.StreamConfig {
	storage := jetstream.FileStorage
	if f.Memory {
		storage = jetstream.MemoryStorage
	}
	return jetstream.StreamConfig{
		Name: s.stream, Description: s.description, Subjects: s.subjects,
		Storage: storage, Replicas: max(f.Replicas, 1), Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		MaxMsgsPerSubject: 1, MaxMsgSize: pharos.MaxMessage, MaxBytes: size, AllowDirect: true,
	}
}

// create makes the stream, a smaller one where the server has no room for the
// usual one.
func (c *Conn) create(ctx context.Context, s *store, f Follow) (jetstream.Stream, error) {
	for size := s.bytes; ; size /= 2 {
		stream, err := c.js.CreateStream(ctx, s.config(f, size))
		var api *jetstream.APIError
		full := errors.As(err, &api) && (api.ErrorCode == 10023 || api.ErrorCode == 10028 || api.ErrorCode == 10047)
		switch {
		case full && size/2 >= leastBytes:
			continue
		case errors.Is(err, jetstream.ErrStreamNameAlreadyInUse): // another was quicker
			return c.js.Stream(ctx, s.stream)
		case err != nil:
			return nil, fmt.Errorf("making stream %s: %w", s.stream, err)
		}
		c.log.Info("made a stream", "stream", s.stream, "bytes", size)
		return stream, nil
	}
}

// oddSettings names the first setting without which a stream is no last-value
// store of ours.
func (o *store) oddSettings(s jetstream.StreamConfig) string {
	switch {
	case s.MaxMsgsPerSubject != 1:
		return fmt.Sprintf("%d messages a subject, want 1", s.MaxMsgsPerSubject)
	case !s.AllowDirect:
		return "direct access off, want on"
	case s.MaxMsgSize > 0 && s.MaxMsgSize < pharos.MaxMessage:
		return fmt.Sprintf("messages of at most %d bytes, want %d", s.MaxMsgSize, pharos.MaxMessage)
	case s.MaxMsgs > 0:
		return fmt.Sprintf("at most %d messages, want no limit", s.MaxMsgs)
	case s.MaxAge > 0:
		return fmt.Sprintf("messages are deleted after %v, want never", s.MaxAge)
	case s.MaxBytes > 0 && s.MaxBytes < leastBytes:
		return fmt.Sprintf("at most %d bytes, want %d or more", s.MaxBytes, leastBytes)
	case s.Discard == jetstream.DiscardNew:
		return "new messages are discarded when it is full, want old ones"
	case s.Sealed:
		return "it is sealed"
	case slices.ContainsFunc(o.subjects, func(p string) bool {
		return !slices.Contains(s.Subjects, p) && !slices.Contains(s.Subjects, pharos.SubjectAll)
	}):
		return fmt.Sprintf("subjects %q, want %q", s.Subjects, o.subjects)
	}
	return ""
}

// snapshot hands over the last message of each subject, and that this is all.
// With gap it says first that something may have been missed.
func (k *follower) snapshot(ctx context.Context, info storeInfo, gap bool) error {
	if gap && !k.send(ctx, gapOpens) {
		return ctx.Err()
	}
	if err := k.readStore(ctx, info, 0); err != nil {
		return err
	}
	k.c.counters.snapshots.Add(1)
	if !k.send(ctx, snapshotEnds) {
		return ctx.Err()
	}
	return nil
}

// readStore hands over the last message of each subject, of those from a
// sequence on.
func (k *follower) readStore(ctx context.Context, info storeInfo, from uint64) error {
	if info.last < from {
		return nil
	}
	if err := k.consume(ctx, info, from); err != nil {
		return fmt.Errorf("reading the last values: %w", err)
	}
	return nil
}

// consume leaves its consumer when the newest message known before it was made
// has been passed: when a stream is made anew, a consumer stays silent without
// an error.
func (k *follower) consume(ctx context.Context, info storeInfo, from uint64) error {
	config := jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, AckPolicy: jetstream.AckNonePolicy,
		FilterSubjects: k.store.subjects, MemoryStorage: true, Replicas: 1, InactiveThreshold: consumerForget,
	}
	if from > 0 {
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, from
	}
	create, cancel := context.WithTimeout(ctx, requestWait)
	consumer, err := k.c.js.CreateConsumer(create, k.store.stream, config)
	cancel()
	if err != nil {
		return err
	}
	if consumer.CachedInfo().NumPending == 0 {
		return nil
	}
	// The library takes a stored message without a body for one of the server's own
	// when it has a header "Status", which anybody can send.
	inbox := k.c.nc.NewInbox()
	answers, err := k.c.nc.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer func() { _ = answers.Unsubscribe() }()
	next := "$JS.API.CONSUMER.MSG.NEXT." + k.store.stream + "." + consumer.CachedInfo().Name
	for n := uint64(0); ; {
		if n%snapshotBatch == 0 {
			if err := k.c.nc.PublishRequest(next, inbox, fmt.Appendf(nil, `{"batch":%d,"expires":%d}`, snapshotBatch, snapshotIdle)); err != nil {
				return err
			}
		}
		wait, cancel := context.WithTimeout(ctx, snapshotIdle)
		m, err := answers.NextMsgWithContext(wait)
		cancel()
		if err != nil {
			return err
		}
		if m.Reply == "" { // it is no message, but why there is none
			return fmt.Errorf("%s %s", m.Header.Get("Status"), m.Header.Get("Description"))
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if n++; meta.Sequence.Consumer != n {
			return fmt.Errorf("message %d came, want %d: some were lost", meta.Sequence.Consumer, n)
		}
		message := Message{Subject: m.Subject, Data: m.Data, Age: info.clock.age(meta.Timestamp), Snapshot: true}
		if diverted("", m.Header) {
			k.c.counters.diverted.Add(1)
		} else if !k.hand(ctx, stored{k.which, storedOne, message}) {
			return ctx.Err()
		}
		if meta.Sequence.Stream >= info.last || meta.NumPending == 0 {
			return nil
		}
	}
}

// Last returns the stored messages of the subjects (no patterns), as many as
// there are, in any order. It publishes mark, which is on a subject that is
// stored, and learns from it what time the broker has: a prober that starts
// sends its first beat. It needs no other right than to publish mark, and to
// get the subjects directly. It waits for a connection. ErrNoStore says that
// there is nothing to be read from; with any error, what was read comes along.
func (c *Conn) Last(ctx context.Context, mark Message, subjects ...string) ([]Message, error) {
	session, end, err := c.awaitSession(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading last values: %w", err)
	}
	defer end()
	now, err := c.mark(session, mark)
	if err != nil {
		return nil, fmt.Errorf("reading last values: %w", err)
	}
	found, err := c.getDirect(session, now, subjects)
	if err != nil {
		return found, fmt.Errorf("reading last values: %w", err)
	}
	return found, nil
}

// mark has the broker store a message, and reads its time from that.
func (c *Conn) mark(ctx context.Context, mark Message) (clock, error) {
	// Asking for it first tells whether there is a store: where there is none,
	// a dashboard that listens would keep the request below waiting.
	if _, err := c.nc.RequestWithContext(ctx, directGet(mark.Subject), nil); err != nil {
		return clock{}, noStore(err)
	}
	asked := time.Now()
	answer, err := c.nc.RequestWithContext(ctx, mark.Subject, mark.Data)
	if err != nil {
		return clock{}, noStore(err)
	}
	now := asked.Add(time.Since(asked) / 2)
	var ack struct {
		Seq   uint64              `json:"seq"`
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return clock{}, fmt.Errorf("storing %q: %w", mark.Subject, err)
	}
	if ack.Error != nil {
		return clock{}, fmt.Errorf("storing %q: %w", mark.Subject, ack.Error)
	}
	for {
		m, err := c.nc.RequestWithContext(ctx, directGet(mark.Subject), nil)
		if err != nil {
			return clock{}, noStore(err)
		}
		seq, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
		if err == nil && seq >= ack.Seq {
			stored, err := storedAt(m)
			return clock{stored, now}, err
		}
		if !sleep(ctx, replicaWait) { // a replica that has not got it yet
			return clock{}, ctx.Err()
		}
	}
}

func noStore(err error) error {
	if errors.Is(err, nats.ErrNoResponders) {
		return ErrNoStore
	}
	return err
}

// getDirect asks for one subject after the other, without waiting for each
// answer in turn.
func (c *Conn) getDirect(ctx context.Context, now clock, subjects []string) ([]Message, error) {
	inbox := c.nc.NewInbox()
	answers, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answers.Unsubscribe() }()
	var found []Message
	for sent, got := 0, 0; got < len(subjects); {
		if sent < len(subjects) && sent-got < lastWindow {
			if err := c.nc.PublishRequest(directGet(subjects[sent]), inbox, nil); err != nil {
				return found, err
			}
			sent++
			continue
		}
		m, err := answers.NextMsgWithContext(ctx)
		if err != nil {
			return found, noStore(err)
		}
		got++
		switch status := m.Header.Get("Status"); status {
		case "":
			at, err := storedAt(m)
			if err != nil {
				return found, err
			}
			found = append(found, Message{Subject: m.Header.Get(jetstream.SubjectHeader), Data: m.Data, Age: now.age(at), Snapshot: true})
		case "404": // nothing stored yet
		default:
			return found, fmt.Errorf("getting a message directly: status %s %s", status, m.Header.Get("Description"))
		}
	}
	return found, nil
}

// storedAt returns when the broker stored a message that was got directly.
func storedAt(m *nats.Msg) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		return time.Time{}, fmt.Errorf("reading when %q was stored: %w", m.Subject, err)
	}
	return at, nil
}

// Purge deletes what is stored on the subjects (no patterns). ErrNoStore says
// that nothing is stored anywhere.
func (c *Conn) Purge(ctx context.Context, subjects ...string) error {
	session, end, err := c.awaitSession(ctx)
	if err != nil {
		return fmt.Errorf("purging: %w", err)
	}
	defer end()
	for _, subject := range subjects {
		stream, err := c.js.Stream(session, stores[storeOf(subject)].stream)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			err = ErrNoStore
		}
		if err != nil {
			return fmt.Errorf("purging: %w", noStore(err))
		}
		if err := stream.Purge(session, jetstream.WithPurgeSubject(subject)); err != nil {
			return fmt.Errorf("purging %q: %w", subject, err)
		}
	}
	return nil
}
