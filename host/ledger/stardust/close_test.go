package stardust

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/pkg/ledger"
)

// TestCloseLeavesNothingBehind: whatever is under way, Close ends it soon, and no goroutine or connection stays.
func TestCloseLeavesNothingBehind(t *testing.T) {
	n := newNetwork(t, devnet.Options{})
	o := n.options(newArchive(t), n.issuer(t, 10))
	openLedger(t, o).Close() // what the first one starts for good is not counted
	before := runtime.NumGoroutine()
	for range 3 {
		l, err := Open(context.Background(), o)
		require.NoError(t, err)
		c, busy := n.newChain(t, l, "written"), n.newChain(t, l, "busy")
		if _, err := l.Head(t.Context(), c.id()); err != nil {
			c.write(t, l, "first")
		}
		m := busy.sign(t, time.Now().String())
		var wg sync.WaitGroup
		wg.Go(func() {
			err := l.Follow(context.Background(), ledger.Position{}, func([]ledger.Entry, ledger.Position) error { return nil })
			assert.ErrorIs(t, err, ledger.ErrUnavailable)
		})
		wg.Go(func() { record(context.Background(), l, m) })
		time.Sleep(20 * time.Millisecond)
		began := time.Now()
		require.NoError(t, l.Close())
		wg.Wait()
		assert.Less(t, time.Since(began), 2*time.Second)
	}
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= before }, 10*time.Second, 50*time.Millisecond, "goroutines stay: %d before, %d now", before, runtime.NumGoroutine())
}

// TestNobodyIsRememberedWhoWaitsNoMore: a process that records a message of each of many channels keeps nothing of them in memory.
func TestNobodyIsRememberedWhoWaitsNoMore(t *testing.T) {
	n := newNetwork(t, devnet.Options{})
	l := openLedger(t, n.options(newArchive(t), n.issuer(t, 5)))
	for _, name := range []string{"a", "b", "c"} {
		n.newChain(t, l, name).writeAll(t, l, "0", "1")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	assert.Less(t, len(l.bells), 3) // one may have been hung up just after its milestone
}
