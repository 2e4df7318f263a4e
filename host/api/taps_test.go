package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

const retryKey = "q83vEjRWeJCrze8SNFZ4kA"

func TestValidateWritesNothingAndNeedsNoKey(t *testing.T) {
	w := newWorld(t)
	url := w.bell.card.Tap()
	before, err := w.ledger.Info(t.Context())
	require.NoError(t, err)
	for range 3 {
		v := decode[wire.Tap](t, w.ask(http.MethodPost, "/v1/taps", "", look(url)), http.StatusOK)
		assert.Equal(t, "valid", v.Code)
		assert.Equal(t, w.bell.card.ID(), *v.ID)
		assert.Equal(t, w.bell.id, *v.Issuer)
		assert.Nil(t, v.Receipt)
		assert.Empty(t, v.Redirect)
	}
	after, err := w.ledger.Info(t.Context())
	require.NoError(t, err)
	assert.Equal(t, before.Size, after.Size)
}

func TestUpdateAnswersWithChannelReceiptAndProof(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.RecordTaps)
	order := update(w.bell.card.Tap())
	order.Payload = json.RawMessage(`{"temperature":-18.5}`)
	v := decode[wire.Tap](t, w.ask(http.MethodPost, "/v1/taps", key, order), http.StatusOK)
	assert.Equal(t, "recorded", v.Code)
	evidence, err := v.Evidence.Ledger()
	require.NoError(t, err)
	receipt, err := evidence.Verify(w.policy)
	require.NoError(t, err)
	assert.Equal(t, *v.Channel, receipt.Channel)
	assert.Equal(t, v.Receipt.Number, receipt.Number)
	text, err := evidence.Message.Body()
	require.NoError(t, err)
	r, err := record.Parse(text)
	require.NoError(t, err)
	assert.JSONEq(t, `{"temperature":-18.5}`, string(r.Value.(record.Tap).Payload))
}

func TestUpdateRefusesReusedURL(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.RecordTaps)
	url, older := w.bell.card.Tap(), w.bell.card.TapAt(2)
	url = w.bell.card.Tap()
	first := decode[wire.Tap](t, w.ask(http.MethodPost, "/v1/taps", key, update(url)), http.StatusOK)
	p := refused(t, w.ask(http.MethodPost, "/v1/taps", key, update(url)), http.StatusConflict, "already_used")
	assert.Equal(t, first.When, p.When)
	assert.Equal(t, first.Counter, p.Counter)
	p = refused(t, w.ask(http.MethodPost, "/v1/taps", key, update(older)), http.StatusConflict, "superseded")
	assert.Equal(t, first.Counter, p.Last)
	refused(t, w.ask(http.MethodPost, "/v1/taps", "", look(url)), http.StatusConflict, "already_used")
}

func TestIdempotencyKeyGetsTheFirstAnswerAgain(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.RecordTaps)
	url := w.bell.card.Tap()
	ask := func(order wire.TapRequest, key string) wire.Tap {
		answer := w.ask(http.MethodPost, "/v1/taps", key, order, wire.HeaderIdempotencyKey, retryKey)
		v := decode[wire.Tap](t, answer, http.StatusOK)
		assert.Equal(t, v.Replayed, answer.Header().Get(wire.HeaderReplayed) == "true")
		return v
	}
	first, second := ask(update(url), key), ask(update(url), key)
	assert.False(t, first.Replayed)
	assert.True(t, second.Replayed)
	assert.Equal(t, first.Receipt.Hash, second.Receipt.Hash)

	other := update(url)
	other.Payload = json.RawMessage(`1`)
	refused(t, w.ask(http.MethodPost, "/v1/taps", key, other, wire.HeaderIdempotencyKey, retryKey), http.StatusUnprocessableEntity, "retry_mismatch")
	stranger := w.key(w.bell, identity.RecordTaps)
	refused(t, w.ask(http.MethodPost, "/v1/taps", stranger, update(url), wire.HeaderIdempotencyKey, retryKey), http.StatusConflict, "already_used")
}

func TestOfManyUpdatesAtOnceOneIsRecorded(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.RecordTaps)
	url := w.bell.card.Tap()
	codes := make([]int, 50)
	var all sync.WaitGroup
	for i := range codes {
		all.Go(func() { codes[i] = w.ask(http.MethodPost, "/v1/taps", key, update(url)).Code })
	}
	all.Wait()
	counts := map[int]int{}
	for _, c := range codes {
		counts[c]++
	}
	assert.Equal(t, map[int]int{http.StatusOK: 1, http.StatusConflict: 49}, counts)
}

func TestEveryRefusalHasItsStatus(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.RecordTaps)
	good := w.bell.card.Tap()
	for _, row := range []struct {
		url    string
		status int
		code   string
	}{
		{"https://tap.example.com/t?i=AAAAAAAAAAAAAAAA&c=00000001&s=" + strings.Repeat("A", 86), http.StatusNotFound, "unknown_card"},
		{"nonsense", http.StatusUnprocessableEntity, "malformed_url"},
		{good + "&v=9", http.StatusUnprocessableEntity, "unsupported_version"},
		{strings.Replace(w.other.card.Tap(), w.other.card.ID().String(), w.bell.card.ID().String(), 1), http.StatusUnprocessableEntity, "bad_signature"},
	} {
		for _, order := range []wire.TapRequest{look(row.url), update(row.url)} {
			p := refused(t, w.ask(http.MethodPost, "/v1/taps", key, order), row.status, row.code)
			assert.NotEmpty(t, p.Next)
		}
	}
	long := update(good)
	long.Payload = json.RawMessage(fmt.Sprintf("%q", strings.Repeat("x", 62<<10)))
	refused(t, w.ask(http.MethodPost, "/v1/taps", key, long), http.StatusUnprocessableEntity, "payload_rejected")
}

// TestURLWithoutSignatureSaysWhy: with what is known of the card that it names, which is not the same as that the card made it.
func TestURLWithoutSignatureSaysWhy(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.RecordTaps)
	ask := func(url string) (problems []wire.Problem) {
		t.Helper()
		for _, order := range []wire.TapRequest{look(url), update(url)} {
			p := refused(t, w.ask(http.MethodPost, "/v1/taps", key, order), http.StatusUnprocessableEntity, "unsigned_url")
			require.NotNil(t, p.Registered)
			assert.Contains(t, p.Detail, "Anybody can write such a URL")
			problems = append(problems, p)
		}
		return problems
	}
	own := w.bell.card
	for _, p := range ask(own.Template.UnsignedURL(own.ID(), tap.ChallengeOnly)) {
		assert.Equal(t, tap.ChallengeOnly, p.Unsigned)
		assert.Equal(t, own.ID(), *p.ID)
		assert.True(t, *p.Registered)
		assert.Equal(t, record.StateInService, p.State)
		assert.False(t, p.Contradicted)
	}
	decode[wire.Tap](t, w.ask(http.MethodPost, "/v1/taps", key, update(own.Tap())), http.StatusOK)
	for _, p := range ask(own.Template.UnsignedURL(own.ID(), tap.ChallengeOnly)) {
		assert.True(t, p.Contradicted)
	}
	for _, p := range ask(own.Template.UnsignedURL(own.ID(), tap.Exhausted)) {
		assert.Equal(t, tap.Exhausted, p.Unsigned)
		assert.False(t, p.Contradicted)
		assert.Equal(t, own.Counter, p.Last)
	}
	for _, p := range ask(own.Template.UnsignedURL(tap.CardID{1}, tap.Exhausted)) {
		assert.False(t, *p.Registered)
		assert.Empty(t, p.State)
	}
}

func TestWhatMayHaveBeenRecordedIsNeverCalledUnavailable(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.RecordTaps)
	url := w.bell.card.Tap()
	w.ledger.fail(ledger.ErrUnavailable, nil)
	p := refused(t, w.ask(http.MethodPost, "/v1/taps", key, update(url), wire.HeaderIdempotencyKey, retryKey), http.StatusServiceUnavailable, "ledger_unavailable")
	assert.Positive(t, p.RetryAfter)
	w.ledger.fail(nil, ledger.ErrUncertain)
	p = refused(t, w.ask(http.MethodPost, "/v1/taps", key, update(url), wire.HeaderIdempotencyKey, retryKey), http.StatusGatewayTimeout, "uncertain")
	assert.Contains(t, p.Next, "Idempotency-Key")
	w.ledger.fail(nil, nil)
	v := decode[wire.Tap](t, w.ask(http.MethodPost, "/v1/taps", key, update(url), wire.HeaderIdempotencyKey, retryKey), http.StatusOK)
	assert.True(t, v.Replayed)
}

func TestRecordedTapLeadsToTheProduct(t *testing.T) {
	w := newWorld(t)
	key := w.key(w.bell, identity.RecordTaps, identity.WriteCards)
	set := w.ask(http.MethodPut, "/v1/cards/"+w.bell.card.ID().String()+"/settings", key, wire.Settings{ProductURL: "https://shop.example/watch?a=1"})
	require.Equal(t, http.StatusOK, set.Code, set.Body.String())
	v := decode[wire.Tap](t, w.ask(http.MethodPost, "/v1/taps", key, update(w.bell.card.Tap())), http.StatusOK)
	require.True(t, strings.HasPrefix(v.Redirect, "https://shop.example/watch?"), v.Redirect)
	_, token, found := strings.Cut(v.Redirect, "productid=")
	require.True(t, found)

	check := wire.RedirectCheck{Token: token, Audience: "https://other.example"}
	refused(t, w.ask(http.MethodPost, "/v1/redirects/verify", "", check), http.StatusUnprocessableEntity, "other_audience")
	check.Audience = "https://shop.example"
	claims := decode[wire.RedirectClaims](t, w.ask(http.MethodPost, "/v1/redirects/verify", "", check), http.StatusOK)
	assert.Equal(t, w.bell.card.ID(), claims.Card)
	assert.Equal(t, v.Counter, claims.Counter)
	assert.Equal(t, w.bell.id, claims.Issuer)
	assert.False(t, claims.Test)
	refused(t, w.ask(http.MethodPost, "/v1/redirects/verify", "", check), http.StatusConflict, "used_token")
	refused(t, w.ask(http.MethodPost, "/v1/redirects/verify", "", wire.RedirectCheck{Token: "x.y.z", Audience: "https://shop.example"}), http.StatusUnprocessableEntity, "bad_token")
}

// Who may set test cards may name any page: its site is told what the card is.
func TestRedirectOfATestCardSaysSo(t *testing.T) {
	w := newWorld(t)
	target, err := url.Parse("https://shop.example/watch")
	require.NoError(t, err)
	target, err = w.redirect.Issue(t.Context(), target, w.sandbox.card.ID(), 7)
	require.NoError(t, err)
	check := wire.RedirectCheck{Token: target.Query().Get("productid"), Audience: "https://shop.example"}
	claims := decode[wire.RedirectClaims](t, w.ask(http.MethodPost, "/v1/redirects/verify", "", check), http.StatusOK)
	assert.Equal(t, w.sandbox.id, claims.Issuer)
	assert.True(t, claims.Test)
}

// A tap whose place cannot be kept would be recorded, and nobody who watches for alarms would know of it.
func TestPlaceThatNoCheckCanBeKeptWithIsRefused(t *testing.T) {
	w := newWorld(t)
	key, url := w.key(w.bell, identity.RecordTaps), w.bell.card.Tap()
	for _, name := range []string{"a\x00b", "gate\u202e4"} {
		r := update(url)
		r.Place = &wire.Place{Name: name}
		p := refused(t, w.ask(http.MethodPost, "/v1/taps", key, r), http.StatusUnprocessableEntity, wire.CodeInvalidRequest)
		require.Equal(t, "body.place.name", p.Errors[0].Location)
	}
	r := update(url)
	r.Place = &wire.Place{Latitude: 45.4, Longitude: 9.2, Name: "Gate 4"}
	decode[wire.Tap](t, w.ask(http.MethodPost, "/v1/taps", key, r), http.StatusOK)
}

// The longest payload is as long as the description of the API says.
func TestPayloadOf7000BytesFits(t *testing.T) {
	w := newWorld(t)
	r := update(w.bell.card.Tap())
	r.Payload = json.RawMessage(`"` + strings.Repeat("x", 6998) + `"`)
	decode[wire.Tap](t, w.ask(http.MethodPost, "/v1/taps", w.key(w.bell, identity.RecordTaps), r), http.StatusOK)
}
