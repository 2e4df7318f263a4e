package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
)

func (a *API) registerSettings(h huma.API) {
	handle(a, h, operation{
		id: "getCardSettings", method: http.MethodGet, path: "/v1/cards/{id}/settings", tag: "cards", scope: identity.ReadCards,
		summary: "What a card is set to", refusals: []int{409},
	}, a.getSettings)
	handle(a, h, operation{
		id: "putCardSettings", method: http.MethodPut, path: "/v1/cards/{id}/settings", tag: "cards", scope: identity.WriteCards, act: "card.settings",
		summary:  "Set a card",
		text:     "Sets the card as a whole: what is left out is not set. It is in force when the answer comes.",
		refusals: []int{409},
	}, a.putSettings)
}

// getSettings tells what is in force.
func (a *API) getSettings(ctx context.Context, c *call, in *CardPath) (*body[wire.CurrentSettings], error) {
	if _, err := a.cardFor(ctx, c, in.ID); err != nil {
		return nil, err
	}
	current, err := a.Settings.Current(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(currentSettings(current)), nil
}

type settingsInput struct {
	CardPath
	Body wire.Settings
}

// putSettings puts other settings in force.
func (a *API) putSettings(ctx context.Context, c *call, in *settingsInput) (*body[wire.CurrentSettings], error) {
	card, err := a.cardFor(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	wanted := in.Body.Record()
	if _, err := wanted.Encode(); err != nil {
		return nil, invalid("body", strings.TrimPrefix(err.Error(), record.ErrMalformed.Error()+": "))
	}
	if err := c.may(card.Issuer); err != nil {
		return nil, err
	}
	face, err := a.Faces.Face(ctx, card.Issuer)
	if err != nil {
		return nil, err
	}
	if wanted.ProductURL != "" && !face.Allows(wanted.ProductURL) {
		return nil, invalid("body.productUrl", "not on one of the hosts that the issuer names for its products' pages")
	}
	if err := c.act(ctx, card.Issuer, in.ID.String(), ""); err != nil {
		return nil, err
	}
	current, err := a.Settings.Put(ctx, in.ID, wanted)
	if err != nil {
		return nil, err
	}
	return answer(currentSettings(current)), nil
}

func currentSettings(c settings.Current) wire.CurrentSettings {
	v := wire.CurrentSettings{Settings: wire.Settings{ProductURL: c.ProductURL, LoginRequired: c.LoginRequired, Form: wire.NewForm(c.Form)}, Number: c.Number}
	if c.Hash != (channel.Hash{}) {
		v.Hash = &c.Hash
	}
	return v
}
