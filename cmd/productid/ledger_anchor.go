package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/ledger/anchor"
	"github.com/productid/productid/host/ledger/stardust"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/pkg/bundle"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// anchorFlags name the other ledger that a log's checkpoints are put on.
type anchorFlags struct {
	name  string
	limit time.Duration
}

func (f *anchorFlags) declare(c *cobra.Command) {
	c.Flags().StringVar(&f.name, "anchor", "", "`ledger` of others that has this one's checkpoints: "+stardustForm)
}

func (f *anchorFlags) declareLimit(c *cobra.Command) {
	c.Flags().DurationVar(&f.limit, "anchor-limit", anchor.DefaultLimit, "how long a message may wait for its anchor before there is a warning")
}

func (f *anchorFlags) given() bool { return f.name != "" }

// openAnchor is the anchor of the installation's own log. It asks nobody yet: an anchor that is away stops nothing.
func (a *app) openAnchor(ctx context.Context, log *tlog.Log, f anchorFlags) (*anchor.Anchor, error) {
	p, err := parsePlace(f.name)
	if err != nil || p.kind != kindStardust {
		return nil, console.Misuse("anchoring the ledger", "--anchor names no ledger that others run and that takes checkpoints", "give --anchor "+stardustForm)
	}
	nodes, err := stardust.ParseName(p.name)
	if err != nil {
		return nil, err
	}
	own, err := a.loadSecrets(ctx)
	if err != nil {
		return nil, err
	}
	funding, err := a.fundingKey(own)
	if err != nil {
		return nil, err
	}
	author := own.Anchor(log.Origin())
	holder := make([]byte, 16)
	rand.Read(holder) // never errs
	o := stardust.Options{
		Nodes: nodes, Archive: filepath.Join(a.flags.data, "anchor.db"), Funding: funding, Now: time.Now,
		Author: func(id channel.ID) (*channel.Author, bool) { return author, id == author.Channel() },
	}
	return anchor.New(anchor.Options{
		Log: log, Author: author, Holder: hex.EncodeToString(holder), Now: time.Now, Limit: f.limit, Report: a.sayProblem,
		Open: func(ctx context.Context) (anchor.Ledger, error) { return stardust.Open(ctx, o) },
	}), nil
}

// withAnchor compares the log with the newest anchored checkpoint before anything else happens. An anchor that is away was told of.
func (a *app) withAnchor(ctx context.Context, log *tlog.Log, f anchorFlags, use func(*anchor.Anchor) error) error {
	an, err := a.openAnchor(ctx, log, f)
	if err != nil {
		return err
	}
	defer an.Close() // what it recorded is final
	a.console.Say("checkpoints are anchored on channel %v there", an.Channel())
	start, cancel := context.WithTimeout(ctx, anchorPatience)
	err = an.Compare(start)
	cancel()
	if anchor.Refutes(err) {
		return err
	}
	return use(an)
}

func (a *app) ledgerAnchor() *cobra.Command {
	var f anchorFlags
	c := &cobra.Command{
		Use: "anchor", Short: "Put the ledger's newest checkpoint on another ledger, now",
		Long: `Compares the ledger with the newest checkpoint that the other ledger has of it, puts the newest one there, and waits until it is
final. From then on whoever reads that ledger can tell whether this one was rewritten or put back to an older copy, and bundles carry
the proof of it. productid ledger serve --anchor does the same all the time. The channel that holds the checkpoints there follows from
the installation's secrets; tell it to those who are to look.`,
		Example: "  productid ledger anchor --anchor 'stardust:http://127.0.0.1:14265?inx=127.0.0.1:9029' --funding-key funding.key",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			const what = "anchoring the ledger"
			return a.withWitnessed(c.Context(), what, nil, func(log *tlog.Log) error {
				an, err := a.openAnchor(c.Context(), log, f)
				if err != nil {
					return err
				}
				defer an.Close() // what it recorded is final
				if err := an.Cover(c.Context()); err != nil {
					return fmt.Errorf("%s: %w", what, err)
				}
				v, err := anchorOf(c.Context(), log)
				if err != nil {
					return err
				}
				return a.console.Answer(v, func(w io.Writer) { console.Fields(w, "anchored", v.words()) })
			})
		},
	}
	f.declare(c)
	return c
}

// anchorView is the newest checkpoint that another ledger has, as the log's database knows it.
type anchorView struct {
	Channel  channel.ID `json:"channel"` // there
	Number   uint64     `json:"number"`
	Messages uint64     `json:"messages"` // of the log that it covers
}

// anchorOf is nil where nothing was anchored.
func anchorOf(ctx context.Context, log *tlog.Log) (*anchorView, error) {
	checkpoint, e, err := anchor.Newest(ctx, log)
	if err != nil || e == nil {
		return nil, err
	}
	c, err := log.OpenCheckpoint(checkpoint)
	return &anchorView{e.Message.Channel(), e.Message.Number(), c.Size}, err
}

func (v *anchorView) words() string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf("%d messages, by message %d of channel %v there", v.Messages, v.Number, v.Channel)
}

// verifyAnchor compares a log with every checkpoint that the other ledger has of it.
func (a *app) verifyAnchor(ctx context.Context, log *tlog.Log, f anchorFlags) (*anchor.Report, error) {
	an, err := a.openAnchor(ctx, log, f)
	if err != nil {
		return nil, err
	}
	defer an.Close() // nothing was written
	r, err := an.Verify(ctx, func(done uint64) { a.console.Working(fmt.Sprintf("comparing checkpoint %d", done)) })
	return &r, err
}

// anchorPatience is how long a start waits for the anchor's answer before it goes on with a warning, and a bundle that need not be
// anchored for what is.
const anchorPatience = 10 * time.Second

// errAnchorMoved says that a newer checkpoint was anchored meanwhile.
var errAnchorMoved = errors.New("another checkpoint is anchored now")

// makeAnchored makes a bundle with the newest anchored checkpoint, where that covers the card's newest message or it has to.
func makeAnchored(ctx context.Context, h *house, issuer, taps channel.ID, o bundle.Options, build func(context.Context, bundle.Options) ([]byte, error)) ([]byte, error) {
	log := h.ledger.log
	wanted := o.Phase == ledger.Anchored
	if log == nil {
		return build(ctx, o)
	}
	for {
		covers, err := anchorCovers(ctx, log, issuer, taps, o.Registration)
		if err != nil {
			return nil, err
		}
		if !wanted && !covers {
			return build(ctx, o)
		}
		with := o
		with.Phase, with.Anchored = ledger.Anchored, newestAnchor(log)
		patience, cancel := ctx, context.CancelFunc(func() {})
		if !wanted {
			patience, cancel = context.WithTimeout(ctx, anchorPatience)
		}
		data, err := build(patience, with)
		cancel()
		late := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil // a tap came in between, and nobody anchors it
		if !late && !errors.Is(err, errAnchorMoved) {
			return data, err
		}
	}
}

// anchorCovers reports whether the newest anchored checkpoint covers the card's newest message.
func anchorCovers(ctx context.Context, log *tlog.Log, issuer, taps channel.ID, registration uint64) (bool, error) {
	v, err := anchorOf(ctx, log)
	if err != nil || v == nil {
		return false, err
	}
	head, err := log.Head(ctx, taps)
	if errors.Is(err, ledger.ErrNoChannel) {
		var entries []ledger.Entry
		if entries, err = log.Range(ctx, issuer, registration, 1); err == nil && len(entries) == 1 {
			head = entries[0]
		}
	}
	return head.Index < v.Messages, err
}

// newestAnchor finds the message that records a checkpoint, if that is the newest that is anchored.
func newestAnchor(log *tlog.Log) func(context.Context, []byte) (ledger.Evidence, error) {
	return func(ctx context.Context, checkpoint []byte) (ledger.Evidence, error) {
		c, err := log.OpenCheckpoint(checkpoint)
		if err != nil {
			return ledger.Evidence{}, err
		}
		newest, e, err := anchor.Newest(ctx, log)
		if err != nil {
			return ledger.Evidence{}, err
		}
		if e == nil {
			return ledger.Evidence{}, errAnchorMoved
		}
		if of, err := log.OpenCheckpoint(newest); err != nil || of != c {
			return ledger.Evidence{}, errors.Join(err, errAnchorMoved)
		}
		return *e, nil
	}
}
