package ledger_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/ledger"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type logVectors struct {
	Log struct {
		Leaves, Roots []hexBytes
		Inclusion     []struct {
			Index, Size uint64
			Proof       []hexBytes
		}
	}
}

// tree is the hashes of a log's tree, in the order of tlog.StoredHashIndex.
type tree []tlog.Hash

func (t tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = t[index]
	}
	return hashes, nil
}

func readLogVectors(t *testing.T) logVectors {
	text, err := os.ReadFile("../../testdata/vectors/channel.json")
	require.NoError(t, err)
	var v logVectors
	require.NoError(t, json.Unmarshal(text, &v))
	require.Len(t, v.Log.Leaves, 21)
	require.Len(t, v.Log.Roots, 22)
	require.Len(t, v.Log.Inclusion, 55)
	return v
}

func TestVectorLeavesRootsAndInclusion(t *testing.T) {
	v := readLogVectors(t)
	var hashes tree
	for i, raw := range v.Log.Leaves {
		root, err := tlog.TreeHash(int64(i), hashes)
		require.NoError(t, err)
		assert.Equal(t, []byte(v.Log.Roots[i]), root[:], "root of %d leaves", i)

		stored, err := tlog.StoredHashes(int64(i), raw, hashes)
		require.NoError(t, err)
		hashes = append(hashes, stored...)
	}
	for _, row := range v.Log.Inclusion {
		proof, err := tlog.ProveRecord(int64(row.Size), int64(row.Index), hashes)
		require.NoError(t, err)
		require.Len(t, proof, len(row.Proof))
		for i := range proof {
			assert.Equal(t, []byte(row.Proof[i]), proof[i][:])
		}
	}
}

// TestVectorLeavesAreRead reads the leaves that hold messages: the vectors fill
// the tree up with others.
func TestVectorLeavesAreRead(t *testing.T) {
	read := 0
	for _, raw := range readLogVectors(t).Log.Leaves {
		leaf, err := ledger.ParseLeaf(raw)
		if err != nil {
			continue
		}
		read++
		assert.Equal(t, []byte(raw), ledger.AppendLeaf(nil, leaf))
		assert.Equal(t, tlog.RecordHash(raw), leaf.Hash())
	}
	assert.Equal(t, 12, read)
}
