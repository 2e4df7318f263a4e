package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/sandbox"
	"github.com/productid/productid/pkg/tap"
)

func (a *app) sandbox() *cobra.Command {
	c := group("sandbox", "Test cards in software, for whoever builds on the service without a card",
		`  productid sandbox card create --name "my first"
  productid sandbox card tap sCwcVia7OYj7c7jW`)
	cards := group("card", "Make, tap and list test cards",
		`  productid sandbox card create
  productid sandbox card tap sCwcVia7OYj7c7jW`)
	cards.AddCommand(a.sandboxCreate(), a.sandboxTap(), a.sandboxList())
	c.AddCommand(cards)
	return c
}

func (a *app) sandboxCreate() *cobra.Command {
	var name, address string
	c := &cobra.Command{
		Use: "create", Short: "Make a test card: registered, in service, and good for nothing but tests",
		Long: `Makes a card in software and registers it with the installation's sandbox issuer, which is made at the first use. Its key is
in the data folder, so it proves nothing, and whatever is shown of it says so. It stands on the ledger for good.`,
		Example: `  productid sandbox card create --name "my first" --template https://tap.example.com/t`,
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			template, err := tap.PlainTemplate(address)
			if err != nil {
				return console.Misuse("reading --template", err.Error(), "give the https address of the tap page: --template https://tap.example.com/t")
			}
			return a.withSandbox(c.Context(), template, func(s *sandbox.Sandbox) error {
				card, err := s.Create(c.Context(), name)
				if err != nil {
					return err
				}
				return a.console.Answer(card, func(w io.Writer) {
					console.Fields(w, "test card", card.ID.String(), "name", card.Name, "next", "productid sandbox card tap "+card.ID.String())
				})
			})
		},
	}
	c.Flags().StringVar(&name, "name", "", "what you call it; it stands on no ledger")
	c.Flags().StringVar(&address, "template", "https://localhost/t", "`address` of the tap page, which stands in its URLs")
	return c
}

func (a *app) sandboxTap() *cobra.Command {
	return &cobra.Command{
		Use: "tap CARD", Short: "Print the URL that a phone would read from a test card",
		Long: `Has a test card count up, and prints its URL as a phone reads it: each call another one. productid tap verify and update take
it, and so does the service.`,
		Example: "  productid sandbox card tap sCwcVia7OYj7c7jW",
		Args:    arguments(1, 1, "the id of a test card"),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := tap.ParseCardID(args[0])
			if err != nil {
				return console.Misuse("reading the card id", "malformed: it is no card id (16 characters)", "productid sandbox card list shows the ids of test cards")
			}
			return a.withSandbox(c.Context(), tap.Template{}, func(s *sandbox.Sandbox) error {
				url, err := s.Tap(c.Context(), id)
				if err != nil {
					return err
				}
				return a.console.Answer(map[string]any{"card": id, "url": url, "test": true}, func(w io.Writer) { fmt.Fprintln(w, url) })
			})
		},
	}
}

func (a *app) sandboxList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the test cards", Example: "  productid sandbox card list",
		Long: "Lists the installation's test cards, the newest first.",
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withSandbox(c.Context(), tap.Template{}, func(s *sandbox.Sandbox) error {
				cards, err := s.Cards(c.Context())
				if err != nil {
					return err
				}
				var rows [][]string
				for _, card := range cards {
					rows = append(rows, []string{card.ID.String(), card.Name, card.Made.Local().Format("2006-01-02 15:04"), fmt.Sprint(card.Counter)})
				}
				return console.List(a.console, cards, func(w io.Writer) { console.Table(w, []string{"TEST CARD", "NAME", "MADE", "COUNTER"}, rows) })
			})
		},
	}
}

// withSandbox opens the installation and its sandbox.
func (a *app) withSandbox(ctx context.Context, template tap.Template, use func(*sandbox.Sandbox) error) error {
	h, err := a.openHouse(ctx, existing)
	if err != nil {
		return err
	}
	defer h.Close()
	s, err := a.openSandbox(ctx, h, template)
	if err != nil {
		return err
	}
	defer s.Close() // what was answered is durable
	return use(s)
}

func (a *app) openSandbox(ctx context.Context, h *house, template tap.Template) (*sandbox.Sandbox, error) {
	p, err := a.ledgerPlace()
	if err != nil {
		return nil, err
	}
	safe, err := a.safe(ctx)
	if err != nil {
		return nil, err
	}
	return sandbox.Open(ctx, a.roomName(p, "sandbox"), sandbox.Options{
		Ledger: h.ledger, List: h.ledger, Registry: h.registry, Authors: h.authors, Safe: safe, Template: template, Now: time.Now, Random: rand.Reader,
	})
}
