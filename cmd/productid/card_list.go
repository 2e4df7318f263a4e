package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
)

func (a *app) cardList() *cobra.Command {
	var only articleFlags
	c := &cobra.Command{
		Use: "list", Short: "List the cards that the ledger knows",
		Long: `Lists the cards of all issuers on the ledger, or with --issuer those of one. Two issuers may have one name: in JSON each
card names its issuer by the channel. A GTIN finds its cards in any of its lengths. With --server a service lists those that the API
key may read.`,
		Example: `  productid card list --issuer "Bell GmbH"
  productid card list --gtin 9520123456788 --lot L-2026-11
  productid card list --server https://tap.example.com --api-key-file key`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			if a.flags.server != "" {
				return a.remoteCards(c.Context(), only)
			}
			h, err := a.openHouse(c.Context(), existing)
			if err != nil {
				return err
			}
			defer h.Close()
			issuers, err := h.onLedger(c.Context(), a.flags.issuer)
			if err != nil {
				return err
			}
			var cards []record.Card
			for card, err := range h.registry.Cards(c.Context()) {
				if err != nil {
					return err
				}
				if _, meant := issuers[card.Issuer]; meant && only.wants(card) {
					cards = append(cards, card)
				}
			}
			return a.listCards(cards, issuers)
		},
	}
	only.declare(c.Flags())
	a.declareServer(c)
	return c
}

// listCards prints cards, each with its issuer's name.
func (a *app) listCards(cards []record.Card, issuers map[channel.ID]record.Issuer) error {
	return console.List(a.console, cards, func(w io.Writer) {
		var rows [][]string
		for _, c := range cards {
			rows = append(rows, []string{c.ID.String(), c.State, fmt.Sprint(c.Last), fmt.Sprint(c.Recorded), issuers[c.Issuer].Name, c.Subject, c.GTIN, c.Lot, c.Serial})
		}
		console.Table(w, []string{"CARD", "STATE", "COUNTER", "TAPS", "ISSUER", "KIND", "GTIN", "LOT", "SERIAL"}, rows)
	})
}
