package validation

import (
	"context"
	"errors"
	"fmt"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// unsigned says what is known of the card that a URL without a signature names. That it made the URL is not known.
func (s *Service) unsigned(ctx context.Context, t tap.URL) (Verdict, error) {
	v := Verdict{Code: UnsignedURL, ID: &t.ID, Unsigned: t.Unsigned, Registered: new(bool)}
	card, err := s.card(ctx, t.ID)
	if errors.Is(err, registry.ErrUnknownCard) {
		return v, nil
	}
	if err == nil && s.Registry.SyncChannel(ctx, card.Taps) == nil { // without the ledger's newest word the answer is no other one
		card, err = s.Registry.Card(ctx, t.ID)
	}
	if err != nil {
		return v, fmt.Errorf("looking up card %v: %w", t.ID, err)
	}
	*v.Registered = true
	v.Card, v.State, v.Last = &card, card.State, card.Last
	if card.State == record.StateMoved {
		v.MovedTo = card.Place
	}
	v.Contradicted = t.Unsigned == tap.ChallengeOnly && card.Recorded > 0
	return v, nil
}
