package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/pkg/bundle"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// CardInfo is getCardInfo: what the ledger says of a card, and what it is set to for whoever may see that.
func (c *Client) CardInfo(ctx context.Context, id tap.CardID) (v wire.CardInfo, err error) {
	err = c.get(ctx, &v, nil, "v1", "cards", id.String())
	return v, err
}

// ValidateTap says whether a tap is genuine and unused, and writes nothing. A tap that is not good is a *Problem with the verdict.
func (c *Client) ValidateTap(ctx context.Context, tapURL string) (v wire.Tap, err error) {
	r := request{method: http.MethodPost, path: []string{"v1", "taps"}, body: wire.TapRequest{URL: tapURL, Action: wire.ActionValidate}, again: true}
	err = c.do(ctx, r, &v)
	return v, err
}

// UpdateTap records a tap. A tap that is not good is a *Problem with the verdict. With an idempotency key, at least 22 characters
// that hold 128 random bits, the request is repeated until it is answered; with "" it is sent once.
func (c *Client) UpdateTap(ctx context.Context, t wire.TapRequest, idempotencyKey string) (v wire.Tap, err error) {
	t.Action = wire.ActionUpdate
	r := request{method: http.MethodPost, path: []string{"v1", "taps"}, body: t, key: idempotencyKey, again: idempotencyKey != ""}
	err = c.do(ctx, r, &v)
	return v, err
}

// CardSearch says which cards are wanted; members that are empty want all.
type CardSearch struct {
	Issuer            channel.ID
	Query             string // a card's id, or a GTIN, lot or serial
	GTIN, Lot, Serial string
	State             string
	Cursor            string // Page.Next of the page before
	Limit             int    // at most wire.MaxPage
}

// Cards lists the cards that the key may read, one page of them.
func (c *Client) Cards(ctx context.Context, s CardSearch) (v wire.Cards, err error) {
	q := url.Values{}
	for name, value := range map[string]string{"q": s.Query, "gtin": s.GTIN, "lot": s.Lot, "serial": s.Serial, "state": s.State, "cursor": s.Cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if s.Issuer != (channel.ID{}) {
		q.Set("issuer", s.Issuer.String())
	}
	if s.Limit > 0 {
		q.Set("limit", strconv.Itoa(s.Limit))
	}
	err = c.get(ctx, &v, q, "v1", "cards")
	return v, err
}

// CardTaps lists a card's recorded taps, the newest first, one page of them; cursor is Page.Next of the page before, or "".
func (c *Client) CardTaps(ctx context.Context, id tap.CardID, cursor string) (v wire.TapRecords, err error) {
	q := url.Values{}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	err = c.get(ctx, &v, q, "v1", "cards", id.String(), "taps")
	return v, err
}

// Bundle returns a card's bundle, for package bundle to verify.
func (c *Client) Bundle(ctx context.Context, id tap.CardID) (data []byte, err error) {
	r := request{method: http.MethodGet, path: []string{"v1", "cards", id.String(), "bundle"}, again: true, limit: bundle.MaxSize}
	err = c.do(ctx, r, &data)
	return data, err
}

// Settings returns what a card is set to.
func (c *Client) Settings(ctx context.Context, id tap.CardID) (v wire.CurrentSettings, err error) {
	err = c.get(ctx, &v, nil, "v1", "cards", id.String(), "settings")
	return v, err
}

// PutSettings sets a card as a whole.
func (c *Client) PutSettings(ctx context.Context, id tap.CardID, s wire.Settings) (v wire.CurrentSettings, err error) {
	err = c.do(ctx, request{method: http.MethodPut, path: []string{"v1", "cards", id.String(), "settings"}, body: s}, &v)
	return v, err
}

// Issuers lists all issuers of the service's ledger.
func (c *Client) Issuers(ctx context.Context) (v wire.Issuers, err error) {
	err = c.get(ctx, &v, nil, "v1", "issuers")
	return v, err
}

// Log says which ledger the service writes to.
func (c *Client) Log(ctx context.Context) (v wire.Log, err error) {
	err = c.get(ctx, &v, nil, "v1", "log")
	return v, err
}

// Messages reads a channel from a number on, one page.
func (c *Client) Messages(ctx context.Context, id channel.ID, from uint64) (v wire.Messages, err error) {
	err = c.get(ctx, &v, url.Values{"from": {strconv.FormatUint(from, 10)}}, "v1", "channels", id.String())
	return v, err
}

// VerifyRedirect accepts the token of a visit, once, for the site with this origin.
func (c *Client) VerifyRedirect(ctx context.Context, token, audience string) (v wire.RedirectClaims, err error) {
	r := request{method: http.MethodPost, path: []string{"v1", "redirects", "verify"}, body: wire.RedirectCheck{Token: token, Audience: audience}}
	err = c.do(ctx, r, &v)
	return v, err
}

// Revoke takes a card out of service for good; everybody reads the reason.
func (c *Client) Revoke(ctx context.Context, id tap.CardID, reason string) (v wire.Receipt, err error) {
	err = c.do(ctx, request{method: http.MethodPost, path: []string{"v1", "cards", id.String(), "revocation"}, body: wire.Revocation{Reason: reason}}, &v)
	return v, err
}

// Associate names the device that a card belongs to, or none.
func (c *Client) Associate(ctx context.Context, id tap.CardID, device string) (v wire.Receipt, err error) {
	err = c.do(ctx, request{method: http.MethodPut, path: []string{"v1", "cards", id.String(), "device"}, body: wire.Association{Device: device}}, &v)
	return v, err
}

// CreateSandboxCard makes a test card, which proves nothing.
func (c *Client) CreateSandboxCard(ctx context.Context, name string) (v wire.SandboxCard, err error) {
	err = c.do(ctx, request{method: http.MethodPost, path: []string{"v1", "sandbox", "cards"}, body: wire.SandboxCardRequest{Name: name}}, &v)
	return v, err
}

// TapSandboxCard counts a test card up and returns the URL that a phone would read.
func (c *Client) TapSandboxCard(ctx context.Context, id tap.CardID) (v wire.SandboxTap, err error) {
	err = c.do(ctx, request{method: http.MethodPost, path: []string{"v1", "sandbox", "cards", id.String(), "taps"}}, &v)
	return v, err
}

// get reads something.
func (c *Client) get(ctx context.Context, v any, query url.Values, path ...string) error {
	return c.do(ctx, request{method: http.MethodGet, path: path, query: query, again: true}, v)
}
