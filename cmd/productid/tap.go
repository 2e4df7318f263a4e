package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/record"
)

func (a *app) tap() *cobra.Command {
	c := group("tap", "Check taps and record them",
		`  productid tap verify 'https://tap.example.com/t?i=…&c=…&s=…'
  productid tap watch`)
	c.AddCommand(a.tapVerify(), a.tapUpdate(), a.tapWatch())
	return c
}

func (a *app) tapVerify() *cobra.Command {
	c := &cobra.Command{
		Use: "verify URL", Short: "Say whether a tap is genuine and unused; write nothing",
		Long: `Says whether the URL was made by a registered card and is not used up. Writes nothing. Exit code 3 unless it is valid. With
--server a service is asked, and nothing is needed here.`,
		Example: `  productid tap verify "$(productid card read)"
  productid tap verify --server https://tap.example.com 'https://tap.example.com/t?i=…&c=…&s=…'`,
		Args: arguments(1, 1, "a tap URL"),
		RunE: func(c *cobra.Command, args []string) error {
			if a.flags.server != "" {
				return a.remoteVerify(c.Context(), args[0])
			}
			h, err := a.openHouse(c.Context(), existing)
			if err != nil {
				return err
			}
			defer h.Close()
			v, err := h.validation.Validate(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.answerVerdict(v)
		},
	}
	a.declareServer(c)
	return c
}

// answerVerdict prints a verdict; one that is not good ends with exit code 3.
func (a *app) answerVerdict(v validation.Verdict) error {
	if err := a.console.Answer(v, func(w io.Writer) { verdictWords(w, v) }); err != nil {
		return err
	}
	if !v.Code.OK() {
		return console.Answered{Exit: console.No}
	}
	return nil
}

// runOf says a run of counters, which may be one.
func runOf(r record.Range) string {
	if r[0] == r[1] {
		return fmt.Sprint(r[0])
	}
	return fmt.Sprintf("%d to %d", r[0], r[1])
}

func verdictWords(w io.Writer, v validation.Verdict) {
	means, next := console.Sentence(string(v.Code))
	fmt.Fprintf(w, "%s: %s\n", v.Code, means)
	var says, known string
	var id, counter, when, since, skipped, replayed, receipt string
	if v.ID != nil {
		id = v.ID.String()
	}
	if v.Counter > 0 {
		counter = fmt.Sprint(v.Counter)
	}
	if v.Last > 0 && v.Counter > 0 {
		counter += fmt.Sprintf(", used up to %d", v.Last)
	}
	if v.When != nil {
		when = v.When.UTC().Format(time.RFC3339)
	}
	if v.Code == validation.UnsignedURL {
		says, next = console.Unsigned(v.Unsigned)
		known = knownOf(v)
	}
	if v.Since != nil {
		since = "what was recorded after " + v.Since.UTC().Format(time.RFC3339)
	}
	if v.Skipped != nil {
		skipped = runOf(*v.Skipped) + ": every reading counts, also those that nobody records"
	}
	if v.Replayed {
		replayed = "this request was answered before; this is its first answer again, and nothing was written now"
	}
	if v.Receipt != nil {
		receipt = fmt.Sprintf("message %d of %v, %s", v.Receipt.Number, v.Receipt.Channel, v.Receipt.Place())
	}
	console.Fields(w, "card", id, "it says", says, "known", known, "counter", counter, "when", when, "lost", since, "moved to", v.MovedTo, "skipped", skipped, "repeated", replayed, "receipt", receipt, "next", next)
}

// knownOf says what is known of the card that a URL without a signature names, whoever wrote it.
func knownOf(v validation.Verdict) string {
	if v.Registered == nil {
		return ""
	}
	if !*v.Registered {
		return "no issuer on this ledger registered this card"
	}
	state := v.State
	if state == "" {
		state = "not in service"
	}
	text := fmt.Sprintf("the card is registered, %s, used up to %d", strings.ReplaceAll(state, "_", " "), v.Last)
	if v.Contradicted {
		text += "; it has signed taps, so it does not serve this URL"
	}
	return text
}
