package validation

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
)

func TestTheLastWordIsAskedForBeforeEachTry(t *testing.T) {
	s := newShop(t)
	url := s.card.Tap()
	var seen []string
	decide := func(_ context.Context, v Verdict) (Decision, error) {
		seen = append(seen, v.Settings)
		return Decision{Payload: json.RawMessage(`{"by":"decide"}`), Operator: "anna"}, nil
	}
	s.Hook = func(step string) {
		if step == "signed" && len(seen) == 1 { // somebody else's message takes the number
			s.say(s.taps, recordtest.Configured(1, channel.Hash{7}))
		}
	}
	v := s.update(Request{URL: url, Payload: json.RawMessage(`"asked"`), Operator: "berta", Decide: decide})
	require.Equal(t, Recorded, v.Code)
	assert.Equal(t, []string{"", channel.Hash{7}.String()}, seen)
	body := s.recorded()[0]
	assert.Equal(t, `{"by":"decide"}`, string(body.Payload))
	assert.Equal(t, "anna", body.Operator)
	assert.Equal(t, channel.Hash{7}.String(), body.Settings)
}

func TestWhatIsNoGoodTapIsNotAskedAbout(t *testing.T) {
	s := newShop(t)
	used := s.card.Tap()
	require.Equal(t, Recorded, s.update(Request{URL: used}).Code)
	ask := func(context.Context, Verdict) (Decision, error) {
		t.Error("asked")
		return Decision{}, nil
	}
	assert.Equal(t, AlreadyUsed, s.update(Request{URL: used, Decide: ask}).Code)
	assert.Equal(t, MalformedURL, s.update(Request{URL: "x", Decide: ask}).Code)
}

func TestALastWordThatIsNo(t *testing.T) {
	s := newShop(t)
	url, broken := s.card.Tap(), errors.New("broken")
	v := s.update(Request{URL: url, Decide: func(context.Context, Verdict) (Decision, error) { return Decision{Refuse: "not_today"}, nil }})
	assert.Equal(t, Code("not_today"), v.Code)
	_, err := s.Update(t.Context(), Request{URL: url, Decide: func(context.Context, Verdict) (Decision, error) { return Decision{}, broken }})
	assert.ErrorIs(t, err, broken)
	assert.Empty(t, s.recorded())
}

func TestARetryIsOfOneOperator(t *testing.T) {
	s := newShop(t)
	r := Request{URL: s.card.Tap(), Operator: "anna", Retry: &Retry{"web", retryKey("a")}}
	require.Equal(t, Recorded, s.update(r).Code)
	assert.Equal(t, "anna", s.recorded()[0].Operator)
	assert.True(t, s.update(r).Replayed)
	r.Operator = "berta"
	assert.Equal(t, RetryMismatch, s.update(r).Code)
	r.Operator = ""
	assert.Equal(t, RetryMismatch, s.update(r).Code)
}

func TestRecordedFindsATap(t *testing.T) {
	s := newShop(t)
	s.card.Tap()
	require.Equal(t, Recorded, s.update(Request{URL: s.card.Tap()}).Code) // 3; 2 is skipped
	s.say(s.taps.After(s.head()), recordtest.Configured(3, channel.Hash{1}))
	require.NoError(t, s.Registry.Sync(t.Context()))
	card, err := s.Registry.Card(t.Context(), s.card.ID())
	require.NoError(t, err)
	for counter, want := range map[uint32]bool{0: false, 1: false, 2: false, 3: true, 4: false} {
		e, found, err := s.Service.Recorded(t.Context(), card, counter)
		require.NoError(t, err)
		assert.Equal(t, want, found, counter)
		if found {
			_, is := tapIn(e, tap.URL{Counter: counter})
			assert.True(t, is)
		}
	}
	_, found, err := s.Service.Recorded(t.Context(), record.Card{Taps: channel.ID{9}}, 1)
	require.NoError(t, err)
	assert.False(t, found)
}

// head is the newest message of the tap channel.
func (s *shop) head() channel.Message {
	e, err := s.ledger.Head(context.Background(), s.taps.ID())
	require.NoError(s.t, err)
	return e.Message
}
