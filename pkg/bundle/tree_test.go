package bundle

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
)

// hashed is a tree with its stored hashes, as package tlog has them.
type hashed []tlog.Hash

func (h hashed) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, i := range indexes {
		found = append(found, h[i])
	}
	return found, nil
}

func leafOf(i uint64) tlog.Hash { return tlog.RecordHash(fmt.Appendf(nil, "leaf %d", i)) }

func grown(t testing.TB, size uint64) (h hashed) {
	for i := range size {
		more, err := tlog.StoredHashesForRecordHash(int64(i), leafOf(i), h)
		require.NoError(t, err)
		h = append(h, more...)
	}
	return h
}

// subsets yields every set of leaves of a tree up to 2^10 of them.
func subsets(size uint64, use func([]uint64)) {
	for set := uint64(1); set < 1<<size; set++ {
		var indexes []uint64
		for i := range size {
			if set>>i&1 == 1 {
				indexes = append(indexes, i)
			}
		}
		use(indexes)
	}
}

func hashesOf(indexes []uint64) []leafHash {
	var leaves []leafHash
	for _, i := range indexes {
		leaves = append(leaves, leafHash{i, leafOf(i)})
	}
	return leaves
}

// TestManyLeavesUnderOneRoot proves every set of leaves of every tree up to ten, out of inclusion proofs as a growing log gives
// them: each under another size, that of the last leaf under its own. It finds each set's root, and with one hash less or more none.
func TestManyLeavesUnderOneRoot(t *testing.T) {
	tree := grown(t, 12)
	random := rand.New(rand.NewPCG(1, 2))
	for size := uint64(1); size <= 10; size++ {
		want, err := tlog.TreeHash(int64(size), tree)
		require.NoError(t, err)
		subsets(size, func(indexes []uint64) {
			known, greatest := parts{}, indexes[len(indexes)-1]
			for _, i := range indexes {
				at := greatest + 1 + random.Uint64N(12-greatest)
				if i == greatest {
					at = size
				}
				hashes, err := tlog.ProveRecord(int64(at), int64(i), tree)
				require.NoError(t, err)
				require.NoError(t, known.add(i, at, hashes))
			}
			hashes, err := known.prove(size, indexes)
			require.NoError(t, err, "%v of %d", indexes, size)
			got, err := root(size, hashesOf(indexes), hashes)
			require.NoError(t, err)
			require.Equal(t, want, got, "%v of %d", indexes, size)

			_, err = root(size, hashesOf(indexes), append(hashes, tlog.Hash{}))
			require.Error(t, err)
			if len(hashes) > 0 {
				_, err = root(size, hashesOf(indexes), hashes[1:])
				require.Error(t, err)
				hashes[0][0] ^= 1
				got, err = root(size, hashesOf(indexes), hashes)
				require.NoError(t, err)
				require.NotEqual(t, want, got)
			}
		})
	}
}

func TestTreeRefuses(t *testing.T) {
	tree := grown(t, 5)
	hashes, err := tlog.ProveRecord(5, 2, tree)
	require.NoError(t, err)
	assert.NoError(t, parts{}.add(2, 5, hashes))
	for name, err := range map[string]error{
		"a leaf beyond the tree":  parts{}.add(5, 5, hashes),
		"an empty tree":           parts{}.add(0, 0, nil),
		"a hash too few":          parts{}.add(2, 5, hashes[1:]),
		"a hash too many":         parts{}.add(2, 5, append(hashes, hashes[0])),
		"a leaf nobody proved":    second(parts{}.prove(5, []uint64{1})),
		"no leaf":                 second(root(5, nil, hashes)),
		"a last leaf twice":       second(root(3, []leafHash{{2, tlog.Hash{}}, {2, tlog.Hash{1}}}, []tlog.Hash{{}})),
		"a last leaf beyond":      second(root(5, []leafHash{{5, tlog.Hash{}}}, hashes)),
		"the tree of 2^63 leaves": second(root(1<<63, []leafHash{{1 << 62, tlog.Hash{}}}, nil)),
	} {
		assert.ErrorIs(t, err, errTree, name)
	}
}

func second[T any](_ T, err error) error { return err }
