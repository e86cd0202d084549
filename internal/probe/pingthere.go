package probe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"pharos/internal/pharos"
)

// What the pings of iputils, BusyBox and BSD write of an answer, of none, and at the end.
var (
	pingAnswer = regexp.MustCompile(`\bfrom ([^\s,]+?):? .*?seq=(\d+) .*\btime[=<]([0-9.]+) ?ms\s*(\(DUP!\))?`)
	pingNoWay  = regexp.MustCompile(`(?i)^(?:from \S+|\d+ bytes from \S+):?(?: icmp_seq=\d+)? (.*(?:unreachable|exceeded|prohibited|filtered).*)$`)
	pingSent   = regexp.MustCompile(`(?m)^(\d+) packets transmitted\b`)
)

// prepareThere has the ping of an ssh host send the packets.
func (s *pingSpec) prepareThere(e *Engine, w pharos.Watcher) Run {
	const spacing = 0.2 // seconds: who is not root may not have them closer
	patience := math.Ceil(w.Timeout.Seconds())
	if s.Count > 1 { // BusyBox that is killed has said nothing
		patience = max(math.Floor(w.Timeout.Seconds()-spacing*float64(s.Count)-0.3), 1)
	}
	argv := []string{"ping", "-n", "-c", strconv.Itoa(int(s.Count)), "-s", strconv.Itoa(int(s.Size)), "-W", strconv.Itoa(int(patience))}
	if s.Count > 1 {
		argv = append(argv, "-i", strconv.FormatFloat(spacing, 'g', -1, 64))
	}
	if s.IP != "" {
		argv = append(argv, "-"+string(s.IP))
	}
	program := remote{argv: append(argv, string(s.Ping)), env: []string{"LC_ALL=C"}}
	return func(ctx context.Context, t *Trace) (m Measurement) {
		said, stderr := capture{most: maxValueText}, capture{}
		state, err := e.runThere(ctx, w.SSHHost, program, &said, &stderr)
		output := string(said.head)
		answers := parsePing(output, int(s.Count))
		m.Detail = output + stderr.text(e.Redactor)
		switch {
		case pingSent.MatchString(output) || ctx.Err() == context.DeadlineExceeded && e.ssh.isUp(w.SSHHost): // they are judged
		case err != nil:
			m.Outcome, m.Cause = pharos.Failed, err
			return m
		case state.ExitCode() == shellNotFound:
			m.Fail("no ping on " + w.SSHHost)
			return m
		case state.ExitCode() == sshFailed && !e.ssh.alive(w.SSHHost):
			m.Fail((&sshError{w.SSHHost, errors.New(stderr.lastLine(e.Redactor))}).Error())
			return m
		default:
			line := strings.TrimPrefix(stderr.lastLine(e.Redactor), "ping: ")
			if line == "" {
				line = state.String()
			}
			m.Fail(fmt.Sprintf("ping on %s: %s", w.SSHHost, line))
			return m
		}
		if answers.from != "" {
			m.AddFact("address", answers.from+" from "+w.SSHHost)
		}
		why := answers.why
		if why == "" {
			why = "no answer within " + pharos.SayTime(w.Timeout)
		}
		s.judge(ctx, t, &m, answers.took, errors.New(why), w.Timeout)
		if s.Count == 1 && answers.took[0] > 0 {
			t.Add("rtt", answers.took[0])
		}
		return m
	}
}

// pingAnswers is what a ping has written.
type pingAnswers struct {
	took []time.Duration // of each packet that was sent; 0: no answer
	from string
	why  string // what a router said
}

// parsePing reads the output of ping.
func parsePing(output string, count int) (a pingAnswers) {
	if n := pingSent.FindStringSubmatch(output); n != nil {
		if sent, err := strconv.Atoi(n[1]); err == nil {
			count = min(count, sent)
		}
	}
	a.took = make([]time.Duration, max(count, 1))
	next := 0 // BSD and BusyBox count from 0
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if m := pingNoWay.FindStringSubmatch(line); m != nil {
			a.why = strings.ToLower(m[1])
			continue
		}
		m := pingAnswer.FindStringSubmatch(line)
		if m == nil || m[4] != "" || next == len(a.took) {
			continue
		}
		ms, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			continue
		}
		a.took[next], a.from = max(time.Duration(ms*1e6), 1), m[1]
		next++
	}
	return a
}
