package edge

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics measure requests: how many run, how long each route takes, and how often a handler panicked.
type Metrics struct {
	running prometheus.Gauge
	panics  prometheus.Counter
	took    *prometheus.HistogramVec
}

// NewMetrics makes the metrics and registers them, where to is not nil. It panics where they are registered already.
func NewMetrics(to prometheus.Registerer) *Metrics {
	m := &Metrics{
		running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "productid_http_requests_running", Help: "Requests that are being answered."}),
		panics:  prometheus.NewCounter(prometheus.CounterOpts{Name: "productid_http_panics_total", Help: "Requests whose handler panicked and which were answered 500."}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "productid_http_request_seconds", Help: "Time from a request's header to the end of its answer, by route.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route", "method", "status"}),
	}
	if to != nil {
		to.MustRegister(m.running, m.panics, m.took)
	}
	return m
}

// observe counts a request under its route: patterns are few, and paths as many as clients make up. So are methods.
func (m *Metrics) observe(route, method string, status int, took time.Duration) {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
	default:
		method = "other"
	}
	if route == "" {
		route = "none"
	}
	m.took.WithLabelValues(route, method, strconv.Itoa(status)).Observe(took.Seconds())
}
