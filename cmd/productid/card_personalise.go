package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/station"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/tap"
)

func (a *app) cardPersonalise() *cobra.Command {
	var f orderFlags
	c := &cobra.Command{
		Use: "personalise", Short: "Make a card: key, registration, template, rehearsal, lock",
		Long: `Has the card on the reader make its key, registers it on the ledger, writes the template, reads the card back as a
phone does, locks it, reads its first tap and puts it in service. What is done already is not done again: run it once more after an
interruption and it goes on from where it stood.

The key is made once. After the lock nothing on the card can be changed by anybody.

A card with --profile challenge-only serves phones a URL without a signature, which proves nothing; whoever has a reader has it answer a
challenge (productid card verify). Readers that fail on long answers want --max-read old-reader.`,
		Example: `  productid card personalise --template https://tap.example.com/t --gtin 09520123456788
  productid card personalise --template https://tap.example.com --gs1 09520123456788 --lot A7
  productid card personalise --template https://tap.example.com/t --alg rsa2048
  productid card personalise --template https://tap.example.com/t --profile challenge-only`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			order, err := f.parse()
			if err != nil {
				return err
			}
			makes := station.Options{Issuer: secrets.Issuer{Name: a.flags.issuerName, URL: a.flags.issuerURL}, Name: a.flags.station}
			if err := makes.Check(order); err != nil {
				return console.Misuse("checking the order", err.Error(), "see productid card personalise --help for what it can hold")
			}
			return a.withCard(c.Context(), func(r cardReader) error {
				if err := suits(r, order); err != nil { // an installation begins with a card, not with a mistake
					return fmt.Errorf("%s: %w", station.StepCard.Doing(), err)
				}
				return a.personalise(c.Context(), r, order, f.dryRun)
			})
		},
	}
	f.declare(c.Flags())
	c.Flags().StringVar(&a.flags.issuerName, "issuer-name", "unnamed issuer", "`name` of the issuer, when the first card begins an installation")
	c.Flags().StringVar(&a.flags.issuerURL, "issuer-url", "", "the issuer's `address`, likewise")
	c.Flags().StringVar(&a.flags.station, "station", "cli", "`name` of this station, as the record shows it")
	return c
}

// suits asks the card whether it can become what the order says.
func suits(r cardReader, o station.Order) error {
	client, err := card.Open(r)
	if err != nil {
		return err
	}
	info, err := client.Info()
	if err != nil {
		return err
	}
	return o.Suits(info)
}

// personalise opens the installation, or begins one, and makes the card. A dry run begins one that is gone after it.
func (a *app) personalise(ctx context.Context, r cardReader, o station.Order, dryRun bool) error {
	if dryRun {
		end, err := a.scratch(ctx)
		if err != nil {
			return err
		}
		defer end()
	}
	h, err := a.openHouse(ctx, create)
	if err != nil {
		return err
	}
	defer h.Close()
	issuer, err := h.issuerOf(ctx, a.flags.issuer)
	if err != nil {
		return err
	}
	return a.make(ctx, h.station(a, issuer), r, o, dryRun)
}

// make brings a card to where the order wants it, or prints what that would take.
func (a *app) make(ctx context.Context, s *station.Station, r cardReader, o station.Order, dryRun bool) error {
	if dryRun {
		return a.plan(ctx, s, r, o)
	}
	o.Confirm = a.confirm(ctx, o)
	report, err := s.Personalise(ctx, r, o, a.progress)
	if err != nil {
		return err
	}
	if err := s.Registry.Sync(ctx); err != nil {
		return err
	}
	return a.answerReport(report)
}

// confirm lets an irreversible step through when the card's id, or before there is one the word, is typed.
func (a *app) confirm(ctx context.Context, o station.Order) func(station.Irreversible, tap.CardID) error {
	return func(what station.Irreversible, id tap.CardID) error {
		switch {
		case a.flags.yes:
			return nil
		case what == station.MakesKey:
			return a.console.Confirm(ctx, fmt.Sprintf("The card will make its key, of %v. It does that once in its life.", o.Algorithm), "make", "--yes")
		}
		const final = " for ever. Nothing on it can be changed after that, by anybody."
		leads := "will lead to " + o.Template.Prefix + id.String() + o.Template.Middle + "COUNTER&s=SIGNATURE"
		if o.Profile.ChallengeOnly {
			leads = "will sign no taps: it will lead to " + o.Template.UnsignedURL(id, tap.ChallengeOnly) + " and only answer challenges"
		}
		return a.console.Confirm(ctx, "The card will be locked and "+leads+final, id.String(), "--yes")
	}
}

// progress shows a station's event.
func (a *app) progress(e station.Event) {
	if !e.Done {
		a.console.Working(e.Step.Doing())
		return
	}
	a.console.Progress(stepOf(e))
	a.warnSlow(e)
}

// warnSlow warns of a card that a phone might give up on.
func (a *app) warnSlow(e station.Event) {
	if e.Slow == 0 {
		return
	}
	a.console.Warn(console.Warning{Code: "slow_card", What: fmt.Sprintf("the card took %d ms for one answer, and phones give up after 1000 ms", e.Slow.Milliseconds()),
		Next: "move it on the reader and look whether that stays (productid card bench); another kind of card, or --alg p256, may be faster (applet/CARDS.md)"})
}

func stepOf(e station.Event) console.Step {
	return console.Step{Code: string(e.Step), Name: e.Step.Done(), Detail: e.Detail, Took: e.Took}
}

// answerReport prints how far a card came.
func (a *app) answerReport(r station.Report) error {
	return a.console.Answer(r, func(w io.Writer) {
		console.Fields(w, "card", r.ID.String(), "state", r.State, "taps", "pidc1:"+r.Taps.String(), "issuer", "pidc1:"+r.Issuer.String(),
			"template", r.Template.Prefix, "counter", fmt.Sprint(r.Counter))
	})
}

// scratch lets a dry run begin an installation that is gone after it, where there is none.
func (a *app) scratch(ctx context.Context) (end func(), err error) {
	if _, err := a.loadSecrets(ctx); !errors.Is(err, fs.ErrNotExist) {
		return func() {}, err
	}
	return a.temporaryFolder()
}

// plan prints what a run would do.
func (a *app) plan(ctx context.Context, s *station.Station, r cardReader, o station.Order) error {
	plan, err := s.Plan(ctx, r, o)
	if err != nil {
		return err
	}
	for _, p := range plan {
		v := planView{Step: string(p.Step), Record: string(p.Record)}
		for _, command := range p.Commands {
			v.APDUs = append(v.APDUs, strings.ToUpper(hex.EncodeToString(command)))
		}
		if err := a.console.Answer(v, func(w io.Writer) { v.words(w, p.Step) }); err != nil {
			return err
		}
	}
	a.console.Say("nothing was written; what only the card can know stands empty")
	return nil
}

type planView struct {
	Step   string   `json:"step"`
	APDUs  []string `json:"apdus,omitempty"`
	Record string   `json:"record,omitempty"`
}

func (v planView) words(w io.Writer, step station.Step) {
	fmt.Fprintf(w, "%s\n", step.Doing())
	for _, text := range v.APDUs {
		fmt.Fprintf(w, "  card    %s\n", text)
	}
	if v.Record != "" {
		fmt.Fprintf(w, "  ledger  %s\n", v.Record)
	}
}
