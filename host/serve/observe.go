package serve

import (
	"context"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/desk"
)

// observe counts what the desk found about a tap, and keeps it to raise alarms.
func (s *Service) observe(ctx context.Context, o desk.Observation) error {
	s.metrics.taps.WithLabelValues(string(o.Verdict.Code), o.Channel).Inc()
	found := alarm.Observation{
		Card: o.Card, Network: o.Network, Time: o.Time, Channel: o.Channel,
		Verdict: alarm.Verdict{Code: string(o.Verdict.Code), Counter: o.Verdict.Counter, Skipped: o.Verdict.Skipped, Replayed: o.Verdict.Replayed},
	}
	if p := o.Place; p != nil {
		found.Place = &alarm.Place{Latitude: p.Latitude, Longitude: p.Longitude, Name: p.Name}
	}
	return s.rooms.alarm.Observe(ctx, found)
}
