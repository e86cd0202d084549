// Package bus is all that Pharos says over NATS: it connects, publishes and
// listens, brings whoever comes late up to date, and asks for more when
// messages were lost.
package bus

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"pharos/internal/pharos"
)

// A cut cable is noticed within three seconds, and a server that is back within
// one. With the library's defaults it would take minutes.
const (
	dialTimeout     = 2 * time.Second
	reconnectWait   = 500 * time.Millisecond
	reconnectJitter = 250 * time.Millisecond
	jitterTLS       = 500 * time.Millisecond
	pingEvery       = time.Second
	pingsOut        = 2
	flushTimeout    = 2 * time.Second
	maxSubject      = 256 // bytes; the server cuts who sends a line of 4 KiB
)

// What keeps a call from doing its work, other than its context.
var (
	ErrNotConnected = errors.New("not connected to NATS")
	ErrClosed       = errors.New("the connection to NATS is closed")
	ErrNoStore      = errors.New("NATS keeps no last values")
)

// Options say where to connect, as whom, and who wants to know.
type Options struct {
	URL       string // one address or more, with commas: "nats://a:4222,nats://b:4222"
	InProcess nats.InProcessConnProvider
	Name      string // for the server's lists: "pharos-prober/berlin/p1"
	Inbox     string // tokens, with dots: answers come to "_INBOX_<Inbox>.>", so that no one else can be allowed to read them; empty: "_INBOX.>"

	User, Password    string
	Token             string
	Credentials, NKey string // files
	CAFile            string // PEM; setting it demands TLS
	OwnCA             bool   // the CA signs nothing but servers of this NATS: any name of them will do
	CertFile, KeyFile string // PEM; setting them demands TLS
	ServerCert        string // PEM file: the server has this certificate, whatever its name is; setting it demands TLS

	Log *slog.Logger
	// OnLink hears of every change, from one goroutine, in order. Of changes
	// that come while it is busy it hears the newest.
	OnLink func(Link)
}

// Conn is a connection that never gives up. Its methods may be called from any
// goroutine. It has more fields than ten: it joins the library's callbacks, which
// may come at any time, with what reads them.
type Conn struct {
	nc         *nats.Conn
	js         jetstream.JetStream
	log        *slog.Logger
	serversURL string
	stopDials  context.CancelFunc
	up         atomic.Bool
	anew       atomic.Bool   // the next connection is on its way: subscriptions were refused
	connected  chan struct{} // holds one signal
	closed     chan struct{} // closed when nc is
	counters   counters
	telling

	mu      sync.Mutex // guards what follows
	state   linkState
	session *session
	began   chan struct{} // closed when the next session begins
	complaints
}

// telling is the goroutine that calls OnLink.
type telling struct {
	onLink   func(Link)
	linkWake chan struct{} // holds one signal
	linkDone chan struct{} // closed when it has ended
}

// complaints are what the server refused, so that each is logged once.
type complaints struct {
	tried   map[string]bool      // why there was no connection since the last one
	refused map[string]time.Time // subscriptions that were denied, and not yet tried again
	logged  map[string]time.Time // denied subjects, and when that was logged
}

// session is the time from one connection to its end.
type session struct {
	ctx context.Context
	end context.CancelFunc
}

// Connect returns a connection that is made, and made again, in the
// background. It waits for the first attempt, at most two seconds a server, or
// until ctx ends, and is content when that fails. The error says which option
// is bad. Once Connect has returned, ctx means nothing to the connection.
func Connect(ctx context.Context, o Options) (*Conn, error) {
	servers, shown, err := readURL(o)
	if err != nil {
		return nil, fmt.Errorf("connecting to NATS: %w", err)
	}
	dials, stopDials := context.WithCancel(context.Background())
	c := &Conn{
		log: o.Log, stopDials: stopDials, serversURL: shown,
		connected: make(chan struct{}, 1), closed: make(chan struct{}), began: make(chan struct{}),
		telling:    telling{o.OnLink, make(chan struct{}, 1), make(chan struct{})},
		complaints: complaints{make(map[string]bool), make(map[string]time.Time), make(map[string]time.Time)},
	}
	c.state.url = shown
	d := &dialer{ctx: dials, opening: map[net.Conn]bool{}}
	opts, err := c.options(o, d)
	if err == nil {
		hurry := context.AfterFunc(ctx, func() { stopDials(); d.abort() })
		c.nc, err = nats.Connect(servers, opts...)
		d.opened()
		if !hurry() && err == nil {
			c.nc.Close()
			err = ctx.Err()
		}
	}
	if err == nil {
		c.js, err = jetstream.New(c.nc)
	}
	if err != nil {
		stopDials()
		return nil, fmt.Errorf("connecting to NATS: %w", err)
	}
	go c.tellLink()
	return c, nil
}

func (c *Conn) options(o Options, d *dialer) ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Name(o.Name),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.Timeout(dialTimeout), nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectJitter, jitterTLS),
		nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(pingsOut),
		nats.FlusherTimeout(flushTimeout), nats.ReconnectOnFlusherError(),
		nats.ReconnectBufSize(-1), // a message is the whole state: what could not be sent is soon old
		nats.SkipHostLookup(), nats.SetCustomDialer(d),
		nats.ConnectHandler(c.onConnect), nats.ReconnectHandler(c.onConnect),
		nats.DisconnectErrHandler(c.onDisconnect), nats.ReconnectErrHandler(c.onAttempt),
		nats.ErrorHandler(c.onError), nats.ClosedHandler(func(*nats.Conn) { close(c.closed) }),
	}
	if o.InProcess != nil {
		opts = append(opts, nats.InProcessServer(o.InProcess))
	}
	if o.Inbox != "" {
		for token := range strings.SplitSeq(o.Inbox, ".") {
			if !pharos.ValidToken(token) {
				return nil, fmt.Errorf("inbox %q: %q is not a token", o.Inbox, token)
			}
		}
		opts = append(opts, nats.CustomInboxPrefix("_INBOX_"+o.Inbox))
	}
	if o.User != "" || o.Password != "" {
		opts = append(opts, nats.UserInfo(o.User, o.Password))
	}
	if o.Token != "" {
		opts = append(opts, nats.Token(o.Token))
	}
	if o.Credentials != "" {
		// The library reads the file at each connect, and would retry without end.
		if _, err := os.ReadFile(o.Credentials); err != nil {
			return nil, fmt.Errorf("reading the credentials: %w", err)
		}
		opts = append(opts, nats.UserCredentials(o.Credentials))
	}
	if o.NKey != "" {
		opt, err := nats.NkeyOptionFromSeed(o.NKey)
		if err != nil {
			return nil, fmt.Errorf("reading nkey %q: %w", o.NKey, err)
		}
		opts = append(opts, opt)
	}
	if travels, err := secretTravels(o); err != nil {
		return nil, err
	} else if travels {
		opts = append(opts, nats.Secure())
	}
	switch {
	case o.CAFile != "" && o.OwnCA:
		opts = append(opts, nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, VerifyConnection: signedBy(o.CAFile)})) // but for the name it is the same check
	case o.CAFile != "":
		opts = append(opts, nats.RootCAs(o.CAFile))
	}
	if o.ServerCert != "" {
		opts = append(opts, nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, VerifyConnection: isServer(o.ServerCert)})) // which is a stricter check
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		return nil, fmt.Errorf("certificate %q and key %q: want both or none", o.CertFile, o.KeyFile)
	}
	if o.CertFile != "" {
		opts = append(opts, nats.ClientCert(o.CertFile, o.KeyFile))
	}
	return opts, nil
}

// signedBy returns what accepts a server whose certificate the CA of a file has
// signed.
func signedBy(file string) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
		if !o.Roots.AppendCertsFromPEM(data) {
			return fmt.Errorf("there is no certificate in %q", file)
		}
		for _, c := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		_, err = s.PeerCertificates[0].Verify(o)
		return err
	}
}

// isServer returns what accepts a server that has the certificate of a file.
func isServer(file string) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if block, _ := pem.Decode(data); block == nil || !bytes.Equal(block.Bytes, s.PeerCertificates[0].Raw) {
			return fmt.Errorf("the server's certificate is not the one in %q", file)
		}
		return nil
	}
}

// readURL returns the servers as the library wants them and as people may see
// them: without user and password, which no error text of it holds either.
func readURL(o Options) (servers, shown string, err error) {
	if o.InProcess != nil {
		return nats.DefaultURL, "in-process", nil
	}
	if strings.TrimSpace(o.URL) == "" {
		return "", "", errors.New("no URL")
	}
	var all []string
	for s := range strings.SplitSeq(o.URL, ",") {
		s = strings.TrimSpace(s)
		if !strings.Contains(s, "://") {
			s = "nats://" + s
		}
		scheme, rest, _ := strings.Cut(s, "://")
		public := scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
		u, err := url.Parse(s)
		switch {
		case err != nil || u.Hostname() == "":
			return "", "", fmt.Errorf("URL %q: want nats://host:port", public)
		case scheme != "nats" && scheme != "tls" && scheme != "ws" && scheme != "wss":
			return "", "", fmt.Errorf("URL %q: scheme %q, want nats, tls, ws or wss", public, scheme)
		}
		all = append(all, public)
	}
	return o.URL, strings.Join(all, ","), nil
}

// secretTravels reports whether a password or token would leave this machine,
// which then takes TLS.
func secretTravels(o Options) (bool, error) {
	if o.InProcess != nil {
		return false, nil
	}
	for s := range strings.SplitSeq(o.URL, ",") {
		s = strings.TrimSpace(s)
		if !strings.Contains(s, "://") {
			s = "nats://" + s
		}
		u, err := url.Parse(s)
		if err != nil || u.User == nil && o.User == "" && o.Token == "" {
			continue
		}
		if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
			continue
		}
		if u.Scheme == "ws" {
			return false, fmt.Errorf("URL ws://%s: a password or token would travel in the clear: want wss", u.Host)
		}
		return true, nil
	}
	return false, nil
}

// dialer dials until the connection is closed. The library holds its lock while
// it dials; without this, closing would wait for it.
type dialer struct {
	ctx context.Context

	mu sync.Mutex // guards opening
	// opening are the sockets of Connect's attempts, until it has returned: a
	// server that accepts and says nothing would hold it up.
	opening map[net.Conn]bool
}

// Dial dials for the library.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	nd := net.Dialer{Timeout: dialTimeout}
	conn, err := nd.DialContext(d.ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.opening != nil {
		d.opening[conn] = true
	}
	return conn, nil
}

// abort ends the attempts under way.
func (d *dialer) abort() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for conn := range d.opening {
		_ = conn.Close() // whoever reads from it finds out
	}
}

// opened lets go of the sockets.
func (d *dialer) opened() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opening = nil
}

// Publish sends one message to whoever listens and to the last-value store. It
// returns before the server has it; it is ErrNotConnected while there is no
// connection, and can block for two seconds while one breaks: call it from a
// goroutine that may wait.
func (c *Conn) Publish(subject string, data []byte) error {
	err := c.publish(subject, data)
	if err != nil {
		c.counters.unpublished.Add(1)
		return fmt.Errorf("publishing on %.300q: %w", subject, err)
	}
	c.counters.published.Add(1)
	return nil
}

// Push publishes one message, and returns when the store has it; where there is
// none, when the server has.
func (c *Conn) Push(ctx context.Context, subject string, data []byte) error {
	stored := c.Link().Store
	err := ErrNotConnected
	switch {
	case !c.up.Load():
	case stored:
		if _, err = c.js.Publish(ctx, subject, data); errors.Is(err, context.DeadlineExceeded) {
			err = errors.New("the store does not say that it has it; is it there, and may this program publish that?")
		}
	default:
		if err = c.publish(subject, data); err == nil {
			err = c.nc.FlushWithContext(ctx)
		}
	}
	if err != nil {
		c.counters.unpublished.Add(1)
		return fmt.Errorf("publishing on %.300q: %w", subject, err)
	}
	c.counters.published.Add(1)
	return nil
}

// TryAnother leaves the server for another one that is known, by the address that
// was given or from the cluster. It reports false when there is no other.
func (c *Conn) TryAnother() bool {
	if !c.up.Load() || len(c.nc.Servers()) < 2 {
		return false
	}
	if err := c.nc.ForceReconnect(); err != nil {
		c.log.Warn("leaving a server of NATS", "error", plain(err))
		return false
	}
	return true
}

// MaxPayload returns how many bytes a message may have: what the server that is
// connected takes, and pharos.MaxMessage at most.
func (c *Conn) MaxPayload() int {
	if limit := c.nc.MaxPayload(); limit > 0 && limit < pharos.MaxMessage {
		return int(limit)
	}
	return pharos.MaxMessage
}

func (c *Conn) publish(subject string, data []byte) error {
	if len(data) > pharos.MaxMessage {
		return fmt.Errorf("%d bytes, want at most %d", len(data), pharos.MaxMessage)
	}
	if len(subject) > maxSubject {
		return fmt.Errorf("a subject of %d bytes, want at most %d", len(subject), maxSubject)
	}
	if !c.up.Load() {
		return ErrNotConnected
	}
	switch err := c.nc.Publish(subject, data); {
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		return ErrNotConnected
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return ErrClosed
	default:
		return err
	}
}

// Connected receives after each connect, the first included: the moment to
// publish everything again. Of several that nobody received, one is left. It is
// for one reader.
func (c *Conn) Connected() <-chan struct{} { return c.connected }

// Close sends what was published, ends every Follow and Listen, and closes the
// connection. When ctx ends first it closes at once and returns ctx's error.
// Closing twice is fine.
func (c *Conn) Close(ctx context.Context) error {
	c.stopDials()
	// Drain only begins to drain. Its error means that there is nothing to
	// drain, and then it has closed already.
	_ = c.nc.Drain()
	var err error
	select {
	case <-c.closed:
	case <-ctx.Done():
		err = fmt.Errorf("closing the connection to NATS: %w", ctx.Err())
		c.nc.Close()
		<-c.closed
	}
	<-c.linkDone
	return err
}

// Stats count since Connect.
type Stats struct {
	Connects    uint64 // connections made
	Published   uint64 // messages handed to the connection
	Unpublished uint64 // messages that could not be
	Received    uint64 // live messages handled
	Dropped     uint64 // live messages lost because Handle was too slow
	Diverted    uint64 // messages that the server sent for somebody who may not send them
	Snapshots   uint64 // snapshots taken
	Refreshes   uint64 // times that probers were asked to publish again
	Denied      uint64 // times that the server refused a right
}

type counters struct {
	connects, published, unpublished, received, dropped, diverted, snapshots, refreshes, denied atomic.Uint64
}

// Stats returns the counts.
func (c *Conn) Stats() Stats {
	n := &c.counters
	return Stats{
		Connects: n.connects.Load(), Published: n.published.Load(), Unpublished: n.unpublished.Load(),
		Received: n.received.Load(), Dropped: n.dropped.Load(), Diverted: n.diverted.Load(), Snapshots: n.snapshots.Load(),
		Refreshes: n.refreshes.Load(), Denied: n.denied.Load(),
	}
}
