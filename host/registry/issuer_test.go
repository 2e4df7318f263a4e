package registry_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

var made = time.Date(2026, 11, 24, 9, 0, 0, 123456789, time.UTC)

func newIssuer(t *testing.T) secrets.Issuer {
	i, err := secrets.NewIssuer("Issuer", "https://issuer.example.com", rand.NewChaCha8([32]byte{5}), made)
	require.NoError(t, err)
	return i
}

// lossy is a ledger whose Submit answers with an error once, after or before it did its work.
type lossy struct {
	*ledger.Memory
	before, after error
}

var errLost = errors.New("the answer was lost")

func (l *lossy) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	if err := l.before; err != nil {
		l.before = nil
		return ledger.Receipt{}, err
	}
	r, err := l.Memory.Submit(ctx, m)
	if l.after != nil {
		err, l.after = l.after, nil
	}
	return r, err
}

func TestAnIssuerThatComesFromElsewhereIsNotOpenedAnew(t *testing.T) {
	i, l := newIssuer(t), newLedger(t)
	i.Moved = true
	_, err := registry.OpenIssuer(t.Context(), l, l, i)
	require.ErrorIs(t, err, registry.ErrNotImported)
	_, err = l.Head(t.Context(), i.Author().Channel())
	require.ErrorIs(t, err, ledger.ErrNoChannel)
	i.Moved = false
	first, err := registry.OpenIssuer(t.Context(), l, l, i)
	require.NoError(t, err)
	i.Moved = true
	again, err := registry.OpenIssuer(t.Context(), l, l, i)
	require.NoError(t, err, "it is there")
	assert.Equal(t, first.Hash, again.Hash)
}

func TestAnIssuerIsOpenedOnce(t *testing.T) {
	s, ctx := newIssuer(t), context.Background()
	for name, l := range map[string]*lossy{
		"at the first try":                    {Memory: newLedger(t)},
		"after the ledger was away":           {Memory: newLedger(t), before: errLost},
		"after the answer to it was lost":     {Memory: newLedger(t), after: errLost},
		"after both, with a crash in between": {Memory: newLedger(t), before: errLost, after: errLost},
	} {
		t.Run(name, func(t *testing.T) {
			receipt, err := registry.OpenIssuer(ctx, l, l, s)
			for errors.Is(err, errLost) {
				receipt, err = registry.OpenIssuer(ctx, l, l, s)
			}
			require.NoError(t, err)
			renamed := s
			renamed.Name, renamed.URL = "Another name", "https://another.example.com"
			again, err := registry.OpenIssuer(ctx, l, l, renamed)
			require.NoError(t, err)
			assert.Equal(t, receipt.Hash, again.Hash)
			assert.Equal(t, ledger.Final, receipt.Phase)

			id := s.Author().Channel()
			entries, err := l.Range(ctx, id, 0, 9)
			require.NoError(t, err)
			require.Len(t, entries, 1)
			assert.Equal(t, made.Truncate(time.Millisecond), entries[0].Message.Time())
			states := record.NewMap()
			require.NoError(t, record.Fold(states, entries[0]))
			issuer, found, err := states.Issuer(id)
			require.NoError(t, err)
			assert.True(t, found)
			assert.Equal(t, "Issuer", issuer.Name)
			assert.Equal(t, origin, issuer.Log)
		})
	}
}

func TestManyProcessesOpenOneIssuer(t *testing.T) {
	s, l, ctx := newIssuer(t), newLedger(t), context.Background()
	var all sync.WaitGroup
	hashes := make(chan channel.Hash, 16)
	for i := range cap(hashes) {
		mine := s
		mine.Name = fmt.Sprint("name ", i%2)
		all.Go(func() {
			receipt, err := registry.OpenIssuer(ctx, l, l, mine)
			assert.NoError(t, err)
			hashes <- receipt.Hash
		})
	}
	all.Wait()
	first := <-hashes
	for range cap(hashes) - 1 {
		assert.Equal(t, first, <-hashes)
	}
}
