package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/lifecycle"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/record"
)

func (a *API) registerLife(h huma.API) {
	handle(a, h, operation{
		id: "revokeCard", method: http.MethodPost, path: "/v1/cards/{id}/revocation", tag: "cards", scope: identity.WriteCards, act: "card.revoked",
		summary: "Revoke a card", text: "For good: no tap of the card counts any more, and the issuer's status list says so.",
		refusals: []int{409, 410},
	}, a.revokeCard)
	handle(a, h, operation{
		id: "associateCard", method: http.MethodPut, path: "/v1/cards/{id}/device", tag: "cards", scope: identity.WriteCards, act: "card.associated",
		summary: "Associate a card with a device", text: "The device's id stands on the public ledger.",
		refusals: []int{409, 410},
	}, a.associateCard)
	handle(a, h, operation{
		id: "getStatusList", method: http.MethodGet, path: "/v1/issuers/{issuer}/status-list", tag: "issuers",
		summary: "An issuer's list of revoked cards",
		text:    "A W3C Bitstring Status List as a JWT (vc+jwt), signed with the key of the issuer's own channel. A card's index in it stands in getCardInfo.",
		media:   lifecycle.MediaStatusList, file: &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}},
	}, a.statusListFile)
}

type revocationInput struct {
	CardPath
	Body wire.Revocation
}

// revokeCard takes a card out of service.
func (a *API) revokeCard(ctx context.Context, c *call, in *revocationInput) (*body[wire.Receipt], error) {
	card, err := a.changeable(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	if err := c.act(ctx, card.Issuer, in.ID.String(), in.Body.Reason); err != nil {
		return nil, err
	}
	receipt, err := a.Lifecycle.Revoke(ctx, in.ID, in.Body.Reason, c.actor.ID)
	if errors.Is(err, lifecycle.ErrBadText) {
		return nil, invalid("body.reason", "not one line of 1 to 200 characters")
	}
	if err != nil {
		return nil, err
	}
	return answer(wire.NewReceipt(receipt)), nil
}

// changeable finds a card that can be changed by whoever asks; what cannot be done is refused before it is written down.
func (a *API) changeable(ctx context.Context, c *call, id wire.CardID) (record.Card, error) {
	card, err := a.cardFor(ctx, c, id)
	if err != nil {
		return card, err
	}
	_, err = a.Lifecycle.Check(ctx, id)
	return card, err
}

type associationInput struct {
	CardPath
	Body wire.Association
}

// associateCard names the device of a card.
func (a *API) associateCard(ctx context.Context, c *call, in *associationInput) (*body[wire.Receipt], error) {
	card, err := a.changeable(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	if err := c.act(ctx, card.Issuer, in.ID.String(), in.Body.Device); err != nil {
		return nil, err
	}
	receipt, err := a.Lifecycle.Associate(ctx, in.ID, in.Body.Device, c.actor.ID)
	if errors.Is(err, lifecycle.ErrBadText) {
		return nil, invalid("body.device", "not one line of at most 200 characters")
	}
	if err != nil {
		return nil, err
	}
	return answer(wire.NewReceipt(receipt)), nil
}

// statusListFile serves an issuer's status list.
func (a *API) statusListFile(ctx context.Context, _ *call, in *IssuerPath) (*fileOutput, error) {
	list, err := a.Lifecycle.StatusList(ctx, in.Issuer)
	if errors.Is(err, secrets.ErrElsewhere) {
		return nil, &fault{code: wire.CodeNotFound, detail: "the issuer's list is signed by another service"}
	}
	if err != nil {
		return nil, err
	}
	return &fileOutput{ContentType: lifecycle.MediaStatusList, Body: list}, nil
}
