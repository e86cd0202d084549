package cli

import (
	"context"
	"net"
	"os"
	"strconv"
	"time"
)

// notify tells systemd that the program is ready, again and again that it is well,
// and that it stops. Where no systemd asks, nobody is told.
func (s *Setup) notify(ctx context.Context, alive func(context.Context) error) {
	say := func(what string) {
		conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: os.Getenv("NOTIFY_SOCKET")})
		if err == nil {
			_, err = conn.Write([]byte(what))
			_ = conn.Close() // nothing is left to be sent
		}
		if err != nil {
			s.Log.Warn("telling systemd", "what", what, "error", err)
		}
	}
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return
	}
	say("READY=1")
	defer say("STOPPING=1")
	us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || us <= 0 {
		<-ctx.Done()
		return
	}
	beat := time.NewTicker(time.Duration(us) * time.Microsecond / 3)
	defer beat.Stop()
	for {
		limited, cancel := context.WithTimeout(ctx, healthLimit)
		err := alive(limited)
		cancel()
		if err == nil {
			say("WATCHDOG=1")
		} else if ctx.Err() == nil {
			s.Log.Error("this program is not well", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		}
	}
}
