package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/sandbox"
	"github.com/productid/productid/pkg/channel"
)

func (a *API) registerSandbox(h huma.API) {
	const who = " Who has the scope for any issuer may use the sandbox, which all share."
	handle(a, h, operation{
		id: "listSandboxCards", method: http.MethodGet, path: "/v1/sandbox/cards", tag: "sandbox", scope: identity.UseSandbox,
		summary: "List test cards", text: "The newest first." + who,
	}, a.sandboxCards)
	handle(a, h, operation{
		id: "createSandboxCard", method: http.MethodPost, path: "/v1/sandbox/cards", tag: "sandbox", scope: identity.UseSandbox, status: http.StatusCreated,
		summary: "Make a test card", text: "A card in software: registered, in service and validated as any other, of an issuer of its own. It proves nothing." + who,
		refusals: []int{409},
	}, a.createSandboxCard)
	handle(a, h, operation{
		id: "tapSandboxCard", method: http.MethodPost, path: "/v1/sandbox/cards/{id}/taps", tag: "sandbox", scope: identity.UseSandbox,
		summary: "Tap a test card", text: "Counts it up and answers with the URL that a phone would read." + who,
		refusals: []int{409},
	}, a.tapSandboxCard)
}

// mayUseSandbox is may for what belongs to no issuer in particular.
func (c *call) mayUseSandbox() (err error) {
	err = c.may(channel.ID{}) // nobody's, for the words of the refusal
	for _, issuer := range c.actor.Issuers() {
		if err = c.may(issuer); err == nil {
			return nil
		}
	}
	return err
}

// sandboxCards lists test cards.
func (a *API) sandboxCards(ctx context.Context, c *call, _ *empty) (*body[wire.SandboxCards], error) {
	if err := c.mayUseSandbox(); err != nil {
		return nil, err
	}
	all, err := a.Sandbox.Cards(ctx)
	if err != nil {
		return nil, err
	}
	list := wire.SandboxCards{Items: []wire.SandboxCard{}}
	for _, card := range all {
		list.Items = append(list.Items, wire.SandboxCard(card))
	}
	return answer(list), nil
}

type sandboxInput struct{ Body wire.SandboxCardRequest }

// createSandboxCard makes a test card.
func (a *API) createSandboxCard(ctx context.Context, c *call, in *sandboxInput) (*body[wire.SandboxCard], error) {
	if err := c.mayUseSandbox(); err != nil {
		return nil, err
	}
	card, err := a.Sandbox.Create(ctx, in.Body.Name)
	if errors.Is(err, sandbox.ErrBadName) {
		return nil, invalid("body.name", "too long, or not one line")
	}
	if err != nil {
		return nil, err
	}
	return answer(wire.SandboxCard(card)), nil
}

// tapSandboxCard mints a URL.
func (a *API) tapSandboxCard(ctx context.Context, c *call, in *CardPath) (*body[wire.SandboxTap], error) {
	if err := c.mayUseSandbox(); err != nil {
		return nil, err
	}
	url, err := a.Sandbox.Tap(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(wire.SandboxTap{Card: in.ID, URL: url}), nil
}
