package anchor

import (
	"context"
	"encoding/hex"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/host/devnet/devnettest"
	"github.com/productid/productid/host/ledger/stardust"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// leaving is a ledger on a network that its process leaves as soon as it has submitted something.
type leaving struct{ *stardust.Ledger }

func (l leaving) Await(context.Context, ledger.Receipt, ledger.Phase) (ledger.Receipt, error) {
	return ledger.Receipt{}, ledger.ErrUncertain
}

// TestProcessThatLeavesANetworkGoesOnThere: whatever was under way is decided before the next checkpoint is anchored, by the same archive and
// by a new one.
func TestProcessThatLeavesANetworkGoesOnThere(t *testing.T) {
	n := devnettest.ForTest(t, devnet.Options{Fast: true})
	in := func(archive string) *stardust.Ledger {
		l, err := stardust.Open(t.Context(), stardust.Options{
			Nodes: []stardust.Node{stardust.Node(n.Nodes[0])}, Archive: archive, Funding: n.Funding, Now: time.Now,
			Author: func(id channel.ID) (*channel.Author, bool) { return anchorAuthor, id == anchorAuthor.Channel() },
		})
		require.NoError(t, err)
		return l
	}
	log := openLog(t, newPath(t), logOptions(t))
	archive := filepath.Join(t.TempDir(), "archive.db")
	words := []string{"fine", "rain", "snow"}
	for _, word := range words {
		write(t, log, 1, word)
		a := New(options(log, leaving{in(archive)}, nil))
		if err := a.Publish(t.Context()); err != nil { // nil: what was under way has the number, and this round wrote nothing
			require.ErrorIs(t, err, ledger.ErrUncertain)
		}
		require.NoError(t, a.Close())
	}
	r := write(t, log, 1, "hail")
	for _, archive := range []string{archive, filepath.Join(t.TempDir(), "new.db")} {
		a := New(options(log, in(archive), nil))
		require.NoError(t, a.Cover(t.Context()))
		report, err := a.Verify(t.Context(), nil)
		require.NoError(t, err)
		assert.Empty(t, report.Findings)
		assert.EqualValues(t, 4, report.Size)
		assert.LessOrEqual(t, report.Checkpoints, uint64(len(words)+1))
		require.NoError(t, a.Close())
	}
	_, err := log.Await(t.Context(), r, ledger.Anchored)
	require.NoError(t, err)
	_, evidence, err := Newest(t.Context(), log)
	require.NoError(t, err)
	c := ledger.Coordinator{Network: n.Name, Threshold: len(n.Coordinator)}
	for _, key := range n.Coordinator {
		c.Keys = append(c.Keys, hex.EncodeToString(key))
	}
	there, err := evidence.Verify(ledger.Policy{Coordinators: []ledger.Coordinator{c}})
	require.NoError(t, err)
	assert.Equal(t, n.Name, there.Ledger)
}
