package web

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"pharos/internal/board"
)

var (
	descWatchers = prometheus.NewDesc("pharos_watchers", "Watchers on the board, by the status they are shown with.", []string{"status"}, nil)
	descOK       = prometheus.NewDesc("pharos_watcher_ok", "1 while a watcher is known to be ok, else 0.", []string{"id", "site", "set", "name"}, nil)
	descStatus   = prometheus.NewDesc("pharos_watcher_status", "What a watcher is shown as: 0 ok, 1 warning, 2 critical, 3 unknown, 4 waiting, 5 stale.", []string{"id", "site", "set", "name"}, nil)
	descValue    = prometheus.NewDesc("pharos_watcher_value", "The watcher's last value, in its unit; absent while it is stale.", []string{"id", "site", "set", "name", "unit"}, nil)
	descProberUp = prometheus.NewDesc("pharos_prober_up", "1 while the prober sends heartbeats.", []string{"id", "site", "prober"}, nil)
	descMissed   = prometheus.NewDesc("pharos_prober_missed_ticks_total", "Ticks that the prober missed since it started.", []string{"id", "site", "prober"}, nil)
	descNATS     = prometheus.NewDesc("pharos_nats_up", "1 while this dashboard is connected to NATS.", nil, nil)
	descBus      = prometheus.NewDesc("pharos_nats_events_total", "What happened on the connection to NATS: connects, messages received and lost (this dashboard was too slow), snapshots taken, refreshes asked for, rights denied, messages that could not be published.", []string{"event"}, nil)
	descScreens  = prometheus.NewDesc("pharos_screens", "Screens that are watching.", nil, nil)
	descRefused  = prometheus.NewDesc("pharos_screens_refused_total", "Screens refused because too many were watching, in all or from one address.", nil, nil)
	descCut      = prometheus.NewDesc("pharos_screens_cut_total", "Screens cut off because they took no byte for 10 s.", nil, nil)
	descDropped  = prometheus.NewDesc("pharos_messages_dropped_total", "Messages from NATS that were dropped, by reason.", []string{"reason"}, nil)
	descDelay    = prometheus.NewDesc("pharos_frame_delay_seconds", "From a result's arrival to the frame that carries its change of status.", nil, nil)
	descInfo     = prometheus.NewDesc("pharos_info", "The version, always 1.", []string{"version"}, nil)
)

// statusNumbers are the words behind pharos_watcher_status; the first four
// numbers are those of Nagios.
var statusNumbers = []string{"ok", "warning", "critical", "unknown", "waiting", "stale"}

// collector reads the board when it is asked.
type collector struct{ s *Server }

// Describe sends nothing: what there is depends on the board.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends what is true now.
func (c collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	total := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	s := c.s
	gauge(descInfo, 1, s.o.Version)
	gauge(descScreens, float64(s.streams.count()))
	total(descRefused, s.refused.Load())
	total(descCut, s.cut.Load())
	for reason, n := range s.o.Board.Drops() {
		total(descDropped, n, reason)
	}
	count, sum, atMost := s.o.Board.Delays()
	buckets := map[float64]uint64{}
	for i, n := range atMost {
		buckets[board.DelayBounds[i]] = n
	}
	out <- prometheus.MustNewConstHistogram(descDelay, count, sum.Seconds(), buckets)
	if s.o.NATS != nil {
		for name, n := range s.o.NATS() {
			total(descBus, n, name)
		}
	}
	state := s.o.Board.State(context.Background())
	if state == nil {
		return
	}
	gauge(descNATS, one(state.Link.Up))
	for word, n := range counts(state) {
		gauge(descWatchers, float64(n), word)
	}
	for i := range state.Probers {
		p := &state.Probers[i]
		gauge(descProberUp, one(p.Up), p.ID, p.Site, p.Name)
		total(descMissed, p.Missed, p.ID, p.Site, p.Name)
	}
	for i := range state.Sets {
		for j := range state.Sets[i].Tiles {
			t := &state.Sets[i].Tiles[j]
			word := statusWord(t)
			gauge(descOK, one(word == "ok"), string(t.ID), t.Site, t.Set, t.Name)
			gauge(descStatus, float64(slices.Index(statusNumbers, word)), string(t.ID), t.Site, t.Set, t.Name)
			if t.Result.Value.OK && !t.Stale {
				gauge(descValue, t.Result.Value.V, string(t.ID), t.Site, t.Set, t.Name, t.Result.Unit)
			}
		}
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (s *Server) metrics() echo.HandlerFunc {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:           slog.NewLogLogger(s.o.Log.Handler(), slog.LevelWarn),
		ErrorHandling:      promhttp.ContinueOnError,
		DisableCompression: true,
	})
	return func(c echo.Context) error {
		return s.share(c, "metrics", func() (string, []byte, error) {
			w := inMemory{header: http.Header{}}
			handler.ServeHTTP(&w, &http.Request{Method: http.MethodGet, Header: http.Header{}})
			return w.header.Get(echo.HeaderContentType), w.Bytes(), nil
		})
	}
}

// inMemory is an answer that goes nowhere.
type inMemory struct {
	bytes.Buffer
	header http.Header
}

func (p *inMemory) Header() http.Header { return p.header }
func (p *inMemory) WriteHeader(int)     {}
