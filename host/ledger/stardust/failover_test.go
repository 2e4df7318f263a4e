package stardust

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	inx "github.com/iotaledger/inx/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/blake2b"
	"google.golang.org/grpc"

	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/host/devnet/devnettest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// inUse returns the index of the node that a ledger uses.
func inUse(t testing.TB, l *Ledger) int {
	t.Helper()
	s, err := l.Status(t.Context())
	require.NoError(t, err)
	for i, n := range s.Nodes {
		if n.InUse {
			return i
		}
	}
	t.Fatal("no node is in use")
	return 0
}

// requireAll checks that a channel holds exactly these messages, each proved.
func requireAll(t testing.TB, l *Ledger, id channel.ID, want []channel.Message) {
	t.Helper()
	entries, err := l.Range(t.Context(), id, 0, len(want)+1)
	require.NoError(t, err)
	require.Len(t, entries, len(want))
	for i, m := range want {
		require.Equal(t, m.Hash(), entries[i].Message.Hash())
		proof, err := l.Prove(t.Context(), id, uint64(i))
		require.NoError(t, err)
		r, err := l.policy(l.now()).Verify(m, proof)
		require.NoError(t, err)
		require.Equal(t, entries[i].Index, r.Index)
		require.Equal(t, entries[i].Time, r.Time)
	}
}

// TestKilledNodeLosesNothing kills the node in use in the middle of fifty updates of
// ten channels: every update that was final before or after is there, on the other
// nodes too, and the node that replaces it comes along.
func TestKilledNodeLosesNothing(t *testing.T) {
	const channels, updates, killAt = 10, 50, 20
	n := newNetwork(t, devnet.Options{Nodes: 3})
	l := openLedger(t, n.options(newArchive(t), n.issuer(t, 20)))
	victim := inUse(t, l)

	var mu sync.Mutex
	final := 0
	var killed sync.Once
	written := make([][]channel.Message, channels)
	var wg sync.WaitGroup
	for i := range channels {
		c := n.newChain(t, l, fmt.Sprint(i))
		wg.Go(func() {
			for u := range updates / channels {
				m := c.sign(t, fmt.Sprintf("update %d", u))
				if _, err := record(t.Context(), l, m); !assert.NoError(t, err) {
					return
				}
				c.follows(m)
				written[i] = append(written[i], m)
				mu.Lock()
				final++
				now := final
				mu.Unlock()
				if now == killAt {
					killed.Do(func() { assert.NoError(t, n.Kill(victim)) })
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, updates, final)
	assert.NotEqual(t, victim, inUse(t, l), "the killed node is still in use")

	require.NoError(t, n.Replace(victim))
	only := n.options(newArchive(t), l.o.Funding)
	only.Nodes = only.Nodes[victim : victim+1]
	for _, reader := range []*Ledger{l, openLedger(t, only)} {
		for _, messages := range written {
			requireAll(t, reader, messages[0].Channel(), messages)
		}
	}
}

// TestNodeKilledWhileAwaited: the node that took the block dies before the
// milestone, and Await sends the message over another one.
func TestNodeKilledWhileAwaited(t *testing.T) {
	n := newNetwork(t, devnet.Options{Nodes: 3})
	l := openLedger(t, n.options(newArchive(t), n.issuer(t, 5)))
	c := n.newChain(t, l, "")
	c.write(t, l, "first")
	m := c.sign(t, "second")
	taken, err := l.Submit(t.Context(), m)
	require.NoError(t, err)
	assert.Equal(t, ledger.Taken, taken.Phase)
	require.NoError(t, n.Kill(inUse(t, l)))
	r, err := l.Await(t.Context(), taken, ledger.Final)
	require.NoError(t, err)
	_, err = l.policy(l.now()).Verify(m, r.Proof)
	require.NoError(t, err)
}

// TestCutNetworkIsNoAnswer: without a network nothing is refused and nothing is
// final; with it again, the same message finds what became of it.
func TestCutNetworkIsNoAnswer(t *testing.T) {
	n := newNetwork(t, devnet.Options{})
	o := n.options(newArchive(t), n.issuer(t, 5))
	o.Stall = 3 * time.Second
	l := openLedger(t, o)
	c, other := n.newChain(t, l, "one"), n.newChain(t, l, "two")
	first := c.sign(t, "first")
	_, err := record(t.Context(), l, first)
	require.NoError(t, err)
	c.follows(first)
	m := c.sign(t, "second")
	taken, err := l.Submit(t.Context(), m)
	require.NoError(t, err)
	devnettest.Namespace(t, n.Network)
	require.NoError(t, n.Cut())

	r, err := l.Await(t.Context(), taken, ledger.Final) // the milestone may have been faster
	if err != nil {
		require.ErrorIs(t, err, ledger.ErrUncertain)
	} else {
		require.Equal(t, ledger.Final, r.Phase)
	}
	_, err = l.Submit(t.Context(), other.sign(t, "body"))
	require.ErrorIs(t, err, ledger.ErrUnavailable)
	require.NotErrorIs(t, err, ledger.ErrUncertain)
	_, err = l.Head(t.Context(), c.id())
	require.ErrorIs(t, err, ledger.ErrUnavailable)
	_, err = l.Prove(t.Context(), c.id(), 0)
	require.NoError(t, err, "what is archived needs no node")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = l.Submit(ctx, m)
	require.Error(t, err)

	require.NoError(t, n.Heal())
	require.Eventually(t, func() bool { _, err = record(t.Context(), l, m); return err == nil }, time.Minute, 100*time.Millisecond, "%v", err)
	requireAll(t, l, c.id(), []channel.Message{first, m})
	other.write(t, l, "body")
}

// swallower accepts the first block and loses it.
type swallower struct {
	inx.INXClient
	swallowed atomic.Bool
}

func (s *swallower) SubmitBlock(ctx context.Context, in *inx.RawBlock, opts ...grpc.CallOption) (*inx.BlockId, error) {
	if s.swallowed.CompareAndSwap(false, true) {
		return inx.NewBlockId(blake2b.Sum256(in.GetData())), nil
	}
	return s.INXClient.SubmitBlock(ctx, in, opts...)
}

// TestLostBlockIsMadeAnew: a block that no milestone refers to is replaced by another
// with the same transaction.
func TestLostBlockIsMadeAnew(t *testing.T) {
	n := newNetwork(t, devnet.Options{})
	o := n.options(newArchive(t), n.issuer(t, 5))
	var node swallower
	o.wrap = func(c inx.INXClient) inx.INXClient { node.INXClient = c; return &node }
	l := openLedger(t, o)
	n.newChain(t, l, "").write(t, l, "first")
	assert.True(t, node.swallowed.Load())
}
