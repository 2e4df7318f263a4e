package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/api/client"
	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/identity"
)

// TestWebShopIsBuiltWithoutACard: everything that a real card needs, with a test key and a card in software.
func TestWebShopIsBuiltWithoutACard(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.sandbox, identity.UseSandbox, identity.RecordTaps, identity.ReadCards)
	card := decode[wire.SandboxCard](t, w.ask(http.MethodPost, "/v1/sandbox/cards", key, wire.SandboxCardRequest{Name: "test watch"}), http.StatusCreated)
	fresh := func() string {
		return decode[wire.SandboxTap](t, w.ask(http.MethodPost, "/v1/sandbox/cards/"+card.ID.String()+"/taps", key, nil), http.StatusOK).URL
	}
	url := fresh()
	v := decode[wire.Tap](t, w.ask(http.MethodPost, "/v1/taps", key, update(url)), http.StatusOK)
	assert.True(t, v.Test)
	assert.Equal(t, card.ID, *v.ID)
	refused(t, w.ask(http.MethodPost, "/v1/taps", key, update(url)), http.StatusConflict, "already_used")
	assert.True(t, decode[wire.Tap](t, w.ask(http.MethodPost, "/v1/taps", "", look(fresh())), http.StatusOK).Test)
	list := decode[wire.SandboxCards](t, w.ask(http.MethodGet, "/v1/sandbox/cards", key, nil), http.StatusOK)
	require.Len(t, list.Items, 1)
	assert.Equal(t, "test watch", list.Items[0].Name)
	refused(t, w.ask(http.MethodPost, "/v1/sandbox/cards/"+w.bell.card.ID().String()+"/taps", key, nil), http.StatusNotFound, "unknown_card")
	for _, name := range []string{"", "two\nlines"} {
		refused(t, w.ask(http.MethodPost, "/v1/sandbox/cards", key, wire.SandboxCardRequest{Name: name}), http.StatusUnprocessableEntity, "invalid_request")
	}
}

// TestTestKeyDoesNothingToACardOfSomebody: whoever builds on the sandbox cannot use up a real tap by mistake.
func TestTestKeyDoesNothingToACardOfSomebody(t *testing.T) {
	w := newWorld(t)
	test := w.key(w.sandbox, identity.Scopes()...)
	url := w.bell.card.Tap()
	refused(t, w.ask(http.MethodPost, "/v1/taps", test, update(url)), http.StatusForbidden, "forbidden")
	assert.Equal(t, "valid", decode[wire.Tap](t, w.ask(http.MethodPost, "/v1/taps", test, look(url)), http.StatusOK).Code)
	live := w.key(w.bell, identity.Scopes()...)
	refused(t, w.ask(http.MethodPost, "/v1/taps", live, update(w.sandbox.card.Tap())), http.StatusForbidden, "forbidden")
}

// TestClientAndServiceSpeakOneLanguage tells the same story by the typed client, against a server.
func TestClientAndServiceSpeakOneLanguage(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	c, err := client.New(client.Options{Server: server.URL, Key: client.Key(w.key(w.sandbox, identity.Scopes()...))})
	require.NoError(t, err)
	ctx := t.Context()
	card, err := c.CreateSandboxCard(ctx, "test watch")
	require.NoError(t, err)
	url, err := c.TapSandboxCard(ctx, card.ID)
	require.NoError(t, err)
	checked, err := c.ValidateTap(ctx, url.URL)
	require.NoError(t, err)
	assert.Equal(t, "valid", checked.Code)
	set, err := c.PutSettings(ctx, card.ID, wire.Settings{ProductURL: "https://shop.example/watch"})
	require.NoError(t, err)
	again, err := c.Settings(ctx, card.ID)
	require.NoError(t, err)
	assert.Equal(t, set, again)
	recorded, err := c.UpdateTap(ctx, wire.TapRequest{URL: url.URL}, retryKey)
	require.NoError(t, err)
	_, token, found := strings.Cut(recorded.Redirect, "productid=")
	require.True(t, found)
	claims, err := c.VerifyRedirect(ctx, token, "https://shop.example")
	require.NoError(t, err)
	assert.Equal(t, card.ID, claims.Card)
	_, err = c.Associate(ctx, card.ID, "pump-17")
	require.NoError(t, err)
	info, err := c.CardInfo(ctx, card.ID)
	require.NoError(t, err)
	assert.Equal(t, "pump-17", info.Restricted.Device)
	taps, err := c.CardTaps(ctx, card.ID, "")
	require.NoError(t, err)
	assert.Len(t, taps.Items, 1)
	cards, err := c.Cards(ctx, client.CardSearch{Issuer: w.sandbox.id, Query: card.ID.String(), State: "in_service", Limit: 2})
	require.NoError(t, err)
	require.Len(t, cards.Items, 1)
	messages, err := c.Messages(ctx, info.Taps, 1)
	require.NoError(t, err)
	assert.NotEmpty(t, messages.Items)
	issuers, err := c.Issuers(ctx)
	require.NoError(t, err)
	assert.Len(t, issuers.Items, 3)
	log, err := c.Log(ctx)
	require.NoError(t, err)
	assert.Equal(t, origin, log.Origin)
	data, err := c.Bundle(ctx, card.ID)
	require.NoError(t, err)
	assert.JSONEq(t, "{}", string(data))
	_, err = c.Revoke(ctx, card.ID, "lost")
	require.NoError(t, err)
	_, err = c.ValidateTap(ctx, url.URL)
	var p *client.Problem
	require.ErrorAs(t, err, &p)
	assert.Equal(t, "revoked", p.Code)
}
