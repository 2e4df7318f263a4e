package registry

import (
	"context"
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
