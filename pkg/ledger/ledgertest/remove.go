package ledgertest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// RunRemoval tests Under.Remove alone.
func RunRemoval(t *testing.T, u Under) { (&suite{}).remove(t, u) }

// remove takes payloads away and asks every way that reads: each message stays in its
// place, its proof holds, and what it carried is nowhere.
func (s *suite) remove(t *testing.T, u Under) {
	ctx := context.Background()
	for _, mode := range []channel.Mode{channel.Public, channel.Restricted} {
		begin := end(t, u.Ledger)
		c := newChain(t, u, mode)
		var messages []channel.Message
		for range 5 {
			m, _ := c.write(t, u, "a name")
			messages = append(messages, m)
		}
		for _, n := range []uint64{0, 2, 2} { // the same again changes nothing
			require.NoError(t, u.Remove(ctx, c.id(), n))
		}
		requireRemoved(t, u, begin, messages, 0, 2)
		assert.ErrorIs(t, u.Remove(ctx, c.id(), 4), ledger.ErrKept, "the newest")
		assert.ErrorIs(t, u.Remove(ctx, c.id(), 5), ledger.ErrNoMessage)
		assert.ErrorIs(t, u.Remove(ctx, newChain(t, u, mode).id(), 0), ledger.ErrNoChannel)
		requireRemoved(t, u, begin, messages, 0, 2)

		// Whoever still has the message is told that it is recorded, and brings nothing back.
		_, err := record(u.Ledger, messages[2])
		require.NoError(t, err)
		_, err = record(u.Ledger, channel.Tombstone(messages[3].Stub()))
		assert.ErrorIs(t, err, channel.ErrRemoved)
		_, err = record(u.Ledger, sign(t, c.author, 2, messages[1].Hash(), "another"))
		var conflict *ledger.Conflict
		require.ErrorAs(t, err, &conflict)
		assert.True(t, conflict.Winner.Message.Removed())
		c.write(t, u, "after")
		requireRemoved(t, u, begin, messages, 0, 2)
		if u.Reopen != nil {
			u = u.Reopen(t)
			requireRemoved(t, u, begin, messages, 0, 2)
		}
	}
}

// requireRemoved checks that the messages with these numbers, and no others, are
// without payload, whoever asks.
func requireRemoved(t *testing.T, u Under, begin ledger.Position, messages []channel.Message, removed ...uint64) {
	t.Helper()
	ctx, id := context.Background(), messages[0].Channel()
	want := append([]channel.Message(nil), messages...)
	for _, n := range removed {
		want[n] = channel.Tombstone(want[n].Stub())
	}
	entries, err := u.Ledger.Range(ctx, id, 0, len(want))
	require.NoError(t, err)
	followed, _ := collect(t, u.Ledger, begin)
	for n, m := range want {
		assert.Equal(t, m, entries[n].Message)
		assert.Equal(t, m, followed[n].Message)
		proof, err := u.Ledger.Prove(ctx, id, uint64(n))
		require.NoError(t, err)
		for _, form := range []channel.Message{m, messages[n]} {
			r, err := u.Policy.Verify(form, proof)
			require.NoError(t, err)
			assert.Equal(t, messages[n].Hash(), r.Hash)
		}
		r, err := u.Ledger.Await(ctx, ledger.Receipt{Channel: id, Number: uint64(n), Hash: m.Hash()}, ledger.Final)
		require.NoError(t, err)
		assert.Equal(t, entries[n].Index, r.Index)
	}
}
