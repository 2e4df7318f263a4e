package office

import (
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// Authors finds the authors of an issuer's restricted channels. The error is of channels that are another installation's.
type Authors interface {
	Settings(issuer channel.ID, id tap.CardID) (*channel.Author, error)
	Audit(issuer channel.ID) (*channel.Author, error)
}
