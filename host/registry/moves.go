package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
)

// moved are the issuers that moved at some time, here or away from here.
type moved map[channel.ID]record.Issuer

// publishMoved lets answers know which issuers moved.
func (r *Registry) publishMoved(issuers iter.Seq[record.Issuer]) {
	all := make(moved)
	for i := range issuers {
		if i.Place != "" {
			all[i.Channel] = i
		}
	}
	r.moved.Store(&all)
}

// here is a card as it stands on this ledger. Anybody may copy to a ledger what is on the one that the card, or its issuer, moved
// to: it decides nothing here.
func (r *Registry) here(ctx context.Context, c record.Card) (record.Card, error) {
	var issuer record.Issuer
	if known := r.moved.Load(); known != nil {
		issuer = (*known)[c.Issuer]
	}
	if c.Place == "" && issuer.Place == "" {
		return c, nil
	}
	origin, err := r.ledgerOrigin(ctx)
	if err != nil {
		return c, fmt.Errorf("card %v moved: asking the ledger for its name: %w", c.ID, err)
	}
	if !issuer.IsOn(origin) {
		c.State, c.Place = record.StateMoved, issuer.Place
	}
	return c.On(origin), nil
}

// ErrMoved says that an issuer lists its cards on another ledger.
var ErrMoved = errors.New("the issuer moved to another ledger")

// CheckIssuer returns ErrMoved, with the other ledger's name, for an issuer that writes nothing on this ledger any more, as of the last
// Sync. One that was not opened yet has not moved.
func (r *Registry) CheckIssuer(ctx context.Context, id channel.ID) error {
	i, err := r.Issuer(ctx, id)
	if errors.Is(err, ErrUnknownIssuer) || err == nil && i.Place == "" {
		return nil
	}
	if err != nil {
		return err
	}
	origin, err := r.ledgerOrigin(ctx)
	if err == nil && !i.IsOn(origin) {
		err = fmt.Errorf("issuer %v: %w: %s", id, ErrMoved, i.Place)
	}
	return err
}

// ledgerOrigin asks the ledger once.
func (r *Registry) ledgerOrigin(ctx context.Context) (string, error) {
	if known := r.origin.Load(); known != nil {
		return *known, nil
	}
	info, err := r.o.Ledger.Info(ctx)
	if err != nil {
		return "", err
	}
	r.origin.Store(&info.Origin)
	return info.Origin, nil
}
