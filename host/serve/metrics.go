package serve

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/productid/productid/host/edge"
)

// metrics are those of the service beside the edge's: what became of taps, and how far the registry is.
type metrics struct {
	taps *prometheus.CounterVec
}

func newMetrics(s *Service) *metrics {
	m := &metrics{taps: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "productid_taps_total", Help: "Taps that were checked or recorded, by the answer's code and by where they came in.",
	}, []string{"code", "channel"})}
	s.prepared.MustRegister(m.taps, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "productid_registry_behind_seconds", Help: "Time since the registry was last level with the ledger.",
		}, func() float64 { return s.behind().Seconds() }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "productid_outbox_length", Help: "Deliveries by webhook and mail that are still to be made; -1 when the database does not answer.",
		}, s.outbox),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "productid_checks_lost_total", Help: "Checks that could not be kept, so that no alarm was raised about them.",
		}, func() float64 { return float64(s.rooms.desk.Lost().Unobserved) }))
	return m
}

func (s *Service) outbox() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), checkLimit)
	defer cancel()
	n, _, err := s.rooms.notify.Length(ctx)
	if err != nil {
		return -1
	}
	return float64(n)
}

func (s *Service) metricsHandler() http.Handler {
	return promhttp.HandlerFor(s.prepared, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn)})
}

// localMetrics shows the metrics to this machine. Behind a proxy everybody may seem to come from it, so nobody is shown them there.
func (s *Service) localMetrics() http.Handler {
	h := s.metricsHandler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.BehindProxy || s.Metrics != nil || !edge.Client(r.Context()).IsLoopback() {
			http.NotFound(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}
