//go:build bench && linux

package bench

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"os"
	"time"

	"pharos/internal/bus"
	"pharos/internal/config"
	"pharos/internal/pharos"
	"pharos/internal/probe"
	"pharos/internal/schedule"
)

// Engine is a prober to compare with: Pharos's own schedule and bus around
// another way to look or another clock.
type Engine struct{}

// Prepared says what an Engine is to do.
type Prepared struct {
	File      string // the configuration
	NATS      string // address
	Transport bool   // look through http.Transport with httptrace, else through internal/probe
	Coarse    bool   // keep to Go's own timers
}

// Run runs the engine until the process ends.
func (e *Engine) Run(o Prepared, _ *struct{}) error {
	c, err := config.Load(o.File, os.LookupEnv)
	if err != nil {
		return err
	}
	conn, err := bus.Connect(context.Background(), bus.Options{URL: o.NATS, Name: "bench", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	reports := make(chan schedule.Report, 4096)
	s := schedule.New(schedule.Options{CoarseTimer: o.Coarse, Report: func(r schedule.Report) { reports <- r }})
	engine := probe.New(probe.Options{})
	jobs := make([]schedule.Job, len(c.Watchers))
	for i, w := range c.Watchers {
		look := transport(w.Page.URL)
		if !o.Transport {
			p, err := engine.Prepare(w, nil)
			if err != nil {
				return err
			}
			look = p.Run
		}
		jobs[i] = schedule.Job{Watcher: w, Run: look}
	}
	ctx := context.Background()
	go s.Run(ctx) // both end with the process
	go func() {
		for r := range reports {
			data, err := r.Result.Encode(pharos.MaxMessage)
			if err != nil {
				panic(err)
			}
			if err := conn.Publish(pharos.ResultSubject("bench", r.ID), data); err != nil && !errors.Is(err, bus.ErrNotConnected) {
				panic(err)
			}
		}
	}()
	s.Update(jobs, nil)
	return nil
}

// transport looks at a page as most programs do.
func transport(url string) func(context.Context) pharos.Result {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return func(ctx context.Context) (r pharos.Result) {
		var connecting, connected, wrote, first time.Time
		trace := httptrace.ClientTrace{
			ConnectStart:         func(string, string) { connecting = time.Now() },
			ConnectDone:          func(string, string, error) { connected = time.Now() },
			WroteRequest:         func(httptrace.WroteRequestInfo) { wrote = time.Now() },
			GotFirstResponseByte: func() { first = time.Now() },
		}
		r.At, r.Status, r.Unit = time.Now(), pharos.Critical, "s"
		request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, &trace), http.MethodGet, url, nil)
		if err != nil {
			return r
		}
		answer, err := client.Do(request)
		if err != nil {
			return r
		}
		defer answer.Body.Close()
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return r
		}
		end := time.Now()
		r.Status, r.Value = pharos.OK, pharos.Num(end.Sub(r.At).Seconds())
		r.Phases = []pharos.Phase{{Name: "connect", Took: pharos.Seconds(connected.Sub(connecting))},
			{Name: "first_byte", Took: pharos.Seconds(first.Sub(wrote))}, {Name: "transfer", Took: pharos.Seconds(end.Sub(first))}}
		return r
	}
}
