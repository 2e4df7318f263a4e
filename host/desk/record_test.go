package desk_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

func TestOfFiftyAtOnceOneIsRecorded(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.o.Observe = nil
		w.Desk = desk.New(w.o)
		w.set(record.Settings{Form: form()})
		url := w.card.Tap()
		var all sync.WaitGroup
		var mu sync.Mutex
		codes := map[validation.Code]int{}
		for range 50 {
			all.Go(func() {
				f, err := w.Record(context.Background(), desk.Request{URL: url, Form: map[string]string{"kg": "3"}}, web)
				assert.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				codes[f.Code]++
			})
		}
		all.Wait()
		assert.Equal(t, map[validation.Code]int{validation.Recorded: 1, validation.AlreadyUsed: 49}, codes)
		assert.Len(t, w.recorded(), 1)
	})
}

func TestLookWritesNothing(t *testing.T) {
	w := newWorld(t)
	url := w.card.Tap()
	before, err := w.ledger.Info(t.Context())
	require.NoError(t, err)
	for range 20 {
		f := w.look(url, web)
		assert.Equal(t, validation.Valid, f.Code)
		assert.Equal(t, desk.AsksNone, f.Asks)
		assert.Equal(t, "shop", f.Face.Name)
	}
	after, err := w.ledger.Info(t.Context())
	require.NoError(t, err)
	assert.Equal(t, before.Size, after.Size)
	assert.Empty(t, w.observed, "a link that is previewed is no check")
	assert.Equal(t, validation.Recorded, w.record(desk.Request{URL: url}, web).Code)
	assert.Len(t, w.observed, 1)
	assert.Equal(t, web.Network, w.observed[0].Network)
}

func TestACardWithALoginIsRecordedForWhoHasSignedIn(t *testing.T) {
	w := newWorld(t)
	w.set(record.Settings{LoginRequired: true})
	url := w.card.Tap()
	assert.Equal(t, desk.AsksLogin, w.look(url, web).Asks)
	f := w.record(desk.Request{URL: url}, web)
	assert.Equal(t, desk.LoginRequired, f.Code)
	assert.False(t, f.Code.OK())
	assert.Empty(t, w.recorded())

	f = w.record(desk.Request{URL: url}, w.anna())
	assert.Equal(t, validation.Recorded, f.Code)
	assert.Equal(t, "anna-id", w.recorded()[0].Operator)
	assert.Equal(t, validation.AlreadyUsed, w.record(desk.Request{URL: url}, web).Code)

	w.set(record.Settings{})
	require.Equal(t, validation.Recorded, w.record(desk.Request{URL: w.card.Tap()}, w.anna()).Code)
	assert.Empty(t, w.recorded()[1].Operator, "who taps is nobody's business where nobody asks")
}

func TestAFormIsCheckedBeforeAnythingIsWritten(t *testing.T) {
	w := newWorld(t)
	w.set(record.Settings{Form: form()})
	url := w.card.Tap()
	assert.Equal(t, desk.AsksForm, w.look(url, web).Asks)
	typed := map[string]string{"kg": "three", "note": "a long day"}
	f := w.record(desk.Request{URL: url, Form: typed}, web)
	assert.Equal(t, validation.PayloadRejected, f.Code)
	assert.Equal(t, []record.FieldProblem{{Field: "kg", Problem: record.ProblemNoNumber}}, f.Problems)
	assert.Equal(t, typed, f.Form)
	f = w.record(desk.Request{URL: url}, web)
	assert.Equal(t, []record.FieldProblem{{Field: "kg", Problem: record.ProblemRequired}}, f.Problems)
	assert.Empty(t, w.recorded())

	typed["kg"] = "3.5"
	f = w.record(desk.Request{URL: url, Form: typed}, web)
	require.Equal(t, validation.Recorded, f.Code)
	assert.Empty(t, f.Problems)
	assert.JSONEq(t, `{"kg":3.5,"note":"a long day"}`, string(w.recorded()[0].Payload))
}

func TestAPayloadOfTheAPIHasToSatisfyTheForm(t *testing.T) {
	w := newWorld(t)
	w.set(record.Settings{Form: form()})
	url, key := w.card.Tap(), machine(w.issuer, identity.RecordTaps)
	for payload, problem := range map[string]string{
		"": record.ProblemRequired, `{}`: record.ProblemRequired, `[3]`: record.ProblemNoObject, `{"kg":"3"}`: record.ProblemWrongType, `{"kg":3,"x":1}`: record.ProblemUnknown,
	} {
		f := w.record(desk.Request{URL: url, Payload: json.RawMessage(payload)}, key)
		assert.Equal(t, validation.PayloadRejected, f.Code, payload)
		require.Len(t, f.Problems, 1, payload)
		assert.Equal(t, problem, f.Problems[0].Problem, payload)
	}
	require.Equal(t, validation.Recorded, w.record(desk.Request{URL: url, Payload: json.RawMessage(` {"note": "x", "kg": 3} `)}, key).Code)
	assert.Equal(t, `{"kg":3,"note":"x"}`, string(w.recorded()[0].Payload))
}

func TestTheAPIRecordsForWhoMay(t *testing.T) {
	w := newWorld(t)
	url := w.card.Tap()
	other := recordtest.NewChain("other").ID()
	nobody := desk.Caller{Channel: desk.ChannelAPI}
	for want, c := range map[error]desk.Caller{
		identity.ErrUnauthenticated: nobody, identity.ErrForeignIssuer: machine(other, identity.RecordTaps), identity.ErrForbidden: machine(w.issuer, identity.ReadCards),
	} {
		_, err := w.Record(t.Context(), desk.Request{URL: url}, c)
		assert.ErrorIs(t, err, want)
	}
	_, err := w.Record(t.Context(), desk.Request{URL: "https://tap.example.com/"}, nobody)
	assert.ErrorIs(t, err, identity.ErrUnauthenticated)
	assert.Empty(t, w.recorded())
	assert.Equal(t, validation.MalformedURL, w.record(desk.Request{URL: "https://tap.example.com/"}, machine(other)).Code)
	assert.Equal(t, validation.Recorded, w.record(desk.Request{URL: url}, machine(w.issuer, identity.RecordTaps)).Code)
}

// The settings change after somebody looked and before he records, and even between the decision and the record.
func TestSettingsThatChangeLetNothingThrough(t *testing.T) {
	w := newWorld(t)
	url := w.card.Tap()
	require.Equal(t, desk.AsksNone, w.look(url, web).Asks)
	w.set(record.Settings{LoginRequired: true})
	assert.Equal(t, desk.LoginRequired, w.record(desk.Request{URL: url}, web).Code)

	w.set(record.Settings{})
	w.ledger.before = func(channel.Message) { w.set(record.Settings{Form: form()}) }
	f := w.record(desk.Request{URL: url}, web)
	assert.Equal(t, validation.PayloadRejected, f.Code)
	assert.Equal(t, desk.AsksForm, f.Asks, "the new form is there to be shown")
	assert.Empty(t, w.recorded())

	w.ledger.before = func(channel.Message) { w.set(record.Settings{}) }
	require.Equal(t, validation.Recorded, w.record(desk.Request{URL: url, Form: map[string]string{"kg": "3"}}, web).Code)
	assert.Nil(t, w.recorded()[0].Payload, "nobody asks any more")
}

func TestAnotherTapThatWinsGivesTheTypedDataBack(t *testing.T) {
	w := newWorld(t)
	w.set(record.Settings{Form: form()})
	first, second := w.card.Tap(), w.card.Tap()
	typed := map[string]string{"kg": "3", "note": "typed for minutes"}
	require.Equal(t, desk.AsksForm, w.look(first, web).Asks)
	require.Equal(t, validation.Recorded, w.record(desk.Request{URL: second, Form: map[string]string{"kg": "1"}}, web).Code)
	f := w.record(desk.Request{URL: first, Form: typed}, web)
	assert.Equal(t, validation.Superseded, f.Code)
	assert.Equal(t, typed, f.Form)
	f = w.record(desk.Request{URL: second, Form: typed}, web)
	assert.Equal(t, validation.AlreadyUsed, f.Code)
	assert.Equal(t, typed, f.Form)
	assert.Len(t, w.recorded(), 1)
}

func TestARetryGetsTheFirstAnswerWhateverIsAskedNow(t *testing.T) {
	w := newWorld(t)
	w.set(record.Settings{Form: form()})
	r := desk.Request{URL: w.card.Tap(), Form: map[string]string{"kg": "3"}, Retry: &validation.Retry{Scope: "browser", Key: strings.Repeat("k", 22)}}
	first := w.record(r, w.anna())
	require.Equal(t, validation.Recorded, first.Code)
	w.set(record.Settings{LoginRequired: true, Form: record.Form{{Name: "new", Label: record.Label{"": "New"}, Type: record.FieldDate, Required: true}}})
	again := w.record(r, w.anna())
	assert.Equal(t, validation.Recorded, again.Code)
	assert.True(t, again.Replayed)
	assert.Equal(t, first.Receipt.Hash, again.Receipt.Hash)

	assert.Equal(t, validation.RetryMismatch, w.record(r, web).Code, "somebody else's request")
	r.Form = map[string]string{"kg": "4"}
	assert.Equal(t, validation.RetryMismatch, w.record(r, w.anna()).Code)
}

func TestTapsBeyondTheCardsLimitAreNotRecorded(t *testing.T) {
	w := newWorld(t)
	left := map[string]int{"record " + w.card.ID().String(): 2, "look " + w.card.ID().String() + " " + web.Network: 3}
	w.o.Limit = func(key string) (time.Duration, bool) {
		left[key]--
		return 7 * time.Second, left[key] >= 0
	}
	w.Desk = desk.New(w.o)
	used := w.card.Tap()
	require.Equal(t, validation.Recorded, w.record(desk.Request{URL: used}, web).Code)
	for range 5 { // what is not good costs nothing
		require.Equal(t, validation.AlreadyUsed, w.record(desk.Request{URL: used}, web).Code)
		forged := strings.Replace(w.card.Tap(), "&s=A", "&s=B", 1)
		require.NotEqual(t, validation.Recorded, w.record(desk.Request{URL: forged + "A"}, web).Code)
	}
	require.Equal(t, validation.Recorded, w.record(desk.Request{URL: w.card.Tap()}, web).Code)
	url := w.card.Tap()
	_, err := w.Record(t.Context(), desk.Request{URL: url}, web)
	many, isMany := errors.AsType[desk.ErrTooMany](err)
	require.True(t, isMany, "%v", err)
	assert.Equal(t, 7*time.Second, many.RetryAfter)
	assert.Len(t, w.recorded(), 2)
	for range 3 {
		require.Equal(t, validation.Valid, w.look(url, web).Code)
	}
	_, err = w.Look(t.Context(), url, web)
	assert.ErrorAs(t, err, &desk.ErrTooMany{})
}

// TestURLsWithoutSignatureAreLimitedAsOthersAre: each asks the registry and the ledger about the card that it names.
func TestURLsWithoutSignatureAreLimitedAsOthersAre(t *testing.T) {
	w := newWorld(t)
	var seen []desk.Observation
	w.o.Observe = func(_ context.Context, o desk.Observation) error {
		seen = append(seen, o)
		return nil
	}
	left := 1
	w.o.Limit = func(key string) (time.Duration, bool) {
		assert.Equal(t, "look "+w.card.ID().String()+" "+web.Network, key)
		left--
		return 7 * time.Second, left >= 0
	}
	w.Desk = desk.New(w.o)
	url := w.card.Template.UnsignedURL(w.card.ID(), tap.Exhausted)
	f := w.look(url, web)
	assert.Equal(t, validation.UnsignedURL, f.Code)
	assert.Equal(t, w.card.ID(), f.Card.ID)
	assert.Equal(t, "shop", f.Face.Name, "whom to ask")
	require.Len(t, seen, 1)
	assert.Equal(t, validation.UnsignedURL, seen[0].Verdict.Code)
	_, err := w.Look(t.Context(), url, web)
	assert.ErrorAs(t, err, &desk.ErrTooMany{})
}

func TestEachRefusal(t *testing.T) {
	w := newWorld(t)
	good := w.card.Tap()
	for code, url := range map[validation.Code]string{
		validation.MalformedURL: "https://tap.example.com/t?i=1", validation.UnknownCard: taptest.NewCard("stranger").Tap(),
		validation.UnsupportedVersion: good + "&v=9", validation.BadSignature: strings.Replace(good, "c=00000002", "c=00000003", 1),
	} {
		assert.Equal(t, code, w.look(url, web).Code, url)
		f := w.record(desk.Request{URL: url, Form: map[string]string{"a": "b"}}, web)
		assert.Equal(t, code, f.Code)
		assert.NotEmpty(t, f.Form)
	}
	w.sayTaps(record.CardRevoked{Last: 1, State: record.StateRevoked, Reason: "stolen"})
	for _, f := range []desk.Finding{w.look(good, web), w.record(desk.Request{URL: good}, web)} {
		assert.Equal(t, validation.Revoked, f.Code)
		assert.Equal(t, "stolen", f.Card.Reason, "also where the registry is behind")
	}
	assert.Equal(t, validation.PayloadRejected, newWorld(t).refusesPayload())

	w = newWorld(t)
	w.sayTaps(record.ChannelMoved{Last: 1, State: record.StateMoved, To: "log.example.org", Was: record.StateInService})
	f := w.record(desk.Request{URL: w.card.Tap()}, web)
	assert.Equal(t, validation.Moved, f.Code)
	assert.Equal(t, "log.example.org", f.MovedTo)

	fresh := taptest.NewCard("not yet in service")
	w.say(w.chain.Say(recordtest.Body(recordtest.Registered(fresh, w.issuer, w.tapsAuthor(fresh).Channel()))))
	assert.Equal(t, validation.NotInService, w.record(desk.Request{URL: fresh.Tap()}, web).Code)
	card, err := w.Card(t.Context(), fresh.ID())
	require.NoError(t, err)
	assert.Equal(t, desk.NotInService, card.Status)
	assert.Nil(t, card.Proof)
}

func (w *world) refusesPayload() validation.Code {
	return w.record(desk.Request{URL: w.card.Tap(), Payload: json.RawMessage(`{"a":1,"a":2}`)}, web).Code
}

func TestAStoreThatFailsChangesNoAnswer(t *testing.T) {
	w := newWorld(t)
	w.o.Observe = func(context.Context, desk.Observation) error { return errors.New("disk full") }
	w.products[""] = w.products[""]
	w.Desk = desk.New(w.o)
	f := w.record(desk.Request{URL: w.card.Tap()}, web)
	assert.Equal(t, validation.Recorded, f.Code)
	assert.Equal(t, "shop", f.Face.Name)
	assert.Equal(t, desk.Lost{Unobserved: 1, Unshown: 1}, w.Lost())
}

// What a card asks may be unreadable: then nobody knows whether it asks, and nothing is recorded.
func TestSettingsThatCannotBeReadRecordNothing(t *testing.T) {
	w := newWorld(t)
	w.sayTaps(recordtest.Configured(1, channel.Hash{9}))
	url, typed := w.card.Tap(), map[string]string{"kg": "3"}
	f, err := w.Record(t.Context(), desk.Request{URL: url, Form: typed}, web)
	assert.ErrorIs(t, err, settings.ErrUnreadable)
	assert.Equal(t, typed, f.Form)
	assert.Empty(t, w.recorded())
	_, err = w.Look(t.Context(), url, web)
	assert.ErrorIs(t, err, settings.ErrUnreadable)
	assert.Equal(t, validation.Superseded, w.look(w.card.TapAt(1), web).Code, "what is used up is, whatever the card asks")
}

func TestALedgerThatDoesNotAnswerIsNoRefusal(t *testing.T) {
	w := newWorld(t)
	url := w.card.Tap()
	require.Equal(t, validation.Valid, w.look(url, web).Code)
	require.NoError(t, w.ledger.Close())
	for _, err := range []error{second(w.Look(t.Context(), url, web)), second(w.Record(t.Context(), desk.Request{URL: url}, web))} {
		assert.ErrorIs(t, err, ledger.ErrUnavailable)
	}
	assert.Empty(t, w.observed)
}

func second[T any](_ T, err error) error { return err }
