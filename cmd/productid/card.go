package main

import "github.com/spf13/cobra"

func (a *app) card() *cobra.Command {
	c := group("card", "Look at, make, check and lock a card",
		`  productid card info
  productid card personalise --template https://tap.example.com/t`)
	c.AddCommand(a.cardInfo(), a.cardRead(), a.cardList(), a.cardPersonalise(), a.cardVerify(), a.cardLock(), a.cardRecover(), a.cardChallenge(), a.cardBench(), a.cardSettings(), a.cardAssociate(), a.cardShow())
	return c
}
