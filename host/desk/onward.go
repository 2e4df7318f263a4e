package desk

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// Onward is how long after its record a tap sends its holder on.
const Onward = 15 * time.Minute

// Continue returns the page that the recorded tap with this counter leads to, with a token that shows that the visitor comes from here:
// that of the card's settings, else the product's. It is nobody's proof of having tapped, because id and counter stand on the public
// ledger: ask only for whoever recorded the tap.
// The page is on one of the issuer's hosts, where he names some.
//
// Errors: registry.ErrUnknownCard; ErrNotRecorded for a counter that is not the card's newest, that was recorded more than Onward ago, or
// never, and for a card that is out of service since; ErrNowhere; those of the ledger, of Products and of Redirects.
func (d *Desk) Continue(ctx context.Context, id tap.CardID, counter uint32) (*url.URL, error) {
	target, err := d.onward(ctx, id, counter)
	if err != nil {
		return nil, fmt.Errorf("going on from tap %d of card %v: %w", counter, id, err)
	}
	return d.Redirect.Issue(ctx, target, id, counter)
}

func (d *Desk) onward(ctx context.Context, id tap.CardID, counter uint32) (*url.URL, error) {
	card, err := d.current(ctx, id)
	if err != nil {
		return nil, err
	}
	if card.Last != counter || card.State != record.StateInService && card.State != record.StateCompleted {
		return nil, ErrNotRecorded
	}
	e, recorded, err := d.Validation.Recorded(ctx, card, counter)
	if err != nil {
		return nil, err
	}
	if !recorded || d.Now().Sub(e.Time) > Onward {
		return nil, ErrNotRecorded
	}
	s, err := d.settings(ctx, id, card.Settings)
	if err != nil {
		return nil, err
	}
	return d.target(ctx, card, s.ProductURL)
}

// target returns the page that a card with this product page in its settings leads to. Where pages may be is the issuer's word of now,
// whenever the address was put down; where nobody can say what that is, nobody is sent on.
func (d *Desk) target(ctx context.Context, card record.Card, address string) (*url.URL, error) {
	if d.Redirect == nil {
		return nil, ErrNowhere
	}
	if d.Product != nil {
		face, err := d.Product.Face(ctx, card.Issuer)
		if err != nil {
			return nil, err
		}
		if address == "" {
			p, known, err := d.Product.Of(ctx, card)
			if err != nil {
				return nil, err
			}
			if known {
				address = p.URL
			}
		}
		if address != "" && !face.Allows(address) {
			return nil, fmt.Errorf("%w: its product page is none of the issuer's hosts", ErrNowhere)
		}
	}
	if address == "" {
		return nil, ErrNowhere
	}
	return url.Parse(address)
}

// current returns the card as its tap channel's newest message leaves it.
func (d *Desk) current(ctx context.Context, id tap.CardID) (record.Card, error) {
	card, err := d.Registry.Card(ctx, id)
	if isUnknown(err) { // another process may have registered it a moment ago
		if err := d.Registry.Sync(ctx); err != nil {
			return card, err
		}
		card, err = d.Registry.Card(ctx, id)
	}
	if err != nil {
		return card, err
	}
	if err := d.Registry.SyncChannel(ctx, card.Taps); err != nil {
		return card, err
	}
	return d.Registry.Card(ctx, id)
}
