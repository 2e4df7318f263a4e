package stardust

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	inx "github.com/iotaledger/inx/go"
	iotago "github.com/iotaledger/iota.go/v3"
	"github.com/iotaledger/iota.go/v3/builder"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/host/devnet/devnettest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/ledger/ledgertest"
)

// network is a devnet with the authors of everybody who writes on it.
type network struct {
	*devnet.Network
	mu      sync.Mutex
	authors map[channel.ID]*channel.Author
	faucet  *Ledger
}

func newNetwork(t testing.TB, o devnet.Options) *network {
	t.Helper()
	o.Fast, o.Milestone = true, 50*time.Millisecond
	n := &network{Network: devnettest.ForTest(t, o), authors: map[channel.ID]*channel.Author{}}
	n.faucet = openLedger(t, n.options(filepath.Join(t.TempDir(), "faucet.db"), n.Funding))
	return n
}

func (n *network) author(id channel.ID) (*channel.Author, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a, ok := n.authors[id]
	return a, ok
}

// know makes an author known to every ledger of the network.
func (n *network) know(a *channel.Author) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.authors[a.Channel()] = a
}

func (n *network) options(archive string, funding ed25519.PrivateKey) Options {
	o := Options{Archive: archive, Funding: funding, Author: n.author, Now: time.Now}
	for _, node := range n.Nodes {
		o.Nodes = append(o.Nodes, Node(node))
	}
	return o
}

// issuer returns a fresh key with money for so many channels.
func (n *network) issuer(t testing.TB, channels uint64) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	n.pay(t, key, channels*(n.faucet.deposit+n.faucet.dust()))
	return key
}

// pay moves money from the network's own key to another.
func (n *network) pay(t testing.TB, key ed25519.PrivateKey, amount uint64) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.faucet
	have, err := l.readUnspent(t.Context(), l.nodes.all[0])
	require.NoError(t, err)
	from, to := have.money[0], address(key.Public().(ed25519.PublicKey))
	tx, err := l.finish(builder.NewTransactionBuilder(l.params.NetworkID()).
		AddInput(&builder.TxInput{UnlockTarget: &l.issuer, InputID: from.id, Input: from.raw}).
		AddOutput(&iotago.BasicOutput{Amount: amount, Conditions: iotago.UnlockConditions{&iotago.AddressUnlockCondition{Address: &to}}}).
		AddOutput(l.basic(from.raw.Amount-amount)), iotago.NewInMemoryAddressSigner(iotago.NewAddressKeysForEd25519Address(&l.issuer, l.o.Funding)))
	require.NoError(t, err)
	paid := inx.NewOutputId(iotago.OutputIDFromTransactionIDAndIndex(tx.id, 0))
	sent := time.Time{}
	require.Eventually(t, func() bool {
		if time.Since(sent) > 2*time.Second { // the block before may have grown too old for a milestone
			if _, err := l.sendTo(l.nodes.all[0], tx.payload); err == nil {
				sent = time.Now()
			}
		}
		_, err := l.nodes.all[0].ReadOutput(t.Context(), paid)
		return err == nil
	}, time.Minute, 5*time.Millisecond)
}

func newArchive(t testing.TB) string { return filepath.Join(t.TempDir(), "archive.db") }

func openLedger(t testing.TB, o Options) *Ledger {
	t.Helper()
	l, err := Open(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

// faulty stands before a node and fails on demand.
type faulty struct {
	inx.INXClient
	mu   sync.Mutex
	next []ledgertest.Failure
}

func (f *faulty) fail(_ *testing.T, how ledgertest.Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, how)
}

// SubmitBlock loses the block, or the answer.
func (f *faulty) SubmitBlock(ctx context.Context, in *inx.RawBlock, opts ...grpc.CallOption) (*inx.BlockId, error) {
	f.mu.Lock()
	failures := f.next
	f.next = nil
	f.mu.Unlock()
	if len(failures) == 0 {
		return f.INXClient.SubmitBlock(ctx, in, opts...)
	}
	var err error
	if failures[0] == ledgertest.Stored {
		_, err = f.INXClient.SubmitBlock(ctx, in, opts...)
	}
	return nil, errors.Join(status.Error(codes.Internal, "the cable is cut"), err)
}

// testChain is a channel that a test writes.
type testChain struct {
	seed   channel.Seed
	author *channel.Author
	next   uint64
	prev   channel.Hash
}

// newChain returns a fresh public channel that l has admitted.
func (n *network) newChain(t testing.TB, l *Ledger, seed string) *testChain {
	t.Helper()
	c := &testChain{seed: sha256.Sum256([]byte(t.Name() + "/" + seed))}
	c.author = channel.NewAuthor(c.seed, channel.Public)
	n.know(c.author)
	require.NoError(t, l.List(t.Context(), c.author.Channel()))
	return c
}

func (c *testChain) id() channel.ID { return c.author.Channel() }

func (c *testChain) sign(t testing.TB, body string) channel.Message {
	t.Helper()
	m, err := c.author.Sign(channel.Draft{Number: c.next, Prev: c.prev, Time: time.UnixMilli(1790000000000), Body: []byte(body)})
	require.NoError(t, err)
	return m
}

func (c *testChain) follows(m channel.Message) { c.next, c.prev = m.Number()+1, m.Hash() }

// write records one more message.
func (c *testChain) write(t testing.TB, l *Ledger, body string) ledger.Receipt {
	t.Helper()
	m := c.sign(t, body)
	r, err := record(t.Context(), l, m)
	require.NoError(t, err)
	c.follows(m)
	return r
}

// record submits m and waits until it is final.
func record(ctx context.Context, l *Ledger, m channel.Message) (ledger.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := l.Submit(ctx, m)
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("submitting: %w", err)
	}
	return l.Await(ctx, r, ledger.Final)
}
