package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

func (a *API) registerTaps(h huma.API) {
	handle(a, h, operation{
		id: "tapAction", method: http.MethodPost, path: "/v1/taps", tag: "taps", scope: identity.RecordTaps, open: true,
		summary: "Check or record a tap",
		text: "With action validate it says whether the URL was made by a registered card and is not used up; it writes nothing, so it promises nothing for a second later. " +
			"With action update it records the tap, once, and answers when the record is final on the ledger. A refusal is a problem whose code is the verdict.\n\n" +
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

// tapAction checks or records a tap.
func (a *API) tapAction(ctx context.Context, c *call, in *tapInput) (*tapOutput, error) {
	caller := Caller{Actor: c.actor, Network: c.network, Channel: "api"}
	if in.Body.Action == wire.ActionValidate {
		if in.Body.Payload != nil {
			return nil, invalid("body.payload", "a payload is recorded with a tap, and validate records nothing")
		}
		found, err := a.Desk.Look(ctx, in.Body.URL, caller)
		return a.tapAnswer(ctx, found, err)
	}
	issuer, err := a.issuerOf(ctx, in.Body.URL)
	if err == nil {
		err = c.may(issuer)
	}
	switch {
	case errors.Is(err, errNobodys):
		if c.actor.Kind == identity.Anonymous {
			return nil, identity.ErrUnauthenticated
		}
		found, err := a.Desk.Look(ctx, in.Body.URL, caller) // it says what is wrong
		if err == nil && found.Code.OK() {
			err = fmt.Errorf("the card was registered this very moment: %w", ledger.ErrUnavailable)
		}
		return a.tapAnswer(ctx, found, err)
	case err != nil:
		return nil, err
	}
	r := Request{URL: in.Body.URL, Payload: in.Body.Payload}
	if in.Body.Place != nil {
		r.Place = &Place{in.Body.Place.Latitude, in.Body.Place.Longitude, in.Body.Place.Name}
	}
	if in.Key != "" {
		r.Retry = &validation.Retry{Scope: c.scope(), Key: in.Key}
	}
	found, err := a.Desk.Record(ctx, r, caller)
	return a.tapAnswer(ctx, found, err)
}

// errNobodys says that a URL is no tap of a card that anybody has registered.
var errNobodys = errors.New("no registered card's")

// issuerOf finds whose card a URL claims to be of.
func (a *API) issuerOf(ctx context.Context, url string) (channel.ID, error) {
	u, err := tap.Parse(url)
	if err != nil && !errors.Is(err, tap.ErrUnsigned) {
		return channel.ID{}, errNobodys
	}
	card, err := a.card(ctx, u.ID)
	if errors.Is(err, registry.ErrUnknownCard) {
		return channel.ID{}, errNobodys
	}
	return card.Issuer, err
}

// tapAnswer puts what the desk found into an answer, or into the problem that a refusal is.
func (a *API) tapAnswer(ctx context.Context, f Finding, err error) (*tapOutput, error) {
	if err != nil {
		return nil, err
	}
	v := wire.Verdict{
		ID: f.ID, Counter: f.Counter, Unsigned: f.Unsigned, Last: f.Last, State: f.State, MovedTo: f.MovedTo,
		Skipped: f.Skipped, Since: f.Since, When: f.When,
	}
	if !f.Code.OK() {
		return nil, &fault{code: string(f.Code), verdict: v}
	}
	out := &tapOutput{Body: wire.Tap{Code: string(f.Code), Verdict: v, Replayed: f.Replayed, Test: f.Test, Asks: f.Asks, Product: productOf(f)}}
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
func (a *API) addRecord(ctx context.Context, f Finding, t *wire.Tap) error {
	receipt := wire.NewReceipt(*f.Receipt)
	t.Channel, t.Receipt = &receipt.Channel, &receipt
	evidence, err := wire.NewEvidence(f.Evidence())
	if err != nil {
		return err
	}
	t.Evidence = &evidence
	// The tap is recorded: whatever becomes of the way on, the answer is yes.
	if target, err := a.Desk.Continue(ctx, *f.ID, f.Counter); err == nil && target != nil {
		t.Redirect = target.String()
	}
	return nil
}

func productOf(f Finding) *wire.Product {
	if f.Product == nil {
		return nil
	}
	return &wire.Product{ID: f.Product.ID, Name: f.Product.Name, GTIN: f.Product.GTIN, URL: f.Product.URL, Text: f.Product.Text}
}

type redirectInput struct{ Body wire.RedirectCheck }

// verifyRedirect accepts a visit's token, once.
func (a *API) verifyRedirect(ctx context.Context, _ *call, in *redirectInput) (*body[wire.RedirectClaims], error) {
	claims, err := a.Redirect.Verify(ctx, in.Body.Token, in.Body.Audience)
	if err != nil {
		return nil, err
	}
	return answer(wire.RedirectClaims{Card: claims.Card, Counter: claims.Counter, Audience: claims.Audience, Issued: claims.Issued, Expires: claims.Expires}), nil
}
