package ledgertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// collect follows from a position to the end, and returns what came and where that is.
func collect(t require.TestingT, l ledger.Ledger, from ledger.Position) ([]ledger.Entry, ledger.Position) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var all []ledger.Entry
	at := from
	err := l.Follow(ctx, from, func(batch []ledger.Entry, next ledger.Position) error {
		if len(batch) == 0 {
			require.Equal(t, at, next)
			return ledger.ErrStop
		}
		for _, e := range batch {
			require.GreaterOrEqual(t, e.Index, at.Index)
			if len(all) > 0 {
				require.Greater(t, e.Index, all[len(all)-1].Index)
				require.False(t, e.Time.Before(all[len(all)-1].Time), "time goes back")
			}
			all = append(all, e)
		}
		require.Greater(t, next.Index, batch[len(batch)-1].Index)
		at = next
		return nil
	})
	require.NoError(t, err)
	return all, at
}

// end returns the position behind all that is there.
func end(t require.TestingT, l ledger.Ledger) ledger.Position {
	_, at := collect(t, l, ledger.Position{})
	return at
}

func (s *suite) followFromEachPosition(t *testing.T, u Under) {
	begin := end(t, u.Ledger)
	a, b := newChain(t, u, channel.Public), newChain(t, u, channel.Restricted)
	var want []channel.Hash
	for range 5 {
		for _, c := range []*chain{a, b} {
			m, _ := c.write(t, u, "body")
			want = append(want, m.Hash())
		}
	}
	entries, at := collect(t, u.Ledger, begin)
	require.Len(t, entries, len(want))
	for i, e := range entries {
		assert.Equal(t, want[i], e.Message.Hash())
		rest, last := collect(t, u.Ledger, ledger.Position{Index: e.Index})
		assert.Equal(t, entries[i:], rest)
		assert.Equal(t, at, last)
	}
	none, _ := collect(t, u.Ledger, at)
	assert.Empty(t, none)
}

// followNew: what is recorded while somebody follows arrives without asking again,
// one empty batch before each wait; and fn may use the ledger.
func (s *suite) followNew(t *testing.T, u Under) {
	w := newWriter(t, u, 3)
	from := end(t, u.Ledger)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var got []channel.Hash
	var writing sync.WaitGroup // what is delivered may not have been answered yet
	empty := 0
	err := u.Ledger.Follow(ctx, from, func(batch []ledger.Entry, _ ledger.Position) error {
		for _, e := range batch {
			got = append(got, e.Message.Hash())
		}
		if len(batch) > 0 {
			return nil
		}
		if empty++; empty > len(w.messages) {
			return ledger.ErrStop
		}
		_, err := u.Ledger.Info(ctx)
		assert.NoError(t, err)
		m := w.messages[empty-1]
		writing.Go(func() {
			time.Sleep(20 * time.Millisecond) // until Follow waits
			_, err := record(u.Ledger, m)
			assert.NoError(t, err)
		})
		return nil
	})
	writing.Wait()
	require.NoError(t, err)
	var want []channel.Hash
	for _, m := range w.messages {
		want = append(want, m.Hash())
	}
	assert.Equal(t, want, got)
}

func (s *suite) followEnds(t *testing.T, u Under) {
	newChain(t, u, channel.Public).write(t, u, "body")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	calls := 0
	stop := func([]ledger.Entry, ledger.Position) error { calls++; return ledger.ErrStop }
	require.NoError(t, u.Ledger.Follow(ctx, ledger.Position{}, stop))
	assert.Equal(t, 1, calls)

	broken := errors.New("disk is full")
	fail := func([]ledger.Entry, ledger.Position) error { return broken }
	require.ErrorIs(t, u.Ledger.Follow(ctx, ledger.Position{}, fail), broken)

	beyond := end(t, u.Ledger)
	beyond.Index += 1 << 40
	require.ErrorIs(t, u.Ledger.Follow(ctx, beyond, deliverNothing(t)), ledger.ErrNoPosition)

	wait := func(batch []ledger.Entry, _ ledger.Position) error {
		if len(batch) == 0 {
			time.AfterFunc(20*time.Millisecond, cancel)
		}
		return nil
	}
	require.ErrorIs(t, u.Ledger.Follow(ctx, ledger.Position{}, wait), context.Canceled)
}

func (s *suite) closed(t *testing.T, u Under) {
	c := newChain(t, u, channel.Public)
	_, r := c.write(t, u, "body")
	next := c.sign(t, "next")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	wait := func(batch []ledger.Entry, _ ledger.Position) error {
		if len(batch) == 0 {
			time.AfterFunc(20*time.Millisecond, func() { assert.NoError(t, u.Ledger.Close()) })
		}
		return nil
	}
	require.ErrorIs(t, u.Ledger.Follow(ctx, ledger.Position{}, wait), ledger.ErrUnavailable)
	// at once, while Close may not have returned yet: who saw that end sees nothing else any more
	for name, call := range map[string]func() error{
		"Info":   func() error { _, err := u.Ledger.Info(ctx); return err },
		"Submit": func() error { _, err := u.Ledger.Submit(ctx, next); return err },
		"Await":  func() error { _, err := u.Ledger.Await(ctx, r, ledger.Final); return err },
		"Head":   func() error { _, err := u.Ledger.Head(ctx, c.id()); return err },
		"Range":  func() error { _, err := u.Ledger.Range(ctx, c.id(), 0, 1); return err },
		"Prove":  func() error { _, err := u.Ledger.Prove(ctx, c.id(), 0); return err },
		"Follow": func() error { return u.Ledger.Follow(ctx, ledger.Position{}, deliverNothing(t)) },
		"List":   func() error { return u.List(ctx, c.id()) },
	} {
		assert.ErrorIs(t, call(), ledger.ErrUnavailable, name)
	}
	assert.NoError(t, u.Ledger.Close(), "closing twice")
}
