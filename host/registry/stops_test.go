package registry_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap/taptest"
)

// mustBeKnown is a record of a later version that an older one must not skip.
const mustBeKnown = `{"kind":"later","must":true}`

// member is a card that an issuer registers and puts into service.
func (w *world) member(issuer *recordtest.Chain, name string) life {
	l := life{taptest.NewCard(name), recordtest.NewChain(name)}
	w.tell(issuer.Say(recordtest.Body(recordtest.Registered(l.card, issuer.ID(), l.taps.ID()))))
	w.tell(l.taps.Say(recordtest.Body(recordtest.InService(1))))
	return l
}

// TestARecordThatMustBeUnderstoodStopsItsIssuerAlone: no answer for the cards of that issuer, and every answer for the others'.
func TestARecordThatMustBeUnderstoodStopsItsIssuerAlone(t *testing.T) {
	onBoth(t, aRecordThatMustBeUnderstoodStopsItsIssuerAlone)
}

func aRecordThatMustBeUnderstoodStopsItsIssuerAlone(t *testing.T, fresh func(testing.TB) string) {
	w, ctx := newWorld(t, fresh), context.Background()
	issuer, lives := w.populate("a")
	other := recordtest.NewChain("other")
	w.tell(other.Say(recordtest.Body(recordtest.Opened("issuer")))) // of the same name
	before := w.member(other, "before")
	w.tell(issuer.Say([]byte(mustBeKnown)))
	w.tell(lives[0].tapped(9))
	unseen := w.member(issuer, "unseen")
	after := w.member(other, "after")
	w.tell(after.tapped(5))

	holds := func(r *registry.Registry) {
		t.Helper()
		require.NoError(t, r.Sync(ctx))
		_, err := r.Card(ctx, lives[0].card.ID())
		require.ErrorIs(t, err, record.ErrMust)
		assert.ErrorContains(t, err, "later")
		assert.ErrorContains(t, err, issuer.ID().String())
		require.ErrorIs(t, r.TooOld(issuer.ID()), record.ErrMust)
		_, err = r.Card(ctx, unseen.card.ID())
		require.ErrorIs(t, err, registry.ErrUnknownCard)
		require.NoError(t, r.TooOld(other.ID()))
		for _, l := range []life{before, after} {
			card, err := r.Card(ctx, l.card.ID())
			require.NoError(t, err)
			assert.Equal(t, other.ID(), card.Issuer)
		}
		card, err := r.Card(ctx, after.card.ID())
		require.NoError(t, err)
		assert.Equal(t, uint32(5), card.Last)
		rejections, err := r.Rejections(ctx)
		require.NoError(t, err)
		require.Len(t, rejections, 1)
		assert.Equal(t, record.ReasonMust, rejections[0].Reason)
		assert.Equal(t, "later", rejections[0].Kind)
	}
	holds(w.Registry)
	holds(w.Registry)
	want := w.dump()
	again := open(t, w.ledger, w.path, w.report) // another process, which folds nothing
	holds(again)
	require.NoError(t, again.Close())
	require.NoError(t, w.Rebuild(ctx))
	holds(w.Registry)
	assert.Equal(t, want, w.dump())
	n := 0
	for _, err := range w.Cards(ctx) {
		require.NoError(t, err, "a list names all cards")
		n++
	}
	assert.Equal(t, 3, n)
	assert.Empty(t, w.named(), "nothing looks altered")
}

// TestARecordThatMustBeUnderstoodStopsItsCardAlone, whichever way its channel is read, and whatever comes after it.
func TestARecordThatMustBeUnderstoodStopsItsCardAlone(t *testing.T) {
	onBoth(t, aRecordThatMustBeUnderstoodStopsItsCardAlone)
}

func aRecordThatMustBeUnderstoodStopsItsCardAlone(t *testing.T, fresh func(testing.TB) string) {
	w, ctx := newWorld(t, fresh), context.Background()
	_, lives := w.populate("a", "b")
	a, b := lives[0], lives[1]
	w.tell(a.taps.Say([]byte(mustBeKnown)))
	w.tell(a.tapped(9))
	w.tell(b.tapped(9))
	for range 2 {
		require.NoError(t, w.SyncChannel(ctx, a.taps.ID()), "ahead of the others")
	}
	w.tell(a.tapped(10))
	for range 2 {
		_, err := w.Card(ctx, a.card.ID())
		require.ErrorIs(t, err, record.ErrMust)
		require.NoError(t, w.Sync(ctx))
		require.NoError(t, w.SyncChannel(ctx, a.taps.ID()))
		card, err := w.Card(ctx, b.card.ID())
		require.NoError(t, err)
		assert.Equal(t, uint32(9), card.Last)
	}
	want := w.dump()
	assert.NotContains(t, want, `"last":10`)
	require.NoError(t, w.Rebuild(ctx))
	assert.Equal(t, want, w.dump())
	assert.Empty(t, w.named())

	w.alter("DELETE FROM heads WHERE taps = $1", idBytes(a)) // folded again, to the same record
	w.alter("UPDATE retries SET number = 0 WHERE taps = $1 AND key = 'key-3'", idBytes(a))
	require.NoError(t, w.SyncChannel(ctx, a.taps.ID()))
	_, _, err := w.Retry(ctx, a.taps.ID(), "key-3")
	require.NoError(t, err)
	assert.Equal(t, want, w.dump())
	_, err = w.Card(ctx, a.card.ID())
	require.ErrorIs(t, err, record.ErrMust)
}

func idBytes(l life) []byte {
	id := l.taps.ID()
	return id[:]
}

// TestWhatStopsAChannelIsNotAltered: who writes the live file makes no card good again, and puts none out of use.
func TestWhatStopsAChannelIsNotAltered(t *testing.T) { onBoth(t, whatStopsAChannelIsNotAltered) }

func whatStopsAChannelIsNotAltered(t *testing.T, fresh func(testing.TB) string) {
	ctx := context.Background()
	for _, text := range []string{
		"DELETE FROM stops",
		"UPDATE stops SET number = number + 1",
		"UPDATE stops SET kind = 'weather'",
		"UPDATE stops SET channel = x'0102'",
		"INSERT INTO stops SELECT taps, 0, 'weather' FROM cards WHERE taps NOT IN (SELECT channel FROM stops)",
	} {
		w := newWorld(t, fresh)
		_, lives := w.populate("a", "b")
		w.tell(lives[0].taps.Say([]byte(mustBeKnown)))
		w.sync()
		w.alter(text)
		again := open(t, w.ledger, w.path, w.report)
		require.NoError(t, again.Sync(ctx), text)
		assert.NotEmpty(t, w.named(), text)
		_, err := again.Card(ctx, lives[0].card.ID())
		require.ErrorIs(t, err, record.ErrMust, text)
		_, err = again.Card(ctx, lives[1].card.ID())
		require.NoError(t, err, text)
		require.NoError(t, again.Sync(ctx))
		assert.Empty(t, w.named(), "it was mended")
		require.NoError(t, again.Close())
	}
}

// TestACardThatTwoIssuersRegisterIsTheFirstOnes, in the ledger's order.
func TestACardThatTwoIssuersRegisterIsTheFirstOnes(t *testing.T) {
	onBoth(t, aCardThatTwoIssuersRegisterIsTheFirstOnes)
}

func aCardThatTwoIssuersRegisterIsTheFirstOnes(t *testing.T, fresh func(testing.TB) string) {
	w, ctx := newWorld(t, fresh), context.Background()
	issuer, lives := w.populate("a")
	other := recordtest.NewChain("other")
	w.tell(other.Say(recordtest.Body(recordtest.Opened("other"))))
	theirs := life{lives[0].card, recordtest.NewChain("theirs")}
	w.tell(other.Say(recordtest.Body(recordtest.Registered(theirs.card, other.ID(), theirs.taps.ID()))))
	w.tell(theirs.taps.Say(recordtest.Body(recordtest.InService(90))))
	w.tell(theirs.tapped(91))
	w.sync()
	card, err := w.Card(ctx, lives[0].card.ID())
	require.NoError(t, err)
	assert.Equal(t, issuer.ID(), card.Issuer)
	assert.Equal(t, lives[0].taps.ID(), card.Taps)
	assert.Equal(t, uint32(4), card.Last)
	rejections, err := w.Rejections(ctx)
	require.NoError(t, err)
	require.Len(t, rejections, 1)
	assert.Equal(t, record.ReasonIDTaken, rejections[0].Reason)
	_, found, err := w.Retry(ctx, theirs.taps.ID(), "key-91")
	require.NoError(t, err)
	assert.False(t, found)
}

// TestARetryKeyIsOneChannels: two issuers' cards may have used the same one.
func TestARetryKeyIsOneChannels(t *testing.T) { onBoth(t, aRetryKeyIsOneChannels) }

func aRetryKeyIsOneChannels(t *testing.T, fresh func(testing.TB) string) {
	w, ctx := newWorld(t, fresh), context.Background()
	_, lives := w.populate("a")
	other := recordtest.NewChain("other")
	w.tell(other.Say(recordtest.Body(recordtest.Opened("other"))))
	theirs := w.member(other, "theirs")
	w.sync()
	_, found, err := w.Retry(ctx, theirs.taps.ID(), "key-3")
	require.NoError(t, err)
	assert.False(t, found, "it is another card's")
	w.tell(theirs.tapped(2))
	w.tell(theirs.tapped(3))
	w.sync()
	number, found, err := w.Retry(ctx, theirs.taps.ID(), "key-3")
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, uint64(2), number)
	number, _, err = w.Retry(ctx, lives[0].taps.ID(), "key-3")
	require.NoError(t, err)
	assert.Equal(t, uint64(2), number)
}
