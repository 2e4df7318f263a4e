package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/cardbench"
	"github.com/productid/productid/host/console"
)

func (a *app) cardBench() *cobra.Command {
	var runs int
	c := &cobra.Command{
		Use: "bench", Short: "Measure how long the card takes, command by command",
		Long: `Reads the card as a phone does and challenges it, again and again, and prints median and 95th percentile of each command,
of a whole tap and of a whole challenge: two tables in Markdown that can be sent in for the card (applet/CARDS.md).

Each tap and each challenge uses up one count of the card, for good; how many is said and asked beforehand. On a card in service these are
gaps in its counters, which nobody minds. Nothing else changes: no key is made, nothing is written or locked. A time is that of
card, reader and driver together, without the activation of the card.`,
		Example: "  productid card bench --runs 20 --reader pcsc:ACR",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			if runs < 1 || runs > cardbench.MaxRuns {
				return console.Misuse("reading the flags", fmt.Sprintf("%d runs", runs), fmt.Sprintf("give --runs from 1 to %d", cardbench.MaxRuns))
			}
			return a.withCard(c.Context(), func(r cardReader) error { return a.bench(c.Context(), r, runs) })
		},
	}
	c.Flags().IntVar(&runs, "runs", 20, "`number` of taps and of challenges")
	return c
}

func (a *app) bench(ctx context.Context, r cardReader, runs int) error {
	b := cardbench.Bench{Card: r, Now: time.Now, Random: rand.Reader,
		Begins: func(run int) { a.console.Working(fmt.Sprintf("run %d of %d", run, runs)) }}
	plan, err := b.Plan(runs)
	if err != nil {
		return err
	}
	if err := a.agreeToCounts(ctx, plan); err != nil {
		return err
	}
	report, err := b.Run(ctx, plan)
	if err != nil {
		return err
	}
	report.Reader, report.ATR = a.readerName(r), fmt.Sprintf("%X", r.ATR())
	for _, warning := range report.Warnings {
		a.console.Say("slow: %s", warning)
	}
	if strings.HasPrefix(report.Reader, kindSim+":") || strings.Contains(report.Reader, "Virtual PCD") {
		a.console.Say("these are the times of a simulator on this machine: they say nothing about any card")
	}
	return a.console.Answer(report, func(w io.Writer) { report.WriteMarkdown(w) })
}

// agreeToCounts says what the bench uses up and lets it through when that was asked and answered, or costs nothing.
func (a *app) agreeToCounts(ctx context.Context, p cardbench.Plan) error {
	if p.Counts() == 0 {
		a.console.Say("this uses up no count: the card has no key yet, and none is made")
		return nil
	}
	warning := fmt.Sprintf("This uses up %d of the %d counts that the card has left: taps %d, challenges %d.", p.Counts(), p.Left(), p.Taps, p.Challenges)
	if a.flags.yes {
		a.console.Say("%s", warning)
		return nil
	}
	return a.console.Confirm(ctx, warning, "measure", "--yes")
}

// readerName is the reader as a table names it.
func (a *app) readerName(r cardReader) string {
	if named, ok := r.(interface{ Reader() string }); ok {
		return named.Reader()
	}
	return a.flags.reader
}
