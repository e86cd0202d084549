package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The exit codes that have a meaning of their own.
const (
	sshFailed     = 255
	shellNotFound = 127
)

// fetchThere makes one request from the watcher's ssh host, with the curl that
// is there. The answer comes back as it was on the wire, so that all that is
// judged is judged here, as for a page that is fetched from here. Its phases
// are curl's.
func (p *pager) fetchThere(ctx context.Context, v *visit, h *hop) error {
	host := p.watcher.SSHHost
	most := int(p.maxBody()) + maxHead
	said, stderr := capture{most: most}, capture{}
	state, err := p.engine.runThere(ctx, host, remote{argv: []string{"sh", "-c", p.curlLine(most)}, input: p.curlConfig(ctx, h)}, &said, &stderr)
	if err != nil {
		return err
	}
	times, code := stderr.cutCurl(p.engine.reaper.mark)
	v.seen.stderr = stderr.text(p.redactor)
	if ctx.Err() != nil {
		return fmt.Errorf("curl on %s had not ended", host)
	}
	line := stderr.lastLine(p.redactor)
	if !v.addCurl(times) {
		switch {
		case code == shellNotFound:
			return fmt.Errorf("no curl on %s", host)
		case code < 0 && state.ExitCode() == sshFailed:
			return &sshError{host, errors.New(line)}
		}
		return fmt.Errorf("curl on %s: %s %s", host, state, line)
	}
	bounded := len(said.head) == most
	if code != 0 && !bounded {
		return &curlError{code, line}
	}
	body, err := readAnswer(v, said.head, h)
	if err != nil {
		return err
	}
	if err := p.readBody(v, body); err != nil {
		if !bounded {
			return err
		}
		v.seen.truncated = true
	}
	return nil
}

// curlLine returns the shell's line that runs curl over there. What it fetches
// passes a bound, so that a page without end costs no more there than here;
// its times go to standard error, and then its exit code, each after a mark.
// (Its own way there, %{stderr}, came only with 7.63.)
func (p *pager) curlLine(most int) string {
	return `trap "" PIPE; { curl -q -K - -o /dev/fd/3 3>&1 >&2; echo "` + p.engine.reaper.mark + ` $?" >&2; } | head -c ` + strconv.Itoa(most)
}

// curlConfig returns the request as a file of options for curl. It goes in by
// standard input, so that nothing of it shows in a list of processes.
func (p *pager) curlConfig(ctx context.Context, h *hop) string {
	var b strings.Builder
	option := func(name, value string) {
		b.WriteString(name + " = \"" + curlQuote.Replace(value) + "\"\n")
	}
	for _, flag := range []string{"silent", "show-error", "raw", "http1.1", "globoff", "path-as-is"} {
		b.WriteString(flag + "\n")
	}
	spec := p.spec
	if spec.IP != "" {
		b.WriteString("ipv" + string(spec.IP) + "\n")
	}
	if h.method == http.MethodHead {
		b.WriteString("head\n")
	} else {
		b.WriteString("include\n")
		option("request", h.method)
	}
	if spec.TLS.Insecure {
		b.WriteString("insecure\n")
	}
	files := [][2]string{{"cacert", string(spec.TLS.CAFile)}}
	if h.trusted {
		files = append(files, [2]string{"cert", string(spec.TLS.ClientCert)}, [2]string{"key", string(spec.TLS.ClientKey)})
	}
	for _, f := range files {
		if f[1] != "" {
			option(f[0], f[1])
		}
	}
	typed := false
	for _, l := range h.headers {
		typed = typed || strings.EqualFold(l.Name, "Content-Type")
		if l.Value == "" {
			option("header", l.Name+";")
		} else {
			option("header", l.Name+": "+l.Value)
		}
	}
	option("header", "Connection: close")
	if h.body != "" {
		option("header", "Expect:")
		if !typed {
			option("header", "Content-Type:")
		}
		option("data-raw", h.body)
	}
	option("noproxy", "*")
	if deadline, ok := ctx.Deadline(); ok { // in case that the far side does not hear of our end
		option("max-time", strconv.FormatFloat(time.Until(deadline).Seconds()+1, 'f', 3, 64))
	}
	option("write-out", p.engine.reaper.mark+" %{time_namelookup} %{time_connect} %{time_appconnect} %{time_starttransfer} %{time_total} %{remote_ip} %{remote_port}\n")
	u := *h.url
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	option("url", strings.ReplaceAll(u.String(), " ", "%20"))
	return b.String()
}

var curlQuote = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\v", `\v`)

// cutCurl takes curl's times and its exit code, each after a mark, off the end
// of its standard error. The code is negative where there is none.
func (c *capture) cutCurl(mark string) (times string, code int) {
	said, rest, ok := strings.Cut(string(append(c.head, c.tail...)), mark)
	if !ok {
		return "", -1
	}
	c.head, c.tail, c.dropped = []byte(said), nil, false
	times, last, ok := strings.Cut(rest, mark)
	if !ok {
		times, last = "", rest
	}
	code, err := strconv.Atoi(strings.TrimSpace(last))
	if err != nil {
		return "", -1
	}
	return times, code
}

// addCurl adds the phases of one request as curl says them: each counted from
// the start, in seconds.
func (v *visit) addCurl(times string) bool {
	fields := strings.Fields(times)
	if len(fields) < 5 {
		return false
	}
	var at [5]time.Duration
	for i := range at {
		s, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return false
		}
		at[i] = time.Duration(s * float64(time.Second))
	}
	lookup, connect, secured, first, total := at[0], at[1], at[2], at[3], at[4]
	v.Add("lookup", lookup)
	v.Add("connect", max(connect-lookup, 0))
	if secured > 0 {
		v.Add("tls", max(secured-connect, 0))
	}
	if first > 0 {
		v.Add("first_byte", max(first-max(secured, connect), 0))
		v.Add("transfer", max(total-first, 0))
	}
	v.there += total
	if len(fields) == 7 {
		v.seen.address = net.JoinHostPort(fields[5], fields[6])
	}
	return true
}

// curlError is a request to which curl got no whole answer.
type curlError struct {
	code int
	line string // what it said of it
}

func (e *curlError) Error() string { return e.line }

// describe says it in the words of describe.
func (e *curlError) describe() string {
	switch e.code {
	case 6:
		return "name not found"
	case 7:
		if strings.Contains(e.line, "refused") || strings.Contains(e.line, "Couldn't connect") {
			return "connection refused"
		}
	case 18:
		return "the answer was cut short"
	case 28:
		return "timed out"
	case 52:
		return "the connection was closed without an answer"
	case 56:
		return "connection reset"
	}
	_, reason, ok := strings.Cut(e.line, ") ") // "curl: (60) SSL certificate problem: ..."
	if !ok {
		return "curl: exit code " + strconv.Itoa(e.code)
	}
	return reason
}
