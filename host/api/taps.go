package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/validation"
)

func (a *API) registerTaps(h huma.API) {
	handle(a, h, operation{
		id: "tapAction", method: http.MethodPost, path: "/v1/taps", tag: "taps", scope: identity.RecordTaps, open: true,
		summary: "Check or record a tap",
		text: "With action validate it says whether the URL was made by a registered card and is not used up; it writes nothing, so it promises nothing for a second later. " +
			"With action update it records the tap, once, and answers when the record is final on the ledger. A refusal is a problem whose code is the verdict, with what decided as members.\n\n" +
			"Everybody may validate; to update takes a key of the card's issuer. Without an Idempotency-Key every repetition is already_used, whoever sends it.",
		refusals: []int{403, 404, 409, 410},
	}, a.tapAction)
	handle(a, h, operation{
		id: "verifyRedirect", method: http.MethodPost, path: "/v1/redirects/verify", tag: "taps",
		summary:  "Check that a visitor came through validation",
		text:     "Accepts the token of a visit once, for the site it was made for. What is refused is a reason to show the generic page, and nothing more.",
		refusals: []int{409},
	}, a.verifyRedirect)
}

type tapInput struct {
	Key  string `header:"Idempotency-Key" minLength:"22" maxLength:"200" pattern:"^[!-~]+$" doc:"Random text of 128 bits or more that names this request, so that it can be repeated until it is answered."`
	Body wire.TapRequest
}

type tapOutput struct {
	Replayed string `header:"Idempotency-Replayed" enum:"true" doc:"On an answer that was given before."`
	Body     wire.Tap
}

// tapAction checks or records a tap. Whose card it is, and so whether the caller may record its taps, the desk finds out on the way.
func (a *API) tapAction(ctx context.Context, c *call, in *tapInput) (*tapOutput, error) {
	caller := desk.Caller{Actor: c.actor, Network: c.network, Channel: desk.ChannelAPI}
	if in.Body.Action == wire.ActionValidate {
		if in.Body.Payload != nil {
			return nil, invalid("body.payload", "a payload is recorded with a tap, and validate records nothing")
		}
		found, err := a.Desk.Look(ctx, in.Body.URL, caller)
		return a.tapAnswer(ctx, found, err)
	}
	r := desk.Request{URL: in.Body.URL, Payload: in.Body.Payload}
	if at := in.Body.Place; at != nil {
		if alarm.Place(*at).Check() != nil { // or the tap would be recorded, and no alarm would ever know of it
			return nil, invalid("body.place.name", "holds control characters, or such as turn the direction of text")
		}
		r.Place = &desk.Place{Latitude: at.Latitude, Longitude: at.Longitude, Name: at.Name}
	}
	if in.Key != "" {
		r.Retry = &validation.Retry{Scope: c.scope(), Key: in.Key}
	}
	found, err := a.Desk.Record(ctx, r, caller)
	return a.tapAnswer(ctx, found, err)
}

// tapAnswer puts what the desk found into an answer, or into the problem that a refusal is.
func (a *API) tapAnswer(ctx context.Context, f desk.Finding, err error) (*tapOutput, error) {
	if err != nil {
		return nil, err
	}
	v := wire.Verdict{
		ID: f.ID, Counter: f.Counter, Unsigned: f.Unsigned, Last: f.Last, State: f.State, MovedTo: f.MovedTo,
		Skipped: f.Skipped, Since: f.Since, When: f.When, Registered: f.Registered, Contradicted: f.Contradicted,
	}
	if !f.Code.OK() {
		return nil, &fault{code: string(f.Code), verdict: v, fields: wrongAnswers(f)}
	}
	out := &tapOutput{Body: wire.Tap{Code: string(f.Code), Verdict: v, Replayed: f.Replayed, Test: f.Test, Product: productOf(f.Product)}}
	if f.Asks != desk.AsksNone && f.Code == validation.Valid {
		out.Body.Asks = string(f.Asks)
	}
	if f.Card != nil {
		out.Body.Issuer = &f.Card.Issuer
	}
	if f.Code != validation.Recorded {
		return out, nil
	}
	if f.Replayed {
		out.Replayed = "true"
	}
	return out, a.addRecord(ctx, f, &out.Body)
}

// addRecord tells where the tap was recorded, what proves it, and where its holder goes on.
func (a *API) addRecord(ctx context.Context, f desk.Finding, t *wire.Tap) error {
	receipt := wire.NewReceipt(*f.Receipt)
	t.Channel, t.Receipt = &receipt.Channel, &receipt
	evidence, err := wire.NewEvidence(f.Evidence())
	if err != nil {
		return err
	}
	t.Evidence = &evidence
	if f.Settings.ProductURL == "" && (f.Product == nil || f.Product.URL == "") {
		return nil // to ask for the way on would read the card's channel anew
	}
	// The tap is recorded: whatever becomes of the way on, the answer is yes.
	if target, err := a.Desk.Continue(ctx, *f.ID, f.Counter); err == nil && target != nil {
		t.Redirect = target.String()
	}
	return nil
}

// wrongAnswers says which answers to a card's form were not taken.
func wrongAnswers(f desk.Finding) (fields []wire.Field) {
	for _, p := range f.Problems {
		at := "body.payload"
		if p.Field != "" {
			at += "." + p.Field
		}
		fields = append(fields, wire.Field{Location: at, Message: p.Problem})
	}
	return fields
}

func productOf(p *product.Product) *wire.Product {
	if p == nil {
		return nil
	}
	return &wire.Product{ID: p.ID, Name: p.Name, GTIN: p.GTIN, URL: p.URL, Text: p.Text}
}

type redirectInput struct{ Body wire.RedirectCheck }

// verifyRedirect accepts a visit's token, once.
func (a *API) verifyRedirect(ctx context.Context, _ *call, in *redirectInput) (*body[wire.RedirectClaims], error) {
	claims, err := a.Redirect.Verify(ctx, in.Body.Token, in.Body.Audience)
	if err != nil {
		return nil, err
	}
	card, err := a.card(ctx, claims.Card)
	if err != nil { // the token is used up all the same
		return nil, fmt.Errorf("looking up whose card %v is: %w: %w", claims.Card, store.ErrUncertain, err)
	}
	return answer(wire.RedirectClaims{Card: claims.Card, Issuer: card.Issuer, Test: a.Sandbox.IsTest(ctx, card.Issuer), Counter: claims.Counter, Audience: claims.Audience, Issued: claims.Issued, Expires: claims.Expires}), nil
}
