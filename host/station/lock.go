package station

import (
	"context"
	"errors"
	"fmt"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/tap"
)

// Lock finishes a card that was personalised without being locked: what it is to be follows from its registration. A
// card that is not registered is refused with ErrNotRegistered. Errors and events are as with Personalise.
func (s *Station) Lock(ctx context.Context, t apdu.Transmitter, confirm func(Irreversible, tap.CardID) error, emit func(Event)) (Report, error) {
	o, err := s.registeredOrder(ctx, t)
	if err != nil {
		return Report{}, fmt.Errorf("looking up the card's registration: %w", err)
	}
	o.Lock, o.Confirm = true, confirm
	return s.Personalise(ctx, t, o, emit)
}

func (s *Station) registeredOrder(ctx context.Context, t apdu.Transmitter) (Order, error) {
	client, err := card.Open(t)
	if err != nil {
		return Order{}, err
	}
	info, err := client.Info()
	if err != nil {
		return Order{}, err
	}
	if err := s.Registry.Sync(ctx); err != nil {
		return Order{}, err
	}
	known, err := s.Registry.Card(ctx, info.ID)
	if errors.Is(err, registry.ErrUnknownCard) {
		return Order{}, ErrNotRegistered
	}
	if err != nil {
		return Order{}, err
	}
	return Order{Template: known.Template, Algorithm: known.Key.Algorithm()}, nil
}
