package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/ledger/anchor"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/pkg/ledger"
)

func (a *app) ledgerVerify() *cobra.Command {
	var trust trustFlags
	var kept string
	var anchored anchorFlags
	c := &cobra.Command{
		Use: "verify [FILE]", Short: "Check the whole ledger, or one receipt offline",
		Long: `Without a file: reads the whole ledger and checks every message, every number, the tree and its checkpoint, and that
the ledger still begins with what this machine remembers of it, and with a checkpoint that somebody kept (--against), and
with all those that another ledger has of it (--anchor). A
copy of somebody's ledger needs no data folder: --ledger sqlite:PATH, --origin and --key.
With a file that tap update --receipt or ledger prove wrote: checks it offline, with nothing but the log's key. Exit code 3
when it does not hold.`,
		Example: `  productid ledger verify
  productid ledger verify --against checkpoint.txt
  productid ledger verify receipt.json --origin log.example.com --key log.example.com+…`,
		Args: arguments(0, 1, "at most one file"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				checkpoint, err := a.keptCheckpoint(kept)
				if err != nil {
					return err
				}
				return a.withBook(c.Context(), trust, func(b *book) error { return a.checkBook(c.Context(), b, trust, checkpoint, anchored) })
			}
			text, err := a.readInput(args[0])
			if err != nil {
				return fmt.Errorf("reading the receipt: %w", err)
			}
			policy, whose, err := trust.policy(c.Context(), a)
			if err != nil {
				return err
			}
			proved, err := verifyEvidence(text, policy, whose)
			if err != nil {
				return err
			}
			return a.console.Answer(proved, proved.words)
		},
	}
	trust.declare(c)
	anchored.declare(c)
	c.Flags().StringVar(&kept, "against", "", "`file` with an older checkpoint of the ledger, as ledger info --checkpoint prints it")
	return c
}

// keptCheckpoint reads a checkpoint that somebody kept, or none.
func (a *app) keptCheckpoint(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, err := a.readInput(path)
	if err != nil {
		return nil, fmt.Errorf("reading the checkpoint: %w", err)
	}
	return text, nil
}

// proved is what a receipt file amounts to under a policy.
type proved struct {
	Trusted string         `json:"trusted"` // in words
	Receipt ledger.Receipt `json:"receipt"`
	Body    string         `json:"body,omitempty"` // of a public message
}

// verifyEvidence checks a receipt file: no ledger, no network, no clock.
func verifyEvidence(text []byte, policy ledger.Policy, whose string) (proved, error) {
	evidence, err := ledger.ParseEvidence(text)
	if err != nil {
		return proved{}, &console.Problem{Code: "malformed", What: "reading the receipt", Why: "malformed: " + err.Error(),
			Next: "give a file that ledger prove or tap update --receipt wrote", Exit: console.No, Cause: err}
	}
	receipt, err := evidence.Verify(policy)
	if err != nil {
		return proved{}, fmt.Errorf("verifying the receipt, trusting %s: %w", whose, err)
	}
	body, err := evidence.Message.Body()
	if err != nil {
		body = nil // restricted: that it is recorded is proved all the same
	}
	return proved{Trusted: whose, Receipt: receipt, Body: string(body)}, nil
}

func (p proved) words(w io.Writer) {
	r := p.Receipt
	fmt.Fprintf(w, "proved: the ledger %s recorded this message\n", r.Ledger)
	console.Fields(w, "message", fmt.Sprintf("%d of channel %v", r.Number, r.Channel), "when", r.Time.UTC().Format(time.RFC3339),
		"where", r.Place(), "says", p.Body, "trusted", p.Trusted)
}

// checkBook checks a whole ledger: a log of one's own by its file, any other as its readers do.
func (a *app) checkBook(ctx context.Context, b *book, trust trustFlags, kept []byte, anchored anchorFlags) error {
	if b.log == nil && (kept != nil || anchored.given()) {
		return console.Misuse("comparing the ledger", "it is not a log whose database is at hand", "give --ledger sqlite:PATH or postgres://…; who reads what others serve compares it each time")
	}
	begin := time.Now()
	v, err := a.checkAll(ctx, b, trust, func(done uint64) { a.console.Working(fmt.Sprintf("checking message %d", done)) })
	if err != nil {
		return fmt.Errorf("checking the ledger: %w", err)
	}
	if b.log != nil {
		findings, err := a.unlike(ctx, b.log, kept)
		if err != nil && !errors.Is(err, tlog.ErrCorrupt) { // that was found already
			return err
		}
		v.find(findings...)
		if anchored.given() {
			if v.Anchor, err = a.verifyAnchor(ctx, b.log, anchored); err != nil {
				return fmt.Errorf("comparing the ledger with its anchor: %w", err)
			}
			v.find(v.Anchor.Findings...)
			v.Further += v.Anchor.Further
		}
	}
	if err := a.console.Answer(v, func(w io.Writer) { v.words(w, time.Since(begin)) }); err != nil || v.Holds {
		return err
	}
	return console.Answered{Exit: console.No}
}

func (a *app) checkAll(ctx context.Context, b *book, trust trustFlags, progress func(uint64)) (checkView, error) {
	if b.log == nil {
		return a.checkProofs(ctx, b, trust, progress)
	}
	report, err := b.log.Check(ctx, func(done, _ uint64) { progress(done) })
	return checkView{Holds: report.Clean(), Messages: report.Size, Channels: report.Channels, Root: report.Root.String(),
		Findings: report.Findings, Further: report.Further}, err
}

func (a *app) checkProofs(ctx context.Context, b *book, trust trustFlags, progress func(uint64)) (checkView, error) {
	policy, _, err := trust.policyOn(ctx, a, b)
	if err != nil {
		return checkView{}, err
	}
	report, err := ledger.Check(ctx, b, policy, progress)
	return checkView{Holds: report.Clean(), Messages: report.Size, Channels: report.Channels, Findings: report.Findings, Further: report.Further}, err
}

// checkView is the outcome of a check as it is printed.
type checkView struct {
	Holds    bool     `json:"holds"`
	Messages uint64   `json:"messages"`
	Channels int      `json:"channels"`
	Root     string   `json:"root,omitempty"` // of a log of one's own
	Findings []string `json:"findings,omitempty"`
	Further  int      `json:"further,omitempty"`
	// Anchor is what another ledger has of this one, where that was asked for.
	Anchor *anchor.Report `json:"anchor,omitempty"`
}

func (v *checkView) find(findings ...string) {
	v.Findings = append(v.Findings, findings...)
	v.Holds = v.Holds && len(findings) == 0
}

func (v checkView) words(w io.Writer, took time.Duration) {
	if v.Holds {
		fmt.Fprintf(w, "holds: %d messages in %d channels; signatures, numbers and proofs verify (%s)\n", v.Messages, v.Channels, console.Duration(took))
		if r := v.Anchor; r != nil {
			fmt.Fprintf(w, "it begins with all %d checkpoints that %s has of it, on channel %v; the newest covers %d messages\n", r.Checkpoints, console.Clean(r.Ledger), r.Channel, r.Size)
		}
		return
	}
	fmt.Fprintln(w, "DOES NOT HOLD: trust no answer of this ledger, put back a copy that verifies")
	for _, finding := range v.Findings {
		fmt.Fprintf(w, "found: %s\n", console.Clean(finding))
	}
	if v.Further > 0 {
		fmt.Fprintf(w, "and %d more\n", v.Further)
	}
}
