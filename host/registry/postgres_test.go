package registry_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/store/storetest"
)

// The server is killed while two registries fold and answer: they say that it is away, or
// that they do not know, and go on where they were when it is back.
func TestServerKilledUnderLoadFoldsTheSame(t *testing.T) {
	l := historyLedger(t)
	place := storetest.Postgres(t)
	report := func(found registry.Tampered) { t.Error(found) }
	var stop atomic.Bool
	var away atomic.Int64
	var all sync.WaitGroup
	registries := []*registry.Registry{open(t, l, place, report), open(t, l, place, report)}
	for _, r := range registries {
		all.Go(func() {
			for !stop.Load() {
				_, err := r.Dump(context.Background())
				for _, err := range []error{r.Sync(context.Background()), r.Rebuild(context.Background()), err} {
					if err == nil {
						continue
					}
					away.Add(1)
					known := errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUncertain) || errors.Is(err, store.ErrBusy)
					assert.True(t, known, "%v", err)
				}
			}
		})
	}
	for range 3 {
		time.Sleep(300 * time.Millisecond)
		storetest.Restart(t, nil)
	}
	stop.Store(true)
	all.Wait()
	want, ignored := folded(t, l)
	for _, r := range registries {
		require.Eventually(t, func() bool { return r.Sync(context.Background()) == nil }, 30*time.Second, 10*time.Millisecond)
		assert.Equal(t, want, dump(t, r))
		got, err := r.Ignored(context.Background())
		require.NoError(t, err)
		assert.Equal(t, ignored, got)
		require.NoError(t, r.Close())
	}
	require.NotZero(t, away.Load())
	t.Logf("%d calls found the server away", away.Load())
}
