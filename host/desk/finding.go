package desk

import (
	"context"
	"errors"
	"fmt"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// Asks is what has to come with a tap that is to be recorded.
type Asks string

// What a card asks. Who has to identify himself is asked for that first, and then for the form.
const (
	AsksNone  Asks = "none"
	AsksForm  Asks = "form"
	AsksLogin Asks = "login"
)

// Finding is what was found about a tap, with what may be shown to whoever has it in hand.
type Finding struct {
	validation.Verdict
	Issuer   record.Issuer
	Face     product.Face     // its Name is never empty where the issuer is known
	Product  *product.Product // nil where it is not known
	Settings record.Settings  // in force; none where they are another installation's
	Asks     Asks
	Test     bool // a card of the sandbox: it proves nothing

	// Problems say what is wrong with the answers to the card's form, only when validation.PayloadRejected. Form is what came with the
	// request, whatever became of it: what somebody typed is not to be typed again.
	Problems []record.FieldProblem
	Form     map[string]string
}

// Look says what is to be said of the URL, and writes nothing on the ledger. Errors are ErrTooMany and those of validation.Validate.
func (d *Desk) Look(ctx context.Context, url string, c Caller) (Finding, error) {
	if t, err := tap.Parse(url); err == nil || errors.Is(err, tap.ErrUnsigned) {
		if err := d.limit("look " + t.ID.String() + " " + c.Network); err != nil {
			return Finding{}, err
		}
	}
	v, err := d.Validation.Validate(ctx, url)
	if err != nil {
		return Finding{}, err
	}
	f, err := d.finding(ctx, v, c)
	if err != nil {
		return Finding{}, err
	}
	// On the website every good tap that is looked at is offered for recording, which counts; looking does not, or each preview of a
	// link would.
	if v.Code != validation.Valid || c.Channel != ChannelWeb {
		d.observe(ctx, f, c, nil)
	}
	return f, nil
}

// finding puts what may be shown to a verdict.
func (d *Desk) finding(ctx context.Context, v validation.Verdict, c Caller) (Finding, error) {
	f := Finding{Verdict: v, Asks: AsksNone}
	if v.Card == nil {
		return f, nil
	}
	if v.Code == validation.Revoked {
		if err := d.renew(ctx, &f); err != nil {
			return f, err
		}
	}
	var err error
	if f.Issuer, err = d.Registry.Issuer(ctx, f.Card.Issuer); err != nil {
		return f, fmt.Errorf("looking up the issuer of card %v: %w", f.Card.ID, err)
	}
	f.Test = d.IsTest(ctx, f.Card.Issuer)
	f.Settings, err = d.settings(ctx, f.Card.ID, v.Settings)
	if err != nil && !errors.Is(err, secrets.ErrElsewhere) && v.Code == validation.Valid {
		return f, err // what it asks nobody knows; what is no good tap is none whatever it asks
	}
	f.Asks = asks(f.Settings, c.Actor)
	d.show(ctx, &f)
	return f, nil
}

func asks(s record.Settings, who identity.Actor) Asks {
	switch {
	case s.LoginRequired && who.Kind == identity.Anonymous:
		return AsksLogin
	case len(s.Form) > 0:
		return AsksForm
	}
	return AsksNone
}

// renew reads the card anew after a message that the registry may not have seen: why it was revoked stands there.
func (d *Desk) renew(ctx context.Context, f *Finding) error {
	if err := d.Registry.SyncChannel(ctx, f.Card.Taps); err != nil {
		return fmt.Errorf("reading the channel of card %v: %w", f.Card.ID, err)
	}
	card, err := d.Registry.Card(ctx, f.Card.ID)
	if err != nil {
		return fmt.Errorf("looking up card %v: %w", f.Card.ID, err)
	}
	f.Card = &card
	return nil
}

// show adds what the issuer shows. A tap is as good without it.
func (d *Desk) show(ctx context.Context, f *Finding) {
	f.Face, f.Product = d.shown(ctx, *f.Card)
	if f.Face.Name == "" {
		f.Face.Name = f.Issuer.Name
	}
}

func (d *Desk) shown(ctx context.Context, card record.Card) (product.Face, *product.Product) {
	face := product.Face{Issuer: card.Issuer}
	if d.Product == nil {
		return face, nil
	}
	found, err := d.Product.Face(ctx, card.Issuer)
	if err == nil {
		face = found
		var p product.Product
		var known bool
		if p, known, err = d.Product.Of(ctx, card); err == nil && known {
			return face, &p
		}
	}
	if err != nil {
		d.unshown.Add(1)
		d.Log.Warn("a product is not shown", "card", card.ID.String(), "error", err)
	}
	return face, nil
}
