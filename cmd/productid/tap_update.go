package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/validation"
)

func (a *app) tapUpdate() *cobra.Command {
	var payload, action, retry, receipt string
	var dryRun bool
	c := &cobra.Command{
		Use: "update URL", Short: "Record a tap: from then on its URL is used up",
		Long: `Checks the tap and records it on the ledger, once. The answer comes when the record is final. A repetition is
already_used, except with the same --idempotency-key: that gets the first answer again. Exit code 3 unless recorded. With --server a
service records it, for an API key with the scope taps:record.`,
		Example: `  productid tap update "$(productid card read)" --payload temperature.json --receipt receipt.json
  productid ledger verify receipt.json`,
		Args: arguments(1, 1, "a tap URL"),
		RunE: func(c *cobra.Command, args []string) error {
			r := validation.Request{URL: args[0], Action: action}
			var err error
			if r.Payload, err = a.payload(payload); err != nil {
				return err
			}
			if a.flags.server != "" {
				return a.remoteUpdate(c.Context(), r, remoteTap{retry, receipt, dryRun})
			}
			if retry != "" {
				r.Retry = &validation.Retry{Scope: "cli", Key: retry}
			}
			h, err := a.openHouse(c.Context(), existing)
			if err != nil {
				return err
			}
			defer h.Close()
			if dryRun {
				v, err := h.validation.Validate(c.Context(), r.URL)
				if err != nil {
					return err
				}
				a.console.Say("nothing was written")
				return a.answerVerdict(v)
			}
			return a.update(c.Context(), h, r, receipt)
		},
	}
	flags := c.Flags()
	flags.StringVar(&payload, "payload", "", "JSON `file` that stands in the public record; - is standard input")
	flags.StringVar(&action, "action", validation.ActionUpdate, "`word` that the record gives as what was asked for")
	flags.StringVar(&retry, "idempotency-key", "", "random `text` of 128 bits or more, at least 22 characters, that names this request")
	flags.StringVar(&receipt, "receipt", "", "new `file` for the record and its proof; - is standard output")
	flags.BoolVar(&dryRun, "dry-run", false, "check only; write nothing")
	a.declareServer(c)
	return c
}

// payload reads a file of JSON, or none.
func (a *app) payload(path string) (json.RawMessage, error) {
	if path == "" {
		return nil, nil
	}
	text, err := a.readInput(path)
	if err != nil {
		return nil, fmt.Errorf("reading the payload: %w", err)
	}
	if !json.Valid(text) {
		return nil, console.Misuse("reading the payload", "malformed: it is no JSON", "give a file that holds one JSON value")
	}
	return text, nil
}

// readInput reads a file, or standard input for "-"; more than any of our formats holds is cut off and will not parse.
func (a *app) readInput(path string) ([]byte, error) { return a.readAtMost(path, maxInput) }

// readAtMost reads the first bytes of a file, or of standard input.
func (a *app) readAtMost(path string, most int64) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(a.in, most))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

const maxInput = 1 << 20

// update records a tap. Whatever becomes of the receipt's file, the verdict is printed: the tap is used up.
func (a *app) update(ctx context.Context, h *house, r validation.Request, receipt string) error {
	var file *receiptFile
	if receipt != "" {
		var err error
		if file, err = a.openReceipt(receipt); err != nil {
			return fmt.Errorf("before the tap is recorded: %w", err)
		}
	}
	v, err := a.record(ctx, h, r)
	unwritten := file.finish(v)
	if err != nil {
		return err
	}
	if err := a.answerVerdict(v); err != nil {
		return err
	}
	return unwritten
}

// record uses a tap up and has the registry know it: by that a ledger which is put back to an older copy is found out. That
// the registry could not take it over is said, and changes nothing of the verdict.
func (a *app) record(ctx context.Context, h *house, r validation.Request) (validation.Verdict, error) {
	v, err := h.validation.Update(ctx, r)
	if err != nil || v.Code != validation.Recorded {
		return v, err
	}
	if err := h.registry.Sync(context.WithoutCancel(ctx)); err != nil {
		a.console.Report(fmt.Errorf("noting the tap in the registry: %w", err))
	}
	return v, nil
}
