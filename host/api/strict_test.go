package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/identity"
)

// send sends a body as it is.
func (w *world) send(method, path, key, media, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, base+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+key)
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	w.conformance.check(w.t, method, path, answer)
	return answer
}

func TestBodiesAreReadStrictly(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.Scopes()...)
	const media = "application/json"
	for name, row := range map[string]struct {
		media, body string
		status      int
		code        string
	}{
		"no type":         {"", `{}`, http.StatusUnsupportedMediaType, "unsupported_media_type"},
		"text":            {"text/plain", `{"url":"x","action":"validate"}`, http.StatusUnsupportedMediaType, "unsupported_media_type"},
		"form":            {"application/x-www-form-urlencoded", `url=x`, http.StatusUnsupportedMediaType, "unsupported_media_type"},
		"nothing":         {media, ``, http.StatusBadRequest, "malformed_request"},
		"cut off":         {media, `{"url":"x","action":"vali`, http.StatusBadRequest, "malformed_request"},
		"twice":           {media, `{"url":"x","action":"validate","action":"update"}`, http.StatusBadRequest, "malformed_request"},
		"two values":      {media, `{"url":"x","action":"validate"} {}`, http.StatusBadRequest, "malformed_request"},
		"bad UTF-8":       {media, "{\"url\":\"\xff\",\"action\":\"validate\"}", http.StatusBadRequest, "malformed_request"},
		"deep":            {media, `{"url":"x","action":"update","payload":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, http.StatusBadRequest, "malformed_request"},
		"list":            {media, `[]`, http.StatusUnprocessableEntity, "invalid_request"},
		"other case":      {media, `{"URL":"x","action":"validate"}`, http.StatusUnprocessableEntity, "invalid_request"},
		"unknown member":  {media, `{"url":"x","action":"validate","more":1}`, http.StatusUnprocessableEntity, "invalid_request"},
		"unknown action":  {media, `{"url":"x","action":"destroy"}`, http.StatusUnprocessableEntity, "invalid_request"},
		"missing member":  {media, `{"url":"x"}`, http.StatusUnprocessableEntity, "invalid_request"},
		"null":            {media, `{"url":"x","action":"validate","place":null}`, http.StatusUnprocessableEntity, "invalid_request"},
		"null inside":     {media, `{"url":"x","action":"validate","place":{"latitude":1,"longitude":2,"name":null}}`, http.StatusUnprocessableEntity, "invalid_request"},
		"nowhere":         {media, `{"url":"x","action":"validate","place":{"latitude":91,"longitude":2}}`, http.StatusUnprocessableEntity, "invalid_request"},
		"looking payload": {media, `{"url":"x","action":"validate","payload":1}`, http.StatusUnprocessableEntity, "invalid_request"},
		"long URL":        {media, `{"url":"` + strings.Repeat("x", 3000) + `","action":"validate"}`, http.StatusUnprocessableEntity, "invalid_request"},
		"too large":       {media, `{"url":"x","action":"update","payload":"` + strings.Repeat("x", 70<<10) + `"}`, http.StatusRequestEntityTooLarge, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			p := refused(t, w.send(http.MethodPost, "/v1/taps", key, row.media, row.body), row.status, row.code)
			if row.code == "invalid_request" {
				require.NotEmpty(t, p.Errors)
				assert.True(t, strings.HasPrefix(p.Errors[0].Location, "body"), p.Errors)
			}
		})
	}
}

// TestLostIdempotencyKeyIsNoRequestWithoutOne: what came as a repetition must not be decided as a new request.
func TestLostIdempotencyKeyIsNoRequestWithoutOne(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.RecordTaps)
	order := update(w.bell.card.Tap())
	for _, value := range []string{"", "short", strings.Repeat("x", 201), strings.Repeat(" ", 30), "with spaces and more than 22 characters"} {
		p := refused(t, w.ask(http.MethodPost, "/v1/taps", key, order, wire.HeaderIdempotencyKey, value), http.StatusUnprocessableEntity, "invalid_request")
		assert.Equal(t, "header.Idempotency-Key", p.Errors[0].Location)
	}
	assert.Equal(t, "valid", decode[wire.Tap](t, w.ask(http.MethodPost, "/v1/taps", key, look(order.URL)), http.StatusOK).Code)
}

func TestParametersAreReadStrictly(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.ReadCards, identity.ReadAlarms)
	for _, path := range []string{
		"/v1/cards?limit=0", "/v1/cards?limit=101", "/v1/cards?limit=1&limit=2", "/v1/cards?issuer=", "/v1/cards?cursor=x", "/v1/cards?more=1",
		"/v1/cards?state=unheard", "/v1/cards/AAAA", "/v1/cards/AAAAAAAAAAAAAAAA%0A", "/v1/channels/" + strings.Repeat("A", 42) + "B",
		"/v1/channels/" + w.bell.id.String() + "?from=-1", ofIssuer("/alarms?cursor=007")(w),
	} {
		p := refused(t, w.ask(http.MethodGet, path, key, nil), http.StatusUnprocessableEntity, "invalid_request")
		assert.NotEmpty(t, p.Errors, path)
	}
}

func TestWhatThereIsNotIsAProblemToo(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/v1", "/v1/", "/v1/nothing", "/v1/cards/AAAAAAAAAAAAAAAA/nothing", "/v2/taps"} {
		refused(t, w.ask(http.MethodGet, path, "", nil), http.StatusNotFound, "not_found")
	}
	answer := w.ask(http.MethodDelete, "/v1/taps", "", nil)
	refused(t, answer, http.StatusMethodNotAllowed, "method_not_allowed")
	assert.Equal(t, []string{"POST"}, answer.Header().Values("Allow"))
	refused(t, w.ask("PROPFIND", "/v1/cards/AAAAAAAAAAAAAAAA", "", nil), http.StatusMethodNotAllowed, "method_not_allowed")
	refused(t, w.ask(http.MethodGet, "/v1/cards/AAAAAAAAAAAAAAAA", "", nil), http.StatusNotFound, "unknown_card")
	refused(t, w.ask(http.MethodGet, "/v1/issuers/"+strings.Repeat("A", 43), "", nil), http.StatusNotFound, "unknown_issuer")
	refused(t, w.ask(http.MethodGet, "/v1/channels/"+strings.Repeat("A", 43), "", nil), http.StatusNotFound, "unknown_channel")
}

func TestWhoAsksTooOftenIsToldHowLongToWait(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.ReadCards)
	_, k, err := w.identity.Authenticate(t.Context(), key)
	require.NoError(t, err)
	w.stopped = map[string]time.Duration{"key:" + k.ID: 1500 * time.Millisecond}
	answer := w.ask(http.MethodGet, "/v1/cards", key, nil)
	assert.Equal(t, 2, refused(t, answer, http.StatusTooManyRequests, "too_many").RetryAfter)
	assert.Equal(t, "2", answer.Header().Get("Retry-After"))
	assert.Equal(t, http.StatusOK, w.ask(http.MethodGet, "/v1/issuers", "", nil).Code)
	w.stopped = map[string]time.Duration{"net:192.0.2.0/24": time.Second} // httptest's client
	refused(t, w.ask(http.MethodGet, "/v1/issuers", "", nil), http.StatusTooManyRequests, "too_many")
	w.stopped = map[string]time.Duration{"bundle:192.0.2.0/24": 4 * time.Second}
	card := "/v1/cards/" + w.bell.card.ID().String()
	answer = w.ask(http.MethodGet, card+"/bundle", key, nil)
	assert.Equal(t, 4, refused(t, answer, http.StatusTooManyRequests, "too_many").RetryAfter)
	assert.Equal(t, http.StatusOK, w.ask(http.MethodGet, card, "", nil).Code)
}

// TestSecretsOfRequestsAreNotRepeated: answers end up in logs, and a tap's URL is as good as the card until it is used.
func TestSecretsOfRequestsAreNotRepeated(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.RecordTaps)
	url := w.bell.card.Tap()
	_, signature, _ := strings.Cut(url, "&s=")
	for _, answer := range []*httptest.ResponseRecorder{
		w.ask(http.MethodPost, "/v1/taps", key, wire.TapRequest{URL: url, Action: "destroy"}),
		w.ask(http.MethodPost, "/v1/taps", key, look(url+"&i=x")),
		w.ask(http.MethodPost, "/v1/taps", key+"x", look(url)),
	} {
		assert.GreaterOrEqual(t, answer.Code, 400)
		assert.NotContains(t, answer.Body.String(), signature)
		assert.NotContains(t, answer.Body.String(), key)
	}
}

func TestAnswersAreNotKeptByCaches(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/v1/log", "/v1/cards", "/v1/nothing"} {
		assert.Equal(t, "no-store", w.ask(http.MethodGet, path, "", nil).Header().Get("Cache-Control"), path)
	}
}

// FuzzTapRequest throws bodies at the one operation that everybody may use: whatever comes, the answer is documented.
func FuzzTapRequest(f *testing.F) {
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest(http.MethodPost, base+"/v1/taps", strings.NewReader(body)).WithContext(context.Background())
		r.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		w.handler.ServeHTTP(answer, r)
		require.Less(t, answer.Code, http.StatusInternalServerError, answer.Body.String())
	})
}
