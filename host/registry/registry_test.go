package registry_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

func TestTheRegistryFollowsTheLedger(t *testing.T) { onBoth(t, theRegistryFollowsTheLedger) }

func theRegistryFollowsTheLedger(t *testing.T, fresh func(testing.TB) string) {
	w, ctx := newWorld(t, fresh), context.Background()
	issuer, lives := w.populate("a", "b")
	a := lives[0]

	card, err := w.Card(ctx, a.card.ID())
	require.NoError(t, err)
	assert.Equal(t, uint32(4), card.Last)
	assert.Equal(t, record.StateInService, card.State)
	assert.True(t, card.Key.Equal(a.card.Key()))
	assert.Equal(t, a.card.Template, card.Template)
	assert.Equal(t, issuer.ID(), card.Issuer)

	_, err = w.Card(ctx, taptest.NewCard("nobody").ID())
	assert.ErrorIs(t, err, registry.ErrUnknownCard)
	_, err = w.Issuer(ctx, a.taps.ID())
	assert.ErrorIs(t, err, registry.ErrUnknownIssuer)
	opened, err := w.Issuer(ctx, issuer.ID())
	require.NoError(t, err)
	assert.Equal(t, "issuer", opened.Name)

	w.tell(a.tapped(9))
	w.sync()
	card, err = w.Card(ctx, a.card.ID())
	require.NoError(t, err)
	assert.Equal(t, uint32(9), card.Last)
	assert.Empty(t, w.named())
}

func TestSyncChannelReadsOneChannelAhead(t *testing.T) { onBoth(t, syncChannelReadsOneChannelAhead) }

func syncChannelReadsOneChannelAhead(t *testing.T, fresh func(testing.TB) string) {
	w, ctx := newWorld(t, fresh), context.Background()
	_, lives := w.populate("a", "b")
	w.tell(lives[1].tapped(7))
	w.tell(lives[0].tapped(8))
	require.NoError(t, w.SyncChannel(ctx, lives[0].taps.ID()))

	ahead, err := w.Card(ctx, lives[0].card.ID())
	require.NoError(t, err)
	behind, err := w.Card(ctx, lives[1].card.ID())
	require.NoError(t, err)
	assert.Equal(t, []uint32{8, 4}, []uint32{ahead.Last, behind.Last})

	w.sync()
	want, _ := folded(t, w.ledger)
	assert.Equal(t, want, w.dump())
	require.NoError(t, w.SyncChannel(ctx, channel.ID{1}), "a channel without messages")
	assert.Empty(t, w.named())
}

func TestSyncChannelOfACardThatIsNewOnTheLedger(t *testing.T) {
	onBoth(t, syncChannelOfACardThatIsNewOnTheLedger)
}

func syncChannelOfACardThatIsNewOnTheLedger(t *testing.T, fresh func(testing.TB) string) {
	w, ctx := newWorld(t, fresh), context.Background()
	issuer, _ := w.populate()
	l := life{taptest.NewCard("late"), recordtest.NewChain("late")}
	w.tell(issuer.Say(recordtest.Body(recordtest.Registered(l.card, issuer.ID(), l.taps.ID()))))
	w.tell(l.taps.Say(recordtest.Body(recordtest.InService(1))))
	require.NoError(t, w.SyncChannel(ctx, l.taps.ID()))
	card, err := w.Card(ctx, l.card.ID())
	require.NoError(t, err)
	assert.Equal(t, record.StateInService, card.State)
}

func TestARetryKeyLeadsToItsFirstMessage(t *testing.T) { onBoth(t, aRetryKeyLeadsToItsFirstMessage) }

func aRetryKeyLeadsToItsFirstMessage(t *testing.T, fresh func(testing.TB) string) {
	w, ctx := newWorld(t, fresh), context.Background()
	_, lives := w.populate("a", "b")
	again := recordtest.Tapped(lives[0].card, 9)
	again.Retry = "key-2.another request"
	w.tell(lives[0].taps.Say(recordtest.Body(again)))
	invented := recordtest.Tapped(lives[0].card, 10)
	invented.Retry, invented.Signature[0] = "key-10.request", invented.Signature[0]^1
	w.tell(lives[0].taps.Say(recordtest.Body(invented)))
	w.sync()

	for key, want := range map[string]uint64{"key-2": 1, "key-3": 2, "key-4": 3} {
		number, found, err := w.Retry(ctx, lives[0].taps.ID(), key)
		require.NoError(t, err)
		assert.True(t, found, key)
		assert.Equal(t, want, number, key)
	}
	for _, key := range []string{"key-9", "key-10", ""} {
		_, found, err := w.Retry(ctx, lives[0].taps.ID(), key)
		require.NoError(t, err)
		assert.False(t, found, key)
	}
	_, found, err := w.Retry(ctx, channel.ID{1}, "key-2")
	require.NoError(t, err)
	assert.False(t, found)
	assert.Empty(t, w.named())
}

// A registry that follows a random history in random steps, is closed and opened, rebuilt and used by two processes, holds what
// record.Map holds.
// Text of a ledger is anybody's: also with a character that PostgreSQL has not.
func TestTextWithNulIsFolded(t *testing.T) { onBoth(t, textWithNul) }

func textWithNul(t *testing.T, fresh func(testing.TB) string) {
	w := newWorld(t, fresh)
	_, lives := w.populate("a")
	tapped := recordtest.Tapped(lives[0].card, 9)
	tapped.Retry = "key\x00.request"
	w.tell(lives[0].taps.Say(recordtest.Body(tapped)))
	w.tell(lives[0].taps.Say([]byte(`{"kind":"a\u0000b"}`)))
	w.sync()
	number, found, err := w.Retry(context.Background(), lives[0].taps.ID(), "key\x00")
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, uint64(4), number)
	want, _ := folded(t, w.ledger)
	assert.Equal(t, want, w.dump())
	assert.Contains(t, want, `a\u0000b`)
	assert.Empty(t, w.named())
}

func TestEveryHistoryFoldsTheSame(t *testing.T) { onBoth(t, everyHistoryFoldsTheSame) }

func everyHistoryFoldsTheSame(outer *testing.T, fresh func(testing.TB) string) {
	rapid.Check(outer, func(t *rapid.T) {
		ctx := context.Background()
		l := newLedger(t)
		path := fresh(outer)
		report := func(found registry.Tampered) { t.Fatalf("nobody altered anything: %v", found) }
		one, two := open(t, l, path, report), open(t, l, path, report)
		defer func() { require.NoError(t, errors.Join(one.Close(), two.Close())) }()
		h := recordtest.History{Choose: func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }}
		for range rapid.IntRange(1, 40).Draw(t, "messages") {
			tell(t, l, h.Next())
			switch rapid.IntRange(0, 9).Draw(t, "then") {
			case 0:
				require.NoError(t, one.Sync(ctx))
			case 1:
				require.NoError(t, two.Sync(ctx))
			case 2, 3:
				for _, life := range h.Cards() {
					require.NoError(t, two.SyncChannel(ctx, life.Chain.ID()))
				}
			case 4:
				if rapid.IntRange(0, 3).Draw(t, "rebuild") == 0 {
					require.NoError(t, one.Rebuild(ctx))
				}
			}
		}
		require.NoError(t, two.Sync(ctx))
		want, ignored := folded(t, l)
		require.Equal(t, want, dump(t, one))
		got, err := two.Ignored(ctx)
		require.NoError(t, err)
		require.Equal(t, ignored, got)
		require.NoError(t, two.Rebuild(ctx))
		require.Equal(t, want, dump(t, one))
		got, err = one.Ignored(ctx)
		require.NoError(t, err)
		require.Equal(t, ignored, got)
	})
}

func TestTheDumpHoldsNoSecretAndNoSeal(t *testing.T) { onBoth(t, theDumpHoldsNoSecretAndNoSeal) }

func theDumpHoldsNoSecretAndNoSeal(t *testing.T, fresh func(testing.TB) string) {
	w := newWorld(t, fresh)
	w.populate("a")
	text := w.dump()
	assert.NotContains(t, text, "mac")
	assert.NotContains(t, text, "key-2")
	assert.Contains(t, text, `"last":4`)
}

// A ledger that was cut, put back from an old copy, or written anew.
func TestALedgerThatLostHistoryIsRefused(t *testing.T) { onBoth(t, aLedgerThatLostHistoryIsRefused) }

func aLedgerThatLostHistoryIsRefused(t *testing.T, fresh func(testing.TB) string) {
	ctx := context.Background()
	for _, messages := range []int{0, 5, 6, 30} {
		t.Run(fmt.Sprint(messages, " messages"), func(t *testing.T) {
			w := newWorld(t, fresh)
			_, lives := w.populate("a") // 6 messages
			want := w.dump()
			other := newLedger(t)
			stranger := recordtest.NewChain("stranger")
			for range messages {
				tell(t, other, stranger.Say([]byte(`{"kind":"weather"}`)))
			}
			taps := recordtest.NewChain("a")
			for range 4 { // as many as the card's channel has
				tell(t, other, taps.Say([]byte(`{"kind":"weather"}`)))
			}
			r := open(t, other, w.path, w.report)
			defer r.Close()
			assert.ErrorIs(t, r.Sync(ctx), registry.ErrOtherHistory)
			assert.ErrorIs(t, r.SyncChannel(ctx, lives[0].taps.ID()), registry.ErrOtherHistory)
			assert.Equal(t, want, dump(t, r))
			require.NoError(t, r.Rebuild(ctx))
			assert.Empty(t, dump(t, r))
		})
	}
}

func TestManyReadersAndWritersAtOnce(t *testing.T) { onBoth(t, manyReadersAndWritersAtOnce) }

func manyReadersAndWritersAtOnce(t *testing.T, fresh func(testing.TB) string) {
	w, ctx := newWorld(t, fresh), context.Background()
	_, lives := w.populate("a", "b", "c", "d")
	other := open(t, w.ledger, w.path, w.report)
	defer other.Close()
	var all sync.WaitGroup
	for i, l := range lives {
		for _, r := range []*registry.Registry{w.Registry, other} {
			all.Go(func() {
				for counter := uint32(10); counter < 30; counter++ {
					if (i%2 == 0) == (r == other) {
						w.tell(l.tapped(counter))
					}
					assert.NoError(t, r.SyncChannel(ctx, l.taps.ID()))
					assert.NoError(t, r.Sync(ctx))
					_, err := r.Card(ctx, l.card.ID())
					assert.NoError(t, err)
					_, err = r.Card(ctx, tap.CardID{byte(i)})
					assert.ErrorIs(t, err, registry.ErrUnknownCard)
				}
			})
		}
	}
	all.Wait()
	want, _ := folded(t, w.ledger)
	assert.Equal(t, want, w.dump())
	assert.Empty(t, w.named())
}
