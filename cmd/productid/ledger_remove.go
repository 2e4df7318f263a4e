package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

func (a *app) ledgerRemove() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "remove CHANNEL NUMBER", Short: "Take what a message says away for good",
		Long: `Removes what one message carries from the ledger's own files. That it was there, when, and every proof of it stay. What
decides an answer is never removed: registrations, taps, a channel's newest message; of public messages only those that say
a random salt go. The reason is public. Copies are not reached: mirrors, backups, what others have read.`,
		Example: "  productid ledger remove KUndOoMzHRZtbp6dL6887piiFvEFfJillaGNjWCs9_M 17 --reason 'asked for by the person'",
		Args:    arguments(2, 2, "a channel and a number"),
		RunE: func(c *cobra.Command, args []string) error {
			const what = "removing what a message says"
			id, err := channel.ParseID(args[0])
			if err != nil {
				return console.Misuse(what, "malformed: the channel is none (43 characters)", "give the channel as productid ledger get shows it; before an id that begins with - write --")
			}
			n, err := strconv.ParseUint(args[1], 10, 64)
			if err != nil {
				return console.Misuse(what, "malformed: the number is no number", "give the message's number in decimal")
			}
			if reason == "" {
				return console.Misuse(what, "no reason is given", "give --reason TEXT, one line that everybody may read")
			}
			h, err := a.openHouse(c.Context(), existing)
			if err != nil {
				return err
			}
			defer h.Close()
			return a.remove(c.Context(), h, id, n, reason)
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "one `line` that says why, in public")
	return c
}

// remove takes a payload away when a person wants it.
func (a *app) remove(ctx context.Context, h *house, id channel.ID, n uint64, reason string) error {
	log, err := h.ledger.ownLog("removing what a message says")
	if err != nil {
		return err
	}
	e, err := reading{h.ledger, h.registry}.message(ctx, id, n)
	if err != nil {
		return err
	}
	if err := h.inForce(ctx, e); err != nil {
		return err
	}
	if !a.flags.yes {
		warning := fmt.Sprintf("What message %d of channel %v says will be gone for ever.", n, id)
		if err := a.console.Confirm(ctx, warning, fmt.Sprint(n), "--yes"); err != nil {
			return err
		}
	}
	if err := log.Remove(ctx, id, n, reason); err != nil {
		return fmt.Errorf("removing what message %d of channel %v says: %w", n, id, err)
	}
	return a.console.Answer(map[string]any{"channel": id, "number": n, "hash": e.Message.Hash(), "removed": true}, func(w io.Writer) {
		fmt.Fprintf(w, "removed: what message %d said; its place, its time and every proof of it stay\n", n)
	})
}

// inForce refuses to remove the settings that a card goes by.
func (h *house) inForce(ctx context.Context, e ledger.Entry) error {
	if e.Message.Mode() != channel.Restricted {
		return nil
	}
	for card, err := range h.registry.Cards(ctx) {
		if err != nil {
			return err
		}
		if card.Settings == e.Message.Hash().String() {
			return fmt.Errorf("message %d of channel %v is the settings of card %v: %w", e.Message.Number(), e.Message.Channel(), card.ID, ledger.ErrKept)
		}
	}
	return nil
}
