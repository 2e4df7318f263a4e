package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/api/client"
	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// declareServer adds the flags of a verb that a service can be asked instead of the installation in the data folder.
func (a *app) declareServer(c *cobra.Command) {
	c.Flags().StringVar(&a.flags.server, "server", "", "`address` of a service to ask instead, https://HOST")
	c.Flags().StringVar(&a.flags.keyFile, "api-key-file", "", "`file` with the API key for --server")
}

// service is the one that --server names.
func (a *app) service() (*client.Client, error) {
	o := client.Options{Server: a.flags.server, Agent: "productid/" + version}
	if a.flags.keyFile != "" {
		text, err := a.readAtMost(a.flags.keyFile, 1<<10)
		if err != nil {
			return nil, fmt.Errorf("reading the API key: %w", err)
		}
		o.Key = client.Key(strings.TrimSpace(string(text)))
		if !strings.HasPrefix(string(o.Key), "pid_") || strings.ContainsAny(string(o.Key), " \r\n") {
			return nil, console.Misuse("reading the API key", "malformed: "+a.flags.keyFile+" does not hold one key", "give the file that the key was written to: one line that begins with pid_")
		}
	}
	return client.New(o)
}

// remoteVerify asks a service about a tap.
func (a *app) remoteVerify(ctx context.Context, url string) error {
	s, err := a.service()
	if err != nil {
		return err
	}
	v, err := verdictOf(s.ValidateTap(ctx, url))
	if err != nil {
		return fmt.Errorf("checking the tap at %s: %w", a.flags.server, err)
	}
	return a.answerVerdict(v)
}

// remoteTap is what the flags of tap update say beside the request.
type remoteTap struct {
	key     string // --idempotency-key
	receipt string
	dryRun  bool
}

// remoteUpdate has a service record a tap. Without a key of the user's it gets one, so that a lost answer is asked for again.
func (a *app) remoteUpdate(ctx context.Context, r validation.Request, o remoteTap) error {
	if r.Action != validation.ActionUpdate {
		return console.Misuse("reading --action", "a service records taps as "+validation.ActionUpdate+" alone", "leave --action out, or record where the installation is")
	}
	if o.dryRun {
		a.console.Say("nothing was written")
		return a.remoteVerify(ctx, r.URL)
	}
	s, err := a.service()
	if err != nil {
		return err
	}
	var file *receiptFile
	if o.receipt != "" {
		if file, err = a.openReceipt(o.receipt); err != nil {
			return fmt.Errorf("before the tap is recorded: %w", err)
		}
	}
	key := o.key
	if key == "" {
		random := make([]byte, 16)
		rand.Read(random) // never errs
		key = base64.RawURLEncoding.EncodeToString(random)
	}
	v, err := verdictOf(s.UpdateTap(ctx, wire.TapRequest{URL: r.URL, Payload: r.Payload}, key))
	unwritten := file.finish(v)
	if errors.Is(err, client.ErrUncertain) && o.key == "" {
		a.console.Say("the same command with --idempotency-key %s finds out", key)
	}
	if err != nil {
		return fmt.Errorf("recording the tap at %s: %w", a.flags.server, err)
	}
	return errors.Join(a.answerVerdict(v), unwritten)
}

// verdictOf is what a service answered about a tap, in the form in which it is decided here. A problem that is no verdict stays an error.
func verdictOf(t wire.Tap, err error) (validation.Verdict, error) {
	found, code := t.Verdict, t.Code
	if p, ok := errors.AsType[*client.Problem](err); ok {
		if means, _ := console.Sentence(p.Code); means != "" {
			found, code, err = p.Verdict, p.Code, nil
		}
	}
	v := validation.Verdict{
		Code: validation.Code(code), ID: found.ID, Counter: found.Counter, Unsigned: found.Unsigned, Last: found.Last, State: found.State,
		MovedTo: found.MovedTo, Skipped: found.Skipped, Since: found.Since, When: found.When, Replayed: t.Replayed, Registered: found.Registered, Contradicted: found.Contradicted,
	}
	if err != nil || t.Receipt == nil || t.Evidence == nil {
		return v, err
	}
	evidence, err := t.Evidence.Ledger()
	if err != nil {
		return v, fmt.Errorf("%w: %w", client.ErrStrange, err)
	}
	r := t.Receipt
	v.Message = evidence.Message
	v.Receipt = &ledger.Receipt{Ledger: r.Ledger, Channel: r.Channel, Number: r.Number, Hash: r.Hash, Index: r.Index, Time: r.Time, Proof: evidence.Proof}
	if err := v.Receipt.Phase.UnmarshalText([]byte(r.Phase)); err != nil {
		return v, fmt.Errorf("%w: %w", client.ErrStrange, err)
	}
	return v, nil
}

// remoteIssuers are the issuers of a service's ledger that --issuer means.
func (a *app) remoteIssuers(ctx context.Context, s *client.Client) (map[channel.ID]record.Issuer, error) {
	all, err := s.Issuers(ctx)
	if err != nil {
		return nil, err
	}
	meant := map[channel.ID]record.Issuer{}
	want := a.flags.issuer
	for _, i := range all.Items {
		if want == "" || want == i.Name || strings.TrimPrefix(want, "pidc1:") == i.ID.String() {
			meant[i.ID] = record.Issuer{Channel: i.ID, Name: i.Name}
		}
	}
	if len(meant) == 0 && want != "" {
		return nil, fmt.Errorf("issuer %s: %w", console.Clean(want), registry.ErrUnknownIssuer)
	}
	return meant, nil
}

// remoteCards lists the cards that a service shows to the key.
func (a *app) remoteCards(ctx context.Context, only articleFlags) error {
	s, err := a.service()
	if err != nil {
		return err
	}
	issuers, err := a.remoteIssuers(ctx, s)
	if err != nil {
		return fmt.Errorf("asking %s for issuers: %w", a.flags.server, err)
	}
	var cards []record.Card
	for cursor := ""; ; {
		page, err := s.Cards(ctx, client.CardSearch{GTIN: only.gtin, Lot: only.lot, Serial: only.serial, Cursor: cursor, Limit: wire.MaxPage})
		if err != nil {
			return fmt.Errorf("asking %s for cards: %w", a.flags.server, err)
		}
		for _, v := range page.Items {
			card, err := v.Record()
			if err != nil {
				return fmt.Errorf("card %v: %w: %w", v.ID, client.ErrStrange, err)
			}
			if _, meant := issuers[card.Issuer]; meant {
				cards = append(cards, card)
			}
		}
		if cursor = page.Next; cursor == "" {
			return a.listCards(cards, issuers)
		}
	}
}

func (a *app) cardShow() *cobra.Command {
	c := &cobra.Command{
		Use: "show CARD", Short: "Show what the ledger says of a card",
		Long: `Shows what the ledger says of a card: whose it is, its state, the highest counter that is used up and where its newest message
stands. With --server a service is asked.`,
		Example: `  productid card show sCwcVia7OYj7c7jW
  productid card show --server https://tap.example.com sCwcVia7OYj7c7jW`,
		Args: arguments(1, 1, "a card"),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := tap.ParseCardID(args[0])
			if err != nil {
				return console.Misuse("reading the card", "malformed: a card's id has 16 characters", "productid card list shows them")
			}
			card, issuer, err := a.findCard(c.Context(), id)
			if err != nil {
				return fmt.Errorf("looking for card %v: %w", id, err)
			}
			return a.console.Answer(card, func(w io.Writer) { cardWords(w, card, issuer) })
		},
	}
	a.declareServer(c)
	return c
}

// findCard finds a card and its issuer's name here, or at the service.
func (a *app) findCard(ctx context.Context, id tap.CardID) (record.Card, string, error) {
	if a.flags.server == "" {
		h, err := a.openHouse(ctx, existing)
		if err != nil {
			return record.Card{}, "", err
		}
		defer h.Close()
		card, err := h.registry.Card(ctx, id)
		if err != nil {
			return card, "", err
		}
		issuer, err := h.registry.Issuer(ctx, card.Issuer)
		return card, issuer.Name, err
	}
	s, err := a.service()
	if err != nil {
		return record.Card{}, "", err
	}
	v, err := s.CardInfo(ctx, id)
	if err != nil {
		return record.Card{}, "", err
	}
	card, err := v.Record()
	if err == nil && (card.ID != id || card.Key.ID() != id) {
		err = errors.New("the key is not that card's")
	}
	if err != nil {
		return card, "", fmt.Errorf("%w: %w", client.ErrStrange, err)
	}
	return card, v.IssuerName, nil
}

func cardWords(w io.Writer, c record.Card, issuer string) {
	state, newest := c.State, ""
	if state == "" {
		state = "registered, not in service"
	}
	if !c.Head.IsZero() {
		newest = fmt.Sprintf("message %d, %s", c.Head.Number, c.Head.Time.UTC().Format("2006-01-02T15:04:05Z"))
	}
	console.Fields(w, "card", c.ID.String(), "issuer", issuer, "state", state, "reason", c.Reason, "key", c.Key.Algorithm().String(),
		"used up to", fmt.Sprint(c.Last), "taps", fmt.Sprint(c.Recorded), "channel", c.Taps.String(), "newest", newest,
		"kind", c.Subject, "GTIN", c.GTIN, "lot", c.Lot, "serial", c.Serial, "device", c.Device)
}
