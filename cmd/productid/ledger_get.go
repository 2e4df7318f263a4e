package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

func (a *app) ledgerGet() *cobra.Command {
	var trust trustFlags
	c := &cobra.Command{
		Use: "get CHANNEL NUMBER | CARD COUNTER", Short: "Print one message of the ledger",
		Example: "  productid ledger get sCwcVia7OYj7c7jW 17",
		Args:    arguments(2, 2, "a channel and a number, or a card and a counter"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withEntry(c, args, trust, func(_ reading, e ledger.Entry) error {
				body, err := e.Message.Body()
				return a.answerEntry(e, body, err)
			})
		},
	}
	trust.declare(c)
	return c
}

func (a *app) ledgerProve() *cobra.Command {
	var out string
	var trust trustFlags
	c := &cobra.Command{
		Use: "prove CHANNEL NUMBER | CARD COUNTER", Short: "Write a message with the proof that it is recorded",
		Long:    "Writes one message and its proof as a file that productid ledger verify checks offline, on any machine.",
		Example: "  productid ledger prove sCwcVia7OYj7c7jW 17 > receipt.json",
		Args:    arguments(2, 2, "a channel and a number, or a card and a counter"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withEntry(c, args, trust, func(r reading, e ledger.Entry) error {
				proof, err := r.Prove(c.Context(), e.Message.Channel(), e.Message.Number())
				if err != nil {
					return err
				}
				file, err := a.openReceipt(out)
				if err != nil {
					return err
				}
				if err := file.write(ledger.Evidence{Message: e.Message, Proof: proof}); err != nil {
					return fmt.Errorf("writing the receipt: %w", err)
				}
				return nil
			})
		},
	}
	trust.declare(c)
	c.Flags().StringVarP(&out, "out", "o", "-", "new `file` to write; - is standard output")
	return c
}

// withEntry finds the message that two arguments name.
func (a *app) withEntry(c *cobra.Command, args []string, trust trustFlags, use func(reading, ledger.Entry) error) error {
	n, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return console.Misuse("reading the number or counter", "malformed: it is no number", "give a message's number, or a card's counter, in decimal")
	}
	id, channelErr := channel.ParseID(args[0])
	card, cardErr := tap.ParseCardID(args[0])
	if channelErr != nil && cardErr != nil {
		next := "productid inspect says what a text is"
		if c, err := channel.ParseCapability(args[0]); err == nil {
			next = "it is a capability: give its channel alone, " + c.Channel.String()
		}
		return console.Misuse("reading the channel or card", "malformed: it is neither a channel (43 characters) nor a card (16 characters)", next)
	}
	return a.withReading(c.Context(), trust, func(r reading) error {
		var e ledger.Entry
		if channelErr == nil {
			e, err = r.message(c.Context(), id, n)
		} else {
			e, err = r.tap(c.Context(), card, n)
		}
		if err != nil {
			return err
		}
		return use(r, e)
	})
}

// message is message n of a channel.
func (r reading) message(ctx context.Context, id channel.ID, n uint64) (ledger.Entry, error) {
	entries, err := r.Range(ctx, id, n, 1)
	if err == nil && len(entries) == 0 {
		err = ledger.ErrNoMessage
	}
	if err != nil {
		return ledger.Entry{}, fmt.Errorf("looking for message %d: %w", n, err)
	}
	return entries[0], nil
}

// tap is the record of a card's tap with this counter.
func (r reading) tap(ctx context.Context, id tap.CardID, counter uint64) (ledger.Entry, error) {
	what := fmt.Sprintf("looking for tap %d of card %v", counter, id)
	if r.registry == nil {
		return ledger.Entry{}, console.Misuse(what, "a ledger that others serve is read by channel", "give the card's tap channel and the message's number")
	}
	known, err := r.registry.Card(ctx, id)
	if err != nil {
		return ledger.Entry{}, fmt.Errorf("%s: %w", what, err)
	}
	for opened, err := range ledger.Read(ctx, r, channel.Capability{Channel: known.Taps}, 0) {
		if err != nil {
			return ledger.Entry{}, fmt.Errorf("%s: %w", what, err)
		}
		rec, err := record.Parse(opened.Body)
		if err != nil {
			continue
		}
		if t, ok := rec.Value.(record.Tap); ok && uint64(t.Counter) == counter {
			return opened.Entry, nil
		}
		if why := usedUp(rec, counter); why != "" {
			return ledger.Entry{}, &console.Problem{Code: "never_recorded", What: what, Why: why, Exit: console.No,
				Next: "there is nothing to get: every reading of a card counts, also those that nobody records"}
		}
	}
	return ledger.Entry{}, fmt.Errorf("%s: %w", what, ledger.ErrNoMessage)
}

// usedUp says by which record a counter was used up that has none of its own; empty if this one did not.
func usedUp(r record.Record, counter uint64) string {
	switch v := r.Value.(type) {
	case record.CardInService:
		if counter <= uint64(v.Last) {
			return fmt.Sprintf("this counter was never recorded: the card was put in service with all up to %d used up", v.Last)
		}
	case record.Tap:
		if s := v.Skipped; s != nil && uint64(s[0]) <= counter && counter <= uint64(s[1]) {
			return fmt.Sprintf("this counter was never recorded: tap %d skipped %s", v.Counter, runOf(*s))
		}
	}
	return ""
}

// entryView is a message as it is printed.
type entryView struct {
	Channel channel.ID      `json:"channel"`
	Number  uint64          `json:"number"`
	Index   uint64          `json:"index"`
	Time    time.Time       `json:"time"` // the ledger's
	Hash    channel.Hash    `json:"hash"`
	Body    json.RawMessage `json:"body,omitempty"`  // as signed, when it is JSON
	Other   record.Bytes    `json:"other,omitempty"` // the body when it is not
	Why     string          `json:"why,omitempty"`   // why the body cannot be read
}

// answerEntry prints a message with its body, or why that cannot be read.
func (a *app) answerEntry(e ledger.Entry, body []byte, unread error) error {
	m := e.Message
	v := entryView{Channel: m.Channel(), Number: m.Number(), Index: e.Index, Time: e.Time.UTC(), Hash: m.Hash()}
	switch {
	case unread != nil:
		v.Why = channel.Class(unread)
	case json.Valid(body):
		v.Body = body
	default:
		v.Other = body
	}
	return a.console.Answer(v, func(w io.Writer) {
		text := console.Clean(string(body))
		if v.Why != "" {
			text = v.Why + ": productid channel read with a capability opens it"
		}
		fmt.Fprintf(w, "%d  %s  %s\n", v.Number, v.Time.Format(time.RFC3339), text)
	})
}
