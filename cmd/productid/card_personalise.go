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

// orderFlags are an order as it is typed.
type orderFlags struct {
	template, alg string
	order         station.Order
	noLock        bool
	dryRun        bool
}

func (a *app) cardPersonalise() *cobra.Command {
	var f orderFlags
	c := &cobra.Command{
		Use: "personalise", Short: "Make a card: key, registration, template, rehearsal, lock",
		Long: `Has the card on the reader make its key, registers it on the ledger, writes the template, reads the card back as a
phone does, locks it, reads its first tap and puts it in service. What is done already is not done again: run it once more after an
interruption and it goes on from where it stood.

The key is made once. After the lock nothing on the card can be changed by anybody.`,
		Example: "  productid card personalise --template https://tap.example.com/t --gtin 09520123456788",
		Args:    arguments(0, 0, ""),
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
				if _, err := card.Open(r); err != nil { // an installation begins with a card, not with a mistake
					return err
				}
				return a.personalise(c.Context(), r, order, f.dryRun)
			})
		},
	}
	f.declare(c)
	c.Flags().StringVar(&a.flags.issuerName, "issuer-name", "unnamed issuer", "`name` of the issuer, when the first card begins an installation")
	c.Flags().StringVar(&a.flags.issuerURL, "issuer-url", "", "the issuer's `address`, likewise")
	c.Flags().StringVar(&a.flags.station, "station", "cli", "`name` of this station, as the record shows it")
	return c
}

func (f *orderFlags) declare(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.template, "template", "", "`URL` that taps lead to, such as https://tap.example.com/t")
	flags.StringVar(&f.alg, "alg", "p256", "key `algorithm`: p256")
	flags.StringVar(&f.order.Subject, "subject", "product", "`kind` of thing the card stands for: product, place, event, device, actuator")
	flags.StringVar(&f.order.GTIN, "gtin", "", "`GTIN` of the product")
	flags.StringVar(&f.order.Lot, "lot", "", "`lot` of the product")
	flags.StringVar(&f.order.Serial, "serial", "", "`serial` number of the product")
	flags.StringVar(&f.order.Operator, "operator", "", "`id` of who makes the card; the record is public, so no personal name")
	flags.BoolVar(&f.noLock, "no-lock", false, "stop before the lock; another run goes on")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the commands and records; write nothing")
}

func (f *orderFlags) parse() (station.Order, error) {
	o := f.order
	if f.template == "" {
		return o, console.Misuse("reading the order", "no template: where should taps lead?", "give --template https://HOST/PATH")
	}
	var err error
	if o.Template, err = tap.PlainTemplate(f.template); err != nil {
		return o, console.Misuse("reading the order", err.Error(), "give --template https://HOST/PATH")
	}
	if o.Algorithm, err = tap.ParseAlgorithm(f.alg); err != nil {
		return o, console.Misuse("reading the order", err.Error(), "give --alg p256")
	}
	if o.Algorithm == tap.Ed25519 {
		return o, console.Misuse("reading the order", "unsupported: no card makes keys of ed25519", "give --alg p256")
	}
	o.Lock = !f.noLock
	return o, nil
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
	o.Confirm = a.confirm(ctx, o.Template)
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
func (a *app) confirm(ctx context.Context, t tap.Template) func(station.Irreversible, tap.CardID) error {
	return func(what station.Irreversible, id tap.CardID) error {
		switch {
		case a.flags.yes:
			return nil
		case what == station.MakesKey:
			return a.console.Confirm(ctx, "The card will make its key. It does that once in its life.", "make", "--yes")
		}
		form := t.Prefix + id.String() + t.Middle + "COUNTER&s=SIGNATURE"
		return a.console.Confirm(ctx, "The card will be locked and will lead to "+form+
			" for ever. Nothing on it can be changed after that, by anybody.", id.String(), "--yes")
	}
}

// progress shows a station's event.
func (a *app) progress(e station.Event) {
	if !e.Done {
		a.console.Working(e.Step.Doing())
		return
	}
	a.console.Progress(stepOf(e))
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
