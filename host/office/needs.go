package office

import (
	"context"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// Authors finds the authors of an issuer's restricted channels. The error is of channels that are another installation's.
type Authors interface {
	Settings(issuer channel.ID, id tap.CardID) (*channel.Author, error)
	Audit(issuer channel.ID) (*channel.Author, error)
}

// Lifecycle ends a card's life, or gives it to a device; both are final on the ledger when they return nil.
type Lifecycle interface {
	Revoke(ctx context.Context, id tap.CardID, reason, by string) error
	Associate(ctx context.Context, id tap.CardID, device, by string) error
}
