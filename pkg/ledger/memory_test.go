package ledger_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// TestMemoryTimeNeverGoesBack: the log's clock may be set back, the log's time not.
func TestMemoryTimeNeverGoesBack(t *testing.T) {
	ctx, author := context.Background(), channel.NewAuthor(channel.Seed{1}, channel.Public)
	clock := []time.Time{recorded.Add(999 * time.Microsecond), recorded.Add(-time.Hour), recorded.Add(time.Second)}
	l := ledger.NewMemory(origin, signer(t, signerKey), func() time.Time {
		now := clock[0]
		clock = clock[1:]
		return now.In(time.FixedZone("elsewhere", 3600))
	})
	require.NoError(t, l.List(ctx, author.Channel()))
	draft := channel.Draft{Time: recorded}
	for _, want := range []time.Time{recorded, recorded, recorded.Add(time.Second)} {
		m, err := author.Sign(draft)
		require.NoError(t, err)
		r, err := l.Submit(ctx, m)
		require.NoError(t, err)
		assert.Equal(t, want, r.Time)
		draft.Number, draft.Prev = draft.Number+1, m.Hash()
	}
}

// TestMemoryFollowsInBatches: a long log comes in parts, each with the position behind it.
func TestMemoryFollowsInBatches(t *testing.T) {
	l, _ := written(t, channel.Public)
	var positions []ledger.Position
	next := uint64(3)
	err := l.Follow(context.Background(), ledger.Position{Index: next}, func(batch []ledger.Entry, at ledger.Position) error {
		for _, e := range batch {
			assert.Equal(t, next, e.Index)
			next++
		}
		positions = append(positions, at)
		if len(batch) == 0 {
			return ledger.ErrStop
		}
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, []ledger.Position{{Index: 259}, {Index: 515}, {Index: 600}, {Index: 600}}, positions)
}
