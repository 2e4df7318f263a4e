package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/notify"
)

func (a *API) registerWebhooks(h huma.API) {
	handle(a, h, operation{
		id: "listWebhooks", method: http.MethodGet, path: "/v1/issuers/{issuer}/webhooks", tag: "office", scope: identity.ManageWebhooks,
		summary: "List where an issuer's events are sent",
	}, a.listWebhooks)
	handle(a, h, operation{
		id: "addWebhook", method: http.MethodPost, path: "/v1/issuers/{issuer}/webhooks", tag: "office", scope: identity.ManageWebhooks, act: "webhook.added", status: http.StatusCreated,
		summary: "Have events sent to an address", text: "Each delivery is signed with the secret, which is shown once, and repeated for up to three days until the address takes it.",
		refusals: []int{409},
	}, a.addWebhook)
	handle(a, h, operation{
		id: "removeWebhook", method: http.MethodDelete, path: "/v1/issuers/{issuer}/webhooks/{webhook}", tag: "office", scope: identity.ManageWebhooks, act: "webhook.removed", status: http.StatusNoContent,
		summary: "Send nothing more to an address",
	}, a.removeWebhook)
	handle(a, h, operation{
		id: "testWebhook", method: http.MethodPost, path: "/v1/issuers/{issuer}/webhooks/{webhook}/test", tag: "office", scope: identity.ManageWebhooks, act: "webhook.tested",
		summary: "Send an event of the kind test now, once", text: "That the address did not take it is no problem, but in the answer.",
	}, a.testWebhook)
	handle(a, h, operation{
		id: "listDeliveries", method: http.MethodGet, path: "/v1/issuers/{issuer}/deliveries", tag: "office", scope: identity.ManageWebhooks,
		summary: "List an issuer's newest deliveries, the newest first",
	}, a.listDeliveries)
}

// listWebhooks lists an issuer's addresses.
func (a *API) listWebhooks(ctx context.Context, c *call, in *IssuerPath) (*body[wire.Webhooks], error) {
	if err := c.may(in.Issuer); err != nil {
		return nil, err
	}
	all, err := a.Webhooks.Endpoints(ctx, in.Issuer)
	if err != nil {
		return nil, err
	}
	list := wire.Webhooks{Items: []wire.Webhook{}}
	for _, e := range all {
		list.Items = append(list.Items, webhookOf(e))
	}
	return answer(list), nil
}

func webhookOf(e notify.Endpoint) wire.Webhook {
	return wire.Webhook{ID: e.ID, URL: e.URL, Events: e.Kinds, Created: e.Created, Failures: e.Failures}
}

type webhookInput struct {
	IssuerPath
	Body wire.WebhookRequest
}

// addWebhook adds an address.
func (a *API) addWebhook(ctx context.Context, c *call, in *webhookInput) (*body[wire.NewWebhook], error) {
	if err := c.act(ctx, in.Issuer, "", hostOf(in.Body.URL)+": "+strings.Join(in.Body.Events, " ")); err != nil {
		return nil, err
	}
	e, secret, err := a.Webhooks.AddEndpoint(ctx, in.Issuer, in.Body.URL, in.Body.Events)
	if errors.Is(err, notify.ErrBadEndpoint) {
		return nil, invalid("body.url", "not an https address on the public internet, without user name and fragment")
	}
	if err != nil {
		return nil, err
	}
	return answer(wire.NewWebhook{Webhook: webhookOf(e), Secret: string(secret)}), nil
}

// hostOf is what the audit log says of an address: its path may hold a secret of whoever receives there.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || len(u.Host) > 255 {
		return "no address"
	}
	return u.Host
}

// WebhookPath names a webhook in a path.
type WebhookPath struct {
	IssuerPath
	Webhook string `path:"webhook" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"The webhook's id."`
}

// removeWebhook ends an address.
func (a *API) removeWebhook(ctx context.Context, c *call, in *WebhookPath) (*struct{}, error) {
	if err := c.act(ctx, in.Issuer, in.Webhook, ""); err != nil {
		return nil, err
	}
	return nil, a.Webhooks.RemoveEndpoint(ctx, in.Issuer, in.Webhook)
}

// testWebhook tries an address.
func (a *API) testWebhook(ctx context.Context, c *call, in *WebhookPath) (*body[wire.Delivery], error) {
	if err := c.act(ctx, in.Issuer, in.Webhook, ""); err != nil {
		return nil, err
	}
	d, err := a.Webhooks.TestEndpoint(ctx, in.Issuer, in.Webhook)
	if err != nil {
		return nil, err
	}
	return answer(deliveryOf(d)), nil
}

type deliveriesInput struct {
	IssuerPath
	Limit int `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many at most."`
}

// listDeliveries lists what was sent, or is to be.
func (a *API) listDeliveries(ctx context.Context, c *call, in *deliveriesInput) (*body[wire.Deliveries], error) {
	if err := c.may(in.Issuer); err != nil {
		return nil, err
	}
	all, err := a.Webhooks.Deliveries(ctx, in.Issuer, in.Limit)
	if err != nil {
		return nil, err
	}
	list := wire.Deliveries{Items: []wire.Delivery{}}
	for _, d := range all {
		list.Items = append(list.Items, deliveryOf(d))
	}
	return answer(list), nil
}

func deliveryOf(d notify.Delivery) wire.Delivery {
	return wire.Delivery{
		Webhook: d.Target, Event: d.Event.ID, Kind: d.Event.Kind, Time: d.Event.Time, Data: d.Event.Data,
		State: string(d.State), Attempts: d.Attempts, Next: moment(d.Next), Done: moment(d.Done), Error: d.Error,
	}
}
