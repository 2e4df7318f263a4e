package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
