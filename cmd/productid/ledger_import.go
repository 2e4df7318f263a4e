package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/move"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
)

func (a *app) ledgerImport() *cobra.Command {
	var trust trustFlags
	var from string
	c := &cobra.Command{
		Use: "import FILE --from DIR", Short: "Take the cards of an export to a new ledger",
		Long: `Takes what productid ledger export --move wrote to the ledger that it was made for. A new data folder (--data) gets the secrets of the
old one (--from), with a key for the new ledger, which is ledger.db in it, or what --ledger names: sqlite:PATH, postgres://…, or
stardust:URL?inx=HOST:PORT. Everything in the file is checked first, trusting the old ledger's own key, or whom --policy names; then
it is recorded as it is, and the cards go on. What was broken off goes on when it is run again.

The old folder stays what it is: it answers "moved", and its receipts verify in both. From then on work with the new one.`,
		Example: `  productid --data new-data ledger import moved.ndjson --from productid-data
  productid --data new-data --ledger postgres://db/productid ledger import moved.ndjson --from productid-data`,
		Args: arguments(1, 1, "a file"),
		RunE: func(c *cobra.Command, args []string) error {
			if from == "" {
				return console.Misuse("importing "+args[0], "nothing says whose cards they are", "give --from DIR, the data folder that they leave, or one with its secrets (productid keys restore)")
			}
			f, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("importing: %w", err)
			}
			defer f.Close()
			return a.importFrom(c.Context(), f, from, trust)
		},
	}
	trust.declare(c)
	c.Flags().StringVar(&from, "from", "", "data `folder` that the cards leave, with its secrets")
	return c
}

// imported is the outcome as it is printed.
type imported struct {
	From     string       `json:"from"`
	To       string       `json:"to"`
	Messages uint64       `json:"messages"`
	Cards    int          `json:"cards"`
	Left     []channel.ID `json:"left,omitempty"` // channels that stay behind
	Cut      []channel.ID `json:"cut,omitempty"`  // channels that end before a message whose payload was removed
}

func (v imported) words(w io.Writer) {
	left, cut := "", ""
	if n := len(v.Left); n > 0 {
		left = fmt.Sprintf("%d channels whose secrets are elsewhere", n)
	}
	if n := len(v.Cut); n > 0 {
		cut = fmt.Sprintf("%d channels end before a message whose payload was removed", n)
	}
	console.Fields(w, "from", v.From, "to", v.To, "messages", fmt.Sprint(v.Messages), "cards", fmt.Sprint(v.Cards), "left behind", left, "cut", cut)
}

func (a *app) importFrom(ctx context.Context, f *os.File, from string, trust trustFlags) error {
	p, err := a.ledgerPlace()
	if err != nil {
		return err
	}
	source, err := a.secretsIn(ctx, from)
	if err != nil {
		return err
	}
	policy, err := a.importPolicy(ctx, f, source, trust)
	if err != nil {
		return err
	}
	plan, err := move.Check(ctx, whole(f), policy, secrets.NewAuthors(source), func(done uint64) { a.console.Working(fmt.Sprintf("checking message %d", done)) })
	if err != nil {
		return err
	}
	own, err := a.arrive(ctx, p, source, plan, policy)
	if err != nil {
		return err
	}
	authors := secrets.NewAuthors(own)
	b, err := a.openBook(ctx, p, own, authors, own.Unbegun)
	if err != nil {
		return err
	}
	defer b.Close()
	if own.Unbegun {
		if err := a.begun(ctx); err != nil {
			return err
		}
	}
	done, err := plan.Import(ctx, whole(f), move.Destination{
		Ledger: b, List: b, Now: time.Now, Progress: func(done uint64) { a.console.Working(fmt.Sprintf("recording message %d", done)) },
	})
	if err != nil {
		return err
	}
	v := imported{plan.Header.Origin, plan.To, done.Messages, plan.Cards, append(plan.Left, done.Foreign...), plan.Cut}
	return a.console.Answer(v, v.words)
}
