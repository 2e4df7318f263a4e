package desk

import (
	"context"
	"time"

	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/record"
)

// Place is where a card was tapped, as the caller says.
type Place struct {
	Latitude, Longitude float64 // degrees, WGS 84
	Name                string
}

// Observation is a finding, for whoever raises alarms.
type Observation struct {
	Card    record.Card
	Verdict validation.Verdict
	Place   *Place
	Network string
	Time    time.Time
	Channel string
}

// observing is how long an answer waits for what was found to be kept.
const observing = 2 * time.Second

// observe keeps what was found about a card that is known. The answer stands already, so a failure is counted, and logged.
func (d *Desk) observe(ctx context.Context, f Finding, c Caller, place *Place) {
	if d.Observe == nil || f.Card == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), observing)
	defer cancel()
	o := Observation{Card: *f.Card, Verdict: f.Verdict, Place: place, Network: c.Network, Time: d.Now(), Channel: c.Channel}
	if err := d.Observe(ctx, o); err != nil {
		d.unobserved.Add(1)
		d.Log.Warn("a check is not kept for alarms", "card", f.Card.ID.String(), "code", string(f.Code), "error", err)
	}
}
