package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/recovery"
	"github.com/productid/productid/host/secrets"
)

// recoverLost goes on in a new ledger where no copy has what the old one lost.
func (a *app) recoverLost(ctx context.Context) error {
	p, err := a.ledgerPlace()
	if err != nil {
		return err
	}
	if p.kind != kindSQLite {
		return console.Misuse(recovering, "unsupported: --lost is for a ledger in a file of this installation", "give --ledger sqlite:PATH, or none for the one in the data folder")
	}
	own, err := a.loadAll(ctx)
	if err != nil {
		return err
	}
	safe, err := a.safe(ctx)
	if err != nil {
		return err
	}
	if !own.Resuming {
		if own, err = a.giveUp(ctx, safe, p, own); err != nil {
			return err
		}
	}
	o, err := a.logOptions(own)
	if err != nil {
		return err
	}
	a.console.Working("carrying the cards over to ledger " + o.Origin)
	r, err := recovery.Resume(ctx, recovery.Options{Safe: safe, Log: p.name, Registry: a.registryName(p), Options: o})
	if err != nil {
		return err
	}
	a.console.Say("backups of the secrets made before do not open the new ledger: productid keys backup FILE makes one that does")
	return a.console.Answer(r, func(w io.Writer) { lostWords(w, r) })
}

// giveUp asks whether nothing that is missing will be found, and stores that.
func (a *app) giveUp(ctx context.Context, safe secrets.Safe, p place, own secrets.Secrets) (secrets.Secrets, error) {
	o, err := a.logOptions(own)
	if err != nil {
		return own, err
	}
	loss, err := recovery.Look(ctx, p.name, o)
	if errors.Is(err, recovery.ErrNothingLost) {
		return own, &console.Problem{Code: "nothing_lost", What: recovering, Why: "it holds all that this machine remembers of it", Next: "nothing is to be done", Exit: console.No}
	}
	if err != nil {
		return own, missing(p, err)
	}
	if !a.flags.yes {
		warning := fmt.Sprintf("The ledger %s holds %d messages and held %d%s. It will never be written again, also if a copy turns up that has them. "+
			"No card counts on the new ledger until it was on the reader for productid card recover.", loss.Origin, loss.Known, loss.Held, lostSince(loss.Since))
		if err := a.console.Confirm(ctx, warning, loss.Origin, "--yes"); err != nil {
			return own, err
		}
	}
	tag := make([]byte, 4)
	rand.Read(tag) // never errs
	return recovery.GiveUp(ctx, safe, p.name, loss, fmt.Sprintf("productid-%x", tag), rand.Reader, time.Now())
}

func lostSince(t time.Time) string {
	if t.IsZero() {
		return ": all of them are gone"
	}
	return ": what was recorded after " + t.UTC().Format(time.RFC3339) + " is gone"
}

func lostWords(w io.Writer, r recovery.Report) {
	fmt.Fprintf(w, "given up: ledger %s%s\n", r.Old, lostSince(r.Since))
	console.Fields(w, "new ledger", r.Origin, "cards carried over", fmt.Sprint(r.Carried), "old ledger", console.Clean(r.Kept),
		"next", "productid card recover puts a card on the reader back into service; give the new ledger's key (productid ledger info) to who mirrors or trusts it")
	for _, left := range r.Left {
		fmt.Fprintf(w, "left: card %v, %s\n", left.Card, left.Why)
	}
}
