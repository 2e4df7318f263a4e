package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/lifecycle"
	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

func (a *app) revoke() *cobra.Command {
	c := group("revoke", "Take a card out of service for good",
		`  productid revoke card sCwcVia7OYj7c7jW --reason "stolen in Milano"`)
	c.AddCommand(a.revokeCard())
	return c
}

func (a *app) revokeCard() *cobra.Command {
	var reason string
	var dryRun bool
	c := &cobra.Command{
		Use: "card CARD", Short: "Revoke a card: none of its taps is good from then on",
		Long: `Records on the card's tap channel that it is revoked. Nobody can take that back. Everybody can read the reason. The act
stands on the issuer's audit channel, by "` + byCommand + `", before it is done.`,
		Example: `  productid revoke card sCwcVia7OYj7c7jW --reason "stolen in Milano"`,
		Args:    arguments(1, 1, "a card id"),
		RunE: func(c *cobra.Command, args []string) error {
			if reason == "" {
				return console.Misuse("revoking a card", "no reason is given", "give --reason TEXT, one line that everybody may read")
			}
			return a.withLife(c.Context(), args[0], func(l life) error {
				record, err := l.Revocation(c.Context(), l.id, reason, byCommand)
				if err != nil || dryRun {
					return l.answerDraft(record, err)
				}
				if !a.flags.yes {
					warning := fmt.Sprintf("Card %v will be out of service for good: none of its taps is good any more, and nobody can take that back.", l.id)
					if err := a.console.Confirm(c.Context(), warning, l.id.String(), "--yes"); err != nil {
						return err
					}
				}
				if err := l.actOnCard(c.Context(), "card.revoked", l.id, reason); err != nil {
					return err
				}
				r, err := l.Revoke(c.Context(), l.id, reason, byCommand)
				return l.answer("revoked", r, err)
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "one `line` that says why, in public")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "print the record; write nothing")
	return c
}

func (a *app) cardAssociate() *cobra.Command {
	var dryRun bool
	c := &cobra.Command{
		Use: "associate CARD DEVICE", Short: "Say which device a card belongs to",
		Long: `Records on the card's tap channel, where everybody reads it, the device that the card belongs to from then on. An empty
DEVICE says that it belongs to none any more. The act stands on the issuer's audit channel, by "` + byCommand + `", before it is done.`,
		Example: `  productid card associate sCwcVia7OYj7c7jW lock-7`,
		Args:    arguments(2, 2, "a card id and the id of a device"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withLife(c.Context(), args[0], func(l life) error {
				record, err := l.Association(c.Context(), l.id, args[1], byCommand)
				if err != nil || dryRun {
					return l.answerDraft(record, err)
				}
				if err := l.actOnCard(c.Context(), "card.associated", l.id, args[1]); err != nil {
					return err
				}
				r, err := l.Associate(c.Context(), l.id, args[1], byCommand)
				return l.answer("associated", r, err)
			})
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "print the record; write nothing")
	return c
}

// life is an installation, opened to change what becomes of one card.
type life struct {
	*house
	*lifecycle.Service
	console *console.Console
	id      tap.CardID
}

func (a *app) withLife(ctx context.Context, card string, use func(life) error) error {
	id, err := tap.ParseCardID(card)
	if err != nil {
		return console.Misuse("reading the card id", "malformed: it is no card id (16 characters)", "productid card list shows the ids of cards")
	}
	h, err := a.openHouse(ctx, existing)
	if err != nil {
		return err
	}
	defer h.Close()
	return use(life{h, lifecycle.New(lifecycle.Options{
		Ledger: h.ledger, List: h.ledger, Registry: h.registry, Authors: h.authors, Now: time.Now,
		Revoked: func(ctx context.Context, card record.Card, reason string, at time.Time) {
			if err := a.tellRevoked(ctx, h, card, reason, at); err != nil {
				a.console.Say("the card is revoked, and webhooks are not told: %v", err)
			}
		},
	}), a.console, id})
}

// tellRevoked puts the revocation where the service finds what it is to deliver, whether it runs or not.
func (a *app) tellRevoked(ctx context.Context, h *house, card record.Card, reason string, at time.Time) error {
	p, err := a.ledgerPlace()
	if err != nil {
		return err
	}
	e, err := alarm.RevokedEvent(card, reason, at)
	if err != nil {
		return err
	}
	outbox, err := notify.Open(ctx, a.roomName(p, "notify"), notify.Options{Master: h.secrets.Master, Now: time.Now, Random: rand.Reader})
	if err != nil {
		return err
	}
	defer outbox.Close() // what was published is durable
	return outbox.Publish(ctx, e)
}

func (l life) answerDraft(record []byte, err error) error {
	if err != nil {
		return err
	}
	return l.console.Answer(map[string]any{"card": l.id, "dryRun": true, "record": string(record)}, func(w io.Writer) {
		fmt.Fprintln(w, console.Clean(string(record)))
	})
}

func (l life) answer(done string, r ledger.Receipt, err error) error {
	if err != nil {
		return err
	}
	return l.console.Answer(map[string]any{"card": l.id, done: true, "receipt": r}, func(w io.Writer) {
		console.Fields(w, "card", l.id.String(), done, r.Time.Local().Format("2006-01-02 15:04:05"), "record", fmt.Sprintf("message %d of its channel, %s", r.Number, r.Place()))
	})
}
