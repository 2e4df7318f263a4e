package validation

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

func TestLedgerThatFailsIsNeverAYes(t *testing.T) {
	s := newShop(t)
	f := &faulty{lister: s.ledger}
	s.Ledger = f
	r := Request{URL: s.card.Tap(), Retry: &Retry{"shop", retryKey("k")}}

	f.before = ledger.ErrUnavailable
	_, err := s.Update(t.Context(), r)
	require.ErrorIs(t, err, ledger.ErrUnavailable)
	assert.Empty(t, s.recorded())

	f.before, f.after = nil, ledger.ErrUncertain
	v, err := s.Update(t.Context(), r)
	require.ErrorIs(t, err, ledger.ErrUncertain)
	assert.False(t, v.Code == Recorded)

	f.after = nil
	v = s.update(r)
	assert.Equal(t, Recorded, v.Code, "the same request finds its own record")
	assert.True(t, v.Replayed)
	assert.Len(t, s.recorded(), 1)

	s.Random = noRandom{}
	_, err = s.Update(t.Context(), Request{URL: s.card.Tap()})
	require.Error(t, err)
	assert.Len(t, s.recorded(), 1)
}

func TestShortRetryKeyIsRefused(t *testing.T) {
	s := newShop(t)
	url := s.card.Tap()
	for _, key := range []string{"", "x", strings.Repeat("x", minRetryKey-1)} {
		_, err := s.Update(t.Context(), Request{URL: url, Retry: &Retry{Key: key}})
		require.ErrorIs(t, err, ErrRetryKey)
	}
	assert.Empty(t, s.recorded())
}

func TestRetryFindsItsReceiptWhateverBecameOfTheCard(t *testing.T) {
	s := newShop(t)
	r := Request{URL: s.card.Tap(), Retry: &Retry{"shop", retryKey("a")}}
	first := s.update(r)
	require.Equal(t, Recorded, first.Code)
	s.taps = s.taps.After(first.Message)
	s.putInState(record.StateRevoked)
	again := s.update(r)
	assert.Equal(t, Recorded, again.Code)
	assert.True(t, again.Replayed)
	assert.Equal(t, Revoked, s.update(Request{URL: r.URL}).Code)
	assert.Equal(t, Revoked, s.update(Request{URL: s.card.Tap(), Retry: &Retry{"shop", retryKey("b")}}).Code)
}

// TestLedgerPutBackIsNoticed takes a ledger back behind what the registry has folded: the used tap must not be good again.
func TestLedgerPutBackIsNoticed(t *testing.T) {
	s := newShop(t)
	url, old := s.card.Tap(), s.ledger
	head, err := old.Head(t.Context(), s.taps.ID())
	require.NoError(t, err)
	require.Equal(t, Recorded, s.update(Request{URL: url}).Code)
	require.NoError(t, s.Registry.SyncChannel(t.Context(), s.taps.ID()))

	s.Ledger = &rolledBack{lister: old, head: head}
	_, err = s.Validate(t.Context(), url)
	require.ErrorIs(t, err, registry.ErrOtherHistory)
	for _, retry := range []*Retry{nil, {"shop", retryKey("a")}} {
		_, err = s.Update(t.Context(), Request{URL: url, Retry: retry})
		require.ErrorIs(t, err, registry.ErrOtherHistory)
	}
	assert.Len(t, s.recorded(), 1)
}

// rolledBack is a ledger whose channels end where one of them ended before.
type rolledBack struct {
	lister
	head ledger.Entry
}

func (r *rolledBack) Head(context.Context, channel.ID) (ledger.Entry, error) { return r.head, nil }

func TestUnreadableHeadIsNoVerdict(t *testing.T) {
	for name, body := range map[string]string{
		"no record":     `hello`,
		"counts back":   `{"kind":"card.later","last":0,"state":"in_service"}`,
		"unknown state": `{"kind":"card.later","last":9,"state":"asleep"}`,
		"must":          `{"kind":"card.later","must":true,"last":9,"state":"in_service"}`,
	} {
		s := newShop(t)
		url := s.card.Tap()
		require.Equal(t, Valid, s.validate(url).Code)
		_, err := s.ledger.Submit(t.Context(), s.taps.Say([]byte(body)))
		require.NoError(t, err)
		_, err = s.Update(t.Context(), Request{URL: url})
		require.ErrorIs(t, err, ErrUnreadable, name)
		assert.NotErrorIs(t, err, record.ErrMalformed, name)
	}
}

// TestAwaitThatFailsIsUncertain has a ledger that takes a message and then cannot say what became of it.
func TestAwaitThatFailsIsUncertain(t *testing.T) {
	s := newShop(t)
	s.Ledger = &slow{lister: s.ledger}
	for _, failure := range []error{ledger.ErrUnavailable, context.Canceled} {
		s.Ledger.(*slow).failure = failure
		_, err := s.Update(t.Context(), Request{URL: s.card.Tap()})
		require.ErrorIs(t, err, ledger.ErrUncertain)
		require.ErrorIs(t, err, failure)
	}
	s.Ledger.(*slow).failure = nil
	assert.Equal(t, Recorded, s.update(Request{URL: s.card.Tap()}).Code)
}

// slow is a ledger that is final only in Await.
type slow struct {
	lister
	failure error
}

func (l *slow) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	r, err := l.lister.Submit(ctx, m)
	r.Phase = ledger.Taken
	return r, err
}

func (l *slow) Await(ctx context.Context, r ledger.Receipt, p ledger.Phase) (ledger.Receipt, error) {
	if l.failure != nil {
		return r, l.failure
	}
	return l.lister.Await(ctx, r, p)
}

// TestRetryThatIsOvertakenFindsItsReceipt has the same request answered in between, after this one looked at the channel and before
// it looks its key up.
func TestRetryThatIsOvertakenFindsItsReceipt(t *testing.T) {
	s := newShop(t)
	other := New(s.Options)
	r := Request{URL: s.card.Tap(), Retry: &Retry{"shop", retryKey("one")}}
	var first Verdict
	s.Hook = func(step string) {
		if step == "head read" && first.Code == "" {
			var err error
			first, err = other.Update(t.Context(), r)
			require.NoError(t, err)
		}
	}
	second := s.update(r)
	require.Equal(t, Recorded, first.Code)
	require.Equal(t, Recorded, second.Code)
	assert.True(t, second.Replayed)
	assert.Equal(t, first.Receipt.Hash, second.Receipt.Hash)
}
