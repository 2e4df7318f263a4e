package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/move"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/channel"
)

// goal is where an export is to move cards.
type goal struct {
	move        bool
	to, network string
}

func (a *app) ledgerExport() *cobra.Command {
	var g goal
	var trust trustFlags
	c := &cobra.Command{
		Use: "export FILE", Short: "Write the whole ledger into one file, or leave it with all cards",
		Long: `Writes every message of the ledger, with its proof, to a new file. Nothing changes.

With --move the installation leaves this ledger for good, and the file is what productid ledger import takes to the new one: first the
channels of the installation's issuers and of all their cards end, then the file is written. From then on a tap of these cards is
answered here by "moved". The new ledger is named by --to, the name of a log that import begins, or by --network, the name of a
Stardust network; without either the log gets a name of its own. What was broken off goes on when it is run again, with another FILE.`,
		Example: `  productid ledger export copy.ndjson
  productid ledger export --move moved.ndjson
  productid --data new-data ledger import moved.ndjson --from productid-data`,
		Args: arguments(1, 1, "a file"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := g.check(); err != nil {
				return err
			}
			if _, err := os.Lstat(args[0]); !errors.Is(err, fs.ErrNotExist) {
				return errors.Join(err, console.Misuse("exporting to "+args[0], "the file is there already", "name another; nothing is overwritten"))
			}
			if g.move {
				return a.leave(c.Context(), args[0], g)
			}
			return a.withBook(c.Context(), trust, func(b *book) error { return a.export(c.Context(), b, args[0], exported{}) })
		},
	}
	trust.declare(c)
	c.Flags().BoolVar(&g.move, "move", false, "end all cards of this installation on this ledger first: that is for good")
	c.Flags().StringVar(&g.to, "to", "", "with --move: `name` of the log that they go to")
	c.Flags().StringVar(&g.network, "network", "", "with --move: `name` of the Stardust network that they go to")
	return c
}

// check refuses what no ledger could be called afterwards.
func (g goal) check() error {
	const what = "choosing the new ledger"
	switch {
	case !g.move && (g.to != "" || g.network != ""):
		return console.Misuse(what, "without --move nothing goes anywhere", "give --move too")
	case g.to != "" && g.network != "":
		return console.Misuse(what, "it is a log or a network, not both", "give --to or --network")
	}
	if g.to != "" {
		key, _, err := note.GenerateKey(rand.Reader, g.to)
		if err == nil {
			_, err = note.NewSigner(key)
		}
		if err != nil {
			return console.Misuse(what, "malformed: no log can have that name", "give a name like log.example.com, without spaces and +")
		}
	}
	return nil
}

// exported is the outcome as it is printed.
type exported struct {
	File       string `json:"file"`
	Messages   uint64 `json:"messages"`
	To         string `json:"to,omitempty"` // where the cards go
	Issuers    int    `json:"issuers,omitempty"`
	Cards      int    `json:"cards,omitempty"`      // that ended here
	Unfinished int    `json:"unfinished,omitempty"` // that were never in service, and are finished there
}

func (a *app) export(ctx context.Context, b *book, path string, v exported) (err error) {
	v.File = path
	v.Messages, err = move.Export(ctx, b, path, time.Now(), func(done uint64) { a.console.Working(fmt.Sprintf("writing message %d", done)) })
	if err != nil {
		return err
	}
	return a.console.Answer(v, func(w io.Writer) {
		unfinished := ""
		if v.Unfinished > 0 {
			unfinished = fmt.Sprintf("%d cards, never in service: productid card personalise finishes them there", v.Unfinished)
		}
		cards, next := "", ""
		if v.To != "" {
			cards = fmt.Sprintf("%d of %d issuers, ended here", v.Cards, v.Issuers)
			next = fmt.Sprintf("productid --data NEW ledger import %s --from %s", path, a.flags.data)
		}
		console.Fields(w, "file", path, "messages", fmt.Sprint(v.Messages), "moved to", v.To, "cards", cards, "unfinished", unfinished, "next", next)
	})
}

// leave ends the installation's cards and writes the file.
func (a *app) leave(ctx context.Context, path string, g goal) error {
	h, err := a.openHouse(ctx, existing)
	if err != nil {
		return err
	}
	defer h.Close()
	issuers, to, err := h.leaving(ctx, g)
	if err != nil {
		return err
	}
	if !a.flags.yes {
		warning := fmt.Sprintf("All cards of %d issuers end on this ledger and go to %s. Nothing brings them back but another move.", len(issuers), to)
		if err := a.console.Confirm(ctx, warning, "move", "--yes"); err != nil {
			return err
		}
	}
	e, err := move.Ending{Ledger: h.ledger, Registry: h.registry, Authors: h.authors, Issuers: issuers, To: to, Now: time.Now}.End(ctx)
	if err != nil {
		return err
	}
	if err := h.registry.Sync(ctx); err != nil {
		return err
	}
	return a.export(ctx, h.ledger, path, exported{To: to, Issuers: e.Issuers, Cards: e.Cards, Unfinished: e.Unfinished})
}

// leaving are the issuers that leave, and the name of the ledger where they go: the one they were sent to before, if they were.
func (h *house) leaving(ctx context.Context, g goal) (issuers []channel.ID, to string, err error) {
	const what = "leaving the ledger"
	if to = g.to + g.network; to == "" {
		to = logName()
	}
	for _, own := range h.secrets.Issuers {
		id := own.Author().Channel()
		i, err := h.registry.Issuer(ctx, id)
		if errors.Is(err, registry.ErrUnknownIssuer) {
			continue // never opened
		}
		if err != nil {
			return nil, "", err
		}
		if issuers = append(issuers, id); i.Moved && g.to+g.network == "" {
			to = i.Place
		}
	}
	info, err := h.ledger.Info(ctx)
	if err != nil {
		return nil, "", err
	}
	if len(issuers) == 0 {
		return nil, "", console.Misuse(what, "no issuer of this installation has written on it", "check --data and --ledger")
	}
	if to == info.Origin {
		return nil, "", console.Misuse(what, "the new ledger has the name of this one", "give another name")
	}
	return issuers, to, nil
}
