package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/bundle"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

func (a *app) bundle() *cobra.Command {
	c := group("bundle", "Put a card's whole story in one file, check such a file offline",
		`  productid bundle export sCwcVia7OYj7c7jW -o card.bundle
  productid bundle verify card.bundle --policy policy.json`)
	c.AddCommand(a.bundleExport(), a.bundleVerify())
	return c
}

func (a *app) bundleExport() *cobra.Command {
	var out string
	var trust trustFlags
	phase := phaseFlag{ledger.Final}
	c := &cobra.Command{
		Use: "export CARD", Short: "Write a card's registration and all its messages with their proofs",
		Long: `Writes the issuer's opening, the card's registration and every message of its tap channel as one file with all proofs in it,
which productid bundle verify checks offline, on any machine. Where the card's secrets are here, the channel's author signs
that nothing newer exists; where the newest checkpoint that was anchored covers the card, the anchor's proof is in it. From a ledger that others serve, give --issuer CHANNEL.`,
		Example: "  productid bundle export sCwcVia7OYj7c7jW -o card.bundle",
		Args:    arguments(1, 1, "a card"),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := tap.ParseCardID(args[0])
			if err != nil {
				return console.Misuse("reading the card", "malformed: a card's id has 16 characters", "productid card list shows them")
			}
			data, err := a.makeBundle(c.Context(), id, phase.Phase, trust)
			if err != nil {
				return err
			}
			file, err := a.openReceipt(out)
			if err != nil {
				return err
			}
			if _, err := file.Write(data); err != nil {
				file.drop()
				return fmt.Errorf("writing the bundle: %w", err)
			}
			return file.Close()
		},
	}
	trust.declare(c)
	c.Flags().StringVarP(&out, "out", "o", "-", "new `file` to write; - is standard output")
	c.Flags().Var(&phase, "phase", "how far the newest message has to be: final, witnessed or anchored")
	return c
}

// phaseFlag is a phase that somebody may ask for.
type phaseFlag struct{ ledger.Phase }

// Set reads the flag.
func (f *phaseFlag) Set(text string) error { return f.UnmarshalText([]byte(text)) }

// Type names the flag's value in help.
func (f *phaseFlag) Type() string { return "phase" }

// makeBundle makes a card's bundle out of the installation's ledger, or out of one that others serve.
func (a *app) makeBundle(ctx context.Context, id tap.CardID, phase ledger.Phase, trust trustFlags) ([]byte, error) {
	p, err := a.ledgerPlace()
	if err != nil {
		return nil, err
	}
	if p.kind == kindServed {
		return a.makeServedBundle(ctx, id, phase, trust)
	}
	h, err := a.openHouse(ctx, existing)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	return h.bundle(ctx, id, phase, a.console.Say)
}

// bundle makes a card's bundle; say is told why nobody signs that it is complete.
func (h *house) bundle(ctx context.Context, id tap.CardID, phase ledger.Phase, say func(string, ...any)) ([]byte, error) {
	card, err := h.registry.Card(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("looking for card %v: %w", id, err)
	}
	o := bundle.Options{Registration: card.Registered.Number, Phase: phase, Now: time.Now}
	author, err := h.authors.Taps(card.Issuer, id)
	switch {
	case errors.Is(err, secrets.ErrElsewhere), err == nil && author.Channel() != card.Taps:
		say("the card's secrets are elsewhere: nobody signs that the bundle is complete")
	case err != nil:
		return nil, err
	case card.State == record.StateMoved:
		say("the card's life goes on on another ledger: nobody signs that nothing newer exists")
	default:
		o.Author = author
	}
	return makeAnchored(ctx, h, card.Issuer, card.Taps, o, func(ctx context.Context, o bundle.Options) ([]byte, error) {
		return bundle.Make(ctx, h.ledger, card.Issuer, id, o)
	})
}

func (a *app) makeServedBundle(ctx context.Context, id tap.CardID, phase ledger.Phase, trust trustFlags) (data []byte, err error) {
	issuer, err := channel.ParseID(a.flags.issuer)
	if err != nil {
		return nil, console.Misuse("looking for the card's registration", "the ledger is served by others, and --issuer names no channel", "give --issuer CHANNEL, 43 characters")
	}
	err = a.withBook(ctx, trust, func(b *book) error {
		data, err = bundle.Make(ctx, b, issuer, id, bundle.Options{Phase: phase})
		return err
	})
	return data, err
}

func (a *app) bundleVerify() *cobra.Command {
	var trust trustFlags
	var oldest time.Duration
	c := &cobra.Command{
		Use: "verify FILE", Short: "Check a bundle offline, and say what it proves",
		Long: `Checks a file that bundle export wrote, with no ledger, network or installation, and says in words what it proves and whom
one trusts in believing it. Exit code 3 when it does not hold.`,
		Example: "  productid bundle verify card.bundle --policy policy.json --max-age 24h",
		Args:    arguments(1, 1, "one file"),
		RunE: func(c *cobra.Command, args []string) error {
			data, err := a.readAtMost(args[0], bundle.MaxSize+1)
			if err != nil {
				return fmt.Errorf("reading the bundle: %w", err)
			}
			policy, whose, err := trust.policy(c.Context(), a)
			if err != nil {
				return err
			}
			v, err := verifyBundle(data, policy, whose, oldest)
			if err != nil {
				return err
			}
			return a.console.Answer(v, v.words)
		},
	}
	trust.declare(c)
	c.Flags().DurationVar(&oldest, "max-age", 0, "refuse a bundle whose author signed longer ago that nothing newer exists, or did not")
	return c
}

// bundleView is what a bundle amounts to, as it is printed.
type bundleView struct {
	Policy string `json:"policy"` // in words: whose keys were trusted
	bundle.Report
}

// verifyBundle checks a bundle; oldest is the greatest age of its author's word, 0 for any.
func verifyBundle(data []byte, policy ledger.Policy, whose string, oldest time.Duration) (bundleView, error) {
	now := time.Now()
	r, err := bundle.Verify(data, policy, now)
	what := "verifying the bundle, trusting " + whose
	if class := bundle.Class(err); err != nil && class != "" {
		return bundleView{}, &console.Problem{Code: class, What: what, Why: class + ": " + err.Error(), Next: afterRefusal(class), Exit: console.No, Cause: err}
	}
	if err != nil {
		return bundleView{}, fmt.Errorf("%s: %w", what, err)
	}
	if oldest > 0 && now.Sub(r.AsOf) > oldest {
		why := "nobody signed that nothing newer exists"
		if !r.AsOf.IsZero() {
			why = "its author signed at " + r.AsOf.Format(time.RFC3339) + " that nothing newer existed"
		}
		return bundleView{}, &console.Problem{Code: "stale", What: what, Why: why + ": that is longer ago than --max-age", Exit: console.No,
			Next: "ask whoever gave it to you for a new one"}
	}
	return bundleView{whose, r}, nil
}

// afterRefusal is what to do with a bundle that was refused.
func afterRefusal(class string) string {
	switch class {
	case "malformed":
		return "give a file that bundle export wrote; if it is one, it was damaged or changed"
	case "unsupported":
		return "install a newer version"
	case "invalid_proof":
		return "check which keys you trust; if they are the right ones, do not trust the bundle"
	case "untrusted_issuer":
		return "do not trust the card, or add its issuer to the policy when you know whose channel it is"
	case "future_head":
		return "check this machine's clock"
	}
	return "do not trust the bundle: it was changed, or put together by somebody who wants to mislead you"
}

func (v bundleView) words(w io.Writer) {
	fmt.Fprintf(w, "holds: card %v of %s, %d taps recorded, %s\n", v.Card, console.Clean(v.IssuerName), v.Taps, v.Phase)
	fields := []string{"state", v.State, "used up to", fmt.Sprint(v.Last), "trusting", v.Policy}
	for _, text := range v.Proved {
		fields = append(fields, "proved", text)
	}
	for _, text := range v.Trusted {
		fields = append(fields, "to be trusted", text)
	}
	for _, r := range v.Rejected {
		fields = append(fields, "does not hold", fmt.Sprintf("message %d %s: %s", r.Number, r.Kind, r.Reason))
	}
	console.Fields(w, fields...)
}

// bundleOf is a bundle among the things that inspect knows.
func (in *inspector) bundleOf(text string) finding {
	const kind = "a card's bundle: its whole story with all proofs"
	policy, whose, err := in.policy()
	if err != nil {
		return refuse(kind, "", err)
	}
	if whose == "" {
		return finding{Kind: kind, Holds: holdsUnknown, Why: "no ledger is trusted here: give --policy, or --origin and --key"}
	}
	v, err := verifyBundle([]byte(text), policy, whose, 0)
	if err != nil {
		return refuse(kind, bundle.Class(err), err)
	}
	f := finding{Kind: kind, Holds: holdsYes, Why: "trusting " + whose}
	f.add("card", v.Card.String())
	f.add("issuer", v.IssuerName)
	f.add("state", v.State)
	f.add("used up to", fmt.Sprint(v.Last))
	for _, text := range v.Proved {
		f.add("proved", text)
	}
	for _, text := range v.Trusted {
		f.add("to be trusted", text)
	}
	return f
}
