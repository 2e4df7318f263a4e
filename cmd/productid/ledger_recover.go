package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/ledger/tiles"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/pkg/ledger"
)

func (a *app) ledgerRecover() *cobra.Command {
	var from string
	var adopt, removed, lost bool
	c := &cobra.Command{
		Use: "recover", Short: "Take what the ledger has lost from another copy of it",
		Long: `A ledger that an old copy was put back for is shorter than what this machine remembers of it, and takes nothing any
more: used taps would pass again. With --from it takes the missing messages from another copy, if that holds them all, and
goes on. Without: says what is missing. With --adopt, on a machine that remembers nothing of the ledger, makes it remember
the ledger as it is.

With --lost, when no copy has what is missing: gives the ledger up, for good, and goes on in a new one, to which the cards are carried
over. Which taps were used in the part that is lost nobody knows, so none of a card counts until the card itself was on the reader
for productid card recover. A run that was cut off is finished by another.`,
		Example: `  productid ledger recover
  productid ledger recover --from sqlite:/backup/ledger.db
  productid ledger recover --from https://mirror.example.com/log
  productid ledger recover --lost`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			if lost && (adopt || from != "") {
				return console.Misuse(recovering, "--lost goes with no other flag", "give --from where a copy has what is missing")
			}
			if lost {
				return a.recoverLost(c.Context())
			}
			p, o, err := a.ownLogPlace(c.Context(), recovering)
			if err != nil {
				return err
			}
			switch {
			case from != "":
				o.AdoptGuard, o.AdoptRemoved = adopt, removed
				return a.recoverFrom(c.Context(), p, o, from)
			case adopt:
				return a.adoptGuard(c.Context(), p, o)
			}
			return a.sayMissing(c.Context(), p, o)
		},
	}
	c.Flags().StringVar(&from, "from", "", "another copy: sqlite:`PATH`, postgres://… or https://…")
	c.Flags().BoolVar(&removed, "without-payloads", false, "take the copy's word for messages that it says the ledger removed: what it withholds is lost")
	c.Flags().BoolVar(&adopt, "adopt", false, "make this machine remember the ledger as it is, where it remembers nothing")
	c.Flags().BoolVar(&lost, "lost", false, "give the ledger up, because no copy has what is missing, and go on in a new one")
	return c
}

const recovering = "recovering the ledger"

// ownLogPlace is where the installation's own log is, with what it is opened by.
func (a *app) ownLogPlace(ctx context.Context, what string) (place, tlog.Options, error) {
	p, err := a.ledgerPlace()
	if err != nil {
		return p, tlog.Options{}, err
	}
	if p.kind != kindSQLite && p.kind != kindPostgres {
		return p, tlog.Options{}, console.Misuse(what, "this ledger is no log of this installation", "give --ledger sqlite:PATH or postgres://…, or none for the one in the data folder")
	}
	own, err := a.loadSecrets(ctx)
	if err != nil {
		return p, tlog.Options{}, err
	}
	o, err := a.logOptions(own)
	return p, o, err
}

// recoverFrom appends what another copy holds.
func (a *app) recoverFrom(ctx context.Context, p place, o tlog.Options, source string) error {
	copied, err := a.openCopy(ctx, o, source)
	if err != nil {
		return err
	}
	defer copied.Close() // nothing was written
	if _, err := tlog.ReadGuard(o.Guard); o.AdoptGuard && errors.Is(err, fs.ErrNotExist) && !a.flags.yes {
		warning := fmt.Sprintf("This machine remembers nothing of the ledger %s. If it ever held more than that copy holds, the taps in it become valid again, and nobody here will notice.", o.Origin)
		if err := a.console.Confirm(ctx, warning, o.Origin, "--yes"); err != nil {
			return err
		}
	}
	a.console.Working("taking messages from " + source)
	r, err := tlog.Recover(ctx, p.name, o, copied)
	if err != nil {
		return err
	}
	return a.console.Answer(r, func(w io.Writer) {
		if r.Before == r.After {
			fmt.Fprintf(w, "nothing is missing: the ledger holds %d messages, as it did\n", r.After)
			return
		}
		fmt.Fprintf(w, "recovered: %d messages were missing; the ledger holds %d again, and goes on\n", r.After-r.Before, r.After)
	})
}

// openCopy opens another copy of the own log, which need not be trusted.
func (a *app) openCopy(ctx context.Context, o tlog.Options, source string) (ledger.Ledger, error) {
	p, err := parsePlace(source)
	if err != nil {
		return nil, err
	}
	key := ledger.LogKey{Origin: o.Origin, Key: o.Signer.VerifierKey()}
	switch p.kind {
	case kindSQLite, kindPostgres:
		log, err := tlog.OpenReader(ctx, p.name, key.Origin, key.Key)
		if errors.Is(err, tlog.ErrMissing) {
			return nil, &console.Problem{Code: "copy_missing", What: "opening the copy " + p.String(), Why: "no ledger is there", Exit: console.Failure, Cause: err,
				Next: "check --from; the newest backup, a mirror's mirror.db or another machine's database are copies"}
		}
		if err != nil {
			return nil, fmt.Errorf("opening the copy: %w", err)
		}
		return log, nil
	case kindServed:
		return tiles.NewClient(tiles.Options{URL: p.name, Origin: key.Origin, Policy: ledger.Policy{Logs: []ledger.LogKey{key}}})
	}
	return nil, console.Misuse("opening the copy", "no log is there", "give --from sqlite:PATH, postgres://… or https://…")
}

// adoptGuard makes this machine remember the ledger as it is, when somebody says that it is the newest.
func (a *app) adoptGuard(ctx context.Context, p place, o tlog.Options) error {
	if _, err := tlog.ReadGuard(o.Guard); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = &console.Problem{Code: "guarded", What: "remembering the ledger as it is", Why: "this machine remembers its newest state already", Exit: console.Failure,
				Next: "productid ledger recover says whether anything is missing"}
		}
		return fmt.Errorf("%s: %w", recovering, err)
	}
	looked, err := tlog.OpenReader(ctx, p.name, o.Origin, o.Signer.VerifierKey())
	if err != nil {
		return missing(p, err)
	}
	info, err := looked.Info(ctx)
	if err = errors.Join(err, looked.Close()); err != nil {
		return err
	}
	if !a.flags.yes {
		warning := fmt.Sprintf("The ledger %s holds %d messages. If it ever held more, the taps in them become valid again, and nobody here will notice.", o.Origin, info.Size)
		if err := a.console.Confirm(ctx, warning, fmt.Sprint(info.Size), "--yes"); err != nil {
			return err
		}
	}
	o.AdoptGuard = true
	log, err := tlog.Open(ctx, p.name, o)
	if err != nil {
		return err
	}
	defer log.Close() // what it remembers is on the disk
	return a.console.Answer(map[string]any{"guard": o.Guard, "messages": info.Size}, func(w io.Writer) {
		fmt.Fprintf(w, "remembered: %d messages, in %s\n", info.Size, console.Clean(o.Guard))
	})
}

// sayMissing says what the ledger has lost, which is a no.
func (a *app) sayMissing(ctx context.Context, p place, o tlog.Options) error {
	log, err := tlog.OpenReader(ctx, p.name, o.Origin, o.Signer.VerifierKey())
	if err != nil {
		return missing(p, err)
	}
	defer log.Close() // nothing was written
	text, err := tlog.ReadGuard(o.Guard)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: %w", o.Guard, tlog.ErrNoGuard)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", recovering, err)
	}
	info, err := log.Info(ctx)
	if err != nil {
		return err
	}
	what := "comparing the ledger with what this machine remembers of it"
	if err := log.Against(ctx, text); err != nil {
		return fmt.Errorf("%s: %w%s", what, err, since(ctx, log, info.Size))
	}
	return a.console.Answer(map[string]any{"missing": 0, "messages": info.Size}, func(w io.Writer) {
		fmt.Fprintf(w, "nothing is missing: the ledger holds %d messages\n", info.Size)
	})
}

// since says from when on messages are missing.
func since(ctx context.Context, log *tlog.Log, size uint64) string {
	if size == 0 {
		return "; all of them are gone"
	}
	last, err := log.Leaves(ctx, size-1, 1)
	if err != nil {
		return ""
	}
	return "; what was recorded after " + last[0].Time.UTC().Format(time.RFC3339) + " is gone"
}
