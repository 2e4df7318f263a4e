package registry

import (
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// TapAuthor returns the author of a card's tap channel under the master secret of an installation. It is the one place that
// knows how the channel's seed is named (docs/formats/channel.md, seeds of a service).
func TapAuthor(master channel.Seed, id tap.CardID) *channel.Author {
	return channel.NewAuthor(channel.DeriveSeed(master, 0, "card/"+id.String()+"/taps"), channel.Public)
}
