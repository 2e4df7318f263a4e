package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// attempt is a good request for something of the issuer bell.
type attempt struct {
	scope  identity.Scope // without it the request is refused; empty where everybody may
	method string
	path   func(*world) string
	body   func(*world) any
	shared bool // the scope is enough for any issuer
}

func path(p string) func(*world) string { return func(*world) string { return p } }

// ofCard is a path below bell's card, ofIssuer one below bell.
func ofCard(rest string) func(*world) string {
	return func(w *world) string { return "/v1/cards/" + w.bell.card.ID().String() + rest }
}

func ofIssuer(rest string) func(*world) string {
	return func(w *world) string { return "/v1/issuers/" + w.bell.id.String() + rest }
}

func body(v any) func(*world) any { return func(*world) any { return v } }

// attempts has one request for each operation that the API has, by its id. An operation that is missing here fails the test.
func attempts() map[string]attempt {
	return map[string]attempt{
		"getCardInfo":       {"", http.MethodGet, ofCard(""), nil, false},
		"listCards":         {identity.ReadCards, http.MethodGet, func(w *world) string { return "/v1/cards?issuer=" + w.bell.id.String() }, nil, false},
		"listCardTaps":      {identity.ReadCards, http.MethodGet, ofCard("/taps"), nil, false},
		"getCardBundle":     {"", http.MethodGet, ofCard("/bundle"), nil, false},
		"getCardSettings":   {identity.ReadCards, http.MethodGet, ofCard("/settings"), nil, false},
		"putCardSettings":   {identity.WriteCards, http.MethodPut, ofCard("/settings"), body(wire.Settings{ProductURL: "https://shop.example/"}), false},
		"tapAction":         {identity.RecordTaps, http.MethodPost, path("/v1/taps"), func(w *world) any { return update(w.bell.card.Tap()) }, false},
		"verifyRedirect":    {"", http.MethodPost, path("/v1/redirects/verify"), body(wire.RedirectCheck{Token: "x", Audience: "https://shop.example"}), false},
		"listIssuers":       {"", http.MethodGet, path("/v1/issuers"), nil, false},
		"getIssuer":         {"", http.MethodGet, ofIssuer(""), nil, false},
		"getLog":            {"", http.MethodGet, path("/v1/log"), nil, false},
		"getChannel":        {"", http.MethodGet, func(w *world) string { return "/v1/channels/" + w.bell.id.String() }, nil, false},
		"listKeys":          {identity.ManageKeys, http.MethodGet, ofIssuer("/keys"), nil, false},
		"createKey":         {identity.ManageKeys, http.MethodPost, ofIssuer("/keys"), body(wire.KeyRequest{Name: "till", Scopes: []string{"keys:manage"}}), false},
		"revokeKey":         {identity.ManageKeys, http.MethodDelete, ofIssuer("/keys/nosuchkey"), nil, false},
		"listAlarms":        {identity.ReadAlarms, http.MethodGet, ofIssuer("/alarms"), nil, false},
		"settleAlarm":       {identity.SettleAlarms, http.MethodPut, ofIssuer("/alarms/1/settled"), nil, false},
		"listReports":       {identity.ReadAlarms, http.MethodGet, ofIssuer("/reports"), nil, false},
		"settleReport":      {identity.SettleAlarms, http.MethodPut, ofIssuer("/reports/1/settled"), nil, false},
		"listWebhooks":      {identity.ManageWebhooks, http.MethodGet, ofIssuer("/webhooks"), nil, false},
		"addWebhook":        {identity.ManageWebhooks, http.MethodPost, ofIssuer("/webhooks"), body(wire.WebhookRequest{URL: "https://shop.example/hook"}), false},
		"removeWebhook":     {identity.ManageWebhooks, http.MethodDelete, ofIssuer("/webhooks/nosuch"), nil, false},
		"testWebhook":       {identity.ManageWebhooks, http.MethodPost, ofIssuer("/webhooks/nosuch/test"), nil, false},
		"listDeliveries":    {identity.ManageWebhooks, http.MethodGet, ofIssuer("/deliveries"), nil, false},
		"revokeCard":        {identity.WriteCards, http.MethodPost, ofCard("/revocation"), body(wire.Revocation{Reason: "stolen"}), false},
		"associateCard":     {identity.WriteCards, http.MethodPut, ofCard("/device"), body(wire.Association{Device: "pump-17"}), false},
		"getStatusList":     {"", http.MethodGet, ofIssuer("/status-list"), nil, false},
		"listSandboxCards":  {scope: identity.UseSandbox, method: http.MethodGet, path: path("/v1/sandbox/cards"), shared: true},
		"createSandboxCard": {identity.UseSandbox, http.MethodPost, path("/v1/sandbox/cards"), body(wire.SandboxCardRequest{Name: "test"}), true},
		"tapSandboxCard":    {scope: identity.UseSandbox, method: http.MethodPost, path: path("/v1/sandbox/cards/AAAAAAAAAAAAAAAA/taps"), shared: true},
		"listActs":          {identity.ReadAudit, http.MethodGet, ofIssuer("/audit"), nil, false},
	}
}

// operationIDs reads the ids of all operations out of the document.
func operationIDs(t *testing.T, document []byte) (ids []string) {
	var d struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	require.NoError(t, json.Unmarshal(document, &d))
	for _, p := range d.Paths {
		for _, op := range p {
			ids = append(ids, op.OperationID)
		}
	}
	return ids
}

// TestAuthorisation holds every operation against everybody who must not do it, and one who may.
func TestAuthorisation(t *testing.T) {
	w := newWorld(t)
	table := attempts()
	ids := operationIDs(t, w.api.OpenAPI())
	for _, id := range ids {
		assert.Contains(t, table, id, "the operation has no row in this test")
	}
	for id := range table {
		assert.Contains(t, ids, id, "there is no such operation")
	}
	everything := identity.Scopes()
	expired, revoked := w.outdated()
	foreign, test := w.key(w.other, everything...), w.key(w.sandbox, everything...)
	w.people = map[string]identity.Actor{
		"no role": identity.NewActor(identity.Human, "p1", "", nil),
		"foreign": identity.NewActor(identity.Human, "p2", "", map[channel.ID][]identity.Scope{w.other.id: everything}),
		"owner":   identity.NewActor(identity.Human, "p3", "", map[channel.ID][]identity.Scope{w.bell.id: everything}),
	}
	for _, id := range slices.Sorted(slices.Values(ids)) {
		t.Run(id, func(t *testing.T) {
			row := table[id]
			ask := func(key, session string) *httptest.ResponseRecorder {
				var order any
				if row.body != nil {
					order = row.body(w)
				}
				return w.ask(row.method, row.path(w), key, order, "Test-Session", session)
			}
			refused(t, ask("pid_live_nosuchkey_x", ""), http.StatusUnauthorized, "invalid_key")
			refused(t, ask(expired, ""), http.StatusUnauthorized, "expired_key")
			refused(t, ask(revoked, "owner"), http.StatusUnauthorized, "revoked_key") // a key decides alone
			if row.scope == "" {
				for _, key := range []string{"", foreign, test} {
					assertAllowed(t, ask(key, ""))
				}
				assertAllowed(t, ask("", "no role"))
				return
			}
			nobody := ask("", "")
			refused(t, nobody, http.StatusUnauthorized, "unauthenticated")
			assert.Equal(t, `Bearer realm="productid"`, nobody.Header().Get("WWW-Authenticate"))
			outsiders, people := []string{foreign, test}, []string{"no role", "foreign"}
			if row.shared {
				assertAllowed(t, ask(foreign, ""))
				assertAllowed(t, ask(test, ""))
				outsiders, people = nil, people[:1]
			}
			almost := slices.DeleteFunc(identity.Scopes(), func(s identity.Scope) bool { return s == row.scope })
			for _, key := range append(outsiders, w.key(w.bell, almost...)) {
				refused(t, ask(key, ""), http.StatusForbidden, "forbidden")
			}
			for _, session := range people {
				refused(t, ask("", session), http.StatusForbidden, "forbidden")
			}
			assertAllowed(t, ask(w.key(w.bell, row.scope), ""))
			assertAllowed(t, ask("", "owner"))
		})
	}
}

func assertAllowed(t *testing.T, answer *httptest.ResponseRecorder) {
	t.Helper()
	assert.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, answer.Code, answer.Body.String())
	assert.Less(t, answer.Code, http.StatusInternalServerError, answer.Body.String())
}

// outdated makes two keys of bell's with all scopes, of which one has expired and one was revoked.
func (w *world) outdated() (expired, revoked string) {
	w.t.Helper()
	order := identity.KeyOrder{Issuer: w.bell.id, Name: "test", Scopes: identity.Scopes(), Expires: w.now.Add(time.Hour), By: "somebody"}
	_, short, err := w.identity.CreateKey(w.t.Context(), order)
	require.NoError(w.t, err)
	order.Expires = time.Time{}
	k, taken, err := w.identity.CreateKey(w.t.Context(), order)
	require.NoError(w.t, err)
	require.NoError(w.t, w.identity.RevokeKey(w.t.Context(), w.bell.id, k.ID))
	w.now = w.now.Add(2 * time.Hour)
	return string(short), string(taken)
}

func TestKeyInWrongFormIsNoKey(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.ReadCards)
	for _, header := range []string{"Basic " + key, key, "Bearer", "Bearer  ", "Bearer " + key + "x", "Bearer " + key + ", Bearer " + key} {
		answer := w.ask(http.MethodGet, "/v1/cards", "", nil, "Authorization", header)
		assert.Equal(t, http.StatusUnauthorized, answer.Code, header)
	}
	assert.Equal(t, http.StatusOK, w.ask(http.MethodGet, "/v1/cards", "", nil, "Authorization", "bearer "+key).Code)
}

func TestPublicViewOfACardHoldsNothingThatIsRestricted(t *testing.T) {
	w := newWorld(t)
	reader := w.key(w.bell, identity.WriteCards, identity.ReadCards)
	set := w.ask(http.MethodPut, ofCard("/settings")(w), reader, wire.Settings{ProductURL: "https://shop.example/watch"})
	require.Equal(t, http.StatusOK, set.Code, set.Body.String())
	v := decode[wire.CardInfo](t, w.ask(http.MethodGet, ofCard("")(w), reader, nil), http.StatusOK)
	require.NotNil(t, v.Restricted)
	secret := v.Restricted.Capability
	require.NotEmpty(t, secret)
	assert.Equal(t, "https://shop.example/watch", v.ProductURL)
	for _, key := range []string{"", w.key(w.other, identity.ReadCards), w.key(w.bell, identity.RecordTaps), w.key(w.sandbox, identity.Scopes()...)} {
		answer := w.ask(http.MethodGet, ofCard("")(w), key, nil)
		assert.Nil(t, decode[wire.CardInfo](t, answer, http.StatusOK).Restricted)
		assert.NotContains(t, answer.Body.String(), secret)
	}
}

func TestKeyGivesAwayNoScopeThatItHasNot(t *testing.T) {
	w := newWorld(t)
	manager := w.key(w.bell, identity.ManageKeys, identity.ReadCards)
	order := wire.KeyRequest{Name: "till 4", Scopes: []string{"cards:read", "taps:record"}}
	refused(t, w.ask(http.MethodPost, ofIssuer("/keys")(w), manager, order), http.StatusForbidden, "forbidden")
	order.Scopes = []string{"cards:read"}
	made := decode[wire.NewKey](t, w.ask(http.MethodPost, ofIssuer("/keys")(w), manager, order), http.StatusCreated)
	assert.Equal(t, http.StatusOK, w.ask(http.MethodGet, "/v1/cards", made.Token, nil).Code)
	require.NotNil(t, made.Expires)
	assert.WithinDuration(t, w.now.AddDate(1, 0, 0), *made.Expires, 48*time.Hour)

	assert.Equal(t, http.StatusNoContent, w.ask(http.MethodDelete, ofIssuer("/keys/"+made.ID)(w), manager, nil).Code)
	refused(t, w.ask(http.MethodGet, "/v1/cards", made.Token, nil), http.StatusUnauthorized, "revoked_key")
	list := w.ask(http.MethodGet, ofIssuer("/keys")(w), manager, nil)
	assert.NotContains(t, list.Body.String(), made.Token)
	assert.Len(t, decode[wire.Keys](t, list, http.StatusOK).Items, 2)
}

// TestEveryAdministrativeActIsOnTheLedgerBeforeItIsDone: where it cannot be recorded, nothing is done.
func TestEveryAdministrativeActIsOnTheLedgerBeforeItIsDone(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.Scopes()...)
	size := len(decode[wire.Keys](t, w.ask(http.MethodGet, ofIssuer("/keys")(w), key, nil), http.StatusOK).Items)
	order := wire.KeyRequest{Name: "till", Scopes: []string{"cards:read"}}
	w.ledger.fail(ledger.ErrUnavailable, nil)
	refused(t, w.ask(http.MethodPost, ofIssuer("/keys")(w), key, order), http.StatusServiceUnavailable, "ledger_unavailable")
	w.ledger.fail(nil, nil)
	assert.Len(t, decode[wire.Keys](t, w.ask(http.MethodGet, ofIssuer("/keys")(w), key, nil), http.StatusOK).Items, size)

	require.Equal(t, http.StatusCreated, w.ask(http.MethodPost, ofIssuer("/keys")(w), key, order).Code)
	acts := decode[wire.Acts](t, w.ask(http.MethodGet, ofIssuer("/audit")(w), key, nil), http.StatusOK)
	require.Len(t, acts.Items, 1)
	assert.Equal(t, "key.created", acts.Items[0].Act)
	assert.Equal(t, "till: cards:read", acts.Items[0].Detail)
	_, k, err := w.identity.Authenticate(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, k.ID, acts.Items[0].By)
}

// A key whose expiry no JSON can hold would make the list of all keys unreadable.
func TestKeyThatExpiresBeyondAllYearsIsRefused(t *testing.T) {
	w := newWorld(t)
	key, path := w.key(w.bell, identity.ManageKeys), "/v1/issuers/"+w.bell.id.String()+"/keys"
	order := map[string]any{"name": "for ever", "scopes": []string{"keys:manage"}, "expires": "9999-12-31T23:59:59-01:00"}
	p := refused(t, w.ask(http.MethodPost, path, key, order), http.StatusUnprocessableEntity, wire.CodeInvalidRequest)
	require.Equal(t, "body.expires", p.Errors[0].Location)
	decode[wire.Keys](t, w.ask(http.MethodGet, path, key, nil), http.StatusOK)
}

// TestAPersonMakesKeysSoonAfterSigningIn: whoever got hold of a session makes no key of it that outlives it; a key that may make keys does.
func TestAPersonMakesKeysSoonAfterSigningIn(t *testing.T) {
	w := newWorld(t)
	w.people = map[string]identity.Actor{"owner": identity.NewActor(identity.Human, "p3", "", map[channel.ID][]identity.Scope{w.bell.id: identity.Scopes()})}
	row := attempts()["createKey"]
	ask := func(key string) *httptest.ResponseRecorder {
		return w.ask(row.method, row.path(w), key, row.body(w), "Test-Session", "owner")
	}
	assert.Equal(t, http.StatusCreated, ask("").Code)
	w.stale = true
	refused(t, ask(""), http.StatusForbidden, "forbidden")
	assert.Equal(t, http.StatusCreated, ask(w.key(w.bell, identity.ManageKeys)).Code)
}
