package station

import (
	"context"
	"errors"
	"fmt"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/gs1"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// Registered returns the order that finishes a card which was personalised without being locked, and the issuer for whom: what
// it is to be follows from its registration. Confirm is the caller's to set. The profile stands in no registration, so it is what the
// card has now, which anybody may have written: the caller says whether it is meant. A card that is not registered is ErrNotRegistered.
// Nothing is written.
func (s *Station) Registered(ctx context.Context, t apdu.Transmitter) (Order, channel.ID, error) {
	known, profile, err := s.lookUp(ctx, t)
	if errors.Is(err, registry.ErrUnknownCard) {
		err = ErrNotRegistered
	}
	if err != nil {
		return Order{}, channel.ID{}, fmt.Errorf("looking up the card's registration: %w", err)
	}
	order := Order{
		Template: known.Template, Algorithm: known.Key.Algorithm(), Profile: profile, Lock: true,
		Subject: known.Subject, GTIN: known.GTIN, Lot: known.Lot, Serial: known.Serial,
		registered: true,
	}
	if order.idIsSerial() && order.Serial == known.ID.String() {
		order.Serial = ""
	}
	return order, known.Issuer, nil
}

// thing is what a card stands for, as its registration says for good.
type thing struct{ subject, gtin, lot, serial string }

func (o Order) thing(id tap.CardID) thing {
	return thing{o.Subject, gs1.FullGTIN(o.GTIN), o.Lot, o.serial(id)}
}

func thingOf(c record.Card) thing { return thing{c.Subject, gs1.FullGTIN(c.GTIN), c.Lot, c.Serial} }

// String names what is known of it.
func (t thing) String() string {
	words := t.subject
	for _, part := range [][2]string{{"gtin", t.gtin}, {"lot", t.lot}, {"serial", t.serial}} {
		if part[1] != "" {
			words += ", " + part[0] + " " + part[1]
		}
	}
	return words
}

// lookUp returns what the ledger knows of the card, and the profile that the card has.
func (s *Station) lookUp(ctx context.Context, t apdu.Transmitter) (record.Card, card.Profile, error) {
	client, err := card.Open(t)
	if err != nil {
		return record.Card{}, card.Profile{}, err
	}
	info, err := client.Info()
	if err != nil {
		return record.Card{}, card.Profile{}, err
	}
	if err := s.Registry.Sync(ctx); err != nil {
		return record.Card{}, card.Profile{}, err
	}
	known, err := s.Registry.Card(ctx, info.ID)
	return known, info.Profile, err
}
