package stardust

import (
	"context"
	"runtime"
	"strings"
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
	require.Eventually(t, func() bool {
		return strings.Contains(strings.Join(goroutines(), ""), "created by github.com/productid/productid/host/ledger/stardust.(*Ledger).stream")
	},
		time.Minute, 10*time.Millisecond, "the network's own ledger, which stays open, listens to the node")
	before := len(goroutines())
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
	left := goroutines()
	for until := time.Now().Add(10 * time.Second); len(left) > before && time.Now().Before(until); left = goroutines() { // a condition of assert's is a goroutine too
		time.Sleep(50 * time.Millisecond)
	}
	assert.LessOrEqual(t, len(left), before, strings.Join(left, "\n\n"))
}

// goroutines are the stacks of those that somebody has to end. Connections that net/http keeps for the next request are the process's:
// how many there are depends on how many requests were under way at once.
func goroutines() (all []string) {
	stacks := make([]byte, 1<<20)
	for _, g := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if !strings.Contains(g, "net/http.(*persistConn)") {
			all = append(all, g)
		}
	}
	return all
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

// TestNodeThatDidNotAnswerOnceIsAskedAgain: where no other is up, what was found out about it a moment ago is no answer.
func TestNodeThatDidNotAnswerOnceIsAskedAgain(t *testing.T) {
	n := newNetwork(t, devnet.Options{})
	l := openLedger(t, n.options(newArchive(t), n.issuer(t, 1)))
	l.nodes.all[0].down.Store(true)
	_, err := l.nodes.confirmed(t.Context())
	assert.NoError(t, err)
}
