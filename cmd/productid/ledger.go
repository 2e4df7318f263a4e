package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/ledger/anchor"
	"github.com/productid/productid/host/ledger/stardust"
	"github.com/productid/productid/pkg/ledger"
)

func (a *app) ledger() *cobra.Command {
	c := group("ledger", "Look at the ledger, take proofs from it, check it",
		`  productid ledger verify                     the whole ledger
  productid ledger verify receipt.json        one receipt, offline`)
	c.AddCommand(a.ledgerInfo(), a.ledgerGet(), a.ledgerProve(), a.ledgerVerify(), a.ledgerServe(), a.ledgerMirror(), a.ledgerAnchor(), a.ledgerExport(), a.ledgerImport(),
		a.ledgerRebuild(), a.ledgerRecover(), a.ledgerRemove())
	return c
}

func (a *app) ledgerInfo() *cobra.Command {
	var trust trustFlags
	var checkpoint bool
	c := &cobra.Command{
		Use: "info", Short: "Show what the ledger is and whom its proofs ask to trust",
		Long: `Shows the ledger. With --checkpoint: prints its newest signed checkpoint alone. Whoever keeps one finds out later, by
productid ledger verify --against, whether the ledger was rewritten or put back to an older copy.`,
		Example: `  productid ledger info --json
  productid ledger info --checkpoint > checkpoint.txt`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withBook(c.Context(), trust, func(b *book) error {
				if checkpoint {
					return a.answerCheckpoint(c.Context(), b)
				}
				info, err := b.Info(c.Context())
				if err != nil {
					return err
				}
				if b.log != nil {
					warnings, err := a.unlike(c.Context(), b.log, nil)
					if err != nil {
						return err
					}
					info.Warnings = append(info.Warnings, warnings...)
				}
				v := ledgerView{Info: info}
				if b.stardust != nil {
					status, err := b.stardust.Status(c.Context())
					if err != nil {
						return err
					}
					v.Network = &status
				}
				if b.log != nil {
					if v.Anchor, err = anchorOf(c.Context(), b.log); err != nil {
						return err
					}
					if late := anchor.Late(c.Context(), b.log, time.Now(), anchor.DefaultLimit); v.Anchor != nil && late != nil {
						v.Warnings = append(v.Warnings, late.Error())
					}
				}
				return a.console.Answer(v, v.words)
			})
		},
	}
	trust.declare(c)
	c.Flags().BoolVar(&checkpoint, "checkpoint", false, "print the newest checkpoint, to be kept")
	return c
}

// answerCheckpoint prints the newest checkpoint as it is signed.
func (a *app) answerCheckpoint(ctx context.Context, b *book) error {
	signing, ok := b.Ledger.(interface {
		Checkpoint(context.Context) ([]byte, error)
	})
	if !ok {
		return console.Misuse("reading the checkpoint", "this ledger signs none", "give the --ledger of a log")
	}
	text, err := signing.Checkpoint(ctx)
	if err != nil {
		return err
	}
	return a.console.Answer(map[string]string{"checkpoint": string(text)}, func(w io.Writer) { fmt.Fprint(w, string(text)) })
}

// ledgerView is a ledger as it is printed.
type ledgerView struct {
	ledger.Info
	Network *stardust.Status `json:"network,omitempty"`
	Anchor  *anchorView      `json:"anchor,omitempty"`
}

func (v ledgerView) words(w io.Writer) {
	i := v.Info
	console.Fields(w, "ledger", i.Origin, "kind", i.Kind, "messages", fmt.Sprint(i.Size), "key", i.VerifierKey,
		"largest message", fmt.Sprintf("%d bytes", i.MaxMessage), "uniqueness", i.Uniqueness, "retention", i.Retention, "finality", i.Finality, "anchored", v.Anchor.words())
	if v.Network != nil {
		stardustWords(w, *v.Network)
	}
	for _, warning := range i.Warnings {
		fmt.Fprintf(w, "warning: %s\n", console.Clean(warning))
	}
}

func (a *app) ledgerRebuild() *cobra.Command {
	return &cobra.Command{
		Use: "rebuild", Short: "Make the registry anew from the ledger",
		Long:    "Forgets what the registry holds and folds the ledger again, from its first message on. Says whether anything had been different.",
		Example: "  productid ledger rebuild",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			h, err := a.openHouse(c.Context(), existing)
			if err != nil {
				return err
			}
			defer h.Close()
			same, err := h.rebuild(c.Context())
			if err != nil {
				return err
			}
			return a.console.Answer(map[string]bool{"same": same}, func(w io.Writer) {
				if same {
					fmt.Fprintln(w, "rebuilt: the registry holds what it held before")
				} else {
					fmt.Fprintln(w, "rebuilt: the registry had held something else; now it holds what the ledger says")
				}
			})
		},
	}
}
