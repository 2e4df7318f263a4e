package ledgertest

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

func (s *suite) info(t *testing.T, u Under) {
	info, err := u.Ledger.Info(context.Background())
	require.NoError(t, err)
	for name, text := range map[string]string{"kind": info.Kind, "origin": info.Origin, "verifier key": info.VerifierKey,
		"uniqueness": info.Uniqueness, "retention": info.Retention, "finality": info.Finality} {
		assert.NotEmpty(t, text, name)
	}
	assert.Greater(t, info.MaxMessage, 1000)
	assert.GreaterOrEqual(t, info.Highest, ledger.Final)
	newChain(t, u, channel.Public).write(t, u, "one")
	assert.Equal(t, info.Size+1, size(t, u.Ledger))
}

func (s *suite) submitRecords(t *testing.T, u Under) {
	for _, mode := range []channel.Mode{channel.Public, channel.Restricted} {
		c := newChain(t, u, mode)
		var want []channel.Hash
		for range 3 {
			m, r := c.write(t, u, "body")
			requireReceipt(t, u, m, r)
			head, err := u.Ledger.Head(context.Background(), c.id())
			require.NoError(t, err)
			assert.Equal(t, m.Bytes(), head.Message.Bytes())
			assert.Equal(t, r, head.Receipt(r.Ledger, r.Phase, r.Proof))

			text, err := json.Marshal(r)
			require.NoError(t, err)
			var again ledger.Receipt
			require.NoError(t, json.Unmarshal(text, &again))
			assert.Equal(t, r, again)
			want = append(want, m.Hash())
		}
		requireChain(t, u, c.id(), mode, want...)
	}
}

func (s *suite) submitRefuses(t *testing.T, u Under) {
	empty, c := newChain(t, u, channel.Public), newChain(t, u, channel.Public)
	first, _ := c.write(t, u, "first")
	second, _ := c.write(t, u, "second")
	seed := channel.Seed{}
	copy(seed[:], t.Name())
	stranger := channel.NewAuthor(seed, channel.Public)

	var otherMode channel.Seed
	copy(otherMode[:], second.Hash().String())
	public, restricted := channel.NewAuthor(otherMode, channel.Public), channel.NewAuthor(otherMode, channel.Restricted)
	require.NoError(t, u.List(context.Background(), public.Channel()))
	begun := sign(t, public, 0, channel.Hash{}, "first")
	_, err := record(u.Ledger, begun)
	require.NoError(t, err)

	before := size(t, u.Ledger)
	for name, row := range map[string]struct {
		message channel.Message
		want    error
	}{
		"no message":                 {channel.Message{}, channel.ErrMalformed},
		"no payload":                 {channel.Tombstone(c.sign(t, "body").Stub()), channel.ErrRemoved},
		"channel not listed":         {sign(t, stranger, 0, channel.Hash{}, "body"), ledger.ErrNotListed},
		"second message first":       {sign(t, empty.author, 1, channel.Hash{1}, "body"), channel.ErrBrokenChain},
		"number left out":            {sign(t, c.author, 3, c.prev, "body"), channel.ErrBrokenChain},
		"last possible number":       {sign(t, c.author, math.MaxUint64, c.prev, "body"), channel.ErrBrokenChain},
		"previous of the previous":   {sign(t, c.author, 2, first.Hash(), "body"), channel.ErrBrokenChain},
		"no previous":                {sign(t, c.author, 2, channel.Hash{}, "body"), channel.ErrBrokenChain},
		"restricted in public chain": {sign(t, restricted, 1, begun.Hash(), "body"), channel.ErrBrokenChain},
	} {
		_, err := record(u.Ledger, row.message)
		assert.ErrorIs(t, err, row.want, name)
	}
	assert.Equal(t, before, size(t, u.Ledger))
	requireChain(t, u, empty.id(), channel.Public)
	requireChain(t, u, c.id(), channel.Public, first.Hash(), second.Hash())
	requireChain(t, u, public.Channel(), channel.Public, begun.Hash())
}

// submitRefusesForeignSignature: nobody but the author writes a channel. What
// another signed for it does not become a Message; what it signs itself belongs to
// its own channel.
func (s *suite) submitRefusesForeignSignature(t *testing.T, u Under) {
	victim, thief := newChain(t, u, channel.Public), newChain(t, u, channel.Public)
	forged := victim.sign(t, "body").Bytes()
	stolen := thief.sign(t, "body").Bytes()
	copy(forged[len(forged)-ed25519.SignatureSize:], stolen[len(stolen)-ed25519.SignatureSize:])
	_, err := channel.Parse(forged)
	require.ErrorIs(t, err, channel.ErrBadSignature)

	thief.write(t, u, "body")
	requireChain(t, u, victim.id(), channel.Public)
}

func (s *suite) submitRefusesOversize(t *testing.T, u Under) {
	info, err := u.Ledger.Info(context.Background())
	require.NoError(t, err)
	for _, mode := range []channel.Mode{channel.Public, channel.Restricted} {
		for _, length := range []int{channel.MaxBody, channel.MaxBody / 2, 0} {
			c := newChain(t, u, mode)
			m := c.sign(t, strings.Repeat("x", length))
			r, err := record(u.Ledger, m)
			if len(m.Bytes()) > info.MaxMessage {
				require.ErrorIs(t, err, ledger.ErrTooLarge)
				requireChain(t, u, c.id(), mode)
				continue
			}
			require.NoError(t, err)
			requireReceipt(t, u, m, r)
			requireChain(t, u, c.id(), mode, m.Hash())
		}
		_, err := newChain(t, u, mode).author.Sign(channel.Draft{Body: make([]byte, channel.MaxBody+1)})
		require.ErrorIs(t, err, channel.ErrMalformed)
	}
}

func (s *suite) equivocation(t *testing.T, u Under) {
	c := newChain(t, u, channel.Public)
	var receipts []ledger.Receipt
	var hashes []channel.Hash
	for range 3 {
		m, r := c.write(t, u, "the first")
		receipts, hashes = append(receipts, r), append(hashes, m.Hash())
	}
	before := size(t, u.Ledger)
	for n, winner := range receipts {
		var prev channel.Hash
		if n > 0 {
			prev = hashes[n-1]
		}
		_, err := record(u.Ledger, sign(t, c.author, uint64(n), prev, "the second"))
		requireConflict(t, err, winner)
	}
	assert.Equal(t, before, size(t, u.Ledger))
	requireChain(t, u, c.id(), channel.Public, hashes...)
}

func (s *suite) resubmission(t *testing.T, u Under) {
	c := newChain(t, u, channel.Restricted)
	var messages []channel.Message
	var receipts []ledger.Receipt
	for range 3 {
		m, r := c.write(t, u, "body")
		messages, receipts = append(messages, m), append(receipts, r)
	}
	before := size(t, u.Ledger)
	for i, m := range messages {
		parsed, err := channel.Parse(m.Bytes())
		require.NoError(t, err)
		again, err := record(u.Ledger, parsed)
		require.NoError(t, err)
		requireSame(t, u, m, receipts[i], again)
	}
	assert.Equal(t, before, size(t, u.Ledger))
}

func (s *suite) listedTwice(t *testing.T, u Under) {
	c := newChain(t, u, channel.Public)
	first, _ := c.write(t, u, "first")
	require.NoError(t, u.List(context.Background(), c.id(), c.id()))
	second, _ := c.write(t, u, "second")
	requireChain(t, u, c.id(), channel.Public, first.Hash(), second.Hash())
	require.NoError(t, u.List(context.Background()))
}
