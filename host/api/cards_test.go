package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

func TestCardInfoIsProved(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.RecordTaps)
	tapped := decode[wire.Tap](t, w.ask(http.MethodPost, "/v1/taps", key, update(w.bell.card.Tap())), http.StatusOK)
	v := decode[wire.CardInfo](t, w.ask(http.MethodGet, ofCard("")(w), "", nil), http.StatusOK)
	assert.Equal(t, "active", v.Status.State)
	assert.Equal(t, base+"/v1/issuers/"+w.bell.id.String()+"/status-list", v.Status.List)
	assert.Equal(t, tapped.Counter, v.Last)
	assert.Equal(t, tapped.When, v.Counted)
	assert.Equal(t, "pidc1:"+v.Taps.String(), v.Capability)
	assert.False(t, v.Test)
	evidence, err := v.Proof.Ledger()
	require.NoError(t, err)
	receipt, err := evidence.Verify(w.policy)
	require.NoError(t, err)
	assert.Equal(t, v.Head.Hash, receipt.Hash)
	var head channel.SignedHead
	require.NoError(t, json.Unmarshal(v.Proof.Head, &head))
	require.NoError(t, head.Verify())
	assert.Equal(t, v.Taps, head.Channel)
	assert.Equal(t, receipt.Number, head.Number)

	card, err := v.Record()
	require.NoError(t, err)
	assert.Equal(t, w.bell.card.ID(), card.Key.ID(), "whoever asks can check the id")
	test := decode[wire.CardInfo](t, w.ask(http.MethodGet, "/v1/cards/"+w.sandbox.card.ID().String(), "", nil), http.StatusOK)
	assert.True(t, test.Test)
}

func TestCardsAreListedPageByPage(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"b", "c", "d", "e"} {
		w.addCard(w.bell, name)
	}
	key := w.key(w.bell, identity.ReadCards)
	all := decode[wire.Cards](t, w.ask(http.MethodGet, "/v1/cards", key, nil), http.StatusOK)
	require.Len(t, all.Items, 5)
	assert.Empty(t, all.Next)
	var paged []wire.Card
	for cursor := ""; ; {
		path := "/v1/cards?limit=2"
		if cursor != "" {
			path += "&cursor=" + cursor
		}
		page := decode[wire.Cards](t, w.ask(http.MethodGet, path, key, nil), http.StatusOK)
		paged = append(paged, page.Items...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	assert.Equal(t, all.Items, paged)
	one := decode[wire.Cards](t, w.ask(http.MethodGet, "/v1/cards?q="+w.bell.card.ID().String(), key, nil), http.StatusOK)
	require.Len(t, one.Items, 1)
	none := w.ask(http.MethodGet, "/v1/cards?q=nothing", key, nil)
	assert.JSONEq(t, `{"items":[]}`, none.Body.String())
	for _, c := range all.Items {
		assert.Equal(t, w.bell.id, c.Issuer, "nobody else's")
	}
}

// TestPersonOfTwoIssuersListsTheCardsOfBoth in one order.
func TestPersonOfTwoIssuersListsTheCardsOfBoth(t *testing.T) {
	w := newWorld(t)
	w.people = map[string]identity.Actor{"both": identity.NewActor(identity.Human, "p1", "", map[channel.ID][]identity.Scope{
		w.bell.id: {identity.ReadCards}, w.other.id: {identity.ReadCards}, w.sandbox.id: {identity.RecordTaps},
	})}
	list := decode[wire.Cards](t, w.ask(http.MethodGet, "/v1/cards", "", nil, "Test-Session", "both"), http.StatusOK)
	var ids []tap.CardID
	for _, c := range list.Items {
		ids = append(ids, c.ID)
	}
	assert.ElementsMatch(t, []tap.CardID{w.bell.card.ID(), w.other.card.ID()}, ids)
	assert.Less(t, string(ids[0][:]), string(ids[1][:]))
}

func TestRecordedTapsAreListedNewestFirst(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.RecordTaps, identity.ReadCards)
	for i := range 5 {
		order := update(w.bell.card.Tap())
		order.Payload, _ = json.Marshal(i)
		require.Equal(t, http.StatusOK, w.ask(http.MethodPost, "/v1/taps", key, order).Code)
	}
	page := decode[wire.TapRecords](t, w.ask(http.MethodGet, ofCard("/taps?limit=3")(w), key, nil), http.StatusOK)
	require.Len(t, page.Items, 3)
	assert.JSONEq(t, "4", string(page.Items[0].Payload))
	rest := decode[wire.TapRecords](t, w.ask(http.MethodGet, ofCard("/taps?limit=3&cursor=")(w)+page.Next, key, nil), http.StatusOK)
	require.Len(t, rest.Items, 2, "the third message puts the card in service")
	assert.JSONEq(t, "1", string(rest.Items[0].Payload))
	assert.Empty(t, rest.Next)
}

func TestFormIsAskedForAndItsAnswersAreRecorded(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.RecordTaps, identity.WriteCards)
	form := []wire.FormField{
		{Name: "temperature", Label: map[string]string{"en": "Temperature", "it": "Temperatura"}, Type: "number", Required: true},
		{Name: "note", Label: map[string]string{"und": "Note"}, Type: "text"},
	}
	set := decode[wire.CurrentSettings](t, w.ask(http.MethodPut, ofCard("/settings")(w), key, wire.Settings{Form: form}), http.StatusOK)
	assert.Equal(t, form, set.Form)
	info := decode[wire.CardInfo](t, w.ask(http.MethodGet, ofCard("")(w), "", nil), http.StatusOK)
	assert.Equal(t, form, info.Form)

	order := update(w.bell.card.Tap())
	assert.Equal(t, "form", decode[wire.Tap](t, w.ask(http.MethodPost, "/v1/taps", "", look(order.URL)), http.StatusOK).Asks)
	p := refused(t, w.ask(http.MethodPost, "/v1/taps", key, order), http.StatusUnprocessableEntity, "payload_rejected")
	assert.Equal(t, []wire.Field{{Location: "body.payload.temperature", Message: "required"}}, p.Errors)
	order.Payload = json.RawMessage(`{"temperature":"warm"}`)
	p = refused(t, w.ask(http.MethodPost, "/v1/taps", key, order), http.StatusUnprocessableEntity, "payload_rejected")
	assert.Equal(t, "body.payload.temperature", p.Errors[0].Location)
	order.Payload = json.RawMessage(`{"temperature":-18.5}`)
	assert.Equal(t, "recorded", decode[wire.Tap](t, w.ask(http.MethodPost, "/v1/taps", key, order), http.StatusOK).Code)
}

func TestSettingsThatNoCardHasAreRefused(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.WriteCards, identity.ReadAudit)
	for _, s := range []wire.Settings{
		{ProductURL: "http://shop.example/"}, {ProductURL: "javascript:alert(1)"}, {ProductURL: "https://user@shop.example/"}, {ProductURL: "/watch"},
		{Form: []wire.FormField{{Name: "a", Label: map[string]string{"en": "A"}, Type: "choice"}}},
		{Form: []wire.FormField{{Name: "a", Label: map[string]string{"en": "A"}, Type: "text"}, {Name: "a", Label: map[string]string{"en": "A"}, Type: "text"}}},
	} {
		refused(t, w.ask(http.MethodPut, ofCard("/settings")(w), key, s), http.StatusUnprocessableEntity, "invalid_request")
	}
	require.NoError(t, w.products.PutFace(t.Context(), product.Face{Issuer: w.bell.id, Hosts: []string{"shop.example"}}))
	refused(t, w.ask(http.MethodPut, ofCard("/settings")(w), key, wire.Settings{ProductURL: "https://evil.example/"}), http.StatusUnprocessableEntity, "invalid_request")
	assert.Empty(t, decode[wire.Acts](t, w.ask(http.MethodGet, ofIssuer("/audit")(w), key, nil), http.StatusOK).Items, "nothing was about to be done")
	assert.Equal(t, http.StatusOK, w.ask(http.MethodPut, ofCard("/settings")(w), key, wire.Settings{ProductURL: "https://shop.example/watch"}).Code)
}

func TestRevokedCardIsRefusedForGood(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.Scopes()...)
	hook := decode[wire.NewWebhook](t, w.ask(http.MethodPost, ofIssuer("/webhooks")(w), key, wire.WebhookRequest{URL: "https://shop.example/hook", Events: []string{notify.CardRevoked}}), http.StatusCreated)
	assert.True(t, strings.HasPrefix(hook.Secret, "whsec_"))
	device := w.ask(http.MethodPut, ofCard("/device")(w), key, wire.Association{Device: "pump-17"})
	require.Equal(t, http.StatusOK, device.Code, device.Body.String())
	info := decode[wire.CardInfo](t, w.ask(http.MethodGet, ofCard("")(w), key, nil), http.StatusOK)
	assert.Equal(t, "pump-17", info.Restricted.Device)

	receipt := decode[wire.Receipt](t, w.ask(http.MethodPost, ofCard("/revocation")(w), key, wire.Revocation{Reason: "reported stolen"}), http.StatusOK)
	assert.Equal(t, "final", receipt.Phase)
	refused(t, w.ask(http.MethodPost, "/v1/taps", "", look(w.bell.card.Tap())), http.StatusGone, "revoked")
	refused(t, w.ask(http.MethodPost, ofCard("/revocation")(w), key, wire.Revocation{Reason: "again"}), http.StatusGone, "revoked")
	info = decode[wire.CardInfo](t, w.ask(http.MethodGet, ofCard("")(w), "", nil), http.StatusOK)
	assert.Equal(t, "revoked", info.Status.State)
	assert.Equal(t, "reported stolen", info.Reason)
	require.NotNil(t, info.Revoked)

	list := w.ask(http.MethodGet, ofIssuer("/status-list")(w), "", nil)
	require.Equal(t, http.StatusOK, list.Code)
	assert.Equal(t, "application/vc+jwt", list.Header().Get("Content-Type"))
	assert.Equal(t, 2, strings.Count(list.Body.String(), "."), "a JWT")

	sent := decode[wire.Deliveries](t, w.ask(http.MethodGet, ofIssuer("/deliveries")(w), key, nil), http.StatusOK)
	require.Len(t, sent.Items, 1)
	assert.Equal(t, "card.revoked", sent.Items[0].Kind)
	assert.JSONEq(t, `{"card":"`+w.bell.card.ID().String()+`","reason":"reported stolen"}`, string(sent.Items[0].Data))
	var acts []string
	for _, a := range decode[wire.Acts](t, w.ask(http.MethodGet, ofIssuer("/audit")(w), key, nil), http.StatusOK).Items {
		acts = append(acts, a.Act)
	}
	assert.Equal(t, []string{"card.revoked", "card.associated", "webhook.added"}, acts)
}

func TestAlarmsAreListedAndSettled(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.RecordTaps, identity.ReadAlarms, identity.SettleAlarms)
	w.bell.card.Counter += 50 // somebody read the card and recorded nothing
	require.Equal(t, http.StatusOK, w.ask(http.MethodPost, "/v1/taps", key, update(w.bell.card.Tap())).Code)
	list := decode[wire.Alarms](t, w.ask(http.MethodGet, ofIssuer("/alarms?open=true")(w), key, nil), http.StatusOK)
	require.Len(t, list.Items, 1)
	assert.Equal(t, "gap", list.Items[0].Kind)
	assert.Equal(t, w.bell.card.ID(), list.Items[0].Card)
	settle := ofIssuer("/alarms/" + list.Items[0].ID + "/settled")(w)
	stranger := w.key(w.other, identity.Scopes()...)
	refused(t, w.ask(http.MethodPut, "/v1/issuers/"+w.other.id.String()+"/alarms/"+list.Items[0].ID+"/settled", stranger, nil), http.StatusNotFound, "not_found")
	for range 2 {
		assert.Equal(t, http.StatusNoContent, w.ask(http.MethodPut, settle, key, nil).Code)
	}
	assert.Empty(t, decode[wire.Alarms](t, w.ask(http.MethodGet, ofIssuer("/alarms?open=true")(w), key, nil), http.StatusOK).Items)
	refused(t, w.ask(http.MethodPut, ofIssuer("/alarms/99/settled")(w), key, nil), http.StatusNotFound, "not_found")
}

func TestChannelsAreReadWithProofs(t *testing.T) {
	w := newWorld(t)
	page := decode[wire.Messages](t, w.ask(http.MethodGet, "/v1/channels/"+w.bell.id.String()+"?limit=1", "", nil), http.StatusOK)
	require.Len(t, page.Items, 1)
	require.NotNil(t, page.Next)
	assert.EqualValues(t, 1, *page.Next)
	r, err := record.Parse(page.Items[0].Body)
	require.NoError(t, err)
	assert.Equal(t, record.KindIssuerOpened, r.Kind)
	evidence, err := page.Items[0].Evidence.Ledger()
	require.NoError(t, err)
	_, err = evidence.Verify(w.policy)
	require.NoError(t, err)
	rest := decode[wire.Messages](t, w.ask(http.MethodGet, "/v1/channels/"+w.bell.id.String()+"?from=1", "", nil), http.StatusOK)
	require.Len(t, rest.Items, 1)
	assert.Nil(t, rest.Next)
	log := decode[wire.Log](t, w.ask(http.MethodGet, "/v1/log", "", nil), http.StatusOK)
	assert.Equal(t, origin, log.Origin)
	assert.NotEmpty(t, log.VerifierKey)
}
