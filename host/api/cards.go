package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

func (a *API) registerCards(h huma.API) {
	handle(a, h, operation{
		id: "getCardInfo", method: http.MethodGet, path: "/v1/cards/{id}", tag: "cards", scope: identity.ReadCards, open: true,
		summary: "What the ledger says of a card",
		text: "Public key, state, highest counter and since when, channel, status, and the proof of the newest message. " +
			"Whoever may read the issuer's cards also gets what the card is set to.",
	}, a.cardInfo)
	handle(a, h, operation{
		id: "listCards", method: http.MethodGet, path: "/v1/cards", tag: "cards", scope: identity.ReadCards,
		summary:  "List cards",
		text:     "The cards of all issuers for which the caller may read cards, in the order of their ids.",
		refusals: []int{404},
	}, a.listCards)
	handle(a, h, operation{
		id: "listCardTaps", method: http.MethodGet, path: "/v1/cards/{id}/taps", tag: "cards", scope: identity.ReadCards,
		summary: "List a card's recorded taps, the newest first",
	}, a.cardTaps)
	handle(a, h, operation{
		id: "getCardBundle", method: http.MethodGet, path: "/v1/cards/{id}/bundle", tag: "cards", costly: "bundle",
		media: "application/json", file: &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeObject}},
		summary:  "Everything the ledger says of a card, in one file",
		text:     "The registration and all messages of the tap channel with all proofs: productid bundle verify checks it offline.",
		refusals: []int{413},
	}, a.cardBundle)
}

// CardPath names a card in a path. It is exported because huma looks into no other embedded struct.
type CardPath struct {
	ID tap.CardID `path:"id" pattern:"^[A-Za-z0-9_-]{16}$" doc:"The card." example:"sCwcVia7OYj7c7jW"`
}

// card finds a card, also one that was registered since the registry was last brought up to the ledger. The error is
// registry.ErrUnknownCard.
func (a *API) card(ctx context.Context, id tap.CardID) (record.Card, error) {
	card, err := a.Registry.Card(ctx, id)
	if errors.Is(err, registry.ErrUnknownCard) {
		if err := a.Registry.Sync(ctx); err != nil {
			return card, err
		}
		card, err = a.Registry.Card(ctx, id)
	}
	return card, err
}

// cardFor finds a card for whoever may do this operation for its issuer.
func (a *API) cardFor(ctx context.Context, c *call, id tap.CardID) (record.Card, error) {
	card, err := a.card(ctx, id)
	if err != nil {
		c.asked = true // there is no issuer to be asked about
		return card, err
	}
	return card, c.may(card.Issuer)
}

// cardInfo tells all about a card; the desk knows what of it the caller may see.
func (a *API) cardInfo(ctx context.Context, _ *call, in *CardPath) (*body[wire.CardInfo], error) {
	card, err := a.Desk.Card(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	r := card.Record
	v := wire.CardInfo{
		Card: wire.NewCard(r, card.Test), IssuerName: card.Face.Name, Counted: moment(card.LastTime), Product: productOf(card.Product),
		Status:     wire.Status{State: string(card.Status), List: a.statusList(r.Issuer), Index: r.Registered.Number},
		ProductURL: card.ProductURL, LoginRequired: card.LoginRequired, Form: wire.NewForm(card.Form),
	}
	if p := card.Proof; p != nil {
		v.Proof = &wire.Newest{}
		if v.Proof.Evidence, err = wire.NewEvidence(p.Evidence); err != nil {
			return nil, err
		}
		if p.Head != nil {
			if v.Proof.Head, err = json.Marshal(p.Head); err != nil {
				return nil, err
			}
		}
	}
	if s := card.Restricted; s != nil {
		v.Restricted = &wire.Restricted{Device: s.Device, Capability: s.Capability}
		if s.LastTap != nil {
			v.Restricted.Payload, v.Restricted.Operator = s.LastTap.Payload, s.LastTap.Operator
		}
	}
	return answer(v), nil
}

func (a *API) statusList(issuer channel.ID) string {
	return a.Base.JoinPath("v1", "issuers", issuer.String(), "status-list").String()
}

// evidence is a message with its proof.
func (a *API) evidence(ctx context.Context, e ledger.Entry) (wire.Evidence, error) {
	proof, err := a.Ledger.Prove(ctx, e.Message.Channel(), e.Message.Number())
	if err != nil {
		return wire.Evidence{}, err
	}
	return wire.NewEvidence(ledger.Evidence{Message: e.Message, Proof: proof})
}

type listCardsInput struct {
	Issuer channel.ID `query:"issuer" pattern:"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$" doc:"Only this issuer's."`
	Query  string     `query:"q" minLength:"1" maxLength:"100" doc:"Only the card with this id, or those with this GTIN, in any of its lengths, lot or serial."`
	GTIN   string     `query:"gtin" minLength:"1" maxLength:"14" doc:"Only cards of this product, in any of its lengths: 8, 12, 13 or 14 digits."`
	Lot    string     `query:"lot" minLength:"1" maxLength:"100"`
	Serial string     `query:"serial" minLength:"1" maxLength:"100"`
	State  string     `query:"state" enum:"registered,in_service,completed,revoked,moved,lost" doc:"Only cards in this state."`
	Cursor tap.CardID `query:"cursor" pattern:"^[A-Za-z0-9_-]{16}$" doc:"The member next of the page before."`
	Limit  int        `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many at most."`
}

// listCards lists the cards that the caller may read.
func (a *API) listCards(ctx context.Context, c *call, in *listCardsInput) (*body[wire.Cards], error) {
	mine, err := a.readable(ctx, c, in.Issuer)
	if err != nil {
		return nil, err
	}
	var found []record.Card
	for issuer := range mine {
		cards, err := a.Registry.Find(ctx, registry.Search{
			Issuer: issuer, After: in.Cursor, Any: in.Query, GTIN: in.GTIN, Lot: in.Lot, Serial: in.Serial, State: in.State,
		}, in.Limit+1)
		if err != nil {
			return nil, err
		}
		found = append(found, cards...)
	}
	slices.SortFunc(found, func(a, b record.Card) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	page := wire.Cards{Items: []wire.Card{}}
	if len(found) > in.Limit {
		found = found[:in.Limit]
		page.Next = found[in.Limit-1].ID.String()
	}
	for _, card := range found {
		page.Items = append(page.Items, wire.NewCard(card, mine[card.Issuer]))
	}
	return answer(page), nil
}

// readable is the issuers whose cards the caller may list, and whether they are the sandbox: one, or all that he may.
func (a *API) readable(ctx context.Context, c *call, one channel.ID) (map[channel.ID]bool, error) {
	asked := c.actor.Issuers()
	if one != (channel.ID{}) {
		asked = []channel.ID{one}
	}
	mine := map[channel.ID]bool{}
	var refused error = identity.ErrForbidden
	for _, issuer := range asked {
		if refused = c.may(issuer); refused == nil {
			mine[issuer] = a.Sandbox.IsTest(ctx, issuer)
		}
	}
	c.asked = true
	if len(mine) == 0 {
		return nil, refused
	}
	return mine, nil
}

type cardTapsInput struct {
	CardPath
	Cursor uint64 `query:"cursor" doc:"The member next of the page before." maximum:"9007199254740991"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many at most."`
}

// cardTaps lists what a card's tap channel holds, from its end.
func (a *API) cardTaps(ctx context.Context, c *call, in *cardTapsInput) (*body[wire.TapRecords], error) {
	card, err := a.cardFor(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	page := wire.TapRecords{Items: []wire.TapRecord{}}
	head, err := a.Ledger.Head(ctx, card.Taps)
	if errors.Is(err, ledger.ErrNoChannel) {
		return answer(page), nil
	}
	if err != nil {
		return nil, err
	}
	end := head.Message.Number() + 1
	if in.Cursor > 0 {
		end = min(end, in.Cursor)
	}
	from := end - min(end, uint64(in.Limit))
	entries, err := a.Ledger.Range(ctx, card.Taps, from, int(end-from))
	if err != nil {
		return nil, err
	}
	for i := len(entries) - 1; i >= 0; i-- {
		if t, ok := tapRecord(entries[i]); ok {
			page.Items = append(page.Items, t)
		}
	}
	if from > 0 {
		page.Next = uintText(from)
	}
	return answer(page), nil
}

// tapRecord reads a message that is a tap; others, and those whose payload was removed, are none.
func tapRecord(e ledger.Entry) (wire.TapRecord, bool) {
	text, err := e.Message.Body()
	if err != nil {
		return wire.TapRecord{}, false
	}
	r, err := record.Parse(text)
	t, ok := r.Value.(record.Tap)
	if err != nil || !ok {
		return wire.TapRecord{}, false
	}
	return wire.TapRecord{Counter: uint32(t.Counter), Action: t.Action, At: refOf(e), Skipped: t.Skipped, Payload: t.Payload, Operator: t.Operator}, true
}

func refOf(e ledger.Entry) wire.Ref {
	m := e.Message
	return wire.Ref{Channel: m.Channel(), Number: m.Number(), Hash: m.Hash(), Index: e.Index, Time: e.Time}
}

type fileOutput struct {
	ContentType string `header:"Content-Type"`
	Name        string `header:"Content-Disposition"`
	Body        []byte
}

// cardBundle makes a card's bundle.
func (a *API) cardBundle(ctx context.Context, _ *call, in *CardPath) (*fileOutput, error) {
	if _, err := a.card(ctx, in.ID); err != nil {
		return nil, err
	}
	data, err := a.Bundle(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &fileOutput{"application/json", `attachment; filename="` + in.ID.String() + `.bundle"`, data}, nil
}
