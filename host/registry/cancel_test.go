package registry_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap/taptest"
)

// hangingUp is a ledger that answers a caller at the moment he ends.
type hangingUp struct {
	ledger.Ledger
	cancel context.CancelFunc
}

func (h *hangingUp) Range(ctx context.Context, id channel.ID, from uint64, n int) ([]ledger.Entry, error) {
	entries, err := h.Ledger.Range(ctx, id, from, n)
	h.cancel()
	return entries, err
}

// TestCallerThatEndsLeavesNothingHalf has a caller end in the middle of SyncChannel: what was folded stands with its retry key,
// or not at all.
func TestCallerThatEndsLeavesNothingHalf(t *testing.T) { onBoth(t, callerThatEndsLeavesNothingHalf) }

func callerThatEndsLeavesNothingHalf(t *testing.T, fresh func(testing.TB) string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l := newLedger(t)
	path := fresh(t)
	r := open(t, &hangingUp{l, cancel}, path, nil)
	card, issuer, taps := taptest.NewCard("a"), recordtest.NewChain("issuer"), recordtest.NewChain("taps")
	tell(t, l, issuer.Say(recordtest.Body(recordtest.Opened("issuer"))))
	registered := recordtest.Registered(card, issuer.ID(), taps.ID())
	tell(t, l, issuer.Say(recordtest.Body(registered)))
	require.NoError(t, r.Sync(ctx))
	tell(t, l, taps.Say(recordtest.Body(recordtest.InService(registered.Proof.Counter))))
	tapped := recordtest.Tapped(card, registered.Proof.Counter+1)
	tapped.Retry = "key.request"
	tell(t, l, taps.Say(recordtest.Body(tapped)))

	_ = r.SyncChannel(ctx, taps.ID())
	require.NoError(t, r.Close()) // whatever was still being written is written
	r = open(t, l, path, nil)
	defer r.Close()
	require.NoError(t, r.SyncChannel(t.Context(), taps.ID()))
	number, found, err := r.Retry(t.Context(), taps.ID(), "key")
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, uint64(1), number)
}

// stuck is a ledger that does not answer about one channel while a caller waits.
type stuck struct {
	ledger.Ledger
	on    channel.ID
	asked chan struct{}
}

func (s *stuck) Range(ctx context.Context, id channel.ID, from uint64, n int) ([]ledger.Entry, error) {
	if id != s.on {
		return s.Ledger.Range(ctx, id, from, n)
	}
	s.asked <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestCallerThatEndsTakesNobodyWithHim has two callers give up a mending while a third, with other business, shares their batch.
func TestCallerThatEndsTakesNobodyWithHim(t *testing.T) { onBoth(t, callerThatEndsTakesNobodyWithHim) }

func callerThatEndsTakesNobodyWithHim(t *testing.T, fresh func(testing.TB) string) {
	w := &world{t: t, ledger: newLedger(t), path: fresh(t)}
	l := &stuck{Ledger: w.ledger, asked: make(chan struct{})}
	w.Registry = open(t, l, w.path, w.report)
	defer w.Registry.Close()
	issuer, first, second := recordtest.NewChain("issuer"), recordtest.NewChain("first"), recordtest.NewChain("second")
	cards := []*taptest.Card{taptest.NewCard("a"), taptest.NewCard("b")}
	tell(t, w.ledger, issuer.Say(recordtest.Body(recordtest.Opened("issuer"))))
	for i, taps := range []*recordtest.Chain{first, second} {
		registered := recordtest.Registered(cards[i], issuer.ID(), taps.ID())
		tell(t, w.ledger, issuer.Say(recordtest.Body(registered)))
		tell(t, w.ledger, taps.Say(recordtest.Body(recordtest.InService(registered.Proof.Counter))))
	}
	require.NoError(t, w.Sync(t.Context()))
	tell(t, w.ledger, second.Say(recordtest.Body(recordtest.Tapped(cards[1], cards[1].Counter+1))))
	id := first.ID()
	w.alter("UPDATE heads SET state = 'revoked' WHERE taps = $1", id[:])
	l.on = id

	giveUp := func() context.CancelFunc {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = w.Registry.Card(ctx, cards[0].ID()) }()
		return cancel
	}
	firstEnds := giveUp()
	<-l.asked
	secondEnds := giveUp() // waits for the next batch, as the third does
	other := make(chan error, 1)
	go func() { other <- w.SyncChannel(t.Context(), second.ID()) }()
	firstEnds()
	<-l.asked
	secondEnds()
	require.NoError(t, <-other)
}
