package bus

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	deniedFor       = time.Minute // how long a denied right is shown after it was last denied
	deniedLogEvery  = time.Minute
	maxDeniedLogged = 16 // subjects, in that time
	askEvery        = time.Second
	maxReasons      = 16 // why there is no connection, until there is one
)

// Link is the state of the connection, for people.
type Link struct {
	Up       bool
	URL      string // of the server, or of those that are tried; without user and password; "in-process"
	Store    bool   // last values are kept and can be read; a Conn that does not follow does not know
	Connects uint64 // connections made so far: one that broke and came back between two calls shows here
	Error    string // why it is down, which right is missing, or why there is no store
}

// linkState is what a Link is made of.
type linkState struct {
	up       bool
	url      string
	connects uint64
	down     string // why it is down
	denied   string // the right that was denied last
	deniedAt time.Time
	stores   [len(stores)]storeState
}

// storeState is whether a store can be read.
type storeState struct {
	there bool
	err   string // why not
}

func (s *linkState) link() Link {
	l := Link{Up: s.up, URL: s.url, Store: s.up, Connects: s.connects}
	why := ""
	for _, store := range s.stores {
		l.Store = l.Store && store.there
		if why == "" {
			why = store.err
		}
	}
	switch {
	case !s.up:
		l.Error = s.down
	case s.denied != "":
		l.Error = s.denied
	default:
		l.Error = why
	}
	return l
}

// Link returns the state now.
func (c *Conn) Link() Link {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.link()
}

// change changes the state and has OnLink hear of it.
func (c *Conn) change(f func(*linkState)) {
	c.mu.Lock()
	f(&c.state)
	c.mu.Unlock()
	signal(c.linkWake)
}

// signal leaves one signal for the reader of a channel that holds one.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// tellLink calls OnLink until the connection is closed.
func (c *Conn) tellLink() {
	defer close(c.linkDone)
	forget := time.NewTimer(0)
	defer forget.Stop()
	// The library does not tell of attempts that fail in the TLS handshake.
	ask := time.NewTicker(askEvery)
	defer ask.Stop()
	var told Link
	for open := true; open; {
		select {
		case <-c.linkWake:
		case <-forget.C:
		case <-ask.C:
			if !c.up.Load() {
				c.onAttempt(nil, c.nc.LastError())
			}
			continue
		case <-c.closed:
			c.endSession("closed")
			open = false
		}
		c.mu.Lock()
		if s := &c.state; s.denied != "" {
			if left := deniedFor - time.Since(s.deniedAt); left > 0 {
				forget.Reset(left)
			} else {
				s.denied = ""
			}
		}
		now := c.state.link()
		c.mu.Unlock()
		if now != told {
			told = now
			if c.onLink != nil {
				c.onLink(now)
			}
		}
	}
}

// onConnect is called by the library, as the other on-methods are, from one
// goroutine.
func (c *Conn) onConnect(nc *nats.Conn) {
	shown := c.serversURL
	if u, err := url.Parse(nc.ConnectedUrl()); err == nil && shown != "in-process" {
		u.User = nil
		shown = u.String()
	}
	ctx, end := context.WithCancel(context.Background())
	c.mu.Lock()
	if c.session != nil {
		c.session.end()
	}
	c.session = &session{ctx, end}
	close(c.began)
	c.began = make(chan struct{})
	clear(c.refused) // the library has subscribed again
	clear(c.tried)
	c.mu.Unlock()
	c.counters.connects.Add(1)
	c.up.Store(true)
	c.log.Info("connected to NATS", "url", shown)
	c.change(func(s *linkState) {
		*s = linkState{up: true, url: shown, connects: s.connects + 1}
	})
	signal(c.connected)
}

func (c *Conn) onDisconnect(_ *nats.Conn, err error) {
	if err == nil { // by Close
		c.endSession("closed")
		return
	}
	why := "disconnected: " + plain(err)
	if c.endSession(why) {
		c.log.Warn("disconnected from NATS", "error", plain(err))
	}
}

// onAttempt hears why an attempt to connect did not succeed. Where there are
// several servers, each has a reason of its own, again and again: each is told
// once.
func (c *Conn) onAttempt(_ *nats.Conn, err error) {
	switch {
	case err == nil:
		return
	case errors.Is(err, nats.ErrNoServers): // the next attempts say why
		c.change(func(s *linkState) { s.down = cmp.Or(s.down, "connecting: no server answers") })
		return
	}
	why := plain(err)
	c.mu.Lock()
	known := c.tried[why]
	tell := !known && len(c.tried) < maxReasons
	if tell {
		c.tried[why] = true
		c.state.down = "connecting: " + why
	}
	c.mu.Unlock()
	if tell {
		c.log.Warn("connecting to NATS", "url", c.serversURL, "error", why)
		signal(c.linkWake)
	}
}

// endSession reports whether there was one.
func (c *Conn) endSession(why string) bool {
	c.up.Store(false)
	c.mu.Lock()
	s := c.session
	c.session = nil
	c.mu.Unlock()
	if s != nil {
		s.end()
	}
	c.change(func(l *linkState) { l.up, l.stores, l.down = false, [len(stores)]storeState{}, why })
	return s != nil
}

// awaitSession waits until there is a connection. The context it returns ends
// with ctx, with the connection, or when it is cancelled.
func (c *Conn) awaitSession(ctx context.Context) (context.Context, context.CancelFunc, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		c.mu.Lock()
		s, began := c.session, c.began
		c.mu.Unlock()
		if s != nil {
			merged, cancel := context.WithCancel(ctx)
			stop := context.AfterFunc(s.ctx, cancel)
			return merged, func() { stop(); cancel() }, nil
		}
		select {
		case <-began:
		case <-c.closed:
			return nil, nil, ErrClosed
		case <-ctx.Done():
		}
	}
}

// deniedText finds what was denied in the server's words: `Permissions
// Violation for Publish to "a.b"`.
var deniedText = regexp.MustCompile(`for (Publish|Subscription)(?: with Reply of| to) "([^"]*)"`)

// onError hears what the server refuses, and of slow consumers; there is no
// other sign of a missing right.
func (c *Conn) onError(_ *nats.Conn, _ *nats.Subscription, err error) {
	switch {
	case errors.Is(err, nats.ErrPermissionViolation):
		c.onDenied(err)
	case errors.Is(err, nats.ErrMaxSubscriptionsExceeded):
		// The server does not say which it refused: all are made anew with the next
		// connection.
		c.log.Warn("NATS refuses subscriptions", "error", plain(err))
		c.change(func(s *linkState) {
			s.denied, s.deniedAt = "it takes no more subscriptions: max_subscriptions of the server or the account is reached", time.Now()
		})
		if c.anew.CompareAndSwap(false, true) {
			time.AfterFunc(askRightsEvery, func() {
				c.anew.Store(false)
				_ = c.nc.ForceReconnect() // its only error says that the connection is closed
			})
		}
	case errors.Is(err, nats.ErrSlowConsumer):
		// The listener counts what was dropped.
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		errors.Is(err, nats.ErrAccountAuthExpired), errors.Is(err, nats.ErrMaxConnectionsExceeded):
		c.onAttempt(nil, err)
	default:
		c.log.Warn("NATS", "error", plain(err))
	}
}

func (c *Conn) onDenied(err error) {
	c.counters.denied.Add(1)
	now := time.Now()
	text, subject := plain(err), ""
	if m := deniedText.FindStringSubmatch(err.Error()); m != nil {
		subject = m[2]
		if m[1] == "Publish" {
			text = `not allowed to publish on "` + subject + `"`
		} else {
			text = `not allowed to subscribe to "` + subject + `"`
		}
	}
	c.mu.Lock()
	if strings.HasPrefix(text, "not allowed to subscribe") {
		c.refused[subject] = now
	}
	for s, at := range c.logged {
		if now.Sub(at) >= deniedLogEvery {
			delete(c.logged, s)
		}
	}
	_, known := c.logged[text]
	tell := !known && len(c.logged) < maxDeniedLogged
	if tell {
		c.logged[text] = now
	}
	c.mu.Unlock()
	if tell {
		c.log.Warn("NATS refuses a right", "error", text)
	}
	c.change(func(s *linkState) { s.denied, s.deniedAt = text, now })
}

// takeRefused reports whether the server refused the subscription to subject
// since it was last asked.
func (c *Conn) takeRefused(subject string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.refused[subject]
	delete(c.refused, subject)
	return ok
}

// ownPort is our end of a connection in the text of an error; it differs each
// time.
var ownPort = regexp.MustCompile(`\S+:\d+->`)

func plain(err error) string {
	if errors.Is(err, nats.ErrSecureConnWanted) {
		return "the server offers no TLS, and a password is not sent without it"
	}
	if strings.EqualFold(err.Error(), nats.ErrAuthorization.Error()) || errors.Is(err, nats.ErrAuthorization) {
		return "the server refuses our key or password: it is wrong, or was revoked"
	}
	return ownPort.ReplaceAllString(strings.TrimPrefix(err.Error(), "nats: "), "")
}
