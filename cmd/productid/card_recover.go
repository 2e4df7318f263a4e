package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/station"
	"github.com/productid/productid/pkg/card"
)

func (a *app) cardRecover() *cobra.Command {
	return &cobra.Command{
		Use: "recover", Short: "Put a card back into service whose history was lost",
		Long: `After productid ledger recover --lost nobody knows which taps of a card were used. Has the card on the reader answer a
challenge, and records that: from the counter of its answer on its taps count again, and no URL that was read before passes.`,
		Example: "  productid card recover",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			h, err := a.openHouse(c.Context(), existing)
			if err != nil {
				return err
			}
			defer h.Close()
			return a.withCard(c.Context(), func(r cardReader) error {
				client, err := card.Open(r)
				if err != nil {
					return err
				}
				info, err := client.Info()
				if err != nil {
					return err
				}
				known, err := h.registry.Card(c.Context(), info.ID)
				if errors.Is(err, registry.ErrUnknownCard) {
					err = fmt.Errorf("looking up the card's registration: %w", station.ErrNotRegistered)
				}
				if err != nil {
					return err
				}
				issuer, err := ofChannel(h.secrets.Issuers, known.Issuer)
				if err != nil {
					return err
				}
				report, err := h.station(a, issuer).Reinstate(c.Context(), r)
				if err != nil {
					return err
				}
				return a.answerReport(report)
			})
		},
	}
}
