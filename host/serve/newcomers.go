package serve

import (
	"context"
	"errors"
	"fmt"

	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
)

// newcomers takes in the issuers that the installation got while it was served: another process of it opened them, and so their secrets
// are in the safe. Each issuer on the ledger whose secrets are not here is looked up there once.
type newcomers struct{ asked map[channel.ID]bool }

func (n *newcomers) welcome(ctx context.Context, h House) error {
	issuers, err := h.Registry.Issuers(ctx)
	if err != nil {
		return fmt.Errorf("looking for new issuers: %w", err)
	}
	unknown := false
	for _, i := range issuers {
		if _, err := h.Authors.Issuer(i.Channel); errors.Is(err, secrets.ErrElsewhere) && !n.asked[i.Channel] {
			unknown = true
		}
	}
	if !unknown {
		return nil
	}
	all, err := h.Safe.Load()
	if err != nil {
		return fmt.Errorf("looking for the secrets of new issuers: %w", err)
	}
	for _, i := range all.Issuers {
		if _, err := h.Authors.Issuer(i.Author().Channel()); err != nil {
			h.Authors.Add(i)
		}
	}
	for _, i := range issuers {
		n.asked[i.Channel] = true
	}
	return nil
}
