package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// reopen returns the ledger after a crash, or as it is where it cannot crash.
func (u Under) reopen(t *testing.T) Under {
	if u.Reopen == nil {
		return u
	}
	return u.Reopen(t)
}

func (s *suite) crash(t *testing.T, u Under) {
	c := newChain(t, u, channel.Restricted)
	first, _ := c.write(t, u, "first")
	m := c.sign(t, "second")
	taken, err := u.Ledger.Submit(context.Background(), m)
	require.NoError(t, err)

	u = u.reopen(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := u.Ledger.Await(ctx, taken, ledger.Final)
	require.NoError(t, err)
	requireReceipt(t, u, m, r)
	requireChain(t, u, c.id(), channel.Restricted, first.Hash(), m.Hash())
}

func (s *suite) restart(t *testing.T, u Under) {
	var chains []*chain
	var hashes [][]channel.Hash
	for i := range 3 {
		c := newChain(t, u, channel.Public)
		hashes = append(hashes, nil)
		for range 3 {
			m, _ := c.write(t, u, "body")
			hashes[i] = append(hashes[i], m.Hash())
		}
		chains = append(chains, c)
	}
	listed := newChain(t, u, channel.Public)
	before, at := collect(t, u.Ledger, ledger.Position{})

	u = u.reopen(t)
	after, last := collect(t, u.Ledger, ledger.Position{})
	assert.Equal(t, before, after)
	assert.Equal(t, at, last)
	for i, c := range append(chains, listed) {
		m, r := c.write(t, u, "after the restart")
		requireReceipt(t, u, m, r)
		if i < len(hashes) {
			requireChain(t, u, c.id(), channel.Public, append(hashes[i], m.Hash())...)
		}
	}
}

// pruned: what the ledger stands on may forget, the ledger does not, and goes on.
func (s *suite) pruned(t *testing.T, u Under) {
	w := newWriter(t, u, 4)
	for _, m := range w.messages {
		r, err := record(u.Ledger, m)
		require.NoError(t, err)
		w.receipts = append(w.receipts, r)
	}
	before, _ := collect(t, u.Ledger, ledger.Position{})
	u.Prune(t)
	for _, u := range []Under{u, u.reopen(t)} {
		w.check(t, u)
		after, _ := collect(t, u.Ledger, ledger.Position{})
		assert.Equal(t, before, after)
		for n, m := range w.messages {
			proof, err := u.Ledger.Prove(context.Background(), w.chain.id(), uint64(n))
			require.NoError(t, err)
			verified, err := u.Policy.Verify(m, proof)
			require.NoError(t, err)
			requireSame(t, u, m, w.receipts[n], verified)
		}
	}
	u = u.reopen(t)
	m, r := w.chain.write(t, u, "after the pruning")
	requireReceipt(t, u, m, r)
}

// cancelledMidway ends the context of a submission a little later each time: what
// came of it is recorded, not known, or not written, and then the number is free.
func (s *suite) cancelledMidway(t *testing.T, u Under) {
	c := newChain(t, u, channel.Public)
	var hashes []channel.Hash
	for round := range 40 {
		m := c.sign(t, fmt.Sprintf("round %d", round))
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Duration(round)*25*time.Microsecond, cancel)
		_, err := u.Ledger.Submit(ctx, m)
		cancel()
		if err != nil && !errors.Is(err, ledger.ErrUncertain) {
			require.ErrorIs(t, err, context.Canceled)
			m = c.sign(t, fmt.Sprintf("round %d once more", round))
		}
		r, err := record(u.Ledger, m)
		require.NoError(t, err)
		requireReceipt(t, u, m, r)
		c.follows(m)
		hashes = append(hashes, m.Hash())
	}
	requireChain(t, u, c.id(), channel.Public, hashes...)
}

func (s *suite) lost(t *testing.T, u Under) {
	c := newChain(t, u, channel.Public)
	first, _ := c.write(t, u, "first")
	m := c.sign(t, "second")
	u.Fail(t, Lost)
	_, err := record(u.Ledger, m)
	require.True(t, isFailure(err), "%v", err)

	u = u.reopen(t)
	requireChain(t, u, c.id(), channel.Public, first.Hash())
	r, err := record(u.Ledger, m)
	require.NoError(t, err)
	requireReceipt(t, u, m, r)
	requireChain(t, u, c.id(), channel.Public, first.Hash(), m.Hash())
}

func (s *suite) stored(t *testing.T, u Under) {
	c := newChain(t, u, channel.Public)
	first, _ := c.write(t, u, "first")
	m := c.sign(t, "second")
	u.Fail(t, Stored)
	_, err := record(u.Ledger, m)
	require.ErrorIs(t, err, ledger.ErrUncertain)

	u = u.reopen(t)
	r, err := record(u.Ledger, m)
	require.NoError(t, err)
	requireReceipt(t, u, m, r)
	_, err = record(u.Ledger, c.sign(t, "another second"))
	requireConflict(t, err, r)
	requireChain(t, u, c.id(), channel.Public, first.Hash(), m.Hash())
}

// acknowledged lets many channels be written while a submission fails: whoever got
// a receipt is found again, and whoever did not can submit again.
func (s *suite) acknowledged(t *testing.T, u Under, f Failure) Under {
	writers := make([]*writer, 10)
	for i := range writers {
		writers[i] = newWriter(t, u, 5)
	}
	var wg sync.WaitGroup
	for i, w := range writers {
		wg.Go(func() {
			for n, m := range w.messages {
				if i == 0 && n == 2 {
					u.Fail(t, f)
				}
				r, err := record(u.Ledger, m)
				if err != nil {
					assert.True(t, isFailure(err), "%v", err)
					return
				}
				w.receipts = append(w.receipts, r)
			}
		})
	}
	wg.Wait()

	u = u.reopen(t)
	failed := 0
	for _, w := range writers {
		w.check(t, u)
		failed += len(w.messages) - len(w.receipts)
	}
	assert.Positive(t, failed, "no submission failed")
	return u
}

// writer has messages for one channel, and receipts of those that got one.
type writer struct {
	chain    *chain
	messages []channel.Message
	receipts []ledger.Receipt
}

func newWriter(t *testing.T, u Under, messages int) *writer {
	w := &writer{chain: newChain(t, u, channel.Public)}
	for n := range messages {
		m := w.chain.sign(t, fmt.Sprintf("message %d", n))
		w.chain.follows(m)
		w.messages = append(w.messages, m)
	}
	return w
}

// check submits everything again: a receipt that was given is given again, and in
// the end all is there once.
func (w *writer) check(t *testing.T, u Under) {
	var hashes []channel.Hash
	for n, m := range w.messages {
		again, err := record(u.Ledger, m)
		require.NoError(t, err)
		requireReceipt(t, u, m, again)
		if n < len(w.receipts) {
			requireSame(t, u, m, w.receipts[n], again)
		}
		hashes = append(hashes, m.Hash())
	}
	requireChain(t, u, w.chain.id(), channel.Public, hashes...)
}
