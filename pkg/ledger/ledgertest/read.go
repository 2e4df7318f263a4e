package ledgertest

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

func (s *suite) await(t *testing.T, u Under) {
	ctx := context.Background()
	c, empty := newChain(t, u, channel.Public), newChain(t, u, channel.Public)
	m, first := c.write(t, u, "body")
	c.write(t, u, "more")

	bare := ledger.Receipt{Channel: first.Channel, Number: first.Number, Hash: first.Hash}
	for _, phase := range []ledger.Phase{ledger.Taken, ledger.Final} {
		again, err := u.Ledger.Await(ctx, bare, phase)
		require.NoError(t, err)
		requireSame(t, u, m, first, again)
	}

	info, err := u.Ledger.Info(ctx)
	require.NoError(t, err)
	_, err = u.Ledger.Await(ctx, bare, info.Highest+1)
	assert.ErrorIs(t, err, ledger.ErrNoPhase)

	other := bare
	other.Hash[0] ^= 1
	_, err = u.Ledger.Await(ctx, other, ledger.Final)
	requireConflict(t, err, first)

	other = bare
	other.Number = 2
	_, err = u.Ledger.Await(ctx, other, ledger.Final)
	assert.ErrorIs(t, err, ledger.ErrNoMessage)

	other.Channel = empty.id()
	_, err = u.Ledger.Await(ctx, other, ledger.Final)
	assert.ErrorIs(t, err, ledger.ErrNoChannel)
}

func (s *suite) headAndRange(t *testing.T, u Under) {
	ctx := context.Background()
	c, empty := newChain(t, u, channel.Public), newChain(t, u, channel.Public)
	var hashes []channel.Hash
	for range 5 {
		m, _ := c.write(t, u, "body")
		hashes = append(hashes, m.Hash())
	}
	for _, row := range []struct {
		from uint64
		n    int
		want []channel.Hash
	}{
		{0, 5, hashes}, {0, 6, hashes}, {0, math.MaxInt, hashes},
		{0, 1, hashes[:1]}, {2, 2, hashes[2:4]}, {4, 1, hashes[4:]}, {4, 9, hashes[4:]},
		{5, 1, nil}, {6, 1, nil}, {math.MaxUint64, math.MaxInt, nil},
		{0, 0, nil}, {0, -1, nil}, {2, math.MinInt, nil},
	} {
		entries, err := u.Ledger.Range(ctx, c.id(), row.from, row.n)
		require.NoError(t, err, "from %d, %d", row.from, row.n)
		var got []channel.Hash
		for _, e := range entries {
			got = append(got, e.Message.Hash())
		}
		assert.Equal(t, row.want, got, "from %d, %d", row.from, row.n)
	}
	for _, id := range []channel.ID{empty.id(), {1}} {
		_, err := u.Ledger.Head(ctx, id)
		assert.ErrorIs(t, err, ledger.ErrNoChannel)
		_, err = u.Ledger.Range(ctx, id, 0, 1)
		assert.ErrorIs(t, err, ledger.ErrNoChannel)
	}
}

// prove asks for the proof of each message while the ledger grows over sizes that
// are powers of two and others.
func (s *suite) prove(t *testing.T, u Under) {
	ctx := context.Background()
	c, other := newChain(t, u, channel.Public), newChain(t, u, channel.Restricted)
	var messages []channel.Message
	var receipts []ledger.Receipt
	for range 9 {
		m, r := c.write(t, u, "body")
		other.write(t, u, "body")
		messages, receipts = append(messages, m), append(receipts, r)
		for i, m := range messages {
			proof, err := u.Ledger.Prove(ctx, c.id(), uint64(i))
			require.NoError(t, err)
			verified, err := u.Policy.Verify(m, proof)
			require.NoError(t, err)
			requireSame(t, u, m, receipts[i], verified)
		}
	}
	foreign := sign(t, c.author, 3, messages[2].Hash(), "never recorded")
	_, err := u.Policy.Verify(foreign, receipts[3].Proof)
	assert.ErrorIs(t, err, ledger.ErrInvalidProof)
	_, err = u.Policy.Verify(messages[4], receipts[3].Proof)
	assert.ErrorIs(t, err, ledger.ErrInvalidProof)
	_, err = ledger.Policy{}.Verify(messages[3], receipts[3].Proof)
	assert.ErrorIs(t, err, ledger.ErrInvalidProof)

	_, err = u.Ledger.Prove(ctx, c.id(), 9)
	assert.ErrorIs(t, err, ledger.ErrNoMessage)
	_, err = u.Ledger.Prove(ctx, newChain(t, u, channel.Public).id(), 0)
	assert.ErrorIs(t, err, ledger.ErrNoChannel)
}

// tamper flips each bit of a proof and of a message.
func (s *suite) tamper(t *testing.T, u Under) {
	c := newChain(t, u, channel.Public)
	m, r := c.write(t, u, `{"kind":"tap"}`)
	for range 4 {
		newChain(t, u, channel.Public).write(t, u, "neighbour")
	}
	proof, err := u.Ledger.Prove(context.Background(), c.id(), m.Number())
	require.NoError(t, err)
	requireReceipt(t, u, m, r)

	for i := range proof.Text {
		s.tampered.Add(1)
		for bit := range 8 {
			text := bytes.Clone(proof.Text)
			text[i] ^= 1 << bit
			_, err := u.Policy.Verify(m, ledger.Proof{Kind: proof.Kind, Text: text})
			s.refused(t, err, "proof byte %d", i)
		}
	}
	for i := range m.Bytes() {
		s.tampered.Add(1)
		for bit := range 8 {
			raw := m.Bytes()
			raw[i] ^= 1 << bit
			parsed, err := channel.Parse(raw)
			if err == nil {
				_, err = u.Policy.Verify(parsed, proof)
			}
			s.refused(t, err, "message byte %d", i)
		}
	}
}

// refused checks that something tampered was.
func (s *suite) refused(t *testing.T, err error, what string, args ...any) {
	if err == nil {
		s.accepted.Add(1)
	}
	assert.Error(t, err, append([]any{what}, args...)...)
}

func (s *suite) cancelled(t *testing.T, u Under) {
	c := newChain(t, u, channel.Public)
	_, r := c.write(t, u, "body")
	next := c.sign(t, "next")
	before := size(t, u.Ledger)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, call := range map[string]func() error{
		"Info":   func() error { _, err := u.Ledger.Info(ctx); return err },
		"Submit": func() error { _, err := u.Ledger.Submit(ctx, next); return err },
		"Await":  func() error { _, err := u.Ledger.Await(ctx, r, ledger.Final); return err },
		"Head":   func() error { _, err := u.Ledger.Head(ctx, c.id()); return err },
		"Range":  func() error { _, err := u.Ledger.Range(ctx, c.id(), 0, 1); return err },
		"Prove":  func() error { _, err := u.Ledger.Prove(ctx, c.id(), 0); return err },
		"Follow": func() error { return u.Ledger.Follow(ctx, ledger.Position{}, deliverNothing(t)) },
		"List":   func() error { return u.List(ctx, channel.ID{1}) },
	} {
		assert.ErrorIs(t, call(), context.Canceled, name)
	}
	assert.Equal(t, before, size(t, u.Ledger))
	_, err := record(u.Ledger, next)
	require.NoError(t, err)
}

// deliverNothing fails the test when it is called.
func deliverNothing(t *testing.T) func([]ledger.Entry, ledger.Position) error {
	return func(entries []ledger.Entry, _ ledger.Position) error {
		t.Errorf("%d entries delivered", len(entries))
		return ledger.ErrStop
	}
}
