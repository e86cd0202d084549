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
	"pharos/internal/prober"
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
	c, err := config.Load(o.File, os.LookupEnv, prober.Kinds()...)
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
		look := transport(w.Target)
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

// transport gets a page as most programs do.
func transport(url string) func(context.Context, *pharos.Trace) pharos.Measurement {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return func(ctx context.Context, t *pharos.Trace) pharos.Measurement {
		trace := httptrace.ClientTrace{
			ConnectStart:         func(string, string) { t.Enter("connect") },
			WroteRequest:         func(httptrace.WroteRequestInfo) { t.Enter("first_byte") },
			GotFirstResponseByte: func() { t.Enter("transfer") },
		}
		request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, &trace), http.MethodGet, url, nil)
		if err != nil {
			return pharos.Failure(err)
		}
		answer, err := client.Do(request)
		if err != nil {
			return pharos.Failure(err)
		}
		defer answer.Body.Close()
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return pharos.Failure(err)
		}
		t.CountTo(time.Now())
		return pharos.Measurement{Value: pharos.Num(t.Total().Seconds()), Unit: "s", Phases: t.Phases()}
	}
}
