package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// Request asks for a tap to be recorded.
type Request struct {
	URL     string
	Payload json.RawMessage   // a JSON value, or nil; on a card with a form what that takes
	Form    map[string]string // or the answers to the form as they were typed, by the names of its fields; nil where nobody typed any
	Retry   *validation.Retry // see validation.Request
	Place   *Place            // where the card was tapped, if the caller says so; it is not recorded
}

// Record records the tap for the caller, if it is genuine, unused, and comes with what the card asks for. What is refused has written
// nothing, and the same request can be made again with what was missing.
//
// By the API only who may record taps for the card's issuer is answered; the error is one of package identity then. Further errors:
// ErrTooMany, settings.ErrUnreadable, and those of validation.Update. The Finding's Form is there with an error, too.
func (d *Desk) Record(ctx context.Context, r Request, c Caller) (Finding, error) {
	f, err := d.record(ctx, r, c)
	f.Form = r.Form
	return f, err
}

func (d *Desk) record(ctx context.Context, r Request, c Caller) (Finding, error) {
	if c.Channel == ChannelAPI {
		if err := d.mayRecord(ctx, r.URL, c.Actor); err != nil {
			return Finding{}, err
		}
	}
	said, err := r.said()
	if err != nil {
		return Finding{}, err
	}
	b := &booking{Desk: d, Request: r, Caller: c}
	v, err := d.Validation.Update(ctx, validation.Request{URL: r.URL, Payload: said, Operator: c.Actor.ID, Retry: r.Retry, Decide: b.decide})
	if err != nil {
		return Finding{}, err
	}
	f, err := d.finding(ctx, v, c)
	if err != nil && v.Code != validation.Recorded {
		return Finding{}, err
	}
	if v.Code == validation.PayloadRejected {
		f.Problems = b.problems
	}
	d.observe(ctx, f, c, r.Place)
	return f, nil
}

// mayRecord asks whether the caller may record taps of the card that the URL names. What is no card of anybody's is for validation to say,
// to who has shown a key.
func (d *Desk) mayRecord(ctx context.Context, url string, who identity.Actor) error {
	if who.Kind == identity.Anonymous {
		return identity.ErrUnauthenticated
	}
	t, err := tap.Parse(url)
	if err != nil {
		return nil
	}
	card, err := d.Registry.Card(ctx, t.ID)
	if errors.Is(err, registry.ErrUnknownCard) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking up card %v: %w", t.ID, err)
	}
	return who.May(card.Issuer, identity.RecordTaps)
}

// said is what came with the request, in bytes that are the same for the same request: whether it is one, and what a form makes of it,
// may change with the card's settings.
func (r Request) said() (json.RawMessage, error) {
	if r.Form == nil {
		return r.Payload, nil
	}
	return json.Marshal(r.Form)
}

// booking is one request on its way into a record.
type booking struct {
	*Desk
	Request
	Caller
	counted  bool // for the card's limit
	problems []record.FieldProblem
}

// decide has the last word on a tap that is good, by the settings that will be in force for its record.
func (b *booking) decide(ctx context.Context, v validation.Verdict) (validation.Decision, error) {
	if b.Caller.Channel == ChannelAPI { // whose card it is may be known only now
		if err := b.Actor.May(v.Card.Issuer, identity.RecordTaps); err != nil {
			return validation.Decision{}, err
		}
	}
	s, err := b.settings(ctx, v.Card.ID, v.Settings)
	if err != nil {
		return validation.Decision{}, err
	}
	if s.LoginRequired && b.Actor.Kind == identity.Anonymous {
		return validation.Decision{Refuse: LoginRequired}, nil
	}
	payload, ok := b.payload(s.Form)
	if !ok {
		return validation.Decision{Refuse: validation.PayloadRejected}, nil
	}
	if !b.counted {
		b.counted = true
		if err := b.limit("record " + v.Card.ID.String()); err != nil {
			return validation.Decision{}, err
		}
	}
	d := validation.Decision{Payload: payload}
	if s.LoginRequired {
		d.Operator = b.Actor.ID
	}
	return d, nil
}

// payload returns what is recorded with the tap. Answers that no form asks for any more are not recorded.
func (b *booking) payload(form record.Form) (payload json.RawMessage, ok bool) {
	b.problems = nil
	if len(form) == 0 {
		if b.Form != nil {
			return nil, true
		}
		return b.Payload, true
	}
	values := b.Form
	if values == nil && len(b.Payload) > 0 {
		if values, b.problems = form.Read(b.Payload); b.problems != nil {
			return nil, false
		}
	}
	payload, b.problems = form.Payload(values)
	return payload, b.problems == nil
}
