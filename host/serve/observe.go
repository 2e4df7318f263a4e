package serve

import (
	"context"
	"fmt"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/validation"
)

// isKept reports whether a check is kept, and told to those who want to know. A tap's first record always is. Of the rest a network has
// some kept and then few: of one tap they say the same again, and URLs that no card signed cost whoever makes them nothing. So nobody
// fills the database, or has real alarms wait behind his inventions.
func (s *Service) isKept(o desk.Observation) bool {
	v := o.Verdict
	key := "check " + string(v.Code) + " " + o.Network
	switch {
	case v.Code == validation.Recorded && !v.Replayed:
		return true
	case v.Code != validation.BadSignature:
		key += fmt.Sprint(" ", o.Card.ID, " ", v.Counter)
	}
	_, ok := s.limits.allow(key)
	return ok
}

// observe counts what the desk found about a tap, and keeps it to raise alarms.
func (s *Service) observe(ctx context.Context, o desk.Observation) error {
	s.metrics.taps.WithLabelValues(string(o.Verdict.Code), o.Channel).Inc()
	if !s.isKept(o) {
		return nil
	}
	found := alarm.Observation{
		Card: o.Card, Network: o.Network, Time: o.Time, Channel: o.Channel,
		Verdict: alarm.Verdict{Code: string(o.Verdict.Code), Counter: o.Verdict.Counter, Skipped: o.Verdict.Skipped, Replayed: o.Verdict.Replayed},
	}
	if p := o.Place; p != nil {
		found.Place = &alarm.Place{Latitude: p.Latitude, Longitude: p.Longitude, Name: p.Name}
	}
	return s.rooms.alarm.Observe(ctx, found)
}
