package stardust

import (
	"context"
	"encoding/hex"
	"testing"
	"time"

	inx "github.com/iotaledger/inx/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/stardust"
)

// liar is a node that tells something else than the ledger holds.
type liar struct {
	inx.INXClient
	told string
}

func (l *liar) ReadBlock(ctx context.Context, in *inx.BlockId, opts ...grpc.CallOption) (*inx.RawBlock, error) {
	b, err := l.INXClient.ReadBlock(ctx, in, opts...)
	if l.told == "block" && err == nil {
		b.Data[len(b.Data)-1] ^= 1 // of the nonce
	}
	return b, err
}

func (l *liar) ReadMilestone(ctx context.Context, in *inx.MilestoneRequest, opts ...grpc.CallOption) (*inx.Milestone, error) {
	m, err := l.INXClient.ReadMilestone(ctx, in, opts...)
	if l.told == "time" && err == nil {
		m.Milestone.Data[4+4] ^= 1 // behind type and index
	}
	return m, err
}

func (l *liar) ListenToLedgerUpdates(ctx context.Context, in *inx.MilestoneRangeRequest, opts ...grpc.CallOption) (inx.INX_ListenToLedgerUpdatesClient, error) {
	stream, err := l.INXClient.ListenToLedgerUpdates(ctx, in, opts...)
	return lyingStream{stream, l.told == "message"}, err
}

type lyingStream struct {
	inx.INX_ListenToLedgerUpdatesClient
	lies bool
}

func (s lyingStream) Recv() (*inx.LedgerUpdate, error) {
	u, err := s.INX_ListenToLedgerUpdatesClient.Recv()
	if raw := u.GetCreated().GetOutput().GetData(); s.lies && len(raw) > 200 {
		raw[100] ^= 1 // within the state metadata
	}
	return u, err
}

// TestLyingNodeIsLeft: what a node says of a message is checked against what the
// coordinator signed before it is archived, and another node is asked.
func TestLyingNodeIsLeft(t *testing.T) {
	n := newNetwork(t, devnet.Options{})
	for _, told := range []string{"block", "time", "message"} {
		o := n.options(newArchive(t), n.issuer(t, 5))
		o.Nodes = append(o.Nodes, o.Nodes[0])
		first := true
		o.wrap = func(c inx.INXClient) inx.INXClient {
			if first {
				first, c = false, &liar{c, told}
			}
			return c
		}
		l := openLedger(t, o)
		c := n.newChain(t, l, told)
		c.write(t, l, "first")
		c.write(t, l, "second")
		assert.Equal(t, 1, inUse(t, l), told)
	}
}

// TestOthersThanTheCoordinatorAreNotBelieved: with keys of its own choice the ledger
// takes no milestone by others, and calls nothing final.
func TestOthersThanTheCoordinatorAreNotBelieved(t *testing.T) {
	n := newNetwork(t, devnet.Options{})
	o := n.options(newArchive(t), n.issuer(t, 5))
	own := ledger.Coordinator{Network: n.Name, Threshold: len(n.Coordinator)}
	for _, k := range n.Coordinator {
		own.Keys = append(own.Keys, hex.EncodeToString(k))
	}
	o.Coordinators = []ledger.Coordinator{own}
	l := openLedger(t, o)
	c := n.newChain(t, l, "")
	c.write(t, l, "first")

	o.Archive, o.Stall = newArchive(t), 2*time.Second
	o.Coordinators = []ledger.Coordinator{{Network: n.Name, Threshold: 1, Keys: []string{hex.EncodeToString(l.issuer[:])}}}
	other := openLedger(t, o)
	_, err := other.Head(t.Context(), c.id())
	require.ErrorIs(t, err, ledger.ErrUnavailable)
	require.ErrorIs(t, err, stardust.ErrNotSigned)
}
