package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/secrets"
)

func (a *app) cardLock() *cobra.Command {
	var profile profileFlags
	var dryRun bool
	c := &cobra.Command{
		Use: "lock", Short: "Lock a card that was personalised without it",
		Long: `Reads the rehearsal of a registered card once more, locks the card and puts it in service. After that nothing on it
can be changed by anybody. The ledger does not say with which profile it was ordered: --profile and --max-read say it again.`,
		Example: `  productid card lock
  productid card lock --profile challenge-only`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			ordered, err := profile.parse()
			if err != nil {
				return err
			}
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
				unsaid := !given(c, "profile") && order.Profile.ChallengeOnly != ordered.ChallengeOnly ||
					!given(c, "max-read") && order.Profile.MaxRead != ordered.MaxRead
				if unsaid {
					return console.Misuse("locking the card", fmt.Sprintf("its profile is %v, and nobody says here that this is meant", order.Profile),
						"give "+flagsOf(order.Profile)+" if it is, or "+flagsOf(ordered)+" to have it written anew")
				}
				order.Profile = ordered
				issuer, err := ofChannel(h.secrets.Issuers, id)
				if err != nil {
					return err
				}
				return a.make(c.Context(), h.station(a, issuer), r, order, dryRun)
			})
		},
	}
	profile.declare(c.Flags())
	c.Flags().BoolVar(&dryRun, "dry-run", false, "print the commands and records; write nothing")
	return c
}
