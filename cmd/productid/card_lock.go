package main

import (
	"github.com/spf13/cobra"

	"github.com/productid/productid/host/secrets"
)

func (a *app) cardLock() *cobra.Command {
	var dryRun bool
	c := &cobra.Command{
		Use: "lock", Short: "Lock a card that was personalised without it",
		Long: `Reads the rehearsal of a registered card once more, locks the card and puts it in service. After that nothing on it
can be changed by anybody.`,
		Example: "  productid card lock",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			h, err := a.openHouse(c.Context(), existing)
			if err != nil {
				return err
			}
			defer h.Close()
			return a.withCard(c.Context(), func(r cardReader) error {
				order, id, err := h.station(a, secrets.Issuer{}).Registered(c.Context(), r)
				if err != nil {
					return err
				}
				issuer, err := ofChannel(h.secrets.Issuers, id)
				if err != nil {
					return err
				}
				return a.make(c.Context(), h.station(a, issuer), r, order, dryRun)
			})
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "print the commands and records; write nothing")
	return c
}
