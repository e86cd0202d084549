package embedded

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Lines that repeat, such as a client without a right, are logged once a
// while; so many different ones are told apart.
const (
	repeatEvery = time.Minute
	maxLines    = 64
)

// logger passes what the server says to slog.
type logger struct {
	log   *slog.Logger
	fatal chan struct{} // closed at the first Fatalf, after why is set
	why   string
	once  sync.Once

	mu   sync.Mutex
	last map[string]time.Time // guarded by mu: when a line was logged
}

// Noticef tells of starting and stopping: what happens in the normal course.
func (l *logger) Noticef(format string, v ...any) {
	l.log.Debug("nats server", "said", fmt.Sprintf(format, v...))
}

func (l *logger) Warnf(format string, v ...any) {
	// The passwords that it means are in no file of its own.
	if line := fmt.Sprintf(format, v...); l.isNew(line) && !strings.HasPrefix(line, "Plaintext passwords detected") {
		l.log.Warn("nats server", "said", line)
	}
}

func (l *logger) Errorf(format string, v ...any) {
	if line := fmt.Sprintf(format, v...); l.isNew(line) {
		l.log.Error("nats server", "said", line)
	}
}

// Fatalf must not end the process: Start turns it into an error.
func (l *logger) Fatalf(format string, v ...any) {
	l.once.Do(func() {
		l.why = fmt.Sprintf(format, v...)
		close(l.fatal)
	})
}

func (l *logger) Debugf(string, ...any) {}
func (l *logger) Tracef(string, ...any) {}

// connection is which connection a line speaks of; it differs each time.
var connection = regexp.MustCompile(`^\S+:\d+ - \w+:\d+`)

func (l *logger) isNew(line string) bool {
	now := time.Now()
	line = connection.ReplaceAllString(line, "")
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.last[line]; ok && now.Sub(at) < repeatEvery {
		return false
	}
	if len(l.last) >= maxLines {
		clear(l.last)
	}
	l.last[line] = now
	return true
}
